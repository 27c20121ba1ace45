//! `deliveries`: what a running Butler has sent, still has to send, or gave up.

use butler_core::api::answers::{DeliveryDetails, ListedDelivery};
use butler_core::store::DeliveryState;
use jiff::tz::TimeZone;
use serde_json::json;

use crate::args::{Deliveries, DeliveriesWhat, Format, Global};
use crate::client::Client;
use crate::table::table;
use crate::{Exit, output, story};

pub(crate) async fn run(global: &Global, deliveries: &Deliveries) -> Result<(), Exit> {
    let client = Client::new(global, &deliveries.server)?;
    match &deliveries.what {
        DeliveriesWhat::List { state, sink, event, max } => {
            let mut query = vec![("max", max.to_string())];
            query.extend(state.iter().map(|state| ("state", state.clone())));
            query.extend(sink.iter().map(|sink| ("sink", sink.clone())));
            query.extend(event.iter().map(|event| ("event", event.to_string())));
            let records: Vec<ListedDelivery> = client.get("/api/deliveries", &query).await?;
            match global.output {
                Format::Json => output::json(&records),
                Format::Text => {
                    output::foreign(&list(&records, &TimeZone::system()));
                    Ok(())
                }
            }
        }
        DeliveriesWhat::Show { id } => {
            let found: DeliveryDetails = client.get(&format!("/api/deliveries/{id}"), &[]).await?;
            match global.output {
                Format::Json => output::json(&found),
                Format::Text => {
                    output::foreign(&story::delivery(&found.delivery, &found.attempts, &TimeZone::system()));
                    Ok(())
                }
            }
        }
        DeliveriesWhat::Retry { id } => {
            let changed = client.post(&format!("/api/deliveries/{id}/retry"), &json!({})).await?;
            say(global, &changed, format!("{id} is tried again"))
        }
        DeliveriesWhat::Discard { id, why } => {
            let changed = client.post(&format!("/api/deliveries/{id}/discard"), &json!({ "why": why })).await?;
            say(global, &changed, format!("{id} is discarded"))
        }
    }
}

/// Says what became of a change.
fn say(global: &Global, changed: &ListedDelivery, words: String) -> Result<(), Exit> {
    match global.output {
        Format::Json => output::json(changed),
        Format::Text => {
            output::line(words);
            Ok(())
        }
    }
}

fn list(records: &[ListedDelivery], zone: &TimeZone) -> String {
    if records.is_empty() {
        return "no deliveries\n".to_owned();
    }
    let rows: Vec<Vec<String>> = records
        .iter()
        .map(|listed| {
            let record = &listed.record;
            vec![
                story::time(record.created, zone),
                record.id.to_string(),
                story::destination(record),
                if listed.orphaned { "orphaned" } else { record.state.as_str() }.to_owned(),
                record.attempts.to_string(),
                // What is pending may have nothing behind it yet, but something that it waits for.
                if record.state == DeliveryState::Pending { story::verdict(listed, zone) } else { record.detail.clone() },
            ]
        })
        .collect();
    table(&["CREATED", "DELIVERY", "TO", "STATE", "TRIES", "DETAIL"], &rows, 160)
}
