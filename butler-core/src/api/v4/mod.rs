//! `/v4`: the API that load scripts call, as they know it.
//!
//! What is asked and answered here is, to the letter, what Butler for Qlik Sense has always asked and answered: paths, statuses, texts, even which JSON is declared as text. So
//! scripts go on working when this program takes the other's place. What is our own stands under `/api` instead.
//!
//! A request passes three places. Before routing, its escapes are looked at, and a `POST` with the header `X-HTTP-Method-Override` becomes the method that is named there, for Qlik's
//! REST connector has no others. At the gate of its endpoint the body is taken, the request is counted against the limit of its client's address, and body and query are
//! made to fit the published schemas: scripts send numbers and booleans as text. Then the endpoint does its work, on values that have the right types.
//!
//! Each endpoint can be switched off with `[api.endpoints]`; then it is answered as any unknown address is.

mod answer;
#[cfg(feature = "qlik")]
mod apps;
#[cfg(test)]
#[cfg(all(feature = "qlik", feature = "testkit"))]
mod apps_tests;
mod document;
mod documentation;
#[cfg(test)]
#[cfg(feature = "testkit")]
mod documentation_tests;
#[cfg(test)]
#[cfg(all(feature = "files", feature = "mqtt", feature = "qlik", feature = "testkit"))]
mod documented_tests;
#[cfg(feature = "files")]
mod files;
#[cfg(test)]
#[cfg(all(feature = "files", feature = "testkit"))]
mod files_tests;
mod incoming;
mod input;
mod key_values;
#[cfg(test)]
#[cfg(feature = "testkit")]
mod key_values_tests;
mod limit;
mod messages;
#[cfg(test)]
#[cfg(feature = "testkit")]
mod messages_tests;
#[cfg(feature = "mqtt")]
mod mqtt;
mod outgoing;
mod schedules;
#[cfg(test)]
#[cfg(feature = "testkit")]
mod schedules_tests;
mod schema;
#[cfg(feature = "qlik")]
mod start_task;
#[cfg(test)]
#[cfg(all(feature = "qlik", feature = "testkit"))]
mod start_task_tests;
mod system;
#[cfg(test)]
#[cfg(feature = "testkit")]
pub(super) mod testing;
#[cfg(test)]
#[cfg(feature = "testkit")]
mod tests;

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::handler::Handler;
use axum::http::Method;
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::{MethodFilter, on};
use serde_json::Value;

use self::document::Operation;
pub(super) use self::incoming::{Unroutable, prepare};
use self::input::Gate;
use self::limit::Limiter;
pub use self::messages::Messaging;
pub(crate) use self::messages::NewRelicPoster;
pub(crate) use self::outgoing::Remote;
use super::ApiState;
use super::auth::require_any;
use crate::config::{Endpoint, Scope};

/// Every endpoint that is switched on, and the answer to everything that is none.
/// The documentation says that they are reached at `origin`, such as `http://127.0.0.1:8080`.
pub(super) fn routes(state: &ApiState, origin: &str) -> Router<ApiState> {
    let endpoints = state.services().endpoints;
    let limiter = Limiter::new(state.services().rate_limit, Arc::clone(state.clock())).map(Arc::new);
    let mut routes = Routes { router: Router::new(), limiter, documented: Vec::new(), to_see: &[], to_change: &[] };
    for endpoint in Endpoint::ALL.iter().filter(|endpoint| endpoints.has(**endpoint)) {
        (routes.to_see, routes.to_change) = scopes(*endpoint);
        routes = match endpoint {
            Endpoint::ApiListEnabledEndpoints => system::endpoints(routes, endpoints),
            Endpoint::Base62ToBase16 => system::base62_to_base16(routes),
            Endpoint::Base16ToBase62 => system::base16_to_base62(routes),
            Endpoint::ButlerPing => system::ping(routes),
            #[cfg(feature = "files")]
            Endpoint::CreateDir => files::create_dir(routes),
            #[cfg(feature = "files")]
            Endpoint::CreateDirQvd => files::create_dir_qvd(routes),
            #[cfg(feature = "files")]
            Endpoint::FileCopy => files::copy(routes),
            #[cfg(feature = "files")]
            Endpoint::FileDelete => files::delete(routes),
            #[cfg(feature = "files")]
            Endpoint::FileMove => files::move_to(routes),
            #[cfg(feature = "mqtt")]
            Endpoint::MqttPublishMessage => mqtt::routes(routes),
            Endpoint::KeyValueStore => key_values::routes(routes),
            Endpoint::PostNewRelicEvent => messages::new_relic_event(routes),
            Endpoint::PostNewRelicMetric => messages::new_relic_metric(routes),
            Endpoint::CreateNewSchedule => schedules::create(routes),
            Endpoint::GetSchedule => schedules::list(routes),
            Endpoint::GetScheduleStatusAll => schedules::status(routes),
            Endpoint::UpdateSchedule => schedules::update(routes),
            Endpoint::DeleteSchedule => schedules::delete(routes),
            Endpoint::StartSchedule => schedules::start(routes),
            Endpoint::StopSchedule => schedules::stop(routes),
            #[cfg(feature = "qlik")]
            Endpoint::SenseAppReload => apps::reload(routes),
            #[cfg(feature = "qlik")]
            Endpoint::SenseAppDump => apps::dump(routes),
            #[cfg(feature = "qlik")]
            Endpoint::SenseListApps => apps::list(routes),
            #[cfg(feature = "qlik")]
            Endpoint::SenseStartTask => start_task::routes(routes),
            Endpoint::SlackPostMessage => messages::slack(routes),
            // Not part of this build.
            #[cfg(not(all(feature = "files", feature = "mqtt", feature = "qlik")))]
            _ => routes,
        };
    }
    let routes = documentation::routes(routes, origin);
    routes.router.method_not_allowed_fallback(unknown)
}

/// The scopes of which one is needed to see something at an endpoint, and to change something.
fn scopes(endpoint: Endpoint) -> (&'static [Scope], &'static [Scope]) {
    match endpoint {
        Endpoint::KeyValueStore => (Scope::KvRead.alone(), Scope::KvWrite.alone()),
        Endpoint::CreateNewSchedule
        | Endpoint::GetSchedule
        | Endpoint::GetScheduleStatusAll
        | Endpoint::UpdateSchedule
        | Endpoint::DeleteSchedule
        | Endpoint::StartSchedule
        | Endpoint::StopSchedule => (&[Scope::Read, Scope::Schedules], Scope::Schedules.alone()),
        Endpoint::SenseAppDump => (Scope::AppsDump.alone(), Scope::AppsDump.alone()),
        Endpoint::SenseAppReload | Endpoint::SenseListApps | Endpoint::SenseStartTask => (Scope::Read.alone(), Scope::TasksStart.alone()),
        Endpoint::CreateDir | Endpoint::CreateDirQvd | Endpoint::FileCopy | Endpoint::FileDelete | Endpoint::FileMove => {
            (Scope::FilesWrite.alone(), Scope::FilesWrite.alone())
        }
        Endpoint::MqttPublishMessage | Endpoint::PostNewRelicEvent | Endpoint::PostNewRelicMetric | Endpoint::SlackPostMessage => {
            (Scope::Messages.alone(), Scope::Messages.alone())
        }
        // Nothing is to be had here but by who may do something anyway.
        Endpoint::ApiListEnabledEndpoints | Endpoint::Base62ToBase16 | Endpoint::Base16ToBase62 | Endpoint::ButlerPing => {
            const ALL: &[Scope] = &Scope::ALL;
            (ALL, ALL)
        }
    }
}

/// The answer to an address that is no endpoint, or to a method that it has not.
pub(super) async fn unknown(request: Request) -> Response {
    answer::no_route(request.method().as_str(), &incoming::sent(request.uri()))
}

/// Endpoints, each behind its gate.
struct Routes {
    router: Router<ApiState>,
    limiter: Option<Arc<Limiter>>,
    /// One of these scopes is needed for a `GET`,
    to_see: &'static [Scope],
    /// and one of these for all else.
    to_change: &'static [Scope],
    /// Which of the operations of the document there are.
    documented: Vec<(Method, &'static str)>,
}

impl Routes {
    fn get<T: 'static>(self, path: &'static str, handler: impl Handler<T, ApiState>) -> Self {
        self.at(&Method::GET, path, path, handler, None)
    }

    fn put<T: 'static>(self, path: &'static str, handler: impl Handler<T, ApiState>) -> Self {
        self.at(&Method::PUT, path, path, handler, None)
    }

    #[cfg_attr(not(feature = "files"), expect(dead_code, reason = "only files are deleted"))]
    fn delete<T: 'static>(self, path: &'static str, handler: impl Handler<T, ApiState>) -> Self {
        self.at(&Method::DELETE, path, path, handler, None)
    }

    fn post<T: 'static>(self, path: &'static str, handler: impl Handler<T, ApiState>) -> Self {
        self.at(&Method::POST, path, path, handler, None)
    }

    /// A page about the endpoints, of which the document says nothing.
    fn page<T: 'static>(self, path: &'static str, handler: impl Handler<T, ApiState>) -> Self {
        let gate = Gate { body: None, query: None, missing_body: None, limiter: self.limiter.clone() };
        let route = on(MethodFilter::GET, handler).route_layer(from_fn_with_state(gate, input::pass));
        Self { router: self.router.route(path, route), ..self }
    }

    /// An endpoint at `path`, which the published document describes as `documented`. `missing_body` is what it takes a missing body for; without, one has to be there if the
    /// document says that there is one.
    fn at<T: 'static>(
        mut self,
        method: &Method,
        path: &'static str,
        documented: &'static str,
        handler: impl Handler<T, ApiState>,
        missing_body: Option<fn() -> Value>,
    ) -> Self {
        let operation = Operation::of(method, documented);
        self.documented.push((method.clone(), documented));
        let gate = Gate { body: operation.body(), query: operation.query().map(Arc::new), missing_body, limiter: self.limiter.clone() };
        let filter = match *method {
            Method::PUT => MethodFilter::PUT,
            Method::POST => MethodFilter::POST,
            Method::DELETE => MethodFilter::DELETE,
            _ => MethodFilter::GET,
        };
        let scopes = if *method == Method::GET { self.to_see } else { self.to_change };
        let route = on(filter, handler).route_layer(from_fn_with_state(gate, input::pass)).route_layer(require_any(scopes));
        Self { router: self.router.route(path, route), ..self }
    }
}
