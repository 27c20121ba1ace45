//! Whether an object, as the repository shows it, meets a filter.

use std::cmp::Ordering;

use jiff::Timestamp;
use serde_json::Value as Json;
use uuid::Uuid;

use super::{Condition, Filter, Op, Value};
use crate::event::{ExecutionStatus, TaskType};

/// Whether an object meets a filter.
pub(in super::super) fn fits(filter: &Filter, object: &Json) -> bool {
    match filter {
        Filter::And(all) => all.iter().all(|filter| fits(filter, object)),
        Filter::Or(all) => all.iter().any(|filter| fits(filter, object)),
        Filter::Condition(condition) => any(object, &condition.path, &mut |member| holds(condition, member)),
    }
}

/// Whether objects of this shape have the members that a filter names, and these the values that it names.
pub(in super::super) fn makes_sense(filter: &Filter, shape: &Json) -> bool {
    match filter {
        Filter::And(all) | Filter::Or(all) => all.iter().all(|filter| makes_sense(filter, shape)),
        Filter::Condition(Condition { path, value, .. }) => {
            let name = path.last().map_or("", String::as_str);
            is_known(shape, path) && if let Value::Name(value) = value { code(name, value).is_some() } else { true }
        }
    }
}

/// Whether an object of this shape has a member at `path`. Of a list in it one element is enough.
fn is_known(shape: &Json, path: &[String]) -> bool {
    match (shape, path) {
        (Json::Array(list), _) => list.iter().any(|element| is_known(element, path)),
        (_, []) => true,
        (_, [name, rest @ ..]) => member(shape, name).is_some_and(|member| is_known(member, rest)),
    }
}

/// Whether any member at `path` passes; one that is not there is null.
fn any(object: &Json, path: &[String], passes: &mut impl FnMut(&Json) -> bool) -> bool {
    match (object, path) {
        (Json::Array(list), _) => list.iter().any(|element| any(element, path, passes)),
        (_, []) => passes(object),
        (_, [name, rest @ ..]) => any(member(object, name).unwrap_or(&Json::Null), rest, passes),
    }
}

fn member<'a>(object: &'a Json, name: &str) -> Option<&'a Json> {
    object.as_object()?.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, member)| member)
}

fn holds(condition: &Condition, member: &Json) -> bool {
    let Condition { path, op, value } = condition;
    let name = path.last().map_or("", String::as_str);
    match op {
        Op::StartsWith | Op::EndsWith | Op::SubstringOf => {
            let (Some(text), Value::Text(part)) = (member.as_str(), value) else { return false };
            let (text, part) = (text.to_lowercase(), part.to_lowercase());
            match op {
                Op::StartsWith => text.starts_with(&part),
                Op::EndsWith => text.ends_with(&part),
                _ => text.contains(&part),
            }
        }
        _ => {
            let order = compare(name, member, value);
            match op {
                Op::Eq => order == Some(Ordering::Equal),
                Op::Ne => order != Some(Ordering::Equal),
                Op::Gt => order == Some(Ordering::Greater),
                Op::Ge => order.is_some_and(Ordering::is_ge),
                Op::Lt => order == Some(Ordering::Less),
                _ => order.is_some_and(Ordering::is_le),
            }
        }
    }
}

/// How a member stands to a value; none if they are not of a sort.
fn compare(name: &str, member: &Json, value: &Value) -> Option<Ordering> {
    match value {
        Value::Guid(id) => member.as_str()?.parse::<Uuid>().ok().map(|own| own.cmp(id)),
        Value::Number(number) => member.as_f64()?.partial_cmp(number),
        Value::Bool(value) => Some(member.as_bool()?.cmp(value)),
        Value::Name(value) => Some(member.as_i64()?.cmp(&code(name, value)?)),
        Value::Text(text) => {
            let own = member.as_str()?;
            // Dates are texts here and there, and mean moments.
            match (own.parse::<Timestamp>(), text.parse::<Timestamp>()) {
                (Ok(own), Ok(other)) => Some(own.cmp(&other)),
                _ => Some(own.to_lowercase().cmp(&text.to_lowercase())),
            }
        }
    }
}

/// The number that stands for a name, in the enumerations there are here.
fn code(member: &str, name: &str) -> Option<i64> {
    if member.eq_ignore_ascii_case("status") {
        return ExecutionStatus::from_name(name).map(|status| status.0);
    }
    let of_type = |task_type: &TaskType| task_type.prefix().replace('_', "").trim_end_matches("task").eq_ignore_ascii_case(name);
    let position = TaskType::ALL.iter().position(of_type).filter(|_| member.eq_ignore_ascii_case("taskType"))?;
    i64::try_from(position).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn meets(filter: &str) -> bool {
        let task = json!({
            "id": "e959f40a-67be-4a5b-ae83-a292f96ba078", "name": "Räkna om; It's R&D #1", "taskType": 0, "enabled": true, "maxRetries": 2,
            "modifiedDate": "2024-05-13T04:02:11.510Z", "stream": null,
            "tags": [{"name": "nightly"}, {"name": "🚀"}],
            "customProperties": [
                {"value": "no", "definition": {"name": "alert"}},
                {"value": "yes", "definition": {"name": "other"}},
            ],
            "operational": {"lastExecutionResult": {"status": 8}},
        });
        fits(&filter.parse().unwrap(), &task)
    }

    #[test]
    fn each_sort_of_value_is_compared_as_what_it_is() {
        for filter in [
            "id eq E959F40A-67be-4a5b-ae83-a292f96ba078",
            "NAME eq 'räkna OM; it''s r&d #1'",
            "name ne 'x'",
            "name sw 'räkna' and name ew '#1' and name so 'R&D'",
            "maxRetries gt 1 and maxRetries ge 2 and maxRetries lt 2.5 and maxRetries le 2",
            "enabled eq true",
            "modifiedDate lt '2024-05-13T05:00:00Z' and modifiedDate ge '2024-05-13T04:02:11.51Z'",
            "operational.lastExecutionResult.status eq FinishedFail",
            "taskType eq Reload",
            "stream.name ne 'Everyone'",
        ] {
            assert!(meets(filter), "{filter}");
        }
        for filter in [
            "id eq 'e959f40a'",
            "name eq 'nightly'",
            "maxRetries eq '2'",
            "enabled eq false",
            "operational.lastExecutionResult.status eq FinishedSuccess",
            "taskType eq UserSync",
            "stream.name eq 'Everyone'",
        ] {
            assert!(!meets(filter), "{filter}");
        }
    }

    #[test]
    fn over_a_list_any_element_will_do_for_each_condition() {
        assert!(meets("tags.name eq '🚀' and tags.name eq 'nightly'"));
        assert!(!meets("tags.name eq 'x'"));
        // One property has the name and another the value.
        assert!(meets("customProperties.definition.name eq 'alert' and customProperties.value eq 'yes'"));
    }

    #[test]
    fn members_are_known_or_not_in_any_case() {
        let shape = json!({"tags": [{"name": ""}], "app": {"id": ""}});
        let known = |path: &str| is_known(&shape, &path.split('.').map(str::to_owned).collect::<Vec<_>>());
        assert!(known("Tags.Name") && known("app.id") && known("app"));
        assert!(!known("tags.colour") && !known("app.id.x") && !known("x"));
    }
}
