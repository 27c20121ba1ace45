//! `If-Match` and `If-None-Match`.

use axum::http::HeaderMap;
use axum::http::header::{AsHeaderName, IF_MATCH, IF_NONE_MATCH};

use crate::api::problem::Refusal;
use crate::kv::Condition;

/// What a header names.
enum Named {
    Any,
    Version(u64),
}

/// The condition of a request that changes a pair.
pub(super) fn of(headers: &HeaderMap, if_value: Option<String>) -> Result<Condition, Refusal> {
    let matches = named(headers, IF_MATCH)?.map(|named| match named {
        Named::Any => Condition::Present,
        Named::Version(version) => Condition::Version(version),
    });
    let matches_none = match named(headers, IF_NONE_MATCH)? {
        None => None,
        Some(Named::Any) => Some(Condition::Absent),
        Some(Named::Version(_)) => {
            return Err(Refusal::bad_request("only `If-None-Match: *` is a condition for a change")
                .remedy("Send `If-Match` with the version that has to be there."));
        }
    };
    let mut all = [matches, matches_none, if_value.map(Condition::Value)].into_iter().flatten();
    match (all.next(), all.next()) {
        (Some(_), Some(_)) => Err(Refusal::bad_request("only one of `If-Match`, `If-None-Match` and `if_value` can be asked for")),
        (condition, _) => Ok(condition.unwrap_or_default()),
    }
}

/// Whether who asks has this version already.
pub(super) fn is_known(headers: &HeaderMap, version: u64) -> bool {
    let tags = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok()).flat_map(|tags| tags.split(','));
    // For reading a weak tag is as good as a strong one.
    let version = format!("\"{version}\"");
    tags.map(str::trim).any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == version)
}

/// The only tag of a header, if it is there.
fn named(headers: &HeaderMap, name: impl AsHeaderName + std::fmt::Display) -> Result<Option<Named>, Refusal> {
    let what = name.to_string();
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    let version = || text.strip_prefix('"')?.strip_suffix('"')?.parse().ok();
    match (text, version(), values.next()) {
        ("*", _, None) => Ok(Some(Named::Any)),
        (_, Some(version), None) => Ok(Some(Named::Version(version))),
        _ => Err(Refusal::bad_request(format!("`{what}` has to be one version in quotes, as `ETag` gave it, or `*`"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(lines: &[(&'static str, &str)], if_value: Option<&str>) -> Result<Condition, String> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        of(&headers, if_value.map(str::to_owned)).map_err(|refusal| format!("{refusal:?}"))
    }

    #[test]
    fn one_condition_is_read() {
        assert_eq!(said(&[], None), Ok(Condition::Always));
        assert_eq!(said(&[("if-match", "\"7\"")], None), Ok(Condition::Version(7)));
        assert_eq!(said(&[("if-match", " * ")], None), Ok(Condition::Present));
        assert_eq!(said(&[("if-none-match", "*")], None), Ok(Condition::Absent));
        assert_eq!(said(&[], Some("v")), Ok(Condition::Value("v".into())));
    }

    #[test]
    fn what_is_no_single_condition_is_refused_in_words() {
        for (lines, if_value, words) in [
            (&[("if-match", "7")][..], None, "`if-match` has to be one version in quotes"),
            (&[("if-match", "W/\"7\"")], None, "has to be one version in quotes"),
            (&[("if-match", "\"7\", \"8\"")], None, "has to be one version in quotes"),
            (&[("if-match", "\"7\""), ("if-match", "\"8\"")], None, "has to be one version in quotes"),
            (&[("if-none-match", "\"7\"")], None, "only `If-None-Match: *`"),
            (&[("if-match", "\"7\""), ("if-none-match", "*")], None, "only one of"),
            (&[("if-match", "*")], Some("v"), "only one of"),
        ] {
            let refusal = said(lines, if_value).unwrap_err();
            assert!(refusal.contains(words), "{lines:?}: {refusal}");
        }
    }

    #[test]
    fn a_reader_may_know_the_version_already() {
        let known = |text: &str| {
            let headers = HeaderMap::from_iter([(IF_NONE_MATCH, text.parse().unwrap())]);
            is_known(&headers, 7)
        };
        assert!(known("\"7\"") && known("*") && known("\"1\", W/\"7\""));
        assert!(!known("\"70\"") && !known("7") && !known(""));
        assert!(!is_known(&HeaderMap::new(), 7));
    }
}
