//! What the contract does not say and the module's documentation does: one commit for many, and faults of the disk.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::TempDir;

use super::tests::folder;
use super::{Call, Failpoint, Failpoints, SqliteSettings, SqliteStore};
use crate::event::{Body, Kind, NewEvent, Notice, SinkName, TaskOutcome};
use crate::store::{
    Appended, DeliveryQuery, DeliveryState, EventQuery, Journal, KvStore, NewDelivery, PrunePolicy, Routing, StateStore, StoreError,
};
use crate::testkit::TestClock;

const MINUTE: Duration = Duration::from_mins(1);

type Groups = Arc<Mutex<Vec<Vec<Call>>>>;

struct Bench {
    store: Arc<SqliteStore>,
    groups: Groups,
    folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        Self::open(folder())
    }

    fn open(folder: TempDir) -> Self {
        let groups = Groups::default();
        let seen = Arc::clone(&groups);
        let failpoints = Failpoints::new(move |point, calls| {
            if point == Failpoint::AfterCommit {
                seen.lock().unwrap().push(calls.to_vec());
            }
        });
        let settings = SqliteSettings { path: folder.path().join("butler.db") };
        let store = SqliteStore::open_with(settings, Arc::new(TestClock::default()), failpoints).unwrap();
        Self { store: Arc::new(store), groups, folder }
    }

    fn outside(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.folder.path().join("butler.db")).unwrap()
    }

    /// Changes a setting of the connection that writes.
    async fn set(&self, pragma: String) {
        let set = move |write: &mut super::writer::Write<'_>| {
            write.connection.query_row(&pragma, [], |_| Ok(())).map_err(|error| super::writer::failed(&error))
        };
        self.store.writer.call(Call::Other, set).await.unwrap();
    }

    /// Lets no page be added from now on, as a full disk does; `false` lets it again.
    async fn fill_the_disk(&self, full: bool) {
        let pages: i64 = self.outside().query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
        self.set(format!("PRAGMA max_page_count = {}", if full { pages } else { 1 << 30 })).await;
    }

    /// Keeps the writing thread busy until everything of `calls` waits for it, so that they share a commit.
    async fn together<T: Send + 'static>(&self, calls: Vec<impl Future<Output = T> + Send + 'static>) -> Vec<T> {
        let (release, wait) = std::sync::mpsc::channel::<()>();
        let (started, has_started) = tokio::sync::oneshot::channel();
        let store = Arc::clone(&self.store);
        let busy = tokio::spawn(async move {
            let wait = move |_: &mut super::writer::Write<'_>| Ok(started.send(()).is_ok() && wait.recv().is_ok());
            store.writer.call(Call::Other, wait).await
        });
        has_started.await.unwrap();
        // Each is in the queue once it has been polled.
        let mut calls: Vec<_> = calls.into_iter().map(Box::pin).collect();
        for call in &mut calls {
            assert!(futures_util::poll!(call.as_mut()).is_pending());
        }
        release.send(()).unwrap();
        assert!(busy.await.unwrap().unwrap());
        futures_util::future::join_all(calls).await
    }
}

fn event(text: impl Into<String>) -> NewEvent {
    NewEvent {
        site: "prod".into(),
        kind: Kind::task(TaskOutcome::Failed),
        at: jiff::Timestamp::UNIX_EPOCH,
        source: "test".into(),
        keys: Vec::new(),
        body: Body::Notice(Notice { text: text.into(), ..Notice::default() }),
    }
}

fn append(bench: &Bench, text: &str) -> impl Future<Output = Result<Vec<Appended>, StoreError>> + Send + use<> {
    let (store, event) = (Arc::clone(&bench.store), event(text));
    async move { store.append(vec![event]).await }
}

async fn count(bench: &Bench) -> u64 {
    bench.store.stats().await.unwrap().events
}

/// Delivers to `sink`, for `text`, without a lane.
async fn deliver(bench: &Bench, text: &str) {
    append(bench, text).await.unwrap();
    for claim in bench.store.claim(MINUTE, 10).await.unwrap() {
        let delivery = NewDelivery {
            sink: "sink".into(),
            target: "target".into(),
            lane: Some("lane".into()),
            limit: None,
            route: String::new(),
            class: crate::event::Class::Alert,
            expires: jiff::Timestamp::MAX,
            silenced: None,
        };
        bench.store.route(claim.token, Routing { deliveries: vec![delivery], ..Routing::default() }).await.unwrap();
    }
}

#[tokio::test]
async fn many_calls_share_a_commit_and_appends_go_first() {
    let bench = Bench::new();
    let store = Arc::clone(&bench.store);
    let state = async move { store.set_state("a", "1", 0).await.map(|_| Vec::new()) };
    let calls = (0..50).map(|number| append(&bench, &number.to_string()));
    let mut calls: Vec<std::pin::Pin<Box<dyn Future<Output = _> + Send>>> = calls.map(|call| Box::pin(call) as _).collect();
    calls.insert(0, Box::pin(state));
    assert!(bench.together(calls).await.iter().all(Result::is_ok));
    let groups = bench.groups.lock().unwrap().clone();
    assert_eq!(groups.len(), 2, "{groups:?}");
    assert_eq!((groups[1].len(), groups[1][0], groups[1][50]), (51, Call::Append, Call::Other));
    assert_eq!(count(&bench).await, 50);
}

/// SQLite takes the whole transaction back then, and every call of it has to learn of that: nothing is stored that was answered as failed.
#[tokio::test]
async fn a_full_disk_fails_all_of_a_commit_and_passes() {
    let bench = Bench::new();
    append(&bench, "before").await.unwrap();
    bench.fill_the_disk(true).await;
    let large = "x".repeat(1 << 20);
    let calls = vec![append(&bench, "small"), append(&bench, &large), append(&bench, "after it")];
    for result in bench.together(calls).await {
        let error = result.unwrap_err();
        assert!(matches!(error, StoreError::Full(_)) && error.to_string().contains("Make some"), "{error}");
    }
    assert_eq!(count(&bench).await, 1);
    // Reading goes on meanwhile, and small things may still fit.
    assert_eq!(bench.store.events(EventQuery::default()).await.unwrap().len(), 1);
    bench.fill_the_disk(false).await;
    append(&bench, &large).await.unwrap();
    assert_eq!(count(&bench).await, 2);
}

#[tokio::test]
async fn another_program_that_locks_the_file_is_an_error_that_passes() {
    let bench = Bench::new();
    bench.set("PRAGMA busy_timeout = 1".into()).await;
    let other = bench.outside();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = append(&bench, "while it is locked").await.unwrap_err();
    assert!(matches!(&error, StoreError::Failed(why) if why.contains("locked")), "{error}");
    other.execute_batch("ROLLBACK").unwrap();
    append(&bench, "afterwards").await.unwrap();
    assert_eq!(count(&bench).await, 1);
}

/// A fault in one call is that call's alone.
#[tokio::test]
async fn a_call_that_fails_or_panics_takes_no_other_with_it() {
    let bench = Bench::new();
    let faulty = |panics: bool| {
        let store = Arc::clone(&bench.store);
        let job = move |write: &mut super::writer::Write<'_>| -> Result<Vec<Appended>, StoreError> {
            write.connection.execute("INSERT INTO counters VALUES ('half', 1)", []).map_err(|error| super::writer::failed(&error))?;
            assert!(!panics, "a fault of ours");
            Err(StoreError::Failed("on purpose".into()))
        };
        Box::pin(async move { store.writer.call(Call::Other, job).await })
    };
    let mut calls: Vec<std::pin::Pin<Box<dyn Future<Output = _> + Send>>> = vec![faulty(false), faulty(true)];
    calls.push(Box::pin(append(&bench, "fine")));
    let results = bench.together(calls).await;
    assert!(matches!(&results[0], Err(StoreError::Failed(why)) if why == "on purpose"));
    assert!(matches!(&results[1], Err(StoreError::Failed(why)) if why.contains("report")));
    assert!(results[2].is_ok());
    let half: i64 = bench.outside().query_row("SELECT count(*) FROM counters WHERE name = 'half'", [], |row| row.get(0)).unwrap();
    assert_eq!((half, count(&bench).await), (0, 1));
}

/// What was put into the queue is written, though nobody waits for it any more.
#[tokio::test]
async fn closing_writes_what_waits() {
    let bench = Bench::new();
    let calls: Vec<_> = (0..20).map(|number| Box::pin(append(&bench, &number.to_string()))).collect();
    for mut call in calls {
        let _ = futures_util::poll!(call.as_mut());
    }
    let Bench { store, folder, .. } = bench;
    drop(store);
    assert_eq!(count(&Bench::open(folder)).await, 20);
}

/// The file as it is at a point of a call, opened by another process after the end of the first.
#[tokio::test]
async fn a_slice_that_is_pruned_is_there_until_its_commit() {
    let (folder, at_points) = (folder(), Arc::new([folder(), folder()]));
    let copy_to = Arc::clone(&at_points);
    let from = folder.path().to_owned();
    let failpoints = Failpoints::new(move |point, calls| {
        if calls.contains(&Call::Prune) {
            let to = &copy_to[usize::from(point == Failpoint::AfterCommit)];
            for name in ["butler.db", "butler.db-wal"] {
                std::fs::copy(from.join(name), to.path().join(name)).unwrap();
            }
        }
    });
    let open = |folder: &TempDir, failpoints| {
        let settings = SqliteSettings { path: folder.path().join("butler.db") };
        SqliteStore::open_with(settings, Arc::new(TestClock::default()), failpoints).unwrap()
    };
    let store = open(&folder, failpoints);
    let id = store.append(vec![event("old")]).await.unwrap()[0].id();
    let claim = store.claim(MINUTE, 1).await.unwrap().remove(0);
    store.route(claim.token, Routing::default()).await.unwrap();
    let policy = PrunePolicy { retention: Duration::ZERO, dead_retention: Duration::ZERO, max_bytes: None, slice: 10 };
    assert_eq!(store.prune(policy.clone()).await.unwrap().events, 1);

    let before = open(&at_points[0], Failpoints::default());
    assert!(before.story(id).await.unwrap().is_some());
    assert_eq!(before.prune(policy).await.unwrap().events, 1);
    assert!(open(&at_points[1], Failpoints::default()).story(id).await.unwrap().is_none());
}

/// A row that can't be read back stops neither its sink nor the lists, and stands among the dead letters.
#[tokio::test]
async fn a_damaged_event_stops_no_other() {
    let bench = Bench::new();
    let sink = SinkName::from("sink");
    for text in ["damaged", "fine"] {
        deliver(&bench, text).await;
    }
    append(&bench, "damaged").await.unwrap();
    append(&bench, "fine").await.unwrap();
    assert_eq!(bench.outside().execute("UPDATE events SET body = '{' WHERE body LIKE '%damaged%'", []).unwrap(), 2);

    assert_eq!(bench.store.claim(MINUTE, 10).await.unwrap().len(), 1);
    assert!(bench.store.lease(&sink, MINUTE, 1).await.unwrap().leases.is_empty());
    assert_eq!(bench.store.lease(&sink, MINUTE, 1).await.unwrap().leases.len(), 1);
    let query = DeliveryQuery { state: Some(DeliveryState::Dead), ..DeliveryQuery::default() };
    let dead = bench.store.deliveries(query).await.unwrap();
    assert_eq!(dead.len(), 1);
    assert!(dead[0].detail.contains("can't be read back"), "{dead:?}");
    assert_eq!(bench.store.attempts(dead[0].id).await.unwrap()[0].outcome, "unreadable");
    assert_eq!(bench.store.events(EventQuery::default()).await.unwrap().len(), 2);
    assert!(matches!(bench.store.story(dead[0].event).await, Err(StoreError::Corrupt { .. })));
}

/// Readers see what was answered for, and a picture of one moment.
#[tokio::test(flavor = "multi_thread")]
async fn readers_see_one_moment() {
    let bench = Bench::new();
    let store = Arc::clone(&bench.store);
    let writing = tokio::spawn(async move {
        for number in 0..300 {
            store.append(vec![event("a"), event("b")]).await.unwrap();
            store.put("ns", "key", &number.to_string(), None, crate::store::If::Any, None).await.unwrap();
            assert_eq!(store.get("ns", "key").await.unwrap().pair().map(|pair| pair.value), Some(number.to_string()));
            let claims = store.claim(MINUTE, 2).await.unwrap();
            for claim in claims {
                store.route(claim.token, Routing::default()).await.unwrap();
            }
        }
    });
    while !writing.is_finished() {
        let stats = bench.store.stats().await.unwrap();
        assert!(stats.unrouted <= 2 && stats.events.is_multiple_of(2), "{stats:?}");
    }
    writing.await.unwrap();
}
