//! Tokens: which there are, whose they are, and when they were last shown.
//!
//! A token is 256 random bits behind a prefix by which it is recognised where it does not belong. Kept is its SHA-256 alone: so much chance can't be guessed, so a slow hash would add
//! nothing. All tokens are in memory, so that a request waits for no disk; a change is in the store before it counts.

use std::fmt::Write;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use tokio::sync::watch;

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
    /// Whoever waits for a change is told.
    known: watch::Sender<Known>,
    /// One change at a time.
    changing: tokio::sync::Mutex<()>,
}

/// Why a token could not be made or revoked.
#[derive(Debug, thiserror::Error)]
pub(in crate::api) enum TokenError {
    #[error("`{0}` is no name of a token: 1 to {LONGEST_NAME} letters, digits, `_`, `-` and `.`, and more than `.` or `..`")]
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
    #[error("the change of the tokens was broken off; see which there are")]
    BrokenOff,
    #[error(transparent)]
    Store(#[from] StoreError),
}

type Digest = [u8; 32];
type Known = Arc<Vec<Arc<Token>>>;

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
                // It would count again as soon as the configuration names none, when nobody thinks of it any more.
                Some(token) if known.iter().any(|other| other.name == token.name) => {
                    store.remove_state(&entry.name).await?;
                    tracing::warn!(
                        token = &*token.name,
                        "A token of this name stands in the configuration too; the one that was made is revoked for good."
                    );
                }
                Some(token) => known.push(Arc::new(token)),
                None => tracing::warn!(entry = entry.name, "The store holds a token that this version can't read; it counts for nothing."),
            }
        }
        Ok(Self { store, clock, known: watch::Sender::new(Arc::new(known)), changing: tokio::sync::Mutex::default() })
    }

    /// Whose token this is, if it is one that counts.
    pub(super) fn find(&self, shown: &[u8]) -> Option<(Arc<str>, Scopes)> {
        let digest = digest_of(shown);
        let known = self.known();
        // All of them are compared, so that how long it takes tells nothing.
        let found = known.iter().fold(None, |found, token| if bool::from(token.digest.ct_eq(&digest)) { Some(token) } else { found })?;
        let now = self.clock.now();
        if found.is_over(now) {
            return None;
        }
        found.used.store(now.as_second(), Ordering::Relaxed);
        Some((Arc::clone(&found.name), found.scopes))
    }

    pub(super) fn list(&self) -> Vec<ListedToken> {
        let mut all: Vec<_> = self.known().iter().map(|token| token.listed()).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// Ends when the token that was found under this name counts no longer.
    pub(super) async fn over(&self, name: &Arc<str>) {
        let mut known = self.known.subscribe();
        loop {
            // Another may have its name by now.
            let found = known.borrow_and_update().iter().find(|token| Arc::ptr_eq(&token.name, name)).cloned();
            let Some(token) = found else { return };
            let expires = token.made.as_ref().and_then(|made| made.expires);
            let left = expires.map(|expires| Duration::try_from(expires.duration_since(self.clock.now())).unwrap_or_default());
            if left.is_some_and(|left| left.is_zero()) {
                return;
            }
            let expired = pin!(async {
                match left {
                    Some(left) => self.clock.sleep(left).await,
                    None => std::future::pending().await,
                }
            });
            tokio::select! {
                changed = known.changed() => if changed.is_err() { return },
                () = expired => {}
            }
        }
    }

    /// Makes a token; gives what is to be shown once.
    ///
    /// # Cancellation
    /// Dropping the future may leave a token in the store that counts for nothing until the next start.
    pub(super) async fn make(&self, new: NewToken) -> Result<(String, ListedToken), TokenError> {
        let NewToken { name, scopes, expires_in } = new;
        let fine = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        // The last two would mean another place in the path at which a token is revoked.
        if !(1..=LONGEST_NAME).contains(&name.len()) || !name.chars().all(fine) || name == "." || name == ".." {
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
        if self.known().iter().any(|token| *token.name == *name) {
            return Err(TokenError::Exists(name));
        }
        if self.known().len() >= MOST {
            self.forget_expired(now).await?;
        }
        let known = self.known();
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
        self.known.send_replace(Arc::new(known.iter().cloned().chain([Arc::new(token)]).collect()));
        Ok((secret, listed))
    }

    /// Revokes a token: from now on it opens nothing.
    ///
    /// # Cancellation
    /// Dropping the future may leave a token that counts until the next start, and no longer.
    pub(super) async fn revoke(&self, name: &str) -> Result<ListedToken, TokenError> {
        let _alone = self.changing.lock().await;
        let known = self.known();
        let missing = || TokenError::Missing(name.chars().filter(|c| !c.is_control()).take(LONGEST_NAME).collect());
        let token = known.iter().find(|token| *token.name == *name).ok_or_else(missing)?;
        if token.made.is_none() {
            return Err(TokenError::Configured(name.to_owned()));
        }
        self.forget(token).await?;
        Ok(token.listed())
    }

    /// Makes room.
    async fn forget_expired(&self, now: Timestamp) -> Result<(), StoreError> {
        for token in self.known().iter().filter(|token| token.is_over(now)) {
            self.forget(token).await?;
            tracing::info!(token = &*token.name, "A token that had expired is no longer kept, for there are many.");
        }
        Ok(())
    }

    async fn forget(&self, token: &Token) -> Result<(), StoreError> {
        self.store.remove_state(&place(&token.name)).await?;
        self.known.send_modify(|known| *known = Arc::new(known.iter().filter(|other| other.name != token.name).cloned().collect()));
        Ok(())
    }

    fn known(&self) -> Known {
        Arc::clone(&self.known.borrow())
    }

    /// Keeps when tokens were last shown, of those where it is long ago that it was kept.
    pub(super) async fn keep_uses(&self) {
        let _alone = self.changing.lock().await;
        for token in self.known().iter() {
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

    /// Whether it has expired.
    fn is_over(&self, now: Timestamp) -> bool {
        self.made.as_ref().and_then(|made| made.expires).is_some_and(|expires| expires <= now)
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
mod tests;
