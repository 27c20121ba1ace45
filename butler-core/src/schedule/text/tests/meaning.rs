//! What the words mean, and when that is.

use super::*;

/// The next four after Tuesday, 2026-03-10T12:34:56Z.
fn comes(text: &str, expected: &str) {
    let count = expected.split(", ").count();
    assert_eq!(next(text, "2026-03-10T12:34:56Z", &TimeZone::UTC, count), expected, "{text}");
}

#[test]
fn counts_are_aligned_to_the_clock() {
    comes("every 30 seconds", "03-10 12:35:00, 03-10 12:35:30, 03-10 12:36:00");
    comes("every 5 minutes", "03-10 12:35:00, 03-10 12:40:00, 03-10 12:45:00");
    comes("EVERY 5 Mins", "03-10 12:35:00, 03-10 12:40:00, 03-10 12:45:00");
    comes("every 10 secs", "03-10 12:35:00, 03-10 12:35:10, 03-10 12:35:20");
    comes("every 6 hours", "03-10 18:00:00, 03-11 00:00:00, 03-11 06:00:00, 03-11 12:00:00");
    comes("every 12 hours", "03-11 00:00:00, 03-11 12:00:00, 03-12 00:00:00");
    comes("every 24 hours", "03-11 00:00:00, 03-12 00:00:00");
    comes("every 7 minutes", "03-10 12:35:00, 03-10 12:42:00, 03-10 12:49:00, 03-10 12:56:00, 03-10 13:00:00");
    comes("every 45 seconds", "03-10 12:35:00, 03-10 12:35:45, 03-10 12:36:00");
    comes("every 0 minutes", "03-10 12:35:00, 03-10 12:36:00");
    comes("every 1 day", "03-11 00:00:00, 03-12 00:00:00");
    comes("every 7 days", "03-15 00:00:00, 03-22 00:00:00, 03-29 00:00:00, 04-01 00:00:00, 04-08 00:00:00");
    comes("every 14 days", "03-15 00:00:00, 03-29 00:00:00, 04-01 00:00:00");
    comes("every 31 days", "04-01 00:00:00, 05-01 00:00:00");
    // The odd weeks by ISO 8601: the 13th begins on 23 March.
    comes("every 2 weeks", "03-23 00:00:00, 04-06 00:00:00, 04-20 00:00:00");
    comes("every 3 months", "04-01 00:00:00, 07-01 00:00:00, 10-01 00:00:00, 01-01 00:00:00");
    comes("every 60 minutes", "03-10 13:00:00, 03-10 14:00:00");
    comes("every 5 minutes starting on the 2nd minute", "03-10 12:37:00, 03-10 12:42:00, 03-10 12:47:00");
    comes("every 15 minutes start at 5", "03-10 12:35:00, 03-10 12:50:00, 03-10 13:05:00");
    comes("every 2 minutes on the 30th second", "03-10 12:36:30, 03-10 12:38:30");
}

#[test]
fn a_unit_alone_is_one_of_it_and_units_have_short_names() {
    comes("every second", "03-10 12:34:57, 03-10 12:34:58");
    comes("every minute", "03-10 12:35:00, 03-10 12:36:00");
    comes("every hour", "03-10 13:00:00, 03-10 14:00:00");
    comes("every day", "03-11 00:00:00, 03-12 00:00:00");
    comes("every week", "03-16 00:00:00, 03-23 00:00:00");
    comes("every month", "04-01 00:00:00, 05-01 00:00:00");
    comes("every year", "01-01 00:00:00, 01-01 00:00:00");
    for text in ["every 1h", "1h", "every h", "every 1 hr", "1 hour", "every 1 hrs"] {
        comes(text, "03-10 13:00:00, 03-10 14:00:00");
    }
    comes("every 20 hrs", "03-10 20:00:00, 03-11 00:00:00, 03-11 20:00:00");
    for text in ["5m", "5 m", "every 5m", "5 minutes", "every 5th minute"] {
        comes(text, "03-10 12:35:00, 03-10 12:40:00");
    }
    comes("1d", "03-11 00:00:00, 03-12 00:00:00");
    comes("every other day", "03-11 00:00:00, 03-13 00:00:00");
}

#[test]
fn a_count_that_is_longer_than_what_it_begins_anew_with_is_an_interval() {
    // 90 minutes since 1970: 16 in a day, from midnight.
    comes("every 90 minutes", "03-10 13:30:00, 03-10 15:00:00, 03-10 16:30:00");
    comes("every 90 seconds", "03-10 12:36:00, 03-10 12:37:30, 03-10 12:39:00");
    comes("every 100 seconds", "03-10 12:35:00, 03-10 12:36:40, 03-10 12:38:20");
    // 2026-03-10 is 20,522 days after 1970-01-01.
    comes("every 48 hours", "03-12 00:00:00, 03-14 00:00:00");
    comes("every 45 days", "04-22 00:00:00, 06-06 00:00:00");
    comes("every 18 months", "01-01 00:00:00, 07-01 00:00:00");
    comes("every 90 minutes on weekends", "03-14 00:00:00, 03-14 01:30:00, 03-14 03:00:00");
    comes("every 90 minutes after 22:00", "03-10 22:30:00, 03-11 22:30:00");
    let zone = TimeZone::get("Europe/Stockholm").unwrap();
    assert_eq!(next("every 90 minutes", "2026-03-29T00:00:00Z", &zone, 2), "03-29 01:30:00, 03-29 03:00:00");
}

#[test]
fn days_and_times_come_as_they_are_read() {
    comes("every weekday", "03-11 00:00:00, 03-12 00:00:00, 03-13 00:00:00, 03-16 00:00:00");
    comes("every weekend", "03-14 00:00:00, 03-15 00:00:00, 03-21 00:00:00");
    comes("at 2:30 am", "03-11 02:30:00, 03-12 02:30:00");
    comes("at 14:30", "03-10 14:30:00, 03-11 14:30:00");
    comes("@ 14:30", "03-10 14:30:00, 03-11 14:30:00");
    comes("at 9am", "03-11 09:00:00, 03-12 09:00:00");
    comes("at 12 pm and 12am, 12:45", "03-10 12:45:00, 03-11 00:00:00, 03-11 12:00:00, 03-11 12:45:00");
    comes("at noon and midnight", "03-11 00:00:00, 03-11 12:00:00");
    comes("at 10:00 am and 5:00 pm every weekday", "03-10 17:00:00, 03-11 10:00:00, 03-11 17:00:00");
    comes("on Monday at 9:00 am", "03-16 09:00:00, 03-23 09:00:00");
    comes("every weekday at 10:00 am", "03-11 10:00:00, 03-12 10:00:00, 03-13 10:00:00, 03-16 10:00:00");
    comes("on mon, wed, and friday at 9:00", "03-11 09:00:00, 03-13 09:00:00, 03-16 09:00:00");
    comes("every thursday", "03-12 00:00:00, 03-19 00:00:00");
    comes("on fri through mon", "03-13 00:00:00, 03-14 00:00:00, 03-15 00:00:00, 03-16 00:00:00, 03-20 00:00:00");
    comes("on the first day of the month", "04-01 00:00:00, 05-01 00:00:00");
    comes("on the last day of the month", "03-31 00:00:00, 04-30 00:00:00");
    comes("on the 15th day of the month at 4:00 am", "03-15 04:00:00, 04-15 04:00:00");
    comes("on the 1st and 15th-17th day", "03-15 00:00:00, 03-16 00:00:00, 03-17 00:00:00, 04-01 00:00:00");
    comes("on the 3rd day of the week", "03-17 00:00:00, 03-24 00:00:00");
    comes("on the 100th day of the year", "04-10 00:00:00, 04-10 00:00:00");
    comes("on the last day of the year at 23:59", "12-31 23:59:00, 12-31 23:59:00");
    comes("on the 3rd week of the month", "03-15 00:00:00, 04-12 00:00:00");
    comes("on Monday on the 1st week of the month", "06-01 00:00:00, 11-02 00:00:00");
    comes("on the last week of the year at 8:00", "12-28 08:00:00, 12-29 08:00:00");
    comes("at 8:00 in june and september", "06-01 08:00:00, 06-02 08:00:00");
    comes("in june", "06-01 00:00:00, 06-01 00:00:00");
    comes("at 8:00 in 2028", "01-01 08:00:00, 01-02 08:00:00");
    comes("every 3 months at 10:00", "04-01 10:00:00, 07-01 10:00:00");
    comes("every 2 weeks on friday at 18:00", "03-13 18:00:00, 03-27 18:00:00");
}

#[test]
fn parts_of_a_clause_restrict_each_other() {
    comes("every 2 hours between 8 and 18", "03-10 14:00:00, 03-10 16:00:00, 03-10 18:00:00, 03-11 08:00:00");
    assert_eq!(
        next("every 10 minutes after 8:00 am", "2026-03-10T23:45:00Z", &TimeZone::UTC, 3),
        "03-10 23:50:00, 03-11 08:00:00, 03-11 08:10:00"
    );
    assert_eq!(next("every 10 minutes before 8:00 am", "2026-03-10T07:45:00Z", &TimeZone::UTC, 2), "03-10 07:50:00, 03-11 00:00:00");
    assert_eq!(
        next("every 30 minutes between 9am and 5pm on weekdays", "2026-03-13T16:10:00Z", &TimeZone::UTC, 3),
        "03-13 16:30:00, 03-13 17:00:00, 03-16 09:00:00"
    );
    comes("every 5 minutes on weekdays", "03-10 12:35:00, 03-10 12:40:00");
    comes(
        "every 20 minutes between 14 and 15 hours",
        "03-10 14:00:00, 03-10 14:20:00, 03-10 14:40:00, 03-10 15:00:00, 03-10 15:20:00, 03-10 15:40:00, 03-11 14:00:00",
    );
    comes("every 2 hours after 20", "03-10 20:00:00, 03-10 22:00:00, 03-11 20:00:00");
    comes("every 2 hours before 3", "03-11 00:00:00, 03-11 02:00:00, 03-12 00:00:00");
    comes("every hour on the 15th minute", "03-10 13:15:00, 03-10 14:15:00");
    comes("at 15 minutes past every hour", "03-10 13:15:00, 03-10 14:15:00");
    comes("at 15 minutes past every 6 hours on sunday", "03-15 00:15:00, 03-15 06:15:00");
    comes("every 2 hours at 40 mins past the hour", "03-10 12:40:00, 03-10 14:40:00");
    comes("on the last minute", "03-10 12:59:00, 03-10 13:59:00");
}

#[test]
fn clauses_add_up_and_exceptions_take_away() {
    comes("every 25 mins also every 20 mins", "03-10 12:40:00, 03-10 12:50:00, 03-10 13:00:00, 03-10 13:20:00, 03-10 13:25:00");
    comes("at 10:00 on weekdays also at 11:00 on weekends", "03-11 10:00:00, 03-12 10:00:00, 03-13 10:00:00, 03-14 11:00:00");
    comes("every day except on weekends", "03-11 00:00:00, 03-12 00:00:00, 03-13 00:00:00, 03-16 00:00:00");
    comes("every second except on tuesday", "03-11 00:00:00, 03-11 00:00:01");
    comes("every hour except between 13 and 15 hours", "03-10 16:00:00, 03-10 17:00:00");
    comes("every 20 minutes except at 12:40 except at 13:00", "03-10 13:20:00, 03-10 13:40:00, 03-10 14:00:00");
    comes("every 5 minutes except before 18:00", "03-10 18:00:00, 03-10 18:05:00");
    comes("every day at 6:00 except every 2 months", "04-01 06:00:00");
    comes("every second except before 23:59", "03-10 23:59:00");
}

#[test]
fn the_clock_is_that_of_the_zone() {
    let zone = TimeZone::get("Europe/Stockholm").unwrap();
    let around = |text: &str, day: &str| next(text, &format!("{day}T23:10:00Z"), &zone, 3);
    assert_eq!(around("at 2:30 am", "2026-03-28"), "03-29 01:00:00, 03-30 00:30:00, 03-31 00:30:00");
    assert_eq!(around("at 2:30 am", "2026-10-24"), "10-25 00:30:00, 10-26 01:30:00, 10-27 01:30:00");
    assert_eq!(around("every 30 minutes", "2026-03-28"), "03-28 23:30:00, 03-29 00:00:00, 03-29 00:30:00");
    assert_eq!(around("every hour between 1 and 3", "2026-03-28"), "03-29 00:00:00, 03-29 01:00:00, 03-29 23:00:00");
    assert_eq!(around("every hour between 1 and 3", "2026-10-24"), "10-25 00:00:00, 10-25 01:00:00, 10-25 02:00:00");
    assert_eq!(around("every day except on sunday", "2026-03-27"), "03-29 22:00:00, 03-30 22:00:00, 03-31 22:00:00");
}

#[test]
fn it_says_what_may_not_be_expected() {
    let warnings = |text: &str| schedule(text).warnings().join("; ");
    for text in [
        "every 5 minutes",
        "every 6 hours",
        "every 24 hours",
        "every 3 months",
        "every day",
        "every weekday",
        "every 7 minutes between 0 and 30",
        "at 9am",
    ] {
        assert_eq!(warnings(text), "", "{text}");
    }
    assert_eq!(
        warnings("every 7 minutes"),
        "`every 7 minutes` begins anew with each hour, since 7 does not divide 60: the last interval in it is shorter"
    );
    assert_eq!(
        warnings("every 45 seconds"),
        "`every 45 seconds` begins anew with each minute, since 45 does not divide 60: the last interval in it is shorter"
    );
    assert_eq!(warnings("every 7 days"), "`every 7 days` counts the days of the month and begins anew with each month, on the 1st");
    assert_eq!(warnings("every 2 weeks"), "`every 2 weeks` begins anew with each year, which is not always a multiple of 2 weeks");
    assert_eq!(
        warnings("every 90 minutes"),
        "`every 90 minutes` is longer than an hour: it is counted from the beginning of 1970, where the original Butler runs once an hour"
    );
    assert_eq!(warnings("every 0 minutes"), "`every 0 minutes` is taken as every 1");
    assert_eq!(schedule("every 7 minutes also every 45 seconds").warnings().len(), 2);
}
