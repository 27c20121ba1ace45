//! One connection, from the handshake to its end.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::Watcher;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tower::Service;

use super::auth::Shown;
use super::connections::{Doing, Seat};
use super::watched::{Answered, Late, Timely, Watched};
use super::{guard, tls, v4};

/// About the most that the head of a request may be long, in bytes; what came along with its end still counts.
const LONGEST_HEAD: usize = 32 << 10;

/// What is known about a connection before anything was said.
pub(super) struct Conversation {
    pub(super) app: Router,
    /// Where it arrived.
    pub(super) arrived: SocketAddr,
    /// Where it comes from.
    pub(super) client: Option<SocketAddr>,
    /// How long the body of a request may take.
    pub(super) body_limit: Duration,
}

impl Conversation {
    /// Answers requests until one side has enough. Whose time is up is closed from outside.
    pub(super) async fn hold(self, stream: TcpStream, tls: Option<Arc<ServerConfig>>, seat: Arc<Seat>, watcher: Watcher) {
        // Beneath TLS, where it is seen what the client takes, and not what is encrypted and kept for it.
        let stream = Watched::new(stream, Arc::clone(&seat));
        let Some(config) = tls else { return self.talk(stream, None, seat, watcher).await };
        seat.turn(Doing::Handshake);
        match TlsAcceptor::from(config).accept(stream).await {
            Ok(stream) => {
                let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
                let shown =
                    certificate.map(|certificate| Shown(tls::subject(certificate).unwrap_or_else(|| "without a name".into()).into()));
                seat.turn(Doing::Head);
                self.talk(stream, shown, seat, watcher).await;
            }
            Err(error) => tracing::debug!(client = ?self.client, %error, "A client did not come to terms about TLS."),
        }
    }

    async fn talk<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
        self,
        stream: S,
        shown: Option<Shown>,
        seat: Arc<Seat>,
        watcher: Watcher,
    ) {
        let stream = TokioIo::new(stream);
        let service = hyper::service::service_fn(move |request: Request<Incoming>| {
            seat.turn(Doing::Work);
            self.answer(request, shown.clone(), Arc::clone(&seat))
        });
        let mut http = http1::Builder::new();
        // The time for a head is watched from outside, where it is told from the time between two requests.
        http.header_read_timeout(None).max_buf_size(LONGEST_HEAD);
        // A client that goes away is none of our business.
        let _ = watcher.watch(http.serve_connection(stream, service)).await;
    }

    fn answer(
        &self,
        mut request: Request<Incoming>,
        shown: Option<Shown>,
        seat: Arc<Seat>,
    ) -> impl Future<Output = Result<Response<Answered>, Infallible>> + use<> {
        let late = Late::default();
        let extensions = request.extensions_mut();
        extensions.insert(guard::Arrived(self.arrived));
        extensions.insert(late.clone());
        if let Some(client) = self.client {
            extensions.insert(ConnectInfo(client));
        }
        if let Some(shown) = shown {
            extensions.insert(shown);
        }
        let (mut app, limit) = (self.app.clone(), self.body_limit);
        async move {
            let request = v4::prepare(request).map(|body| Body::new(Timely::new(body, Arc::clone(&seat), late, limit)));
            let answered = app.call(request).await?;
            Ok(answered.map(|body| Answered::new(body, seat)))
        }
    }
}
