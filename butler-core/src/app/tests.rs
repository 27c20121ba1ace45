//! Starting, ending, and starts that fail half-way.

use std::net::{TcpListener, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tempfile::TempDir;

use super::parts::udp_names;
use super::{Butler, StartError};
use crate::config::Config;
use crate::event::SourceName;
use crate::source::udp::UdpSettings;
use crate::source::{EventSource, Intake, Open, SourceError, Stop};

const PATIENCE: Duration = Duration::from_secs(30);

/// A source that does as its name says.
#[derive(Debug, Clone)]
struct Odd {
    name: &'static str,
    /// How many of its runs live.
    alive: Arc<AtomicUsize>,
}

impl Odd {
    fn new(name: &'static str) -> Self {
        Self { name, alive: Arc::default() }
    }
}

#[async_trait]
impl EventSource for Odd {
    fn name(&self) -> SourceName {
        self.name.into()
    }

    async fn open(&self, _intake: Intake, stop: Stop) -> Result<Open, SourceError> {
        struct Alive(Arc<AtomicUsize>);
        impl Drop for Alive {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::Relaxed);
            }
        }
        if self.name == "deaf" {
            return Err(SourceError::Other("it is deaf".into()));
        }
        self.alive.fetch_add(1, Ordering::Relaxed);
        let (alive, stubborn) = (Alive(Arc::clone(&self.alive)), self.name == "stubborn");
        let run = async move {
            let _alive = alive;
            stop.cancelled().await;
            if stubborn {
                std::future::pending::<()>().await;
            }
            Ok(())
        };
        Ok(Open { addresses: Vec::new(), run: Box::pin(run) })
    }
}

fn config(folder: &TempDir, udp: &str) -> Config {
    let text = format!("[sites.prod]\nhost = '127.0.0.1'\n[udp]\nlisten = '{udp}'\n[api]\nlisten = '127.0.0.1:0'\n");
    Config::from_toml(&text, folder.path()).unwrap()
}

fn address(butler: &Butler, what: &str) -> String {
    butler.bound().iter().find(|(name, _)| name == what).map(|(_, address)| address.clone()).expect("it listens")
}

/// Whether both addresses can be listened on, soon.
async fn become_free(udp: &str, api: &str) -> bool {
    let free = async {
        while UdpSocket::bind(udp).is_err() || TcpListener::bind(api).is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, free).await.is_ok()
}

#[tokio::test]
async fn it_tells_where_it_listens_and_frees_that_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    for is_dropped in [false, true] {
        let butler = Butler::builder(config(&folder, "127.0.0.1:0")).source(Odd::new("quiet")).start().await.unwrap();
        let (udp, api) = (address(&butler, "udp"), address(&butler, "api"));
        assert!(UdpSocket::bind(&udp).is_err() && TcpListener::bind(&api).is_err());
        assert!(butler.health().report().is_ready());
        if is_dropped {
            drop(butler);
        } else {
            butler.shutdown(PATIENCE).await.unwrap();
        }
        assert!(become_free(&udp, &api).await, "dropped: {is_dropped}");
    }
}

#[tokio::test]
async fn a_start_that_fails_half_way_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let holder = UdpSocket::bind("127.0.0.1:0").unwrap();
    let udp = holder.local_addr().unwrap().to_string();
    drop(holder);
    for _ in 0..2 {
        let error = Butler::builder(config(&folder, &udp)).source(Odd::new("deaf")).start().await.unwrap_err();
        assert_eq!(error.to_string(), "it is deaf");
        // The store was opened and the address was bound; both are free again.
        assert!(become_free(&udp, "127.0.0.1:0").await);
    }
    Butler::builder(config(&folder, &udp)).start().await.unwrap().shutdown(PATIENCE).await.unwrap();
}

#[tokio::test]
async fn sources_that_could_not_be_told_apart_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let error = Butler::builder(config(&folder, "127.0.0.1:0")).source(Odd::new("udp")).start().await.unwrap_err();
    assert!(error.to_string().starts_with("two sources are called `udp`"), "{error}");
}

#[tokio::test]
async fn a_source_that_does_not_end_is_ended_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let stubborn = Odd::new("stubborn");
    let butler = Butler::builder(config(&folder, "127.0.0.1:0")).source(stubborn.clone()).start().await.unwrap();
    let error = butler.shutdown(Duration::from_millis(50)).await.unwrap_err().to_string();
    assert!(error.starts_with("not everything ended within 50ms: a source"), "{error}");
    let ended = async {
        while stubborn.alive.load(Ordering::Relaxed) > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, ended).await.expect("it still runs");
}

#[tokio::test]
async fn an_enricher_of_a_site_that_does_not_exist_is_a_fault() {
    #[derive(Debug)]
    struct Nothing;
    #[async_trait]
    impl crate::enrich::Enricher for Nothing {
        async fn enrich(
            &self,
            _event: &crate::event::Event,
            _needs: crate::event::Needs,
            _sheet: &crate::event::FactSheet,
            _deadline: crate::clock::Deadline,
        ) {
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let error = Butler::builder(config(&folder, "127.0.0.1:0")).enricher("prd", Arc::new(Nothing)).start().await.unwrap_err();
    assert!(matches!(&error, StartError::NoSuchSite(site) if site.as_str() == "prd"), "{error}");
}

#[test]
fn addresses_are_told_apart_by_their_sites() {
    let udp = |site: &str| UdpSettings {
        listen: "127.0.0.1:0".into(),
        site: site.into(),
        allow: None,
        max_message: UdpSettings::MAX_MESSAGE,
        max_per_minute: None,
        receive_buffer: UdpSettings::RECEIVE_BUFFER,
    };
    assert_eq!(udp_names(&[udp("prod")]), ["udp"]);
    assert_eq!(udp_names(&[udp("prod"), udp("test"), udp("prod")]), ["udp-prod", "udp-test", "udp-prod-2"]);
}
