//! The source itself.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::UdpSettings;
use super::allow::AllowList;
use super::bind::{Bound, bind};
use super::buffer::ReceiveBuffer;
#[cfg(target_os = "linux")]
use super::drops::KernelDrops;
use super::reader::{Checks, Reader};
use super::report::{Notice, Reporter, Tally, What};
use crate::clock::Clock;
use crate::event::SourceName;
use crate::source::{EventSource, Intake, Open, RejectReason, SourceError, Stop};

/// How often drops are looked for, and what was turned away is summed up.
const LOOK: Duration = Duration::from_secs(1);

/// Takes log datagrams off the network; see the [module](super).
#[derive(Debug, Clone)]
pub struct UdpSource {
    settings: UdpSettings,
    clock: Arc<dyn Clock>,
    name: SourceName,
}

impl UdpSource {
    /// A source named `udp`.
    #[must_use]
    pub fn new(settings: UdpSettings, clock: Arc<dyn Clock>) -> Self {
        Self { settings, clock, name: "udp".into() }
    }

    /// The same under another name, for a process that listens for more than one site.
    #[must_use]
    pub fn named(self, name: impl Into<SourceName>) -> Self {
        Self { name: name.into(), ..self }
    }
}

#[async_trait]
impl EventSource for UdpSource {
    fn name(&self) -> SourceName {
        self.name.clone()
    }

    async fn open(&self, intake: Intake, stop: Stop) -> Result<Open, SourceError> {
        let bound = bind(&self.settings.listen, self.settings.receive_buffer).await?;
        bound.buffer.warn_if_short();
        let addresses = vec![bound.address];
        let watch = Watch::of(self, &bound, intake.clone());
        let run = Box::pin(run(self.clone(), bound, watch, intake, stop));
        Ok(Open { addresses, run })
    }
}

async fn run(source: UdpSource, bound: Bound, mut watch: Watch, intake: Intake, stop: Stop) -> Result<(), SourceError> {
    let UdpSource { settings, clock, name } = source;
    let mut allow = AllowList::new(settings.allow.as_deref());
    if allow.has_names() {
        // What arrives meanwhile waits in the receive buffer: it can't be told yet whether it is allowed.
        tokio::select! {
            () = allow.refresh(&*clock) => {}
            () = stop.cancelled() => {}
        }
    }
    let checks = Checks::new(settings, name, intake, Arc::clone(&clock), allow.allowed(), Arc::clone(&watch.tally));
    let mut reader = Reader::start(bound, checks)?;
    let look = async {
        loop {
            clock.sleep(LOOK).await;
            watch.look(false);
        }
    };
    let refresh = async {
        while allow.has_names() {
            clock.sleep(allow.next_refresh()).await;
            allow.refresh(&*clock).await;
        }
        std::future::pending().await
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = reader.ended() => {}
        () = look => {}
        () = refresh => {}
    }
    let ended = reader.stop().await;
    watch.look(true);
    ended
}

/// Sees to what the reading thread has no time for.
#[derive(Debug)]
struct Watch {
    name: SourceName,
    tally: Arc<Tally>,
    reporter: Reporter,
    clock: Arc<dyn Clock>,
    buffer: ReceiveBuffer,
    #[cfg(target_os = "linux")]
    drops: Drops,
}

#[cfg(target_os = "linux")]
#[derive(Debug)]
struct Drops {
    /// `None` where the system does not show them.
    kernel: Option<KernelDrops>,
    intake: Intake,
}

impl Watch {
    #[cfg_attr(not(target_os = "linux"), expect(unused_variables, reason = "only Linux tells of drops"))]
    fn of(source: &UdpSource, bound: &Bound, intake: Intake) -> Self {
        Self {
            name: source.name.clone(),
            tally: Arc::new(Tally::default()),
            reporter: Reporter::default(),
            clock: Arc::clone(&source.clock),
            buffer: bound.buffer,
            #[cfg(target_os = "linux")]
            drops: Drops { kernel: Drops::of(bound), intake },
        }
    }

    /// Counts what was dropped, and tells what is to be told.
    fn look(&mut self, end: bool) {
        #[cfg(target_os = "linux")]
        self.count_drops();
        for Notice { what, count } in self.reporter.due(&self.tally, self.clock.monotonic(), end) {
            let source = self.name.as_str();
            match what {
                What::Sender(Some(sender)) => tracing::warn!(
                    source,
                    %sender,
                    count,
                    "Datagrams of a sender that is not allowed were turned away. If it is a node of Qlik Sense, add it to `[udp] allow`."
                ),
                What::Sender(None) => {
                    tracing::warn!(source, count, "Datagrams of many more senders that are not allowed were turned away.")
                }
                What::Reason(RejectReason::KernelDrop) => {
                    tracing::warn!(source, count, "Datagrams were lost: {}.", self.drop_detail());
                }
                What::Reason(reason) => tracing::warn!(source, count, %reason, "Datagrams were turned away."),
            }
        }
    }

    fn drop_detail(&self) -> String {
        format!("the receive buffer was full, it holds about {} of them. {}", self.buffer.datagrams(), self.buffer.remedy())
    }

    #[cfg(target_os = "linux")]
    fn count_drops(&mut self) {
        let Some(kernel) = &mut self.drops.kernel else { return };
        match kernel.new_ones() {
            Ok(0) => {}
            Ok(count) => {
                self.tally.count_many(RejectReason::KernelDrop, count);
                let (at, reason, detail) = (self.clock.now(), RejectReason::KernelDrop, self.drop_detail());
                self.drops.intake.reject_many(crate::source::Rejection { at, reason, from: None, detail }, count);
            }
            Err(error) => {
                tracing::warn!(source = self.name.as_str(), %error, "Datagrams that the kernel drops can no longer be counted.");
                self.drops.kernel = None;
            }
        }
    }
}

#[cfg(target_os = "linux")]
impl Drops {
    fn of(bound: &Bound) -> Option<KernelDrops> {
        let drops = KernelDrops::of(&bound.socket, bound.address.is_ipv6());
        drops.inspect_err(|error| tracing::warn!(%error, "Datagrams that the kernel drops can't be counted.")).ok()
    }
}
