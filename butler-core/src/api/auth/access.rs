//! Finding out who sent a request.

use std::net::IpAddr;

use axum::http::{HeaderMap, header};

use super::{Caller, Who};
use crate::config::{AccessSettings, Anonymous, Scopes};

const BEARER: &[u8] = b"Bearer ";

/// Who may use the API. By default whoever connects from this machine.
#[derive(Debug, Clone, Default)]
pub struct Access {
    anonymous: Anonymous,
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
    /// As it is configured.
    #[must_use]
    pub fn new(settings: AccessSettings) -> Self {
        Self { anonymous: settings.anonymous }
    }

    /// Who sent a request with these headers from this address.
    pub(in crate::api) fn identify(&self, headers: &HeaderMap, address: Option<IpAddr>) -> Result<Caller, Unknown> {
        // Who shows a wrong token is not somebody who shows none.
        if bearer(headers).is_some() {
            return Err(Unknown::NoToken);
        }
        let local = address.is_some_and(|address| address.is_loopback());
        match self.anonymous {
            Anonymous::Everyone => {}
            Anonymous::Loopback if local && passed_on(headers) => return Err(Unknown::Proxied),
            Anonymous::Loopback if local => {}
            Anonymous::Loopback | Anonymous::Nobody => return Err(Unknown::Silent),
        }
        Ok(Caller { who: Who::Anonymous, scopes: Scopes::ALL, address })
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
        let headers = |pairs: &[(&'static str, &'static str)]| {
            pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect::<HeaderMap>()
        };
        let (here, there) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([192, 0, 2, 7]));
        let ask = |anonymous, address, pairs: &[(&'static str, &'static str)]| {
            Access { anonymous }.identify(&headers(pairs), address).map(|caller| caller.scopes)
        };
        use Anonymous::{Everyone, Loopback, Nobody};
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
