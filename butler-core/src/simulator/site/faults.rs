//! What goes wrong on command.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// What goes wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// It is answered with this status.
    Status(u16),
    /// It is answered so much later.
    Delay(Duration),
    /// Its connection is reset.
    Reset,
    /// It is carried out, and its connection is reset in place of the answer.
    Cut,
    /// It is never answered.
    Hang,
    /// The second half of the answer is missing, so that it is no JSON any more.
    Malformed,
    /// The answer has no body.
    Empty,
    /// The answer is an HTML page, as something in between would send it.
    Page,
    /// The answer is about another object than the one that was asked for.
    Lie,
}

/// Which requests a fault happens to.
///
/// A text is a path below `/qrs/`, without a query, in which a `*` stands for any part between slashes: `task/full`, `reloadtask/*`,
/// `reloadtask/*/scriptlog`. A `*` by itself stands for every path. Faults of the engine are set the same way, at the name of a method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct On {
    path: String,
    every: usize,
    times: usize,
}

impl On {
    /// Every request for this path.
    #[must_use]
    pub fn path(path: impl Into<String>) -> Self {
        Self { path: path.into(), every: 1, times: usize::MAX }
    }

    /// Every request.
    #[must_use]
    pub fn all() -> Self {
        Self::path("*")
    }

    /// Only each `k`th of them, the `k`th first.
    #[must_use]
    pub fn every(self, k: usize) -> Self {
        Self { every: k.max(1), ..self }
    }

    /// Only the first `times` of these; then never again.
    #[must_use]
    pub fn times(self, times: usize) -> Self {
        Self { times, ..self }
    }
}

impl From<&str> for On {
    fn from(path: &str) -> Self {
        Self::path(path)
    }
}

/// Whether a path fits a pattern, part by part.
pub(super) fn fits(pattern: &str, path: &str) -> bool {
    let (pattern, path): (Vec<_>, Vec<_>) = (pattern.trim_matches('/').split('/').collect(), path.trim_matches('/').split('/').collect());
    pattern == ["*"] || (pattern.len() == path.len() && pattern.iter().zip(&path).all(|(wanted, part)| *wanted == "*" || wanted == part))
}

/// The faults that are set.
#[derive(Debug)]
pub(super) struct Faults<F = Fault>(Mutex<Vec<Rule<F>>>);

#[derive(Debug)]
struct Rule<F> {
    on: On,
    fault: F,
    asked: usize,
    happened: usize,
}

impl<F> Default for Faults<F> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<F: Clone> Faults<F> {
    pub(super) fn add(&self, on: On, fault: F) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Rule { on, fault, asked: 0, happened: 0 });
    }

    pub(super) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// What happens to a request for this path, in the order in which it was set.
    pub(super) fn of(&self, path: &str) -> Vec<F> {
        let mut rules = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let happens = |rule: &mut Rule<F>| {
            if !fits(&rule.on.path, path) {
                return None;
            }
            rule.asked += 1;
            let is_now = rule.asked.is_multiple_of(rule.on.every) && rule.happened < rule.on.times;
            rule.happened += usize::from(is_now);
            is_now.then(|| rule.fault.clone())
        };
        rules.iter_mut().filter_map(happens).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_fits_part_by_part() {
        for (pattern, path) in [
            ("*", "task/full"),
            ("task/full", "task/full"),
            ("reloadtask/*", "reloadtask/1"),
            ("reloadtask/*/scriptlog", "reloadtask/1/scriptlog"),
            ("/about", "about"),
        ] {
            assert!(fits(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in
            [("task", "task/full"), ("reloadtask/*", "reloadtask/1/scriptlog"), ("task/*", "task"), ("app/full", "task/full")]
        {
            assert!(!fits(pattern, path), "{pattern} {path}");
        }
    }

    #[test]
    fn a_fault_happens_as_often_as_it_was_set() {
        let faults = Faults::default();
        faults.add(On::all().every(3).times(2), Fault::Status(503));
        faults.add("about".into(), Fault::Delay(Duration::from_secs(1)));
        let happened: Vec<_> = (0..12).map(|_| !faults.of("task").is_empty()).collect();
        assert_eq!(happened.iter().filter(|happened| **happened).count(), 2);
        assert!(happened[2] && happened[5]);
        assert_eq!(faults.of("about"), [Fault::Delay(Duration::from_secs(1))]);
        faults.clear();
        assert_eq!(faults.of("about"), []);
    }
}
