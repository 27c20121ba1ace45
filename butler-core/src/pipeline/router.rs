//! The router: claims events that were accepted, finds out what decides where they go, and stores that decision.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinSet;

use super::feed::Happening;
use super::health::{Health, Unrouted};
use super::lookup::look_up;
use super::plan::{FALLBACK, Plan};
use super::silence::Silences;
use crate::clock::Clock;
use crate::event::{DedupKey, Event, Fact, FactSheet, Facts, Kind, Needs, TaskOutcome};
use crate::source::Stop;
use crate::store::{Claim, ClaimToken, Interest, Journal, Routing, Settled, StoreError};

/// How many events are decided at once; each holds a few kilobytes.
const MOST_AT_ONCE: usize = 256;
/// The claim at which an event goes out without any look-up: two earlier ones never returned.
const PLAIN_AT: u32 = 3;
/// How often a task is asked about that goes on elsewhere, soon at first and then less often; and for how long.
const ASK_SOON: SignedDuration = SignedDuration::from_secs(5);
const ASK_AGAIN: SignedDuration = SignedDuration::from_secs(30);
const ASK_FOR: SignedDuration = SignedDuration::from_hours(6);
/// The router looks for work at least this often: for claims that ran out, and deferred events.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// Decides where events go.
#[derive(Debug)]
pub(super) struct Router {
    pub(super) plan: Arc<Plan>,
    pub(super) journal: Arc<dyn Journal>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) health: Arc<Health>,
    pub(super) silences: Arc<Silences>,
    pub(super) stop: Stop,
}

impl Router {
    /// Works until it is told to stop. Decisions under way are dropped then; their events are claimed again at the next start.
    pub(super) async fn run(&mut self) {
        let mut running = JoinSet::new();
        let mut changes = self.journal.watch(Interest::Events);
        // Claims are held well beyond the time that a decision can take.
        let hold = 2 * self.plan.budgets.deciding + Duration::from_secs(30);
        loop {
            changes.borrow_and_update();
            let free = MOST_AT_ONCE - running.len();
            let claims = match self.journal.claim(hold, free).await {
                Ok(claims) => claims,
                Err(StoreError::Closed) => return,
                Err(error) => {
                    tracing::error!(%error, "Events can't be claimed; trying again.");
                    Vec::new()
                }
            };
            for claim in claims {
                let one = One {
                    plan: Arc::clone(&self.plan),
                    journal: Arc::clone(&self.journal),
                    clock: Arc::clone(&self.clock),
                    health: Arc::clone(&self.health),
                    silences: Arc::clone(&self.silences),
                };
                running.spawn(one.decide(claim));
            }
            let is_full = running.len() >= MOST_AT_ONCE;
            tokio::select! {
                Some(_) = running.join_next(), if is_full => while running.try_join_next().is_some() {},
                _ = changes.changed(), if !is_full => {}
                () = self.clock.sleep(LOOK_AGAIN) => {}
                () = self.stop.cancelled() => return,
            }
            while running.try_join_next().is_some() {}
        }
    }
}

/// The decision of one event.
struct One {
    plan: Arc<Plan>,
    journal: Arc<dyn Journal>,
    clock: Arc<dyn Clock>,
    health: Arc<Health>,
    silences: Arc<Silences>,
}

impl One {
    async fn decide(self, claim: Claim) {
        let Claim { token, mut event, facts, attempt } = claim;
        let needs = self.needs(&event);
        let mut facts = self.find(&event, facts, needs, attempt).await;
        event.kind = event.kind_with(&facts);
        let now = self.clock.now();
        if event.kind.outcome() == Some(TaskOutcome::Unsettled) {
            let can_ask = self.plan.sites.get(&event.site).is_some_and(|site| site.enricher.is_some());
            if can_ask && now.duration_since(event.received) < ASK_FOR {
                return self.defer(token, facts, now, again_after(now.duration_since(event.received))).await;
            }
            // Better a word too many: after so long, or where nobody can be asked, somebody should look.
            event.kind = as_failed(event.kind);
            if let Fact::Missing { why, is_final } = &mut facts.result {
                // The message calls it a failure; it also says that nobody knows.
                *why = format!("it could not be found out how the task ended; {why}");
                *is_final = true;
            }
        }
        let mut routing = self.plan.decide(&event, &facts, now);
        self.silences.apply(&event, &facts, now, &mut routing);
        routing.keys = further_keys(&event, &facts);
        let reached = reached(&routing);
        if reached != Reached::Somebody && event.kind.went_wrong() {
            self.unrouted(&event, reached);
        }
        self.store(token, routing).await;
    }

    /// Makes it seen that no route was there for something that went wrong.
    fn unrouted(&self, event: &Event, reached: Reached) {
        let (id, kind) = (event.id, &event.kind);
        match reached {
            Reached::Nobody => tracing::error!(
                event = %id, %kind,
                "Something went wrong and nobody is told: no route reached anybody, nor did `[routing] fallback`. `butler-cli events explain {id}` says why."
            ),
            _ => tracing::error!(
                event = %id, %kind,
                "Something went wrong and no route reached anybody; the fallback is told. `butler-cli events explain {id}` says why."
            ),
        }
        self.health.update(|health| {
            let unrouted = health.unrouted.get_or_insert(Unrouted { to_fallback: 0, to_nobody: 0, latest: id });
            unrouted.latest = id;
            *(if reached == Reached::Nobody { &mut unrouted.to_nobody } else { &mut unrouted.to_fallback }) += 1;
        });
    }

    fn needs(&self, event: &Event) -> Needs {
        let needs = self.plan.deciding_needs(&event.kind).union(self.silences.needs(&event.kind, self.clock.now()));
        let unsettled = event.kind.outcome() == Some(TaskOutcome::Unsettled);
        Needs { result: needs.result || unsettled, ..needs }
    }

    async fn find(&self, event: &Event, facts: Facts, needs: Needs, attempt: u32) -> Facts {
        let needs = needs.open_in(&facts);
        let sheet = FactSheet::new(facts);
        if attempt >= PLAIN_AT {
            let why = "left out, because earlier look-ups for this event never returned";
            sheet.update(|facts| facts.give_up(needs, why));
        } else if !needs.is_none() {
            let enricher = self.plan.sites.get(&event.site).and_then(|site| site.enricher.as_deref());
            look_up(&*self.clock, enricher, event, needs, &sheet, self.plan.budgets.deciding).await;
        }
        sheet.snapshot()
    }

    /// Asks again later how it ended; what was found about the task itself is kept.
    async fn defer(&self, token: ClaimToken, mut facts: Facts, now: Timestamp, after: SignedDuration) {
        facts.result = Fact::Unasked;
        let until = now.saturating_add(after).unwrap_or(Timestamp::MAX);
        if let Err(error) = self.journal.defer(token, facts, until).await {
            tracing::error!(event = %token.event, %error, "An event can't be put off; it is claimed again when its claim runs out.");
        }
    }

    async fn store(&self, token: ClaimToken, routing: Routing) {
        let (deliveries, silenced) = (routing.deliveries.len(), routing.deliveries.iter().filter(|one| one.silenced.is_some()).count());
        match self.journal.route(token, routing).await {
            Ok(Settled::Done) => self.health.feed().tell(|| [Happening::Routed { event: token.event, deliveries, silenced }]),
            Ok(Settled::Stale) => tracing::warn!(event = %token.event, "Deciding took longer than the claim; somebody else has decided."),
            Err(error) => {
                tracing::error!(event = %token.event, %error, "A decision can't be stored; the event is claimed again when its claim runs out.");
            }
        }
    }
}

/// Whom the routes reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reached {
    Somebody,
    /// No route reached anybody, but the fallback did.
    Fallback,
    Nobody,
}

fn reached(routing: &Routing) -> Reached {
    match routing.deliveries.first() {
        None => Reached::Nobody,
        Some(delivery) if delivery.route == FALLBACK => Reached::Fallback,
        Some(_) => Reached::Somebody,
    }
}

/// When a task is asked about again that was told of so long ago.
fn again_after(age: SignedDuration) -> SignedDuration {
    (age / 4).clamp(ASK_SOON, ASK_AGAIN)
}

fn as_failed(kind: Kind) -> Kind {
    match kind {
        Kind::Task { task_type, .. } => Kind::Task { task_type, outcome: TaskOutcome::Failed },
        other => other,
    }
}

/// The id of the result, now that it is known, is one more key by which the event is recognised.
fn further_keys(event: &Event, facts: &Facts) -> Vec<DedupKey> {
    let result = facts.result.known().filter(|result| result.certain);
    let ids = result.map(|result| {
        let by_result = result.id.map(|id| DedupKey::result(&event.site, &event.kind, id));
        let by_execution = result.execution_id.map(|id| DedupKey::execution(&event.site, &event.kind, id));
        by_result.into_iter().chain(by_execution)
    });
    ids.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_asked_about_soon_and_then_less_often() {
        let after = |seconds| again_after(SignedDuration::from_secs(seconds)).as_secs();
        // A clock that was set back makes an event seem younger than new.
        assert_eq!([-3600, 0, 20, 60, 120, 21_000].map(after), [5, 5, 5, 15, 30, 30]);
    }
}
