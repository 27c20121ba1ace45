//! Finding out who sent a request.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, header};

use super::tokens::{TokenError, Tokens};
use super::{Caller, Shown, Who};
use crate::api::answers::{ListedToken, NewToken};
use crate::clock::Clock;
use crate::config::{AccessSettings, Anonymous, Scopes};
use crate::store::{StateStore, StoreError};

const BEARER: &[u8] = b"Bearer ";
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
        let tokens = self.inner.tokens.as_ref().ok_or(TokenError::Nowhere)?;
        tokens.make(new).await
    }

    pub(in crate::api) async fn revoke_token(&self, name: &str) -> Result<ListedToken, TokenError> {
        let tokens = self.inner.tokens.as_ref().ok_or_else(|| TokenError::Missing(name.to_owned()))?;
        tokens.revoke(name).await
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

/// The token in the header, if there is one. Other ways to say who one is are not ours, and are left alone.
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.as_bytes().split_at_checked(BEARER.len())?;
    scheme.eq_ignore_ascii_case(BEARER).then(|| token.trim_ascii())
}

/// Whether a proxy says that it passes a request on.
fn passed_on(headers: &HeaderMap) -> bool {
    [header::FORWARDED.as_str(), "x-forwarded-for", "x-real-ip", header::VIA.as_str()].iter().any(|name| headers.contains_key(*name))
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
        for name in ["x-forwarded-for", "forwarded", "via", "x-real-ip"] {
            assert_eq!(ask(Loopback, Some(here), &[(name, "192.0.2.7")]), Err(Unknown::Proxied), "{name}");
            assert_eq!(ask(Everyone, Some(here), &[(name, "192.0.2.7")]), Ok(Scopes::ALL), "{name}");
        }
        for (header, answer) in [
            ("Bearer x", Err(Unknown::NoToken)),
            ("bearer  x ", Err(Unknown::NoToken)),
            ("Basic eA==", Ok(Scopes::ALL)),
            ("", Ok(Scopes::ALL)),
        ] {
            assert_eq!(ask(Everyone, Some(here), &[("authorization", header)]), answer, "{header}");
        }
    }
}
