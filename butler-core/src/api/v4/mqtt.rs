//! Publishing over MQTT.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Map, Value};

use super::Routes;
use super::answer::{Fault, json};
use super::input::Sent;
use crate::api::ApiState;
use crate::mqtt::{Publication, topic_fault};

pub(super) fn routes(routes: Routes) -> Routes {
    routes.put("/v4/mqttpublishmessage", publish)
}

/// Answers as soon as the message waits for the broker, which may be away for the moment.
async fn publish(State(state): State<ApiState>, Sent(body): Sent<Map<String, Value>>) -> Result<Response, Fault> {
    const FAILED: &str = "Failed publishing MQTT message";
    let member = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let topic = member("topic");
    if topic_fault(&topic).is_some() {
        return Err(Fault::bad_request(format!("Invalid MQTT topic: {topic}")));
    }
    let publisher = state.services().mqtt.as_ref().ok_or_else(|| Fault::internal(FAILED, &"there is no `[mqtt]` in the configuration"))?;
    let publication = Publication { topic, payload: member("message").into(), content_type: None, key: None };
    publisher.queue(publication).map_err(|error| Fault::internal(FAILED, &error))?;
    Ok(json(StatusCode::CREATED, &body))
}
