//! `status`: how a running Butler stands.

use butler_core::api::answers::{IntakeStatus, Status as Report};
use butler_core::pipeline::Unrouted;
use butler_core::store::JournalStats;
use jiff::tz::TimeZone;

use crate::args::{Format, Global, Status};
use crate::client::Client;
use crate::{Exit, output, story};

pub(crate) async fn run(global: &Global, status: &Status) -> Result<(), Exit> {
    let report: Report = Client::new(global, &status.server)?.get("/api/status", &[]).await?;
    match global.output {
        Format::Json => output::json(&report),
        Format::Text => {
            output::foreign(&text(&report, &TimeZone::system()));
            Ok(())
        }
    }
}

pub(crate) fn text(report: &Report, zone: &TimeZone) -> String {
    let mut text = format!(
        "butler {} {}, up since {}\n",
        report.version,
        if report.ready { "is ready" } else { "is NOT ready" },
        story::time(report.started, zone)
    );
    let IntakeStatus { received, accepted, duplicates, queued, rejected } = &report.intake;
    text += &format!("intake    {received} received, {accepted} accepted, {duplicates} duplicates, {queued} waiting\n");
    for (reason, count) in rejected {
        text += &format!("          {count} rejected: {reason} ({})\n", reason.meaning());
    }
    let JournalStats { events, unrouted, bytes, .. } = &report.journal;
    text += &format!("journal   {events} events, {unrouted} to be routed, {:.1} MiB\n", *bytes as f64 / f64::from(1 << 20));
    if let Some((since, why)) = &report.health.store {
        text += &format!("store     refuses since {}: {why}\n", story::time(*since, zone));
    }
    if let Some(Unrouted { to_fallback, to_nobody, latest }) = &report.health.unrouted {
        let told = format!("{to_fallback} events that went wrong were on no route and went to the fallback, {to_nobody} went to NOBODY");
        text += &format!("routes    {told}; the latest is {latest}\n");
    }
    for (name, source) in &report.health.sources {
        let fine =
            || if source.addresses.is_empty() { "is at work".to_owned() } else { format!("hears on {}", source.addresses.join(", ")) };
        let how = source.error.clone().unwrap_or_else(fine);
        text += &format!("source    {name}: {how}\n");
    }
    for (name, site) in &report.health.sites {
        let how = match (&site.down_since, &site.last_error) {
            (Some(since), error) => {
                format!("the repository does not answer since {}: {}", story::time(*since, zone), error.as_deref().unwrap_or(""))
            }
            (None, _) => "the repository answers".to_owned(),
        };
        text += &format!("site      {name}: {how}\n");
    }
    for (name, sink) in &report.health.sinks {
        let counts: Vec<String> = report
            .journal
            .deliveries
            .iter()
            .filter(|(of, _, _)| of == name)
            .map(|(_, state, count)| format!("{count} {}", state.as_str()))
            .collect();
        let counts = if counts.is_empty() { "nothing yet".to_owned() } else { counts.join(", ") };
        let how = match &sink.down_since {
            Some(since) => {
                format!("DOWN since {}: {}", story::time(*since, zone), sink.last_error.as_deref().unwrap_or(""))
            }
            None => "up".to_owned(),
        };
        text += &format!("sink      {name}: {how}; {counts}\n");
    }
    for (sink, count) in &report.orphans {
        text += &format!(
            "orphans   {count} pending for `{sink}`, which is no longer configured; `was = [\"{sink}\"]` in another sink adopts them\n"
        );
    }
    text
}
