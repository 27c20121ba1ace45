//! Small named state.

use std::collections::BTreeMap;

use crate::store::StateEntry;

/// Values by name. One that was removed leaves its version behind, so that the next one is higher.
#[derive(Debug, Default)]
pub(super) struct States(BTreeMap<String, Kept>);

#[derive(Debug, Default)]
struct Kept {
    value: Option<String>,
    version: u64,
}

fn entry(name: &str, kept: &Kept) -> Option<StateEntry> {
    let value = kept.value.clone()?;
    Some(StateEntry { name: name.to_owned(), value, version: kept.version })
}

impl States {
    pub(super) fn get(&self, name: &str) -> Option<StateEntry> {
        self.0.get(name).and_then(|kept| entry(name, kept))
    }

    pub(super) fn set(&mut self, name: &str, value: &str, expected: u64) -> Option<u64> {
        if self.get(name).map_or(0, |entry| entry.version) != expected {
            return None;
        }
        let kept = self.0.entry(name.to_owned()).or_default();
        kept.value = Some(value.to_owned());
        kept.version += 1;
        Some(kept.version)
    }

    pub(super) fn remove(&mut self, name: &str) -> bool {
        self.0.get_mut(name).is_some_and(|kept| kept.value.take().is_some())
    }

    pub(super) fn list(&self, prefix: &str) -> Vec<StateEntry> {
        let from = self.0.range(prefix.to_owned()..).take_while(|(name, _)| name.starts_with(prefix));
        from.filter_map(|(name, kept)| entry(name, kept)).collect()
    }
}
