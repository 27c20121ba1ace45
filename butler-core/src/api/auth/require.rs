//! A layer that lets nobody through who may not do what its routes do.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use futures_util::future::Either;
use tower::{Layer, Service};
use utoipa::openapi::security::SecurityRequirement;
use utoipa_axum::router::OpenApiRouter;

use super::Caller;
use crate::api::ApiState;
use crate::api::denial::Denial;
use crate::config::Scope;

/// Lets those through who have this scope; to be laid around routes of `/v4`, and with [`behind`] around those of `/api`:
/// `Router::new().route(..).route_layer(require(Scope::KvRead))`. Others are answered 403, and whoever is not known at all 401, in the words of the API that they asked.
pub(in crate::api) fn require(scope: Scope) -> Require {
    Require { one_of: scope.alone() }
}

/// Lets those through who have one of these scopes: of [`Scope::ALL`], whoever may do anything at all.
pub(in crate::api) fn require_any(one_of: &'static [Scope]) -> Require {
    Require { one_of }
}

/// Routes for those who have what is required, and that said in their description.
pub(in crate::api) fn behind(required: Require, mut routes: OpenApiRouter<ApiState>) -> OpenApiRouter<ApiState> {
    for item in routes.get_openapi_mut().paths.paths.values_mut() {
        for operation in [&mut item.get, &mut item.put, &mut item.post, &mut item.delete].into_iter().flatten() {
            operation.security = Some(required.one_of.iter().map(|scope| SecurityRequirement::new("bearer", [scope.as_str()])).collect());
        }
    }
    routes.route_layer(required)
}

/// The layer that [`require`] gives.
#[derive(Debug, Clone, Copy)]
pub(in crate::api) struct Require {
    one_of: &'static [Scope],
}

impl Require {
    fn judge(self, request: &Request) -> Result<(), Denial> {
        // A request that did not pass the front is nobody's.
        let Some(caller) = request.extensions().get::<Caller>() else {
            return Err(Denial::unknown("nobody knows who sent this request"));
        };
        check(caller, self.one_of)
    }
}

/// Refuses who has none of these scopes: for what a route does only for some requests.
pub(in crate::api) fn check(caller: &Caller, one_of: &[Scope]) -> Result<(), Denial> {
    if one_of.iter().any(|scope| caller.may(*scope)) {
        return Ok(());
    }
    let wanted = one_of.iter().map(|scope| format!("`{scope}`")).collect::<Vec<_>>().join(" or ");
    let error = format!("{} may not do this: it takes the scope {wanted}", caller.who);
    Err(Denial::new(StatusCode::FORBIDDEN, error).remedy("`butler-cli token create` makes a token with other scopes."))
}

impl<S> Layer<S> for Require {
    type Service = Required<S>;

    fn layer(&self, inner: S) -> Required<S> {
        Required { inner, scope: *self }
    }
}

/// Routes behind [`Require`].
#[derive(Debug, Clone)]
pub(in crate::api) struct Required<S> {
    inner: S,
    scope: Require,
}

impl<S: Service<Request, Response = Response, Error = Infallible>> Service<Request> for Required<S> {
    type Response = Response;
    type Error = Infallible;
    type Future = Either<Ready<Result<Response, Infallible>>, S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        match self.scope.judge(&request) {
            Ok(()) => Either::Right(self.inner.call(request)),
            Err(denial) => Either::Left(ready(Ok(denial.answer(request.uri().path())))),
        }
    }
}
