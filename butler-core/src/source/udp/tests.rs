//! The contract of [`EventSource`], and what the source promises beyond it.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::allow::AllowList;
use super::bind::bind;
use super::reader::{Checks, Packet};
use super::report::Tally;
use super::{UdpSettings, UdpSource};
use crate::clock::{Clock, SystemClock};
use crate::source::{Datagram, EventSource, Intake, IntakeCounters, IntakeQueue, IntakeRequest, Open, RejectReason, SourceError, Stop};
use crate::testkit::TestClock;

/// Long enough for the slowest machine; nothing waits for it that goes well.
const PATIENCE: Duration = Duration::from_secs(30);

/// The length of most datagrams of Qlik Sense.
const USUAL: [u8; 350] = [b'x'; 350];

fn settings() -> UdpSettings {
    UdpSettings {
        listen: "127.0.0.1:0".into(),
        site: "prod".into(),
        allow: Some(Vec::new()),
        max_message: UdpSettings::MAX_MESSAGE,
        max_per_minute: None,
        receive_buffer: UdpSettings::RECEIVE_BUFFER,
    }
}

fn source(settings: UdpSettings) -> UdpSource {
    UdpSource::new(settings, Arc::new(SystemClock::default()))
}

/// A source that has been opened, and whose work has not begun.
struct Opened {
    address: SocketAddr,
    run: std::pin::Pin<Box<dyn Future<Output = Result<(), SourceError>> + Send>>,
    stop: Stop,
    intake: Intake,
    queue: IntakeQueue,
}

async fn open(source: &UdpSource) -> Opened {
    let (intake, queue) = Intake::channel();
    let stop = Stop::new();
    let Open { addresses, run } = source.open(intake.clone(), stop.clone()).await.expect("a free port");
    let [address] = addresses[..] else { panic!("no single address: {addresses:?}") };
    Opened { address, run, stop, intake, queue }
}

async fn take(queue: &mut IntakeQueue, count: usize) -> Vec<Datagram> {
    let mut taken = Vec::new();
    while taken.len() < count {
        let requests = timeout(PATIENCE, queue.take(count - taken.len())).await.expect("no datagram came");
        taken.extend(requests.into_iter().map(|request| match request {
            IntakeRequest::Datagram(datagram) => datagram,
            IntakeRequest::Event(event, _) => panic!("not a datagram: {event:?}"),
        }));
    }
    taken
}

async fn ends(run: impl Future<Output = Result<(), SourceError>>) {
    timeout(PATIENCE, run).await.expect("the source did not stop").expect("the source failed");
}

fn rejected(intake: &Intake, reason: RejectReason) -> u64 {
    intake.counters().rejected().into_iter().find(|(found, _)| *found == reason).map_or(0, |(_, count)| count)
}

#[tokio::test]
async fn what_comes_after_open_is_heard_even_before_run_is_polled() {
    let source = source(settings());
    let Opened { address, run, stop, mut queue, .. } = open(&source).await;
    let sender = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    sender.send_to(b"early", address).expect("loopback");
    let running = tokio::spawn(run);
    let datagram = take(&mut queue, 1).await.remove(0);
    assert_eq!((&datagram.bytes[..], datagram.from), (&b"early"[..], sender.local_addr().ok()));
    assert_eq!((datagram.site.as_str(), datagram.source.as_str()), ("prod", "udp"));
    stop.cancel();
    ends(async { running.await.expect("no panic") }).await;
}

#[tokio::test]
async fn a_stop_hands_over_what_was_received_and_frees_the_port() {
    let source = source(settings());
    let Opened { address, run, stop, intake, mut queue } = open(&source).await;
    let sender = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    for _ in 0..100 {
        sender.send_to(&USUAL, address).expect("loopback");
    }
    stop.cancel();
    ends(run).await;
    assert_eq!(take(&mut queue, 100).await.len(), 100);
    assert_eq!(intake.counters().rejected(), []);

    // The same port can be opened again.
    let again = UdpSource::new(UdpSettings { listen: address.to_string(), ..settings() }, Arc::new(SystemClock::default()));
    for _ in 0..2 {
        let Opened { address: bound, run, stop, mut queue, .. } = open(&again).await;
        assert_eq!(bound, address);
        sender.send_to(b"again", address).expect("loopback");
        let running = tokio::spawn(run);
        assert_eq!(take(&mut queue, 1).await[0].bytes, "again");
        stop.cancel();
        ends(async { running.await.expect("no panic") }).await;
    }
}

#[tokio::test]
async fn a_run_that_is_dropped_frees_the_port_too() {
    let source = source(settings());
    let Opened { address, run, mut queue, .. } = open(&source).await;
    let running = tokio::spawn(run);
    UdpSocket::bind("127.0.0.1:0").expect("a free port").send_to(b"x", address).expect("loopback");
    take(&mut queue, 1).await;
    running.abort();
    assert!(running.await.is_err_and(|error| error.is_cancelled()));
    UdpSocket::bind(address).expect("the port is free");
}

#[tokio::test]
async fn a_port_in_use_is_found_by_open() {
    let holder = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let listen = holder.local_addr().expect("its address").to_string();
    let (intake, _queue) = Intake::channel();
    let source = source(UdpSettings { listen: listen.clone(), ..settings() });
    let error = source.open(intake.clone(), Stop::new()).await.expect_err("the port is in use");
    assert!(matches!(&error, SourceError::Bind { address, .. } if *address == listen), "{error}");
    // Once it is free, the same source opens.
    drop(holder);
    source.open(intake, Stop::new()).await.expect("the port is free");
}

#[tokio::test]
async fn addresses_of_both_versions_are_told_and_written_alike() {
    let source = source(UdpSettings { listen: "[::]:0".into(), ..settings() }).named("udp-lab");
    assert_eq!(source.name().as_str(), "udp-lab");
    let Opened { address, run, stop, mut queue, .. } = open(&source).await;
    assert!(address.is_ipv6() && address.port() != 0);
    let running = tokio::spawn(run);
    for local in ["127.0.0.1", "[::1]"] {
        let sender = UdpSocket::bind(format!("{local}:0")).expect("a free port");
        sender.send_to(b"x", format!("{local}:{}", address.port())).expect("loopback");
        let datagram = take(&mut queue, 1).await.remove(0);
        assert_eq!(datagram.from, sender.local_addr().ok());
        assert_eq!(datagram.source.as_str(), "udp-lab");
    }
    stop.cancel();
    ends(async { running.await.expect("no panic") }).await;
}

#[tokio::test]
async fn what_is_too_long_or_too_much_is_counted() {
    let clock = TestClock::default();
    let limits = UdpSettings { max_message: 10, max_per_minute: Some(2), ..settings() };
    let source = UdpSource::new(limits, Arc::new(clock.clone()));
    let Opened { address, run, stop, intake, mut queue } = open(&source).await;
    let running = tokio::spawn(run);
    let sender = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    for text in ["12345678901", "1234567890", "", "too many", "12345678901234567890"] {
        sender.send_to(text.as_bytes(), address).expect("loopback");
    }
    let taken = take(&mut queue, 2).await;
    assert_eq!((taken[0].bytes.len(), taken[1].bytes.len(), taken[0].received), (10, 0, clock.now()));
    // The last one is too long: once it has been counted, all have been looked at.
    let looked_at = async {
        while rejected(&intake, RejectReason::TooLong) < 2 {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, looked_at).await.expect("the last one was not read");
    assert_eq!(intake.counters().rejected(), [(RejectReason::TooLong, 2), (RejectReason::RateLimit, 1)]);
    let details: Vec<String> = intake.counters().recent().into_iter().map(|rejection| rejection.detail).collect();
    assert_eq!(details, ["longer than 10 bytes", "more than 2 a minute", "longer than 10 bytes"]);
    clock.advance(Duration::from_mins(1));
    sender.send_to(b"later", address).expect("loopback");
    assert_eq!(take(&mut queue, 1).await[0].bytes, "later");
    stop.cancel();
    ends(async { running.await.expect("no panic") }).await;
}

#[test]
fn a_sender_that_is_not_on_the_list_is_counted_and_costs_no_rate() {
    let (intake, _queue) = Intake::channel();
    let limits = UdpSettings { max_per_minute: Some(3), ..settings() };
    let allow = AllowList::new(Some(&["192.0.2.1".to_owned()]));
    let tally = Arc::new(Tally::default());
    let clock: Arc<dyn Clock> = Arc::new(TestClock::default());
    let mut checks = Checks::new(limits, "udp".into(), intake.clone(), clock, allow.allowed(), Arc::clone(&tally));
    checks.start_batch();
    for sender in ["192.0.2.2:1", "192.0.2.1:2", "[::ffff:192.0.2.1]:3", "[2001:db8::1]:4", "[::ffff:127.0.0.1]:5"] {
        checks.take(Packet { bytes: b"x", from: sender.parse().ok(), cut: false });
    }
    assert_eq!((intake.counters().received(), intake.counters().rejected()), (3, vec![(RejectReason::Sender, 2)]));
    let rejection = intake.counters().recent().remove(1);
    assert_eq!(rejection.from, "192.0.2.2:1".parse().ok());
    assert_eq!(rejection.detail, "192.0.2.2 is neither loopback nor one of the hosts that are allowed");
}

#[tokio::test]
async fn hosts_are_resolved_before_anything_is_read() {
    let source = source(UdpSettings { allow: Some(vec!["localhost".into(), "192.0.2.1".into()]), ..settings() });
    let Opened { address, run, stop, mut queue, .. } = open(&source).await;
    let running = tokio::spawn(run);
    UdpSocket::bind("127.0.0.1:0").expect("a free port").send_to(b"x", address).expect("loopback");
    take(&mut queue, 1).await;
    stop.cancel();
    ends(async { running.await.expect("no panic") }).await;
}

/// Sends as fast as it goes, stops the source, and returns what came out and what was counted.
async fn burst(settings: UdpSettings, length: usize, count: usize) -> (Vec<Datagram>, Arc<IntakeCounters>) {
    let Opened { address, run, stop, intake, mut queue } = open(&source(settings)).await;
    let counters = Arc::clone(intake.counters());
    drop(intake);
    let running = tokio::spawn(run);
    // The smallest of consumers, so that the reader has to hold its own.
    let consumer = tokio::spawn(async move {
        let mut taken = Vec::new();
        while let Some(request) = queue.take(1).await.pop() {
            let IntakeRequest::Datagram(datagram) = request else { panic!("not a datagram") };
            taken.push(datagram);
        }
        taken
    });
    let sending = tokio::task::spawn_blocking(move || {
        let sender = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        let payload = vec![b'x'; length];
        for _ in 0..count {
            sender.send_to(&payload, address).expect("loopback");
        }
    });
    sending.await.expect("sent");
    stop.cancel();
    ends(async { running.await.expect("no panic") }).await;
    (timeout(PATIENCE, consumer).await.expect("the queue ends").expect("no panic"), counters)
}

/// What was turned away or lost, whatever the reason.
fn lost(counters: &IntakeCounters) -> u64 {
    counters.rejected().into_iter().map(|(_, count)| count).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_is_received_whole() {
    const COUNT: usize = 10_000;
    let (taken, counters) = burst(settings(), USUAL.len(), COUNT).await;
    let buffer = bind("127.0.0.1:0", UdpSettings::RECEIVE_BUFFER).await.expect("a free port").buffer;
    // Only Linux tells how much its buffer holds, and how many it dropped.
    if cfg!(target_os = "linux") {
        if buffer.datagrams() >= COUNT {
            assert_eq!((taken.len(), counters.rejected()), (COUNT, vec![]), "{buffer:?}");
        }
        assert_eq!(taken.len() as u64 + lost(&counters), COUNT as u64, "{:?}", counters.rejected());
    }
    assert!(!taken.is_empty() && taken.iter().all(|datagram| datagram.bytes == USUAL[..]));
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_kernel_drops_is_counted_also_when_nothing_follows() {
    const COUNT: u64 = 1000;
    let source = source(UdpSettings { receive_buffer: 4096, ..settings() });
    let Opened { address, run, stop, intake, mut queue } = open(&source).await;
    // Nobody reads yet, so that the buffer must overflow.
    let sender = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    for _ in 0..COUNT {
        sender.send_to(&USUAL, address).expect("loopback");
    }
    stop.cancel();
    ends(run).await;
    let dropped = rejected(&intake, RejectReason::KernelDrop);
    let received = intake.counters().received();
    assert!(received > 0 && dropped > 0 && received + dropped == COUNT, "{received} received, {dropped} dropped");
    assert_eq!(take(&mut queue, 1).await.len(), 1);
    let rejection = intake.counters().recent().remove(0);
    assert_eq!(rejection.from, None);
    assert_eq!(rejection.detail, "the receive buffer was full, it holds about 6 of them. Ask for more with `[udp] receive_buffer`");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_is_bounded_when_nobody_takes() {
    const COUNT: u64 = 1000;
    const LENGTH: usize = 60_000;
    let source = source(UdpSettings { max_message: LENGTH, ..settings() });
    let Opened { address, run, stop, intake, mut queue } = open(&source).await;
    let running = tokio::spawn(run);
    let sending = tokio::task::spawn_blocking(move || {
        let sender = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        for _ in 0..COUNT {
            sender.send_to(&[b'x'; LENGTH], address).expect("loopback");
        }
    });
    sending.await.expect("sent");
    stop.cancel();
    ends(async { running.await.expect("no panic") }).await;
    let queued = intake.counters().queued();
    assert!(queued > 0 && queued * LENGTH <= Intake::QUEUE_BYTES, "{queued} datagrams are held");
    if cfg!(target_os = "linux") {
        assert_eq!(queued as u64 + lost(intake.counters()), COUNT, "{:?}", intake.counters().rejected());
    }
    assert_eq!(take(&mut queue, queued).await.len(), queued);
}
