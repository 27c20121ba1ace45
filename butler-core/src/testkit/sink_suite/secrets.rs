//! Secrets stay where they are.

use super::attempts::{all_words, error, prepared};
use super::{Remote, SinkHarness};
use crate::simulator::inbox::Gate;
use crate::testkit::Logs;
use crate::testkit::sink_samples::Sample;

/// No error, no `Debug`, no message, no target and no log line holds a secret.
pub async fn secrets_are_never_shown<H: SinkHarness>() {
    let all = [
        Remote::Throttles(None),
        Remote::RefusesLogin,
        Remote::Forbids,
        Remote::RefusesMessage,
        Remote::IsBusy,
        Remote::Resets,
        Remote::AnswersByHalf,
        Remote::Silent(Gate::closed()),
    ];
    let logs = Logs::keep();
    let harness = H::start().await;
    let sink = harness.sink();
    let mut shown = vec![format!("{sink:?} {sink:#?}")];
    for (_, sample) in Sample::all() {
        let (sample, message) = prepared(&*sink, sample);
        shown.push(format!("{message:?} {:?} {}", sample.target, message.preview()));
    }
    for remote in all {
        if harness.remote(remote) {
            shown.push(all_words(&error(&*sink).await));
        }
    }
    let unreachable = harness.unreachable().await;
    shown.push(format!("{unreachable:?} {}", all_words(&error(&*unreachable).await)));
    if let Err(error) = unreachable.check().await {
        shown.push(all_words(&error));
    }
    if let Some(untrusted) = harness.untrusted().await {
        shown.push(format!("{untrusted:?} {}", all_words(&error(&*untrusted).await)));
    }
    shown.extend(logs.lines());
    for secret in harness.secrets() {
        for shown in &shown {
            assert!(!shown.contains(&secret), "the secret {secret} stands in: {shown}");
        }
    }
}
