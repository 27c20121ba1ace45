//! `test-sink`: sends a message that says that it is a test, and says how that went.

use butler_core::clock::{Clock, SystemClock};
use butler_core::event::{EventId, Kind};
use butler_core::sink::rehearsal::{Rehearsed, rehearse, send};
use butler_core::sink::sample::Sample;
use butler_core::sink::{DeliveryError, Receipt};
use serde_json::{Value, json};

use super::{plan, sink_of, site_of};
use crate::Exit;
use crate::args::{Format, Global, TestSink};
use crate::output::{self, Colour};

pub(crate) async fn run(global: &Global, test: &TestSink) -> Result<(), Exit> {
    let plan = plan(global)?;
    let (name, sink) = sink_of(&plan, &test.sink)?;
    let site = match plan.sites.keys().next() {
        Some(site) => site_of(&plan, site),
        None => site_of(&plan, &"test".into()),
    };
    let kind = test.kind.clone().unwrap_or_else(|| Kind::Other("butler.test".into()));
    let sample = Sample::of(&kind).marked_as_test(EventId(uuid::Uuid::now_v7()), SystemClock::default().now(), site);
    let messages = rehearse(&*sink.sink, &sample.event, &sample.facts, &sample.site);
    if messages.is_empty() {
        return Err(Exit::usage(format!("sink `{name}` tells nobody of {kind}; try `--kind reload_task.failed`")));
    }
    let mut results = Vec::with_capacity(messages.len());
    for message in &messages {
        let result = send((name, &*sink.sink), &sample.event, message, sink.timeout).await;
        if global.output == Format::Text {
            show(name.as_str(), message, &result);
        }
        results.push((message, result));
    }
    let failed = results.iter().filter(|(_, result)| result.is_err()).count();
    if global.output == Format::Json {
        let results: Vec<_> = results.iter().map(as_json).collect();
        output::json(&json!({ "sink": name, "kind": kind, "results": results }))?;
    }
    match failed {
        0 => Ok(()),
        failed => Err(Exit::unavailable(format!("{failed} of {} test messages did not arrive", messages.len()))),
    }
}

fn as_json((message, result): &(&Rehearsed, Result<Receipt, DeliveryError>)) -> Value {
    match result {
        Ok(receipt) => json!({ "target": message.target, "accepted": true, "answer": receipt.detail, "fault": message.fault }),
        Err(error) => json!({
            "target": message.target, "accepted": false, "reason": error.reason, "error": error.message, "advice": error.reason.advice(), "fault": message.fault,
        }),
    }
}

fn show(sink: &str, rehearsed: &Rehearsed, result: &Result<Receipt, DeliveryError>) {
    let target = &rehearsed.target;
    let place = if target.as_str().is_empty() { sink.to_owned() } else { format!("{sink}, {target}") };
    match result {
        Ok(receipt) => {
            output::write(&output::paint("accepted", Colour::Green));
            output::foreign(&format!("  {place}: {}\n", receipt.detail));
        }
        Err(error) => {
            output::write(&output::paint("failed", Colour::Red));
            output::foreign(&format!("    {place}: {}\n", error.message));
            output::foreign(&format!("          {}\n", error.reason.advice()));
        }
    }
    if let Some(fault) = &rehearsed.fault {
        output::foreign(&format!("          It went out in plain words, because of its template: {fault}\n"));
    }
}
