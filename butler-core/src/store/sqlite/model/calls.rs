//! Carries out what is asked.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::ops::{How, Op, name, seconds};
use super::pair::{Both, Pair, one_of};
use crate::event::{DeliveryId, Fact, Facts, Kind, TaskOutcome, TaskType};
use crate::sink::{DeliveryError, Reason, Receipt};
use crate::store::{LeaseToken, NewDelivery, PrunePolicy, PutOutcome, RouteNote, Routing, RunOutcome, ScheduleRecord, Settled};
use crate::store::{Settlement, Store, Suppression};
use crate::testkit::store_suite::StoreHarness;

fn facts(why: &str) -> Facts {
    Facts { task: Fact::Missing { why: why.to_owned(), is_final: false }, ..Facts::default() }
}

fn settlement(how: &How, token: LeaseToken, now: Timestamp) -> Settlement {
    let later = |seconds: &i64| now + SignedDuration::from_secs(*seconds);
    match how {
        How::Delivered { fault } => Settlement::Delivered {
            receipt: Receipt { detail: "OK".into() },
            preview: "preview".into(),
            took: seconds(1),
            fault: fault.then(|| "a fault".to_owned()),
        },
        How::Retry { seconds, overtake } => {
            let error = DeliveryError::transient(Reason::Timeout, "no answer");
            Settlement::Retry { error, due: later(seconds), overtake: *overtake }
        }
        How::Dead => Settlement::Dead { error: DeliveryError::permanent(Reason::Rejected, "no") },
        How::Suppressed => Settlement::Suppressed(Suppression::RateLimit { held_by: token.delivery, until: later(&5) }),
    }
}

impl<H: StoreHarness> Pair<H> {
    pub(super) async fn carry_out(&mut self, op: &Op) -> Result<(), String> {
        match op {
            Op::Pass { seconds: time } => self.clock().advance(seconds(*time)),
            Op::ClockJumps { seconds } => self.clock().jump(SignedDuration::from_secs(*seconds)),
            Op::Crash => self.crash().await,
            Op::Append(_) | Op::Claim { .. } | Op::Defer { .. } | Op::Route { .. } | Op::AddFacts { .. } => self.accept(op).await?,
            Op::Lease { .. } | Op::Settle(_) | Op::Release(_) => self.deliver(op).await?,
            Op::Revive { .. } | Op::Discard { .. } | Op::Adopt { .. } | Op::Expire | Op::Prune { .. } => self.keep(op).await?,
            Op::Put { .. } | Op::Get { .. } | Op::Increment { .. } | Op::Delete { .. } | Op::DropNamespace { .. } | Op::List { .. } => {
                self.pairs(op).await?;
            }
            _ => self.schedules_and_states(op).await?,
        }
        Ok(())
    }

    async fn accept(&mut self, op: &Op) -> Result<(), String> {
        let now = self.now();
        match op {
            Op::Append(told) => {
                let events: Vec<_> = told.iter().map(|told| told.event(now)).collect();
                let both = self.ask_apart(Both(events.clone(), events), async |store, events| store.append(events).await).await?;
                for (model, subject) in both.0.iter().zip(&both.1) {
                    if self.pair_up(Both(model.id().0, subject.id().0)) {
                        self.events.push(Both(model.id(), subject.id()));
                    }
                }
                self.compare(&both)?;
            }
            Op::Claim { hold, max } => {
                let both = self.ask(Both((), ()), async |store, ()| store.claim(seconds(*hold), *max).await).await?;
                self.claims.extend(both.0.iter().zip(&both.1).map(|(model, subject)| Both(model.token, subject.token)));
            }
            Op::Defer { claim, seconds } => {
                let Some(claim) = one_of(&self.claims, *claim) else { return Ok(()) };
                let until = self.after(*seconds);
                self.ask(claim, async |store, claim| store.defer(claim, facts("so far"), until).await).await?;
            }
            Op::Route { claim, kind, keys, deliveries } => {
                let Some(claim) = one_of(&self.claims, *claim) else { return Ok(()) };
                let deliveries: Vec<NewDelivery> = deliveries.iter().map(|to| to.delivery(now)).collect();
                let routing = Routing {
                    kind: kind.then(|| Kind::task(TaskOutcome::Failed).with_task_type(TaskType::Reload)),
                    facts: facts("at routing"),
                    keys: keys.iter().map(|key| key.key()).collect(),
                    notes: vec![RouteNote { route: "route".into(), matched: true, why: "it fits".into() }],
                    deliveries: deliveries.clone(),
                };
                let routed = self.ask(claim, async |store, claim| store.route(claim, routing.clone()).await).await?;
                for to in deliveries.iter().filter(|_| routed.0 == Settled::Done) {
                    let id = |event| DeliveryId::of(event, &to.sink, &to.target);
                    let ids = Both(id(claim.0.event), id(claim.1.event));
                    if self.pair_up(Both(ids.0.0, ids.1.0)) {
                        self.deliveries.push(ids);
                    }
                }
            }
            Op::AddFacts { event } => {
                let Some(event) = one_of(&self.events, *event) else { return Ok(()) };
                self.ask(event, async |store, event| store.add_facts(event, facts("later")).await).await?;
            }
            other => unreachable!("{other:?}"),
        }
        Ok(())
    }

    async fn deliver(&mut self, op: &Op) -> Result<(), String> {
        let now = self.now();
        match op {
            Op::Lease { sink, hold, max } => {
                let sink = name("sink", *sink).into();
                let both = self.ask(Both((), ()), async |store, ()| store.lease(&sink, seconds(*hold), *max).await).await?;
                self.leases.extend(both.0.leases.iter().zip(&both.1.leases).map(|(model, subject)| Both(model.token, subject.token)));
            }
            Op::Settle(all) => {
                let all: Vec<_> = all.iter().filter_map(|(number, how)| Some((one_of(&self.leases, *number)?, how))).collect();
                let tokens = |model: bool| all.iter().map(|(both, how)| (if model { both.0 } else { both.1 }, *how)).collect::<Vec<_>>();
                let settle = async |store: Arc<dyn Store>, all: Vec<(LeaseToken, &How)>| {
                    store.settle(all.into_iter().map(|(token, how)| (token, settlement(how, token, now))).collect()).await
                };
                self.ask(Both(tokens(true), tokens(false)), settle).await?;
            }
            Op::Release(numbers) => {
                let all: Vec<_> = numbers.iter().filter_map(|number| one_of(&self.leases, *number)).collect();
                let tokens = Both(all.iter().map(|both| both.0).collect::<Vec<_>>(), all.iter().map(|both| both.1).collect());
                self.ask(tokens, async |store, tokens| store.release(tokens).await).await?;
            }
            other => unreachable!("{other:?}"),
        }
        Ok(())
    }

    async fn keep(&mut self, op: &Op) -> Result<(), String> {
        let none = Both((), ());
        match op {
            Op::Revive { delivery, seconds } => {
                let Some(delivery) = one_of(&self.deliveries, *delivery) else { return Ok(()) };
                let expires = self.after(*seconds);
                self.ask(delivery, async |store, delivery| store.revive(delivery, expires).await).await?;
            }
            Op::Discard { delivery } => {
                let Some(delivery) = one_of(&self.deliveries, *delivery) else { return Ok(()) };
                self.ask(delivery, async |store, delivery| store.discard(delivery, "not wanted".into()).await).await?;
            }
            Op::Adopt { from, to } => {
                let (from, to) = (name("sink", *from).into(), name("sink", *to).into());
                self.ask(none, async |store, ()| store.adopt(&from, &to).await).await?;
            }
            Op::Expire => drop(self.ask(none, async |store, ()| store.expire().await).await?),
            Op::Prune { retention, dead_retention, slice } => {
                let (retention, dead_retention) = (seconds(*retention), seconds(*dead_retention));
                let policy = PrunePolicy { retention, dead_retention, max_bytes: None, slice: *slice };
                self.ask(none, async |store, ()| store.prune(policy.clone()).await).await?;
            }
            other => unreachable!("{other:?}"),
        }
        Ok(())
    }

    async fn pairs(&mut self, op: &Op) -> Result<(), String> {
        let none = Both((), ());
        match op {
            Op::Put { ns, key, value, expires, condition, limit } => {
                let (ns, key) = (name("ns", *ns), name("key", *key));
                let expires = expires.map(|seconds| self.after(seconds));
                let there = self.ask(none, async |store, ()| store.get(&ns, &key).await).await?.0;
                let condition = condition.condition(there.pair().map(|pair| pair.version));
                let put = async |store: Arc<dyn Store>, ()| -> Result<PutOutcome, _> {
                    store.put(&ns, &key, &value.to_string(), expires, condition, *limit).await
                };
                self.ask(none, put).await?;
            }
            Op::Get { ns, key } => {
                self.ask(none, async |store, ()| store.get(&name("ns", *ns), &name("key", *key)).await).await?;
            }
            Op::Increment { ns, key, by, limit } => {
                self.ask(none, async |store, ()| store.increment(&name("ns", *ns), &name("key", *key), *by, *limit).await).await?;
            }
            Op::Delete { ns, key, condition } => {
                let (ns, key) = (name("ns", *ns), name("key", *key));
                let there = self.ask(none, async |store, ()| store.get(&ns, &key).await).await?.0;
                let condition = condition.condition(there.pair().map(|pair| pair.version));
                self.ask(none, async |store, ()| store.delete(&ns, &key, condition).await).await?;
            }
            Op::DropNamespace { ns } => {
                self.ask(none, async |store, ()| store.drop_namespace(&name("ns", *ns)).await).await?;
            }
            Op::List { ns, prefix, after, max } => {
                let (ns, prefix) = (name("ns", *ns), if *prefix { "key1" } else { "" });
                // After the place of one of those there are, or of one that was there.
                let all =
                    self.ask(none, async |store, ()| store.list(&ns, "", 0, usize::MAX, usize::MAX).await).await?.0.unwrap_or_default();
                let after = after.and_then(|after| all.get(usize::from(after))).map_or(0, |pair| pair.place);
                self.ask(none, async |store, ()| store.list(&ns, prefix, after, *max, usize::MAX).await).await?;
            }
            other => unreachable!("{other:?}"),
        }
        Ok(())
    }

    async fn schedules_and_states(&mut self, op: &Op) -> Result<(), String> {
        let none = Both((), ());
        match op {
            Op::Upsert { schedule } => {
                let record = ScheduleRecord { id: name("schedule", *schedule), definition: self.now().to_string() };
                self.ask(none, async |store, ()| store.upsert_schedule(record.clone()).await).await?;
            }
            Op::RemoveSchedule { schedule } => {
                self.ask(none, async |store, ()| store.remove_schedule(&name("schedule", *schedule)).await).await?;
            }
            Op::ClaimOccurrence { schedule, hours, hold } => {
                let (schedule, at) = (name("schedule", *schedule), Timestamp::UNIX_EPOCH + SignedDuration::from_hours(*hours));
                let claim = self.ask(none, async |store, ()| store.claim_occurrence(&schedule, at, seconds(*hold)).await).await?;
                self.occurrences.extend(claim.0);
            }
            Op::RecordRun { claim } => {
                let Some(claim) = claim.checked_rem(self.occurrences.len()).map(|number| self.occurrences[number].clone()) else {
                    return Ok(());
                };
                let done = RunOutcome::Done { detail: "done".into(), work: Vec::new() };
                self.ask(none, async |store, ()| store.record_run(&claim, done.clone()).await).await?;
            }
            Op::SetState { name: of, expected } => {
                let value = self.now().to_string();
                self.ask(none, async |store, ()| store.set_state(&name("state", *of), &value, *expected).await).await?;
            }
            Op::RemoveState { name: of } => {
                self.ask(none, async |store, ()| store.remove_state(&name("state", *of)).await).await?;
            }
            other => unreachable!("{other:?}"),
        }
        Ok(())
    }
}
