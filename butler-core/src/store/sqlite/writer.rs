//! The thread that writes, and those that read.
//!
//! Every call is a job. The writer takes all jobs that wait, runs each in a savepoint of its own inside one transaction, commits once, and only then answers: a
//! crowd of callers shares one `fsync`, and a job that fails takes no other with it.

use std::collections::HashSet;
use std::fmt;
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::{Connection, ErrorCode};
use tokio::sync::oneshot;

use super::failpoint::{Failpoint, Failpoints};
use crate::event::SinkName;
use crate::store::StoreError;

/// How many jobs share a commit at the most.
const GROUP: usize = 512;

type Answer = Box<dyn FnOnce(Result<(), StoreError>) + Send>;
/// Runs, or learns that it can't; the answer is sent after the commit.
type Job = Box<dyn FnOnce(Option<&mut Write<'_>>) -> Answer + Send>;
type ReadJob = Box<dyn FnOnce(&Connection) + Send>;

/// What a writing job works with.
pub(super) struct Write<'a> {
    pub(super) connection: &'a Connection,
    /// Who is to be woken after the commit.
    pub(super) wakes: Wakes,
}

/// Who is to be woken.
#[derive(Debug, Default)]
pub(super) struct Wakes {
    pub(super) events: bool,
    pub(super) sinks: HashSet<SinkName>,
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
    pub(super) fn start(connection: Connection, failpoints: Failpoints, wake: impl Fn(Wakes) + Send + 'static) -> std::io::Result<Self> {
        let (jobs, waiting) = mpsc::channel();
        let thread =
            std::thread::Builder::new().name("butler-store".into()).spawn(move || work(&connection, &waiting, &failpoints, &wake))?;
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
    match job(write) {
        Ok(value) => {
            run(write.connection, "RELEASE job")?;
            Ok(value)
        }
        Err(error) => {
            // If even this fails, so does the commit, and every caller learns of it.
            let _ = run(write.connection, "ROLLBACK TO job");
            let _ = run(write.connection, "RELEASE job");
            Err(error)
        }
    }
}

fn run(connection: &Connection, sql: &str) -> Result<(), StoreError> {
    connection.prepare_cached(sql).and_then(|mut statement| statement.execute([])).map(drop).map_err(|error| failed(&error))
}

fn work(connection: &Connection, waiting: &mpsc::Receiver<(Call, Job)>, failpoints: &Failpoints, wake: &dyn Fn(Wakes)) {
    while let Ok(first) = waiting.recv() {
        let mut group = vec![first];
        while group.len() < GROUP {
            let Ok(next) = waiting.try_recv() else { break };
            group.push(next);
        }
        // What is accepted first is safe first. The order among the jobs of one kind stays.
        group.sort_by_key(|(call, _)| *call != Call::Append);
        let calls: Vec<Call> = group.iter().map(|(call, _)| *call).collect();
        let mut write = Write { connection, wakes: Wakes::default() };
        let (answers, committed) = match run(connection, "BEGIN IMMEDIATE") {
            Ok(()) => {
                let answers: Vec<Answer> = group.into_iter().map(|(_, job)| job(Some(&mut write))).collect();
                failpoints.reach(Failpoint::BeforeCommit, &calls);
                let committed = run(connection, "COMMIT");
                if committed.is_err() && !connection.is_autocommit() {
                    // What could not be committed is nowhere; the next group begins anew.
                    let _ = run(connection, "ROLLBACK");
                }
                (answers, committed)
            }
            Err(error) => {
                let answers = group.into_iter().map(|(_, job)| job(None)).collect();
                (answers, Err(error))
            }
        };
        failpoints.reach(Failpoint::AfterCommit, &calls);
        if committed.is_ok() {
            wake(std::mem::take(&mut write.wakes));
        }
        for answer in answers {
            answer(again(&committed));
        }
    }
    // So that the file beside it is small at the next start; a failure costs time then, nothing else.
    let _ = connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
}

/// The result of a commit, for each of those who share it.
fn again(committed: &Result<(), StoreError>) -> Result<(), StoreError> {
    match committed {
        Ok(()) => Ok(()),
        Err(StoreError::Full(why)) => Err(StoreError::Full(why.clone())),
        Err(error) => Err(StoreError::Failed(error.to_string())),
    }
}

/// What a failure of SQLite means.
pub(super) fn failed(error: &rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::Full("no room on the disk. Make some, or set a smaller `[store] max_size`".into()),
        _ => StoreError::Failed(error.to_string()),
    }
}

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

    /// Runs `job` on a connection that sees everything that is committed.
    pub(super) async fn call<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, result) = oneshot::channel();
        let boxed: ReadJob = Box::new(move |connection| {
            // Whoever no longer waits does not want to know.
            let _ = reply.send(job(connection));
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
