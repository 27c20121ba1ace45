//! The server: connections, limits, and an end in order.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use axum::middleware;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::TimeoutLayer;

use super::admin::{self, ApiState};
use super::guard::{Guard, guard};
use crate::listen::{Setting, remedy};
use crate::source::Stop;

/// How long a client may take for the head of a request.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// How long an answer may take.
const ANSWER_TIME: Duration = Duration::from_secs(30);
/// The longest body.
const MAX_BODY: usize = 64 << 10;
/// How many connections are served at once.
const MAX_CONNECTIONS: usize = 256;
/// How long to wait after a connection could not be accepted: the process may be out of file handles.
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
}

impl Server {
    /// Binds `host:port`; port 0 takes a free one.
    ///
    /// # Errors
    /// [`ApiError::Bind`], with the remedy.
    pub async fn bind(listen: &str) -> Result<Self, ApiError> {
        let fail = |why: io::Error| {
            let remedy = remedy(&SETTING, listen, &why);
            ApiError::Bind { address: listen.to_owned(), why, remedy }
        };
        let listener = TcpListener::bind(listen).await.map_err(fail)?;
        let address = listener.local_addr().map_err(fail)?;
        Ok(Self { listener, address })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until it is told to stop, then ends the requests under way. Dropping the future ends them at once.
    pub async fn serve(self, state: ApiState, stop: Stop) {
        let is_loopback = self.address.ip().to_canonical().is_loopback();
        let service = admin::routes(state)
            .layer(RequestBodyLimitLayer::new(MAX_BODY))
            .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, ANSWER_TIME))
            .layer(middleware::from_fn_with_state(Guard { is_loopback }, guard))
            .into_service::<hyper::body::Incoming>();
        let connections = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let graceful = GracefulShutdown::new();
        let mut running = tokio::task::JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = accept(&self.listener, &connections) => accepted,
                () = stop.cancelled() => break,
            };
            while running.try_join_next().is_some() {}
            let (stream, place) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "A connection to the API could not be accepted.");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let mut http = hyper::server::conn::http1::Builder::new();
            http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME);
            let connection = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service.clone()));
            let connection = graceful.watch(connection);
            running.spawn(async move {
                // A client that goes away, or speaks no HTTP, is none of our business.
                let _ = connection.await;
                drop(place);
            });
        }
        drop(self.listener);
        graceful.shutdown().await;
        while running.join_next().await.is_some() {}
    }
}

type Place = tokio::sync::OwnedSemaphorePermit;

/// The next connection, once there is a place for it.
async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> io::Result<(TcpStream, Place)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    // Answers are small and written at once: waiting for more to send would only delay them.
    let _ = stream.set_nodelay(true);
    Ok((stream, place))
}
