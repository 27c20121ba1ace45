//! A remote over HTTP for the suite of sinks.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use crate::config::OptionsTable;
use crate::enrich::LogDesk;
use crate::simulator::inbox::{Answer, Certificates, HttpInbox, ReceivedRequest};
use crate::sink::{Registry, Sink, SinkContext};
use crate::testkit::TestClock;
use crate::testkit::sink_suite::{Received, Remote, TIMEOUT};

/// An [`HttpInbox`] that behaves as the suite of sinks tells it.
#[derive(Debug)]
pub struct HttpRemote {
    /// The receiver.
    pub inbox: HttpInbox,
}

impl HttpRemote {
    /// One that accepts everything.
    ///
    /// # Panics
    /// If no port is to be had.
    pub async fn start() -> Self {
        Self { inbox: HttpInbox::start().await.unwrap_or_else(|why| panic!("no port is to be had: {why}")) }
    }

    /// One that shows a certificate of an issuer that nobody trusts; and that issuer's certificate in PEM form.
    ///
    /// # Panics
    /// If no port or no certificate is to be had.
    pub async fn start_tls() -> (Self, String) {
        let certificates = Certificates::generate().unwrap_or_else(|why| panic!("no certificate is to be had: {why}"));
        let inbox = HttpInbox::start_tls(certificates.server).await.unwrap_or_else(|why| panic!("no port is to be had: {why}"));
        (Self { inbox }, certificates.ca_pem)
    }

    /// Changes how it answers.
    pub fn behave(&self, remote: Remote) -> bool {
        let throttled = |wait: Option<Duration>| match wait {
            Some(wait) => Answer::status(429).header("Retry-After", wait.as_secs().to_string()),
            None => Answer::status(429),
        };
        let echo = "no\r\nthanks";
        self.inbox.answer_always(Some(match remote {
            Remote::Accepts => Answer::ok(),
            Remote::Silent(gate) => Answer::ok().behind(&gate),
            Remote::Throttles(wait) => throttled(wait),
            Remote::RefusesLogin => Answer::status(401).body(echo),
            Remote::Forbids => Answer::status(403).body(echo),
            Remote::RefusesMessage => Answer::status(400).body(echo),
            Remote::IsBusy => Answer::status(503).body(echo),
            Remote::Resets => Answer::reset(),
            Remote::AnswersByHalf => Answer::half(),
        }));
        true
    }

    /// The requests that it accepted, checks left out.
    #[must_use]
    pub fn accepted(&self) -> Vec<ReceivedRequest> {
        let accepted = |request: &ReceivedRequest| request.method != "OPTIONS" && request.answered.is_some_and(|status| status < 300);
        self.inbox.requests().into_iter().filter(accepted).collect()
    }

    /// What it accepted, as the suite wants it. `text` reads what was said off a request.
    pub fn received(&self, text: impl Fn(&ReceivedRequest) -> String) -> Vec<Received> {
        let received = |request: ReceivedRequest| Received {
            key: request.header("idempotency-key").map(str::to_owned),
            text: text(&request),
            headers: request.headers,
        };
        self.accepted().into_iter().map(received).collect()
    }
}

/// A port of the loopback that nobody listens at, nor will while the process lives: it stays taken.
///
/// # Panics
/// If no port is to be had.
#[must_use]
pub fn closed_port() -> u16 {
    let taken = || {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
        let address = socket.local_addr()?;
        std::mem::forget(socket);
        Ok::<_, std::io::Error>(address.as_socket().map_or(0, |address| address.port()))
    };
    taken().unwrap_or_else(|why| panic!("no port is to be had: {why}"))
}

/// Makes a sink from options, as the configuration would.
///
/// # Panics
/// With all that is wrong with the options.
#[must_use]
pub fn make_sink(type_name: &str, options: &str) -> Arc<dyn Sink> {
    let table: toml::Table = toml::from_str(options).unwrap_or_else(|why| panic!("{options}: {why}"));
    let mut issues = crate::config::Issues::default();
    let sink = Registry::with_compiled_in().make(type_name, OptionsTable::from(table), &sink_context(), &mut issues);
    sink.unwrap_or_else(|| panic!("{issues}"))
}

/// A context for sinks under test.
#[must_use]
pub fn sink_context() -> SinkContext {
    SinkContext {
        name: "under-test".into(),
        clock: Arc::new(TestClock::default()),
        base_dir: std::env::temp_dir(),
        timeout: TIMEOUT,
        max_in_flight: 8,
        logs: LogDesk::default(),
    }
}
