//! `events`: what a running Butler has heard of.

use butler_core::api::answers::EventDetails;
use butler_core::source::Rejection;
use butler_core::store::EventRecord;
use jiff::tz::TimeZone;

use crate::args::{Events, EventsWhat, Format, Global};
use crate::client::Client;
use crate::table::table;
use crate::{Exit, output, story};

pub(crate) async fn run(global: &Global, events: &Events) -> Result<(), Exit> {
    let client = Client::new(global, &events.server)?;
    match &events.what {
        EventsWhat::List { kind, site, task, before, max } => {
            let mut query = vec![("max", max.to_string())];
            query.extend(site.iter().map(|site| ("site", site.clone())));
            query.extend(before.iter().map(|before| ("before", before.to_string())));
            query.extend(kind.iter().map(|kind| ("kind", kind.clone())));
            query.extend(task.iter().map(|task| ("task", task.to_string())));
            let records: Vec<EventRecord> = client.get("/api/events", &query).await?;
            match global.output {
                Format::Json => output::json(&records),
                Format::Text => {
                    output::foreign(&list(&records, &TimeZone::system()));
                    Ok(())
                }
            }
        }
        EventsWhat::Show { id } | EventsWhat::Explain { id } => {
            let found: EventDetails = client.get(&format!("/api/events/{}", find(&client, id).await?), &[]).await?;
            match (global.output, &events.what) {
                (Format::Json, _) => output::json(&found),
                (Format::Text, EventsWhat::Show { .. }) => {
                    output::foreign(&story::show(&found, &TimeZone::system()));
                    Ok(())
                }
                (Format::Text, _) => {
                    output::foreign(&story::explain(&found, &TimeZone::system()));
                    Ok(())
                }
            }
        }
        EventsWhat::Follow => super::follow::run(global, client).await,
        EventsWhat::Rejected => {
            let rejections: Vec<Rejection> = client.get("/api/rejections", &[]).await?;
            match global.output {
                Format::Json => output::json(&rejections),
                Format::Text => {
                    output::foreign(&rejected(&rejections, &TimeZone::system()));
                    Ok(())
                }
            }
        }
    }
}

/// The id that a person meant: a whole one, `latest`, or the start of a recent one.
pub(super) async fn find(client: &Client, id: &str) -> Result<String, Exit> {
    if id.parse::<uuid::Uuid>().is_ok() || id.eq_ignore_ascii_case("latest") {
        return Ok(id.to_lowercase());
    }
    let records: Vec<EventRecord> = client.get("/api/events", &[("max", "1000".to_owned())]).await?;
    let mut fitting = records.iter().map(|record| record.event.id.to_string()).filter(|known| known.starts_with(&id.to_lowercase()));
    match (fitting.next(), fitting.next()) {
        (Some(found), None) => Ok(found),
        (Some(_), Some(_)) => Err(Exit::usage(format!("several recent events begin with `{id}`: give more of the id"))),
        (None, _) => Err(Exit::usage(format!("no recent event begins with `{id}`"))),
    }
}

pub(crate) fn list(records: &[EventRecord], zone: &TimeZone) -> String {
    if records.is_empty() {
        return "no events\n".to_owned();
    }
    let rows: Vec<Vec<String>> = records
        .iter()
        .map(|record| {
            let event = &record.event;
            vec![
                story::time(event.received, zone),
                event.id.to_string(),
                event.kind.to_string(),
                event.source.to_string(),
                story::fate(record),
                story::about(event),
            ]
        })
        .collect();
    table(&["RECEIVED", "EVENT", "KIND", "FIRST BY", "DELIVERIES", "ABOUT"], &rows, 160)
}

fn rejected(rejections: &[Rejection], zone: &TimeZone) -> String {
    if rejections.is_empty() {
        return "nothing was rejected\n".to_owned();
    }
    let rows: Vec<Vec<String>> = rejections
        .iter()
        .map(|rejection| {
            let from = rejection.from.map(|from| from.to_string()).unwrap_or_default();
            vec![story::time(rejection.at, zone), rejection.reason.to_string(), from, rejection.detail.clone()]
        })
        .collect();
    table(&["AT", "REASON", "FROM", "DETAIL"], &rows, 160)
}
