//! What is understood, what is refused and how, and the next times of the original Butler.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::*;

/// The next three after 2026-03-10T12:34:56Z in UTC, or as many as are given.
fn coming(text: &str, months: Months) -> String {
    let cron = Cron::parse(text, months).unwrap_or_else(|error| panic!("{text}: {error}"));
    let times = next(&cron, at("2026-03-10T12:34:56Z"), &TimeZone::UTC, 3);
    times.iter().map(|time| time.strftime("%Y-%m-%dT%H:%M:%S").to_string()).collect::<Vec<_>>().join(" ")
}

fn comes(text: &str, expected: &str) {
    assert_eq!(coming(text, Months::FromOne), expected, "{text}");
}

#[test]
fn the_next_three_are_those_of_the_original() {
    comes("*/30 * * * * *", "2026-03-10T12:35:00 2026-03-10T12:35:30 2026-03-10T12:36:00");
    comes("* * * * *", "2026-03-10T12:35:00 2026-03-10T12:36:00 2026-03-10T12:37:00");
    comes("0 */2 * * *", "2026-03-10T14:00:00 2026-03-10T16:00:00 2026-03-10T18:00:00");
    comes("0-30/5 6-18 * * 1-5", "2026-03-10T13:00:00 2026-03-10T13:05:00 2026-03-10T13:10:00");
    comes("0,30 6 * * 1-5", "2026-03-11T06:00:00 2026-03-11T06:30:00 2026-03-12T06:00:00");
    comes("10/20 * * * *", "2026-03-10T12:50:00 2026-03-10T13:10:00 2026-03-10T13:30:00");
    comes("0 0 15 * 1", "2026-03-15T00:00:00 2026-03-16T00:00:00 2026-03-23T00:00:00");
    comes("0 12 1 * 1-5", "2026-03-11T12:00:00 2026-03-12T12:00:00 2026-03-13T12:00:00");
    for sunday in ["0 0 * * 0", "0 0 * * sun", "0 0 * * 7", "0 0 * * SUN", "@weekly"] {
        comes(sunday, "2026-03-15T00:00:00 2026-03-22T00:00:00 2026-03-29T00:00:00");
    }
    comes("0 12 * * */2", "2026-03-12T12:00:00 2026-03-14T12:00:00 2026-03-15T12:00:00");
    comes("0 12 * * MON-FRI", "2026-03-11T12:00:00 2026-03-12T12:00:00 2026-03-13T12:00:00");
    comes("5-0 * * * *", "2026-03-10T13:05:00 2026-03-10T14:05:00 2026-03-10T15:05:00");
}

#[test]
fn months_are_counted_from_one_or_from_zero_and_named_either_way() {
    for (from_one, from_zero, expected) in [
        ("0 0 1 1 *", "0 0 1 0 *", "2027-01-01T00:00:00 2028-01-01T00:00:00 2029-01-01T00:00:00"),
        ("0 0 1 jan *", "0 0 1 JAN *", "2027-01-01T00:00:00 2028-01-01T00:00:00 2029-01-01T00:00:00"),
        ("0 0 1 2 *", "0 0 1 1 *", "2027-02-01T00:00:00 2028-02-01T00:00:00 2029-02-01T00:00:00"),
        ("0 0 1 12 *", "0 0 1 11 *", "2026-12-01T00:00:00 2027-12-01T00:00:00 2028-12-01T00:00:00"),
        ("0 0 29 2 *", "0 0 29 1 *", "2028-02-29T00:00:00 2032-02-29T00:00:00 2036-02-29T00:00:00"),
        ("59 59 23 31 12 *", "59 59 23 31 11 *", "2026-12-31T23:59:59 2027-12-31T23:59:59 2028-12-31T23:59:59"),
        ("0 0 1 */6 *", "0 0 1 */6 *", "2026-07-01T00:00:00 2027-01-01T00:00:00 2027-07-01T00:00:00"),
        ("0 0 1 11/1 *", "0 0 1 10/1 *", "2026-11-01T00:00:00 2026-12-01T00:00:00 2027-11-01T00:00:00"),
        ("0 0 1 6-8 *", "0 0 1 5-7 *", "2026-06-01T00:00:00 2026-07-01T00:00:00 2026-08-01T00:00:00"),
        ("0 0 1 5 *", "0 0 1 4-0 *", "2026-05-01T00:00:00 2027-05-01T00:00:00 2028-05-01T00:00:00"),
        ("@yearly", "@yearly", "2027-01-01T00:00:00 2028-01-01T00:00:00 2029-01-01T00:00:00"),
    ] {
        comes(from_one, expected);
        assert_eq!(coming(from_zero, Months::FromZero), expected, "{from_zero}");
    }
}

#[test]
fn names_lists_steps_and_certain_days() {
    comes("@hourly", "2026-03-10T13:00:00 2026-03-10T14:00:00 2026-03-10T15:00:00");
    comes("@DAILY", "2026-03-11T00:00:00 2026-03-12T00:00:00 2026-03-13T00:00:00");
    comes("@midnight", "2026-03-11T00:00:00 2026-03-12T00:00:00 2026-03-13T00:00:00");
    comes("@monthly", "2026-04-01T00:00:00 2026-05-01T00:00:00 2026-06-01T00:00:00");
    comes("@annually", "2027-01-01T00:00:00 2028-01-01T00:00:00 2029-01-01T00:00:00");
    comes("  0\t0   L * * ", "2026-03-31T00:00:00 2026-04-30T00:00:00 2026-05-31T00:00:00");
    comes("0 0 LW * *", "2026-03-31T00:00:00 2026-04-30T00:00:00 2026-05-29T00:00:00");
    // The 15th is a Sunday in March, a Wednesday in April, a Friday in May.
    comes("0 0 15w * *", "2026-03-16T00:00:00 2026-04-15T00:00:00 2026-05-15T00:00:00");
    // It stays within the month: 1 August 2026 is a Saturday, 31 January 2027 a Sunday.
    comes("0 0 1W 8 *", "2026-08-03T00:00:00 2027-08-02T00:00:00 2028-08-01T00:00:00");
    comes("0 0 31W 1 *", "2027-01-29T00:00:00 2028-01-31T00:00:00 2029-01-31T00:00:00");
    comes("0 0 * * 1#2", "2026-04-13T00:00:00 2026-05-11T00:00:00 2026-06-08T00:00:00");
    comes("0 0 * * fri#5", "2026-05-29T00:00:00 2026-07-31T00:00:00 2026-10-30T00:00:00");
    comes("0 0 * * 5L", "2026-03-27T00:00:00 2026-04-24T00:00:00 2026-05-29T00:00:00");
    comes("0 0 * * 7l", "2026-03-29T00:00:00 2026-04-26T00:00:00 2026-05-31T00:00:00");
    comes("0 0 * * 0#L", "2026-03-29T00:00:00 2026-04-26T00:00:00 2026-05-31T00:00:00");
    comes("0 0 13 * 5", "2026-03-13T00:00:00 2026-03-20T00:00:00 2026-03-27T00:00:00");
    comes("0 0 * * fri-sun", "2026-03-13T00:00:00 2026-03-14T00:00:00 2026-03-15T00:00:00");
    comes("0 0 * * 6-7", "2026-03-14T00:00:00 2026-03-15T00:00:00 2026-03-21T00:00:00");
    comes("0 0 * * 5-0", "2026-03-13T00:00:00 2026-03-20T00:00:00 2026-03-27T00:00:00");
    comes("0 0 * * sun-sun", "2026-03-15T00:00:00 2026-03-22T00:00:00 2026-03-29T00:00:00");
    comes("0 0 * * 4/2", "2026-03-12T00:00:00 2026-03-14T00:00:00 2026-03-19T00:00:00");
    comes("*/90 * * * *", "2026-03-10T13:00:00 2026-03-10T14:00:00 2026-03-10T15:00:00");
    comes("20-40/1000000000000 * * * *", "2026-03-10T13:20:00 2026-03-10T14:20:00 2026-03-10T15:20:00");
    // A field that leaves no day out restricts nothing.
    comes("0 0 1-31 * 1", "2026-03-16T00:00:00 2026-03-23T00:00:00 2026-03-30T00:00:00");
    comes("0 0 1 * */1", "2026-04-01T00:00:00 2026-05-01T00:00:00 2026-06-01T00:00:00");
    // The rarest: the fifth Monday of a February. 2100 is no leap year.
    comes("0 0 * 2 1#5", "2044-02-29T00:00:00 2072-02-29T00:00:00 2112-02-29T00:00:00");
}

#[test]
fn what_is_wrong_is_said_with_its_place_and_what_would_be_right() {
    for (text, place, wrong) in [
        ("60 * * * *", 1, "`60` is out of range"),
        ("60 * * * * *", 1, "`60` is out of range"),
        ("0 60 * * * *", 2, "`60` is out of range"),
        ("0 24 * * *", 2, "`24` is out of range"),
        ("0 0 0 * *", 3, "`0` is out of range"),
        ("0 0 1,32 * *", 3, "`32` is out of range"),
        ("0 0 1 0 *", 4, "`0` is out of range"),
        ("0 0 1 13 *", 4, "`13` is out of range"),
        ("0 0 * * 8", 5, "`8` is out of range"),
        ("999999999999999999999 * * * *", 1, "`999999999999999999999` is out of range"),
        ("-1 * * * *", 1, "`-1` lacks a number"),
        ("5- * * * *", 1, "`5-` lacks a number"),
        ("/5 * * * *", 1, "`/5` lacks a number"),
        ("1-2-3 * * * *", 1, "`2-3` is no number"),
        ("1.5 * * * *", 1, "`1.5` is no number"),
        ("+5 * * * *", 1, "`+5` is no number"),
        ("1* * * * *", 1, "`1*` is no number"),
        ("٣ * * * *", 1, "`٣` is no number"),
        ("? * * * *", 1, "`?` is no number"),
        ("L * * * *", 1, "`L` is no number"),
        ("0 jan * * *", 2, "`jan` is no number"),
        ("0 0 L-3 * *", 3, "`L` is no number"),
        ("0 0 L/2 * *", 3, "`L` is no number"),
        ("0 0 1-5W * *", 3, "`1-5` is no number"),
        ("0 0 W * *", 3, "`W` does not say nearest to which day"),
        ("0 0 1 janu *", 4, "`janu` is neither a number nor a name"),
        ("0 0 1 mon *", 4, "`mon` is neither a number nor a name"),
        ("0 0 * * monday", 5, "`monday` is neither a number nor a name"),
        ("0 0 * * +1", 5, "`+1` is neither a number nor a name"),
        ("0 0 * * m\u{0}n", 5, r"`m\0n` is neither a number nor a name"),
        ("0 0 * * L", 5, "`L` does not say the last what"),
        ("0 0 * * #1", 5, "`#1` does not say which weekday"),
        ("0 0 * * 1#6", 5, "`1#6` does not say which of the month, from 1 to 5, or L"),
        ("1,,2 * * * *", 1, "it has an empty item"),
        ("1, * * * *", 1, "it has an empty item"),
        ("0 22-2 * * *", 2, "`22-2` ends before it begins"),
        ("0 0 * oct-mar *", 4, "`oct-mar` ends before it begins"),
        ("*/0 * * * *", 1, "`*/0` has a step of 0"),
        ("*/ * * * *", 1, "`*/` has no number as its step"),
        ("*/-5 * * * *", 1, "`*/-5` has no number as its step"),
        ("1/2/3 * * * *", 1, "`1/2/3` has no number as its step"),
    ] {
        match Cron::parse(text, Months::FromOne) {
            Err(CronError::Field { number, fault, .. }) => assert_eq!((number, fault.as_str()), (place, wrong), "{text}"),
            other => panic!("{text}: {other:?}"),
        }
    }
    let error = |text: &str| Cron::parse(text, Months::FromOne).unwrap_err().to_string();
    assert_eq!(
        error("0 25 * * *"),
        "field 2 (hour) of the cron expression: `25` is out of range; hours are 0 to 23, `*`, ranges, steps and lists of them"
    );
    assert_eq!(
        Cron::parse("0 0 1 12 *", Months::FromZero).unwrap_err().to_string(),
        "field 4 (month) of the cron expression: `12` is out of range; months are 0 (January) to 11 (December) or jan to dec, `*`, ranges, steps and lists of them"
    );
    for (text, count) in [("* * * *", 4), ("* * * * * * *", 7), ("every day", 2), ("0 0 1 1 * 2026-2027 x", 7)] {
        assert_eq!(Cron::parse(text, Months::FromOne), Err(CronError::FieldCount { text: text.into(), count }));
    }
    assert_eq!(
        error("* * * *"),
        "`* * * *` has 4 fields; write five (minute, hour, day of month, month, day of week), or six with seconds first"
    );
    for text in ["", "  \t"] {
        assert_eq!(Cron::parse(text, Months::FromOne), Err(CronError::Missing));
    }
    assert_eq!(
        error("@reboot"),
        "`@reboot` names no schedule; there are @hourly, @daily, @midnight, @weekly, @monthly, @yearly and @annually"
    );
    for text in ["0 0 31 2 *", "0 0 30,31 feb *", "0 0 31 4,6,9,11 *", "0 0 31W 2,4 *"] {
        assert_eq!(error(text), format!("`{text}` would never come: none of its months has such a day"));
    }
    assert_eq!(error(&format!("{} * * * *", "1,".repeat(300))), "the cron expression has 608 bytes; 512 are the most");
}

#[test]
fn it_is_shown_as_it_was_given() {
    for text in ["0 0 1 JAN *", "@daily", "0   12\t* * 1-5"] {
        assert_eq!(cron(text).to_string(), text);
    }
    assert_eq!(cron(" * * * * * ").to_string(), "* * * * *");
}

#[test]
fn it_can_be_written_for_those_who_count_months_otherwise() {
    for (original, standard) in [
        ("0 0 1 0 *", "0 0 1 1 *"),
        ("*/30 0  6 1,15 2-4,JUN,11 mon", "*/30 0 6 1,15 3-5,JUN,12 mon"),
        ("0 0 1 9/1 *", "0 0 1 10-12/1 *"),
        ("0 0 1 3-0 *", "0 0 1 4 *"),
        ("0 0 1 2-0/5 *", "0 0 1 3 *"),
        ("0 0 1 jan-2 *", "0 0 1 1-3 *"),
        ("5-0 0 * */3 0-6", "5-0 0 * */3 0-6"),
    ] {
        let given = Cron::parse(original, Months::FromZero).unwrap();
        assert_eq!(given.to_standard(), standard);
        let again = cron(standard);
        assert_eq!((again.calendar, again.fixed), (given.calendar, given.fixed), "{original}");
    }
    let original = |text: &str| cron(text).to_original();
    assert_eq!(original("0 0 1 1,3-12/2 sat-sun").as_deref(), Some("0 0 1 0,2-11/2 6,0"));
    assert_eq!(original("0 0 * jan 7").as_deref(), Some("0 0 * jan 0"));
    assert_eq!(original("@yearly").as_deref(), Some("0 0 1 0 *"));
    assert_eq!(original("@hourly").as_deref(), Some("0 * * * *"));
    assert_eq!(original("0 0 L * *"), None);
    assert_eq!(original("0 0 * * 1#1"), None);
    assert_eq!(cron("@yearly").to_standard(), "@yearly");
}

/// The instants of three days around a change of the clock in Stockholm.
fn around(text: &str, day: &str) -> String {
    let start = at(&format!("{day}T00:00:00Z")) - SignedDuration::from_hours(1);
    let times = next(&cron(text), start, &zone("Europe/Stockholm"), 5);
    times.iter().map(|time| time.strftime("%m-%dT%H:%MZ").to_string()).collect::<Vec<_>>().join(" ")
}

#[test]
fn no_fixed_time_is_lost_or_doubled_when_the_clock_is_changed() {
    // It goes from 02:00 to 03:00 at 01:00Z.
    assert_eq!(around("30 2 * * *", "2026-03-29"), "03-29T01:00Z 03-30T00:30Z 03-31T00:30Z 04-01T00:30Z 04-02T00:30Z");
    assert_eq!(around("0 2 * * *", "2026-03-29"), "03-29T01:00Z 03-30T00:00Z 03-31T00:00Z 04-01T00:00Z 04-02T00:00Z");
    assert_eq!(around("30 1 * * *", "2026-03-29"), "03-29T00:30Z 03-29T23:30Z 03-30T23:30Z 03-31T23:30Z 04-01T23:30Z");
    assert_eq!(around("0 3 * * *", "2026-03-29"), "03-29T01:00Z 03-30T01:00Z 03-31T01:00Z 04-01T01:00Z 04-02T01:00Z");
    // A list is a list of fixed times. Those that fall together come once.
    assert_eq!(around("0 2,14 * * *", "2026-03-29"), "03-29T01:00Z 03-29T12:00Z 03-30T00:00Z 03-30T12:00Z 03-31T00:00Z");
    assert_eq!(around("0,30 2,3 * * *", "2026-03-29"), "03-29T01:00Z 03-29T01:30Z 03-30T00:00Z 03-30T00:30Z 03-30T01:00Z");
    // It goes from 03:00 to 02:00 at 01:00Z.
    assert_eq!(around("30 2 * * *", "2026-10-25"), "10-25T00:30Z 10-26T01:30Z 10-27T01:30Z 10-28T01:30Z 10-29T01:30Z");
    assert_eq!(around("0 3 * * *", "2026-10-25"), "10-25T02:00Z 10-26T02:00Z 10-27T02:00Z 10-28T02:00Z 10-29T02:00Z");
    assert_eq!(around("0,30 2 * * *", "2026-10-25"), "10-25T00:00Z 10-25T00:30Z 10-26T01:00Z 10-26T01:30Z 10-27T01:00Z");
}

#[test]
fn intervals_go_on_evenly_when_the_clock_is_changed() {
    assert_eq!(around("*/30 * * * *", "2026-03-29"), "03-28T23:30Z 03-29T00:00Z 03-29T00:30Z 03-29T01:00Z 03-29T01:30Z");
    assert_eq!(around("*/30 2 * * *", "2026-03-29"), "03-30T00:00Z 03-30T00:30Z 03-31T00:00Z 03-31T00:30Z 04-01T00:00Z");
    assert_eq!(around("*/30 2 * * *", "2026-10-25"), "10-25T00:00Z 10-25T00:30Z 10-25T01:00Z 10-25T01:30Z 10-26T01:00Z");
    assert_eq!(around("0 1-3 * * *", "2026-10-25"), "10-25T00:00Z 10-25T01:00Z 10-25T02:00Z 10-26T00:00Z 10-26T01:00Z");
}

#[test]
fn a_day_that_a_country_left_out_loses_no_fixed_time() {
    // Samoa had no 30 December 2011.
    let times = next(&cron("0 12 * * *"), at("2011-12-29T00:00:00Z"), &zone("Pacific/Apia"), 3);
    assert_eq!(times, ["2011-12-29T22:00:00Z", "2011-12-30T10:00:00Z", "2011-12-30T22:00:00Z"].map(at));
}

#[test]
fn fractions_of_a_second_are_dropped() {
    let every_second = cron("* * * * * *");
    for (after, expected) in [
        ("2026-03-10T12:34:56Z", "2026-03-10T12:34:57Z"),
        ("2026-03-10T12:34:56.999999999Z", "2026-03-10T12:34:57Z"),
        ("1960-03-10T12:34:56.5Z", "1960-03-10T12:34:57Z"),
        ("1960-03-10T12:34:56Z", "1960-03-10T12:34:57Z"),
    ] {
        assert_eq!(every_second.next_after(at(after), &TimeZone::UTC), Some(at(expected)), "{after}");
        assert_eq!(cron("57 34 12 * * *").next_after(at(after), &TimeZone::UTC), Some(at(expected)), "{after}");
    }
}

#[test]
fn there_is_an_end_of_time() {
    for zone in ["UTC", "Europe/Stockholm", "Pacific/Kiritimati", "Pacific/Pago_Pago"].map(zone) {
        for text in ["* * * * * *", "0 0 * * *", "0 0 29 2 *", "0 0 * 2 1#5", "@yearly", "*/7 * 31 12 *"].map(cron) {
            assert_eq!(text.next_after(Timestamp::MAX, &zone), None);
            assert!(text.next_after(Timestamp::MIN, &zone).is_some_and(|next| next > Timestamp::MIN));
            for hours in 0..72 {
                let after = Timestamp::MAX - SignedDuration::from_hours(hours);
                assert!(text.next_after(after, &zone).is_none_or(|next| next > after));
                let after = Timestamp::MIN + SignedDuration::from_hours(hours);
                assert!(text.next_after(after, &zone).is_some_and(|next| next > after));
            }
        }
    }
}

proptest! {
    #[test]
    fn no_text_is_too_much(text in any::<String>()) {
        let _ = Cron::parse(&text, Months::FromOne);
    }

    #[test]
    fn what_looks_like_one_is_read_or_refused_and_then_goes_forward(text in "([0-9*,/LW#?@a-cjnsu-]{1,6}[ \t]){4,6}", seconds in -30_000_000_000i64..200_000_000_000, zero in any::<bool>()) {
        let months = if zero { Months::FromZero } else { Months::FromOne };
        if let Ok(cron) = Cron::parse(&text, months) {
            let after = Timestamp::from_second(seconds).unwrap();
            for zone in ["UTC", "America/New_York", "Australia/Lord_Howe"].map(super::zone) {
                let next = cron.next_after(after, &zone);
                prop_assert!(next.is_some_and(|next| next > after && next.subsec_nanosecond() == 0));
            }
            let again = super::cron(&cron.to_standard());
            prop_assert_eq!((again.calendar, again.fixed), (cron.calendar, cron.fixed));
            if let Some(original) = cron.to_original() {
                let again = Cron::parse(&original, Months::FromZero).unwrap();
                prop_assert_eq!(again.calendar, cron.calendar);
            }
        }
    }
}
