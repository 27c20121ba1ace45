//! The server: connections, their limits, and their end.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderValue, Request};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tower::Service;

use super::auth::Access;
use super::{ApiState, admin, front, guard, v4};
use crate::listen::{Setting, remedy};
use crate::source::Stop;

/// Connections at a time; further ones wait in the system's queue.
const MOST_CONNECTIONS: usize = 128;
/// How long a client may take to say what it wants; also how long a connection may idle.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);
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
}

/// A server that is bound and does not serve yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    access: Access,
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
            Ok(Self { listener, address, access: Access::default() })
        };
        bound.await.map_err(|why| ApiError::Bind { address: listen.to_owned(), remedy: remedy(&SETTING, listen, &why), why })
    }

    /// Lets those in whom `access` lets in; without it, whoever connects from this machine.
    #[must_use]
    pub fn admitting(self, access: Access) -> Self {
        Self { access, ..self }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until it is told to stop, then lets the requests under way end.
    ///
    /// # Cancellation
    /// Dropping the future ends every connection at once.
    pub async fn serve(self, state: ApiState, stop: Stop) {
        let keeping = self.access.clone();
        let clock = Arc::clone(state.clock());
        let app = app(state, self.access);
        let permits = Arc::new(Semaphore::new(MOST_CONNECTIONS));
        let ending = GracefulShutdown::new();
        // Connections end with the server: the set aborts what it holds.
        let mut connections = JoinSet::new();
        let mut beside = JoinSet::new();
        beside.spawn(async move { keeping.keep_uses(clock).await });
        loop {
            let accepted = async {
                let permit = Arc::clone(&permits).acquire_owned().await;
                (permit, self.listener.accept().await)
            };
            let (permit, accepted) = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                accepted = accepted => accepted,
            };
            while connections.try_join_next().is_some() {}
            match accepted {
                Ok((stream, _)) => {
                    let connection = ending.watch(connection(stream, self.address, app.clone()));
                    connections.spawn(async move {
                        // A client that goes away is none of our business.
                        let _ = connection.await;
                        drop(permit);
                    });
                }
                // The client has gone already.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    tracing::warn!(%error, "The API can't take a connection; trying again.");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop(self.listener);
        ending.shutdown().await;
    }
}

fn app(state: ApiState, access: Access) -> Router {
    let admin = admin::routes().layer(axum::middleware::map_response(harden));
    let all = admin.merge(v4::routes(&state)).fallback(unknown);
    let all = all.layer(Extension(access.clone()));
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

type Connection<S> = http1::Connection<TokioIo<TcpStream>, S>;

fn connection(
    stream: TcpStream,
    listening: SocketAddr,
    app: Router,
) -> Connection<impl hyper::service::HttpService<Incoming, ResBody = Body, Error = Infallible, Future: Send> + Send> {
    // Small answers leave at once; where that can't be set, they leave a little later.
    let _ = stream.set_nodelay(true);
    let arrived = guard::Arrived(stream.local_addr().unwrap_or(listening));
    let client = stream.peer_addr().ok().map(ConnectInfo);
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(arrived);
        if let Some(client) = client {
            request.extensions_mut().insert(client);
        }
        let mut app = app.clone();
        async move {
            match v4::prepare(request) {
                Ok(request) => app.call(request).await,
                Err(answer) => Ok(answer),
            }
        }
    });
    http1::Builder::new().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).serve_connection(TokioIo::new(stream), service)
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
}
