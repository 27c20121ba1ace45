//! The helpers of templates, and how values become text.

use handlebars::{
    Context, Handlebars, Helper, HelperDef, HelperResult, Output, RenderContext, RenderError, RenderErrorReason, Renderable, ScopedJson,
};
use serde_json::Value;

use super::escape::slack;

/// An object with this key is shown as the key's value: a stream is a text and has a name at the same time.
pub(super) const TEXT_KEY: &str = "$text";

/// Names that adapted templates use. No name in a template can look like this.
pub(super) const SHOW: &str = "$show";
pub(super) const SHOW_SLACK: &str = "$show slack";
pub(super) const GET: &str = "$get";
pub(super) const IS_LIST: &str = "$is list";
pub(super) const IS_PARTED: &str = "$is parted";

/// The text of a value, as JavaScript writes it.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(value) => value.to_string(),
        Value::String(text) => text.clone(),
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() => float.to_string(),
            _ => number.to_string(),
        },
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(","),
        Value::Object(object) => object.get(TEXT_KEY).map_or_else(|| "[object Object]".to_owned(), text),
    }
}

/// Whether `#if` takes its first branch.
fn is_true(value: &Value, zero_is_true: bool) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::String(text) => !text.is_empty(),
        Value::Number(number) => zero_is_true || number.as_f64().is_none_or(|number| number != 0.0),
        Value::Array(items) => !items.is_empty(),
        Value::Object(_) => true,
    }
}

/// Equal without any conversion, as `===` is.
fn is_same(a: &Value, b: &Value) -> bool {
    fn bare(value: &Value) -> &Value {
        value.as_object().and_then(|object| object.get(TEXT_KEY)).unwrap_or(value)
    }
    match (bare(a), bare(b)) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (a, b) => a == b,
    }
}

pub(super) fn register(registry: &mut Handlebars<'static>) {
    registry.register_helper(SHOW, Box::new(Show { slack: false }));
    registry.register_helper(SHOW_SLACK, Box::new(Show { slack: true }));
    registry.register_helper(GET, Box::new(Get));
    registry.register_helper("eq", Box::new(Eq));
    registry.register_helper("if", Box::new(If(is_true)));
    registry.register_helper("unless", Box::new(If(|value, zero_is_true| !is_true(value, zero_is_true))));
    registry.register_helper(IS_LIST, Box::new(If(|value, _| value.is_array())));
    registry.register_helper(IS_PARTED, Box::new(If(|value, _| !value.is_boolean() && is_true(value, true))));
}

fn parameter<'a>(helper: &'a Helper<'_>, name: &'static str, index: usize) -> Result<&'a handlebars::PathAndJson<'a>, RenderError> {
    helper.param(index).ok_or_else(|| RenderErrorReason::ParamNotFoundForIndex(name, index).into())
}

/// Shows a value. Escaping for the output is done by the engine with what this returns.
struct Show {
    slack: bool,
}

impl HelperDef for Show {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        let value = helper.param(0).map(|value| text(value.value())).unwrap_or_default();
        Ok(ScopedJson::Derived(Value::String(if self.slack { slack(&value) } else { value })))
    }
}

/// Finds the value of a path, which may end in the length of a list or a text; what is not there is missing and no error.
struct Get;

impl HelperDef for Get {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        context: &'rc Context,
        render: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        let Some(path) = helper.param(0).and_then(|path| path.value().as_str()) else { return Ok(ScopedJson::Missing) };
        let find = |path: &str| match render.context() {
            Some(own) => render.evaluate(&own, path).ok().filter(|found| !found.is_missing()).map(|found| found.as_json().clone()),
            None => render.evaluate(context, path).ok().filter(|found| !found.is_missing()).map(|found| found.as_json().clone()),
        };
        if let Some(found) = find(path) {
            return Ok(ScopedJson::Derived(found));
        }
        let length = path.strip_suffix(".length").and_then(find).and_then(|value| match value {
            Value::Array(items) => Some(items.len()),
            Value::String(text) => Some(text.encode_utf16().count()),
            _ => None,
        });
        Ok(length.map_or(ScopedJson::Missing, |length| ScopedJson::Derived(Value::from(length))))
    }
}

/// `(eq a b)`: whether both are strictly equal.
struct Eq;

impl HelperDef for Eq {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        let (a, b) = (parameter(helper, "eq", 0)?, parameter(helper, "eq", 1)?);
        let same = a.is_value_missing() == b.is_value_missing() && is_same(a.value(), b.value());
        Ok(ScopedJson::Derived(Value::Bool(same)))
    }
}

/// `#if` and its like: takes the first branch if this is true of the value, given whether zero counts as true.
struct If(fn(&Value, bool) -> bool);

impl HelperDef for If {
    fn call<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        registry: &'reg Handlebars<'reg>,
        context: &'rc Context,
        render: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        let value = parameter(helper, "if", 0)?;
        let zero_is_true = helper.hash_get("includeZero").is_some_and(|value| is_true(value.value(), false));
        let branch = if (self.0)(value.value(), zero_is_true) { helper.template() } else { helper.inverse() };
        branch.map_or(Ok(()), |branch| branch.render(registry, context, render, out))
    }
}
