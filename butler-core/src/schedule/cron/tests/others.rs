//! What others answer: a data file of a library in another language, and the `croner` crate.

use std::collections::HashMap;

use croner::parser::{CronParser, Seconds, Year};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::*;

/// Written by `vectors.py`, which says of which library the answers are, and what it leaves out.
const VECTORS: &str = include_str!("../vectors.tsv");

#[test]
fn thousands_of_answers_of_another_library_are_ours() {
    let mut zones: HashMap<&str, TimeZone> = HashMap::new();
    let mut wrong = Vec::new();
    let mut rows = 0;
    for line in VECTORS.lines() {
        let [text, name, after, expected] = line.split('\t').collect::<Vec<_>>().try_into().unwrap_or_else(|_| panic!("{line}"));
        let found = cron(text).next_after(at(after), zones.entry(name).or_insert_with(|| zone(name)));
        if found != Some(at(expected)) {
            wrong.push(format!("{line}, not {found:?}"));
        }
        rows += 1;
    }
    assert!(rows >= 2_000, "{rows} rows are not enough to say so");
    assert!(wrong.is_empty(), "{} of {rows}:\n{}", wrong.len(), wrong.join("\n"));
}

/// As the `croner` crate answers, whose rules for changes of the clock are ours.
fn croner(text: &str, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    let parser = CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build();
    let cron = parser.parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    Some(cron.find_next_occurrence(&after.to_zoned(zone.clone()), false).ok()?.timestamp())
}

/// Left out: lists of fixed times, which its documentation calls fixed and its code an interval, and `1-31`, which it calls a restriction.
#[test]
fn croner_agrees_whatever_is_asked() {
    let mut random = fastrand::Rng::with_seed(20_260_329);
    let seconds = ["0", "30", "59", "*", "*/20", "10-20", "15-45/10", "5,35"];
    let minutes = ["0", "30", "59", "*", "*/15", "20-40", "10-50/20", "5,35"];
    let hours = ["0", "1", "2", "3", "23", "*", "*/2", "1-3", "0-4/2", "22-23"];
    let days = ["*", "*", "1", "L", "LW", "15W", "1W,30W", "31", "*/7", "25-31", "29", "10,L"];
    let months = ["*", "*", "3", "10", "mar-apr", "2", "*/5", "oct,nov"];
    let weekdays = ["*", "*", "0", "7", "sun", "mon-fri", "5L", "1#1", "sun#5", "2,4", "fri-sun", "*/3"];
    let zones = ["Europe/Stockholm", "America/New_York", "America/Sao_Paulo", "Australia/Lord_Howe", "Asia/Beirut", "Asia/Kolkata", "UTC"]
        .map(zone);
    for _ in 0..3_000 {
        let mut pick = |from: &[&'static str]| from[random.usize(..from.len())];
        let mut time = [pick(&seconds), pick(&minutes), pick(&hours)];
        if !time.iter().any(|field| field.contains(['*', '-'])) {
            time = time.map(|field| field.split(',').next().unwrap());
        }
        let text = format!("{} {} {} {} {} {}", time[0], time[1], time[2], pick(&days), pick(&months), pick(&weekdays));
        // `*/3` of weekdays is a restriction to both. February has no 30th, which both refuse, each in its way.
        let Ok(ours) = Cron::parse(&text, Months::FromOne) else { continue };
        let zone = &zones[random.usize(..zones.len())];
        let start = match random.u8(..4) {
            0 => at("2017-10-14T12:00:00Z"),
            1 => at("2018-02-17T12:00:00Z"),
            2 => at("2025-03-29T12:00:00Z"),
            _ => at("2025-10-04T12:00:00Z"),
        };
        let mut after = start + jiff::SignedDuration::from_secs(random.i64(0..30 * 86_400));
        for _ in 0..4 {
            let found = ours.next_after(after, zone);
            assert_eq!(found, croner(&text, after, zone), "{text} after {after} in {}", zone.iana_name().unwrap_or_default());
            after = found.unwrap();
        }
    }
}
