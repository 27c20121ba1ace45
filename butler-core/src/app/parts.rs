//! What a Butler is put together from, made of what the configuration comes to.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::StartError;
use crate::clock::Clock;
use crate::config::{Settings, StorePlace, StoreSettings};
use crate::enrich::Enricher;
use crate::event::SiteName;
use crate::pipeline::Health;
use crate::source::EventSource;
#[cfg(feature = "qlik")]
use crate::source::qrs_poll::{QrsPollSettings, QrsPollSource};
use crate::source::udp::UdpSettings;
use crate::store::{PrunePolicy, Store};

/// `udp` for the only address that is listened on; where there are several, the site is part of the name.
pub(super) fn udp_names(addresses: &[UdpSettings]) -> Vec<String> {
    let name = |(index, udp): (usize, &UdpSettings)| {
        let earlier = addresses[..index].iter().filter(|other| other.site == udp.site).count();
        match (addresses.len(), earlier) {
            (1, _) => "udp".to_owned(),
            (_, 0) => format!("udp-{}", udp.site),
            (_, earlier) => format!("udp-{}-{}", udp.site, earlier + 1),
        }
    };
    addresses.iter().enumerate().map(name).collect()
}

/// The repositories' clients, by site; shared by all who ask.
#[cfg(feature = "qlik")]
pub(super) type Clients = BTreeMap<SiteName, Arc<crate::qlik::RepositoryClient>>;
#[cfg(not(feature = "qlik"))]
pub(super) type Clients = BTreeMap<SiteName, std::convert::Infallible>;

/// The sources that read results from repositories: `qrs_poll`, or, of several sites, with the site in the name.
#[cfg(feature = "qlik")]
pub(super) fn polls(
    settings: &Settings,
    clients: &Clients,
    bound: &[(String, String)],
    store: &Arc<dyn Store>,
    clock: &Arc<dyn Clock>,
) -> Vec<Arc<dyn EventSource>> {
    let listening = |site: &SiteName| {
        let (_, name) = settings.udp.iter().zip(udp_names(&settings.udp)).find(|(udp, _)| udp.site == *site)?;
        bound.iter().find(|(known, _)| *known == name).map(|(_, address)| address.clone())
    };
    let alone = settings.plan.sites.len() == 1;
    let source = |poll: &QrsPollSettings| {
        let client = clients.get(&poll.site)?;
        let settings = QrsPollSettings { datagrams_at: listening(&poll.site), ..poll.clone() };
        let source = QrsPollSource::new(settings, Arc::clone(client), Arc::clone(store) as _, Arc::clone(clock));
        let source = if alone { source } else { source.named(format!("qrs_poll-{}", poll.site)) };
        Some(Arc::new(source) as Arc<dyn EventSource>)
    };
    settings.polls.iter().filter_map(source).collect()
}

/// Gives each site somebody to ask: the embedder's own enricher, or the repository's client.
pub(super) fn connect(
    settings: &mut Settings,
    enrichers: BTreeMap<SiteName, Arc<dyn Enricher>>,
    clock: &Arc<dyn Clock>,
    health: &Arc<Health>,
) -> Result<Clients, StartError> {
    let mut clients = Clients::default();
    #[cfg(feature = "qlik")]
    for repository in std::mem::take(&mut settings.repositories) {
        let name = repository.site.clone();
        let client = crate::qlik::RepositoryClient::new(repository, Arc::clone(clock))?.on_change({
            let (health, name) = (Arc::clone(health), name.clone());
            move |state| {
                let state = crate::pipeline::SiteHealth { down_since: state.down_since, last_error: state.last_error.clone() };
                health.update(|health| {
                    health.sites.insert(name.clone(), state);
                });
            }
        });
        let client = Arc::new(client);
        if let Some(site) = settings.plan.sites.get_mut(&name) {
            site.enricher = Some(Arc::new(crate::enrich::QlikEnricher::new(Arc::clone(&client))));
        }
        settings.logs.seat(name.clone(), Arc::clone(&client) as _);
        clients.insert(name, client);
    }
    #[cfg(not(feature = "qlik"))]
    let _ = (clock, health, &mut clients);
    for (name, enricher) in enrichers {
        match settings.plan.sites.get_mut(&name) {
            Some(site) => site.enricher = Some(enricher),
            None => return Err(StartError::NoSuchSite(name)),
        }
    }
    Ok(clients)
}

/// The watch of each site's tasks, if they are to be watched.
#[cfg(feature = "qlik")]
pub(super) fn watches(settings: &Settings, clients: &Clients, store: &Arc<dyn Store>, clock: &Arc<dyn Clock>) -> Vec<Arc<dyn EventSource>> {
    use crate::monitor::tasks::{TaskWatch, TaskWatchSite};
    let Some(rules) = settings.task_watch else { return Vec::new() };
    let watch = |(name, client): (&SiteName, &Arc<crate::qlik::RepositoryClient>)| {
        let zone = settings.plan.sites.get(name).map(|site| site.info.time_zone.clone());
        let site = TaskWatchSite { client: Arc::clone(client), time_zone: zone.unwrap_or(jiff::tz::TimeZone::UTC) };
        let watch = TaskWatch::new(site, rules, Arc::clone(store) as _, Arc::clone(clock));
        let watch = if clients.len() == 1 { watch } else { watch.named(format!("task_watch-{name}")) };
        Arc::new(watch) as Arc<dyn EventSource>
    };
    clients.iter().map(watch).collect()
}

#[cfg(not(feature = "qlik"))]
pub(super) fn watches(
    _settings: &Settings,
    _clients: &Clients,
    _store: &Arc<dyn Store>,
    _clock: &Arc<dyn Clock>,
) -> Vec<Arc<dyn EventSource>> {
    Vec::new()
}

pub(super) fn open_store(settings: &StoreSettings, clock: &Arc<dyn Clock>) -> Result<Arc<dyn Store>, StartError> {
    let pair_room = settings.max_bytes.map(|max| max / 2);
    match &settings.place {
        StorePlace::Memory => Ok(Arc::new(crate::store::memory::MemoryStore::new(Arc::clone(clock)).with_pair_room(pair_room))),
        #[cfg(feature = "sqlite")]
        StorePlace::Sqlite { path } => {
            let cache = settings.pair_cache;
            let settings = crate::store::sqlite::SqliteSettings { path: path.clone() };
            let store = crate::store::sqlite::SqliteStore::open(settings, Arc::clone(clock))?;
            Ok(Arc::new(store.with_pair_cache(cache).with_pair_room(pair_room)))
        }
        #[cfg(not(feature = "sqlite"))]
        StorePlace::Sqlite { .. } => {
            let what = "`[store] type = \"sqlite\"` is not part of this build; build with feature `sqlite`, or give the builder a store of your own";
            Err(StartError::NotInThisBuild(what.to_owned()))
        }
    }
}

pub(super) fn policy(settings: &StoreSettings) -> PrunePolicy {
    /// Few enough that writers hardly wait for a slice.
    const SLICE: usize = 500;
    PrunePolicy { retention: settings.retention, dead_retention: settings.dead_retention, max_bytes: settings.max_bytes, slice: SLICE }
}
