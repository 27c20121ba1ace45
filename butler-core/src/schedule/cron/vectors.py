#!/usr/bin/env python3
"""Writes vectors.tsv: next times of cron expressions as `cronsim` finds them, which is an implementation of its own, in another language.

    pip install cronsim==2.8 && ./vectors.py > vectors.tsv

Each row: expression, zone, instant, the next time. Most instants lie around changes of the clock.

`cronsim` follows Debian's cron, whose rules for changes of the clock are ours where both see the same kind of expression. Left out is, by these rules alone:

1. Expressions of five fields whose minute or hour has a range or a step while neither begins with a star: fixed times there, an interval here.
2. Expressions of six fields without a star in second, minute or hour: an interval there, fixed times here.
3. A star with a step as one sort of days while the other sort is restricted, and days `1-31` or `0-6`: Debian looks at the letter, we look at what is left out.
4. Steps on weekdays without an end: they go on to 7 there, to 6 here.
5. Answers that are not later than the instant. For fixed times it looks at the wall clock alone, and does not know in which of two equal hours it begins.
6. Answers at a time that the wall clock does not show, to an interval. It begins each day at 00:00, also where that is missing.
7. Intervals in Lord Howe, where the change is half an hour, that are not every hour or have a single minute. It steps by whole hours.

Nothing lies later than 2026, and nothing of Morocco later than 2024, because rules of time change; only days that are rarer are looked for in India and in UTC.
"""

import random
import sys
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from cronsim import CronSim

UTC = timezone.utc

# Zones with the years from which changes of their clocks are taken.
ZONES = {
    "Europe/Stockholm": (2023, 2026),
    "Europe/London": (2024, 2025),
    "America/New_York": (2023, 2026),
    "America/Sao_Paulo": (2016, 2018),
    "America/St_Johns": (2024, 2025),
    "America/Santiago": (2023, 2024),
    "Asia/Beirut": (2024, 2025),
    "Australia/Sydney": (2023, 2025),
    "Australia/Lord_Howe": (2023, 2025),
    "Africa/Casablanca": (2023, 2024),
    "Atlantic/Azores": (2024, 2025),
    "Pacific/Apia": (2011, 2012),
    "Asia/Kolkata": (2024, 2024),
    "UTC": (2024, 2024),
}

LAST_YEAR = {"Africa/Casablanca": 2024, "Asia/Kolkata": 2045, "UTC": 2045}

FIXED = ["0 0", "30 0", "15 1", "30 1", "0 2", "15 2", "30 2", "45 2", "0 3", "30 3", "59 23", "0 12", "0,30 2", "0 2,14", "5,35 1,2,3", "0 0,12", "30 23,0"]
INTERVALS = ["*", "*/5", "*/15", "*/30", "0", "30", "10,40", "0-20/10", "20-40"]
HOURS = ["*", "*/2", "*/3", "*/6"]
STAR_MINUTES_HOURS = ["2", "1-3", "0,2", "0-4/2", "23", "8-17"]
SECONDS = ["*/10", "*/30", "0", "15,45", "*/7", "30-40"]
DAYS = [
    "* * *", "* * *", "* * *", "* * 0", "* * sun", "* * 7", "* * mon-fri", "* * 1-5", "* * 6,0", "* * sat,sun", "* * 0L", "* * 5L", "* * 1#1", "* * sun#5",
    "* * */2", "1 * *", "L * *", "LW * *", "15,L * *", "29,30,31 * *", "*/2 * *", "10/7 * *", "1-7 * *", "25-31 3,10 *", "* 3,10 *", "* mar,oct *", "* */2 *",
    "* nov-dec *", "13 * 5", "1 * mon", "1,15 * 0,6", "L * sun", "29 2 *", "* 2 1#5", "31 * *", "30 12 *", "1-7 4,10 0",
]


def changes(zone, years):
    """The instants at which the clock of the zone is changed."""
    at, end = datetime(years[0], 1, 1, tzinfo=UTC), datetime(years[1] + 1, 1, 1, tzinfo=UTC)
    found = []
    while at < end:
        later = at + timedelta(hours=6)
        if at.astimezone(zone).utcoffset() != later.astimezone(zone).utcoffset():
            low, high = at, later
            while high - low > timedelta(seconds=1):
                middle = low + timedelta(seconds=(high - low) // timedelta(seconds=2))
                if middle.astimezone(zone).utcoffset() == low.astimezone(zone).utcoffset():
                    low = middle
                else:
                    high = middle
            found.append(high)
        at = later
    return found


def expression(rng, name):
    """An expression, and whether it is an interval."""
    days = rng.choice(DAYS)
    kind = rng.random()
    if kind < 0.5:
        return f"{rng.choice(FIXED)} {days}", False
    if name == "Australia/Lord_Howe":
        return f"{rng.choice(['*', '*/5', '*/15', '*/30', '10,40', '0-20/10'])} * {days}", True
    if kind < 0.75:
        return f"{rng.choice(INTERVALS)} {rng.choice(HOURS)} {days}", True
    if kind < 0.85:
        return f"{rng.choice(['*', '*/5', '*/20'])} {rng.choice(STAR_MINUTES_HOURS)} {days}", True
    return f"{rng.choice(SECONDS)} {rng.choice(INTERVALS)} {rng.choice(HOURS)} {days}", True


def instant(rng, zone_changes, years):
    """Mostly near a change of the clock, sometimes right at it."""
    if not zone_changes or rng.random() < 0.15:
        start = datetime(years[0], 1, 1, tzinfo=UTC)
        return start + timedelta(seconds=rng.randrange(0, (years[1] - years[0] + 1) * 365 * 86400))
    change = rng.choice(zone_changes)
    kind = rng.random()
    if kind < 0.2:
        return change + timedelta(seconds=rng.choice([-3600, -1800, -1, 0, 1, 1800, 3600]))
    if kind < 0.7:
        return change + timedelta(minutes=5 * rng.randrange(-36, 36))
    return change + timedelta(seconds=rng.randrange(-2 * 86400, 86400))


def following(pattern, at, zone, interval):
    """The next time, or none where a rule leaves it out."""
    found = next(CronSim(pattern, at.astimezone(zone if zone.key != "UTC" else UTC)))
    if interval and found.astimezone(UTC).astimezone(found.tzinfo).replace(tzinfo=None) != found.replace(tzinfo=None):
        return None
    found = found.astimezone(UTC)
    return found if found > at else None


def main():
    rng = random.Random(20260310)
    rows = set()
    for name, years in ZONES.items():
        zone = ZoneInfo(name)
        zone_changes = changes(zone, years)
        wanted = 100 if not zone_changes else 250
        mine = set()
        while len(mine) < wanted:
            pattern, interval = expression(rng, name)
            at = instant(rng, zone_changes, years)
            # A few in a row, as a scheduler asks.
            for _ in range(3):
                found = following(pattern, at, zone, interval)
                if found is None or found.year > LAST_YEAR.get(name, 2026):
                    break
                mine.add((pattern, name, at.strftime("%Y-%m-%dT%H:%M:%SZ"), found.strftime("%Y-%m-%dT%H:%M:%SZ")))
                at = found
        rows |= mine
    for row in sorted(rows, key=lambda row: (row[1], row[2], row[0])):
        sys.stdout.write("\t".join(row) + "\n")


main()
