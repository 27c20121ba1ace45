//! Exim, a mail server as people have it, with STARTTLS and a login.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::certificates::{Issued, issue};
use crate::eventually;

/// A running Exim. Dropping it ends it.
#[derive(Debug)]
pub struct Exim {
    folder: TempDir,
    _child: Child,
    /// Where it takes mail, after STARTTLS and a login as `user1` with `secret`.
    pub port: u16,
}

impl Exim {
    /// Starts it; `None` if it is not installed, or this user may not start it. With `BUTLER_TESTS_NEED_SERVERS` that is a failure.
    ///
    /// # Panics
    /// If it is needed and can't be started.
    pub async fn start() -> Option<Self> {
        let program = ["/usr/sbin/exim4", "/usr/sbin/exim"].into_iter().find(|path| Path::new(path).exists());
        let Some(program) = program.filter(|_| is_root()) else {
            let needed = std::env::var_os("BUTLER_TESTS_NEED_SERVERS").is_some();
            assert!(!needed, "Exim is needed: run as root on Debian or Ubuntu, where `tests/run` installs it");
            left_out();
            return None;
        };
        let folder = tempfile::tempdir().expect("a folder");
        certificates(folder.path());
        for name in ["spool", "log", "mail"] {
            std::fs::create_dir(folder.path().join(name)).expect("a folder");
        }
        let owned = Command::new("chown").args(["-R", "Debian-exim"]).arg(folder.path()).status().await.expect("chown");
        assert!(owned.success(), "the folder can't be given to Exim's user");
        // Exim takes no port 0, and another process may take the free port first: then it ends at once, and gets another one.
        for _ in 0..5 {
            let port = free_port();
            // Written by root after the change of owners, for Exim believes nobody else's configuration.
            std::fs::write(folder.path().join("exim.conf"), configuration(folder.path(), port)).expect("a file");
            if let Some(child) = listening(program, folder.path(), port).await {
                return Some(Self { folder, _child: child, port });
            }
        }
        let log = std::fs::read_to_string(folder.path().join("log/panicslog")).unwrap_or_default();
        panic!("Exim does not start: {log}");
    }

    /// The issuer that its clients have to trust.
    #[must_use]
    pub fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Everything that it has delivered.
    #[must_use]
    pub fn mailbox(&self) -> String {
        // There is no file before the first mail.
        std::fs::read_to_string(self.folder.path().join("mail/mbox")).unwrap_or_default()
    }
}

/// Starts the daemon; `None` if it ends instead of greeting.
async fn listening(program: &str, folder: &Path, port: u16) -> Option<Child> {
    let mut command = Command::new(program);
    command.arg("-C").arg(folder.join("exim.conf")).arg("-bdf").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.kill_on_drop(true).spawn().expect("Exim starts");
    let greeted = eventually("Exim to greet or to end", async || {
        if child.try_wait().expect("a child").is_some() {
            return Some(false);
        }
        let mut greeting = [0; 4];
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
        stream.read_exact(&mut greeting).await.ok()?;
        (greeting == *b"220 ").then_some(true)
    })
    .await;
    greeted.then_some(child)
}

#[expect(clippy::print_stderr, reason = "it is for whoever runs the tests")]
fn left_out() {
    eprintln!("left out: Exim is not installed, or not to be started by this user");
}

fn is_root() -> bool {
    #[cfg(unix)]
    return nix::unistd::geteuid().is_root();
    #[cfg(not(unix))]
    false
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

fn certificates(folder: &Path) {
    let Issued { issuer, certificate, key } = issue();
    for (name, pem) in [("ca.pem", issuer), ("server.pem", certificate), ("server_key.pem", key)] {
        std::fs::write(folder.join(name), pem).expect("a file");
    }
}

/// Takes mail after STARTTLS and a login; refuses `reject@...` for good and `later@...` for now; writes all else into one file.
fn configuration(folder: &Path, port: u16) -> String {
    let folder = folder.display();
    format!(
        r"
primary_hostname = localhost
spool_directory = {folder}/spool
log_file_path = {folder}/log/%slog
pid_file_path = {folder}/exim.pid
local_interfaces = 127.0.0.1
daemon_smtp_ports = {port}
tls_advertise_hosts = *
tls_certificate = {folder}/server.pem
tls_privatekey = {folder}/server_key.pem
auth_advertise_hosts = ${{if eq{{$tls_in_cipher}}{{}}{{}}{{*}}}}
acl_smtp_rcpt = recipients
queue_run_in_order
daemon_startup_retries = 0

begin acl
recipients:
  deny    condition = ${{if eq{{$local_part}}{{reject}}}}
          message = 550 no such user
  defer   condition = ${{if eq{{$local_part}}{{later}}}}
          message = come back later
  accept  authenticated = *
  deny    message = authentication required

begin routers
everybody:
  driver = accept
  transport = mailbox

begin transports
mailbox:
  driver = appendfile
  file = {folder}/mail/mbox
  user = Debian-exim

begin retry
* * F,1m,10s

begin authenticators
PLAIN:
  driver = plaintext
  server_set_id = $auth2
  server_prompts = :
  server_condition = ${{if and{{{{eq{{$auth2}}{{user1}}}}{{eq{{$auth3}}{{secret}}}}}}}}
"
    )
}
