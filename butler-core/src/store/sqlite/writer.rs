//! The thread that writes, and those that read.
//!
//! Every call is a job. The writer takes all jobs that wait, runs each in a savepoint of its own inside one transaction, commits once, and only then answers: a
//! crowd of callers shares one `fsync`, and a job that fails takes no other with it.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode};
use tokio::sync::oneshot;

use super::cache::{Change, PairCache};
use super::failpoint::{Failpoint, Failpoints};
use super::versions::Versions;
use crate::store::StoreError;
use crate::store::ids::EventIds;
use crate::store::watchers::Wakes;

/// How many jobs share a commit at the most.
const GROUP: usize = 512;

/// How long is waited at the most for others to share a commit; nobody who is alone waits.
const GATHERING: Duration = Duration::from_micros(200);

type Answer = Box<dyn FnOnce(Result<(), StoreError>) + Send>;
/// Runs, or learns that it can't; the answer is sent after the commit.
type Job = Box<dyn FnOnce(Option<&mut Write<'_>>) -> Answer + Send>;
type ReadJob = Box<dyn FnOnce(&Connection) + Send>;

/// What a writing job works with.
pub(super) struct Write<'a> {
    pub(super) connection: &'a Connection,
    pub(super) ids: &'a mut EventIds,
    pub(super) versions: &'a mut Versions,
    /// What of the pairs changes with the commit.
    pub(super) changes: Vec<Change>,
    /// Who is to be woken after the commit.
    pub(super) wakes: Wakes,
    /// Why the transaction of the group is no more, if it isn't.
    ended: Option<StoreError>,
}

/// What is counted from commit to commit.
pub(super) struct Counters {
    pub(super) ids: EventIds,
    pub(super) versions: Versions,
}

/// What kind of call a job is; failpoints tell them apart, and appends go first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Call {
    /// Events are accepted.
    Append,
    /// Events are claimed.
    Claim,
    /// A decision is stored.
    Route,
    /// Deliveries are leased.
    Lease,
    /// Attempts are settled.
    Settle,
    /// Old events are removed.
    Prune,
    /// Anything else.
    Other,
}

/// The writing thread.
pub(super) struct Writer {
    jobs: Mutex<Option<mpsc::Sender<(Call, Job)>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Writer")
    }
}

impl Writer {
    pub(super) fn start(
        connection: Connection,
        mut counters: Counters,
        cache: Arc<PairCache>,
        failpoints: Failpoints,
        wake: impl Fn(Wakes) + Send + 'static,
    ) -> std::io::Result<Self> {
        let (jobs, waiting) = mpsc::channel();
        let work = move || work(&connection, &mut counters, &cache, &waiting, &failpoints, &wake);
        let thread = std::thread::Builder::new().name("butler-store".into()).spawn(work)?;
        Ok(Self { jobs: Mutex::new(Some(jobs)), thread: Mutex::new(Some(thread)) })
    }

    /// Runs `job` in the next commit and gives its result once that is on disk.
    pub(super) async fn call<T: Send + 'static>(
        &self,
        call: Call,
        job: impl FnOnce(&mut Write<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, result) = oneshot::channel();
        let boxed: Job = Box::new(move |write| {
            let done = write.map_or(Err(StoreError::Closed), |write| in_savepoint(write, job));
            Box::new(move |committed: Result<(), StoreError>| {
                // Whoever no longer waits does not want to know.
                let _ = reply.send(committed.and(done));
            })
        });
        let sent = match &*self.jobs.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(jobs) => jobs.send((call, boxed)).is_ok(),
            None => false,
        };
        if !sent {
            return Err(StoreError::Closed);
        }
        result.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Lets what waits be written, then ends the thread.
    pub(super) fn close(&self) {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // A writer that panicked has nothing left to write.
            let _ = thread.join();
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.close();
    }
}

fn in_savepoint<T>(write: &mut Write<'_>, job: impl FnOnce(&mut Write<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
    run(write.connection, "SAVEPOINT job")?;
    let changes = write.changes.len();
    let done = catch_unwind(AssertUnwindSafe(|| job(write))).unwrap_or_else(|_| Err(panicked()));
    let done = done.and_then(|value| run(write.connection, "RELEASE job").map(|()| value));
    if let Err(error) = &done {
        write.changes.truncate(changes);
        if write.connection.is_autocommit() {
            // When the disk is full or fails, SQLite takes the whole transaction back, and not the statement alone.
            write.ended = Some(again(error));
        } else {
            // If even this fails, so does the commit, and every caller learns of it.
            let _ = run(write.connection, "ROLLBACK TO job");
            let _ = run(write.connection, "RELEASE job");
        }
    }
    done
}

fn panicked() -> StoreError {
    StoreError::Failed("a fault of the program; please report this".into())
}

fn run(connection: &Connection, sql: &str) -> Result<(), StoreError> {
    connection.prepare_cached(sql).and_then(|mut statement| statement.execute([])).map(drop).map_err(|error| failed(&error))
}

/// Takes the jobs that wait. Those who were answered together a moment ago are about to ask again, and the first of them would have a commit for itself: so it is waited
/// a little, until about half of them are there.
fn gather(first: (Call, Job), waiting: &mpsc::Receiver<(Call, Job)>, size_before: usize) -> Vec<(Call, Job)> {
    let mut group = vec![first];
    let until = Instant::now() + GATHERING;
    while group.len() < GROUP {
        let next = waiting.try_recv().ok().or_else(|| {
            let is_enough = group.len() >= size_before / 2;
            if is_enough { None } else { waiting.recv_timeout(until.saturating_duration_since(Instant::now())).ok() }
        });
        let Some(next) = next else { break };
        group.push(next);
    }
    group
}

fn work(
    connection: &Connection,
    counters: &mut Counters,
    cache: &PairCache,
    waiting: &mpsc::Receiver<(Call, Job)>,
    failpoints: &Failpoints,
    wake: &dyn Fn(Wakes),
) {
    let mut size = 0;
    while let Ok(first) = waiting.recv() {
        let mut group = gather(first, waiting, size);
        size = group.len();
        // What is accepted first is safe first. The order among the jobs of one kind stays.
        group.sort_by_key(|(call, _)| *call != Call::Append);
        let calls: Vec<Call> = group.iter().map(|(call, _)| *call).collect();
        let Counters { ids, versions } = &mut *counters;
        let mut write = Write { connection, ids, versions, changes: Vec::new(), wakes: Wakes::default(), ended: None };
        write.ended = run(connection, "BEGIN IMMEDIATE").err();
        // Nobody may work outside of the transaction: what was stored there would not be answered for.
        let carry_out = |(_, job): (Call, Job)| if write.ended.is_none() { job(Some(&mut write)) } else { job(None) };
        let answers: Vec<Answer> = group.into_iter().map(carry_out).collect();
        failpoints.reach(Failpoint::BeforeCommit, &calls);
        let changes = std::mem::take(&mut write.changes);
        if !changes.is_empty() {
            cache.begin();
        }
        let commit = || write.versions.store(connection).and_then(|()| run(connection, "COMMIT"));
        let committed = write.ended.take().map_or_else(commit, Err);
        if committed.is_err() && !connection.is_autocommit() {
            // What could not be committed is nowhere; the next group begins anew.
            let _ = run(connection, "ROLLBACK");
        }
        if committed.is_ok() {
            write.versions.committed();
            // Before anybody is told: whoever knows of a change reads nothing older.
            if !changes.is_empty() {
                cache.take_over(changes);
            }
        }
        failpoints.reach(Failpoint::AfterCommit, &calls);
        if committed.is_ok() {
            wake(std::mem::take(&mut write.wakes));
        }
        for answer in answers {
            answer(committed.as_ref().copied().map_err(again));
        }
    }
    // So that the file beside it is small at the next start; a failure costs time then, nothing else.
    let _ = connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
}

/// The error of a commit once more, for each of those who share it.
fn again(error: &StoreError) -> StoreError {
    match error {
        StoreError::Full(why) => StoreError::Full(why.clone()),
        StoreError::Corrupt { what, why } => StoreError::Corrupt { what: what.clone(), why: why.clone() },
        StoreError::Failed(why) => StoreError::Failed(why.clone()),
        other => StoreError::Failed(other.to_string()),
    }
}

/// What a failure of SQLite means.
pub(super) fn failed(error: &rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::Full("no room on the disk. Make some, or set a smaller `[store] max_size`".into()),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            StoreError::Corrupt { what: "the database file".into(), why: format!("{error}. {WHEN_CORRUPT}") }
        }
        _ => StoreError::Failed(error.to_string()),
    }
}

/// What to do about a file that is damaged.
pub(super) const WHEN_CORRUPT: &str = "Restore it from a backup, or move it away: Butler then begins with an empty one";

/// The threads that read.
pub(super) struct Readers {
    jobs: Mutex<Option<mpsc::Sender<ReadJob>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl fmt::Debug for Readers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Readers")
    }
}

impl Readers {
    pub(super) fn start(connections: Vec<Connection>) -> std::io::Result<Self> {
        let (jobs, waiting) = mpsc::channel::<ReadJob>();
        let waiting = Arc::new(Mutex::new(waiting));
        let mut threads = Vec::new();
        for connection in connections {
            let waiting = Arc::clone(&waiting);
            let read = move || {
                loop {
                    let job = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok(job) = job else { return };
                    job(&connection);
                }
            };
            threads.push(std::thread::Builder::new().name("butler-read".into()).spawn(read)?);
        }
        Ok(Self { jobs: Mutex::new(Some(jobs)), threads: Mutex::new(threads) })
    }

    /// Runs `job` on a connection that sees everything that is committed by now, and nothing that is committed meanwhile.
    pub(super) async fn call<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, result) = oneshot::channel();
        let boxed: ReadJob = Box::new(move |connection| {
            // Whoever no longer waits does not want to know.
            let _ = reply.send(in_snapshot(connection, job));
        });
        let sent = match &*self.jobs.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(jobs) => jobs.send(boxed).is_ok(),
            None => false,
        };
        if sent { result.await.unwrap_or(Err(StoreError::Closed)) } else { Err(StoreError::Closed) }
    }

    pub(super) fn close(&self) {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).take();
        for thread in self.threads.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            // A reader that panicked has nothing left to say.
            let _ = thread.join();
        }
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.close();
    }
}

fn in_snapshot<T>(connection: &Connection, job: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
    // Ended when it is dropped, on every way out.
    let snapshot = connection.unchecked_transaction().map_err(|error| failed(&error))?;
    catch_unwind(AssertUnwindSafe(|| job(&snapshot))).unwrap_or_else(|_| Err(panicked()))
}
