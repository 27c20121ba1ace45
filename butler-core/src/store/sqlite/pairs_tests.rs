//! Many pairs cost little, and what is read is what was committed last.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::*;
use crate::store::sqlite::tests::folder;
use crate::store::sqlite::{SqliteSettings, SqliteStore};
use crate::store::{KvStore, StoreError};
use crate::testkit::TestClock;

fn open(folder: &tempfile::TempDir) -> Arc<SqliteStore> {
    let settings = SqliteSettings { path: folder.path().join("butler.db") };
    Arc::new(SqliteStore::open(settings, Arc::new(TestClock::default())).unwrap())
}

fn outside(folder: &tempfile::TempDir) -> Connection {
    Connection::open(folder.path().join("butler.db")).unwrap()
}

/// None of them looks at more than it gives, or sorts what it need not.
#[test]
fn every_question_has_its_index() {
    let folder = folder();
    drop(open(&folder));
    let connection = outside(&folder);
    let plan = |sql: &str| {
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let count = statement.parameter_count();
        let values = rusqlite::params_from_iter(vec![rusqlite::types::Null; count]);
        let rows = statement.query_map(values, |row| row.get::<_, String>(3)).unwrap();
        rows.collect::<rusqlite::Result<Vec<_>>>().unwrap().join("; ")
    };
    insta::assert_snapshot!([BY_PLACE, BY_KEY, EXPIRED, STANDING, LOOKUP, COUNT_EXPIRED].map(plan).join("\n"), @r"
    SEARCH pairs USING INDEX pairs_place (ns=? AND rowid>?)
    SEARCH pairs USING INDEX pairs_key (ns=? AND key>? AND key<?); USE TEMP B-TREE FOR ORDER BY
    SEARCH pairs USING INTEGER PRIMARY KEY (rowid=?); LIST SUBQUERY 1; SCAN n USING COVERING INDEX sqlite_autoindex_namespaces_1; SEARCH p USING COVERING INDEX pairs_expires (ns=? AND expires<?)
    SEARCH n USING INDEX sqlite_autoindex_namespaces_1 (name=?); SEARCH p USING INDEX pairs_key (ns=? AND key=?) LEFT-JOIN
    SEARCH pairs USING INDEX pairs_key (ns=? AND key=?)
    SEARCH pairs USING COVERING INDEX pairs_expires (ns=? AND expires<?)
    ");
}

#[tokio::test]
async fn a_dropped_namespace_is_gone_at_once_and_its_pairs_bit_by_bit() {
    let folder = folder();
    let store = open(&folder);
    for number in 0..50 {
        store.put("ns", &format!("key {number}"), "value", None, If::Any, None).await.unwrap();
    }
    assert!(store.drop_namespace("ns").await.unwrap());
    let pairs = || outside(&folder).query_row("SELECT count(*) FROM pairs", [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!((store.get("ns", "key 7").await.unwrap(), pairs()), (Lookup::NoNamespace, 50));
    store.put("ns", "key 7", "new", None, If::Absent, Some(1)).await.unwrap();
    let slice = |size| store.writer.call(super::super::Call::Other, move |write| prune(write, Timestamp::UNIX_EPOCH, size));
    assert_eq!((slice(30).await.unwrap(), pairs()), (30, 21));
    assert_eq!((slice(30).await.unwrap(), pairs()), (20, 1));
    assert_eq!((slice(30).await.unwrap(), slice(30).await.unwrap()), (1, 0));
    assert_eq!(store.get("ns", "key 7").await.unwrap().pair().unwrap().value, "new");
}

#[tokio::test]
async fn pairs_keep_to_their_room_and_it_is_counted_right() {
    let (folder, clock) = (folder(), TestClock::default());
    let settings = SqliteSettings { path: folder.path().join("butler.db") };
    let store = SqliteStore::open(settings, Arc::new(clock.clone())).unwrap().with_pair_room(Some(1000));
    crate::testkit::store_suite::pairs_keep_to_their_room(&store, &clock).await;
    while store.writer.call(super::super::Call::Other, |write| prune(write, Timestamp::MAX, 1)).await.unwrap() > 0 {}
    assert_eq!(room_taken(&outside(&folder)).unwrap(), room(4, 790));
}

/// The count of a namespace is kept beside its pairs, so it has to stay right.
#[tokio::test]
async fn keys_are_counted_right_whatever_happens() {
    let folder = folder();
    let clock = TestClock::default();
    let settings = SqliteSettings { path: folder.path().join("butler.db") };
    let store = SqliteStore::open(settings, Arc::new(clock.clone())).unwrap();
    let later = |seconds| Some(crate::clock::Clock::now(&clock) + jiff::SignedDuration::from_secs(seconds));
    for number in 0..20_i64 {
        store.put("ns", &(number % 7).to_string(), "v", later(number % 3), If::Any, Some(5)).await.unwrap();
        store.delete("ns", &(number % 5).to_string(), If::Any).await.unwrap();
        store.increment("ns", "n", 1, Some(6)).await.unwrap();
        if number % 4 == 0 {
            clock.advance(Duration::from_secs(1));
        }
        if number % 8 == 0 {
            let now = crate::clock::Clock::now(&clock);
            store.writer.call(super::super::Call::Other, move |write| prune(write, now, 2)).await.unwrap();
        }
        let sql = "SELECT n.keys, (SELECT count(*) FROM pairs WHERE ns = n.id) FROM namespaces n";
        let counts: (i64, i64) = outside(&folder).query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        assert_eq!(counts.0, counts.1, "{number}");
    }
}

/// Writers that know what they were told, and readers that look all the while: nobody sees less than what somebody was told of before.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_reads_what_is_older_than_what_was_acknowledged() {
    const ROUNDS: u64 = 400;
    let folder = folder();
    let store = open(&folder);
    // So small that pairs come and go.
    store.cache.resize(4096);
    let acknowledged: Arc<[AtomicU64; 8]> = Arc::new(std::array::from_fn(|_| AtomicU64::new(0)));
    let done = Arc::new(AtomicBool::new(false));
    let writers = (0..8).map(|key: usize| {
        let (store, acknowledged) = (Arc::clone(&store), Arc::clone(&acknowledged));
        tokio::spawn(async move {
            for round in 1..=ROUNDS {
                let name = key.to_string();
                // Every few rounds it is gone in between: then it must not come back as it was.
                if round % 5 == 0 {
                    assert_eq!(store.delete("ns", &name, If::Any).await.unwrap(), DeleteOutcome::Deleted);
                    assert_eq!(store.get("ns", &name).await.unwrap(), Lookup::NoKey);
                }
                store.put("ns", &name, &round.to_string(), None, If::Any, None).await.unwrap();
                acknowledged[key].store(round, Ordering::SeqCst);
                let read = store.get("ns", &name).await.unwrap().pair().unwrap().value;
                assert_eq!(read, round.to_string());
            }
        })
    });
    let writers: Vec<_> = writers.collect();
    let readers = (0..4).map(|reader: usize| {
        let (store, acknowledged, done) = (Arc::clone(&store), Arc::clone(&acknowledged), Arc::clone(&done));
        tokio::spawn(async move {
            let mut seen = [0; 8];
            let mut key = reader;
            while !done.load(Ordering::SeqCst) {
                key = (key + 1) % 8;
                let least = acknowledged[key].load(Ordering::SeqCst).max(seen[key]);
                if let Lookup::Pair(pair) = store.get("ns", &key.to_string()).await.unwrap() {
                    let value = pair.value.parse().unwrap();
                    assert!(value >= least, "{value} after {least}");
                    seen[key] = value;
                }
                tokio::task::yield_now().await;
            }
        })
    });
    let readers: Vec<_> = readers.collect();
    for writer in writers {
        writer.await.unwrap();
    }
    done.store(true, Ordering::SeqCst);
    for reader in readers {
        reader.await.unwrap();
    }
}

/// When the disk is full SQLite takes the whole commit back; memory keeps what was before.
#[tokio::test]
async fn what_could_not_be_committed_is_not_read() {
    let folder = folder();
    let store = open(&folder);
    store.put("ns", "a", "old", None, If::Any, None).await.unwrap();
    let fill = |full: bool| {
        let pages: i64 = outside(&folder).query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
        let pragma = format!("PRAGMA max_page_count = {}", if full { pages } else { 1 << 30 });
        store
            .writer
            .call(super::super::Call::Other, move |write| write.connection.query_row(&pragma, [], |_| Ok(())).map_err(|e| failed(&e)))
    };
    fill(true).await.unwrap();
    // Both in one commit: the small one alone would fit.
    let large = "x".repeat(1 << 20);
    let (small, too_large) =
        tokio::join!(store.put("ns", "a", "new", None, If::Any, None), store.put("ns", "b", &large, None, If::Any, None));
    assert!(matches!(too_large, Err(StoreError::Full(_))), "{too_large:?}");
    let expected = if small.is_ok() { "new" } else { "old" };
    assert_eq!(store.get("ns", "a").await.unwrap().pair().unwrap().value, expected);
    assert_eq!(store.get("ns", "b").await.unwrap(), Lookup::NoKey);
    fill(false).await.unwrap();
    store.put("ns", "b", &large, None, If::Any, None).await.unwrap();
    assert_eq!(store.get("ns", "b").await.unwrap().pair().unwrap().value, large);
}

/// A cached pair is read without the file: here the file has something else, which nobody told the writer of.
#[tokio::test]
async fn a_pair_that_was_put_or_read_is_in_memory() {
    let folder = folder();
    let store = open(&folder);
    store.put("ns", "a", "put", None, If::Any, None).await.unwrap();
    let set = |value: &str| outside(&folder).execute("UPDATE pairs SET value = ?1", [value]).unwrap();
    set("behind its back");
    assert_eq!(store.get("ns", "a").await.unwrap().pair().unwrap().value, "put");
    drop(store);
    let store = open(&folder);
    assert_eq!(store.get("ns", "a").await.unwrap().pair().unwrap().value, "behind its back");
    set("again");
    assert_eq!(store.get("ns", "a").await.unwrap().pair().unwrap().value, "behind its back");
}
