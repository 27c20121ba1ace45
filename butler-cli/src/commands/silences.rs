//! `silences`: for a while, nobody is told of what is known already.

use butler_core::event::{CustomProperty, SinkName};
use butler_core::pipeline::{Matcher, NewSilence, Silence};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::args::{AddSilence, Format, Global, Silences, SilencesWhat};
use crate::client::{Client, segment};
use crate::table::table;
use crate::{Exit, output, story};

pub(crate) async fn run(global: &Global, silences: &Silences) -> Result<(), Exit> {
    let client = Client::new(global, &silences.server)?;
    match &silences.what {
        SilencesWhat::List { ended } => {
            let all: Vec<Silence> = client.get("/api/silences", &[("ended", ended.to_string())]).await?;
            match global.output {
                Format::Json => output::json(&all),
                Format::Text => {
                    output::foreign(&list(&all, &TimeZone::system()));
                    Ok(())
                }
            }
        }
        SilencesWhat::Add(add) => {
            let new = serde_json::to_value(asked_for(add)?).map_err(|error| Exit::internal(error.to_string()))?;
            let made: Silence = client.post("/api/silences", &new).await?;
            say(global, &made, format!("{} holds until {}", made.id, story::time(made.until, &TimeZone::system())))
        }
        SilencesWhat::End { id } => {
            let ended: Silence = client.delete(&format!("/api/silences/{}", segment(id))).await?;
            say(global, &ended, format!("{id} is over"))
        }
    }
}

fn asked_for(add: &AddSilence) -> Result<NewSilence, Exit> {
    let AddSilence { lasts, why, from, events, site, task, app, stream, tag, properties, host, sink } = add;
    let begins = from.unwrap_or_else(Timestamp::now);
    let until = SignedDuration::try_from(*lasts).ok().and_then(|lasts| begins.checked_add(lasts).ok());
    let until = until.ok_or_else(|| Exit::usage("`--for` lasts longer than there are dates"))?;
    let property = |(name, value): &(String, String)| CustomProperty { name: name.clone(), value: value.clone() };
    let when = Matcher {
        site: site.clone(),
        task: task.clone(),
        app: app.clone(),
        stream: stream.clone(),
        tag: tag.clone(),
        custom_property: properties.iter().map(property).collect(),
        host: host.clone(),
        ..Matcher::default()
    };
    let sinks = sink.iter().map(|sink| SinkName::from(sink.as_str())).collect();
    Ok(NewSilence { events: events.clone(), when, sinks, from: *from, until: Some(until), why: why.clone() })
}

fn say(global: &Global, silence: &Silence, words: String) -> Result<(), Exit> {
    match global.output {
        Format::Json => output::json(silence),
        Format::Text => {
            output::line(words);
            Ok(())
        }
    }
}

fn list(all: &[Silence], zone: &TimeZone) -> String {
    if all.is_empty() {
        return "no silences\n".to_owned();
    }
    let row = |silence: &Silence| {
        let (from, until) = (story::time(silence.from, zone), story::time(silence.until, zone));
        vec![silence.id.clone(), from, until, what(silence), silence.by.clone(), silence.why.clone()]
    };
    table(&["SILENCE", "FROM", "UNTIL", "WHAT", "BY", "WHY"], &all.iter().map(row).collect::<Vec<_>>(), 160)
}

/// What a silence holds back, in a few words.
fn what(silence: &Silence) -> String {
    let Matcher { site, task, app, stream, owner, tag, custom_property, host } = &silence.when;
    let mut parts: Vec<String> = silence.events.iter().map(ToString::to_string).collect();
    for (name, values) in [("site", site), ("task", task), ("app", app), ("stream", stream), ("owner", owner), ("tag", tag), ("host", host)]
    {
        parts.extend(values.iter().map(|value| format!("{name} {value}")));
    }
    parts.extend(custom_property.iter().map(|property| format!("property {}={}", property.name, property.value)));
    parts.extend(silence.sinks.iter().map(|sink| format!("by {sink}")));
    if parts.is_empty() { "everything".to_owned() } else { parts.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_back_is_said_in_a_few_words() {
        let silence = |new: NewSilence| Silence {
            id: "abc".into(),
            events: new.events,
            when: new.when,
            sinks: new.sinks,
            from: Timestamp::UNIX_EPOCH,
            until: Timestamp::UNIX_EPOCH,
            why: "an upgrade".into(),
            by: "somebody".into(),
            created: Timestamp::UNIX_EPOCH,
        };
        assert_eq!(what(&silence(NewSilence::default())), "everything");
        let when = Matcher {
            task: vec!["Reload *".into()],
            custom_property: vec![CustomProperty { name: "a".into(), value: "b".into() }],
            ..Matcher::default()
        };
        let events = vec!["reload_task.*".parse().expect("a pattern")];
        let some = silence(NewSilence { events, when, sinks: vec!["ops".into()], ..NewSilence::default() });
        assert_eq!(what(&some), "reload_task.*, task Reload *, property a=b, by ops");
    }
}
