//! Connections: taken, encrypted, and broken on command.

use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::answer::answer;
use super::engine;
use super::fuse::{Fuse, Fused};
use super::shared::Shared;

/// What listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    Repository,
    Engine,
}

pub(super) async fn serve(service: Service, listener: TcpListener, acceptor: TlsAcceptor, shared: Arc<Shared>) {
    // Connections end with the server: the set aborts what it holds.
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((tcp, _)) => {
                connections.spawn(connection(service, tcp, acceptor.clone(), Arc::clone(&shared)));
            }
            // One that broke before it was taken, or no descriptors left: that passes, but not by a clock that a test moves.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn connection(service: Service, tcp: TcpStream, acceptor: TlsAcceptor, shared: Arc<Shared>) {
    // Answers are small and are wanted at once; without it they are only later.
    let _ = tcp.set_nodelay(true);
    let fuse = Fuse::default();
    let stream = Fused::new(tcp, fuse.clone());
    let mut down = shared.down.subscribe();
    let is_down = async {
        // The sender lives in what is shared, so the wait cannot fail.
        let _ = down.wait_for(|down| *down).await;
        fuse.blow();
    };
    let exchange = async {
        // A client that is refused, or goes away, is none of our business.
        let Ok(stream) = acceptor.accept(stream).await else { return };
        if service == Service::Engine {
            return engine::serve(stream, &shared, &fuse).await;
        }
        let service = service_fn(|request| answer(&shared, &fuse, request));
        let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    };
    tokio::select! {
        biased;
        () = is_down => {}
        () = exchange => {}
    }
}
