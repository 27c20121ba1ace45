//! The document that describes our own API: made from the routes that there are, so that neither is without the other.

use axum::body::Bytes;
use axum::extract::Path;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router, middleware};
use serde_json::{Value, json};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answers::Problem;
use super::page::Page;
use super::problem::{Refusal, in_words};
use super::{ApiState, front};

const PAGE: Page = Page { title: "Butler's own API", document: "/api/openapi.json", parts: "/api/docs/" };

const ABOUT: &str = "What Butler heard, what became of it, and what can be done about it. What load scripts call, under `/v4`, is described at \
    [/documentation](/documentation).\n\nWhatever is not carried out is answered with a `Problem`: what is wrong, and what to do about it if that is not plain.";

/// What the tags mean, in the order in which they are shown.
const TAGS: [(&str, &str); 10] = [
    ("Health", "How Butler stands."),
    ("Events", "What was heard."),
    ("Deliveries", "What went out, or is to go out."),
    ("Silences", "What nobody is told of for a while."),
    ("Pairs", "What load scripts keep."),
    ("Tasks", "Tasks of Qlik Sense, and starting them."),
    ("Schedules", "What is done at which times."),
    ("Apps", "Apps of Qlik Sense: what is in them, and reloading them."),
    ("Tokens", "Who may do what without being on this machine."),
    ("Documentation", "This description."),
];

/// The document, as it is sent.
#[derive(Debug, Clone)]
struct Description(Bytes);

/// The routes, with the document that describes them.
pub(super) fn described(routes: OpenApiRouter<ApiState>) -> Router<ApiState> {
    let (router, document) = split(routes);
    router.layer(Extension(Description(document.to_string().into()))).layer(middleware::map_response(in_words))
}

/// The routes, with those that show the document, and the document.
pub(super) fn split(routes: OpenApiRouter<ApiState>) -> (Router<ApiState>, Value) {
    let all = routes.routes(routes!(document)).routes(routes!(page)).routes(routes!(part));
    let (router, document) = all.split_for_parts();
    // It is made of nothing but texts, numbers and lists, all of which can be written.
    (router, complete(serde_json::to_value(document).unwrap_or_default()))
}

/// Describe this API
///
/// In the format of OpenAPI 3.1.
#[utoipa::path(get, path = "/api/openapi.json", tag = "Documentation", responses((status = OK, body = Object, description = "The document.")))]
async fn document(Extension(Description(text)): Extension<Description>) -> Response {
    ([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], text).into_response()
}

/// Show this API
#[utoipa::path(get, path = "/api/docs", tag = "Documentation", responses((status = OK, body = String, content_type = "text/html", description = "A page on which it can be tried.")))]
async fn page() -> Response {
    PAGE.show()
}

/// Give a part of the page
#[utoipa::path(
    get, path = "/api/docs/{part}", tag = "Documentation",
    params(("part" = String, Path, description = "Its name.")),
    responses((status = OK, description = "The part."), (status = NOT_FOUND, body = Problem, description = "The page has no such part."))
)]
async fn part(Path(part): Path<String>) -> Result<Response, Refusal> {
    PAGE.part(&part).ok_or_else(|| Refusal::not_found(format!("there is nothing at `/api/docs/{part}`")))
}

/// The document with what is true of every operation, and of the whole.
fn complete(mut document: Value) -> Value {
    document["info"] = json!({ "title": "Butler's own API", "version": env!("CARGO_PKG_VERSION"), "description": ABOUT });
    document["tags"] = TAGS.iter().map(|(name, description)| json!({ "name": name, "description": description })).collect();
    document["components"]["securitySchemes"]["bearer"] =
        json!({ "type": "http", "scheme": "bearer", "description": "A token as `butler-cli token create` makes it." });
    let operations = document["paths"].as_object_mut().into_iter().flat_map(|paths| paths.iter_mut());
    for (path, item) in operations {
        for (method, operation) in item.as_object_mut().into_iter().flatten() {
            operation["operationId"] = name_of(method, path).into();
            complete_operation(path, operation);
        }
    }
    plain(&mut document);
    document
}

/// A name that no other operation has: `get_events_id`.
fn name_of(method: &str, path: &str) -> String {
    let words = path.trim_start_matches("/api").split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    std::iter::once(method).chain(words).collect::<Vec<_>>().join("_")
}

fn complete_operation(path: &str, operation: &mut Value) {
    let takes_body = operation["requestBody"].is_object();
    let takes_anything = takes_body || operation["parameters"].as_array().is_some_and(|parameters| !parameters.is_empty());
    let is_open = front::is_open(path);
    // Who connects from this machine may need no token.
    let required = std::mem::take(&mut operation["security"]);
    let scopes = match (required, is_open) {
        (Value::Array(scopes), false) => scopes,
        (_, false) => vec![json!({ "bearer": [] })],
        (_, true) => Vec::new(),
    };
    operation["security"] = std::iter::once(json!({})).chain(scopes).collect();
    let faults = [
        ("400", takes_anything || !is_open, "The request can't be read."),
        ("401", !is_open, "Nobody knows who sent this."),
        ("403", !is_open, "Whoever sent this may not do it."),
        ("408", takes_body, "The body did not come in time."),
        ("413", takes_body, "The body is too long."),
        ("415", takes_body, "The body is not declared as JSON."),
        ("500", !is_open, "The store, or something else that is needed, failed."),
        ("503", true, "This took too long, or something that is needed can't be reached."),
    ];
    let problem = json!({ "application/json": { "schema": { "$ref": "#/components/schemas/Problem" } } });
    for (status, _, description) in faults.iter().filter(|(_, may_be, _)| *may_be) {
        let response = &mut operation["responses"][*status];
        if response.is_null() {
            *response = json!({ "description": description, "content": problem });
        }
    }
}

/// Takes the links out of descriptions that lead to other items of the code: in the document they lead nowhere.
fn plain(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(text) if name == "description" => *text = without_links(text),
                    value => plain(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(plain),
        _ => {}
    }
}

/// ``[`Name`](path)`` and ``[`Name`]`` become `` `Name` ``.
fn without_links(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, link)) = rest.split_once("[`") {
        plain.push_str(before);
        let Some((name, after)) = link.split_once("`]") else {
            plain.push_str("[`");
            rest = link;
            continue;
        };
        plain.extend(["`", name, "`"]);
        rest = after.strip_prefix('(').and_then(|target| target.split_once(')')).map_or(after, |(_, after)| after);
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_into_the_code_become_names() {
        let rows = [
            ("As [`DeliveryQuery`], with more.", "As `DeliveryQuery`, with more."),
            ("See [`kind`](Event::kind_with) and [docs](/documentation).", "See `kind` and [docs](/documentation)."),
            ("[`a`][`b`", "`a`[`b`"),
            ("none", "none"),
        ];
        for (text, expected) in rows {
            assert_eq!(without_links(text), expected);
        }
    }
}
