//! What the benches share: events that are alike but for their numbers.

use butler_core::event::{NewEvent, TaskEvent, TaskOutcome};
use butler_core::source::Datagram;
use butler_core::source::decode::{Message, SchedulerMessage, encode, to_event};
use uuid::Uuid;

/// How many tasks the events are about.
pub const TASKS: u128 = 1_000;

/// The failed execution of this number; it is one of [`TASKS`] tasks.
#[must_use]
pub fn failed_task(number: u128) -> TaskEvent {
    TaskEvent {
        host: "sense-node-1".into(),
        task_name: format!("Reload {}", number % TASKS),
        app_name: "Sales".into(),
        user: r"INTERNAL\sa_scheduler".into(),
        task_id: Uuid::from_u128((0xe959_f40a << 64) | (number % TASKS)),
        app_id: Some(Uuid::from_u128(0x66bc_109d)),
        log_time: "2024-05-13 06:02:11,123".into(),
        log_level: "INFO".into(),
        execution_id: Some(Uuid::from_u128((0x14a8_1bf5 << 64) | number)),
        message: "Max retries reached".into(),
        names_unsure: false,
    }
}

/// What the scheduler says of a failed execution.
#[must_use]
pub fn encoded(task: TaskEvent) -> Vec<u8> {
    encode(&Message::Scheduler(SchedulerMessage { outcome: TaskOutcome::Failed, task }))
}

/// What the scheduler says of the failed execution of this number.
#[must_use]
pub fn datagram(number: u128) -> Vec<u8> {
    encoded(failed_task(number))
}

/// A datagram as a source hands it in, so many hundredths of a second after the first: one task does not end several times in a moment.
#[must_use]
pub fn received(bytes: Vec<u8>, number: u128) -> Datagram {
    let after = jiff::SignedDuration::from_millis(10 * i64::try_from(number).unwrap_or_default());
    let received = jiff::Timestamp::UNIX_EPOCH + after;
    Datagram { bytes: bytes.into(), from: None, site: "prod".into(), source: "udp".into(), received }
}

/// The event of this number, as the journal takes it.
///
/// # Panics
/// If the datagram made above can't be read.
#[must_use]
pub fn new_event(number: u128) -> NewEvent {
    to_event(&received(datagram(number), number)).expect("a datagram of ours")
}
