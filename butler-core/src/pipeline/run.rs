//! The stages together.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::alarm::Alarm;
use super::attempt::Attempts;
use super::health::Health;
use super::housekeeping::Housekeeper;
use super::intake::{Held, IntakeStage};
use super::lookup::FactDesk;
use super::plan::Plan;
use super::report::Reporter;
use super::router::Router;
use super::silence::Silences;
use super::supervise::supervise;
use super::worker::Worker;
use crate::clock::Clock;
use crate::event::SiteName;
use crate::source::{Intake, IntakeQueue, Stop};
use crate::store::{Journal, PrunePolicy, StoreError};

/// What a pipeline is made of.
#[derive(Debug)]
pub struct Parts {
    /// What configuration decides.
    pub plan: Arc<Plan>,
    /// Where events are kept.
    pub journal: Arc<dyn Journal>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// How everything stands.
    pub health: Arc<Health>,
    /// What nobody is told of for a while.
    pub silences: Arc<Silences>,
    /// What may be removed from the journal, and when.
    pub policy: PrunePolicy,
}

/// The running stages.
#[derive(Debug)]
pub struct Pipeline {
    clock: Arc<dyn Clock>,
    intake_stop: Stop,
    stop: Stop,
    intake: JoinHandle<()>,
    stages: Vec<JoinHandle<()>>,
}

impl Pipeline {
    /// Starts the stages on the current runtime. `intake` is the way in that `queue` belongs to.
    ///
    /// # Errors
    /// The store can't be asked for the deliveries of sinks that were renamed.
    pub async fn start(parts: Parts, intake: &Intake, queue: IntakeQueue) -> Result<Self, StoreError> {
        let Parts { plan, journal, clock, health, silences, policy } = parts;
        adopt(&plan, &*journal).await?;
        let (intake_stop, stop) = (Stop::new(), Stop::new());
        let alarm = Alarm::new(Arc::clone(&plan), Arc::clone(&clock));
        let stage = IntakeStage {
            queue,
            journal: Arc::clone(&journal),
            clock: Arc::clone(&clock),
            health: Arc::clone(&health),
            alarm,
            stop: intake_stop.clone(),
            held: Held::default(),
        };
        let intake_task = tokio::spawn(supervise("intake", Arc::clone(&clock), stage, |stage| Box::pin(stage.run())));

        let router = Router {
            plan: Arc::clone(&plan),
            journal: Arc::clone(&journal),
            clock: Arc::clone(&clock),
            health: Arc::clone(&health),
            silences,
            stop: stop.clone(),
        };
        let mut stages = vec![tokio::spawn(supervise("router", Arc::clone(&clock), router, |router| Box::pin(router.run())))];
        let site = plan.sites.keys().next().cloned().unwrap_or_else(|| SiteName::from("butler"));
        let reporter = Reporter::new(intake.clone(), Arc::clone(&clock), site);
        let desk = Arc::new(FactDesk::new(Arc::clone(&plan), Arc::clone(&journal), Arc::clone(&clock)));
        for (name, sink) in &plan.sinks {
            let attempts = Attempts {
                name: name.clone(),
                sink: sink.clone(),
                plan: Arc::clone(&plan),
                desk: Arc::clone(&desk),
                clock: Arc::clone(&clock),
            };
            let worker = Worker::new(attempts, Arc::clone(&journal), Arc::clone(&health), reporter.clone(), stop.clone());
            stages.push(tokio::spawn(supervise("worker", Arc::clone(&clock), worker, |worker| Box::pin(worker.run()))));
        }
        let housekeeper = Housekeeper { plan, journal, reporter, clock: Arc::clone(&clock), policy, stop: stop.clone() };
        stages.push(tokio::spawn(supervise("housekeeper", Arc::clone(&clock), housekeeper, |keeper| Box::pin(keeper.run()))));
        Ok(Self { clock, intake_stop, stop, intake: intake_task, stages })
    }

    /// Ends the stages in the order of the flow: what was handed in is journalled, attempts under way are settled. After `grace` what still runs is dropped. Of
    /// what was accepted that loses nothing, as the journal knows what is open; datagrams that a failing store did not take are lost then, and their number is logged.
    ///
    /// Whether everything ended in time.
    pub async fn shutdown(mut self, grace: Duration) -> bool {
        self.intake_stop.cancel();
        let clock = Arc::clone(&self.clock);
        let ended = async {
            // A stage that was aborted has nothing left to say.
            let _ = (&mut self.intake).await;
            self.stop.cancel();
            for stage in &mut self.stages {
                // The same.
                let _ = stage.await;
            }
        };
        tokio::select! {
            biased;
            () = ended => true,
            () = clock.sleep(grace) => {
                tracing::warn!("Not everything ended within the grace period; open deliveries go on at the next start.");
                false
            }
        }
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        self.intake_stop.cancel();
        self.stop.cancel();
        for stage in self.stages.iter().chain([&self.intake]) {
            stage.abort();
        }
    }
}

/// Hands the open deliveries of sinks that were renamed to their new names.
async fn adopt(plan: &Plan, journal: &dyn Journal) -> Result<(), StoreError> {
    for (name, sink) in &plan.sinks {
        for old in &sink.was {
            let count = journal.adopt(old, name).await?;
            if count > 0 {
                tracing::info!(from = %old, to = %name, count, "Open deliveries of a renamed sink were taken over.");
            }
        }
    }
    Ok(())
}
