//! Finding out who sent a request.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, header};
use tracing::Instrument;

use super::tokens::{TokenError, Tokens};
use super::{Caller, Shown, Who};
use crate::api::answers::{ListedToken, NewToken};
use crate::clock::Clock;
use crate::config::{AccessSettings, Anonymous, Scopes};
use crate::store::{StateStore, StoreError};

const BEARER: &[u8] = b"Bearer";
/// What proxies say beside `X-Forwarded-For` and the like.
const OF_PROXIES: [&str; 6] = ["forwarded", "via", "x-real-ip", "x-client-ip", "true-client-ip", "x-original-host"];
/// How often is looked whether it is to be kept that a token was shown.
const KEEP: Duration = Duration::from_mins(1);

/// Who may use the API. Cheap to clone. By default whoever connects from this machine, and nobody has a token.
#[derive(Debug, Clone, Default)]
pub struct Access {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    anonymous: Anonymous,
    tokens: Option<Tokens>,
    /// What whoever shows a certificate may do.
    of_certificates: Scopes,
}

/// Why a caller is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::api) enum Unknown {
    /// They said nothing, and have to.
    Silent,
    /// They are on this machine, but speak for somebody elsewhere.
    Proxied,
    /// What they said is no token.
    NoToken,
}

impl Unknown {
    /// In words.
    pub(in crate::api) fn words(self) -> &'static str {
        match self {
            Self::Silent => "whoever asks from there has to show a token",
            Self::Proxied => "a request that a proxy passed on counts as one from elsewhere, and has to show a token",
            Self::NoToken => "the token is not one of this Butler's, or no longer",
        }
    }
}

impl Access {
    /// As it is configured, with the tokens that were made before. Reads from the store once; afterwards only changes go there.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn open(settings: &AccessSettings, store: Arc<dyn StateStore>, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let tokens = Some(Tokens::open(&settings.tokens, store, clock).await?);
        Ok(Self { inner: Arc::new(Inner { anonymous: settings.anonymous, tokens, of_certificates: settings.of_certificates }) })
    }

    /// Who sent a request with these headers from this address, on a connection on which this certificate was shown. A token says more than a certificate, and both say more than an address.
    pub(in crate::api) fn identify(&self, headers: &HeaderMap, address: Option<IpAddr>, shown: Option<&Shown>) -> Result<Caller, Unknown> {
        // Who shows a wrong token is not somebody who shows none.
        if let Some(token) = bearer(headers) {
            let (name, scopes) = self.inner.tokens.as_ref().and_then(|tokens| tokens.find(token)).ok_or(Unknown::NoToken)?;
            return Ok(Caller { who: Who::Token(name), scopes, address });
        }
        if let Some(Shown(subject)) = shown {
            return Ok(Caller { who: Who::Certificate(Arc::clone(subject)), scopes: self.inner.of_certificates, address });
        }
        let local = address.is_some_and(|address| address.is_loopback());
        match self.inner.anonymous {
            Anonymous::Everyone => {}
            Anonymous::Loopback if local && passed_on(headers) => return Err(Unknown::Proxied),
            Anonymous::Loopback if local => {}
            Anonymous::Loopback | Anonymous::Nobody => return Err(Unknown::Silent),
        }
        Ok(Caller { who: Who::Anonymous, scopes: Scopes::ALL, address })
    }

    pub(in crate::api) fn tokens(&self) -> Vec<ListedToken> {
        self.inner.tokens.as_ref().map(Tokens::list).unwrap_or_default()
    }

    pub(in crate::api) async fn make_token(&self, new: NewToken) -> Result<(String, ListedToken), TokenError> {
        let inner = Arc::clone(&self.inner);
        to_the_end(async move { inner.tokens.as_ref().ok_or(TokenError::Nowhere)?.make(new).await }).await
    }

    pub(in crate::api) async fn revoke_token(&self, name: &str) -> Result<ListedToken, TokenError> {
        let (inner, name) = (Arc::clone(&self.inner), name.to_owned());
        to_the_end(async move { inner.tokens.as_ref().ok_or_else(|| TokenError::Missing(name.clone()))?.revoke(&name).await }).await
    }

    /// Ends when somebody who was let in would be so no longer, since their token was revoked or has expired.
    pub(in crate::api) async fn over(&self, caller: &Caller) {
        match (&caller.who, &self.inner.tokens) {
            (Who::Token(name), Some(tokens)) => tokens.over(name).await,
            _ => std::future::pending().await,
        }
    }

    /// Keeps when tokens were last shown, now and then. Never ends.
    pub(in crate::api) async fn keep_uses(&self, clock: Arc<dyn Clock>) {
        loop {
            clock.sleep(KEEP).await;
            if let Some(tokens) = &self.inner.tokens {
                tokens.keep_uses().await;
            }
        }
    }
}

/// Carries a change out also when nobody waits for it any more: what is in the store has to be what counts. It takes no longer than the store for a write or two.
async fn to_the_end<T: Send + 'static>(change: impl Future<Output = Result<T, TokenError>> + Send + 'static) -> Result<T, TokenError> {
    tokio::spawn(change.in_current_span()).await.unwrap_or(Err(TokenError::BrokenOff))
}

/// The token in the header, if one is meant; an empty one where a script's variable was. Other ways to say who one is are not ours, and are left alone.
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    headers.get_all(header::AUTHORIZATION).iter().find_map(|value| {
        let value = value.as_bytes().trim_ascii();
        let end = value.iter().position(u8::is_ascii_whitespace).unwrap_or(value.len());
        let (scheme, token) = value.split_at(end);
        scheme.eq_ignore_ascii_case(BEARER).then(|| token.trim_ascii())
    })
}

/// Whether a proxy says that it passes a request on.
fn passed_on(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| name.as_str().starts_with("x-forwarded-") || OF_PROXIES.contains(&name.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_says_nothing_is_taken_for_what_their_address_says() {
        use Anonymous::{Everyone, Loopback, Nobody};
        let headers = |pairs: &[(&'static str, &'static str)]| {
            pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect::<HeaderMap>()
        };
        let (here, there) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([192, 0, 2, 7]));
        let ask = |anonymous, address, pairs: &[(&'static str, &'static str)]| {
            let access = Access { inner: Arc::new(Inner { anonymous, ..Inner::default() }) };
            access.identify(&headers(pairs), address, None).map(|caller| caller.scopes)
        };
        for (anonymous, address, answer) in [
            (Loopback, Some(here), Ok(Scopes::ALL)),
            (Loopback, Some(there), Err(Unknown::Silent)),
            (Loopback, None, Err(Unknown::Silent)),
            (Nobody, Some(here), Err(Unknown::Silent)),
            (Everyone, Some(there), Ok(Scopes::ALL)),
            (Everyone, None, Ok(Scopes::ALL)),
        ] {
            assert_eq!(ask(anonymous, address, &[]), answer, "{anonymous:?} {address:?}");
        }
        for name in ["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "forwarded", "via", "x-real-ip"] {
            assert_eq!(ask(Loopback, Some(here), &[(name, "192.0.2.7")]), Err(Unknown::Proxied), "{name}");
            assert_eq!(ask(Everyone, Some(here), &[(name, "192.0.2.7")]), Ok(Scopes::ALL), "{name}");
        }
        for (header, answer) in [
            ("Bearer x", Err(Unknown::NoToken)),
            ("bearer  x ", Err(Unknown::NoToken)),
            ("Bearer", Err(Unknown::NoToken)),
            ("Bearer ", Err(Unknown::NoToken)),
            ("Bearerx", Ok(Scopes::ALL)),
            ("Basic eA==", Ok(Scopes::ALL)),
            ("", Ok(Scopes::ALL)),
        ] {
            assert_eq!(ask(Everyone, Some(here), &[("authorization", header)]), answer, "{header}");
        }
    }

    #[cfg(feature = "testkit")]
    mod given_up {
        use async_trait::async_trait;
        use futures_util::FutureExt;
        use tokio::sync::Semaphore;

        use super::*;
        use crate::config::Scope;
        use crate::store::StateEntry;
        use crate::store::memory::MemoryStore;
        use crate::testkit::TestClock;

        /// Does what it is told at once, and says so when it is allowed to.
        #[derive(Debug)]
        struct Slow {
            store: MemoryStore,
            says: Semaphore,
        }

        impl Slow {
            async fn say<T>(&self, outcome: T) -> T {
                self.says.acquire().await.unwrap().forget();
                outcome
            }
        }

        #[async_trait]
        impl StateStore for Slow {
            async fn state(&self, name: &str) -> Result<Option<StateEntry>, StoreError> {
                self.store.state(name).await
            }

            async fn set_state(&self, name: &str, value: &str, expected: u64) -> Result<Option<u64>, StoreError> {
                self.say(self.store.set_state(name, value, expected).await).await
            }

            async fn remove_state(&self, name: &str) -> Result<bool, StoreError> {
                self.say(self.store.remove_state(name).await).await
            }

            async fn states(&self, prefix: &str) -> Result<Vec<StateEntry>, StoreError> {
                self.store.states(prefix).await
            }
        }

        /// Waits until so many tokens count.
        async fn until(access: &Access, tokens: usize) {
            while access.tokens().len() != tokens {
                tokio::task::yield_now().await;
            }
        }

        #[tokio::test]
        async fn a_change_that_nobody_waits_for_is_made_to_its_end() {
            let clock = TestClock::default();
            let store = Arc::new(Slow { store: MemoryStore::new(Arc::new(clock.clone())), says: Semaphore::new(0) });
            let access = Access::open(&AccessSettings::default(), Arc::clone(&store) as _, Arc::new(clock)).await.unwrap();
            let kept = async |count: usize| {
                while store.store.states("").await.unwrap().len() != count {
                    tokio::task::yield_now().await;
                }
            };
            let new = || NewToken { name: "script".into(), scopes: [Scope::KvRead].into_iter().collect(), expires_in: None };
            assert!(access.make_token(new()).now_or_never().is_none());
            kept(1).await;
            assert_eq!(access.tokens().len(), 0);
            store.says.add_permits(1);
            until(&access, 1).await;
            assert!(access.revoke_token("script").now_or_never().is_none());
            kept(0).await;
            store.says.add_permits(1);
            until(&access, 0).await;
            store.says.add_permits(1);
            assert!(access.make_token(new()).await.is_ok());
        }
    }
}
