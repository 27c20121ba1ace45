//! InfluxDB 1, as Debian and its heirs have it.

use std::path::Path;
use std::process::Stdio;

use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::exim::free_port;
use crate::{eventually, http};

/// The login of the server's user.
pub const USER: (&str, &str) = ("admin", "s3cr3t-of-influx");

/// A running InfluxDB with folders and ports of its own. Dropping it ends it.
#[derive(Debug)]
pub struct Influxd {
    folder: TempDir,
    program: String,
    child: Child,
    with_login: bool,
    /// Where it takes points.
    pub port: u16,
}

impl Influxd {
    /// Starts it, with a login as [`USER`] or without one; `None` if it is not installed. With `BUTLER_TESTS_NEED_SERVERS` that is a failure.
    ///
    /// # Panics
    /// If it is needed and can't be started.
    pub async fn start(with_login: bool) -> Option<Self> {
        let program = ["/usr/bin/influxd", "/usr/sbin/influxd"].into_iter().find(|path| Path::new(path).exists());
        let Some(program) = program else {
            let needed = std::env::var_os("BUTLER_TESTS_NEED_SERVERS").is_some();
            assert!(!needed, "InfluxDB is needed: run on Debian or Ubuntu, where `tests/run` installs it");
            left_out();
            return None;
        };
        let folder = tempfile::tempdir().expect("a folder");
        // It tells nobody which free port it took, and another process may take ours first: then it ends at once, and gets another one.
        for _ in 0..5 {
            let port = free_port();
            if let Some(child) = listening(program, folder.path(), port, with_login).await {
                let mut server = Self { folder, program: program.to_owned(), child, with_login, port };
                server.make_user().await;
                return Some(server);
            }
        }
        panic!("InfluxDB does not start");
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Kills it, as a power loss would.
    ///
    /// # Panics
    /// If the system refuses.
    pub async fn kill(&mut self) {
        self.child.kill().await.expect("killing a child");
    }

    /// Starts it again where it was, with what it had.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn start_again(&mut self) {
        let child = listening(&self.program, self.folder.path(), self.port, self.with_login).await;
        self.child = child.expect("InfluxDB starts again");
    }

    /// Asks it something in its language; what it says, or why not.
    ///
    /// # Panics
    /// If it does not answer, or not with JSON.
    pub async fn ask(&self, database: &str, query: &str) -> Value {
        let mut url = format!("{}/query", self.url()).parse::<reqwest::Url>().expect("a URL");
        url.query_pairs_mut().append_pair("db", database).append_pair("q", query);
        let request = http().post(url);
        let request = if self.with_login { request.basic_auth(USER.0, Some(USER.1)) } else { request };
        let answer = request.send().await.expect("an answer").bytes().await.expect("an answer");
        let answer: Value = serde_json::from_slice(&answer).expect("JSON");
        answer["results"][0].clone()
    }

    /// The rows of a query's only series, each with its values by their names; none if there is no such series.
    pub async fn rows(&self, database: &str, query: &str) -> Vec<Value> {
        let answer = self.ask(database, query).await;
        let series = &answer["series"][0];
        let columns: Vec<_> = series["columns"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let rows = series["values"].as_array().into_iter().flatten();
        rows.map(|row| columns.iter().zip(row.as_array().into_iter().flatten()).map(|(name, value)| (*name, value.clone())).collect())
            .collect()
    }

    async fn make_user(&mut self) {
        if self.with_login {
            // The first user may be made by anybody.
            let made = self.ask("", &format!("CREATE USER {} WITH PASSWORD '{}' WITH ALL PRIVILEGES", USER.0, USER.1)).await;
            assert!(made["error"].is_null(), "{made}");
        }
    }
}

/// Starts the server; `None` if it ends instead of answering.
async fn listening(program: &str, folder: &Path, port: u16, with_login: bool) -> Option<Child> {
    let config = folder.join("influxd.conf");
    // Port 0 for what nobody asks: the port for backups is always opened.
    std::fs::write(&config, configuration(folder, port, with_login)).expect("a file");
    let mut command = Command::new(program);
    command.arg("-config").arg(&config).env("HOME", folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.kill_on_drop(true).spawn().expect("InfluxDB starts");
    let client = http();
    let answers = eventually("InfluxDB to answer or to end", async || {
        if child.try_wait().expect("a child").is_some() {
            return Some(false);
        }
        let answer = client.get(format!("http://127.0.0.1:{port}/ping")).send().await.ok()?;
        answer.status().is_success().then_some(true)
    })
    .await;
    answers.then_some(child)
}

#[expect(clippy::print_stderr, reason = "it is for whoever runs the tests")]
fn left_out() {
    eprintln!("left out: InfluxDB is not installed");
}

fn configuration(folder: &Path, port: u16, with_login: bool) -> String {
    let folder = folder.display();
    format!(
        r#"
reporting-disabled = true
bind-address = "127.0.0.1:0"
[meta]
  dir = "{folder}/meta"
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
  query-log-enabled = false
[monitor]
  store-enabled = false
[http]
  bind-address = "127.0.0.1:{port}"
  auth-enabled = {with_login}
  log-enabled = false
"#
    )
}
