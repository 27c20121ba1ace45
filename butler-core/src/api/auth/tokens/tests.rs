//! Tokens in front of a store in memory.

use super::*;
use crate::config::{Period, Scope, Secret};
use crate::store::memory::MemoryStore;
use crate::testkit::TestClock;

fn new(name: &str, life: Option<u64>) -> NewToken {
    NewToken {
        name: name.to_owned(),
        scopes: [Scope::KvRead].into_iter().collect(),
        expires_in: life.map(|seconds| Period(Duration::from_secs(seconds))),
    }
}

struct Stage {
    clock: TestClock,
    store: Arc<MemoryStore>,
}

impl Stage {
    fn new() -> Self {
        let clock = TestClock::default();
        Self { store: Arc::new(MemoryStore::new(Arc::new(clock.clone()))), clock }
    }

    async fn open(&self) -> Tokens {
        let configured = ConfiguredToken { name: "fixed".into(), token: Secret::literal("a-long-enough-token-1"), scopes: Scopes::ALL };
        Tokens::open(&[configured], Arc::clone(&self.store) as _, Arc::new(self.clock.clone())).await.unwrap()
    }
}

#[tokio::test]
async fn a_token_opens_until_it_is_revoked_also_after_a_restart() {
    let stage = Stage::new();
    let tokens = stage.open().await;
    let (secret, listed) = tokens.make(new("script", None)).await.unwrap();
    assert!(secret.starts_with("butler_") && secret.len() == 71, "{secret}");
    assert_eq!((listed.name.as_str(), listed.configured, listed.last_used), ("script", false, None));
    assert_ne!(tokens.make(new("other", None)).await.unwrap().0, secret);
    for tokens in [&tokens, &stage.open().await] {
        assert_eq!(tokens.find(secret.as_bytes()), Some(("script".into(), [Scope::KvRead].into_iter().collect())));
        assert_eq!(tokens.find(b"a-long-enough-token-1"), Some(("fixed".into(), Scopes::ALL)));
        for wrong in ["", "butler_", &secret[..70], &secret.to_uppercase()] {
            assert_eq!(tokens.find(wrong.as_bytes()), None, "{wrong}");
        }
    }
    // What is kept opens nothing.
    let kept = stage.store.states(PLACE).await.unwrap();
    assert!(kept.iter().all(|entry| !entry.value.contains(&secret[7..])), "{kept:?}");
    tokens.revoke("script").await.unwrap();
    assert_eq!(tokens.find(secret.as_bytes()), None);
    assert_eq!(stage.open().await.find(secret.as_bytes()), None);
    assert!(tokens.make(new("script", None)).await.is_ok(), "its name is free again");
}

#[tokio::test]
async fn a_token_expires() {
    let stage = Stage::new();
    let tokens = stage.open().await;
    let (secret, _) = tokens.make(new("script", Some(60))).await.unwrap();
    stage.clock.advance(Duration::from_secs(59));
    assert!(tokens.find(secret.as_bytes()).is_some());
    stage.clock.advance(Duration::from_secs(1));
    assert!(tokens.find(secret.as_bytes()).is_none());
}

#[tokio::test]
async fn what_has_expired_makes_room_when_there_are_many() {
    let stage = Stage::new();
    let tokens = stage.open().await;
    for number in 0..MOST - 2 {
        tokens.make(new(&format!("short{number}"), Some(60))).await.unwrap();
    }
    tokens.make(new("long", None)).await.unwrap();
    assert!(matches!(tokens.make(new("more", None)).await, Err(TokenError::TooMany)));
    stage.clock.advance(Duration::from_mins(1));
    tokens.make(new("more", None)).await.unwrap();
    for tokens in [&tokens, &stage.open().await] {
        let names: Vec<_> = tokens.list().into_iter().map(|token| token.name).collect();
        assert_eq!(names, ["fixed", "long", "more"]);
    }
}

#[tokio::test]
async fn a_token_that_the_configuration_took_over_does_not_come_back() {
    let stage = Stage::new();
    let open = async |configured: &[ConfiguredToken]| {
        Tokens::open(configured, Arc::clone(&stage.store) as _, Arc::new(stage.clock.clone())).await.unwrap()
    };
    let (secret, _) = open(&[]).await.make(new("fixed", None)).await.unwrap();
    assert!(open(&[]).await.find(secret.as_bytes()).is_some());
    let tokens = stage.open().await;
    assert_eq!((tokens.find(secret.as_bytes()), tokens.list().len()), (None, 1));
    assert_eq!(open(&[]).await.find(secret.as_bytes()), None);
}

#[tokio::test]
async fn whoever_was_let_in_is_told_when_that_is_over() {
    let stage = Stage::new();
    let tokens = Arc::new(stage.open().await);
    let name = async |new: NewToken| tokens.find(tokens.make(new).await.unwrap().0.as_bytes()).unwrap().0;
    let watch = |name: &Arc<str>| {
        let (tokens, name) = (Arc::clone(&tokens), Arc::clone(name));
        Box::pin(async move { tokens.over(&name).await })
    };
    let (revoked, expires, other) = (name(new("a", None)).await, name(new("b", Some(60))).await, name(new("c", None)).await);
    let (mut revoked, mut expires, mut other) = (watch(&revoked), watch(&expires), watch(&other));
    let fixed = tokens.find(b"a-long-enough-token-1").unwrap().0;
    let mut fixed = watch(&fixed);
    let ended = |watch: &mut std::pin::Pin<Box<_>>| futures_util::FutureExt::now_or_never(watch).is_some();
    assert_eq!([&mut revoked, &mut expires, &mut other].map(ended), [false; 3]);
    tokens.revoke("a").await.unwrap();
    // Its name is somebody else's now.
    tokens.make(new("a", None)).await.unwrap();
    assert_eq!([&mut revoked, &mut expires, &mut other].map(ended), [true, false, false]);
    stage.clock.advance(Duration::from_mins(1));
    assert_eq!([&mut expires, &mut other, &mut fixed].map(ended), [true, false, false]);
}

#[tokio::test]
async fn when_it_was_last_shown_is_kept_now_and_then() {
    let stage = Stage::new();
    let tokens = stage.open().await;
    let (secret, _) = tokens.make(new("script", None)).await.unwrap();
    let version = async || stage.store.states(PLACE).await.unwrap()[0].version;
    tokens.keep_uses().await;
    assert_eq!(version().await, 1, "it was not shown yet");
    for _ in 0..3 {
        tokens.find(secret.as_bytes());
        tokens.keep_uses().await;
        assert_eq!(version().await, 2);
        stage.clock.advance(Duration::from_secs(100));
    }
    stage.clock.advance(Duration::from_secs(400));
    tokens.find(secret.as_bytes());
    tokens.keep_uses().await;
    assert_eq!(version().await, 3);
    let listed = stage.open().await.list().into_iter().find(|token| token.name == "script").unwrap();
    assert_eq!(listed.last_used.unwrap().as_second(), stage.clock.now().as_second());
}

#[tokio::test]
async fn what_can_not_be_made_or_revoked_says_why() {
    let tokens = Stage::new().open().await;
    tokens.make(new("script", None)).await.unwrap();
    for (token, words) in [
        (new("", None), "is no name of a token"),
        (new("a b", None), "`a b` is no name of a token"),
        (new(&"x".repeat(65), None), "is no name of a token"),
        (new("x", Some(0)), "a token may live from one second"),
        (NewToken { scopes: Scopes::NONE, ..new("x", None) }, "opens nothing"),
        (new(".", None), "`.` is no name of a token"),
        (new("..", None), "`..` is no name of a token"),
        (new("script", None), "there is a token `script` already"),
        (new("fixed", None), "there is a token `fixed` already"),
    ] {
        let error = tokens.make(token).await.unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    assert_eq!(tokens.revoke("nobody").await.unwrap_err().to_string(), "there is no token `nobody`");
    assert!(tokens.revoke("fixed").await.unwrap_err().to_string().contains("stands in the configuration"));
}
