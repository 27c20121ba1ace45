//! From which hosts datagrams are taken.

use std::collections::HashSet;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use futures_util::future::join_all;

use crate::clock::Clock;

/// How often names are resolved again.
const REFRESH: Duration = Duration::from_mins(5);
/// The same, while there is a name that has no address at all.
const REFRESH_UNRESOLVED: Duration = Duration::from_secs(30);
/// How long the resolver is given.
const PATIENCE: Duration = Duration::from_secs(5);

/// The addresses from which datagrams are taken, now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Allowed {
    /// From all.
    Anyone,
    /// From these, and from loopback.
    Only(HashSet<IpAddr>),
}

impl Allowed {
    /// Whether a sender is allowed; its address has to be canonical.
    pub(super) fn admits(&self, sender: IpAddr) -> bool {
        match self {
            Self::Anyone => true,
            Self::Only(known) => sender.is_loopback() || known.contains(&sender),
        }
    }
}

/// The hosts of the settings, and what their names last meant. The reader sees the addresses alone, and never waits for a resolver.
#[derive(Debug)]
pub(super) struct AllowList {
    hosts: Option<Vec<Host>>,
    allowed: Arc<ArcSwap<Allowed>>,
}

#[derive(Debug)]
struct Host {
    name: String,
    addresses: Vec<IpAddr>,
    /// An address by itself, which needs no resolver.
    literal: bool,
    failed: bool,
}

impl AllowList {
    pub(super) fn new(hosts: Option<&[String]>) -> Self {
        let hosts = hosts.map(|hosts| hosts.iter().map(|host| Host::new(host)).collect());
        let list = Self { hosts, allowed: Arc::new(ArcSwap::from_pointee(Allowed::Only(HashSet::new()))) };
        list.publish();
        list
    }

    /// What the reader looks at; it changes as names are resolved.
    pub(super) fn allowed(&self) -> Arc<ArcSwap<Allowed>> {
        Arc::clone(&self.allowed)
    }

    /// Whether there is a name to resolve.
    pub(super) fn has_names(&self) -> bool {
        self.hosts.iter().flatten().any(|host| !host.literal)
    }

    /// When to resolve again.
    pub(super) fn next_refresh(&self) -> Duration {
        let unresolved = self.hosts.iter().flatten().any(|host| host.addresses.is_empty());
        if unresolved { REFRESH_UNRESOLVED } else { REFRESH }
    }

    /// Resolves all names.
    pub(super) async fn refresh(&mut self, clock: &dyn Clock) {
        let names = self.hosts.iter_mut().flatten().filter(|host| !host.literal);
        join_all(names.map(async |host| {
            let found = tokio::select! {
                found = tokio::net::lookup_host((host.name.as_str(), 0)) => found.map(|found| found.map(|address| address.ip()).collect()),
                () = clock.sleep(PATIENCE) => Err(io::Error::new(io::ErrorKind::TimedOut, "no answer within 5 s")),
            };
            host.resolved(found);
        }))
        .await;
        self.publish();
    }

    fn publish(&self) {
        let allowed = match &self.hosts {
            None => Allowed::Anyone,
            Some(hosts) => Allowed::Only(hosts.iter().flat_map(|host| &host.addresses).copied().collect()),
        };
        self.allowed.store(Arc::new(allowed));
    }
}

impl Host {
    fn new(name: &str) -> Self {
        let name = name.trim();
        let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
        let address = bare.parse::<IpAddr>().ok().map(|address| address.to_canonical());
        Self { name: name.to_owned(), literal: address.is_some(), addresses: address.into_iter().collect(), failed: false }
    }

    /// Takes what the resolver found. What it could not find does not make the host a stranger: a resolver that is down must not cost a datagram.
    fn resolved(&mut self, found: io::Result<Vec<IpAddr>>) {
        let found = found.and_then(|found| match found.is_empty() {
            true => Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address")),
            false => Ok(found),
        });
        match found {
            Ok(found) => {
                let mut found: Vec<IpAddr> = found.into_iter().map(|address| address.to_canonical()).collect();
                found.sort_unstable();
                found.dedup();
                if self.failed || found != self.addresses {
                    tracing::info!(host = self.name, addresses = ?found, "Datagrams are taken from this host.");
                }
                (self.addresses, self.failed) = (found, false);
            }
            Err(error) => {
                if self.addresses.is_empty() {
                    tracing::warn!(
                        host = self.name, %error,
                        "An allowed sender of datagrams can't be resolved, so nothing is taken from it. Correct the name, or list its address; it is tried again \
                         every 30 s."
                    );
                } else if !self.failed {
                    tracing::warn!(
                        host = self.name, addresses = ?self.addresses, %error,
                        "An allowed sender of datagrams can't be resolved any more; the addresses it had stay allowed."
                    );
                }
                self.failed = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;

    fn list(hosts: &[&str]) -> AllowList {
        AllowList::new(Some(&hosts.iter().map(|host| (*host).to_owned()).collect::<Vec<_>>()))
    }

    fn admits(list: &AllowList, sender: &str) -> bool {
        list.allowed().load().admits(sender.parse::<IpAddr>().expect("an address"))
    }

    fn failure() -> io::Result<Vec<IpAddr>> {
        Err(io::Error::other("no such name"))
    }

    #[test]
    fn no_list_admits_anyone_and_an_empty_one_only_loopback() {
        let anyone = AllowList::new(None);
        assert!(admits(&anyone, "192.0.2.1") && !anyone.has_names());
        let nobody = list(&[]);
        assert!(admits(&nobody, "127.0.0.1") && admits(&nobody, "::1"));
        assert!(!admits(&nobody, "192.0.2.1") && !admits(&nobody, "2001:db8::1"));
    }

    #[test]
    fn addresses_need_no_resolver() {
        let list = list(&["192.0.2.1", " [2001:db8::1] ", "::ffff:192.0.2.9"]);
        assert!(!list.has_names());
        assert!(["192.0.2.1", "2001:db8::1", "192.0.2.9"].into_iter().all(|sender| admits(&list, sender)));
        assert!(!admits(&list, "192.0.2.2"));
        assert_eq!(list.next_refresh(), REFRESH);
    }

    #[test]
    fn a_name_admits_nobody_until_it_is_resolved_and_keeps_its_addresses_when_it_no_longer_is() {
        let mut list = list(&["sense.example"]);
        let mut resolve = |found: io::Result<Vec<IpAddr>>| {
            list.hosts.as_mut().expect("a list")[0].resolved(found);
            list.publish();
            (admits(&list, "192.0.2.1"), admits(&list, "192.0.2.2"), list.next_refresh())
        };
        let address = |last| IpAddr::from([192, 0, 2, last]);
        assert_eq!(resolve(failure()), (false, false, REFRESH_UNRESOLVED));
        assert_eq!(resolve(Ok(Vec::new())), (false, false, REFRESH_UNRESOLVED));
        assert_eq!(resolve(Ok(vec![address(1), address(1)])), (true, false, REFRESH));
        assert_eq!(resolve(failure()), (true, false, REFRESH));
        assert_eq!(resolve(Ok(vec![address(2)])), (false, true, REFRESH));
    }

    #[tokio::test]
    async fn names_are_resolved_by_the_system() {
        let mut list = list(&["localhost", "192.0.2.1"]);
        assert!(list.has_names());
        list.refresh(&SystemClock::default()).await;
        let Allowed::Only(known) = &**list.allowed().load() else { panic!("anyone is admitted") };
        assert!(known.iter().any(IpAddr::is_loopback), "{known:?}");
    }
}
