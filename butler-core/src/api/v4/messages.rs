//! Messages that load scripts send: to Slack, over MQTT, and to New Relic.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value, json};

use super::Routes;
use super::answer::{Fault, json};
use super::input::Sent;
use super::outgoing::Remote;
use crate::api::ApiState;

/// Where messages of load scripts go.
#[derive(Debug, Default)]
pub struct Messaging {
    /// To a channel of Slack.
    pub(crate) slack: Option<Remote>,
    /// To New Relic.
    pub(crate) new_relic: Option<NewRelicPoster>,
}

/// The accounts of New Relic.
#[derive(Debug)]
pub(crate) struct NewRelicPoster {
    /// Those that get events, by their names.
    pub(crate) event: Vec<(String, Remote)>,
    /// What every event carries.
    pub(crate) event_attributes: BTreeMap<String, String>,
    /// Those that get metrics.
    pub(crate) metric: Vec<(String, Remote)>,
    /// What every metric carries.
    pub(crate) metric_attributes: BTreeMap<String, String>,
}

pub(super) fn slack(routes: Routes) -> Routes {
    routes.put("/v4/slackpostmessage", post_to_slack)
}

pub(super) fn new_relic_event(routes: Routes) -> Routes {
    routes.post("/v4/newrelic/event", post_event)
}

pub(super) fn new_relic_metric(routes: Routes) -> Routes {
    routes.post("/v4/newrelic/metric", post_metric)
}

#[derive(Debug, Serialize, Deserialize)]
struct SlackMessage {
    channel: String,
    from_user: String,
    msg: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    emoji: Option<String>,
}

async fn post_to_slack(State(state): State<ApiState>, Sent(message): Sent<SlackMessage>) -> Result<Response, Fault> {
    const FAILED: &str = "Failed sending Slack message";
    let SlackMessage { channel, from_user, msg, emoji } = &message;
    let mut body = json!({ "username": from_user, "channel": channel });
    if let Some(emoji) = emoji {
        body["icon_emoji"] = emoji.as_str().into();
    }
    body["blocks"] = json!([{ "type": "section", "text": { "type": "plain_text", "text": msg } }]);
    let slack = state.services().messaging.slack.as_ref();
    let slack = slack.ok_or_else(|| Fault::internal(FAILED, &"`[api.slack]` has no `webhook_url`"))?;
    // A script must not break because Slack is down.
    if let Err(why) = slack.post("application/json", body.to_string()).await {
        tracing::error!(channel, error = why, "A message of a load script did not reach Slack.");
    }
    Ok(json(StatusCode::CREATED, &message))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    event_type: String,
    timestamp: Option<Number>,
    #[serde(default)]
    attributes: Vec<Attribute>,
}

#[derive(Debug, Deserialize)]
struct Attribute {
    name: Option<String>,
    value: Option<String>,
}

async fn post_event(State(state): State<ApiState>, Sent(event): Sent<Event>) -> Result<Response, Fault> {
    let new_relic = state.services().messaging.new_relic.as_ref();
    let mut body = Map::new();
    body.insert("timestamp".into(), time(&state, event.timestamp));
    body.insert("eventType".into(), event.event_type.into());
    body.extend(attributes(new_relic.map(|relic| &relic.event_attributes), event.attributes));
    let remotes = new_relic.map(|relic| relic.event.as_slice()).unwrap_or_default();
    post("Failed posting event to New Relic", remotes, &Value::Object(body)).await
}

#[derive(Debug, Deserialize)]
struct Metric {
    name: String,
    r#type: String,
    value: Number,
    timestamp: Option<Number>,
    #[serde(default)]
    attributes: Vec<Attribute>,
}

async fn post_metric(State(state): State<ApiState>, Sent(metric): Sent<Metric>) -> Result<Response, Fault> {
    let new_relic = state.services().messaging.new_relic.as_ref();
    let attributes: Map<_, _> = attributes(new_relic.map(|relic| &relic.metric_attributes), metric.attributes).collect();
    let common = json!({ "timestamp": time(&state, metric.timestamp), "attributes": attributes });
    let metrics = json!([{ "name": metric.name, "type": metric.r#type, "value": metric.value }]);
    let remotes = new_relic.map(|relic| relic.metric.as_slice()).unwrap_or_default();
    post("Failed posting metric to New Relic", remotes, &json!([{ "common": common, "metrics": metrics }])).await
}

/// The time that was given, else now, in milliseconds.
fn time(state: &ApiState, given: Option<Number>) -> Value {
    let given = given.filter(|time| time.as_f64().is_some_and(|time| time > 0.0));
    given.map_or_else(|| state.now().as_millisecond().into(), Value::Number)
}

/// What is always sent along, then what the script says.
fn attributes(fixed: Option<&BTreeMap<String, String>>, sent: Vec<Attribute>) -> impl Iterator<Item = (String, Value)> {
    let fixed = fixed.into_iter().flatten().map(|(name, value)| (name.clone(), value.clone().into()));
    fixed.chain(sent.into_iter().filter_map(|Attribute { name, value }| Some((name?, value?.into()))))
}

/// Posts to all accounts; none keeps another from it. It went well if it did for all.
async fn post(failed: &'static str, remotes: &[(String, Remote)], body: &Value) -> Result<Response, Fault> {
    if remotes.is_empty() {
        return Err(Fault::internal(failed, &"there is no account in `[api.new_relic]`"));
    }
    let body = body.to_string();
    let posts = remotes.iter().map(async |(account, remote)| {
        let posted = remote.post("application/json; charset=utf-8", body.clone()).await;
        posted.inspect_err(|why| tracing::error!(account, error = why, "{failed}."))
    });
    let mut statuses = Vec::new();
    for outcome in join_all(posts).await {
        statuses.push(outcome.map_err(|_| Fault::new(StatusCode::INTERNAL_SERVER_ERROR, failed))?);
    }
    let reason = statuses.first().and_then(StatusCode::canonical_reason).unwrap_or_default();
    Ok((StatusCode::ACCEPTED, [(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"))], reason).into_response())
}
