//! The program as it is, with a store that a test can break.
//!
//! `BUTLER_TEST_DIE=after-commit:settle:3` ends the process, as a power loss would, at the third commit that carries a settlement, counted from the first
//! event on; `BUTLER_TEST_LOSE=7` has the store forget a delivery after every seventh commit that decides where events go. Both need `BUTLER_TEST_STORE`,
//! the database file.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use butler_cli::Program;
use butler_core::clock::SystemClock;
use butler_core::store::Store;
use butler_core::store::sqlite::{Call, Failpoint, Failpoints, SqliteSettings, SqliteStore};

fn main() -> ExitCode {
    let store = std::env::var("BUTLER_TEST_STORE").ok().map(|path| open(&path));
    Program { store }.run(std::env::args_os())
}

fn open(path: &str) -> Arc<dyn Store> {
    let failpoints = match (std::env::var("BUTLER_TEST_DIE"), std::env::var("BUTLER_TEST_LOSE")) {
        (Ok(text), _) => die_at(&text),
        (Err(_), Ok(every)) => lose(path.to_owned(), every.parse().expect("a number")),
        (Err(_), Err(_)) => Failpoints::default(),
    };
    let settings = SqliteSettings { path: path.into() };
    Arc::new(SqliteStore::open_with(settings, Arc::new(SystemClock::default()), failpoints).expect("the store opens"))
}

fn lose(path: String, every: u64) -> Failpoints {
    let decided = AtomicU64::new(0);
    Failpoints::new(move |reached, calls| {
        let is_decision = reached == Failpoint::AfterCommit && calls.contains(&Call::Route);
        if is_decision && decided.fetch_add(1, Ordering::Relaxed) % every == every - 1 {
            let store = rusqlite::Connection::open(&path).expect("the store opens once more");
            let latest = "DELETE FROM deliveries WHERE seq = (SELECT max(seq) FROM deliveries WHERE state = 0)";
            store.execute(latest, []).expect("a delivery is forgotten");
        }
    })
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
