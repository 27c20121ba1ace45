//! Small names and identities that run through the whole system.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "api", derive(utoipa::ToSchema), schema(value_type = String))]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }
        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }
        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }
    };
}

name! {
    /// A Qlik Sense site, as the configuration names it (`[sites.prod]`).
    SiteName
}
name! {
    /// A configured sink (`[sinks.ops]`).
    SinkName
}
name! {
    /// Where within a sink a message goes: a recipient, an account, a hook, a topic. It is stored and shown, so it is never a secret.
    /// Sinks with a single destination use [`Target::only`].
    Target
}
name! {
    /// Who told us: `udp`, `qrs_poll`, `simulator`, an embedder's own source.
    SourceName
}

impl Target {
    /// The one target of a sink that has no more than one.
    #[must_use]
    pub fn only() -> Self {
        Self::from("")
    }
}

/// Identity of an event: a `UUIDv7`, made when the journal took it, so that ids sort by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
#[serde(transparent)]
pub struct EventId(pub Uuid);

/// Identity of a delivery, and the idempotency key that goes out with each of its attempts.
///
/// It is the `UUIDv5` of event, sink and target: the same message to the same place has the same key for ever, also across restarts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
#[serde(transparent)]
pub struct DeliveryId(pub Uuid);

impl DeliveryId {
    /// The identity of the delivery of `event` to `target` of `sink`.
    #[must_use]
    pub fn of(event: EventId, sink: &SinkName, target: &Target) -> Self {
        // The zero byte keeps ("a", "bc") and ("ab", "c") apart; no name can contain it.
        let name = format!("{sink}\0{target}");
        Self(Uuid::new_v5(&event.0, name.as_bytes()))
    }
}

macro_rules! id_text {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
        impl std::str::FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}
id_text!(EventId);
id_text!(DeliveryId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_id_depends_on_event_sink_and_target_alone() {
        let event = EventId(Uuid::from_u128(7));
        let id = |sink: &str, target: &str| DeliveryId::of(event, &sink.into(), &target.into());
        assert_eq!(id("ops", "a@x.se"), id("ops", "a@x.se"));
        assert_ne!(id("ops", "a@x.se"), id("ops", "b@x.se"));
        assert_ne!(id("a", "bc"), id("ab", "c"));
        assert_ne!(id("ops", ""), DeliveryId::of(EventId(Uuid::from_u128(8)), &"ops".into(), &Target::only()));
    }
}
