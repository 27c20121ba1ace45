//! The file before it is Butler's, and while it becomes a newer one.

use std::sync::Arc;

use tempfile::TempDir;

use super::*;
use crate::store::sqlite::tests::folder;
use crate::store::sqlite::{SqliteSettings, SqliteStore};
use crate::store::{If, Journal, KvStore, PutOutcome};
use crate::testkit::TestClock;

const TWO: [&str; 2] = [STEPS[0], "ALTER TABLE events ADD COLUMN mood TEXT NOT NULL DEFAULT 'fine';"];

fn open(path: &Path) -> Result<SqliteStore, StoreError> {
    SqliteStore::open(SqliteSettings { path: path.to_owned() }, Arc::new(TestClock::default()))
}

/// What opening says, with the path left out.
fn refusal(path: &Path) -> String {
    let error = open(path).expect_err("a refusal");
    error.to_string().replace(&path.display().to_string(), "FILE").replace(&std::process::id().to_string(), "PID")
}

fn number(path: &Path, sql: &str) -> i64 {
    Connection::open(path).and_then(|connection| connection.query_row(sql, [], |row| row.get(0))).unwrap()
}

fn files(folder: &TempDir) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn refusals_name_the_file_the_reason_and_the_remedy() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    let mut refusals = String::new();
    let mut refused = |what: &str, path: &Path| refusals += &format!("{what}: {}\n", refusal(path));

    let held = open(&path("held.db")).unwrap();
    refused("a second process", &path("held.db"));
    drop(held);
    drop(open(&path("held.db")).unwrap());

    let newer = path("newer.db");
    Connection::open(&newer).unwrap().execute_batch("CREATE TABLE t (x); PRAGMA user_version = 99").unwrap();
    refused("a newer file", &newer);
    // It is as it was: nobody made a table, or another kind of file, of it.
    assert_eq!((number(&newer, "PRAGMA user_version"), number(&newer, "SELECT count(*) FROM sqlite_schema")), (99, 1));

    let other = path("other.db");
    Connection::open(&other).unwrap().execute_batch("CREATE TABLE customers (name)").unwrap();
    refused("another program's database", &other);
    assert_eq!(number(&other, "SELECT count(*) FROM sqlite_schema"), 1);

    std::fs::write(path("text.db"), "Dear diary, today I learnt that a file has to have more bytes than this to look like a database.")
        .unwrap();
    refused("no database", &path("text.db"));
    assert!(std::fs::read_to_string(path("text.db")).unwrap().starts_with("Dear diary"));

    std::fs::create_dir(path("folder.db")).unwrap();
    refused("a folder", &path("folder.db"));
    refused("no such folder", &path("nowhere").join("butler.db"));
    assert_eq!(refusals.lines().count(), 6, "{refusals}");
    // Systems have words of their own for some of it.
    #[cfg(unix)]
    insta::assert_snapshot!(refusals);
}

/// The superuser may write everywhere, so this proves something only for others.
#[cfg(unix)]
#[test]
fn what_may_not_be_written_is_refused_with_the_remedy() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder();
    let path = folder.path().join("butler.db");
    drop(open(&path).unwrap());
    let set_mode = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    set_mode(&path, 0o400);
    let is_superuser = File::options().write(true).open(&path).is_ok();
    assert!(is_superuser || refusal(&path).contains("Give this user the right to write it"), "{}", refusal(&path));
    set_mode(&path, 0o600);
    set_mode(folder.path(), 0o500);
    let elsewhere = folder.path().join("other.db");
    assert!(is_superuser || refusal(&elsewhere).contains("Make sure that its folder exists and that this user may write there"));
    set_mode(folder.path(), 0o700);
}

#[test]
fn an_older_file_is_copied_and_then_brought_up_to_date() {
    let folder = folder();
    let path = folder.path().join("butler.db");
    let connection = open_with_steps(&path, &TWO[..1]).unwrap();
    assert_eq!(files(&folder), ["butler.db", "butler.db-shm", "butler.db-wal"], "a new file needs no copy");
    connection.execute_batch("INSERT INTO counters VALUES ('events of old', 7)").unwrap();
    drop(connection);
    // An earlier try ended in the middle of its copy.
    std::fs::write(folder.path().join("butler.db.format-1.part"), "half a cop").unwrap();

    drop(open_with_steps(&path, &TWO).unwrap());
    let kept = "SELECT value FROM counters WHERE name = 'events of old'";
    assert_eq!((number(&path, "PRAGMA user_version"), number(&path, kept)), (2, 7));
    let copy = folder.path().join("butler.db.format-1");
    assert_eq!((number(&copy, "PRAGMA user_version"), number(&copy, kept)), (1, 7));
    assert!(!files(&folder).iter().any(|name| name.ends_with(".part")));

    // Once is enough; and the older program does not touch what it does not know.
    std::fs::remove_file(&copy).unwrap();
    drop(open_with_steps(&path, &TWO).unwrap());
    assert!(!copy.exists());
    assert!(matches!(open_with_steps(&path, &TWO[..1]), Err(StoreError::Newer { found: 2, known: 1, .. })));
}

/// Pairs of format 1 are the same pairs in format 2, and their namespaces have begun with the first of them.
#[tokio::test]
async fn pairs_of_format_1_are_brought_along() {
    let folder = folder();
    let path = folder.path().join("butler.db");
    let connection = open_with_steps(&path, &STEPS[..1]).unwrap();
    let rows = "INSERT INTO kv VALUES ('b', 'x', '1', 1, NULL, 1), ('a', 'x', '2', 5, NULL, 2), ('b', 'a', '3', 3, 1, 3), ('b', 'b', '4', 4, NULL, 4)";
    connection.execute_batch(&format!("{rows}; INSERT INTO counters VALUES ('kv', 7)")).unwrap();
    drop(connection);

    let store = open(&path).unwrap();
    assert_eq!(store.namespaces().await.unwrap(), ["b", "a"]);
    let pairs = store.list("b", "", 0, 10, usize::MAX).await.unwrap().unwrap();
    let shown: Vec<_> = pairs.iter().map(|pair| (pair.key.as_str(), pair.value.as_str(), pair.version, pair.place)).collect();
    assert_eq!(shown, [("x", "1", 1, 1), ("b", "4", 4, 4)]);
    assert_eq!(store.get("a", "x").await.unwrap().pair().unwrap().version, 5);
    // Three with the one that has expired, which makes room.
    assert_eq!(store.put("b", "c", "", None, If::Any, Some(2)).await.unwrap(), PutOutcome::NamespaceFull);
    assert_eq!(store.put("b", "c", "", None, If::Any, Some(3)).await.unwrap(), PutOutcome::Stored(8));
}

#[test]
fn a_step_that_fails_leaves_the_format_as_it_was() {
    let folder = folder();
    let path = folder.path().join("butler.db");
    drop(open_with_steps(&path, &TWO).unwrap());
    let three = [TWO[0], TWO[1], "CREATE TABLE half (x); CREATE TABLE half (x);"];
    let error = open_with_steps(&path, &three).map(drop).unwrap_err().to_string();
    assert!(error.contains("can't be brought up to date") && error.contains("table half already exists"), "{error}");
    assert_eq!(number(&path, "PRAGMA user_version"), 2);
    assert_eq!(number(&path, "SELECT count(*) FROM sqlite_schema WHERE name = 'half'"), 0);
    drop(open_with_steps(&path, &TWO).unwrap());
}

/// A file that was damaged on its disk. How much of it can still be read nobody knows; that it is damaged is said in any case.
#[tokio::test]
async fn a_damaged_file_is_told_as_such() {
    let folder = folder();
    let path = folder.path().join("butler.db");
    drop(open(&path).unwrap());
    let whole = std::fs::read(&path).unwrap();
    let mut damaged = whole.clone();
    damaged[4096..].fill(0x55);
    std::fs::write(&path, &damaged).unwrap();
    match open(&path) {
        Err(error) => assert!(error.to_string().contains("Restore it from a backup"), "{error}"),
        Ok(store) => {
            let error = store.stats().await.unwrap_err();
            assert!(matches!(error, StoreError::Corrupt { .. }) && error.to_string().contains("Restore it from a backup"), "{error}");
        }
    }
    std::fs::write(&path, &whole[..50]).unwrap();
    assert!(refusal(&path).contains("can't be opened"), "{}", refusal(&path));
    std::fs::write(&path, &whole).unwrap();
    assert_eq!(open(&path).unwrap().stats().await.unwrap().events, 0);
}
