//! `schedules`: what a running Butler does at which times, and what became of it.

mod transfer;
mod words;

use butler_core::api::schedules::{NewSchedule, NextRuns, ShownSchedule};
use butler_core::schedule::cron::Months;
use butler_core::schedule::{Missed, PropertyTarget, Rules, Timetable, When, Window, time_zone};
use butler_core::store::{RunOutcome, ScheduleRun};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use reqwest::Method;
use serde::Serialize;
use serde_json::json;

use crate::args::{AddSchedule, Format, Global, Next, Schedules, SchedulesWhat};
use crate::client::Client;
use crate::{Exit, output};

pub(crate) async fn run(global: &Global, schedules: &Schedules) -> Result<(), Exit> {
    // What is tried out needs no Butler.
    if let SchedulesWhat::Next(Next { cron: Some(expression), time_zone, count, .. }) = &schedules.what {
        let next = tried_out(expression, time_zone.as_deref(), usize::from(*count), Timestamp::now())?;
        return say(global, &next, || words::next(&next, &TimeZone::system()));
    }
    let client = Client::new(global, &schedules.server)?;
    match &schedules.what {
        SchedulesWhat::List => {
            let all: Vec<ShownSchedule> = client.get("/api/schedules", &[]).await?;
            say(global, &all, || words::list(&all, &TimeZone::system()))
        }
        SchedulesWhat::Next(next) => {
            let query = [("id", next.id.clone().unwrap_or_default()), ("count", next.count.to_string())];
            let next: NextRuns = client.get("/api/schedule/next", &query).await?;
            say(global, &next, || words::next(&next, &TimeZone::system()))
        }
        SchedulesWhat::Show { id } => {
            let shown: ShownSchedule = client.get("/api/schedule", &of(id)).await?;
            say(global, &shown, || words::show(&shown, &TimeZone::system()))
        }
        SchedulesWhat::Add(add) => {
            let new = serde_json::to_value(asked_for(add)).map_err(|error| Exit::internal(error.to_string()))?;
            let made: ShownSchedule = client.post("/api/schedules", &new).await?;
            say(global, &made, || words::made(&made, &TimeZone::system()))
        }
        SchedulesWhat::Remove { id } => {
            client.send(client.request(Method::DELETE, "/api/schedule", &of(id))?).await?;
            say(global, &json!({ "removed": true }), || format!("{id} is removed\n"))
        }
        SchedulesWhat::Enable { id } => switch(global, &client, id, "enable").await,
        SchedulesWhat::Disable { id } => switch(global, &client, id, "disable").await,
        SchedulesWhat::Run { id } => {
            // As long as it is tried to start the tasks.
            let outcome: RunOutcome = command(&client.unhurried(), id, "run").await?;
            say(global, &outcome, || format!("{}\n", words::outcome(&outcome, &TimeZone::system())))?;
            match outcome {
                RunOutcome::Done { .. } => Ok(()),
                RunOutcome::Failed { .. } | RunOutcome::Missed { .. } => Err(Exit::unavailable("not everything was started")),
            }
        }
        SchedulesWhat::Import(import) => transfer::import(global, &client.unhurried(), import).await,
        SchedulesWhat::Export { file } => transfer::export(&client.unhurried(), file.as_deref()).await,
        SchedulesWhat::History { id, max } => {
            let query = [("id", id.clone()), ("max", max.to_string())];
            let runs: Vec<ScheduleRun> = client.get("/api/schedule/history", &query).await?;
            say(global, &runs, || words::history(&runs, &TimeZone::system()))
        }
    }
}

async fn switch(global: &Global, client: &Client, id: &str, how: &str) -> Result<(), Exit> {
    let shown: ShownSchedule = command(client, id, how).await?;
    say(global, &shown, || words::made(&shown, &TimeZone::system()))
}

async fn command<T: serde::de::DeserializeOwned>(client: &Client, id: &str, what: &str) -> Result<T, Exit> {
    let request = client.request(Method::POST, &format!("/api/schedule/{what}"), &of(id))?;
    client.answer(request.header("content-type", "application/json")).await
}

fn of(id: &str) -> [(&'static str, String); 1] {
    [("id", id.to_owned())]
}

fn say(global: &Global, value: &impl Serialize, words: impl FnOnce() -> String) -> Result<(), Exit> {
    match global.output {
        Format::Json => output::json(value),
        Format::Text => {
            output::foreign(&words());
            Ok(())
        }
    }
}

/// The next times of an expression, whatever any Butler has to do.
fn tried_out(expression: &str, zone: Option<&str>, count: usize, now: Timestamp) -> Result<NextRuns, Exit> {
    let unknown = |name: &str| Exit::usage(format!("there is no time zone `{name}`; expected one such as Europe/Stockholm or UTC"));
    let zone = zone.map(|name| time_zone(name).ok_or_else(|| unknown(name))).transpose()?.unwrap_or_else(TimeZone::system);
    let when = When::parse(expression, Months::FromOne).map_err(|error| Exit::usage(error.to_string()))?;
    for warning in when.warnings() {
        output::note(&format!("note: {warning}"));
    }
    let name = zone.iana_name().map(str::to_owned);
    let times = Timetable::new(when.into(), zone, Window::default()).after(now).take(count).collect();
    Ok(NextRuns { zone: name, times })
}

fn asked_for(add: &AddSchedule) -> NewSchedule {
    let property = |(name, value): &(String, String)| PropertyTarget { name: name.clone(), value: value.clone() };
    let missed = match add.missed.as_str() {
        "once" => Missed::Once,
        "all" => Missed::All,
        _ => Missed::Skip,
    };
    let only = Window { hours: add.hours.clone(), days: add.days.clone(), dates: add.dates.clone(), not_dates: add.not_dates.clone() };
    NewSchedule {
        id: add.id.clone(),
        name: add.name.clone(),
        when: add.when.clone(),
        timezone: add.time_zone.clone(),
        enabled: !add.disabled,
        tasks: add.tasks.clone(),
        task_tags: add.task_tags.clone(),
        task_properties: add.properties.iter().map(property).collect(),
        site: add.site.clone(),
        action: add.action.clone(),
        rules: Rules { missed, skip_running: add.skip_running, jitter: add.jitter.unwrap_or_default(), only },
        tags: add.tags.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_is_tried_out_without_a_butler() {
        let now: Timestamp = "2026-03-28T12:00:00Z".parse().expect("a time");
        let next = tried_out("30 2 * * *", Some("Europe/Stockholm"), 2, now).expect("times");
        let times: Vec<_> = next.times.iter().map(ToString::to_string).collect();
        // At half past two there is no such time on the 29th: the first moment after it counts.
        assert_eq!(times, ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]);
        assert_eq!(next.zone.as_deref(), Some("Europe/Stockholm"));
        let refused = |expression: &str, zone| tried_out(expression, zone, 2, now).expect_err("no times").message().to_owned();
        assert!(refused("61 * * * *", None).contains("61"));
        assert_eq!(refused("@daily", Some("Mars")), "there is no time zone `Mars`; expected one such as Europe/Stockholm or UTC");
    }
}
