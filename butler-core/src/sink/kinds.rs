//! Settings that differ by the kind of event.

use std::collections::BTreeMap;

use crate::config::Issues;
use crate::event::Kind;

/// Values by the name of a kind, or the start of one with a trailing `*`. The longest that fits wins.
#[derive(Debug, Clone)]
pub(super) struct ByKind<T>(BTreeMap<String, T>);

impl<T> ByKind<T> {
    pub(super) fn new<S>(settings: &BTreeMap<String, S>, make: impl Fn(&S) -> T) -> Self {
        Self(settings.iter().map(|(pattern, setting)| (pattern.clone(), make(setting))).collect())
    }

    pub(super) fn find(&self, kind: &Kind) -> Option<&T> {
        let kind = kind.to_string();
        let fits = |pattern: &str| match pattern.strip_suffix('*') {
            Some(start) => kind.starts_with(start),
            None => kind == pattern,
        };
        self.0
            .iter()
            .filter(|(pattern, _)| fits(pattern))
            .max_by_key(|(pattern, _)| (pattern.len(), !pattern.ends_with('*')))
            .map(|(_, value)| value)
    }

    #[cfg(any(feature = "sink-email", feature = "sink-slack", feature = "sink-teams"))]
    pub(super) fn values(&self) -> impl Iterator<Item = &T> {
        self.0.values()
    }
}

/// Reports keys that are no kinds.
pub(super) fn validate<T>(key: &str, settings: &BTreeMap<String, T>, issues: &mut Issues) {
    issues.within(key, |issues| {
        for pattern in settings.keys() {
            let fine = match pattern.strip_suffix('*') {
                Some(start) => start.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'.')),
                None => pattern.parse::<Kind>().is_ok(),
            };
            if !fine {
                let help = "expected a name such as `reload_task.failed`, or a start with a trailing `*` such as `reload_task.*`";
                issues.at_with_help(pattern, "this is no event kind", help);
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_pattern_wins() {
        let settings =
            ["*", "reload_task.*", "reload_task.failed", "reload_task.failed*", "task.*"].map(|pattern| (pattern.to_owned(), ()));
        let by_kind = ByKind(settings.into_iter().map(|(pattern, ())| (pattern.clone(), pattern)).collect());
        let find = |kind: &str| by_kind.find(&kind.parse().unwrap()).map(String::as_str);
        assert_eq!(find("reload_task.failed"), Some("reload_task.failed*"));
        assert_eq!(find("reload_task.aborted"), Some("reload_task.*"));
        assert_eq!(find("butler.started"), Some("*"));
        assert_eq!(ByKind::<()>(BTreeMap::new()).find(&Kind::EngineReloadFailed), None);
    }
}
