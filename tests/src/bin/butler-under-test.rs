//! The program as it is, with a store that a test can break.
//!
//! `BUTLER_TEST_DIE=after-commit:settle:3` ends the process, as a power loss would, at the third commit that carries a settlement, counted from the first
//! event on; `BUTLER_TEST_LOSE=events:7` makes the store lose every seventh event that it accepts, `deliveries:7` those of every seventh event, and
//! `failures:7` every seventh failure of an attempt. Both need `BUTLER_TEST_STORE`, the database file.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use butler_cli::Program;
use butler_core::clock::SystemClock;
use butler_core::store::Store;
use butler_core::store::sqlite::{Call, Failpoint, Failpoints, SqliteSettings, SqliteStore};
use butler_core::testkit::{FaultyStore, StoreFault};

fn main() -> ExitCode {
    let store = std::env::var("BUTLER_TEST_STORE").ok().map(|path| open(&path));
    Program { store }.run(std::env::args_os())
}

fn open(path: &str) -> Arc<dyn Store> {
    let failpoints = std::env::var("BUTLER_TEST_DIE").map_or_else(|_| Failpoints::default(), |text| die_at(&text));
    let settings = SqliteSettings { path: path.into() };
    let store = Arc::new(SqliteStore::open_with(settings, Arc::new(SystemClock::default()), failpoints).expect("the store opens"));
    match std::env::var("BUTLER_TEST_LOSE") {
        Ok(text) => Arc::new(FaultyStore::new(store, fault(&text))),
        Err(_) => store,
    }
}

/// The promise that the store breaks.
fn fault(text: &str) -> StoreFault {
    let (what, every) = text.split_once(':').expect("what is lost, and how often");
    let every = every.parse().expect("a number");
    match what {
        "events" => StoreFault::LosesEvents(every),
        "deliveries" => StoreFault::LosesDeliveries(every),
        "failures" => StoreFault::ForgetsFailures(every),
        other => panic!("nothing loses {other:?}"),
    }
}

fn die_at(text: &str) -> Failpoints {
    let mut parts = text.split(':');
    let point = match parts.next() {
        Some("before-commit") => Failpoint::BeforeCommit,
        Some("after-commit") => Failpoint::AfterCommit,
        other => panic!("no failpoint {other:?}"),
    };
    let call = match parts.next() {
        Some("append") => Call::Append,
        Some("claim") => Call::Claim,
        Some("route") => Call::Route,
        Some("lease") => Call::Lease,
        Some("settle") => Call::Settle,
        Some("prune") => Call::Prune,
        other => panic!("no call {other:?}"),
    };
    let left = AtomicU64::new(parts.next().and_then(|n| n.parse().ok()).expect("a number"));
    let began = AtomicBool::new(false);
    Failpoints::new(move |reached, calls| {
        // What the stages ask for before there is anything to do, be it before or after the program says that it is ready, is not counted.
        if calls.contains(&Call::Append) {
            began.store(true, Ordering::Relaxed);
        }
        let counts = began.load(Ordering::Relaxed) && reached == point && calls.contains(&call);
        if counts && left.fetch_sub(1, Ordering::Relaxed) == 1 {
            std::process::abort();
        }
    })
}
