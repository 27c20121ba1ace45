//! Tokens: which there are, making and revoking them.

use std::time::Duration;

use axum::extract::{Path, Request};
use axum::http::StatusCode;
use axum::{Extension, Json};
use tower_http::timeout::TimeoutLayer;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::ApiState;
use super::admin::{Answer, body};
use super::answers::{ListedToken, MadeToken, NewToken, Problem};
use super::auth::{Access, TokenError, behind, require};
use super::problem::Refusal;
use crate::config::Scope;

const TIMEOUT: Duration = Duration::from_secs(30);
const LONGEST_BODY: usize = 16 << 10;

pub(super) fn routes() -> OpenApiRouter<ApiState> {
    let routes = OpenApiRouter::new().routes(routes!(list, make)).routes(routes!(revoke));
    behind(require(Scope::Admin), routes).route_layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, TIMEOUT))
}

/// List tokens
#[utoipa::path(get, path = "/api/tokens", tag = "Tokens", responses((status = OK, body = Vec<ListedToken>, description = "The tokens, without what is secret about them.")))]
async fn list(Extension(access): Extension<Access>) -> Json<Vec<ListedToken>> {
    Json(access.tokens())
}

/// Make a token
#[utoipa::path(
    post, path = "/api/tokens", tag = "Tokens", request_body = NewToken,
    responses(
        (status = OK, body = MadeToken, description = "The token. Its secret is shown this once."),
        (status = CONFLICT, body = Problem, description = "There is one of this name, or there are too many."),
    )
)]
async fn make(Extension(access): Extension<Access>, request: Request) -> Answer<MadeToken> {
    let new: NewToken = body(request, LONGEST_BODY).await?;
    let (secret, listed) = access.make_token(new).await?;
    Ok(Json(MadeToken { secret, token: listed }))
}

/// Revoke a token
#[utoipa::path(
    delete, path = "/api/tokens/{name}", tag = "Tokens",
    params(("name" = String, Path, description = "Its name.")),
    responses(
        (status = OK, body = ListedToken, description = "It opens nothing any more."),
        (status = NOT_FOUND, body = Problem, description = "There is no such token."),
        (status = CONFLICT, body = Problem, description = "It stands in the configuration, and has to be removed there."),
    )
)]
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
            TokenError::TooMany | TokenError::Nowhere | TokenError::Configured(_) => Self::conflict(words),
            TokenError::NoChance | TokenError::BrokenOff => Self::new(StatusCode::INTERNAL_SERVER_ERROR, words),
        }
    }
}
