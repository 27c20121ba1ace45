//! Whatever comes in is read or refused, and what is written is read as it was.

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::event::{EngineReload, TaskEvent, TaskOutcome};

/// A field that comes through as it is: no `;`, no control characters, not too long, not the word for nothing.
fn field() -> impl Strategy<Value = String> {
    r"[^;\x00-\x1f\x7f]{0,60}".prop_filter("the word for nothing", |text| text != "(null)")
}

fn uuid() -> impl Strategy<Value = Uuid> {
    (1_u128..).prop_map(Uuid::from_u128)
}

fn task_event() -> impl Strategy<Value = TaskEvent> {
    let texts = [field(), field(), field(), field(), field(), field(), field()].map(Strategy::boxed).to_vec();
    (texts, uuid(), proptest::option::of(uuid()), proptest::option::of(uuid())).prop_map(|(texts, task_id, app_id, execution_id)| {
        let [host, task_name, app_name, user, log_time, log_level, message] = texts.try_into().expect("seven texts");
        let names_unsure = false;
        TaskEvent { host, task_name, app_name, user, task_id, app_id, log_time, log_level, execution_id, message, names_unsure }
    })
}

fn absent() -> impl Strategy<Value = Absent> {
    prop_oneof![Just(Absent::Empty), Just(Absent::Null)]
}

fn prefix() -> impl Strategy<Value = SchedulerPrefix> {
    proptest::sample::select(SchedulerPrefix::ALL.to_vec())
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = decode(&bytes);
    }

    /// Lines that look like the real ones go deeper than random bytes do.
    #[test]
    fn any_fields_are_read_or_refused(
        word in proptest::sample::select(vec!["/scheduler-task-failed/", "/engine-reload-failed/", "/scheduler-distribute//"]),
        fields in proptest::collection::vec(prop_oneof![
            Just("e959f40a-67be-4a5b-ae83-a292f96ba078".to_owned()), Just(String::new()), Just("(null)".to_owned()), ".{0,12}", "[🙂x;]{490,520}",
        ], 0..20),
    ) {
        let line = format!("{word};{}", fields.join(";"));
        match decode(line.as_bytes()) {
            Ok(Message::Scheduler(SchedulerMessage { task, .. })) => {
                for text in [task.host, task.task_name, task.app_name, task.user, task.log_time, task.log_level, task.message] {
                    prop_assert!(text.encode_utf16().count() <= 500 && !text.contains(|c: char| c.is_ascii_control()));
                }
            }
            Ok(Message::Engine(_)) => {}
            Err(error) => prop_assert!(error.detail.chars().count() <= 200, "{}", error.detail),
        }
    }

    #[test]
    fn what_was_encoded_is_decoded_again(prefix in prefix(), task in task_event(), absent in absent()) {
        let bytes = encode_scheduler(prefix, &task, absent);
        let expected = Message::Scheduler(SchedulerMessage { outcome: prefix.outcome(), task });
        prop_assert_eq!(decode(&bytes), Ok(expected.clone()));
        // With the prefix of today it is the same message.
        prop_assert_eq!(decode(&encode(&expected)), Ok(expected));
    }

    #[test]
    fn a_message_may_contain_semicolons(prefix in prefix(), task in task_event(), message in r"[^\x00-\x1f\x7f]{0,40};[^\x00-\x1f\x7f]{0,40}") {
        let task = TaskEvent { message, ..task };
        let expected = Message::Scheduler(SchedulerMessage { outcome: prefix.outcome(), task: task.clone() });
        prop_assert_eq!(decode(&encode_scheduler(prefix, &task, Absent::Empty)), Ok(expected));
    }

    #[test]
    fn names_may_contain_semicolons(task in task_event(), names in "[a-z ]{0,9};[a-z; ]{0,9};[a-z ]{0,9}", absent in absent()) {
        let task = TaskEvent { task_name: names, app_name: String::new(), names_unsure: true, ..task };
        let expected = Message::Scheduler(SchedulerMessage { outcome: TaskOutcome::Failed, task: task.clone() });
        prop_assert_eq!(decode(&encode_scheduler(SchedulerPrefix::TaskFailed, &task, absent)), Ok(expected));
    }

    #[test]
    fn the_engine_is_decoded_again(
        texts in proptest::collection::vec(field(), 6), app_id in proptest::option::of(uuid()), message in r"[^\x00-\x1f\x7f]{0,60}", absent in absent(),
    ) {
        prop_assume!(message != "(null)");
        let [host, session_id, user_directory, user_id, log_time, log_level] = texts.try_into().expect("six texts");
        let reload = EngineReload { host, app_id, session_id, user_directory, user_id, log_time, log_level, message };
        prop_assert_eq!(decode(&encode_engine(&reload, absent)), Ok(Message::Engine(reload)));
    }
}
