//! What stands in memory is what was committed last.

use super::*;

fn pair(key: &str, version: u64) -> KvEntry {
    KvEntry { key: key.to_owned(), value: "x".repeat(100), version, place: 1, expires: None }
}

fn version(cache: &PairCache, key: &str) -> Option<u64> {
    cache.get("ns", key).ok().map(|pair| pair.version)
}

fn put(cache: &PairCache, key: &str, version: u64) {
    cache.begin();
    cache.take_over(vec![Change::Put("ns".into(), pair(key, version))]);
}

#[test]
fn what_is_committed_is_read_and_what_is_removed_is_not() {
    let cache = PairCache::new(1 << 20);
    assert_eq!(version(&cache, "a"), None);
    put(&cache, "a", 1);
    put(&cache, "b", 2);
    put(&cache, "a", 3);
    assert_eq!((version(&cache, "a"), version(&cache, "b")), (Some(3), Some(2)));
    cache.take_over(vec![Change::Removed("ns".into(), "a".into())]);
    assert_eq!((version(&cache, "a"), version(&cache, "b")), (None, Some(2)));
    cache.take_over(vec![Change::Dropped("ns".into())]);
    assert_eq!(version(&cache, "b"), None);
}

#[test]
fn what_was_read_before_a_commit_does_not_come_after_it() {
    let cache = PairCache::new(1 << 20);
    let early = cache.get("ns", "a").unwrap_err();
    cache.begin();
    let meanwhile = cache.get("ns", "a").unwrap_err();
    cache.fill(early, "ns", &pair("a", 1));
    assert_eq!(version(&cache, "a"), None);
    cache.take_over(vec![Change::Removed("ns".into(), "a".into())]);
    cache.fill(early, "ns", &pair("a", 1));
    cache.fill(meanwhile, "ns", &pair("a", 1));
    assert_eq!(version(&cache, "a"), None);
    let late = cache.get("ns", "a").unwrap_err();
    cache.fill(late, "ns", &pair("a", 2));
    assert_eq!(version(&cache, "a"), Some(2));
}

#[test]
fn it_takes_no_more_than_it_may_and_keeps_what_is_used() {
    const CAPACITY: usize = 64 << 10;
    let cache = PairCache::new(CAPACITY);
    put(&cache, "used", 1);
    for number in 0..10_000 {
        put(&cache, &format!("key {number}"), 2);
        if number % 50 == 0 {
            assert_eq!(version(&cache, "used"), Some(1));
        }
    }
    let inner = cache.lock();
    let bytes = inner.young.bytes + inner.old.bytes;
    assert!((CAPACITY / 2..=CAPACITY).contains(&bytes), "{bytes}");
    let counted = |half: &Half| {
        let of = |namespace: &Namespace| namespace.pairs.values().map(|pair| cost(pair)).sum::<usize>() + "ns".len() + OVERHEAD;
        half.namespaces.values().map(of).sum::<usize>()
    };
    assert_eq!((inner.young.bytes, inner.old.bytes), (counted(&inner.young), counted(&inner.old)));
    drop(inner);
    // What would push out all the others is not kept, and what was there under its key neither.
    let huge = KvEntry { value: "x".repeat(CAPACITY), ..pair("used", 3) };
    cache.take_over(vec![Change::Put("ns".into(), huge)]);
    assert_eq!(version(&cache, "used"), None);
    assert_eq!(version(&cache, "key 9999"), Some(2));
}
