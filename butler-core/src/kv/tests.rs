//! Limits, conditions, and the way out and in again.

use futures_util::TryStreamExt;
use futures_util::future::join_all;

use super::*;
use crate::store::memory::MemoryStore;
use crate::testkit::TestClock;

fn pairs(settings: KvSettings) -> (KeyValues, TestClock) {
    let clock = TestClock::default();
    let store = Arc::new(MemoryStore::new(Arc::new(clock.clone())));
    (KeyValues::new(store, settings, Arc::new(clock.clone())), clock)
}

/// As many keys as one likes.
fn roomy() -> KvSettings {
    KvSettings { max_keys: None, ..KvSettings::default() }
}

async fn value(pairs: &KeyValues, namespace: &str, key: &str) -> Option<String> {
    pairs.get(namespace, key).await.ok().map(|pair| pair.value)
}

async fn text_of(pairs: &KeyValues, namespace: Option<&str>) -> String {
    pairs.export(namespace).await.unwrap().try_collect::<Vec<_>>().await.unwrap().concat()
}

#[tokio::test]
async fn limits_are_in_bytes_and_name_their_setting() {
    let settings = KvSettings { max_keys: Some(1), max_value: 4, max_key: 3, max_namespace: 2 };
    let (pairs, _) = pairs(settings);
    let mut said = String::new();
    for (namespace, key, value) in
        [("nä", "k", "v"), ("n", "kä", "v"), ("n", "käk", "v"), ("n", "kä", "1234"), ("n", "kä", "123ä"), ("n", "b", "v")]
    {
        match pairs.put(namespace, key, value, None, &Condition::Always).await {
            Ok(version) => said += &format!("{version}\n"),
            Err(error) => said += &format!("{error}\n"),
        }
    }
    said += &format!("{}\n", pairs.increment("n", "long", 1).await.unwrap_err());
    said += &format!("{:?}\n", pairs.increment("n", "kä", 1).await.unwrap());
    insta::assert_snapshot!(said, @r"
    the name of the namespace has 3 bytes, and may have 2 (`[kv] max_namespace`)
    1
    the key has 4 bytes, and may have 3 (`[kv] max_key`)
    2
    the value has 5 bytes, and may have 4 (`[kv] max_value`)
    the namespace `n` holds as many keys as it may: 1 (`[kv] max_keys_per_namespace`)
    the key has 4 bytes, and may have 3 (`[kv] max_key`)
    (1235, 3)
    ");
    assert_eq!(pairs.store().namespaces().await.unwrap(), ["n"]);
}

#[tokio::test]
async fn a_time_to_live_ends_to_the_microsecond_and_never_overflows() {
    let (pairs, clock) = pairs(roomy());
    pairs.put("ns", "short", "v", Some(Duration::from_millis(1500)), &Condition::Always).await.unwrap();
    pairs.put("ns", "endless", "v", Some(Duration::MAX), &Condition::Always).await.unwrap();
    clock.advance(Duration::from_millis(1500));
    assert!(value(&pairs, "ns", "short").await.is_some());
    clock.advance(Duration::from_micros(1));
    assert_eq!(value(&pairs, "ns", "short").await, None);
    assert!(value(&pairs, "ns", "endless").await.is_some());
    assert!(matches!(pairs.get("ns", "short").await, Err(KvError::NoKey { .. })));
    assert!(matches!(pairs.get("other", "short").await, Err(KvError::NoNamespace { .. })));
}

#[tokio::test]
async fn conditions_hold_or_nothing_changes() {
    let (pairs, _) = pairs(roomy());
    let put = |value: &'static str, condition: Condition| {
        let pairs = pairs.clone();
        async move { pairs.put("ns", "k", value, None, &condition).await }
    };
    let there = |outcome: Result<u64, KvError>| if let Err(KvError::Changed { there }) = outcome { there } else { panic!("{outcome:?}") };
    assert_eq!(there(put("x", Condition::Present).await), None);
    assert_eq!(there(put("x", Condition::Value(String::new())).await), None);
    assert_eq!(there(put("x", Condition::Version(1)).await), None);
    let first = put("1", Condition::Absent).await.unwrap();
    assert_eq!(there(put("x", Condition::Absent).await), Some(first));
    assert_eq!(there(put("x", Condition::Value("2".into())).await), Some(first));
    let second = put("2", Condition::Value("1".into())).await.unwrap();
    let third = put("3", Condition::Present).await.unwrap();
    assert!(first < second && second < third);
    let delete = async |condition| pairs.delete("ns", "k", &condition).await;
    assert!(matches!(delete(Condition::Version(second)).await, Err(KvError::Changed { there: Some(version) }) if version == third));
    assert!(matches!(delete(Condition::Value("2".into())).await, Err(KvError::Changed { .. })));
    delete(Condition::Value("3".into())).await.unwrap();
    assert!(matches!(delete(Condition::Always).await, Err(KvError::NoKey { .. })));
    pairs.drop_namespace("ns").await.unwrap();
    assert!(matches!(pairs.drop_namespace("ns").await, Err(KvError::NoNamespace { .. })));
}

/// A lock that is taken and given back by value: never two have it.
#[tokio::test(flavor = "multi_thread")]
async fn compare_and_set_by_value_has_one_winner() {
    let (pairs, _) = pairs(roomy());
    pairs.put("ns", "lock", "free", None, &Condition::Always).await.unwrap();
    let take = |number: usize| {
        let pairs = pairs.clone();
        tokio::spawn(async move { pairs.put("ns", "lock", &number.to_string(), None, &Condition::Value("free".into())).await.is_ok() })
    };
    for _ in 0..50 {
        let won = join_all((0..8).map(take)).await.into_iter().filter(|won| *won.as_ref().unwrap()).count();
        assert_eq!(won, 1);
        pairs.put("ns", "lock", "free", None, &Condition::Present).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_exported_is_imported_wherever_the_bits_end() {
    let (from, clock) = pairs(roomy());
    let texts = ["", "a", " ", "a'b\"c", "Räkna 予算 💥", "x\u{0}y", "line\r\nline", "{\"a\": 1}", "\u{feff}", "\\u0041"];
    for (number, text) in texts.into_iter().enumerate() {
        for (place, key) in texts.into_iter().rev().enumerate() {
            let ttl = (place % 3 == 0).then(|| Duration::from_secs(60 + number as u64));
            from.put(text, key, texts[(number + place) % texts.len()], ttl, &Condition::Always).await.unwrap();
        }
    }
    let text = text_of(&from, None).await;
    assert_eq!(text.lines().count(), 100);
    for size in [1, 7, 4096, usize::MAX] {
        let to = KeyValues::new(Arc::new(MemoryStore::new(Arc::new(clock.clone()))), roomy(), Arc::new(clock.clone()));
        let mut import = to.import(Existing::Overwrite);
        for bit in text.as_bytes().chunks(size.min(text.len())) {
            import.take(bit).await.unwrap();
        }
        assert_eq!(import.finish().await.unwrap(), ImportReport { lines: 100, stored: 100, ..ImportReport::default() });
        assert_eq!(text_of(&to, None).await, text, "in bits of {size}");
    }
    assert_eq!(text_of(&from, Some("a")).await.lines().count(), 10);
    assert!(matches!(from.export(Some("none")).await.map(drop), Err(KvError::NoNamespace { .. })));
}

#[tokio::test]
async fn an_import_tells_what_it_did_not_take() {
    let (pairs, clock) = pairs(KvSettings { max_keys: Some(3), max_value: 10, max_key: 10, max_namespace: 10 });
    pairs.put("ns", "old", "here", None, &Condition::Always).await.unwrap();
    clock.advance(Duration::from_secs(1));
    let past = clock.now() - SignedDuration::from_micros(1);
    let lines = [
        "\u{feff}{\"namespace\":\"ns\",\"key\":\"old\",\"value\":\"new\"}\r".to_owned(),
        String::new(),
        "not JSON".to_owned(),
        r#"{"namespace":"ns","key":"a"}"#.to_owned(),
        r#"{"namespace":"ns","key":"a","value":"1","ttl":5}"#.to_owned(),
        r#"{"namespace":"ns","key":"a","value":"much too long"}"#.to_owned(),
        format!(r#"{{"namespace":"ns","key":"a","value":"late","expires":"{past}"}}"#),
        format!(r#"{{"namespace":"ns","key":"a","value":"in time","expires":"{}"}}"#, clock.now()),
        format!(r#"{{"namespace":"ns","key":"b","value":"{}"}}"#, "x".repeat(2000)),
        r#"{"namespace":"ns","key":"b","value":"1"}"#.to_owned(),
        r#"{"namespace":"ns","key":"b","value":"2"}"#.to_owned(),
        r#"{"namespace":"ns","key":"c","value":"over"}"#.to_owned(),
        r#"{"namespace":"ns","key":"d","value":"over"}"#.to_owned(),
    ];
    let mut import = pairs.import(Existing::Keep);
    import.take(lines.join("\n").as_bytes()).await.unwrap();
    let report = import.finish().await.unwrap();
    let told: Vec<_> = report.problems.iter().map(|problem| format!("{}: {}", problem.line, problem.error)).collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    3: it is no pair: expected ident at line 1 column 2
    4: it is no pair: missing field `value` at line 1 column 28
    5: it is no pair: unknown field `ttl`, expected one of `namespace`, `key`, `value`, `expires` at line 1 column 45
    6: the value has 13 bytes, and may have 10 (`[kv] max_value`)
    9: the line is longer than 1204 bytes, which no pair within the limits is
    12: the namespace `ns` holds as many keys as it may: 3 (`[kv] max_keys_per_namespace`)
    13: the namespace `ns` holds as many keys as it may: 3 (`[kv] max_keys_per_namespace`)
    ");
    assert_eq!(report, ImportReport { lines: 12, stored: 2, kept: 2, expired: 1, refused: 7, problems: report.problems.clone() });
    // Of two lines with one key the first stays, where what is there is kept.
    assert_eq!(value(&pairs, "ns", "b").await.as_deref(), Some("1"));
    let mut import = pairs.import(Existing::Overwrite);
    import.take(lines.join("\n").as_bytes()).await.unwrap();
    let report = import.finish().await.unwrap();
    assert_eq!((report.stored, report.kept), (4, 0));
    assert_eq!(value(&pairs, "ns", "b").await.as_deref(), Some("2"));
    assert_eq!(value(&pairs, "ns", "old").await.as_deref(), Some("new"));
}

/// A page of long values is short.
#[tokio::test]
async fn pages_are_as_long_as_memory_bears() {
    let (pairs, _) = pairs(roomy());
    let long = "x".repeat(1 << 20);
    for number in 0..2200 {
        let value = if (600..700).contains(&number) { &long } else { "short" };
        pairs.put("ns", &number.to_string(), value, None, &Condition::Always).await.unwrap();
    }
    let mut pages = Pages::new(Arc::clone(pairs.store()), "ns", "", 0);
    let mut sizes = Vec::new();
    let mut next = 0;
    loop {
        let page = pages.next(usize::MAX).await.unwrap().unwrap();
        if page.is_empty() {
            break;
        }
        for pair in &page {
            assert_eq!(pair.key, next.to_string());
            next += 1;
        }
        sizes.push(page.len());
    }
    assert_eq!(next, 2200);
    assert!(pages.has_ended());
    // However many short ones stood before it, a long one ends its page.
    assert_eq!((sizes[0], &sizes[100..]), (601, &[1000, 500][..]));
    assert!(sizes[1..100].iter().all(|size| *size == 1), "{sizes:?}");
    assert_eq!(Pages::new(Arc::clone(pairs.store()), "none", "", 0).next(10).await.unwrap(), None);
}
