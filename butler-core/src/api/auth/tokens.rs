//! Tokens: which there are, whose they are, and when they were last shown.
//!
//! A token is 256 random bits behind a prefix by which it is recognised where it does not belong. Kept is its SHA-256 alone: so much chance can't be guessed, so a slow hash would add
//! nothing. All tokens are in memory, so that a request waits for no disk; a change is in the store before it counts.

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::{SignedDuration, Timestamp};
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::api::answers::{ListedToken, NewToken};
use crate::clock::Clock;
use crate::config::{ConfiguredToken, Scopes};
use crate::store::{StateEntry, StateStore, StoreError};

/// By this a token is recognised.
const PREFIX: &str = "butler_";
/// Where tokens are among the states.
const PLACE: &str = "api/token/";
/// Each request looks at all of them.
const MOST: usize = 200;
/// The longest name, in characters.
const LONGEST_NAME: usize = 64;
/// How long a token may outlive its making.
const LONGEST_LIFE: Duration = Duration::from_hours(24 * 3650);
/// How exactly it is kept when a token was last shown: more would be a write for each request.
const COARSE: i64 = 600;

/// All tokens.
#[derive(Debug)]
pub(super) struct Tokens {
    store: Arc<dyn StateStore>,
    clock: Arc<dyn Clock>,
    known: ArcSwap<Vec<Arc<Token>>>,
    /// One change at a time.
    changing: tokio::sync::Mutex<()>,
}

/// Why a token could not be made or revoked.
#[derive(Debug, thiserror::Error)]
pub(in crate::api) enum TokenError {
    #[error("`{0}` is no name of a token: 1 to {LONGEST_NAME} letters, digits, `_`, `-` and `.`")]
    BadName(String),
    #[error("a token without scopes opens nothing")]
    NoScope,
    #[error("a token may live from one second to ten years")]
    BadLife,
    #[error("there is a token `{0}` already")]
    Exists(String),
    #[error("there are {MOST} tokens, which is as many as there may be")]
    TooMany,
    #[error("there is no token `{0}`")]
    Missing(String),
    #[error("the token `{0}` stands in the configuration, and is revoked there")]
    Configured(String),
    #[error("this server was put together without a place to keep tokens in")]
    Nowhere,
    #[error("the system gives no random numbers")]
    NoChance,
    #[error(transparent)]
    Store(#[from] StoreError),
}

type Digest = [u8; 32];

#[derive(Debug)]
struct Token {
    name: Arc<str>,
    digest: Digest,
    scopes: Scopes,
    /// What is kept of it; nothing if it stands in the configuration.
    made: Option<Made>,
    /// When it was last shown, in seconds since 1970; 0 for never.
    used: AtomicI64,
}

#[derive(Debug)]
struct Made {
    created: Timestamp,
    expires: Option<Timestamp>,
    /// Of the entry in the store.
    version: AtomicU64,
    /// What it says there about when it was last shown.
    used_there: AtomicI64,
}

/// A token as it is kept.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    digest: String,
    scopes: Scopes,
    created: Timestamp,
    expires: Option<Timestamp>,
    last_used: Option<Timestamp>,
}

impl Tokens {
    /// Those of the configuration, and those that were made before.
    pub(super) async fn open(
        configured: &[ConfiguredToken],
        store: Arc<dyn StateStore>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StoreError> {
        let configured = configured.iter().filter_map(|token| {
            // It was revealed when it was checked.
            let digest = digest_of(token.token.reveal(Path::new("")).ok()?.as_bytes());
            Some(Token { name: token.name.as_str().into(), digest, scopes: token.scopes, made: None, used: AtomicI64::new(0) })
        });
        let mut known: Vec<_> = configured.map(Arc::new).collect();
        for entry in store.states(PLACE).await? {
            match Token::read(&entry) {
                // What the configuration names so is what is meant.
                Some(token) if known.iter().any(|other| other.name == token.name) => {
                    tracing::warn!(
                        token = &*token.name,
                        "A token of this name stands in the configuration too; the one that was made counts for nothing."
                    );
                }
                Some(token) => known.push(Arc::new(token)),
                None => tracing::warn!(entry = entry.name, "The store holds a token that this version can't read; it counts for nothing."),
            }
        }
        Ok(Self { store, clock, known: ArcSwap::from_pointee(known), changing: tokio::sync::Mutex::default() })
    }

    /// Whose token this is, if it is one that counts.
    pub(super) fn find(&self, shown: &[u8]) -> Option<(Arc<str>, Scopes)> {
        let digest = digest_of(shown);
        let known = self.known.load();
        // All of them are compared, so that how long it takes tells nothing.
        let found = known.iter().fold(None, |found, token| if bool::from(token.digest.ct_eq(&digest)) { Some(token) } else { found })?;
        let now = self.clock.now();
        if found.made.as_ref().and_then(|made| made.expires).is_some_and(|expires| expires <= now) {
            return None;
        }
        found.used.store(now.as_second(), Ordering::Relaxed);
        Some((Arc::clone(&found.name), found.scopes))
    }

    pub(super) fn list(&self) -> Vec<ListedToken> {
        let mut all: Vec<_> = self.known.load().iter().map(|token| token.listed()).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// Makes a token; gives what is to be shown once.
    pub(super) async fn make(&self, new: NewToken) -> Result<(String, ListedToken), TokenError> {
        let NewToken { name, scopes, expires_in } = new;
        let fine = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        if !(1..=LONGEST_NAME).contains(&name.len()) || !name.chars().all(fine) {
            return Err(TokenError::BadName(name.chars().filter(|c| !c.is_control()).take(LONGEST_NAME).collect()));
        }
        if scopes.is_empty() {
            return Err(TokenError::NoScope);
        }
        let now = self.clock.now();
        let life = expires_in.map(|life| life.0);
        if life.is_some_and(|life| life < Duration::from_secs(1) || life > LONGEST_LIFE) {
            return Err(TokenError::BadLife);
        }
        let expires = life.and_then(|life| now.checked_add(SignedDuration::try_from(life).ok()?).ok());
        let secret = secret()?;
        let _alone = self.changing.lock().await;
        let known = self.known.load_full();
        if known.iter().any(|token| *token.name == *name) {
            return Err(TokenError::Exists(name));
        }
        if known.len() >= MOST {
            return Err(TokenError::TooMany);
        }
        let made = Made { created: now, expires, version: AtomicU64::new(0), used_there: AtomicI64::new(0) };
        let digest = digest_of(secret.as_bytes());
        let token = Token { name: name.as_str().into(), digest, scopes, made: Some(made), used: AtomicI64::new(0) };
        if !self.keep(&token).await? {
            return Err(TokenError::Exists(name));
        }
        let listed = token.listed();
        self.known.store(Arc::new(known.iter().cloned().chain([Arc::new(token)]).collect()));
        Ok((secret, listed))
    }

    /// Revokes a token: from now on it opens nothing.
    pub(super) async fn revoke(&self, name: &str) -> Result<ListedToken, TokenError> {
        let _alone = self.changing.lock().await;
        let known = self.known.load_full();
        let missing = || TokenError::Missing(name.chars().filter(|c| !c.is_control()).take(LONGEST_NAME).collect());
        let token = known.iter().find(|token| *token.name == *name).ok_or_else(missing)?;
        if token.made.is_none() {
            return Err(TokenError::Configured(name.to_owned()));
        }
        self.store.remove_state(&place(name)).await?;
        self.known.store(Arc::new(known.iter().filter(|other| other.name != token.name).cloned().collect()));
        Ok(token.listed())
    }

    /// Keeps when tokens were last shown, of those where it is long ago that it was kept.
    pub(super) async fn keep_uses(&self) {
        let _alone = self.changing.lock().await;
        for token in self.known.load_full().iter() {
            let Some(made) = &token.made else { continue };
            if token.used.load(Ordering::Relaxed) >= made.used_there.load(Ordering::Relaxed) + COARSE
                && let Err(error) = self.keep(token).await
            {
                tracing::debug!(%error, token = &*token.name, "When a token was last shown can't be kept.");
            }
        }
    }

    /// Writes a token to the store; `false` if somebody else changed it there.
    async fn keep(&self, token: &Token) -> Result<bool, StoreError> {
        let Some(made) = &token.made else { return Ok(false) };
        let used = token.used.load(Ordering::Relaxed);
        let kept = Kept {
            digest: hex(&token.digest),
            scopes: token.scopes,
            created: made.created,
            expires: made.expires,
            last_used: moment(used),
        };
        let Ok(text) = serde_json::to_string(&kept) else { return Ok(false) };
        let version = self.store.set_state(&place(&token.name), &text, made.version.load(Ordering::Relaxed)).await?;
        made.version.store(version.unwrap_or_default(), Ordering::Relaxed);
        made.used_there.store(used, Ordering::Relaxed);
        Ok(version.is_some())
    }
}

impl Token {
    fn read(entry: &StateEntry) -> Option<Self> {
        let name = entry.name.strip_prefix(PLACE)?;
        let Kept { digest, scopes, created, expires, last_used } = serde_json::from_str(&entry.value).ok()?;
        let used = last_used.map_or(0, Timestamp::as_second);
        let made = Made { created, expires, version: AtomicU64::new(entry.version), used_there: AtomicI64::new(used) };
        Some(Self { name: name.into(), digest: unhex(&digest)?, scopes, made: Some(made), used: AtomicI64::new(used) })
    }

    fn listed(&self) -> ListedToken {
        ListedToken {
            name: self.name.to_string(),
            scopes: self.scopes,
            configured: self.made.is_none(),
            created: self.made.as_ref().map(|made| made.created),
            expires: self.made.as_ref().and_then(|made| made.expires),
            last_used: moment(self.used.load(Ordering::Relaxed)),
        }
    }
}

fn place(name: &str) -> String {
    format!("{PLACE}{name}")
}

fn moment(seconds: i64) -> Option<Timestamp> {
    (seconds > 0).then(|| Timestamp::from_second(seconds).ok()).flatten()
}

fn secret() -> Result<String, TokenError> {
    let mut bits = [0; 32];
    SystemRandom::new().fill(&mut bits).map_err(|_| TokenError::NoChance)?;
    Ok(format!("{PREFIX}{}", hex(&bits)))
}

fn digest_of(token: &[u8]) -> Digest {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest(&SHA256, token).as_ref());
    bytes
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Option<Digest> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(&text[at..at + 2], 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
#[cfg(feature = "testkit")]
mod tests {
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
            (new("script", None), "there is a token `script` already"),
            (new("fixed", None), "there is a token `fixed` already"),
        ] {
            let error = tokens.make(token).await.unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
        assert_eq!(tokens.revoke("nobody").await.unwrap_err().to_string(), "there is no token `nobody`");
        assert!(tokens.revoke("fixed").await.unwrap_err().to_string().contains("stands in the configuration"));
    }
}
