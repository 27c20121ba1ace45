//! What happens, as it happens: a stream of server-sent events.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::{StreamExt, stream};
use tokio::sync::Semaphore;
use tokio::sync::broadcast::error::RecvError;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::ApiState;
use super::auth::{Access, Caller, behind, require};
use super::problem::Refusal;
use crate::config::Scope;
use crate::pipeline::Happening;

/// So many may watch at once: each holds a connection.
const MOST_WATCHERS: usize = 32;
/// Something is sent at least so often, so that whoever stands between knows that both are there.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// A place for each that watches.
#[derive(Debug, Clone)]
struct Seats(Arc<Semaphore>);

pub(super) fn routes() -> OpenApiRouter<ApiState> {
    let seats = Seats(Arc::new(Semaphore::new(MOST_WATCHERS)));
    behind(require(Scope::Read), OpenApiRouter::new().routes(routes!(watch)).layer(Extension(seats)))
}

/// Watch what happens, as it happens
#[utoipa::path(
    get, path = "/api/stream", tag = "Events",
    responses((status = OK, body = Happening, content_type = "text/event-stream", description = "Server-sent events, the data of each of which is one of these."))
)]
async fn watch(
    State(state): State<ApiState>,
    Extension(Seats(seats)): Extension<Seats>,
    Extension(access): Extension<Access>,
    Extension(caller): Extension<Caller>,
) -> Result<impl IntoResponse, Refusal> {
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
    let happenings = happenings.take_until(async move { access.over(&caller).await });
    Ok(Sse::new(happenings).keep_alive(KeepAlive::new().interval(HEARTBEAT)))
}
