//! Which kinds of events a route may name.
//!
//! The kinds of the program itself are known, so a route that names one of them nearly right is a fault: it would never take anything. A name that resembles none may be
//! that of an embedder's own source.

use super::issues::nearest;
use crate::event::TaskType;
use crate::pipeline::KindPattern;

/// Kinds beside those of tasks.
const OTHERS: [&str; 18] = [
    "engine_reload.failed",
    "service.stopped",
    "service.started",
    "server_license.status",
    "server_license.expiring",
    "access_license.usage",
    "access_license.released",
    "user_session.started",
    "user_session.ended",
    "user_connection.opened",
    "user_connection.closed",
    "cloud_app_reload.failed",
    "task.late",
    "task.stuck",
    "task.failing",
    "task.recovered",
    "schedule.failed",
    "schedule.missed",
];

/// Whether a pattern of kinds will ever take something.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// It names a kind of ours, or the start of one.
    Yes(KindPattern),
    /// It names none; an embedder's source may make such events.
    Foreign(KindPattern),
    /// It names none, but nearly does.
    Nearly(String),
    /// It can't be the name of a kind.
    Malformed(String),
}

/// The kind that was probably meant, where a pattern names none but nearly does.
#[cfg(feature = "api")]
pub(crate) fn nearly(pattern: &KindPattern) -> Option<String> {
    match known(&pattern.to_string()) {
        Known::Nearly(near) => Some(near),
        Known::Yes(_) | Known::Foreign(_) | Known::Malformed(_) => None,
    }
}

/// All kinds, by name.
fn names() -> Vec<String> {
    let prefixes = TaskType::ALL.into_iter().map(TaskType::prefix).chain(["task"]);
    let tasks = prefixes.flat_map(|prefix| ["failed", "aborted", "success", "unsettled"].map(|end| format!("{prefix}.{end}")));
    tasks.chain(OTHERS.map(str::to_owned)).collect()
}

/// Looks at a pattern.
pub(super) fn known(text: &str) -> Known {
    let pattern = match text.parse::<KindPattern>() {
        Ok(pattern) => pattern,
        Err(error) => return Known::Malformed(error.to_string()),
    };
    let names = names();
    let (start, open) = text.strip_suffix('*').map_or((text, false), |start| (start, true));
    if open && names.iter().any(|name| name.starts_with(start)) || names.iter().any(|name| pattern.matches(name)) {
        return Known::Yes(pattern);
    }
    let family = |name: &str| name.split_once('.').map_or(name.to_owned(), |(family, _)| family.to_owned());
    // Butler's own notices have many names, and get more.
    if family(start) == "butler" || open && "butler.".starts_with(start) {
        return Known::Yes(pattern);
    }
    let related: Vec<&str> = names.iter().map(String::as_str).filter(|name| family(name) == family(start)).collect();
    if !related.is_empty() {
        let near = nearest(start, &related).unwrap_or(related[0]);
        return Known::Nearly(near.to_owned());
    }
    if open {
        let families: Vec<String> = names.iter().map(|name| family(name) + ".").collect();
        let near = families.iter().find(|family| strsim::damerau_levenshtein(family, start) <= 2);
        return near.map_or(Known::Foreign(pattern), |near| Known::Nearly(format!("{near}*")));
    }
    let near = names.into_iter().map(|name| (strsim::damerau_levenshtein(&name, start), name)).min();
    match near {
        Some((distance, near)) if distance <= 3 => Known::Nearly(near),
        _ => Known::Foreign(pattern),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_ours_and_their_starts_are_known() {
        for text in [
            "reload_task.failed",
            "preload_task.aborted",
            "task.late",
            "engine_reload.*",
            "*",
            "relo*",
            "butler.*",
            "butler.anything",
            "but*",
        ] {
            assert!(matches!(known(text), Known::Yes(_)), "{text}");
        }
    }

    #[test]
    fn a_slip_of_the_pen_is_not_taken_for_a_kind_of_somebody_else() {
        let near = |text: &str| match known(text) {
            Known::Nearly(near) => near,
            other => format!("{other:?}"),
        };
        assert_eq!(near("reload_task.fialed"), "reload_task.failed");
        assert_eq!(near("reload_task.failure"), "reload_task.failed");
        assert_eq!(near("reload_tasks.failed"), "reload_task.failed");
        assert_eq!(near("reloadtask.aborted"), "reload_task.aborted");
        assert_eq!(near("reload_taks.*"), "reload_task.*");
        assert_eq!(near("service.down"), "service.stopped");
    }

    #[test]
    fn other_names_may_be_an_embedders() {
        assert!(matches!(known("pager.rang"), Known::Foreign(_)));
        assert!(matches!(known("pager.*"), Known::Foreign(_)));
        assert!(matches!(known("Pager"), Known::Malformed(_)));
    }
}
