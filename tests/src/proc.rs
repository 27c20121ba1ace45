//! The program as a process.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader, Lines};
use tokio::process::{Child, Command};

use crate::patience;

/// A run of the program that has not been started yet.
#[derive(Debug)]
pub struct Run(Command);

impl Run {
    /// The program under test, in `folder`.
    #[must_use]
    pub fn new(program: &str, folder: &Path) -> Self {
        let mut command = Command::new(program);
        command
            .current_dir(folder)
            .env_remove("BUTLER_CONFIG")
            .env_remove("BUTLER_SERVER")
            .env_remove("BUTLER_TOKEN")
            .env_remove("BUTLER_TOKEN_FILE")
            .env("NO_COLOR", "1");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        // A console of its own, so that a Ctrl-C is for nobody else.
        #[cfg(windows)]
        command.creation_flags(windows_sys::Win32::System::Threading::CREATE_NO_WINDOW);
        Self(command)
    }

    /// Adds arguments.
    #[must_use]
    pub fn args(mut self, args: &[&str]) -> Self {
        self.0.args(args);
        self
    }

    /// Sets a variable of its environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.0.env(name, value);
        self
    }

    /// Lets it talk to a program that serves.
    #[must_use]
    pub fn about(self, butler: &Proc) -> Self {
        self.env("BUTLER_SERVER", &butler.address("api"))
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// If it can't be started, or does not end in time.
    pub async fn output(mut self) -> Output {
        let output = tokio::time::timeout(patience(), self.0.output()).await;
        output.expect("the program did not end").expect("the program could not be started")
    }

    /// Runs it to its end, which may take ten times as long as usual.
    ///
    /// # Panics
    /// If it can't be started, does not end in time, or ends badly.
    pub async fn patiently(mut self) -> Output {
        let output = tokio::time::timeout(patience() * 10, self.0.output()).await;
        let output = output.expect("the program did not end").expect("the program could not be started");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output
    }

    /// Starts it and waits for its readiness line.
    ///
    /// # Panics
    /// If it ends, or says nothing, before it is ready; with what it wrote to stderr.
    pub async fn ready(mut self) -> Proc {
        let program = PathBuf::from(self.0.as_std().get_program());
        let mut child = self.0.spawn().expect("the program could not be started");
        let log = Arc::new(Mutex::new(String::new()));
        collect(BufReader::new(child.stderr.take().expect("stderr is piped")).lines(), Arc::clone(&log));
        let mut lines = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
        let first = tokio::time::timeout(patience(), lines.next_line()).await;
        let Ok(Ok(Some(readiness))) = first else {
            // It has ended or is ended now: all of its log is there soon.
            let _ = child.kill().await;
            tokio::task::yield_now().await;
            panic!("not ready; it said:\n{}", log.lock().expect("no panics").as_str());
        };
        let output = Arc::new(Mutex::new(format!("{readiness}\n")));
        collect(lines, Arc::clone(&output));
        Proc { program, child, readiness, output, log }
    }
}

/// A running program that has said it is ready. Dropping it kills it.
#[derive(Debug)]
pub struct Proc {
    program: PathBuf,
    child: Child,
    readiness: String,
    output: Arc<Mutex<String>>,
    log: Arc<Mutex<String>>,
}

impl Proc {
    /// The address that the readiness line gives for `what`: `udp`, `api`.
    ///
    /// # Panics
    /// If it names none.
    #[must_use]
    pub fn address(&self, what: &str) -> String {
        let mut parts = self.readiness.split([' ', ',']).skip_while(|part| *part != what);
        parts.nth(1).unwrap_or_else(|| panic!("no {what} in {:?}", self.readiness)).to_owned()
    }

    /// The readiness line.
    #[must_use]
    pub fn readiness(&self) -> &str {
        &self.readiness
    }

    /// What it has written to stdout so far, the readiness line first.
    ///
    /// # Panics
    /// If the collector panicked.
    #[must_use]
    pub fn output(&self) -> String {
        self.output.lock().expect("no panics").clone()
    }

    /// What it has written to stderr so far.
    ///
    /// # Panics
    /// If the collector panicked.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.lock().expect("no panics").clone()
    }

    /// Its process id.
    ///
    /// # Panics
    /// If it has ended.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id().expect("still running")
    }

    /// Kills it, as a power loss would: no destructor runs.
    ///
    /// # Panics
    /// If the system refuses.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("killing a child");
    }

    /// Waits until it has ended by itself.
    ///
    /// # Panics
    /// If it does not end in time.
    pub async fn ended(&mut self) -> ExitStatus {
        let ended = tokio::time::timeout(patience(), self.child.wait()).await;
        ended.expect("the program did not end").expect("waiting for a child")
    }

    /// Presses Ctrl-C, by the program `ctrl-c` beside the one under test.
    ///
    /// # Panics
    /// If the system refuses.
    pub async fn press_ctrl_c(&self) {
        let program = self.program.with_file_name("ctrl-c").with_extension(std::env::consts::EXE_EXTENSION);
        let pressed = Command::new(program).arg(self.id().to_string()).status().await.expect("the program `ctrl-c`");
        assert!(pressed.success(), "Ctrl-C can't be pressed: {pressed}");
    }

    /// Asks it to end, as a service manager does by SIGTERM; Windows has none, and there it is Ctrl-C.
    ///
    /// # Panics
    /// If the system refuses.
    pub async fn terminate(&self) {
        #[cfg(unix)]
        {
            let id = nix::unistd::Pid::from_raw(i32::try_from(self.id()).expect("a process id"));
            nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGTERM).expect("signalling a child");
        }
        #[cfg(not(unix))]
        self.press_ctrl_c().await;
    }
}

fn collect(mut lines: Lines<BufReader<impl AsyncRead + Unpin + Send + 'static>>, log: Arc<Mutex<String>>) {
    tokio::spawn(async move {
        while let Ok(Some(line)) = lines.next_line().await {
            let mut log = log.lock().expect("no panics");
            log.push_str(&line);
            log.push('\n');
        }
    });
}
