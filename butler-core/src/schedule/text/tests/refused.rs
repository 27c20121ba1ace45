//! What is refused, with its place, and any text at all.

use proptest::prelude::*;

use super::*;

#[test]
fn what_is_not_understood_is_shown_with_its_place() {
    for (text, place, expected) in [
        ("every 5", 8, "a unit of time was expected"),
        ("every", 6, "a unit of time was expected"),
        ("nonsense", 1, "`every 5 minutes`, `every weekday`"),
        ("every 5 minuts", 9, "a unit of time was expected"),
        ("every 5 minutes sharp", 17, "`every 5 minutes`, `every weekday`"),
        ("every 5 minutes every 7 minutes", 23, "minutes are counted twice"),
        ("on monday on friday", 14, "days of the week are named twice"),
        ("every five minutes", 7, "a unit of time was expected"),
        ("every 2 weekdays", 9, "a unit of time was expected"),
        ("at 25:00", 4, "a time such as"),
        ("at 9", 4, "a time such as"),
        ("at 13pm", 4, "a time such as"),
        ("at 9:5", 4, "a time such as"),
        ("at 14:30 and", 13, "a time such as"),
        ("at 75 minutes past every hour", 4, "minutes are 0 to 59"),
        ("at 15 minutes", 14, "`past every hour` was expected"),
        ("every 2 hours between 8 and 25", 23, "hours are 0 to 23"),
        ("every 2 hours between 18 and 8", 23, "it ends before it begins"),
        ("every 2 hours between 8", 24, "`and` and another number"),
        ("every hour between 17:00 and 9:00", 30, "it is earlier than where it begins"),
        ("every minute before 0 hours", 21, "nothing is before 0"),
        ("on the 32nd day of the month", 8, "days are 1 to 31"),
        ("on the 5-2 day of the month", 8, "the range ends before it begins"),
        ("on the 15th", 12, "a unit of time was expected"),
        ("on the first monday", 14, "`0 9 * * 1#1`"),
        ("on", 3, "a day such as Monday"),
        ("after 8:00", 11, "not how often"),
        ("every 5 minutes starting on the 3rd hour", 33, "does not count them"),
        ("every 5 minutes starting on the 70th", 33, "minutes are 0 to 59"),
        ("every 90 minutes between 5 and 10", 1, "it has no start and no end within one"),
        ("every 5 minutes at 10:00", 1, "it names times and an interval"),
        ("every 4000000000 seconds", 7, "it is too large"),
        ("every day also", 15, "`every 5 minutes`, `every weekday`"),
        ("every day except", 17, "`every 5 minutes`, `every weekday`"),
        ("every day except on sunday also at 9am", 28, "`also` comes before `except`"),
        ("every day except every 90 minutes", 18, "can't be an exception"),
        ("every dåg", 7, "a unit of time was expected"),
        ("jeden tåg € 5", 1, "`every 5 minutes`"),
        ("åt 9am", 1, "`every 5 minutes`"),
    ] {
        match TextSchedule::parse(text) {
            Err(TextError::NotUnderstood { position, fault, .. }) => {
                assert!(fault.contains(expected), "{text}: {fault}");
                assert_eq!(position, place, "{text}: {fault}");
            }
            other => panic!("{text}: {other:?}"),
        }
    }
    let error = |text: &str| TextSchedule::parse(text).unwrap_err().to_string();
    assert_eq!(
        error("every dåg at 9am"),
        "`every dåg at 9am` is not understood at character 7, `dåg`: a unit of time was expected: seconds, minutes, hours, days, weeks, months or years"
    );
    assert_eq!(
        error("every 5"),
        "`every 5` is not understood at character 8, its end: a unit of time was expected: seconds, minutes, hours, days, weeks, months or years"
    );
}

#[test]
fn what_would_never_come_is_refused() {
    for text in [
        "on the 31st day of the month in february",
        "every day after 8:00",
        "every second except every day",
        "every 90 minutes after 23:00",
        "every 90 minutes on the 30th second",
        "on the 53rd week of the year in june",
        "every second except after 0:00",
    ] {
        assert_eq!(TextSchedule::parse(text), Err(TextError::Never { text: text.into() }), "{text}");
    }
}

#[test]
fn nothing_and_too_much_are_refused() {
    assert_eq!(TextSchedule::parse(" "), Err(TextError::Missing));
    let long = "every day also ".repeat(100);
    assert_eq!(TextSchedule::parse(&long), Err(TextError::TooLong { length: 1499 }));
}

proptest! {
    #[test]
    fn no_text_is_too_much(text in any::<String>()) {
        let _ = TextSchedule::parse(&text);
    }

    #[test]
    fn whatever_is_made_of_its_words_is_read_or_refused_and_then_goes_forward(
        words in proptest::collection::vec(prop_oneof![
            Just("every"), Just("on"), Just("the"), Just("at"), Just("between"), Just("and"), Just("after"), Just("before"), Just("starting"), Just("also"), Just("except"),
            Just("first"), Just("last"), Just("day"), Just("of the"), Just("month"), Just("week"), Just("year"), Just("minutes"), Just("hours"), Just("seconds"), Just("monday"),
            Just("june"), Just("weekday"), Just("2"), Just("7"), Just("15th"), Just("90"), Just("9am"), Just("14:30"), Just("-"), Just(","), Just("2028"), Just("0"),
        ], 1..9),
        start in prop_oneof![Just("every 5 minutes"), Just("every 2 days"), Just("at 14:30"), Just("on"), Just("every"), Just("every 90 minutes"), Just("")],
        seconds in -5_000_000_000i64..20_000_000_000,
    ) {
        let text = format!("{start} {}", words.join(" "));
        if let Ok(schedule) = TextSchedule::parse(&text) {
            let after = Timestamp::from_second(seconds).unwrap();
            for zone in ["UTC", "America/New_York"] {
                let next = schedule.next_after(after, &TimeZone::get(zone).unwrap());
                prop_assert!(next.is_none_or(|next| next > after && next.subsec_nanosecond() == 0));
            }
        }
    }
}

#[test]
fn there_is_an_end_of_time() {
    for text in [
        "every second",
        "every 90 minutes",
        "every 400 days",
        "on the last day of the year at 23:59",
        "every day except on weekends",
        "every 100000 hours",
        "every 2 years",
    ] {
        let schedule = schedule(text);
        for zone in ["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"].map(|name| TimeZone::get(name).unwrap()) {
            assert_eq!(schedule.next_after(Timestamp::MAX, &zone), None, "{text}");
            assert!(schedule.next_after(Timestamp::MIN, &zone).is_none_or(|next| next > Timestamp::MIN), "{text}");
        }
    }
}
