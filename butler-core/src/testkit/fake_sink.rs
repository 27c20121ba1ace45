//! A sink that tests hold the strings of.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;

use crate::event::{DeliveryId, Needs, Target};
use crate::pipeline::{RetryPolicy, SinkPlan};
use crate::sink::{Delivery, DeliveryError, Message, Receipt, RenderError, Rendering, Sink, TargetRequest};

type Answer = Box<dyn FnOnce() -> Result<Receipt, DeliveryError> + Send>;
type Answers = Box<dyn FnOnce(&[Delivery<'_>]) -> Vec<Result<Receipt, DeliveryError>> + Send>;
type Judge = Box<dyn Fn(&Delivery<'_>) -> Option<DeliveryError> + Send>;

/// A sink that remembers what it was given and answers as it is told; without orders it accepts everything. Clones are the same sink.
#[derive(Clone, Default)]
pub struct FakeSink(Arc<Inner>);

#[derive(Default)]
struct Inner {
    targets: Mutex<Vec<Target>>,
    needs: Mutex<Needs>,
    answers: Mutex<VecDeque<Answer>>,
    judge: Mutex<Option<Judge>>,
    broken_template: Mutex<Option<String>>,
    max_batch: Mutex<usize>,
    batch_answers: Mutex<VecDeque<Answers>>,
    batches: Mutex<Vec<usize>>,
    taken: watch::Sender<Vec<Taken>>,
    open: watch::Sender<bool>,
}

/// An attempt that a [`FakeSink`] saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The idempotency key.
    pub key: DeliveryId,
    /// To whom.
    pub target: Target,
    /// What.
    pub body: String,
    /// Which attempt.
    pub attempt: u32,
    /// Whether it was accepted.
    pub accepted: bool,
}

impl std::fmt::Debug for FakeSink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FakeSink")
    }
}

impl Taken {
    fn of(delivery: &Delivery<'_>, accepted: bool) -> Self {
        let (target, body) = (delivery.target.clone(), delivery.message.body.clone());
        Self { key: delivery.key, target, body, attempt: delivery.attempt, accepted }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl FakeSink {
    /// Sends to these targets in place of its single one.
    #[must_use]
    pub fn with_targets(self, targets: &[&str]) -> Self {
        *lock(&self.0.targets) = targets.iter().map(|t| (*t).into()).collect();
        self
    }

    /// Shows these facts.
    #[must_use]
    pub fn with_needs(self, needs: Needs) -> Self {
        *lock(&self.0.needs) = needs;
        self
    }

    /// Takes up to `most` deliveries at once. If it refuses one of them it refuses all, as databases do.
    #[must_use]
    pub fn with_batch(self, most: usize) -> Self {
        *lock(&self.0.max_batch) = most;
        self
    }

    /// Answers one of the next attempts of several deliveries. The answer may panic.
    pub fn answer_many(&self, answer: impl FnOnce(&[Delivery<'_>]) -> Vec<Result<Receipt, DeliveryError>> + Send + 'static) {
        lock(&self.0.batch_answers).push_back(Box::new(answer));
    }

    /// How many deliveries each attempt of several had.
    #[must_use]
    pub fn batches(&self) -> Vec<usize> {
        lock(&self.0.batches).clone()
    }

    /// Answers one of the next attempts; orders are carried out in the order in which they were given. The answer may panic.
    pub fn answer(&self, answer: impl FnOnce() -> Result<Receipt, DeliveryError> + Send + 'static) {
        lock(&self.0.answers).push_back(Box::new(answer));
    }

    /// Refuses from now on whatever `judge` gives an error for; the others are answered as usual.
    pub fn judge(&self, judge: impl Fn(&Delivery<'_>) -> Option<DeliveryError> + Send + 'static) {
        *lock(&self.0.judge) = Some(Box::new(judge));
    }

    /// Fails to render from now on, with this fault; `None` mends it.
    pub fn break_template(&self, fault: Option<&str>) {
        *lock(&self.0.broken_template) = fault.map(str::to_owned);
    }

    /// Lets attempts hang until [`release`](Self::release).
    pub fn hang(&self) {
        self.0.open.send_replace(true);
    }

    /// Lets hanging attempts go on.
    pub fn release(&self) {
        self.0.open.send_replace(false);
    }

    /// The attempts so far.
    #[must_use]
    pub fn taken(&self) -> Vec<Taken> {
        self.0.taken.borrow().clone()
    }

    /// Waits until there were `count` attempts, and gives them.
    pub async fn wait_for(&self, count: usize) -> Vec<Taken> {
        let mut taken = self.0.taken.subscribe();
        // The sender lives in this sink, so the wait cannot fail.
        taken.wait_for(|taken| taken.len() >= count).await.map(|taken| taken.clone()).unwrap_or_default()
    }

    /// Waits while attempts are to hang.
    async fn opened(&self) {
        let mut hanging = self.0.open.subscribe();
        // The sender lives in this sink, so the wait cannot fail.
        let _ = hanging.wait_for(|hanging| !hanging).await;
    }

    /// This sink with the usual settings.
    #[must_use]
    pub fn into_plan(self) -> SinkPlan {
        let sink = Arc::new(self);
        SinkPlan { sink, timeout: Duration::from_secs(10), max_in_flight: 8, retry: RetryPolicy::default(), was: Vec::new() }
    }
}

#[async_trait]
impl Sink for FakeSink {
    fn targets(&self, request: &TargetRequest<'_>) -> Vec<Target> {
        if let Some(recipients) = request.recipients {
            return recipients.iter().map(|r| r.as_str().into()).collect();
        }
        let targets = lock(&self.0.targets).clone();
        if targets.is_empty() { vec![Target::only()] } else { targets }
    }

    fn needs(&self) -> Needs {
        *lock(&self.0.needs)
    }

    fn render(&self, rendering: &Rendering<'_>) -> Result<Message, RenderError> {
        if let Some(fault) = lock(&self.0.broken_template).clone() {
            return Err(RenderError(fault));
        }
        let owner = rendering.facts.owner.known().map(|owner| owner.name.as_str()).unwrap_or("?");
        let mut body = format!("{} owner={owner}", rendering.event.kind);
        if rendering.held_back > 0 {
            body += &format!(" held_back={}", rendering.held_back);
        }
        for line in rendering.missing {
            body += &format!(" missing[{line}]");
        }
        Ok(Message { body, content_type: "text/plain".into(), ..Message::default() })
    }

    fn plain(&self, rendering: &Rendering<'_>, fault: &str) -> Message {
        let body = format!("{} plain, for: {fault}", rendering.event.kind);
        Message { body, content_type: "text/plain".into(), ..Message::default() }
    }

    async fn deliver(&self, delivery: &Delivery<'_>) -> Result<Receipt, DeliveryError> {
        self.opened().await;
        let refused = lock(&self.0.judge).as_ref().and_then(|judge| judge(delivery));
        let answer = match refused {
            Some(error) => Some(Box::new(move || Err(error)) as Answer),
            None => lock(&self.0.answers).pop_front(),
        };
        let mut taken = Taken::of(delivery, false);
        let result = match answer {
            Some(answer) => {
                // An answer that panics was an attempt too: it is noted before.
                self.0.taken.send_modify(|all| all.push(taken.clone()));
                let result = answer();
                if result.is_ok() {
                    self.0.taken.send_modify(|all| {
                        if let Some(noted) = all.iter_mut().rev().find(|t| t.key == taken.key) {
                            noted.accepted = true;
                        }
                    });
                }
                return result;
            }
            None => Ok(Receipt { detail: "accepted".into() }),
        };
        taken.accepted = true;
        self.0.taken.send_modify(|all| all.push(taken));
        result
    }

    async fn deliver_many(&self, deliveries: &[Delivery<'_>]) -> Vec<Result<Receipt, DeliveryError>> {
        lock(&self.0.batches).push(deliveries.len());
        self.opened().await;
        let answer = lock(&self.0.batch_answers).pop_front();
        let results = match answer {
            Some(answer) => answer(deliveries),
            None => {
                let refused = lock(&self.0.judge).as_ref().and_then(|judge| deliveries.iter().find_map(judge));
                let one = |_| match &refused {
                    Some(DeliveryError { reason, retry, message, .. }) => {
                        Err(DeliveryError { reason: *reason, retry: *retry, message: message.clone(), source: None })
                    }
                    None => Ok(Receipt { detail: "accepted".into() }),
                };
                deliveries.iter().map(one).collect()
            }
        };
        let taken = deliveries.iter().zip(&results).map(|(delivery, result)| Taken::of(delivery, result.is_ok())).collect::<Vec<_>>();
        self.0.taken.send_modify(|all| all.extend(taken));
        results
    }

    fn max_batch(&self) -> usize {
        (*lock(&self.0.max_batch)).max(1)
    }

    async fn check(&self) -> Result<Receipt, DeliveryError> {
        Ok(Receipt { detail: "ready".into() })
    }
}
