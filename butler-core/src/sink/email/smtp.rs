//! Talks to the server: one connection for one message.

use std::fmt;
use std::net::Ipv6Addr;
use std::sync::Arc;
use std::time::Duration;

use mail_send::mail_builder::MessageBuilder;
use mail_send::mail_builder::headers::HeaderType;
use mail_send::mail_builder::headers::address::Address;
use mail_send::mail_builder::headers::raw::Raw;
use mail_send::smtp::message::Parameters;
use mail_send::{Credentials, Error, SmtpClient, SmtpClientBuilder};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;

use super::address::{Mailbox, is_address, mailbox};
use super::content::TEXT;
use super::{EmailConfig, EmailPriority, EmailTls};
use crate::clock::Clock;
use crate::sink::handshake::{Remedies, explain};
use crate::sink::{BuildError, Delivery, DeliveryError, Reason, Receipt, SinkContext, words};
use crate::tls::{self, Trust};

/// How long the end of a conversation may take; nothing hangs on it any more.
const PARTING: Duration = Duration::from_secs(1);

/// Whether a text can be the name in a server's certificate.
pub(super) fn is_name(text: &str) -> bool {
    ServerName::try_from(text).is_ok()
}

/// The server, and how to talk to it.
pub(super) struct Server {
    host: String,
    port: u16,
    name: String,
    tls: EmailTls,
    trust: Trust,
    login: Option<(String, String)>,
    /// What a server might repeat of the login: the password, as it is and as it goes over the wire.
    secrets: Vec<String>,
    from: Mailbox,
    priority: EmailPriority,
    timeout: Duration,
    clock: Arc<dyn Clock>,
    connector: OnceCell<TlsConnector>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({})", self.shown())
    }
}

/// How far the conversation had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Connecting, logging in, naming the sender: what goes wrong concerns every message.
    Opening,
    /// Handing over the message.
    Message,
}

impl Server {
    pub(super) fn new(config: &EmailConfig, context: &SinkContext) -> Result<Self, BuildError> {
        let roots = config.ca.as_ref().map(|ca| tls::read_certificates(&context.path(ca)));
        let roots = roots.transpose().map_err(|why| BuildError::Invalid { key: "ca", why: why.to_string() })?;
        let login = config.auth.as_ref().map(|auth| context.reveal(&auth.password).map(|password| (auth.user.clone(), password)));
        let login = login.transpose().map_err(|source| BuildError::Secret { key: "auth.password", source })?;
        let from = mailbox(&config.from);
        Ok(Self {
            host: config.host.trim().to_owned(),
            port: config.port.unwrap_or(match config.tls {
                EmailTls::Implicit => 465,
                EmailTls::None => 25,
                EmailTls::StartTls | EmailTls::Opportunistic => 587,
            }),
            name: config.server_name.as_deref().unwrap_or(&config.host).trim().to_owned(),
            tls: config.tls,
            trust: match (config.accept_untrusted, roots) {
                (true, _) => Trust::Anything,
                (false, Some(roots)) => Trust::Only(roots),
                (false, None) => Trust::System,
            },
            secrets: login.as_ref().map(secrets).unwrap_or_default(),
            login,
            from: from.ok_or_else(|| BuildError::Invalid { key: "from", why: format!("`{}` is no sender", config.from) })?,
            priority: config.priority,
            timeout: context.timeout,
            clock: Arc::clone(&context.clock),
            connector: OnceCell::new(),
        })
    }

    fn shown(&self) -> String {
        match self.host.parse::<Ipv6Addr>() {
            Ok(address) => format!("[{address}]:{}", self.port),
            Err(_) => format!("{}:{}", self.host, self.port),
        }
    }

    /// Sends a message to its one recipient.
    pub(super) async fn send(&self, delivery: &Delivery<'_>) -> Result<Receipt, DeliveryError> {
        let recipient = delivery.target.as_str();
        if !is_address(recipient) {
            return Err(DeliveryError::permanent(Reason::Rejected, format!("`{recipient}` is no mail address")));
        }
        let mail = self.mail(delivery)?;
        self.in_time(self.talk(Some((recipient, &mail)))).await
    }

    /// Connects, logs in and takes leave.
    pub(super) async fn check(&self) -> Result<Receipt, DeliveryError> {
        self.in_time(self.talk(None)).await
    }

    async fn in_time(&self, talk: impl Future<Output = Result<Receipt, DeliveryError>>) -> Result<Receipt, DeliveryError> {
        tokio::time::timeout(self.timeout, talk).await.unwrap_or_else(|_| Err(self.failed(Error::Timeout, Stage::Message)))
    }

    /// The message as it goes over the wire.
    fn mail(&self, delivery: &Delivery<'_>) -> Result<Vec<u8>, DeliveryError> {
        let message = delivery.message;
        let domain = self.from.address.rsplit_once('@').map_or("localhost", |(_, domain)| domain);
        let mut mail = MessageBuilder::new()
            .header("From", HeaderType::Address(Address::new_address(self.from.name.as_deref(), self.from.address.as_str())))
            .header("To", HeaderType::Address(Address::new_address(None::<&str>, delivery.target.as_str())))
            .subject(words::one_line(message.subject.as_deref().unwrap_or_default()))
            .message_id(format!("{}@{domain}", delivery.key))
            .date(self.clock.now().as_second());
        let marks = match self.priority {
            EmailPriority::High => Some(("1 (Highest)", "High")),
            EmailPriority::Low => Some(("5 (Lowest)", "Low")),
            EmailPriority::Normal => None,
        };
        if let Some((number, word)) = marks {
            for (name, value) in [("X-Priority", number), ("X-MSMail-Priority", word), ("Importance", word)] {
                mail = mail.header(name, Raw::new(value));
            }
        }
        let mail = match &message.text {
            _ if message.content_type == TEXT => mail.text_body(crlf(&message.body)),
            Some(text) => mail.text_body(crlf(text)).html_body(crlf(&message.body)),
            None => mail.html_body(crlf(&message.body)),
        };
        let made = mail.write_to_vec();
        made.map_err(|why| DeliveryError::permanent(Reason::Rejected, format!("the message can't be written: {why}")))
    }

    async fn talk(&self, message: Option<(&str, &[u8])>) -> Result<Receipt, DeliveryError> {
        let mut builder = SmtpClientBuilder::new_with_tls_connector(self.name.as_str(), self.port, self.connector().await?.clone());
        builder.addr = self.shown();
        builder.timeout = self.timeout;
        builder.tls_implicit = self.tls == EmailTls::Implicit;
        // The greeting is said below, so that a refused login can be told from a refused connection.
        builder.say_ehlo = false;
        let opening = async {
            match self.tls {
                EmailTls::None => Ok(Either::Plain(builder.connect_plain().await?)),
                EmailTls::StartTls | EmailTls::Implicit => Ok(Either::Tls(builder.connect().await?)),
                EmailTls::Opportunistic => match builder.connect().await {
                    Err(Error::MissingStartTls) => Ok(Either::Plain(builder.connect_plain().await?)),
                    secured => Ok(Either::Tls(secured?)),
                },
            }
        };
        let opened = tokio::time::timeout(self.timeout / 2, opening).await.unwrap_or(Err(Error::Timeout));
        let name = builder.local_host.as_str();
        match opened.map_err(|error| self.failed(error, Stage::Opening))? {
            Either::Plain(client) => self.converse(client, name, message).await,
            Either::Tls(client) => self.converse(client, name, message).await,
        }
    }

    async fn converse<T: AsyncRead + AsyncWrite + Unpin>(
        &self,
        mut client: SmtpClient<T>,
        name: &str,
        message: Option<(&str, &[u8])>,
    ) -> Result<Receipt, DeliveryError> {
        let result = self.hand_over(&mut client, name, message).await;
        // What the server has accepted stays accepted, whatever becomes of the farewell.
        let _ = tokio::time::timeout(PARTING, client.quit()).await;
        result
    }

    async fn hand_over<T: AsyncRead + AsyncWrite + Unpin>(
        &self,
        client: &mut SmtpClient<T>,
        name: &str,
        message: Option<(&str, &[u8])>,
    ) -> Result<Receipt, DeliveryError> {
        let opening = |error| self.failed(error, Stage::Opening);
        let capabilities = client.capabilities(name, false).await.map_err(opening)?;
        if let Some((user, password)) = &self.login {
            let credentials = Credentials::new(user.as_str(), password.as_str());
            client.authenticate(&credentials, &capabilities).await.map_err(opening)?;
        }
        let Some((recipient, mail)) = message else {
            let login = if self.login.is_some() { " and takes the login" } else { "" };
            return Ok(Receipt { detail: format!("{} answers{login}", self.shown()) });
        };
        let failed = |error| self.failed(error, Stage::Message);
        // A sender that is refused is refused for every message.
        client.mail_from(&self.from.address, &Parameters::new()).await.map_err(opening)?;
        client.rcpt_to(recipient, &Parameters::new()).await.map_err(failed)?;
        let reply = client.data(mail).await.map_err(failed)?;
        Ok(Receipt { detail: self.reply(reply.code, reply.esc, &reply.message) })
    }

    async fn connector(&self) -> Result<&TlsConnector, DeliveryError> {
        let make = || async {
            // A connection that is never secured does not ask whom the system trusts.
            let trust = if self.tls == EmailTls::None { Trust::Anything } else { self.trust.clone() };
            // Reading the system's roots blocks.
            let made = tokio::task::spawn_blocking(move || tls::client_config(trust, None)).await;
            let fault = |why: String| DeliveryError::transient(Reason::Tls, format!("TLS can't be set up: {why}"));
            let config = made.map_err(|why| fault(why.to_string()))?.map_err(|why| fault(why.to_string()))?;
            Ok(TlsConnector::from(Arc::new(config)))
        };
        self.connector.get_or_try_init(make).await
    }

    /// A reply in one short line, without the password should a server repeat it.
    fn reply(&self, code: u16, [class, subject, detail]: [u8; 3], text: &str) -> String {
        const LONGEST: usize = 200;
        let mut text = words::one_line(text).trim().to_owned();
        for secret in &self.secrets {
            text = text.replace(secret.as_str(), "***");
        }
        let enhanced = if class > 0 { format!(" {class}.{subject}.{detail}") } else { String::new() };
        let text: String = text.chars().take(LONGEST).collect();
        format!("{code}{enhanced} {text}").trim_end().to_owned()
    }

    fn failed(&self, error: Error, stage: Stage) -> DeliveryError {
        let server = self.shown();
        let transient = |reason, message: String| DeliveryError::transient(reason, message);
        match error {
            Error::Timeout => {
                let limit = humantime::format_duration(self.timeout);
                transient(Reason::Timeout, format!("{server} did not answer in time (`timeout` is {limit})"))
            }
            Error::Io(why) => {
                let doing = if stage == Stage::Opening { "can't connect to" } else { "lost the connection to" };
                transient(Reason::Unreachable, format!("{doing} {server}: {why}"))
            }
            Error::Tls(why) => {
                let remedies = Remedies {
                    name: "set `host` to a name that it is for, or `server_name`",
                    plain: "set `tls` to \"starttls\" if its port begins without (587, 25), or see whether `port` is right",
                };
                transient(Reason::Tls, format!("no trusted connection to {server}: {}", explain(&why, remedies)))
            }
            Error::MissingStartTls => {
                let help = "set `tls` to \"implicit\" if its port speaks TLS from the start (465), or to \"opportunistic\" or \"none\" to send without";
                transient(Reason::Tls, format!("{server} does not offer STARTTLS, which `tls = \"starttls\"` demands; {help}"))
            }
            Error::InvalidTLSName => {
                transient(Reason::Tls, format!("`{}` can't be the name in a certificate; set `server_name`", self.name))
            }
            Error::UnparseableReply => {
                transient(Reason::Unreachable, format!("{server} closed the connection, or answered what is no SMTP reply"))
            }
            Error::AuthenticationFailed(reply) if !(400..500).contains(&reply.code) => {
                let said = self.reply(reply.code, reply.esc, &reply.message);
                transient(Reason::Refused, format!("{server} refuses the login: {said}; check `auth`"))
            }
            Error::UnsupportedAuthMechanism | Error::Auth(_) => {
                let how = if self.tls == EmailTls::None { "; it may do so over TLS only" } else { "" };
                transient(
                    Reason::Refused,
                    format!("{server} offers no login by PLAIN or LOGIN over this connection{how}; check `auth` and `tls`"),
                )
            }
            Error::AuthenticationFailed(reply) | Error::UnexpectedReply(reply) => {
                let message = format!("{server} answered {}", self.reply(reply.code, reply.esc, &reply.message));
                match (reply.code, stage) {
                    (400..=499, _) => transient(Reason::ServerError, message),
                    (530 | 534 | 535 | 538, _) => transient(Reason::Refused, format!("{message}; check `auth` and `tls`")),
                    (500..=599, Stage::Opening) => transient(Reason::Refused, format!("{message}; check `host`, `auth` and `from`")),
                    (552, Stage::Message) => DeliveryError::permanent(Reason::TooLarge, message),
                    (500..=599, Stage::Message) => DeliveryError::permanent(Reason::Rejected, message),
                    _ => transient(Reason::Protocol, message),
                }
            }
            other => transient(Reason::Protocol, format!("{server}: {other}")),
        }
    }
}

/// The password, and the texts of base64 in which it goes to a server that knows PLAIN or LOGIN.
fn secrets((user, password): &(String, String)) -> Vec<String> {
    if password.is_empty() {
        return Vec::new();
    }
    vec![base64(&format!("\0{user}\0{password}")), base64(password), password.clone()]
}

fn base64(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let four = |three: &[u8]| {
        let bits = (0..3).fold(0_usize, |bits, at| bits << 8 | usize::from(three.get(at).copied().unwrap_or(0)));
        let digit = |at: usize| if at > three.len() { '=' } else { char::from(DIGITS[bits >> (18 - 6 * at) & 63]) };
        [digit(0), digit(1), digit(2), digit(3)]
    };
    text.as_bytes().chunks(3).flat_map(four).collect()
}

enum Either<P, T> {
    Plain(P),
    Tls(T),
}

/// The text with the line ends of mail, and without what mail can't hold.
fn crlf(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    text.replace(|c: char| c.is_control() && !matches!(c, '\n' | '\t'), "\u{fffd}").replace('\n', "\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_are_those_of_mail() {
        assert_eq!(crlf("a\nb\r\nc\rd"), "a\r\nb\r\nc\r\nd");
        assert_eq!(crlf("a\0\x1b\tb"), "a\u{fffd}\u{fffd}\tb");
    }

    #[test]
    fn a_password_is_known_in_every_form_that_it_is_sent_in() {
        let found = secrets(&("butler".to_owned(), "p4ss".to_owned()));
        assert_eq!(found, ["AGJ1dGxlcgBwNHNz", "cDRzcw==", "p4ss"]);
        assert!(secrets(&("butler".to_owned(), String::new())).is_empty());
    }

    #[test]
    fn names_are_hosts_or_addresses() {
        for good in ["smtp.example.com", "localhost", "10.0.0.1", "::1"] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "smtp.example.com:25", "a b", "https://x"] {
            assert!(!is_name(bad), "{bad}");
        }
    }
}
