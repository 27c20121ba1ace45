//! Which accounts an event goes to.

use crate::event::Fact;
use crate::sink::{TargetRequest, words};

/// The longest name of an account, in characters.
pub(super) const LONGEST_NAME: usize = 100;

/// How accounts are chosen.
#[derive(Debug)]
pub(super) struct Choice {
    /// Those that get every event; `None`: all, unless there is a property.
    pub(super) always: Option<Vec<String>>,
    /// The custom property of tasks whose values name accounts.
    pub(super) property: Option<String>,
}

impl Choice {
    /// The accounts for an event, each once. `all` are those that are configured; a property may name others.
    pub(super) fn of(&self, request: &TargetRequest<'_>, all: &[String]) -> Vec<String> {
        let mut names = match (&self.always, &self.property) {
            (Some(always), _) => always.clone(),
            (None, None) => all.to_vec(),
            (None, Some(_)) => Vec::new(),
        };
        if let Some(property) = &self.property {
            let went_wrong = request.event.kind.went_wrong();
            match (&request.facts.task, request.event.task_id()) {
                (Fact::Known(task), Some(_)) => {
                    let values = task.custom_properties.iter().filter(|known| known.name == *property).map(|known| known.value.trim());
                    names.extend(values.filter(|value| !value.is_empty()).map(one_name));
                }
                // Any of them may be meant.
                (_, Some(_)) if went_wrong => names.extend_from_slice(all),
                // There is no task that could choose.
                (_, None) if went_wrong && names.is_empty() => names.extend_from_slice(all),
                _ => {}
            }
        }
        let mut distinct = Vec::with_capacity(names.len());
        for name in names {
            if !distinct.contains(&name) {
                distinct.push(name);
            }
        }
        distinct
    }
}

/// A value as the name of an account, which is shown in lists.
fn one_name(value: &str) -> String {
    words::one_line(value).chars().take(LONGEST_NAME).collect()
}
