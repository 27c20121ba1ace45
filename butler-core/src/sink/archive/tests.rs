use std::path::Path;
use std::sync::Mutex;

use bytes::Bytes;

use super::*;
use crate::enrich::{LogPieces, LogSource};
use crate::event::{DeliveryId, TaskOutcome};
use crate::sink::Retry;
use crate::testkit::sink_context;
use crate::testkit::sink_samples::Sample;
use crate::testkit::sink_suite::{self, Received, Remote, SinkHarness};

const LOG: &str = "\u{feff}20240513T060003.200+0200      Execution started.\r\nRäkna om 予算 💥 \\new\r\nExecution finished.\r\n";
const FILE: &str =
    "2024-05-13/2024-05-13_06-02-11_appId=e7af59a0-c243-480d-9571-08727551a66f_taskId=dec2a02a-1680-44ef-8dc2-e2bfb180af87.log";

/// What comes when a log is opened.
type Opened = Result<Vec<Result<Bytes, LogError>>, LogError>;

/// A source of logs that behaves as it is told.
#[derive(Debug, Default)]
struct Logs {
    /// What it says when a log is opened, if not `LOG`.
    opens: Mutex<Option<Opened>>,
    asked: Mutex<Vec<LogReference>>,
}

struct Pieces(std::vec::IntoIter<Result<Bytes, LogError>>);

#[async_trait]
impl LogPieces for Pieces {
    async fn next(&mut self) -> Result<Option<Bytes>, LogError> {
        self.0.next().transpose()
    }
}

#[async_trait]
impl LogSource for Logs {
    async fn open(&self, log: LogReference) -> Result<Option<Box<dyn LogPieces + '_>>, LogError> {
        self.asked.lock().unwrap().push(log);
        // In pieces that end anywhere, also within a character.
        let whole = || LOG.as_bytes().chunks(7).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        let pieces = self.opens.lock().unwrap().clone().unwrap_or_else(|| Ok(whole()))?;
        Ok((!pieces.is_empty()).then(|| Box::new(Pieces(pieces.into_iter())) as Box<dyn LogPieces>))
    }
}

struct Harness {
    folder: tempfile::TempDir,
    logs: Arc<Logs>,
    sink: Arc<dyn Sink>,
}

fn sink_at(folder: &Path, logs: &Arc<Logs>) -> Arc<dyn Sink> {
    let context = sink_context();
    context.logs.seat("prod".into(), Arc::clone(logs) as _);
    ArchiveConfig { folder: folder.to_path_buf() }.build(&context).unwrap()
}

fn broken() -> LogError {
    LogError::Unavailable("the repository at sense:4242 closed the connection".into())
}

impl Harness {
    fn says(&self, opens: Opened) {
        *self.logs.opens.lock().unwrap() = Some(opens);
    }

    /// Every file below the folder, with what is in it.
    fn files(&self) -> Vec<(String, String)> {
        let mut files = Vec::new();
        let days = std::fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path());
        for file in days.flat_map(|day| std::fs::read_dir(day).unwrap()).map(|entry| entry.unwrap().path()) {
            let name = file.strip_prefix(self.folder.path()).unwrap().to_string_lossy().replace('\\', "/");
            files.push((name, std::fs::read_to_string(&file).unwrap()));
        }
        files
    }
}

#[async_trait]
impl SinkHarness for Harness {
    async fn start() -> Self {
        let (folder, logs) = (tempfile::tempdir().unwrap(), Arc::default());
        let sink = sink_at(folder.path(), &logs);
        Self { folder, logs, sink }
    }

    fn sink(&self) -> Arc<dyn Sink> {
        Arc::clone(&self.sink)
    }

    fn remote(&self, remote: Remote) -> bool {
        let piece = || Ok(Bytes::from_static(b"half"));
        let opens = match remote {
            Remote::Accepts => None,
            Remote::Resets => Some(Err(broken())),
            Remote::AnswersByHalf => Some(Ok(vec![piece(), Err(broken())])),
            // A repository refuses no log, and is waited for by its client.
            _ => return false,
        };
        *self.logs.opens.lock().unwrap() = opens;
        true
    }

    fn received(&self) -> Vec<Received> {
        self.files().into_iter().map(|(_, text)| Received { text, ..Received::default() }).collect()
    }

    fn secrets(&self) -> Vec<String> {
        Vec::new()
    }

    async fn unreachable(&self) -> Arc<dyn Sink> {
        let logs = Arc::new(Logs { opens: Mutex::new(Some(Err(broken()))), ..Logs::default() });
        sink_at(&self.folder.path().join("other"), &logs)
    }

    async fn untrusted(&self) -> Option<Arc<dyn Sink>> {
        None
    }
}

/// The promises of a sink's contract that an archive can break: it has no login, no headers, no notices, and one file for one execution.
macro_rules! keeps {
    ($($name:ident),+) => {
        $(
            #[tokio::test]
            async fn $name() {
                sink_suite::$name::<Harness>().await;
            }
        )+
    };
}
keeps!(
    accepted_is_ok,
    a_broken_connection_is_tried_again,
    half_an_answer_is_tried_again,
    an_unreachable_remote_is_tried_again,
    a_failed_attempt_leaves_the_sink_usable,
    errors_are_one_short_line,
    a_dropped_attempt_does_no_harm,
    several_are_answered_in_order
);

async fn attempt(sink: &dyn Sink, sample: &Sample, attempt: u32) -> Result<Receipt, DeliveryError> {
    let message = sink.render(&sample.rendering()).unwrap();
    let key = DeliveryId::of(sample.event.id, &"archive".into(), &sample.target);
    sink.deliver(&Delivery { key, event: &sample.event, target: &sample.target, message: &message, attempt }).await
}

#[tokio::test]
async fn the_whole_log_is_kept_under_its_name_with_lines_that_end_in_lf() {
    let harness = Harness::start().await;
    let receipt = attempt(&*harness.sink, &Sample::reload(TaskOutcome::Failed), 1).await.unwrap();
    let expected = LOG.trim_start_matches('\u{feff}').replace("\r\n", "\n");
    assert_eq!(receipt.detail, format!("{FILE}: 3 lines, {} bytes", expected.len()));
    assert_eq!(harness.files(), [(FILE.to_owned(), expected)]);
    let asked = harness.logs.asked.lock().unwrap().remove(0);
    assert_eq!(asked.task.to_string(), "dec2a02a-1680-44ef-8dc2-e2bfb180af87");
    assert!(asked.result.is_some() && asked.file.is_some());
}

#[tokio::test]
async fn a_repeat_replaces_the_file_and_half_a_log_is_none() {
    let harness = Harness::start().await;
    let sample = Sample::reload(TaskOutcome::Failed);
    attempt(&*harness.sink, &sample, 1).await.unwrap();
    harness.says(Ok(vec![Ok(Bytes::from_static(b"new")), Err(broken())]));
    let error = attempt(&*harness.sink, &sample, 2).await.unwrap_err();
    assert_eq!((error.reason, error.retry), (Reason::Unreachable, Retry::Backoff), "{error}");
    // The old one stands, and nothing beside it.
    assert!(harness.files().len() == 1 && harness.files()[0].1.contains("Execution started."), "{:?}", harness.files());
    harness.says(Ok(vec![Ok(Bytes::from_static(b"new"))]));
    attempt(&*harness.sink, &sample, 3).await.unwrap();
    assert_eq!(harness.files(), [(FILE.to_owned(), "new".to_owned())]);
}

#[tokio::test]
async fn no_log_leaves_no_file_and_is_given_up_after_a_while() {
    let harness = Harness::start().await;
    let sample = Sample::reload(TaskOutcome::Failed);
    harness.says(Ok(Vec::new()));
    let error = attempt(&*harness.sink, &sample, 1).await.unwrap_err();
    assert_eq!((error.reason, error.retry), (Reason::Protocol, Retry::Backoff), "{error}");
    let error = attempt(&*harness.sink, &sample, ATTEMPTS).await.unwrap_err();
    assert_eq!((error.reason, error.retry), (Reason::Rejected, Retry::Never), "{error}");
    assert!(error.message.contains("no script log") && harness.files().is_empty(), "{error}");
}

#[tokio::test]
async fn a_log_that_is_not_known_yet_is_waited_for() {
    let harness = Harness::start().await;
    let mut sample = Sample::reload(TaskOutcome::Failed).unknown();
    let error = attempt(&*harness.sink, &sample, 100).await.unwrap_err();
    assert_eq!((error.reason, error.retry), (Reason::Protocol, Retry::Backoff), "{error}");
    assert!(error.message.contains("did not answer within 10 s"), "{error}");
    sample.facts.result = Fact::Missing { why: "the repository knows no task".into(), is_final: true };
    assert_eq!(attempt(&*harness.sink, &sample, 1).await.unwrap_err().retry, Retry::Never);
    sample.event.site = "other".into();
    sample.facts = Sample::reload(TaskOutcome::Failed).facts;
    let error = attempt(&*harness.sink, &sample, 1).await.unwrap_err();
    assert!(error.retry == Retry::Never && error.message.contains("no certificates for the site `other`"), "{error}");
}

#[tokio::test]
async fn the_log_of_another_execution_says_so() {
    let harness = Harness::start().await;
    let mut sample = Sample::reload(TaskOutcome::Failed);
    if let Fact::Known(result) = &mut sample.facts.result {
        result.certain = false;
    }
    let receipt = attempt(&*harness.sink, &sample, 1).await.unwrap();
    assert!(receipt.detail.contains("need not be the one"), "{receipt:?}");
}

#[tokio::test]
async fn a_folder_that_can_not_be_written_to_is_named_and_tried_again() {
    let harness = Harness::start().await;
    let file = harness.folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let sink = sink_at(&file, &harness.logs);
    for error in [attempt(&*sink, &Sample::reload(TaskOutcome::Failed), 1).await.unwrap_err(), sink.check().await.unwrap_err()] {
        assert_eq!((error.reason, error.retry), (Reason::ServerError, Retry::Backoff), "{error}");
        assert!(error.message.contains(&*file.to_string_lossy()) && error.message.contains("another `folder`"), "{error}");
    }
}

#[tokio::test]
async fn a_check_leaves_nothing_behind() {
    let harness = Harness::start().await;
    harness.sink.check().await.unwrap();
    assert_eq!(std::fs::read_dir(harness.folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_message_that_takes_the_program_down_leaves_words_in_place_of_the_log() {
    let harness = Harness::start().await;
    let sample = Sample::reload(TaskOutcome::Failed);
    let message = harness.sink.plain(&sample.rendering(), "2 earlier attempts never returned");
    let key = DeliveryId::of(sample.event.id, &"archive".into(), &sample.target);
    let delivery = Delivery { key, event: &sample.event, target: &sample.target, message: &message, attempt: 3 };
    harness.sink.deliver(&delivery).await.unwrap();
    assert!(harness.files()[0].1.contains("never returned") && harness.logs.asked.lock().unwrap().is_empty());
}

#[test]
fn only_ends_of_reload_tasks_have_a_log() {
    let folder = tempfile::tempdir().unwrap();
    let sink = sink_at(folder.path(), &Arc::default());
    let count = |sample: Sample| sink.targets(&sample.request()).len();
    for task_type in TaskType::ALL {
        let expected = usize::from(task_type == TaskType::Reload);
        assert_eq!(count(Sample::task_of(Some(task_type), TaskOutcome::Failed)), expected);
    }
    assert_eq!(count(Sample::task_of(None, TaskOutcome::Failed)), 1);
    assert_eq!((count(Sample::notice()), count(Sample::engine_reload())), (0, 0));
}

#[test]
fn messages_say_which_log_becomes_which_file() {
    let folder = tempfile::tempdir().unwrap();
    let sink = sink_at(folder.path(), &Arc::default());
    let known = Sample::reload(TaskOutcome::Failed);
    let all = [known.clone(), known.unknown()].map(|sample| sink.render(&sample.rendering()).unwrap().body);
    insta::assert_snapshot!(all.join("\n"));
}
