//! Tokens: which there are, making and revoking them.

use std::time::Duration;

use axum::extract::{Path, Request};
use axum::http::StatusCode;
use axum::routing::{delete, get};
use axum::{Extension, Json, Router};
use tower_http::timeout::TimeoutLayer;

use super::ApiState;
use super::admin::{Answer, body};
use super::answers::{ListedToken, MadeToken, NewToken};
use super::auth::{Access, TokenError, require};
use super::problem::Refusal;
use crate::config::Scope;

const TIMEOUT: Duration = Duration::from_secs(30);
const LONGEST_BODY: usize = 16 << 10;

pub(super) fn routes() -> Router<ApiState> {
    let routes = Router::new().route("/api/tokens", get(list).post(make)).route("/api/tokens/{name}", delete(revoke));
    routes.route_layer(require(Scope::Admin)).route_layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, TIMEOUT))
}

async fn list(Extension(access): Extension<Access>) -> Json<Vec<ListedToken>> {
    Json(access.tokens())
}

async fn make(Extension(access): Extension<Access>, request: Request) -> Answer<MadeToken> {
    let new: NewToken = body(request, LONGEST_BODY).await?;
    let (secret, listed) = access.make_token(new).await?;
    Ok(Json(MadeToken { secret, token: listed }))
}

async fn revoke(Extension(access): Extension<Access>, Path(name): Path<String>) -> Answer<ListedToken> {
    Ok(Json(access.revoke_token(&name).await?))
}

impl From<TokenError> for Refusal {
    fn from(error: TokenError) -> Self {
        let words = error.to_string();
        match error {
            TokenError::Store(error) => error.into(),
            TokenError::BadName(_) | TokenError::NoScope | TokenError::BadLife => Self::bad_request(words),
            TokenError::Missing(_) => Self::not_found(words),
            TokenError::Exists(_) => Self::conflict(words).remedy("Revoke it first, or take another name."),
            TokenError::TooMany | TokenError::Configured(_) => Self::conflict(words),
            TokenError::NoChance => Self::new(StatusCode::INTERNAL_SERVER_ERROR, words),
        }
    }
}
