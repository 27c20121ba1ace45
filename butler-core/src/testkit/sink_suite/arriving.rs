//! What arrives, how often, and where.

use std::collections::BTreeSet;

use futures_util::future::join_all;

use super::SinkHarness;
use super::attempts::{attempt, failed, prepared};
use crate::event::{DeliveryId, EventId, SinkName, TaskOutcome, TaskType};
use crate::sink::{Delivery, Reason};
use crate::testkit::sink_samples::Sample;

/// An accepted message arrives once, and the receipt says something.
pub async fn accepted_is_ok<H: SinkHarness>() {
    let harness = H::start().await;
    let receipt = attempt(&*harness.sink(), failed(), 1).await.unwrap_or_else(|error| panic!("{error}"));
    assert!(!receipt.detail.is_empty() && !receipt.detail.contains('\n'), "{receipt:?}");
    assert_eq!(harness.received().len(), 1);
}

/// Every sort of event can be sent, with everything known and with nothing.
pub async fn every_sample_arrives<H: SinkHarness>() {
    let harness = H::start().await;
    let samples = Sample::all();
    for (name, sample) in samples.iter().cloned() {
        attempt(&*harness.sink(), sample, 1).await.unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    assert_eq!(harness.received().len(), samples.len());
}

/// The end of a task of every type can be sent, and of one whose type nobody knows.
pub async fn every_kind_of_task_arrives<H: SinkHarness>() {
    let harness = H::start().await;
    let mut count = 0;
    for task_type in TaskType::ALL.into_iter().map(Some).chain([None]) {
        for outcome in [TaskOutcome::Failed, TaskOutcome::Aborted, TaskOutcome::Success, TaskOutcome::Unsettled] {
            let sample = Sample::task_of(task_type, outcome);
            let kind = sample.event.kind.to_string();
            attempt(&*harness.sink(), sample, 1).await.unwrap_or_else(|error| panic!("{kind}: {error}"));
            count += 1;
        }
    }
    assert_eq!(harness.received().len(), count);
}

/// The same delivery goes out under the same key, another one under another.
pub async fn the_key_is_the_same_for_every_attempt<H: SinkHarness>() {
    let harness = H::start().await;
    let sink = harness.sink();
    for number in [1, 2] {
        attempt(&*sink, failed(), number).await.unwrap_or_else(|error| panic!("{error}"));
    }
    let mut other = failed();
    other.event.id = EventId(uuid::Uuid::from_u128(7));
    attempt(&*sink, other, 1).await.unwrap_or_else(|error| panic!("{error}"));
    let keys: Vec<_> = harness.received().into_iter().map(|received| received.key).collect();
    if keys.iter().any(Option::is_some) {
        assert_eq!(keys[0], keys[1]);
        assert_ne!(keys[0], keys[2]);
    }
}

/// Rendering gives the same again, and so do targets and needs.
pub async fn rendering_is_pure<H: SinkHarness>() {
    let harness = H::start().await;
    let sink = harness.sink();
    for (name, sample) in Sample::all() {
        assert_eq!(sink.targets(&sample.request()), sink.targets(&sample.request()), "{name}");
        let (sample, message) = prepared(&*sink, sample);
        assert_eq!(sink.render(&sample.rendering()).ok().as_ref(), Some(&message), "{name}");
        assert_eq!(sink.plain(&sample.rendering(), "a fault"), sink.plain(&sample.rendering(), "a fault"), "{name}");
    }
    assert_eq!((sink.needs(), sink.deciding_needs()), (sink.needs(), sink.deciding_needs()));
    assert!(harness.received().is_empty());
}

/// What went wrong is sent somewhere, also when nothing is known about it; and nowhere twice.
pub async fn what_went_wrong_has_a_target<H: SinkHarness>() {
    let harness = H::start().await;
    for (name, sample) in Sample::all() {
        let targets = harness.sink().targets(&sample.request());
        let distinct: BTreeSet<_> = targets.iter().collect();
        assert_eq!(distinct.len(), targets.len(), "{name}: {targets:?}");
        assert!(!targets.is_empty() || !sample.event.kind.went_wrong(), "{name}");
    }
}

/// Many at a time, each arrives.
pub async fn deliveries_run_side_by_side<H: SinkHarness>() {
    let harness = H::start().await;
    let sink = harness.sink();
    let many = (0..20).map(|_| attempt(&*sink, failed(), 1));
    for result in join_all(many).await {
        result.unwrap_or_else(|error| panic!("{error}"));
    }
    assert_eq!(harness.received().len(), 20);
}

/// Results of several stand in the order of the deliveries.
pub async fn several_are_answered_in_order<H: SinkHarness>() {
    let harness = H::start().await;
    let sink = harness.sink();
    assert!(sink.max_batch() >= 1);
    let (sample, message) = prepared(&*sink, failed());
    let key = DeliveryId::of(sample.event.id, &SinkName::from("several"), &sample.target);
    let delivery = Delivery { key, event: &sample.event, target: &sample.target, message: &message, attempt: 1 };
    let results = sink.deliver_many(&vec![delivery; sink.max_batch().min(3)]).await;
    assert_eq!(results.len(), sink.max_batch().min(3));
    assert!(results.iter().all(Result::is_ok), "{results:?}");
}

/// A check reaches the remote and sends nothing to anybody.
pub async fn a_check_sends_nothing<H: SinkHarness>() {
    let harness = H::start().await;
    let receipt = harness.sink().check().await.unwrap_or_else(|error| panic!("{error}"));
    assert!(!receipt.detail.is_empty());
    assert!(harness.received().is_empty());
    assert!(harness.unreachable().await.check().await.is_err_and(|error| error.reason == Reason::Unreachable));
}
