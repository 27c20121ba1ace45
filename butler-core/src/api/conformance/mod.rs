//! Whether answers are what an OpenAPI document says of them.

mod schema;

use serde_json::Value;

pub(super) use self::schema::Strictness;

/// A document, looked up by what is asked.
#[derive(Debug, Clone)]
pub(super) struct Document(pub(super) Value);

/// An operation of a document.
#[derive(Debug, Clone, Copy)]
pub(super) struct Operation<'a> {
    pub(super) document: &'a Value,
    /// In capitals.
    pub(super) method: &'a str,
    /// With names in braces for its parameters.
    pub(super) path: &'a str,
    pub(super) says: &'a Value,
}

/// The parts of an answer that a document speaks of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answered<'a> {
    pub(super) status: u16,
    pub(super) kind: &'a str,
    pub(super) body: &'a str,
}

const METHODS: [(&str, &str); 5] = [("get", "GET"), ("put", "PUT"), ("post", "POST"), ("delete", "DELETE"), ("patch", "PATCH")];

impl Document {
    pub(super) fn operations(&self) -> Vec<Operation<'_>> {
        let mut found = Vec::new();
        for (path, item) in self.0["paths"].as_object().expect("paths") {
            for (name, says) in item.as_object().expect("operations") {
                let (_, method) = METHODS.iter().find(|(method, _)| method == name).unwrap_or_else(|| panic!("{path}: {name}"));
                found.push(Operation { document: &self.0, method, path, says });
            }
        }
        found
    }

    /// The operation that a request is for. `HEAD` is `GET` without a body, and nobody's operation.
    pub(super) fn find(&self, method: &str, target: &str) -> Option<Operation<'_>> {
        let path = target.split('?').next().unwrap_or_default();
        let there = self.operations().into_iter().filter(|operation| operation.method == method && fits(operation.path, path));
        // What is spelt out goes before what may be anything.
        there.min_by_key(|operation| operation.path.matches('{').count())
    }
}

fn fits(template: &str, path: &str) -> bool {
    let (template, path): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    template.len() == path.len() && template.iter().zip(&path).all(|(wanted, segment)| wanted.starts_with('{') || wanted == segment)
}

impl Operation<'_> {
    /// Whether its answer goes on for as long as the client listens.
    pub(super) fn is_endless(self) -> bool {
        self.says["responses"]["200"]["content"].get("text/event-stream").is_some()
    }

    /// What is not as the operation says; nothing if all is.
    pub(super) fn faults(self, answered: Answered<'_>, strictness: Strictness) -> Vec<String> {
        let Answered { status, kind, body } = answered;
        let response = &self.says["responses"][status.to_string()];
        if !response.is_object() {
            return vec![format!("status {status} is not documented")];
        }
        let Some(content) = response["content"].as_object() else {
            return Vec::new();
        };
        let media = kind.split(';').next().unwrap_or_default().trim();
        let Some(described) = content.get(media) else {
            return vec![format!("status {status} is documented as {:?}, and was {kind:?}", content.keys().collect::<Vec<_>>())];
        };
        let value = match media {
            "application/json" => match serde_json::from_str(body) {
                Ok(value) => value,
                Err(error) => return vec![format!("not JSON ({error}): {body}")],
            },
            "application/x-ndjson" => {
                let check = schema::Check { document: self.document, strictness };
                let lines = body.lines().map(|line| serde_json::from_str(line).unwrap_or(Value::Null));
                return lines.flat_map(|line| check.faults(&described["schema"], &line)).collect();
            }
            _ => Value::from(body),
        };
        schema::Check { document: self.document, strictness }.faults(&described["schema"], &value)
    }
}
