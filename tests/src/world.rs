//! What stands around the program in a test: a folder, receivers, and the configuration that ties them together.

use std::net::UdpSocket;
use std::path::{Path, PathBuf};

use butler_core::event::{TaskEvent, TaskOutcome};
use butler_core::simulator::inbox::{HttpInbox, ReceivedRequest};
use butler_core::source::decode::{Message, SchedulerMessage, encode};
use serde_json::Value;
use tempfile::TempDir;

use crate::certificates::export;
use crate::{Proc, Run, ending, eventually, within};

/// A folder with a configuration, and a webhook that receives.
#[derive(Debug)]
pub struct World {
    folder: TempDir,
    program: String,
    /// The webhook `hook`.
    pub hook: HttpInbox,
}

impl World {
    /// An empty folder, and a webhook. `program` is the program to run.
    ///
    /// # Panics
    /// If there is no room or no port.
    pub async fn new(program: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let hook = HttpInbox::start().await.expect("a port");
        Self { folder, program: program.to_owned(), hook }
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A file in the folder.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file into the folder.
    ///
    /// # Panics
    /// If there is no room.
    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("a file");
    }

    /// Puts certificates into the folder `certs`, as the QMC exports them; no site trusts them.
    pub fn export_certificates(&self) {
        export(&self.path("certs"));
    }

    /// Writes the configuration: a site without a repository, the webhook with this path, a route of all that went wrong, and what is added.
    pub fn configure(&self, more: &str) {
        let url = self.hook.url("/hook");
        self.configure_all(&format!(
            r#"
            [sites.prod]
            host = "127.0.0.1"
            [sinks.hook]
            type = "webhook"
            retry = {{ first = "50ms", longest = "1s" }}
            options.url = "{url}"
            [[routes]]
            events = ["*"]
            sinks = ["hook"]
            {more}
            "#
        ));
    }

    /// Writes the configuration, beside addresses that are free.
    pub fn configure_all(&self, text: &str) {
        let addresses = "[udp]\nlisten = \"127.0.0.1:0\"\n[api]\nlisten = \"127.0.0.1:0\"\n";
        self.write("butler.toml", &format!("{addresses}{text}"));
    }

    /// What the webhook has received once there are so many requests.
    pub async fn received(&self, count: usize) -> Vec<ReceivedRequest> {
        within(&format!("{count} requests"), self.hook.wait_for(count)).await
    }

    /// The program, not started yet.
    #[must_use]
    pub fn run(&self, args: &[&str]) -> Run {
        Run::new(&self.program, self.folder()).args(args)
    }

    /// Runs the program to its end, which should be a bad one: its exit code and what it says, fit for a snapshot.
    pub async fn refused(&self, args: &[&str]) -> String {
        let output = self.run(args).output().await;
        assert!(!output.status.success(), "{args:?} succeeded");
        ending(self, &output)
    }

    /// What a command about a running program says, fit for a snapshot.
    pub async fn says(&self, butler: &Proc, args: &[&str]) -> String {
        ending(self, &self.run(args).about(butler).output().await)
    }

    /// What a command about a running program says to programs.
    ///
    /// # Panics
    /// If it fails, or says no JSON.
    pub async fn json(&self, butler: &Proc, args: &[&str]) -> Value {
        let output = self.run(args).args(&["--output", "json"]).about(butler).output().await;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    /// The program, serving.
    pub async fn serve(&self) -> Proc {
        self.run(&["serve"]).ready().await
    }
}

/// Sends datagrams to a served program.
#[derive(Debug)]
pub struct Sender(UdpSocket);

impl Sender {
    /// To the address that `proc` listens on.
    ///
    /// # Panics
    /// If it listens on none.
    #[must_use]
    pub fn to(proc: &Proc) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        socket.connect(proc.address("udp")).expect("an address");
        Self(socket)
    }

    /// Sends bytes.
    ///
    /// # Panics
    /// If the system refuses.
    pub fn raw(&self, bytes: &[u8]) {
        // The receiver may be gone: what it did not take is what these tests are about.
        let _ = self.0.send(bytes);
    }

    /// Sends what the scheduler says when a task fails.
    pub fn failed(&self, task: TaskEvent) {
        self.raw(&encode(&Message::Scheduler(SchedulerMessage { outcome: TaskOutcome::Failed, task })));
    }
}

/// A failed execution of a task; each number is another task and another execution.
#[must_use]
pub fn a_failure(number: u128) -> TaskEvent {
    TaskEvent {
        host: "sense-node-1".into(),
        task_name: format!("Reload {number}"),
        app_name: "Sales".into(),
        user: r"INTERNAL\sa_scheduler".into(),
        task_id: uuid((0xe959_f40a << 64) | number),
        app_id: Some(uuid(0x66bc_109d)),
        log_time: "2024-05-13 06:02:11,123".into(),
        log_level: "INFO".into(),
        execution_id: Some(uuid((0x14a8_1bf5 << 64) | number)),
        message: "Max retries reached".into(),
        names_unsure: false,
    }
}

/// Another failed execution of the same task.
#[must_use]
pub fn failed_again(task: &TaskEvent) -> TaskEvent {
    TaskEvent { execution_id: Some(uuid::Uuid::new_v4()), ..task.clone() }
}

fn uuid(number: u128) -> uuid::Uuid {
    uuid::Uuid::from_u128(number)
}

/// Asks the API of a served program.
///
/// # Panics
/// If it does not answer with JSON.
pub async fn api(proc: &Proc, path: &str) -> Value {
    let url = format!("http://{}{path}", proc.address("api"));
    eventually(path, || async {
        let response = http().get(&url).send().await.ok()?;
        serde_json::from_str(&response.text().await.ok()?).ok()
    })
    .await
}

/// An HTTP client for loopback.
///
/// # Panics
/// If it can't be made.
#[must_use]
pub fn http() -> reqwest::Client {
    let options = butler_core::http_client::ClientOptions {
        trust: butler_core::tls::Trust::Only(Vec::new()),
        system_proxy: false,
        ..Default::default()
    };
    butler_core::http_client::build(options).expect("a client")
}
