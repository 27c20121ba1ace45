//! The document that describes `/v4`: published by the original under the MIT licence, kept as it is so that what was generated from it goes on working, with the one operation more
//! that the original only promised, and the source of the schemas by which requests are read here.

use std::sync::LazyLock;

use axum::http::Method;
use serde_json::{Map, Value, json};

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    // A test reads it, so it can be read.
    serde_json::from_str(include_str!("openapi.json")).unwrap_or_default()
});

/// What is known of one operation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Operation {
    operation: &'static Value,
}

impl Operation {
    /// The operation of a path, as the document writes it.
    pub(super) fn of(method: &Method, path: &str) -> Self {
        let operation = &DOCUMENT["paths"][path][method.as_str().to_ascii_lowercase()];
        debug_assert!(operation.is_object(), "{method} {path} is in the document");
        Self { operation }
    }

    /// The schema of its body, if it takes one.
    pub(super) fn body(self) -> Option<&'static Value> {
        let schema = &self.operation["requestBody"]["content"]["application/json"]["schema"];
        schema.is_object().then_some(schema)
    }

    /// The schema of its query, if it has one.
    pub(super) fn query(self) -> Option<Value> {
        let parameters = self.operation["parameters"].as_array().into_iter().flatten();
        let mut properties = Map::new();
        let mut required = Vec::new();
        for parameter in parameters.filter(|parameter| parameter["in"] == "query") {
            let name = parameter["name"].as_str().unwrap_or_default();
            properties.insert(name.to_owned(), parameter["schema"].clone());
            if parameter["required"] == true {
                required.push(name);
            }
        }
        (!properties.is_empty()).then(|| json!({ "type": "object", "properties": properties, "required": required }))
    }
}

/// The document as it is published by a server at `origin` that has these operations, and no others.
pub(super) fn published(operations: &[(Method, &str)], origin: &str) -> Value {
    let has = |path: &str, method: &str| operations.iter().any(|(had, at)| *at == path && had.as_str().eq_ignore_ascii_case(method));
    let mut document = DOCUMENT.clone();
    document["info"]["version"] = env!("CARGO_PKG_VERSION").into();
    document["servers"] = json!([{ "url": origin }]);
    if let Some(paths) = document["paths"].as_object_mut() {
        for (path, item) in paths.iter_mut() {
            if let Some(item) = item.as_object_mut() {
                item.retain(|method, _| has(path, method));
            }
        }
        paths.retain(|_, item| item.as_object().is_some_and(|item| !item.is_empty()));
    }
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_each_operation_takes() {
        let copy = Operation::of(&Method::PUT, "/v4/filecopy");
        assert_eq!(copy.body().unwrap()["properties"]["overwrite"]["type"], "boolean");
        assert!(copy.query().is_none());
        let get = Operation::of(&Method::GET, "/v4/keyvalues/{namespace}");
        assert!(get.body().is_none());
        assert_eq!(get.query().unwrap()["required"], json!(["key"]));
        let start = Operation::of(&Method::POST, "/v4/reloadtask/{taskId}/start");
        assert_eq!(start.body().unwrap()["type"], "array");
        assert_eq!(start.query().unwrap()["required"], json!([]));
    }
}
