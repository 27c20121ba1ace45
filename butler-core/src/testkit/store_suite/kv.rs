//! [`KvStore`]: pairs of text.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use jiff::SignedDuration;

use super::StoreHarness;
use super::desk::{ALL, MINUTE, ok};
use crate::clock::Clock;
use crate::store::{If, KvEntry, KvStore, PutOutcome};

struct Shelf<H> {
    harness: H,
}

impl<H: StoreHarness> Shelf<H> {
    async fn start() -> Self {
        Self { harness: H::start().await }
    }

    /// The store as pairs and nothing else.
    fn pairs(&self) -> Arc<dyn KvStore> {
        self.harness.store()
    }

    fn after(&self, time: Duration) -> jiff::Timestamp {
        self.harness.clock().now() + SignedDuration::try_from(time).unwrap_or(SignedDuration::ZERO)
    }

    async fn put(&self, key: &str, value: &str) -> u64 {
        stored(ok(self.pairs().put("ns", key, value, None, If::Any, None).await))
    }

    async fn keys(&self, prefix: &str, after: Option<&str>, max: usize) -> Vec<String> {
        ok(self.pairs().list("ns", prefix, after, max).await).into_iter().map(|pair| pair.key).collect()
    }

    async fn get(&self, key: &str) -> Option<KvEntry> {
        ok(self.pairs().get("ns", key).await)
    }
}

#[track_caller]
fn stored(outcome: PutOutcome) -> u64 {
    match outcome {
        PutOutcome::Stored(version) => version,
        other => panic!("it was not stored: {other:?}"),
    }
}

/// Whatever text they are made of; namespaces keep them apart.
pub async fn pairs_come_back_as_they_were_put<H: StoreHarness>() {
    let shelf = Shelf::<H>::start().await;
    let texts = ["", "a", "A", " a ", "a'b\"c", "%_*", "Räkna 予算 💥", "x\u{0}y", "x\u{0}z", "line\nline", "{\"a\": 1}"];
    for (place, text) in texts.iter().enumerate() {
        stored(ok(shelf.pairs().put(text, text, texts[texts.len() - 1 - place], None, If::Absent, None).await));
    }
    for (place, text) in texts.iter().enumerate() {
        let pair = ok(shelf.pairs().get(text, text).await).unwrap_or_else(|| panic!("{text:?} is gone"));
        assert_eq!((pair.key.as_str(), pair.value.as_str()), (*text, texts[texts.len() - 1 - place]));
        assert_eq!(ok(shelf.pairs().list(text, "", None, ALL).await), [pair]);
        assert_eq!(ok(shelf.pairs().get(text, "other").await), None);
    }
    let long = "x".repeat(1 << 20);
    shelf.put(&long, &long).await;
    assert_eq!(shelf.get(&long).await.map(|pair| pair.value), Some(long));
}

/// Sorted by name; gone with the last pair that can be had.
pub async fn namespaces_are_those_that_hold_something<H: StoreHarness>() {
    let shelf = Shelf::<H>::start().await;
    let pairs = shelf.pairs();
    assert!(ok(pairs.namespaces().await).is_empty());
    for (namespace, expires) in [("b", None), ("a", Some(shelf.after(MINUTE))), ("B", None)] {
        stored(ok(pairs.put(namespace, "key", "value", expires, If::Any, None).await));
    }
    assert_eq!(ok(pairs.namespaces().await), ["B", "a", "b"]);
    shelf.harness.clock().advance(MINUTE);
    assert_eq!(ok(pairs.namespaces().await), ["B", "b"]);
    assert!(ok(pairs.delete("b", "key").await));
    assert_eq!(ok(pairs.namespaces().await), ["B"]);
    assert!(ok(pairs.drop_namespace("B").await));
    assert!(ok(pairs.namespaces().await).is_empty());
}

/// Putting a key again leaves it in its place; deleted and put again, it comes last.
pub async fn pairs_are_listed_as_they_were_first_put<H: StoreHarness>() {
    let shelf = Shelf::<H>::start().await;
    for key in ["c", "a", "b"] {
        shelf.put(key, "1").await;
    }
    shelf.put("c", "2").await;
    assert_eq!(shelf.keys("", None, ALL).await, ["c", "a", "b"]);
    ok(shelf.pairs().delete("ns", "a").await);
    shelf.put("a", "2").await;
    assert_eq!(shelf.keys("", None, ALL).await, ["c", "b", "a"]);
    assert!(ok(shelf.pairs().list("other", "", None, ALL).await).is_empty());
}

/// A prefix is a text and no pattern; a page begins after a key.
pub async fn pairs_are_listed_by_prefix_and_page<H: StoreHarness>() {
    let shelf = Shelf::<H>::start().await;
    for key in ["a1", "b", "a%", "A1", "ä", "a", "a\u{0}x"] {
        shelf.put(key, "").await;
    }
    assert_eq!(shelf.keys("a", None, ALL).await, ["a1", "a%", "a", "a\u{0}x"]);
    assert_eq!(shelf.keys("a%", None, ALL).await, ["a%"]);
    assert_eq!(shelf.keys("a\u{0}", None, ALL).await, ["a\u{0}x"]);
    assert_eq!(shelf.keys("ä", None, ALL).await, ["ä"]);
    assert!(shelf.keys("aa", None, ALL).await.is_empty() && shelf.keys("", None, 0).await.is_empty());
    assert_eq!(shelf.keys("a", None, 2).await, ["a1", "a%"]);
    assert_eq!(shelf.keys("a", Some("a%"), 2).await, ["a", "a\u{0}x"]);
    assert_eq!(shelf.keys("a", Some("b"), 1).await, ["a%"]);
    assert!(shelf.keys("", Some("a\u{0}x"), ALL).await.is_empty());
}

/// A page after a key that is gone begins at the start: twice is better than never.
pub async fn a_page_of_pairs_survives_its_key<H: StoreHarness>() {
    let shelf = Shelf::<H>::start().await;
    for key in ["a", "b", "c"] {
        shelf.put(key, "").await;
    }
    ok(shelf.pairs().delete("ns", "b").await);
    assert_eq!(shelf.keys("", Some("b"), ALL).await, ["a", "c"]);
}

/// From its very moment on, for everybody, whether it was removed or not.
pub async fn an_expired_pair_is_gone<H: StoreHarness>() {
    let shelf = Shelf::<H>::start().await;
    let pairs = shelf.pairs();
    let expires = shelf.after(MINUTE);
    for key in ["a", "b"] {
        stored(ok(pairs.put("ns", key, "value", Some(expires), If::Any, None).await));
    }
    shelf.put("c", "value").await;
    shelf.harness.clock().advance(MINUTE - Duration::from_millis(1));
    assert_eq!(shelf.get("a").await.and_then(|pair| pair.expires), Some(expires));
    assert_eq!(shelf.keys("", None, ALL).await, ["a", "b", "c"]);
    // A put without an end takes the end away.
    shelf.put("b", "value").await;
    shelf.harness.clock().advance(Duration::from_millis(1));
    assert_eq!(shelf.get("a").await, None);
    assert_eq!(shelf.keys("", None, ALL).await, ["b", "c"]);
    assert!(!ok(pairs.delete("ns", "a").await));
    let past = shelf.after(Duration::ZERO) - SignedDuration::from_secs(1);
    stored(ok(pairs.put("ns", "past", "value", Some(past), If::Any, None).await));
    assert_eq!(shelf.get("past").await, None);
}

/// Also across removal, of the pair or of its namespace.
pub async fn versions_only_go_up<H: StoreHarness>() {
    let shelf = Shelf::<H>::start().await;
    let mut versions = vec![shelf.put("a", "1").await, shelf.put("a", "1").await];
    shelf.put("b", "1").await;
    assert_eq!(shelf.get("a").await.map(|pair| pair.version), versions.last().copied());
    ok(shelf.pairs().delete("ns", "a").await);
    versions.push(shelf.put("a", "1").await);
    ok(shelf.pairs().drop_namespace("ns").await);
    versions.push(shelf.put("a", "1").await);
    assert!(versions.is_sorted_by(|a, b| a < b), "{versions:?}");
}

/// A condition that does not hold tells how the pair stands.
pub async fn conditions_hold_or_change_nothing<H: StoreHarness>() {
    let shelf = Shelf::<H>::start().await;
    let put = |value: &'static str, condition| {
        let pairs = shelf.pairs();
        async move { ok(pairs.put("ns", "key", value, None, condition, None).await) }
    };
    assert_eq!(put("early", If::Version(1)).await, PutOutcome::Conflict(None));
    let first = stored(put("first", If::Absent).await);
    assert_eq!(put("late", If::Absent).await, PutOutcome::Conflict(Some(first)));
    assert_eq!(put("wrong", If::Version(first + 1)).await, PutOutcome::Conflict(Some(first)));
    assert_eq!(shelf.get("key").await.map(|pair| (pair.value, pair.version)), Some(("first".to_owned(), first)));
    let second = stored(put("second", If::Version(first)).await);
    assert_eq!(put("stale", If::Version(first)).await, PutOutcome::Conflict(Some(second)));
    stored(put("third", If::Any).await);
    ok(shelf.pairs().delete("ns", "key").await);
    assert_eq!(put("gone", If::Version(second)).await, PutOutcome::Conflict(None));
    assert_eq!(shelf.get("key").await, None);
}

/// For conditions, for the limit of a namespace, and for its place in the list.
pub async fn an_expired_pair_counts_as_absent<H: StoreHarness>() {
    let shelf = Shelf::<H>::start().await;
    let pairs = shelf.pairs();
    let version = stored(ok(pairs.put("ns", "a", "old", Some(shelf.after(MINUTE)), If::Any, None).await));
    shelf.put("b", "").await;
    shelf.harness.clock().advance(MINUTE);
    assert_eq!(ok(pairs.put("ns", "a", "x", None, If::Version(version), None).await), PutOutcome::Conflict(None));
    stored(ok(pairs.put("ns", "c", "", None, If::Any, Some(2)).await));
    assert_eq!(ok(pairs.put("ns", "a", "", None, If::Any, Some(2)).await), PutOutcome::NamespaceFull);
    assert!(stored(ok(pairs.put("ns", "a", "new", None, If::Absent, Some(3)).await)) > version);
    assert_eq!(shelf.keys("", None, ALL).await, ["b", "c", "a"]);
}

/// A key that is there can be put; another namespace is another matter.
pub async fn a_full_namespace_takes_no_new_key<H: StoreHarness>() {
    let shelf = Shelf::<H>::start().await;
    let pairs = shelf.pairs();
    let put = async |namespace: &str, key: &str, limit| ok(pairs.put(namespace, key, "value", None, If::Any, Some(limit)).await);
    assert_eq!(put("ns", "a", 0).await, PutOutcome::NamespaceFull);
    stored(put("ns", "a", 2).await);
    stored(put("ns", "b", 2).await);
    assert_eq!(put("ns", "c", 2).await, PutOutcome::NamespaceFull);
    stored(put("ns", "a", 2).await);
    stored(put("ns", "a", 1).await);
    stored(put("other", "c", 2).await);
    assert_eq!(shelf.keys("", None, ALL).await, ["a", "b"]);
    ok(pairs.delete("ns", "b").await);
    stored(put("ns", "c", 2).await);
}

/// One, or all of a namespace; the second time there is nothing.
pub async fn removed_pairs_are_gone<H: StoreHarness>() {
    let shelf = Shelf::<H>::start().await;
    let pairs = shelf.pairs();
    for key in ["a", "b", "c"] {
        shelf.put(key, "").await;
    }
    stored(ok(pairs.put("other", "a", "", None, If::Any, None).await));
    assert!(ok(pairs.delete("ns", "b").await) && !ok(pairs.delete("ns", "b").await));
    assert_eq!(shelf.get("b").await, None);
    assert!(ok(pairs.drop_namespace("ns").await) && !ok(pairs.drop_namespace("ns").await));
    assert!(shelf.keys("", None, ALL).await.is_empty());
    assert_eq!(ok(pairs.list("other", "", None, ALL).await).len(), 1);
}

/// Whoever reads, adds and puts under the version that was read loses no step of the others.
pub async fn increments_side_by_side_all_count<H: StoreHarness>() {
    let shelf = Shelf::<H>::start().await;
    let pairs = shelf.pairs();
    let increment = || async {
        loop {
            let there = ok(pairs.get("ns", "count").await);
            let (count, condition) = there.map_or((0, If::Absent), |pair| (pair.value.parse().unwrap_or(0), If::Version(pair.version)));
            let next = (count + 1_u32).to_string();
            if let PutOutcome::Stored(_) = ok(pairs.put("ns", "count", &next, None, condition, None).await) {
                return;
            }
        }
    };
    join_all((0..16).map(|_| increment())).await;
    assert_eq!(shelf.get("count").await.map(|pair| pair.value), Some("16".to_owned()));
}
