//! The server: where it listens, who is let in, and its end.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, Request};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router};
use hyper_util::server::graceful::GracefulShutdown;
use ipnet::IpNet;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::auth::Access;
use super::connections::{Connections, Limits};
use super::conversation::Conversation;
use super::tls::ServerTls;
use super::{ApiState, admin, description, front, v4};
use crate::listen::{Setting, remedy};
use crate::source::Stop;

/// How long the server rests when the system gives it no connection: it has no more file handles, most likely.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

const SETTING: Setting = Setting { key: "[api] listen", usual_host: "127.0.0.1", usual_port: 8080, protocol: "TCP", along: "" };

/// Why the API can't listen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApiError {
    /// The address can't be listened on.
    #[error("can't listen on {address} for the API: {why}. {remedy}")]
    Bind {
        /// The address.
        address: String,
        /// What the system said.
        why: io::Error,
        /// What to do.
        remedy: String,
    },
    /// The certificate that it should show can't be used.
    #[error("the API can't speak TLS: {0}")]
    Tls(#[from] crate::tls::TlsError),
}

/// A server that is bound and does not serve yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    /// The host that was asked for.
    host: String,
    access: Access,
    limits: Limits,
    networks: Option<Vec<IpNet>>,
    tls: Option<Arc<ServerTls>>,
}

impl Server {
    /// Binds `listen`, as `host:port`; port 0 takes a free one. Connections wait until it [serves](Self::serve).
    ///
    /// # Errors
    /// [`ApiError::Bind`], with the remedy.
    pub async fn bind(listen: &str) -> Result<Self, ApiError> {
        let bound = async {
            let listener = TcpListener::bind(listen).await?;
            let address = listener.local_addr()?;
            let host = listen.rsplit_once(':').map_or(listen, |(host, _)| host).to_owned();
            Ok(Self { listener, address, host, access: Access::default(), limits: Limits::default(), networks: None, tls: None })
        };
        bound.await.map_err(|why| ApiError::Bind { address: listen.to_owned(), remedy: remedy(&SETTING, listen, &why), why })
    }

    /// Lets those in whom `access` lets in; without it, whoever connects from this machine.
    #[must_use]
    pub fn admitting(self, access: Access) -> Self {
        Self { access, ..self }
    }

    /// Gives connections this much time and room.
    #[must_use]
    pub fn limited(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Takes connections from these networks and from this machine alone, if there are any.
    #[must_use]
    pub fn from_networks(self, networks: Option<Vec<IpNet>>) -> Self {
        Self { networks, ..self }
    }

    /// Speaks TLS.
    #[must_use]
    pub fn over_tls(self, tls: Option<ServerTls>) -> Self {
        Self { tls: tls.map(Arc::new), ..self }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it is reached, as the start of a URL.
    fn origin(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}:{}", self.host, self.address.port())
    }

    /// Serves until it is told to stop, then lets the requests under way end, for as long as [`Limits::drain`] says.
    ///
    /// # Cancellation
    /// Dropping the future ends every connection at once.
    pub async fn serve(self, state: ApiState, stop: Stop) {
        let origin = self.origin();
        let Self { listener, address, host: _, access, limits, networks, tls } = self;
        let connections = Connections::new(limits);
        // What runs beside and every connection end with the server: the sets abort what they hold.
        let mut beside = JoinSet::new();
        let (keeping, clock, watching) = (access.clone(), Arc::clone(state.clock()), Arc::clone(&connections));
        beside.spawn(async move { keeping.keep_uses(clock).await });
        beside.spawn(async move { watching.watch().await });
        if let Some(tls) = &tls {
            beside.spawn(Arc::clone(tls).watch());
        }
        let app = app(state, access, &connections, &origin);
        let ending = GracefulShutdown::new();
        let mut tasks = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                accepted = listener.accept() => accepted,
            };
            while tasks.try_join_next().is_some() {}
            let stream = match accepted {
                Ok((stream, _)) => stream,
                // The client has gone already.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
                Err(error) => {
                    tracing::warn!(%error, "The API can't take a connection; trying again.");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let client = stream.peer_addr().ok();
            if !admits(networks.as_deref(), client.map(|client| client.ip().to_canonical())) {
                connections.turned_away(client);
                continue;
            }
            let room = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                room = connections.room() => room,
            };
            // Small answers leave at once; where that can't be set, they leave a little later.
            let _ = stream.set_nodelay(true);
            let arrived = stream.local_addr().unwrap_or(address);
            let conversation = Conversation { app: app.clone(), arrived, client, body_limit: connections.limits().body };
            let (tls, watcher) = (tls.as_ref().map(|tls| tls.current()), ending.watcher());
            connections.seat(client.map(|client| client.ip().to_canonical()), room, |seat, leave| {
                tasks.spawn(async move {
                    conversation.hold(stream, tls, seat, watcher).await;
                    drop(leave);
                })
            });
        }
        drop(listener);
        connections.end();
        let drain = connections.limits().drain;
        if tokio::time::timeout(drain, ending.shutdown()).await.is_err() {
            tracing::warn!("Requests to the API did not end within {} s, and are broken off.", drain.as_secs());
        }
    }
}

/// Whether connections from this address are taken: all are if there is no list, and those of this machine in any case.
fn admits(networks: Option<&[IpNet]>, client: Option<IpAddr>) -> bool {
    let Some(networks) = networks else { return true };
    client.is_some_and(|client| client.is_loopback() || networks.iter().any(|network| network.contains(&client)))
}

fn app(state: ApiState, access: Access, connections: &Arc<Connections>, origin: &str) -> Router {
    let admin = description::described(admin::routes()).layer(axum::middleware::map_response(harden));
    let all = admin.merge(v4::routes(&state, origin)).fallback(unknown);
    let all = all.layer(Extension(access.clone())).layer(Extension(Arc::clone(connections)));
    all.layer(axum::middleware::from_fn_with_state(access, front::pass)).with_state(state)
}

/// An address that nothing stands at is answered as its neighbours answer.
async fn unknown(request: Request<Body>) -> Response {
    match request.uri().path().starts_with("/api/") {
        true => harden(admin::unknown(request.uri()).into_response()).await,
        false => v4::unknown(request).await,
    }
}

/// Answers are about now, and are never anything but what they say they are.
async fn harden(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert("cache-control", HeaderValue::from_static("no-store"));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_in_use_names_the_port_and_the_way_out() {
        let first = Server::bind("127.0.0.1:0").await.unwrap();
        let error = Server::bind(&first.address().to_string()).await.unwrap_err().to_string();
        let port = first.address().port();
        assert!(error.starts_with(&format!("can't listen on 127.0.0.1:{port} for the API: ")), "{error}");
        assert!(error.contains("perhaps by another Butler") && error.ends_with("set another `[api] listen`"), "{error}");
    }

    #[test]
    fn a_list_of_networks_admits_these_and_this_machine() {
        let networks: Vec<IpNet> = ["10.0.0.0/8", "192.0.2.7/32", "2001:db8::/32"].map(|network| network.parse().unwrap()).to_vec();
        let admitted = |address: &str| admits(Some(&networks), Some(address.parse().unwrap()));
        assert!(["10.1.2.3", "192.0.2.7", "2001:db8::1", "127.0.0.1", "::1"].into_iter().all(admitted));
        assert!(!["11.0.0.1", "192.0.2.8", "2001:db9::1"].into_iter().any(admitted));
        assert!(admits(None, None) && !admits(Some(&networks), None));
    }
}
