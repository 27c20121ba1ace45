//! [`KvStore`]: pairs of text.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use jiff::SignedDuration;

use super::StoreHarness;
use super::desk::{ALL, MINUTE, ok};
use crate::clock::Clock;
use crate::store::{DeleteOutcome, If, Increment, KvEntry, KvStore, Lookup, PutOutcome};

/// The least time that passes.
const MOMENT: Duration = Duration::from_micros(1);

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

    async fn list(&self, prefix: &str, after: u64, max: usize) -> Vec<KvEntry> {
        ok(self.pairs().list("ns", prefix, after, max, usize::MAX).await).unwrap_or_else(|| panic!("there is no namespace"))
    }

    async fn keys(&self, prefix: &str, after: u64, max: usize) -> Vec<String> {
        self.list(prefix, after, max).await.into_iter().map(|pair| pair.key).collect()
    }

    async fn all(&self) -> Vec<String> {
        self.keys("", 0, ALL).await
    }

    async fn get(&self, key: &str) -> Option<KvEntry> {
        ok(self.pairs().get("ns", key).await).pair()
    }

    async fn delete(&self, key: &str) -> DeleteOutcome {
        ok(self.pairs().delete("ns", key, If::Any).await)
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
        let pair = ok(shelf.pairs().get(text, text).await).pair().unwrap_or_else(|| panic!("{text:?} is gone"));
        assert_eq!((pair.key.as_str(), pair.value.as_str()), (*text, texts[texts.len() - 1 - place]));
        assert_eq!(ok(shelf.pairs().list(text, "", 0, ALL, usize::MAX).await), Some(vec![pair]));
        assert_eq!(ok(shelf.pairs().get(text, "other").await), Lookup::NoKey);
    }
    let long = "x".repeat(1 << 20);
    shelf.put(&long, &long).await;
    assert_eq!(shelf.get(&long).await.map(|pair| pair.value), Some(long));
}

/// In the order in which they began. Only dropping one ends it: not that its pairs are deleted, nor that they expire.
pub async fn a_namespace_begins_with_a_pair_and_ends_when_it_is_dropped<H: StoreHarness>() {
    let shelf = Shelf::<H>::start().await;
    let pairs = shelf.pairs();
    let namespaces = async || ok(pairs.namespaces().await);
    assert!(namespaces().await.is_empty());
    for (namespace, expires) in [("b", None), ("a", Some(shelf.after(MINUTE))), ("B", None), ("b", None)] {
        stored(ok(pairs.put(namespace, "key", "value", expires, If::Any, None).await));
    }
    assert_eq!(namespaces().await, ["b", "a", "B"]);
    shelf.harness.clock().advance(MINUTE + MOMENT);
    assert_eq!(ok(pairs.delete("b", "key", If::Any).await), DeleteOutcome::Deleted);
    assert_eq!(namespaces().await, ["b", "a", "B"]);
    for empty in ["a", "b"] {
        assert_eq!(ok(pairs.list(empty, "", 0, ALL, usize::MAX).await), Some(Vec::new()));
        assert!(ok(pairs.drop_namespace(empty).await) && !ok(pairs.drop_namespace(empty).await));
    }
    assert_eq!(namespaces().await, ["B"]);
    stored(ok(pairs.put("a", "other", "value", None, If::Any, None).await));
    assert_eq!(namespaces().await, ["B", "a"]);
    assert_eq!(ok(pairs.get("a", "key").await), Lookup::NoKey);
    assert_eq!(ok(pairs.list("a", "", 0, ALL, usize::MAX).await).unwrap_or_default().len(), 1);
}

/// What there is not is told apart: the namespace, or the key in it.
pub async fn no_namespace_is_not_no_key<H: StoreHarness>() {
    let shelf = Shelf::<H>::start().await;
    let pairs = shelf.pairs();
    assert_eq!(ok(pairs.get("ns", "key").await), Lookup::NoNamespace);
    assert_eq!(ok(pairs.delete("ns", "key", If::Any).await), DeleteOutcome::NoNamespace);
    assert_eq!(ok(pairs.list("ns", "", 0, ALL, usize::MAX).await), None);
    assert!(!ok(pairs.drop_namespace("ns").await));
    // What stores nothing makes no namespace.
    assert_eq!(ok(pairs.put("ns", "key", "value", None, If::Version(1), None).await), PutOutcome::Conflict(None));
    assert_eq!(ok(pairs.put("ns", "key", "value", None, If::Any, Some(0)).await), PutOutcome::NamespaceFull);
    assert_eq!(ok(pairs.increment("ns", "key", 1, Some(0)).await), Increment::NamespaceFull);
    assert!(ok(pairs.namespaces().await).is_empty());
    shelf.put("key", "value").await;
    assert_eq!(ok(pairs.get("ns", "other").await), Lookup::NoKey);
    assert_eq!(ok(pairs.delete("ns", "other", If::Any).await), DeleteOutcome::NoKey);
    assert!(ok(pairs.drop_namespace("ns").await));
    assert_eq!(ok(pairs.get("ns", "key").await), Lookup::NoNamespace);
}

/// Putting a key again leaves it in its place; deleted and put again, it comes last.
pub async fn pairs_are_listed_as_they_were_first_put<H: StoreHarness>() {
    let shelf = Shelf::<H>::start().await;
    for key in ["c", "a", "b"] {
        shelf.put(key, "1").await;
    }
    shelf.put("c", "2").await;
    assert_eq!(shelf.all().await, ["c", "a", "b"]);
    shelf.delete("a").await;
    shelf.put("a", "2").await;
    assert_eq!(shelf.all().await, ["c", "b", "a"]);
    assert!(shelf.list("", 0, ALL).await.is_sorted_by_key(|pair| pair.place));
}

/// A prefix is a text and no pattern; a page begins after a place.
pub async fn pairs_are_listed_by_prefix_and_page<H: StoreHarness>() {
    let shelf = Shelf::<H>::start().await;
    for key in ["a1", "b", "a%", "A1", "ä", "a", "a\u{0}x", "\u{10ffff}"] {
        shelf.put(key, "").await;
    }
    let after = async |key: &str| shelf.get(key).await.map_or(0, |pair| pair.place);
    assert_eq!(shelf.keys("a", 0, ALL).await, ["a1", "a%", "a", "a\u{0}x"]);
    assert_eq!(shelf.keys("a%", 0, ALL).await, ["a%"]);
    assert_eq!(shelf.keys("a\u{0}", 0, ALL).await, ["a\u{0}x"]);
    assert_eq!(shelf.keys("ä", 0, ALL).await, ["ä"]);
    assert_eq!(shelf.keys("\u{10ffff}", 0, ALL).await, ["\u{10ffff}"]);
    assert!(shelf.keys("aa", 0, ALL).await.is_empty() && shelf.keys("", 0, 0).await.is_empty());
    assert_eq!(shelf.keys("a", 0, 2).await, ["a1", "a%"]);
    assert_eq!(shelf.keys("a", after("a%").await, 2).await, ["a", "a\u{0}x"]);
    assert_eq!(shelf.keys("a", after("b").await, 1).await, ["a%"]);
    assert!(shelf.keys("", after("\u{10ffff}").await, ALL).await.is_empty());
}

/// Whoever goes from page to page meets every pair that stays, once, whatever becomes of the others.
pub async fn a_page_of_pairs_goes_on_where_the_last_ended<H: StoreHarness>() {
    let shelf = Shelf::<H>::start().await;
    for key in ["a", "b", "c", "d"] {
        shelf.put(key, "").await;
    }
    let page = shelf.list("", 0, 2).await;
    shelf.delete("b").await;
    shelf.put("a", "again").await;
    shelf.put("e", "").await;
    assert_eq!(shelf.keys("", page[1].place, ALL).await, ["c", "d", "e"]);
}

/// From the moment after its end on, for everybody, whether it was removed or not.
pub async fn an_expired_pair_is_gone<H: StoreHarness>() {
    let shelf = Shelf::<H>::start().await;
    let pairs = shelf.pairs();
    let expires = shelf.after(MINUTE);
    for key in ["a", "b"] {
        stored(ok(pairs.put("ns", key, "value", Some(expires), If::Any, None).await));
    }
    shelf.put("c", "value").await;
    shelf.harness.clock().advance(MINUTE);
    assert_eq!(shelf.get("a").await.and_then(|pair| pair.expires), Some(expires));
    assert_eq!(shelf.all().await, ["a", "b", "c"]);
    // A put without an end takes the end away.
    shelf.put("b", "value").await;
    shelf.harness.clock().advance(MOMENT);
    assert_eq!(shelf.get("a").await, None);
    assert_eq!(shelf.all().await, ["b", "c"]);
    assert_eq!(shelf.delete("a").await, DeleteOutcome::NoKey);
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
    shelf.delete("a").await;
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
    shelf.delete("key").await;
    assert_eq!(put("gone", If::Version(second)).await, PutOutcome::Conflict(None));
    assert_eq!(shelf.get("key").await, None);
}

/// For conditions, for the limit of a namespace, and for its place in the list.
pub async fn an_expired_pair_counts_as_absent<H: StoreHarness>() {
    let shelf = Shelf::<H>::start().await;
    let pairs = shelf.pairs();
    let version = stored(ok(pairs.put("ns", "a", "old", Some(shelf.after(MINUTE)), If::Any, None).await));
    shelf.put("b", "").await;
    shelf.harness.clock().advance(MINUTE + MOMENT);
    assert_eq!(ok(pairs.put("ns", "a", "x", None, If::Version(version), None).await), PutOutcome::Conflict(None));
    assert_eq!(ok(pairs.delete("ns", "a", If::Version(version)).await), DeleteOutcome::NoKey);
    stored(ok(pairs.put("ns", "c", "", None, If::Any, Some(2)).await));
    assert_eq!(ok(pairs.put("ns", "a", "", None, If::Any, Some(2)).await), PutOutcome::NamespaceFull);
    assert!(stored(ok(pairs.put("ns", "a", "new", None, If::Absent, Some(3)).await)) > version);
    assert_eq!(shelf.all().await, ["b", "c", "a"]);
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
    assert_eq!(shelf.all().await, ["a", "b"]);
    shelf.delete("b").await;
    stored(put("ns", "c", 2).await);
}

/// One under its condition, or all of a namespace; the second time there is nothing.
pub async fn removed_pairs_are_gone<H: StoreHarness>() {
    let shelf = Shelf::<H>::start().await;
    let pairs = shelf.pairs();
    for key in ["a", "b", "c"] {
        shelf.put(key, "").await;
    }
    stored(ok(pairs.put("other", "a", "", None, If::Any, None).await));
    assert_eq!((shelf.delete("b").await, shelf.delete("b").await), (DeleteOutcome::Deleted, DeleteOutcome::NoKey));
    assert_eq!(shelf.get("b").await, None);
    let version = shelf.put("a", "again").await;
    for condition in [If::Absent, If::Version(version - 1)] {
        assert_eq!(ok(pairs.delete("ns", "a", condition).await), DeleteOutcome::Conflict(version));
    }
    assert!(shelf.get("a").await.is_some());
    assert_eq!(ok(pairs.delete("ns", "a", If::Version(version)).await), DeleteOutcome::Deleted);
    assert_eq!(shelf.all().await, ["c"]);
    assert!(ok(pairs.drop_namespace("ns").await) && !ok(pairs.drop_namespace("ns").await));
    assert_eq!(ok(pairs.list("other", "", 0, ALL, usize::MAX).await).map(|pairs| pairs.len()), Some(1));
}

/// Each adds to what the one before left, and none is lost.
pub async fn increments_side_by_side_all_count<H: StoreHarness>() {
    let shelf = Shelf::<H>::start().await;
    let pairs = shelf.pairs();
    let add = |by| {
        let pairs = shelf.pairs();
        async move { ok(pairs.increment("ns", "count", by, Some(1)).await) }
    };
    let outcomes = join_all((0..16).map(|_| add(3))).await;
    let mut values: Vec<i64> =
        outcomes.into_iter().map(|outcome| if let Increment::Stored { value, .. } = outcome { value } else { -1 }).collect();
    values.sort_unstable();
    assert_eq!(values, (1..=16).map(|n| n * 3).collect::<Vec<_>>());
    assert_eq!(shelf.get("count").await.map(|pair| pair.value), Some("48".to_owned()));
    assert!(matches!(add(-50).await, Increment::Stored { value: -2, .. }));
    assert_eq!(ok(pairs.increment("ns", "other", 1, Some(1)).await), Increment::NamespaceFull);
    shelf.put("text", "12 apples").await;
    shelf.put("most", &i64::MAX.to_string()).await;
    for key in ["text", "most"] {
        assert_eq!(ok(pairs.increment("ns", key, 1, None).await), Increment::NoNumber);
    }
    assert_eq!(shelf.get("text").await.map(|pair| pair.value), Some("12 apples".to_owned()));
    let expires = shelf.after(MINUTE);
    stored(ok(pairs.put("ns", "short", "1", Some(expires), If::Any, None).await));
    assert!(matches!(ok(pairs.increment("ns", "short", 1, None).await), Increment::Stored { value: 2, .. }));
    assert_eq!(shelf.get("short").await.and_then(|pair| pair.expires), Some(expires));
    shelf.harness.clock().advance(MINUTE + MOMENT);
    assert!(matches!(ok(pairs.increment("ns", "short", 1, None).await), Increment::Stored { value: 1, .. }));
}

/// Whoever reads and puts under the version that was read loses no step of the others.
pub async fn puts_under_a_version_lose_nothing<H: StoreHarness>() {
    let shelf = Shelf::<H>::start().await;
    let pairs = shelf.pairs();
    let append = |letter: char| {
        let pairs = Arc::clone(&pairs);
        async move {
            loop {
                let there = ok(pairs.get("ns", "text").await).pair();
                let (text, condition) = there.map_or((String::new(), If::Absent), |pair| (pair.value, If::Version(pair.version)));
                if let PutOutcome::Stored(_) = ok(pairs.put("ns", "text", &format!("{text}{letter}"), None, condition, None).await) {
                    return;
                }
            }
        }
    };
    join_all(('a'..='p').map(append)).await;
    let mut letters: Vec<char> = shelf.get("text").await.map(|pair| pair.value).unwrap_or_default().chars().collect();
    letters.sort_unstable();
    assert_eq!(letters, ('a'..='p').collect::<Vec<_>>());
}

/// What a store promises whose pairs may take a thousand bytes.
#[cfg(test)]
pub(crate) async fn pairs_keep_to_their_room(pairs: &dyn KvStore, clock: &crate::testkit::TestClock) {
    let put = async |ns: &str, key: &str, bytes: usize| ok(pairs.put(ns, key, &"x".repeat(bytes), None, If::Any, None).await);
    stored(put("a", "long", 600).await);
    assert_eq!(put("b", "more", 250).await, PutOutcome::StoreFull);
    assert_eq!(ok(pairs.namespaces().await), ["a"], "what stores nothing makes no namespace");
    let ends = crate::clock::Clock::now(clock) + SignedDuration::from_secs(1);
    stored(ok(pairs.put("b", "passing", &"x".repeat(150), Some(ends), If::Any, None).await));
    assert_eq!(put("a", "long", 700).await, PutOutcome::StoreFull);
    assert_eq!(ok(pairs.increment("c", "n", 1, None).await), Increment::StoreFull);
    // What is not longer fits, and so does what others left room for.
    stored(put("a", "long", 600).await);
    stored(put("a", "long", 10).await);
    stored(put("a", "long", 500).await);
    stored(put("a", "long", 600).await);
    clock.advance(Duration::from_secs(2));
    stored(put("a", "long", 790).await);
    assert_eq!(put("b", "passing", 10).await, PutOutcome::StoreFull);
    assert_eq!(ok(pairs.delete("a", "long", If::Any).await), DeleteOutcome::Deleted);
    stored(put("b", "passing", 780).await);
    assert!(ok(pairs.drop_namespace("b").await));
    stored(put("a", "long", 790).await);
}

/// Long pairs are given a few at a time, however many are asked for, and whatever stood before them.
pub async fn a_page_ends_when_it_is_heavy<H: StoreHarness>() {
    let shelf = Shelf::<H>::start().await;
    for number in 0..3 {
        shelf.put(&format!("a{number}"), "").await;
    }
    for number in 0..4 {
        shelf.put(&format!("b{number}"), &"x".repeat(1000)).await;
    }
    let page = async |prefix: &str, after, bytes| {
        let page = ok(shelf.pairs().list("ns", prefix, after, ALL, bytes).await).unwrap_or_default();
        (page.iter().map(|pair| pair.key.clone()).collect::<Vec<_>>(), page.last().map_or(0, |pair| pair.place))
    };
    let (keys, place) = page("", 0, 1500).await;
    assert_eq!(keys, ["a0", "a1", "a2", "b0", "b1"]);
    assert_eq!(page("", place, 1).await.0, ["b2"]);
    assert_eq!(page("b", 0, 1002).await.0, ["b0"], "one that has just as many is the last");
    assert_eq!(page("b", 0, 1003).await.0, ["b0", "b1"]);
    assert_eq!(page("b", place, usize::MAX).await.0, ["b2", "b3"]);
}
