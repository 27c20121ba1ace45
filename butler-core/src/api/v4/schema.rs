//! Bodies and queries in the light of their schemas: what can be taken for the wanted type is made into it, what can't is refused in the words that clients know.
//!
//! Load scripts send booleans and numbers as text, single values in place of lists, and nothing in place of everything; so the types are met half way, by rules that are
//! those of the validator of the original.

use serde_json::{Map, Number, Value};

/// Makes a value fit its schema, or says what is wrong with it: the first fault only, where it is in front.
pub(super) fn fit(schema: &Value, value: &mut Value, at: &str) -> Result<(), String> {
    let wanted = schema["type"].as_str().unwrap_or_default();
    if !coerce(wanted, value) {
        return Err(format!("{at} must be {wanted}"));
    }
    match value {
        Value::Object(members) => fit_members(schema, members, at)?,
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                fit(&schema["items"], item, &format!("{at}/{index}"))?;
            }
        }
        Value::String(text) => {
            if let Some(longest) = schema["maxLength"].as_u64()
                && text.chars().count() as u64 > longest
            {
                return Err(format!("{at} must NOT have more than {longest} characters"));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
    match schema["enum"].as_array() {
        Some(allowed) if !allowed.contains(value) => Err(format!("{at} must be equal to one of the allowed values")),
        _ => Ok(()),
    }
}

fn fit_members(schema: &Value, members: &mut Map<String, Value>, at: &str) -> Result<(), String> {
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    for name in required {
        if !members.contains_key(name) {
            return Err(format!("{at} must have required property '{name}'"));
        }
    }
    for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
        if let Some(value) = members.get_mut(name) {
            fit(schema, value, &format!("{at}/{name}"))?;
        }
    }
    Ok(())
}

/// Makes a value one of the wanted type, if it can be taken for one.
fn coerce(wanted: &str, value: &mut Value) -> bool {
    if is(wanted, value) {
        return true;
    }
    let made = match wanted {
        "array" if !value.is_object() => Some(Value::Array(vec![value.take()])),
        "string" | "number" | "integer" | "boolean" => scalar(wanted, single(value)),
        _ => None,
    };
    match made {
        Some(made) => {
            *value = made;
            true
        }
        None => false,
    }
}

/// A list of one stands for what is in it.
fn single(value: &Value) -> &Value {
    match value.as_array().map(Vec::as_slice) {
        Some([only]) => only,
        _ => value,
    }
}

fn is(wanted: &str, value: &Value) -> bool {
    match wanted {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => is_integer(value),
        "boolean" => value.is_boolean(),
        // Nothing is said about it.
        _ => true,
    }
}

fn is_integer(value: &Value) -> bool {
    value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0)
}

fn scalar(wanted: &str, value: &Value) -> Option<Value> {
    if is(wanted, value) {
        return Some(value.clone());
    }
    let number = match value {
        Value::Null => Some(Number::from(0)),
        Value::Bool(truth) => Some(Number::from(u8::from(*truth))),
        Value::String(text) => number(text),
        _ => None,
    };
    match (wanted, value) {
        ("string", Value::Null) => Some("".into()),
        ("string", Value::Bool(truth)) => Some(truth.to_string().into()),
        ("string", Value::Number(number)) => Some(text_of(number).into()),
        ("number", _) => number.map(Value::Number),
        ("integer", _) => number.map(Value::Number).filter(is_integer),
        ("boolean", Value::Null) => Some(false.into()),
        ("boolean", Value::String(text)) => text.parse::<bool>().ok().map(Value::Bool),
        ("boolean", Value::Number(number)) => match number.as_f64() {
            Some(0.0) => Some(false.into()),
            Some(1.0) => Some(true.into()),
            _ => None,
        },
        _ => None,
    }
}

/// The number that a text is, as JavaScript reads it: blanks around it do not matter, and it may be hexadecimal, octal or binary.
pub(super) fn number(text: &str) -> Option<Number> {
    if text.is_empty() {
        return None;
    }
    let text = text.trim();
    if text.is_empty() {
        return Some(Number::from(0));
    }
    let radix = |prefix: [&str; 2], radix: u32| {
        let digits = prefix.iter().find_map(|prefix| text.strip_prefix(prefix))?;
        digits.bytes().all(|byte| char::from(byte).is_digit(radix)).then(|| u64::from_str_radix(digits, radix).ok())?
    };
    if let Some(whole) = radix(["0x", "0X"], 16).or_else(|| radix(["0o", "0O"], 8)).or_else(|| radix(["0b", "0B"], 2)) {
        return Some(whole.into());
    }
    // No words such as `inf`.
    let is_decimal = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-'));
    if !is_decimal {
        return None;
    }
    text.parse::<i64>().ok().map(Number::from).or_else(|| text.parse::<f64>().ok().and_then(Number::from_f64))
}

/// A number as JavaScript writes it.
pub(super) fn text_of(number: &Number) -> String {
    /// From here on, and below its inverse, powers of ten are written.
    const LARGE: f64 = 1e21;
    const SMALL: f64 = 1e-6;
    match number.as_f64() {
        Some(float) if number.is_f64() => {
            let size = float.abs();
            if float == 0.0 {
                "0".to_owned()
            } else if size >= LARGE {
                format!("{float:e}").replace('e', "e+")
            } else if size < SMALL {
                format!("{float:e}")
            } else {
                float.to_string()
            }
        }
        _ => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn fitted(schema: &Value, mut value: Value) -> Result<Value, String> {
        fit(schema, &mut value, "body").map(|()| value)
    }

    #[test]
    fn types_are_met_half_way() {
        let rows = [
            ("string", json!(12), Some(json!("12"))),
            ("string", json!(1500.9), Some(json!("1500.9"))),
            ("string", json!(1e21), Some(json!("1e+21"))),
            ("string", json!(2.5e-7), Some(json!("2.5e-7"))),
            ("string", json!(-0.0), Some(json!("0"))),
            ("string", json!(3.0), Some(json!("3"))),
            ("string", json!(18_446_744_073_709_551_615_u64), Some(json!("18446744073709551615"))),
            ("string", json!(true), Some(json!("true"))),
            ("string", json!(null), Some(json!(""))),
            ("string", json!(["a"]), Some(json!("a"))),
            ("string", json!([7]), Some(json!("7"))),
            ("string", json!(["a", "b"]), None),
            ("string", json!([]), None),
            ("string", json!({}), None),
            ("number", json!("5000"), Some(json!(5000))),
            ("number", json!("1500.9"), Some(json!(1500.9))),
            ("number", json!(" 12 "), Some(json!(12))),
            ("number", json!("0x10"), Some(json!(16))),
            ("number", json!("1e3"), Some(json!(1000.0))),
            ("number", json!(true), Some(json!(1))),
            ("number", json!(false), Some(json!(0))),
            ("number", json!(null), Some(json!(0))),
            ("number", json!(["5"]), Some(json!(5))),
            ("number", json!(""), None),
            ("number", json!("abc"), None),
            ("number", json!("12abc"), None),
            ("number", json!("Infinity"), None),
            ("number", json!("inf"), None),
            ("number", json!("NaN"), None),
            ("number", json!("1e999"), None),
            ("number", json!({}), None),
            ("integer", json!("2"), Some(json!(2))),
            ("integer", json!(2.0), Some(json!(2.0))),
            ("integer", json!(1.5), None),
            ("integer", json!("1.5"), None),
            ("boolean", json!("true"), Some(json!(true))),
            ("boolean", json!("false"), Some(json!(false))),
            ("boolean", json!(1), Some(json!(true))),
            ("boolean", json!(0), Some(json!(false))),
            ("boolean", json!(null), Some(json!(false))),
            ("boolean", json!("1"), None),
            ("boolean", json!("yes"), None),
            ("boolean", json!("True"), None),
            ("boolean", json!(""), None),
            ("boolean", json!(2), None),
            ("array", json!("a"), Some(json!(["a"]))),
            ("array", json!(null), Some(json!([null]))),
            ("array", json!({}), None),
            ("object", json!([]), None),
            ("object", json!("a"), None),
            ("object", json!(null), None),
        ];
        for (wanted, value, expected) in rows {
            let found = fitted(&json!({ "type": wanted }), value.clone());
            let expected = expected.ok_or_else(|| format!("body must be {wanted}"));
            assert_eq!(found, expected, "{value} as {wanted}");
        }
    }

    #[test]
    fn faults_are_told_one_at_a_time_and_where_they_are() {
        let schema = json!({
            "type": "object",
            "properties": {
                "name": { "type": "string", "maxLength": 3 },
                "state": { "type": "string", "enum": ["start", "stop"] },
                "list": { "type": "array", "items": { "type": "object", "properties": { "value": { "type": "number" } } } },
            },
            "required": ["name", "state"],
        });
        for (value, expected) in [
            (json!([]), "body must be object"),
            (json!({ "name": {} }), "body must have required property 'state'"),
            (json!({ "name": {}, "state": 7 }), "body/name must be string"),
            (json!({ "name": "åäöx", "state": "stop" }), "body/name must NOT have more than 3 characters"),
            (json!({ "name": "åäö", "state": 7 }), "body/state must be equal to one of the allowed values"),
            (json!({ "name": "", "state": "stop", "list": {} }), "body/list must be array"),
            (json!({ "name": "", "state": "stop", "list": [{}, 1] }), "body/list/1 must be object"),
            (json!({ "name": "", "state": "stop", "list": [{ "value": "x" }] }), "body/list/0/value must be number"),
        ] {
            assert_eq!(fitted(&schema, value.clone()), Err(expected.to_owned()), "{value}");
        }
        let fine = json!({ "name": 1, "state": "stop", "list": { "value": 1 }, "more": {} });
        assert_eq!(fitted(&schema, fine), Err("body/list must be array".into()));
        let fine = json!({ "name": 1, "state": ["stop"], "list": [{ "value": "1" }], "more": {} });
        assert_eq!(fitted(&schema, fine).unwrap(), json!({ "name": "1", "state": "stop", "list": [{ "value": 1 }], "more": {} }));
    }

    proptest! {
        #[test]
        fn what_fits_goes_on_fitting(text in "\\PC*", wanted in prop::sample::select(vec!["string", "number", "integer", "boolean", "array", "object"])) {
            let value: Value = serde_json::from_str(&text).unwrap_or(Value::String(text));
            if let Ok(once) = fitted(&json!({ "type": wanted }), value) {
                prop_assert_eq!(fitted(&json!({ "type": wanted }), once.clone()).unwrap(), once);
            }
        }

        #[test]
        fn numbers_are_read_as_they_are_written(number in any::<f64>().prop_filter("finite", |number| number.is_finite())) {
            let text = text_of(&Number::from_f64(number).unwrap());
            let read = super::number(&text).unwrap().as_f64().unwrap();
            prop_assert_eq!(read, number, "{}", text);
        }
    }
}
