//! `events follow`: what happens, as it happens.

use butler_core::pipeline::{Happening, Outcome};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::args::{Format, Global};
use crate::client::Client;
use crate::{Exit, output, story};

/// Follows until the stream ends, which is when the Butler does.
pub(super) async fn run(global: &Global, client: Client) -> Result<(), Exit> {
    let zone = TimeZone::system();
    let each = |data: &str| {
        if global.output == Format::Json {
            output::line(data);
            return;
        }
        // One of a later version may tell of what is not known here.
        if let Ok(happening) = serde_json::from_str(data) {
            output::foreign(&format!("{}  {}\n", story::time(Timestamp::now(), &zone), words(&happening)));
        }
    };
    client.follow("/api/stream", each).await
}

fn words(happening: &Happening) -> String {
    match happening {
        Happening::Accepted { event, kind, site, source } => format!("event     {event} {kind} at {site}, told by {source}"),
        Happening::Routed { event, deliveries, silenced } => {
            let silenced = if *silenced > 0 { format!(", {silenced} of them silenced") } else { String::new() };
            format!("routed    {event} to {deliveries} {}{silenced}", if *deliveries == 1 { "destination" } else { "destinations" })
        }
        Happening::Tried { delivery, sink, outcome, why } => {
            let outcome = match outcome {
                Outcome::Delivered => "delivered",
                Outcome::Retry => "failed, is tried again",
                Outcome::Dead => "DEAD",
                Outcome::Suppressed => "suppressed",
            };
            let why = why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
            format!("delivery  {delivery} by {sink} {outcome}{why}")
        }
        Happening::Missed { count } => format!("missed    {count} of what happened, for it was too much at once"),
        _ => "something that this version does not know".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happens_is_said_in_a_line() {
        let event = "00000000-0000-0000-0000-000000000007";
        let routed = format!(r#"{{ "what": "routed", "event": "{event}", "deliveries": 1, "silenced": 0 }}"#);
        let tried = format!(r#"{{ "what": "tried", "delivery": "{event}", "sink": "ops", "outcome": "dead", "why": "no such channel" }}"#);
        let said = [routed.as_str(), tried.as_str(), r#"{ "what": "missed", "count": 3 }"#]
            .map(|text| words(&serde_json::from_str(text).expect("known")));
        assert_eq!(said[0], format!("routed    {event} to 1 destination"));
        assert_eq!(said[1], format!("delivery  {event} by ops DEAD: no such channel"));
        assert_eq!(said[2], "missed    3 of what happened, for it was too much at once");
    }
}
