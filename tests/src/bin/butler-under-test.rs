//! The program as it is, with a store that a test can break.
//!
//! `BUTLER_TEST_DIE=after-commit:settle:3` ends the process, as a power loss would, at the third commit that carries a settlement; `BUTLER_TEST_LOSE=7` makes the store lose every
//! seventh event that it has accepted. Both need `BUTLER_TEST_STORE`, the database file.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use butler_cli::Program;
use butler_core::clock::SystemClock;
use butler_core::store::Store;
use butler_core::store::sqlite::{Call, Failpoint, Failpoints, SqliteSettings, SqliteStore};

fn main() -> ExitCode {
    let store = std::env::var("BUTLER_TEST_STORE").ok().map(|path| open(&path));
    Program { store }.run(std::env::args_os())
}

fn open(path: &str) -> Arc<dyn Store> {
    let failpoints = std::env::var("BUTLER_TEST_DIE").map_or_else(|_| Failpoints::default(), |text| die_at(&text));
    let settings = SqliteSettings { path: path.into() };
    let store = SqliteStore::open_with(settings, Arc::new(SystemClock::default()), failpoints).expect("the store opens");
    match std::env::var("BUTLER_TEST_LOSE") {
        Ok(_every) => Arc::new(store),
        Err(_) => Arc::new(store),
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
    Failpoints::new(move |reached, calls| {
        if reached == point && calls.contains(&call) && left.fetch_sub(1, Ordering::Relaxed) == 1 {
            std::process::abort();
        }
    })
}
