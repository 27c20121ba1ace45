//! A running site.

use std::fmt::Write;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;
use uuid::Uuid;

use super::certificates::{Certificates, names};
use super::error::{RunError, SiteError};
use super::execution::{Execution, Run};
use super::faults::{Fault, On, fits};
use super::listen::{self, Service};
use super::outcome::Outcome;
use super::pace::Pace;
use super::requests::SiteRequest;
use super::run::begin;
use super::shared::Shared;
use super::state::{ExecutionRecord, SiteState, Step};
use crate::clock::{Clock, SystemClock};
use crate::event::ExecutionStatus;

/// Where and how a site runs.
#[derive(Debug, Clone)]
pub struct SiteOptions {
    /// Where the repository listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where the engine listens; port 0 takes a free one.
    pub engine: SocketAddr,
    /// The folder that keeps the certificates: those that are there are used again, so that a Butler need not be told of new ones. Without a folder
    /// new ones are made, and [`Site::write_certificates`] writes what a Butler needs of them.
    pub certificates: Option<PathBuf>,
    /// Names and addresses that the certificate is for, beside this machine's own.
    pub names: Vec<String>,
    /// How fast tasks run.
    pub pace: Pace,
    /// Where log datagrams go; nowhere if there is none. See [`Site::send_datagrams_to`].
    pub datagrams_to: Option<SocketAddr>,
    /// What tells the time, and waits.
    pub clock: Arc<dyn Clock>,
}

impl Default for SiteOptions {
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            engine: (Ipv4Addr::LOCALHOST, 0).into(),
            certificates: None,
            names: Vec::new(),
            pace: Pace::default(),
            datagrams_to: None,
            clock: Arc::new(SystemClock::default()),
        }
    }
}

/// A simulated Qlik Sense site that listens. Dropping it ends it: the port is free, connections break, and runs that were started through the repository stop.
#[derive(Debug)]
pub struct Site {
    address: SocketAddr,
    pub(super) engine: SocketAddr,
    certificates: Certificates,
    pub(super) shared: Arc<Shared>,
    servers: [AbortHandle; 2],
}

impl Site {
    /// Starts one. It listens when this returns.
    ///
    /// # Errors
    /// [`SiteError`]: a state that is not consistent, a port in use, a folder that can't be written to.
    pub async fn start(state: SiteState, options: SiteOptions) -> Result<Self, SiteError> {
        state.check()?;
        let names = names(options.listen.ip(), &options.names);
        let certificates = match &options.certificates {
            Some(folder) => Certificates::of_folder(folder, &state.node, &names)?,
            None => Certificates::generate(&state.node, &names).map_err(SiteError::Generate)?,
        };
        let acceptor = TlsAcceptor::from(Arc::new(certificates.server_config()?));
        let (repository, address) = bind(options.listen).await?;
        let (engine, engine_address) = bind(options.engine).await?;
        let shared = Arc::new(Shared::new(state, options.clock, options.pace, options.datagrams_to));
        let servers = [(Service::Repository, repository), (Service::Engine, engine)].map(|(service, listener)| {
            tokio::spawn(listen::serve(service, listener, acceptor.clone(), Arc::clone(&shared))).abort_handle()
        });
        Ok(Self { address, engine: engine_address, certificates, shared, servers })
    }

    /// Where the repository listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Writes what a Butler needs: `client.pem`, `client_key.pem` and `root.pem`, named as the QMC exports them. The folder is made if it is not there; files of these names are overwritten.
    ///
    /// # Errors
    /// The folder can't be written to.
    pub fn write_certificates(&self, folder: impl AsRef<Path>) -> io::Result<()> {
        self.certificates.export(folder.as_ref())
    }

    /// The lines of `butler.toml` that point a Butler at this site, with its certificates in `folder`.
    #[must_use]
    pub fn configuration(&self, name: &str, folder: impl AsRef<Path>) -> String {
        let (host, engine_host) = (reached(self.address), reached(self.engine));
        let folder = std::path::absolute(folder.as_ref()).unwrap_or_else(|_| folder.as_ref().to_owned());
        let text = |text: &str| toml::Value::String(text.to_owned()).to_string();
        let mut lines = format!("[sites.{}]\n", if is_bare(name) { name.to_owned() } else { text(name) });
        let engine_host = if engine_host == host { String::new() } else { format!("engine.host = {}\n", text(&engine_host)) };
        let (host, port, folder) = (text(&host), self.address.port(), text(&folder.display().to_string()));
        // Writing to a text can't fail.
        let engine = self.engine.port();
        let _ = write!(lines, "host = {host}\nport = {port}\ncertificates = {folder}\n{engine_host}engine.port = {engine}\n");
        lines
    }

    /// How a [`RepositoryClient`](crate::qlik::RepositoryClient) reaches this site, with its certificates in `folder`.
    #[cfg(feature = "qlik")]
    #[must_use]
    pub fn repository_settings(&self, name: &str, folder: impl AsRef<Path>) -> crate::qlik::RepositorySettings {
        let folder = folder.as_ref();
        crate::qlik::RepositorySettings {
            site: name.into(),
            host: reached(self.address),
            port: self.address.port(),
            client_certificate: folder.join("client.pem"),
            client_key: folder.join("client_key.pem"),
            root_certificate: folder.join("root.pem"),
            verify: true,
            user: "UserDirectory=INTERNAL; UserId=sa_repository".to_owned(),
            timeout: Duration::from_secs(30),
            cache: Duration::from_mins(1),
        }
    }

    /// What is in it now.
    #[must_use]
    pub fn state(&self) -> SiteState {
        self.shared.state().clone()
    }

    /// Changes what is in it. No request is answered meanwhile, so `write` must not block.
    pub fn change<R>(&self, write: impl FnOnce(&mut SiteState) -> R) -> R {
        write(&mut self.shared.state())
    }

    /// Sets where log datagrams go from now on; nowhere if there is none.
    pub fn send_datagrams_to(&self, to: Option<SocketAddr>) {
        self.shared.send_datagrams_to(to);
    }

    /// Has a share of the log datagrams get lost from now on, as on a bad network: `0.3` for three of ten, `0.0` for none. The same seed loses the same ones.
    pub fn lose_datagrams(&self, share: f64, seed: u64) {
        self.shared.lose_datagrams(share, seed);
    }

    /// Runs a task to its end, which comes at once or after a while, as the [`Pace`] says; then the datagram about it is sent.
    ///
    /// # Errors
    /// [`RunError`]; if only the datagram could not be sent, the task has run nonetheless.
    ///
    /// # Cancellation
    /// Dropping the future leaves the execution as it stands, for ever under way.
    pub async fn run(&self, task: Uuid, outcome: Outcome) -> Result<Execution, RunError> {
        self.carry_out(Run::new(task, outcome)).await
    }

    /// The same as [`Site::run`], with everything that can be said about a run.
    ///
    /// # Errors
    /// See there.
    pub async fn carry_out(&self, run: Run) -> Result<Execution, RunError> {
        begin(&self.shared, run)?.finish().await
    }

    /// Starts a task that hangs: its execution is under way, and stays so until [`Site::change`] ends it. Its result's id.
    ///
    /// # Errors
    /// There is no such task.
    pub fn hang(&self, task: Uuid) -> Result<Uuid, RunError> {
        let now = self.shared.clock.now();
        let mut state = self.shared.state();
        if state.task(task).is_none() {
            return Err(RunError::UnknownTask(task));
        }
        let id = Uuid::new_v4();
        let steps = vec![Step { at: now, message: "Changing task state to Started".to_owned() }];
        let (execution_id, status) = (Uuid::new_v4(), ExecutionStatus(2));
        state.add_execution(ExecutionRecord { id, execution_id, task, status, start: Some(now), stop: None, steps, script_log: None });
        Ok(id)
    }

    /// Tells of every execution that ends from now on, also of those that were started through the repository.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Execution> {
        self.shared.ended.subscribe()
    }

    /// Has something go wrong: `site.fault("task/full", Fault::Status(503))`. Faults add up: several delays are as long as all of them, and the first other fault decides the
    /// answer.
    pub fn fault(&self, on: impl Into<On>, fault: Fault) {
        self.shared.faults.add(on.into(), fault);
    }

    /// Ends all faults. Requests that hang go on hanging until their connection ends.
    pub fn clear_faults(&self) {
        self.shared.faults.clear();
    }

    /// Takes the whole site down, or up again. While it is down every connection is reset, those that are there and those that come; and what the repository kept in its memory alone is
    /// gone, as if it had been started anew: who wants to be called when something changes.
    pub fn set_down(&self, down: bool) {
        self.shared.subscriptions.forget();
        self.shared.down.send_replace(down);
    }

    /// Starts the repository anew, so fast that nobody notices: it only forgets who wants to be called when something changes.
    pub fn forget_subscriptions(&self) {
        self.shared.subscriptions.forget();
    }

    /// How many have asked to be called when something changes.
    #[must_use]
    pub fn subscriptions(&self) -> usize {
        self.shared.subscriptions.count()
    }

    /// Takes the whole site down, and up again after a while.
    pub fn down_for(&self, duration: Duration) {
        self.set_down(true);
        let shared = Arc::clone(&self.shared);
        self.shared.in_background(async move {
            shared.clock.sleep(duration).await;
            shared.down.send_replace(false);
        });
    }

    /// The requests that it has got, the latest twenty thousand, also those that were refused or never answered.
    #[must_use]
    pub fn requests(&self) -> Vec<SiteRequest> {
        self.shared.requests.all()
    }

    /// How many of these were for paths that fit; see [`On`] for the patterns.
    #[must_use]
    pub fn count(&self, path: &str) -> usize {
        self.requests().iter().filter(|request| fits(path, &request.path)).count()
    }

    /// How many requests it has got in all.
    #[must_use]
    pub fn total(&self) -> usize {
        self.shared.requests.count()
    }

    /// Waits until it has got `count` requests in all.
    pub async fn wait_for(&self, count: usize) -> Vec<SiteRequest> {
        self.shared.requests.wait_for(count).await
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.servers.iter().for_each(AbortHandle::abort);
        self.shared.end();
    }
}

async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), SiteError> {
    let fault = |why| SiteError::Bind { address, why };
    let listener = TcpListener::bind(address).await.map_err(fault)?;
    let address = listener.local_addr().map_err(fault)?;
    Ok((listener, address))
}

/// The host by which this machine reaches what listens there.
pub(super) fn reached(address: SocketAddr) -> String {
    if address.ip().is_unspecified() { "localhost".to_owned() } else { address.ip().to_string() }
}

fn is_bare(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}
