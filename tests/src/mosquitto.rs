//! Mosquitto, an MQTT broker as people have it: in the clear, with a login, with TLS, with client certificates.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::certificates::{Issued, issue};
use crate::eventually;

/// A running Mosquitto. Dropping it ends it.
#[derive(Debug)]
pub struct Mosquitto {
    folder: TempDir,
    program: &'static str,
    child: Child,
    /// Where everybody may come in.
    pub plain: u16,
    /// Where `butler` has to log in with `secret`.
    pub login: u16,
    /// Where TLS is spoken.
    pub tls: u16,
    /// Where TLS is spoken, and a client certificate is demanded.
    pub certificate: u16,
}

impl Mosquitto {
    /// Starts it; `None` if it is not installed. With `BUTLER_TESTS_NEED_SERVERS` that is a failure.
    ///
    /// # Panics
    /// If it is needed and can't be started.
    pub async fn start() -> Option<Self> {
        let program = ["/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto"].into_iter().find(|path| Path::new(path).exists());
        let Some(program) = program else {
            let needed = std::env::var_os("BUTLER_TESTS_NEED_SERVERS").is_some();
            assert!(!needed, "Mosquitto is needed: `tests/run` installs it on Debian and Ubuntu");
            left_out();
            return None;
        };
        let folder = tempfile::tempdir().expect("a folder");
        let Issued { issuer, certificate, key } = issue();
        let files = [("ca.pem", issuer), ("own.pem", certificate), ("own_key.pem", key), ("passwords", "butler:secret\n".to_owned())];
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).expect("a file");
        }
        let hashed = Command::new("mosquitto_passwd").arg("-U").arg(folder.path().join("passwords")).status().await;
        assert!(hashed.expect("mosquitto_passwd").success(), "the file of passwords can't be made");
        // Mosquitto takes no port 0, and another process may take a free port first: then it ends at once, and gets other ones.
        for _ in 0..5 {
            let [plain, login, tls, certificate] = free_ports();
            let ports = [plain, login, tls, certificate];
            std::fs::write(folder.path().join("mosquitto.conf"), configuration(folder.path(), ports)).expect("a file");
            if let Some(child) = listening(program, folder.path(), certificate).await {
                return Some(Self { folder, program, child, plain, login, tls, certificate });
            }
        }
        panic!("Mosquitto does not start");
    }

    /// Kills it, as a power loss would.
    ///
    /// # Panics
    /// If the system refuses.
    pub async fn kill(&mut self) {
        self.child.kill().await.expect("killing a child");
    }

    /// Starts it again at the same ports, after it was killed.
    ///
    /// # Panics
    /// If one of them was taken meanwhile.
    pub async fn start_again(&mut self) {
        let child = listening(self.program, self.folder.path(), self.certificate).await;
        self.child = child.expect("its ports are still free");
    }

    /// A file of its folder: `ca.pem`, the issuer that its clients have to trust; and `own.pem` with `own_key.pem`, a certificate of that issuer, which it trusts
    /// as well.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// Starts the broker; `None` if it ends instead of listening at its last port.
async fn listening(program: &str, folder: &Path, last: u16) -> Option<Child> {
    let mut command = Command::new(program);
    command.arg("-c").arg(folder.join("mosquitto.conf")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.kill_on_drop(true).spawn().expect("Mosquitto starts");
    let listens = eventually("Mosquitto to listen or to end", async || {
        if child.try_wait().expect("a child").is_some() {
            return Some(false);
        }
        TcpStream::connect(("127.0.0.1", last)).await.is_ok().then_some(true)
    })
    .await;
    listens.then_some(child)
}

#[expect(clippy::print_stderr, reason = "it is for whoever runs the tests")]
fn left_out() {
    eprintln!("left out: Mosquitto is not installed");
}

/// Ports that were free a moment ago.
fn free_ports() -> [u16; 4] {
    let listeners = [(); 4].map(|()| std::net::TcpListener::bind("127.0.0.1:0").expect("a port"));
    listeners.map(|listener| listener.local_addr().expect("an address").port())
}

/// Sessions that are to outlive a client outlive the broker as well: every change is written at once. And a message is on its way to whoever has subscribed before it is
/// acknowledged, for as many as there are.
fn configuration(folder: &Path, [plain, login, tls, certificate]: [u16; 4]) -> String {
    let folder = folder.display();
    // A broker that root starts becomes somebody else, who could not read the folder.
    let user = if cfg!(unix) { "user root\n" } else { "" };
    let secured = format!("cafile {folder}/ca.pem\ncertfile {folder}/own.pem\nkeyfile {folder}/own_key.pem");
    format!(
        "{user}per_listener_settings true
persistence true
persistence_location {folder}/
autosave_on_changes true
autosave_interval 1
max_inflight_messages 0
log_dest none
listener {plain} 127.0.0.1
allow_anonymous true
listener {login} 127.0.0.1
allow_anonymous false
password_file {folder}/passwords
listener {tls} 127.0.0.1
{secured}
allow_anonymous true
listener {certificate} 127.0.0.1
{secured}
require_certificate true
use_identity_as_username true
allow_anonymous false
"
    )
}
