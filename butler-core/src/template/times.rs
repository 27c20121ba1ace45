//! The six forms of a time in template fields.

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde_json::{Map, Value};

/// How the repository's times without a value start.
const NEVER: &str = "1753";

/// Adds a time of the repository under `NAMEUTC` and `NAMELocal1` to `NAMELocal5`: its own text, then local times as the original writes them in the
/// locale en-US. All six are `-` for the repository's "never"; a text that is no time is shown as it is.
pub(super) fn insert(fields: &mut Map<String, Value>, name: &str, text: &str, zone: &TimeZone) {
    fields.insert(format!("{name}UTC"), if text.starts_with(NEVER) { "-".into() } else { text.into() });
    for (local, form) in (1..).zip(local(text, zone)) {
        fields.insert(format!("{name}Local{local}"), form.into());
    }
}

fn local(text: &str, zone: &TimeZone) -> [String; 5] {
    let same = |text: &str| std::array::from_fn(|_| text.to_owned());
    if text.starts_with(NEVER) {
        return same("-");
    }
    let Ok(time) = text.parse::<Timestamp>() else { return same(text) };
    let time = time.to_zoned(zone.clone());
    let long = format!("{} {}", time.strftime("%B %-d, %Y at %-I:%M:%S %p"), short_zone(&time));
    [
        time.strftime("%Y-%m-%d %H:%M:%S").to_string(),
        time.strftime("%-m/%-d/%Y, %-I:%M:%S %p").to_string(),
        time.strftime("%b %-d, %Y, %-I:%M:%S %p").to_string(),
        long.clone(),
        long,
    ]
}

/// A time in the form that lists show: `2024-05-13 06:02:11`.
pub(super) fn plain(time: Timestamp, zone: &TimeZone) -> String {
    time.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// When a task runs next, in the form that lists show, or that no time is set for it.
pub(super) fn next(text: &str, zone: &TimeZone) -> String {
    match text.parse() {
        _ if text.starts_with(NEVER) => "none is planned".to_owned(),
        Ok(time) => plain(time, zone),
        Err(_) => text.to_owned(),
    }
}

/// `GMT+2`, `GMT+5:30`, `UTC`; letters for the zones of the USA.
fn short_zone(time: &Zoned) -> String {
    const AMERICAN: [&str; 11] = ["EST", "EDT", "CST", "CDT", "MST", "MDT", "PST", "PDT", "AKST", "AKDT", "HST"];
    let name = time.time_zone().iana_name().unwrap_or_default();
    if matches!(name, "UTC" | "Etc/UTC" | "Etc/UCT" | "Etc/Universal" | "Etc/Zulu" | "UCT" | "Universal" | "Zulu") {
        return "UTC".to_owned();
    }
    let letters = time.strftime("%Z").to_string();
    let is_american = name.starts_with("America/") && name != "America/Havana" || name.starts_with("US/") || name == "Pacific/Honolulu";
    if is_american && AMERICAN.contains(&letters.as_str()) {
        return letters;
    }
    let minutes = time.offset().seconds() / 60;
    let (sign, hours, minutes) = (if minutes < 0 { '-' } else { '+' }, minutes.abs() / 60, minutes.abs() % 60);
    match (hours, minutes) {
        (0, 0) => "GMT".to_owned(),
        (hours, 0) => format!("GMT{sign}{hours}"),
        (hours, minutes) => format!("GMT{sign}{hours}:{minutes:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forms(text: &str, zone: &str) -> Vec<String> {
        let mut fields = Map::new();
        insert(&mut fields, "t", text, &TimeZone::get(zone).unwrap());
        assert_eq!(fields.keys().map(String::as_str).collect::<Vec<_>>(), ["tUTC", "tLocal1", "tLocal2", "tLocal3", "tLocal4", "tLocal5"]);
        fields.values().map(|value| value.as_str().unwrap_or_default().to_owned()).collect()
    }

    #[test]
    fn all_forms_are_as_in_the_locale_en_us() {
        let long = "May 13, 2024 at 6:02:11 AM GMT+2";
        let expected = ["2024-05-13T04:02:11.123Z", "2024-05-13 06:02:11", "5/13/2024, 6:02:11 AM", "May 13, 2024, 6:02:11 AM", long, long];
        assert_eq!(forms("2024-05-13T04:02:11.123Z", "Europe/Stockholm"), expected);
    }

    #[test]
    fn zones_have_their_short_names() {
        for (zone, expected) in [
            ("UTC", "January 2, 2024 at 12:30:00 PM UTC"),
            ("Europe/London", "January 2, 2024 at 12:30:00 PM GMT"),
            ("Asia/Kolkata", "January 2, 2024 at 6:00:00 PM GMT+5:30"),
            ("America/New_York", "January 2, 2024 at 7:30:00 AM EST"),
            ("America/Los_Angeles", "January 2, 2024 at 4:30:00 AM PST"),
            ("Asia/Shanghai", "January 2, 2024 at 8:30:00 PM GMT+8"),
            ("America/Sao_Paulo", "January 2, 2024 at 9:30:00 AM GMT-3"),
        ] {
            assert_eq!(forms("2024-01-02T12:30:00Z", zone)[5], expected);
        }
    }

    #[test]
    fn never_is_a_dash_and_nonsense_stays() {
        assert_eq!(forms("1753-01-01T00:00:00.000Z", "UTC"), ["-"; 6]);
        assert_eq!(forms("soon", "UTC"), ["soon"; 6]);
    }
}
