//! The admin API.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::clock::Clock;
use crate::pipeline::Health;
use crate::source::{IntakeCounters, Stop};
use crate::store::Store;

/// Why the API can't listen.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The address can't be listened on.
    #[error("can't listen on {address} for the API: {why}. {remedy}")]
    Bind {
        /// The address.
        address: String,
        /// What the system said.
        why: std::io::Error,
        /// What to do.
        remedy: String,
    },
}

/// What the API tells of.
#[derive(Debug, Clone)]
pub struct ApiState {
    store: Arc<dyn Store>,
    intake: Arc<IntakeCounters>,
    health: Arc<Health>,
    clock: Arc<dyn Clock>,
}

impl ApiState {
    /// Of these.
    pub fn new(store: Arc<dyn Store>, intake: Arc<IntakeCounters>, health: Arc<Health>, clock: Arc<dyn Clock>) -> Self {
        Self { store, intake, health, clock }
    }
}

/// A server that is bound and does not serve yet.
#[derive(Debug)]
pub struct Server(tokio::net::TcpListener);

impl Server {
    /// Binds.
    ///
    /// # Errors
    /// [`ApiError::Bind`].
    pub async fn bind(listen: &str) -> Result<Self, ApiError> {
        let bound = tokio::net::TcpListener::bind(listen).await;
        bound.map(Self).map_err(|why| ApiError::Bind { address: listen.to_owned(), why, remedy: String::new() })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap_or_else(|_| ([0, 0, 0, 0], 0).into())
    }

    /// Serves until it is told to stop.
    pub async fn serve(self, state: ApiState, stop: Stop) {
        let _ = state;
        stop.cancelled().await;
    }
}
