//! Whether a value is what a schema says: the part of JSON Schema that our documents are written in. What is beyond it is a fault, so that nothing is taken for checked that is not.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// What is thought of a member that a schema does not name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strictness {
    /// It is a fault.
    NamedOnly,
    /// It may be there.
    Lenient,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Check<'a> {
    pub(super) document: &'a Value,
    pub(super) strictness: Strictness,
}

/// Words that say nothing about a value.
const SILENT: [&str; 9] =
    ["description", "title", "example", "examples", "default", "deprecated", "readOnly", "propertyNames", "contentMediaType"];

impl Check<'_> {
    pub(super) fn faults(self, schema: &Value, value: &Value) -> Vec<String> {
        let mut faults = Vec::new();
        self.collect(schema, value, "", true, &mut faults);
        faults
    }

    fn resolve<'a>(&'a self, schema: &'a Value) -> &'a Value {
        match schema["$ref"].as_str() {
            Some(pointer) => self.document.pointer(pointer.trim_start_matches('#')).unwrap_or_else(|| panic!("{pointer} leads nowhere")),
            None => schema,
        }
    }

    /// `closed`: members that this schema does not name are its business, and not that of one which it is a part of.
    fn collect(self, schema: &Value, value: &Value, at: &str, closed: bool, faults: &mut Vec<String>) {
        let schema = self.resolve(schema);
        let Some(words) = schema.as_object() else {
            return;
        };
        for (word, wanted) in words {
            let fine = match word.as_str() {
                "type" => {
                    let fine = kinds(wanted).iter().any(|kind| is(kind, value)) || (value.is_null() && schema["nullable"] == true);
                    fine || self.fault(faults, at, &format!("is no {wanted}: {value}"))
                }
                "enum" => {
                    wanted.as_array().is_some_and(|all| all.contains(value))
                        || self.fault(faults, at, &format!("is none of {wanted}: {value}"))
                }
                "const" => wanted == value || self.fault(faults, at, &format!("is not {wanted}: {value}")),
                "format" => {
                    of_format(wanted.as_str().unwrap_or_default(), value) || self.fault(faults, at, &format!("is no {wanted}: {value}"))
                }
                "minimum" => {
                    value.as_f64().is_none_or(|number| number >= wanted.as_f64().unwrap_or(f64::MIN))
                        || self.fault(faults, at, &format!("is less than {wanted}: {value}"))
                }
                "maxLength" => {
                    value.as_str().is_none_or(|text| text.chars().count() as u64 <= wanted.as_u64().unwrap_or(u64::MAX))
                        || self.fault(faults, at, &format!("is longer than {wanted}"))
                }
                "required" => {
                    let missing = wanted
                        .as_array()
                        .into_iter()
                        .flatten()
                        .filter_map(Value::as_str)
                        .find(|name| value.as_object().is_some_and(|members| !members.contains_key(*name)));
                    missing.is_none_or(|name| self.fault(faults, at, &format!("has no {name}: {value}")))
                }
                "properties" => {
                    for (name, schema) in wanted.as_object().into_iter().flatten() {
                        if let Some(member) = value.get(name) {
                            self.collect(schema, member, &format!("{at}/{name}"), true, faults);
                        }
                    }
                    true
                }
                "additionalProperties" => {
                    self.further(schema, wanted, value, at, faults);
                    true
                }
                "items" | "prefixItems" => {
                    self.items(schema, value, at, faults);
                    true
                }
                "allOf" => {
                    wanted.as_array().into_iter().flatten().for_each(|part| self.collect(part, value, at, false, faults));
                    true
                }
                "oneOf" | "anyOf" => self.choice(word, wanted, value, at, faults),
                "nullable" => true,
                silent if SILENT.contains(&silent) => true,
                other => self.fault(faults, at, &format!("has a schema with `{other}`, which is not checked")),
            };
            debug_assert!(fine || !faults.is_empty());
        }
        if closed && self.strictness == Strictness::NamedOnly {
            self.unnamed(schema, value, at, faults);
        }
    }

    #[expect(clippy::unused_self, reason = "it reads as the others do")]
    fn fault(self, faults: &mut Vec<String>, at: &str, what: &str) -> bool {
        faults.push(format!("{} {what}", if at.is_empty() { "the body" } else { at }));
        false
    }

    /// Members that are not named: `wanted` says what they have to be.
    fn further(self, schema: &Value, wanted: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
        for (name, member) in value.as_object().into_iter().flatten().filter(|(name, _)| schema["properties"].get(name.as_str()).is_none())
        {
            match wanted {
                Value::Bool(false) => drop(self.fault(faults, at, &format!("has a member that must not be: {name}"))),
                wanted => self.collect(wanted, member, &format!("{at}/{name}"), true, faults),
            }
        }
    }

    fn items(self, schema: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
        let first = schema["prefixItems"].as_array().map(Vec::as_slice).unwrap_or_default();
        for (index, item) in value.as_array().into_iter().flatten().enumerate() {
            let at = format!("{at}/{index}");
            match first.get(index).unwrap_or(&schema["items"]) {
                Value::Bool(false) => drop(self.fault(faults, &at, "is one too many")),
                wanted => self.collect(wanted, item, &at, true, faults),
            }
        }
    }

    fn choice(self, word: &str, wanted: &Value, value: &Value, at: &str, faults: &mut Vec<String>) -> bool {
        let tried = wanted.as_array().into_iter().flatten().map(|schema| {
            let mut faults = Vec::new();
            self.collect(schema, value, at, true, &mut faults);
            faults
        });
        let tried: Vec<_> = tried.collect();
        let fitting = tried.iter().filter(|faults| faults.is_empty()).count();
        if fitting == 1 || (word == "anyOf" && fitting > 1) {
            return true;
        }
        self.fault(faults, at, &format!("is {fitting} of {} choices: {value}; {tried:?}", tried.len()))
    }

    fn unnamed(self, schema: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
        let mut named = BTreeSet::new();
        if let (Some(members), true) = (value.as_object(), self.names(schema, &mut named)) {
            let unknown: Vec<_> = members.keys().filter(|name| !named.contains(*name)).collect();
            if !unknown.is_empty() {
                self.fault(faults, at, &format!("has members that the document does not know: {unknown:?}"));
            }
        }
    }

    /// The members that a schema names, with its parts; `false` if it leaves open which there are.
    fn names(self, schema: &Value, named: &mut BTreeSet<String>) -> bool {
        let schema = self.resolve(schema);
        let properties = schema["properties"].as_object();
        named.extend(properties.into_iter().flatten().map(|(name, _)| name.clone()));
        let parts = schema["allOf"].as_array();
        let closed =
            |schema: &Map<String, Value>| !["additionalProperties", "oneOf", "anyOf"].iter().any(|word| schema.contains_key(*word));
        schema.as_object().is_some_and(closed)
            && (properties.is_some() || parts.is_some())
            && parts.into_iter().flatten().all(|part| self.names(part, named))
    }
}

fn kinds(wanted: &Value) -> Vec<&str> {
    match wanted {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn is(kind: &str, value: &Value) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        "string" => value.is_string(),
        _ => false,
    }
}

fn of_format(format: &str, value: &Value) -> bool {
    let Some(text) = value.as_str() else {
        // Of a number, the format only says how long it may be.
        return true;
    };
    match format {
        "uuid" => text.len() == 36 && text.parse::<uuid::Uuid>().is_ok(),
        "date-time" => text.parse::<jiff::Timestamp>().is_ok(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_wrong_is_seen() {
        let document = json!({ "components": { "schemas": { "Id": { "type": "string", "format": "uuid" } } } });
        let schema = json!({
            "type": "object",
            "required": ["id"],
            "properties": {
                "id": { "$ref": "#/components/schemas/Id" },
                "at": { "type": ["string", "null"], "format": "date-time" },
                "pairs": { "type": "array", "items": { "type": "array", "prefixItems": [{ "type": "string" }, { "type": "integer", "minimum": 0 }], "items": false } },
                "either": { "oneOf": [{ "type": "null" }, { "type": "string", "enum": ["a"] }] },
                "more": { "type": "object", "additionalProperties": { "type": "integer" } },
            },
        });
        let id = "0198c5a2-0000-7000-8000-000000000000";
        let check = Check { document: &document, strictness: Strictness::NamedOnly };
        let good = [
            json!({ "id": id }),
            json!({ "id": id, "at": null, "pairs": [["a", 1]], "either": "a", "more": { "x": 1 } }),
            json!({ "id": id, "at": "2026-01-01T00:00:00Z", "either": null }),
        ];
        for value in good {
            assert_eq!(check.faults(&schema, &value), [""; 0], "{value}");
        }
        let bad = [
            json!([]),
            json!({}),
            json!({ "id": "x" }),
            json!({ "id": id, "at": "yesterday" }),
            json!({ "id": id, "pairs": [["a", -1]] }),
            json!({ "id": id, "pairs": [["a", 1, 2]] }),
            json!({ "id": id, "either": "b" }),
            json!({ "id": id, "more": { "x": "1" } }),
            json!({ "id": id, "unnamed": 1 }),
        ];
        for value in bad {
            assert!(!check.faults(&schema, &value).is_empty(), "{value}");
        }
        let lenient = Check { strictness: Strictness::Lenient, ..check };
        assert!(lenient.faults(&schema, &json!({ "id": id, "unnamed": 1 })).is_empty());
        assert!(!lenient.faults(&json!({ "pattern": "a" }), &json!("a")).is_empty(), "what is not checked is not passed over");
    }
}
