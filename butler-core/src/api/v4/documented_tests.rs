//! Every operation that the published document describes is answered in the way that it describes, or in the way that is written down here.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::start_task_tests::World;
use super::testing::{Reply, scheduler_settings, schedules};
use crate::api::ApiServices;
use crate::api::conformance::{Answered, Document, Operation, Strictness};
use crate::config::{Config, EndpointsConfig, Settings};
use crate::files::{FileSettings, Files};
use crate::schedule::{Schedule, Schedules};
use crate::simulator::inbox::{Answer as Accepts, HttpInbox};
use crate::sink::Registry;
use crate::store::memory::MemoryStore;
use crate::testkit::TestClock;

/// How an answer is other than the document says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Instead {
    /// It is the documented JSON, declared as text.
    JsonAsText,
    /// It is one of what is documented as a list, declared as text.
    OneAsText,
    /// It is a list of what is documented as one, declared as text.
    ListAsText,
    /// It is what the remote said, as text, of which the document knows nothing.
    Phrase(&'static str),
}

const INSTEAD: [(&str, &str, u16, Instead); 11] = [
    ("GET", "/v4/keylist/{namespace}", 200, Instead::JsonAsText),
    ("PUT", "/v4/reloadtask/{taskId}/start", 200, Instead::JsonAsText),
    ("POST", "/v4/reloadtask/{taskId}/start", 200, Instead::JsonAsText),
    ("GET", "/v4/schedules", 200, Instead::JsonAsText),
    ("POST", "/v4/schedules", 201, Instead::OneAsText),
    ("PUT", "/v4/schedules/{scheduleId}/start", 200, Instead::ListAsText),
    ("PUT", "/v4/schedules/{scheduleId}/stop", 200, Instead::ListAsText),
    ("PUT", "/v4/schedules/startall", 200, Instead::JsonAsText),
    ("PUT", "/v4/schedules/stopall", 200, Instead::JsonAsText),
    ("POST", "/v4/newrelic/event", 202, Instead::Phrase("Accepted")),
    ("POST", "/v4/newrelic/metric", 202, Instead::Phrase("Accepted")),
];

/// What the documented example comes to here, where it does more than fail for want of something that a test has not.
const SUCCEEDS: [(&str, &str, u16); 26] = [
    ("POST", "/v4/createdirqvd", 201),
    ("GET", "/v4/configfile/endpointsenabled", 200),
    ("GET", "/v4/base62tobase16", 200),
    ("GET", "/v4/base16tobase62", 200),
    ("GET", "/v4/butlerping", 200),
    ("GET", "/v4/keyvaluesnamespaces", 200),
    ("GET", "/v4/keyvalues/{namespace}", 200),
    ("POST", "/v4/keyvalues/{namespace}", 201),
    ("DELETE", "/v4/keyvalues/{namespace}", 204),
    ("GET", "/v4/keyvalues/{namespace}/keyexists", 200),
    ("DELETE", "/v4/keyvalues/{namespace}/{key}", 204),
    ("GET", "/v4/keylist/{namespace}", 200),
    ("POST", "/v4/newrelic/event", 202),
    ("POST", "/v4/newrelic/metric", 202),
    ("GET", "/v4/schedules", 200),
    ("POST", "/v4/schedules", 201),
    ("PUT", "/v4/schedules/{scheduleId}", 200),
    ("DELETE", "/v4/schedules/{scheduleId}", 204),
    ("PUT", "/v4/schedules/{scheduleId}/start", 200),
    ("PUT", "/v4/schedules/startall", 200),
    ("PUT", "/v4/schedules/{scheduleId}/stop", 200),
    ("PUT", "/v4/schedules/stopall", 200),
    ("GET", "/v4/schedules/status", 200),
    ("PUT", "/v4/reloadtask/{taskId}/start", 200),
    ("POST", "/v4/reloadtask/{taskId}/start", 200),
    ("PUT", "/v4/slackpostmessage", 201),
];

/// A site, and remotes that take messages.
struct Surroundings {
    world: World,
    schedules: Schedules,
    document: Document,
    _slack: HttpInbox,
    _new_relic: HttpInbox,
    _folder: tempfile::TempDir,
}

async fn surroundings() -> Surroundings {
    let (slack, new_relic) = (HttpInbox::start().await.unwrap(), HttpInbox::start().await.unwrap());
    new_relic.answer_always(Some(Accepts::status(202)));
    let configuration = format!(
        r#"
        api.slack.webhook_url = '{}'
        [api.new_relic]
        accounts.one = {{ account_id = 1, api_key = "KEY-1" }}
        event.url = "{1}"
        metric.url = "{1}metric/v1"
        "#,
        slack.url("/services/T"),
        new_relic.url("/"),
    );
    let config = Config::from_toml(&configuration, "").unwrap();
    let Settings { messaging, .. } = config.resolve(&Registry::with_compiled_in(), Arc::new(TestClock::default())).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let settings = FileSettings { qvd_folder: Some(folder.path().to_owned()), ..FileSettings::default() };
    let files = Some(Arc::new(Files::new(settings).unwrap()));
    let endpoints = EndpointsConfig { create_dir: true, ..EndpointsConfig::default() };
    let clock = TestClock::default();
    let store = Arc::new(MemoryStore::new(Arc::new(clock.clone())));
    let schedules = schedules(scheduler_settings(), store, &clock).await;
    let services = ApiServices { messaging, files, endpoints, schedules: Some(schedules.clone()), ..ApiServices::default() };
    let world = World::with(None, services).await;
    let mut document = world.served.ask("GET /documentation/json").await.value();
    // Slips of the document: names of members where words about a schema belong.
    if let Some(keys) =
        document.pointer_mut("/paths/~1v4~1keylist~1{namespace}/get/responses/200/content/application~1json/schema/properties/keys/items")
    {
        keys.as_object_mut().unwrap().remove("key");
    }
    // And a member that is missing where all schedules are listed, and there where one is.
    for path in ["/v4/schedules/startall", "/v4/schedules/stopall"] {
        let schema = &mut document["paths"][path]["put"]["responses"]["200"]["content"]["application/json"]["schema"];
        schema["items"]["properties"]["lastKnownState"] = json!({ "type": "string", "enum": ["started", "stopped"] });
    }
    Surroundings { world, schedules, document: Document(document), _slack: slack, _new_relic: new_relic, _folder: folder }
}

/// A value as the document shows it by example.
fn example(schema: &Value) -> Value {
    if let Some(example) = schema.get("example") {
        return example.clone();
    }
    match schema["type"].as_str() {
        Some("object") => {
            let members = schema["properties"].as_object().into_iter().flatten();
            Value::Object(members.map(|(name, schema)| (name.clone(), example(schema))).collect::<Map<_, _>>())
        }
        Some("array") => json!([example(&schema["items"])]),
        Some("number" | "integer") => json!(0),
        Some("boolean") => json!(false),
        _ => json!("example"),
    }
}

/// What is sent to an operation, by the examples of the document: method, target and body.
fn request(operation: Operation<'_>) -> (String, Option<String>) {
    let mut path = operation.path.to_owned();
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for parameter in operation.says["parameters"].as_array().into_iter().flatten() {
        let value = parameter.get("example").cloned().unwrap_or_else(|| example(&parameter["schema"]));
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let name = parameter["name"].as_str().unwrap();
        match parameter["in"].as_str() {
            Some("path") => path = path.replace(&format!("{{{name}}}"), &value.replace(' ', "%20")),
            _ => drop(query.append_pair(name, &value)),
        }
    }
    let query = query.finish();
    let target = if query.is_empty() { path } else { format!("{path}?{query}") };
    let media = &operation.says["requestBody"]["content"]["application/json"];
    let body = media.get("example").cloned().or_else(|| media.get("schema").map(example));
    (format!("{} {target}", operation.method), body.map(|body| body.to_string()))
}

impl Surroundings {
    async fn send(&self, (line, body): (String, Option<String>)) -> Reply {
        match body {
            Some(body) => self.world.served.json(&line, &body).await,
            None => self.world.served.ask(&line).await,
        }
    }

    /// Lets there be what the examples ask for.
    async fn prepare(&self, operation: Operation<'_>) {
        if operation.path.starts_with("/v4/schedules") {
            let schedule = Schedule::new("Reload sales metrics", "0 2 * * *").with_id("e4b1c455-aa15-4a51-a9cf-c5e4cfc91339");
            // It may be there from the operation before.
            let _ = self.schedules.create(schedule.starting("210832b5-6174-4572-bd19-3e61eda675ef")).await;
        }
        if operation.path.starts_with("/v4/key") && operation.method != "POST" {
            for key in ["Last extract timestamp", "ce68c8ca-b3ff-4371-8285-7c9ce5040e42_parameter_1"] {
                let pair = json!({ "key": key, "value": "v" }).to_string();
                self.world.served.json("POST /v4/keyvalues/Sales%20ETL%20step%202", &pair).await;
            }
        }
    }
}

fn faults(operation: Operation<'_>, reply: &Reply) -> Vec<String> {
    let Operation { method, path, .. } = operation;
    let kind = reply.header("content-type");
    let instead = INSTEAD.iter().find(|(m, p, status, _)| (*m, *p, *status) == (method, path, reply.status)).map(|(.., instead)| *instead);
    let kind = match instead {
        // Nothing is said, so nothing is declared, whatever the document has there.
        _ if reply.status == 204 => {
            return if (kind, reply.body.as_str()) == ("", "") { Vec::new() } else { vec![format!("something is said: {reply:?}")] };
        }
        Some(Instead::Phrase(phrase)) => {
            let fine = (kind, reply.body.as_str()) == ("text/plain", phrase);
            return if fine { Vec::new() } else { vec![format!("no phrase: {reply:?}")] };
        }
        Some(_) if kind == "text/plain; charset=utf-8" => "application/json",
        Some(_) => return vec![format!("not declared as text: {kind}")],
        None => kind,
    };
    let body = match instead {
        Some(Instead::OneAsText) => format!("[{}]", reply.body),
        Some(Instead::ListAsText) => match reply.value().as_array().map(Vec::as_slice) {
            Some([only]) => only.to_string(),
            _ => return vec![format!("no list of one: {reply:?}")],
        },
        _ => reply.body.clone(),
    };
    let mut faults = operation.faults(Answered { status: reply.status, kind, body: &body }, Strictness::NamedOnly);
    // Of what the document has for errors, one member is never sent.
    if reply.status >= 400 && reply.value().get("time").is_some() {
        faults.push("has a time".into());
    }
    faults
}

#[tokio::test]
async fn every_example_is_answered_as_documented() {
    let here = surroundings().await;
    let published = Document(serde_json::from_str(include_str!("openapi.json")).unwrap());
    let mut wrong = Vec::new();
    for operation in published.operations() {
        let Operation { method, path, .. } = operation;
        let Some(operation) = here.document.operations().into_iter().find(|there| (there.method, there.path) == (method, path)) else {
            panic!("{method} {path} is not there");
        };
        here.prepare(operation).await;
        let reply = here.send(request(operation)).await;
        wrong.extend(faults(operation, &reply).into_iter().map(|fault| format!("{method} {path}: {fault}")));
        if let Some((.., status)) = SUCCEEDS.iter().find(|(m, p, _)| (*m, *p) == (method, path)) {
            assert_eq!(reply.status, *status, "{method} {path}: {reply:?}");
        }
    }
    assert_eq!(wrong, [""; 0]);
}

/// What goes beyond the document: errors that any operation may have, and that none lists.
#[tokio::test]
async fn what_can_not_be_taken_is_refused_alike_everywhere() {
    let here = surroundings().await;
    for operation in here.document.operations() {
        let (line, body) = request(operation);
        let Some(body) = body else { continue };
        let served = &here.world.served;
        let code = |reply: &Reply| (reply.status, reply.value()["code"].as_str().unwrap_or_default().to_owned());
        let refused = [
            (415, "FST_ERR_CTP_INVALID_MEDIA_TYPE", served.send(&line, "content-type: application/xml", &body).await),
            (400, "FST_ERR_CTP_INVALID_JSON_BODY", served.json(&line, "{").await),
            (400, "FST_ERR_CTP_EMPTY_JSON_BODY", served.json(&line, "").await),
            (413, "FST_ERR_CTP_BODY_TOO_LARGE", served.json(&line, &format!("\"{}\"", "x".repeat(1 << 20))).await),
            (400, "FST_ERR_VALIDATION", served.send(&line, "content-type: text/plain", &body).await),
        ];
        for (status, expected, reply) in refused {
            assert_eq!(code(&reply), (status, expected.to_owned()), "{line}");
            if operation.says["responses"].get(status.to_string()).is_some() {
                assert_eq!(faults(operation, &reply), [""; 0], "{line}");
            }
        }
    }
}

/// The document calls the body required, and its description calls it optional, which it is.
#[tokio::test]
async fn a_task_is_started_without_a_body() {
    let here = surroundings().await;
    let operation = here.document.find("PUT", "/v4/reloadtask/x/start").unwrap();
    assert_eq!(operation.says["requestBody"]["required"], true);
    let reply = here.world.served.ask("PUT /v4/reloadtask/e959f40a-67be-4a5b-ae83-a292f96ba078/start").await;
    assert_eq!((reply.status, faults(operation, &reply)), (200, Vec::new()));
}
