//! [`StateStore`]: small named state with compare-and-set.

use std::sync::Arc;

use futures_util::future::join_all;

use super::StoreHarness;
use super::desk::ok;
use crate::store::{StateEntry, StateStore};

/// The harness, and the store as states and nothing else.
async fn start<H: StoreHarness>() -> (H, Arc<dyn StateStore>) {
    let harness = H::start().await;
    let states: Arc<dyn StateStore> = harness.store();
    (harness, states)
}

fn entry(name: &str, value: &str, version: u64) -> StateEntry {
    StateEntry { name: name.to_owned(), value: value.to_owned(), version }
}

/// Only under the version that is there; 0 is that of nothing.
pub async fn states_change_by_compare_and_set<H: StoreHarness>() {
    let (_harness, states) = start::<H>().await;
    assert_eq!(ok(states.state("cursor").await), None);
    assert_eq!(ok(states.set_state("cursor", "x", 1).await), None);
    assert_eq!(ok(states.set_state("cursor", "a", 0).await), Some(1));
    assert_eq!(ok(states.set_state("cursor", "x", 0).await), None);
    assert_eq!(ok(states.set_state("cursor", "x", 2).await), None);
    assert_eq!(ok(states.state("cursor").await), Some(entry("cursor", "a", 1)));
    assert_eq!(ok(states.set_state("cursor", "Räkna \u{0} 💥", 1).await), Some(2));
    assert_eq!(ok(states.state("cursor").await), Some(entry("cursor", "Räkna \u{0} 💥", 2)));
    assert_eq!(ok(states.set_state("Cursor", "b", 0).await), Some(1));
}

/// Whoever remembers a version from before a removal is too late.
pub async fn versions_of_states_only_go_up<H: StoreHarness>() {
    let (_harness, states) = start::<H>().await;
    assert_eq!(ok(states.set_state("a", "1", 0).await), Some(1));
    assert!(ok(states.remove_state("a").await) && !ok(states.remove_state("a").await));
    assert_eq!((ok(states.state("a").await), ok(states.set_state("a", "x", 1).await)), (None, None));
    let version = ok(states.set_state("a", "2", 0).await);
    assert!(version > Some(1), "{version:?}");
    assert!(!ok(states.remove_state("b").await));
}

/// By the start of their names, which is a text and no pattern, sorted.
pub async fn states_are_listed_by_name<H: StoreHarness>() {
    let (_harness, states) = start::<H>().await;
    for name in ["service/b", "service/a", "service%", "Service/c", "poll", "service\u{0}x"] {
        ok(states.set_state(name, name, 0).await);
    }
    let names = async |prefix: &str| ok(states.states(prefix).await).into_iter().map(|entry| entry.name).collect::<Vec<_>>();
    assert_eq!(names("service/").await, ["service/a", "service/b"]);
    assert_eq!(names("service").await, ["service\u{0}x", "service%", "service/a", "service/b"]);
    assert_eq!(names("service\u{0}").await, ["service\u{0}x"]);
    assert_eq!(names("").await, ["Service/c", "poll", "service\u{0}x", "service%", "service/a", "service/b"]);
    ok(states.remove_state("service/a").await);
    assert_eq!(names("service/").await, ["service/b"]);
    assert!(names("x").await.is_empty());
}

/// Of twenty who set at a time one does.
pub async fn states_set_side_by_side_have_one_winner<H: StoreHarness>() {
    let (_harness, states) = start::<H>().await;
    let set = join_all((0..20).map(|_| states.set_state("a", "1", 0))).await;
    assert_eq!(set.into_iter().filter_map(ok).count(), 1);
}
