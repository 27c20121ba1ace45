//! Where the repository calls when an execution has ended.
//!
//! Whatever it says, and whoever says it, a call means no more than: read now. So a call that is forged costs one reading, and of those there is at most one a second; a call
//! that gets lost costs nothing but the time until the next reading. The path holds a number that nobody can guess.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::Notifications;
use crate::listen::{Setting, remedy};
use crate::source::SourceError;

/// Connections at a time; further ones wait in the system's queue.
const MOST_CONNECTIONS: usize = 16;
/// How long a connection may last, whatever it does.
const LASTS: Duration = Duration::from_secs(10);
/// How long the listener rests when the system gives it no connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

const SETTING: Setting =
    Setting { key: "notify_listen", usual_host: "0.0.0.0", usual_port: 9997, protocol: "TCP", along: " and in `notify_url`" };

/// A listener for calls. Dropping it ends it.
#[derive(Debug)]
pub(super) struct Notified {
    address: SocketAddr,
    url: String,
    called: Arc<Notify>,
    _server: JoinSet<()>,
}

impl Notified {
    /// Listens from now on.
    pub(super) async fn listen(notifications: &Notifications) -> Result<Self, SourceError> {
        let listen = &notifications.listen;
        let bound = async {
            let listener = TcpListener::bind(listen).await?;
            Ok((listener.local_addr()?, listener))
        };
        let (address, listener) = bound.await.map_err(|why| SourceError::Bind {
            address: listen.clone(),
            what: "calls from the repository",
            remedy: remedy(&SETTING, listen, &why),
            why,
        })?;
        let path: Arc<str> = format!("/{}", Uuid::new_v4().simple()).into();
        let url = format!("{}{path}", notifications.base(address.port()));
        let called = Arc::new(Notify::new());
        let mut server = JoinSet::new();
        server.spawn(serve(listener, path, Arc::clone(&called)));
        Ok(Self { address, url, called, _server: server })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What the repository has to call.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Waits for a call; one that came since the last wait is enough.
    pub(super) async fn called(&self) {
        self.called.notified().await;
    }

    /// As if a call had come.
    pub(super) fn call(&self) {
        self.called.notify_one();
    }
}

async fn serve(listener: TcpListener, path: Arc<str>, called: Arc<Notify>) {
    let permits = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    // Connections end with the server: the set aborts what it holds.
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let (path, called) = (Arc::clone(&path), Arc::clone(&called));
                connections.spawn(async move {
                    // Whoever takes longer, or goes away, has said what matters or never will.
                    let _ = tokio::time::timeout(LASTS, connection(stream, &path, &called)).await;
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::debug!(%error, "A call from the repository could not be taken.");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, path: &str, called: &Notify) -> Result<(), hyper::Error> {
    let service = service_fn(async |request: Request<Incoming>| {
        let status = if request.uri().path() == path { StatusCode::OK } else { StatusCode::NOT_FOUND };
        if status == StatusCode::OK {
            called.notify_one();
        }
        let mut response = Response::new(String::new());
        *response.status_mut() = status;
        Ok::<_, Infallible>(response)
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(LASTS)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service)
        .await
}

#[cfg(all(test, feature = "testkit"))]
mod tests {
    use std::future::Future;
    use std::task::Poll;

    use super::*;

    async fn called(notified: &Notified) -> bool {
        let mut call = std::pin::pin!(notified.called());
        std::future::poll_fn(|context| Poll::Ready(call.as_mut().poll(context).is_ready())).await
    }

    #[tokio::test]
    async fn only_a_call_to_its_own_path_counts_and_several_are_one() {
        let notifications = Notifications { url: "http://127.0.0.1:0/".into(), listen: "127.0.0.1:0".into() };
        let notified = Notified::listen(&notifications).await.unwrap();
        let http = crate::http_client::build(crate::http_client::ClientOptions {
            trust: crate::tls::Trust::Only(Vec::new()),
            system_proxy: false,
            ..Default::default()
        })
        .unwrap();
        let post = async |url: &str| http.post(url).body("[]").send().await.unwrap().status().as_u16();
        assert_eq!(post(&format!("http://{}/", notified.address())).await, 404);
        assert!(!called(&notified).await);
        for _ in 0..3 {
            assert_eq!(post(notified.url()).await, 200);
        }
        assert!(called(&notified).await && !called(&notified).await);
    }

    #[tokio::test]
    async fn a_port_in_use_names_the_setting() {
        let first = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let listen = first.local_addr().unwrap().to_string();
        let error =
            Notified::listen(&Notifications { url: "http://butler:1".into(), listen: listen.clone() }).await.unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("can't listen on {listen} for calls from the repository: ")) && error.contains("`notify_listen`"),
            "{error}"
        );
    }
}
