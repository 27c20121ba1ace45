//! Requests for an operation as its document describes them: as they should be, nearly so, and as nobody should send them.

use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, percent_encode};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

use crate::api::conformance::{Document, Operation};

/// A request, and the operation that it is made for.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) method: &'static str,
    pub(super) path: String,
    pub(super) target: String,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
}

impl Request {
    /// Whether it is answered without a body.
    pub(super) fn is_head(&self) -> bool {
        let stands_for = |(name, value): &(&str, String)| *name == "x-http-method-override" && value.eq_ignore_ascii_case("head");
        self.method == "HEAD" || self.headers.iter().any(stands_for)
    }
}

/// Nested so deeply that whatever follows every level on the stack would fall off it.
const DEPTH: usize = 20_000;
/// What may stand in a URL as it is.
const SLOPPY: &AsciiSet = &CONTROLS.add(b' ').add(b'#').add(b'?').add(b'%').add(b'/').add(b'\\').add(b'"').add(b'<').add(b'>');

/// Requests for any operation of a document, now and then about one of the things that are `known` to be there.
pub(super) fn any_of(document: &Document, known: &[String]) -> BoxedStrategy<Request> {
    let all: Vec<_> =
        document.operations().into_iter().filter(|operation| !operation.is_endless()).map(|operation| of(operation, known)).collect();
    proptest::strategy::Union::new(all).boxed()
}

fn of(operation: Operation<'_>, known: &[String]) -> BoxedStrategy<Request> {
    let Operation { document, method, path, says } = operation;
    let method = ["GET", "PUT", "POST", "DELETE"].into_iter().find(|known| *known == method).expect("a method that is known");
    let mut in_path = Vec::new();
    let mut in_query = Vec::new();
    for parameter in says["parameters"].as_array().into_iter().flatten() {
        let name = parameter["name"].as_str().expect("a name").to_owned();
        let value = value(document, &parameter["schema"], parameter.get("example"), 1).prop_map(|value| text(&value));
        match parameter["in"].as_str() {
            // Conditions are sent now and then, whether they are described or not.
            Some("header") => {}
            Some("path") => in_path.push((name, prop_oneof![value, select(known.to_vec())])),
            _ => in_query.push((name, value)),
        }
    }
    let path_values: Vec<_> = in_path.into_iter().map(|(name, value)| (Just(name), value.prop_flat_map(in_url))).collect();
    let queries: Vec<_> = in_query.into_iter().map(|(name, value)| query(name, value)).collect();
    let unknown = prop_oneof![9 => Just(String::new()), 1 => odd_text().prop_flat_map(in_url).prop_map(|text| format!("{text}={text}&"))];
    let content = says["requestBody"]["content"].as_object().and_then(|content| content.iter().next());
    let (media, schema) = content.map_or_else(Default::default, |(media, content)| (media.clone(), content["schema"].clone()));
    let body = if schema.is_object() { body(document, &schema) } else { prop_oneof![9 => Just(Vec::new()), 1 => odd_bytes()].boxed() };
    let path = path.to_owned();
    (
        path_values,
        queries,
        unknown,
        body,
        headers(media),
        prop_oneof![9 => Just(method), 1 => select(&["GET", "PUT", "POST", "DELETE", "HEAD", "PATCH", "OPTIONS"][..])],
    )
        .prop_map(move |(values, queries, unknown, body, headers, method)| {
            let mut target = path.clone();
            for (name, value) in values {
                target = target.replace(&format!("{{{name}}}"), &value);
            }
            let query = [queries.concat(), unknown].concat();
            if !query.is_empty() {
                target = format!("{target}?{query}");
            }
            Request { method, path: path.clone(), target, headers, body }
        })
        .boxed()
}

/// A parameter of a query: left out, there, or there twice.
fn query(name: String, value: impl Strategy<Value = String> + 'static) -> BoxedStrategy<String> {
    let pair = value.prop_flat_map(in_url).prop_map(move |value| format!("{name}={value}&")).boxed();
    prop_oneof![1 => Just(String::new()), 6 => pair.clone(), 1 => (pair.clone(), pair).prop_map(|(one, other)| one + &other)].boxed()
}

/// A text as it may stand in a URL: escaped wholly, as little as possible, twice, or with escapes that mean nothing.
fn in_url(text: String) -> BoxedStrategy<String> {
    let whole = percent_encode(text.as_bytes(), NON_ALPHANUMERIC).to_string();
    let sloppy = percent_encode(text.as_bytes(), SLOPPY).to_string();
    let twice = percent_encode(whole.as_bytes(), NON_ALPHANUMERIC).to_string();
    let broken = select(&["%", "%2", "%zz", "%ff", "%00", "%C3%28", "%ed%a0%80", "+", "..", "%2e%2e%2f", ""][..]);
    let broken = (Just(sloppy.clone()), broken).prop_map(|(text, escape)| format!("{text}{escape}"));
    prop_oneof![6 => Just(whole), 2 => Just(sloppy), 1 => Just(twice), 1 => broken].boxed()
}

fn headers(media: String) -> BoxedStrategy<Vec<(&'static str, String)>> {
    let usual = if media.is_empty() { Vec::new() } else { vec![("content-type", media)] };
    let odd_type = select(
        &[
            "application/json; charset=utf-8",
            "APPLICATION/JSON",
            "text/plain",
            "application/xml",
            "application/x-www-form-urlencoded",
            "",
            ";",
            "json",
            "\u{e5}",
        ][..],
    );
    let odd = prop_oneof![
        odd_type.prop_map(|kind| vec![("content-type", kind.to_owned())]),
        Just(vec![("content-type", "application/json".to_owned()), ("content-type", "text/plain".to_owned())]),
        Just(Vec::new()),
        select(&["put", "GET", "DELETE", "HEAD", "TRACE", "no sense", "\u{e5}", ""][..])
            .prop_map(|method| vec![("content-type", "application/json".to_owned()), ("x-http-method-override", method.to_owned())]),
        select(&["*", "\"1\"", "1", "W/\"1\"", "\"\"", "\u{e5}", "18446744073709551616"][..]).prop_map(|tag| vec![
            ("content-type", "application/json".to_owned()),
            ("if-match", tag.to_owned()),
            ("if-none-match", tag.to_owned())
        ]),
    ];
    prop_oneof![6 => Just(usual), 1 => odd].boxed()
}

/// A body, as it is written.
fn body(document: &Value, schema: &Value) -> BoxedStrategy<Vec<u8>> {
    let value = value(document, schema, schema.get("example"), 4);
    let written = value.prop_map(|value| value.to_string().into_bytes());
    let cut =
        (written.clone(), any::<prop::sample::Index>()).prop_map(|(text, at)| text[..at.index(text.len().max(1)).min(text.len())].to_vec());
    // A member that is there twice.
    let twice = written.clone().prop_map(|text| match text.strip_prefix(b"{") {
        Some(rest) if rest != b"}" => [b"{", rest.strip_suffix(b"}").unwrap_or(rest), b",", rest].concat(),
        _ => text,
    });
    prop_oneof![12 => written, 1 => cut, 1 => twice, 2 => odd_bytes()].boxed()
}

fn odd_bytes() -> BoxedStrategy<Vec<u8>> {
    prop_oneof![
        Just(Vec::new()),
        Just(b"null".to_vec()),
        Just(b"{}".to_vec()),
        Just(vec![b'['; DEPTH]),
        Just([br#"{"a":"#.repeat(DEPTH), b"1".to_vec(), b"}".repeat(DEPTH)].concat()),
        Just(b"\xff\xfe{}".to_vec()),
        Just(b"{\"\\ud800\": 1}".to_vec()),
        Just(b"1e999".to_vec()),
        Just(vec![b' '; 2 << 20]),
        prop::collection::vec(any::<u8>(), 0..40),
    ]
    .boxed()
}

/// A value for a schema: mostly one that fits.
fn value(document: &Value, schema: &Value, example: Option<&Value>, depth: u32) -> BoxedStrategy<Value> {
    let fitting = fitting(document, schema, depth);
    let example = schema.get("example").or(example).cloned();
    match example {
        Some(example) => prop_oneof![4 => fitting, 4 => Just(example), 1 => odd()].boxed(),
        None => prop_oneof![8 => fitting, 1 => odd()].boxed(),
    }
}

fn fitting(document: &Value, schema: &Value, depth: u32) -> BoxedStrategy<Value> {
    if let Some(pointer) = schema["$ref"].as_str() {
        return fitting(document, document.pointer(pointer.trim_start_matches('#')).expect("a schema"), depth);
    }
    if let Some(allowed) = schema["enum"].as_array() {
        return select(allowed.clone()).boxed();
    }
    if let Some(choices) = schema["oneOf"].as_array().or(schema["anyOf"].as_array()) {
        let choices: Vec<_> = choices.iter().map(|choice| fitting(document, choice, depth)).collect();
        return proptest::strategy::Union::new(choices).boxed();
    }
    let kind = schema["type"].as_str().or_else(|| schema["type"].as_array()?.iter().filter_map(Value::as_str).find(|kind| *kind != "null"));
    match kind {
        Some("object") if depth > 0 => object(document, schema, depth),
        Some("array") if depth > 0 => {
            prop::collection::vec(value(document, &schema["items"], None, depth - 1), 0..4).prop_map(Value::from).boxed()
        }
        Some("object") => Just(json!({})).boxed(),
        Some("array") => Just(json!([])).boxed(),
        Some("integer") => prop_oneof![(0..2000_i64).prop_map(Value::from), any::<i64>().prop_map(Value::from)].boxed(),
        Some("number") => prop_oneof![(0..2000_i64).prop_map(Value::from), any::<f64>().prop_map(Value::from)].boxed(),
        Some("boolean") => any::<bool>().prop_map(Value::from).boxed(),
        Some("string") if schema["format"] == "uuid" => any::<u128>().prop_map(|id| uuid::Uuid::from_u128(id).to_string().into()).boxed(),
        Some("string") => prop_oneof!["[a-z]{1,8}", "\\PC{0,12}"].prop_map(Value::from).boxed(),
        _ => odd(),
    }
}

/// An object with all its members, or nearly all of them.
fn object(document: &Value, schema: &Value, depth: u32) -> BoxedStrategy<Value> {
    let required = |name: &str| schema["required"].as_array().is_some_and(|all| all.iter().any(|wanted| wanted == name));
    let members = schema["properties"].as_object().into_iter().flatten().map(|(name, schema)| {
        let there = if required(name) { 0.95 } else { 0.6 };
        (Just(name.clone()), prop::option::weighted(there, value(document, schema, None, depth - 1)))
    });
    let members: Vec<_> = members.collect();
    let further = prop::option::weighted(0.05, (odd_text(), odd()));
    (members, further)
        .prop_map(|(members, further)| {
            let members = members.into_iter().filter_map(|(name, value)| Some((name, value?)));
            Value::Object(members.chain(further).collect::<Map<_, _>>())
        })
        .boxed()
}

/// What is not meant.
fn odd() -> BoxedStrategy<Value> {
    let flat = [
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(0.1),
        json!(1e308),
        json!(-1e-308),
        json!(i64::MIN),
        json!(u64::MAX),
        json!([]),
        json!({}),
        json!([[]]),
        json!(["a", "b"]),
        json!({ "__proto__": 1 }),
        json!("9".repeat(400)),
    ];
    prop_oneof![3 => select(flat.to_vec()), 2 => odd_text().prop_map(Value::from)].boxed()
}

fn odd_text() -> BoxedStrategy<String> {
    let texts = [
        "",
        " ",
        ".",
        "..",
        "../../etc/passwd",
        "C:\\",
        "\\\\host\\share",
        "\0",
        "a\r\nb: c",
        "\u{202e}",
        "\u{feff}",
        "\u{1f600}\u{200d}",
        "e\u{301}",
        "%00",
        "'; --",
        "{{constructor}}",
        "NaN",
        "-0",
        "1e999",
        "0x7fffffffffffffff",
        "latest",
        "9999-12-31T23:59:59Z",
        "-009999-01-01T00:00:00Z",
    ];
    prop_oneof![
        4 => select(texts.to_vec()).prop_map(str::to_owned),
        1 => Just("\u{e5}".repeat(3000)),
        2 => ".{0,20}",
    ]
    .boxed()
}

/// A value as it is written in a URL.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
