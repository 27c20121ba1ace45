//! What happens, as it happens: a stream of server-sent events.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::routing::get;
use futures_util::stream;
use tokio::sync::Semaphore;
use tokio::sync::broadcast::error::RecvError;

use super::ApiState;
use super::auth::require;
use super::problem::Refusal;
use crate::config::Scope;
use crate::pipeline::Happening;

/// So many may watch at once: each holds a connection.
const MOST_WATCHERS: usize = 32;
/// Something is sent at least so often, so that whoever stands between knows that both are there.
const HEARTBEAT: Duration = Duration::from_secs(15);

pub(super) fn routes() -> Router<ApiState> {
    let seats = Arc::new(Semaphore::new(MOST_WATCHERS));
    Router::new().route("/api/stream", get(async move |state| watch(state, seats).await)).route_layer(require(Scope::Read))
}

async fn watch(State(state): State<ApiState>, seats: Arc<Semaphore>) -> Result<impl IntoResponse, Refusal> {
    let seat = seats.try_acquire_owned().map_err(|_| {
        let refusal = Refusal::new(StatusCode::SERVICE_UNAVAILABLE, format!("{MOST_WATCHERS} watch already"));
        refusal.remedy("Close one of the other streams, or ask `/api/events` from time to time.")
    })?;
    let (feed, stop) = (state.health().feed().watch(), state.services().stop.clone());
    let happenings = stream::unfold((feed, stop, seat), |(mut feed, stop, seat)| async move {
        let next = tokio::select! {
            biased;
            () = stop.cancelled() => return None,
            next = feed.recv() => next,
        };
        let happening = match next {
            Ok(happening) => happening,
            Err(RecvError::Lagged(count)) => Happening::Missed { count },
            Err(RecvError::Closed) => return None,
        };
        let event = Event::default().json_data(&happening).unwrap_or_default();
        Some((Ok::<_, Infallible>(event), (feed, stop, seat)))
    });
    Ok(Sse::new(happenings).keep_alive(KeepAlive::new().interval(HEARTBEAT)))
}
