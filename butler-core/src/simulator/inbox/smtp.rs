//! A server for mail: as much of RFC 5321 as a client of ours uses, with STARTTLS, implicit TLS and AUTH, and with a script of bad days.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::{AbortHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use super::certificates::server_config;
use super::gate::Gate;
use super::mime;
use crate::simulator::kept::Kept;
use crate::tls::Identity;

/// The longest line of a command.
const MAX_LINE: usize = 16 * 1024;
/// The longest message.
const MAX_MESSAGE: usize = 64 << 20;

/// How the server speaks TLS.
#[derive(Debug, Clone, Default)]
pub enum SmtpTls {
    /// Not at all.
    #[default]
    Never,
    /// After STARTTLS.
    StartTls(Identity),
    /// From the first byte.
    Implicit(Identity),
}

/// What the server offers and asks for.
#[derive(Debug, Clone, Default)]
pub struct SmtpOptions {
    /// TLS.
    pub tls: SmtpTls,
    /// The user and password that a client has to log in with.
    pub login: Option<(String, String)>,
    /// What stands behind `AUTH` in the list of what the server can; `PLAIN LOGIN` if empty.
    pub mechanisms: String,
}

/// A message that was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// The sender of the envelope.
    pub from: String,
    /// The recipients of the envelope.
    pub to: Vec<String>,
    /// The message as it was sent, with CRLF line ends and without the dots that were added for the way.
    pub data: String,
    /// Whether it came over TLS.
    pub over_tls: bool,
    /// As whom the client had logged in.
    pub user: Option<String>,
}

impl Mail {
    /// A header's value, unfolded and decoded.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        mime::header(&self.data, name)
    }

    /// The HTML of the message, decoded.
    #[must_use]
    pub fn html(&self) -> Option<String> {
        mime::part(&self.data, "text/html")
    }

    /// The plain text of the message, decoded.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        mime::part(&self.data, "text/plain")
    }
}

#[derive(Debug, Clone)]
enum Turn {
    Reply(String),
    Half(String),
    Drop,
    Hold(Gate),
}

/// A server for mail, on a free port of the loopback. It takes everything, unless its script says otherwise.
pub struct SmtpInbox {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: AbortHandle,
}

struct Shared {
    received: Kept<Mail>,
    script: Mutex<VecDeque<(String, Turn, bool)>>,
    seen: Mutex<Vec<String>>,
    starttls: Option<TlsAcceptor>,
    implicit: Option<TlsAcceptor>,
    options: SmtpOptions,
}

impl fmt::Debug for SmtpInbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SmtpInbox({})", self.address)
    }
}

impl SmtpInbox {
    /// Starts one.
    ///
    /// # Errors
    /// No port is to be had, a key that does not fit its certificate.
    pub async fn start(options: SmtpOptions) -> io::Result<Self> {
        let acceptor = |identity: &Identity| server_config(identity.clone()).map(TlsAcceptor::from);
        let (starttls, implicit) = match &options.tls {
            SmtpTls::Never => (None, None),
            SmtpTls::StartTls(identity) => (Some(acceptor(identity)?), None),
            SmtpTls::Implicit(identity) => (None, Some(acceptor(identity)?)),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let received = Kept::default();
        let shared = Arc::new(Shared { received, script: Mutex::default(), seen: Mutex::default(), starttls, implicit, options });
        let server = tokio::spawn(accept(listener, Arc::clone(&shared))).abort_handle();
        Ok(Self { address, shared, server })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers the next command that starts with `command`, in any case, with this line: `550 5.1.1 no such user`. `CONNECT` is the greeting and
    /// `.` the end of a message; `RCPT TO:<a@x.se>` answers for one recipient alone.
    pub fn reply(&self, command: &str, line: &str) {
        self.turn(command, Turn::Reply(line.to_owned()), false);
    }

    /// As [`reply`](Self::reply), every time.
    pub fn reply_always(&self, command: &str, line: &str) {
        self.turn(command, Turn::Reply(line.to_owned()), true);
    }

    /// Closes the connection at the next such command.
    pub fn drop_at(&self, command: &str) {
        self.turn(command, Turn::Drop, false);
    }

    /// Answers the next such command with this, without an end of line, and closes the connection.
    pub fn half_reply(&self, command: &str, start: &str) {
        self.turn(command, Turn::Half(start.to_owned()), false);
    }

    /// Lets the next such command wait at a gate.
    pub fn hold_at(&self, command: &str, gate: &Gate) {
        self.turn(command, Turn::Hold(gate.clone()), false);
    }

    /// Forgets the rest of the script.
    pub fn behave(&self) {
        self.shared.script.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn turn(&self, command: &str, turn: Turn, always: bool) {
        let mut script = self.shared.script.lock().unwrap_or_else(PoisonError::into_inner);
        script.push_back((command.to_ascii_uppercase(), turn, always));
    }

    /// What it has received, the latest twenty thousand.
    #[must_use]
    pub fn mails(&self) -> Vec<Mail> {
        self.shared.received.all()
    }

    /// How many messages it has received in all.
    #[must_use]
    pub fn count(&self) -> usize {
        self.shared.received.count()
    }

    /// The commands that it was given, in order. What follows `AUTH` is left out.
    #[must_use]
    pub fn commands(&self) -> Vec<String> {
        self.shared.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until it has received `count` messages in all.
    pub async fn wait_for(&self, count: usize) -> Vec<Mail> {
        self.shared.received.wait_for(count).await
    }
}

impl Drop for SmtpInbox {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    // Connections end with the server: the set aborts what it holds.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            // A client that goes away is none of our business.
            let _ = match &shared.implicit {
                None => Session::new(Box::new(stream), &shared, false).run().await,
                Some(tls) => match tls.accept(stream).await {
                    Ok(stream) => Session::new(Box::new(stream), &shared, true).run().await,
                    Err(why) => Err(why),
                },
            };
        });
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// What becomes of a command.
enum Next {
    AsUsual,
    Answered,
    Closed,
}

struct Session<'a> {
    stream: Box<dyn Stream>,
    shared: &'a Shared,
    buffer: Vec<u8>,
    over_tls: bool,
    user: Option<String>,
    from: Option<String>,
    to: Vec<String>,
}

impl<'a> Session<'a> {
    fn new(stream: Box<dyn Stream>, shared: &'a Shared, over_tls: bool) -> Self {
        Self { stream, shared, buffer: Vec::new(), over_tls, user: None, from: None, to: Vec::new() }
    }

    async fn run(mut self) -> io::Result<()> {
        match self.scripted("CONNECT").await? {
            Next::AsUsual => self.say("220 localhost ESMTP").await?,
            Next::Answered => {}
            Next::Closed => return Ok(()),
        }
        while let Some(line) = self.line().await? {
            let shown = if line.to_ascii_uppercase().starts_with("AUTH") { "AUTH".to_owned() } else { line.clone() };
            self.shared.note(shown);
            match self.scripted(&line).await? {
                Next::AsUsual => {}
                Next::Answered => continue,
                Next::Closed => return Ok(()),
            }
            let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
            match verb.to_ascii_uppercase().as_str() {
                "EHLO" => self.ehlo().await?,
                "HELO" | "NOOP" => self.say("250 OK").await?,
                "RSET" => {
                    (self.from, self.to) = (None, Vec::new());
                    self.say("250 OK").await?;
                }
                "STARTTLS" => {
                    let Some(tls) = self.shared.starttls.clone().filter(|_| !self.over_tls) else {
                        self.say("502 5.5.1 STARTTLS is not offered").await?;
                        continue;
                    };
                    self.say("220 Go ahead").await?;
                    // What came before the handshake is not to be trusted.
                    let stream = tls.accept(self.stream).await?;
                    self = Self::new(Box::new(stream), self.shared, true);
                }
                "AUTH" => self.auth(rest).await?,
                "MAIL" if self.shared.options.login.is_some() && self.user.is_none() => {
                    self.say("530 5.7.0 Authentication required").await?;
                }
                "MAIL" => {
                    self.from = Some(address(rest));
                    self.say("250 2.1.0 OK").await?;
                }
                "RCPT" if self.from.is_none() => self.say("503 5.5.1 MAIL first").await?,
                "RCPT" => {
                    self.to.push(address(rest));
                    self.say("250 2.1.5 OK").await?;
                }
                "DATA" if self.to.is_empty() => self.say("503 5.5.1 RCPT first").await?,
                "DATA" => {
                    if !self.data().await? {
                        return Ok(());
                    }
                }
                "QUIT" => {
                    self.say("221 2.0.0 Bye").await?;
                    return self.stream.shutdown().await;
                }
                _ => self.say("502 5.5.2 not known").await?,
            }
        }
        Ok(())
    }

    /// Does what the script says of this command.
    async fn scripted(&mut self, command: &str) -> io::Result<Next> {
        let turn = {
            let mut script = self.shared.script.lock().unwrap_or_else(PoisonError::into_inner);
            let at = script.iter().position(|(start, _, _)| command.to_ascii_uppercase().starts_with(start));
            at.and_then(|at| if script[at].2 { Some(script[at].1.clone()) } else { script.remove(at).map(|(_, turn, _)| turn) })
        };
        match turn {
            None => Ok(Next::AsUsual),
            Some(Turn::Drop) => Ok(Next::Closed),
            Some(Turn::Half(start)) => {
                self.stream.write_all(start.as_bytes()).await?;
                self.stream.flush().await?;
                Ok(Next::Closed)
            }
            Some(Turn::Hold(gate)) => {
                gate.pass().await;
                Ok(Next::AsUsual)
            }
            Some(Turn::Reply(line)) => {
                self.say(&line).await?;
                Ok(Next::Answered)
            }
        }
    }

    async fn ehlo(&mut self) -> io::Result<()> {
        let mut lines = vec!["localhost".to_owned(), "8BITMIME".to_owned()];
        if self.shared.starttls.is_some() && !self.over_tls {
            lines.push("STARTTLS".to_owned());
        }
        // A careful server takes passwords over TLS alone, if it has it.
        if self.shared.options.login.is_some() && (self.over_tls || self.shared.starttls.is_none()) {
            let mechanisms = Some(self.shared.options.mechanisms.as_str()).filter(|known| !known.is_empty()).unwrap_or("PLAIN LOGIN");
            lines.push(format!("AUTH {mechanisms}"));
        }
        lines.push("SIZE 67108864".to_owned());
        let last = lines.len() - 1;
        let text: Vec<_> = (0..).zip(&lines).map(|(at, line)| format!("250{}{line}", if at == last { ' ' } else { '-' })).collect();
        self.say(&text.join("\r\n")).await
    }

    async fn auth(&mut self, rest: &str) -> io::Result<()> {
        let (mechanism, initial) = rest.split_once(' ').map_or((rest, None), |(mechanism, initial)| (mechanism, Some(initial.to_owned())));
        let given = match mechanism.to_ascii_uppercase().as_str() {
            "PLAIN" => {
                let response = match initial {
                    Some(initial) => initial,
                    None => self.ask("334 ").await?,
                };
                let text = String::from_utf8(mime::base64(&response).unwrap_or_default()).unwrap_or_default();
                let mut parts = text.splitn(3, '\0').skip(1).map(str::to_owned);
                parts.next().zip(parts.next())
            }
            "LOGIN" => {
                let user = self.ask("334 VXNlcm5hbWU6").await?;
                let password = self.ask("334 UGFzc3dvcmQ6").await?;
                let text = |response: &str| mime::base64(response).and_then(|bytes| String::from_utf8(bytes).ok());
                text(&user).zip(text(&password))
            }
            _ => return self.say("504 5.5.4 this mechanism is not known").await,
        };
        if given.is_some() && given == self.shared.options.login {
            self.user = given.map(|(user, _)| user);
            self.say("235 2.7.0 Welcome").await
        } else {
            self.say("535 5.7.8 wrong user or password").await
        }
    }

    async fn ask(&mut self, question: &str) -> io::Result<String> {
        self.say(question).await?;
        Ok(self.line().await?.unwrap_or_default())
    }

    /// Takes a message; says whether the connection goes on.
    async fn data(&mut self) -> io::Result<bool> {
        self.say("354 End with a dot on a line of its own").await?;
        let mut message = String::new();
        loop {
            let Some(line) = self.line().await? else { return Ok(false) };
            if line == "." {
                break;
            }
            message.push_str(line.strip_prefix('.').unwrap_or(&line));
            message.push_str("\r\n");
            if message.len() > MAX_MESSAGE {
                return Ok(false);
            }
        }
        let (from, to) = (self.from.take().unwrap_or_default(), std::mem::take(&mut self.to));
        match self.scripted(".").await? {
            Next::AsUsual => {}
            Next::Answered => return Ok(true),
            Next::Closed => return Ok(false),
        }
        let number = self.shared.received.count() + 1;
        self.shared.received.add(Mail { from, to, data: message, over_tls: self.over_tls, user: self.user.clone() });
        self.say(&format!("250 2.0.0 OK queued as {number}")).await?;
        Ok(true)
    }

    async fn say(&mut self, line: &str) -> io::Result<()> {
        self.stream.write_all(format!("{line}\r\n").as_bytes()).await?;
        self.stream.flush().await
    }

    /// The next line, without its end; `None` at the end of the connection.
    async fn line(&mut self) -> io::Result<Option<String>> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|bytes| bytes == b"\r\n") {
                let line: Vec<u8> = self.buffer.drain(..end + 2).collect();
                return Ok(Some(String::from_utf8_lossy(&line[..end]).into_owned()));
            }
            if self.buffer.len() > MAX_LINE || self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Ok(None);
            }
        }
    }
}

impl Shared {
    fn note(&self, command: String) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).push(command);
    }
}

/// What stands between `<` and `>`.
fn address(rest: &str) -> String {
    let inner = rest.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    inner.map(|(address, _)| address.to_owned()).unwrap_or_default()
}
