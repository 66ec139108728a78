"""Windows on wall clocks: daylight saving, holidays, windows that touch."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from promoter.decisions.opening import longest_opening, next_opening, open_until
from promoter.domain.window import Holiday, Window, instant
from promoter.errors import InvalidName

BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"


def window(cron, hours, zone=BERLIN):
    return Window(cron, timedelta(hours=hours), zone)


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def spans(windows, begin, end, holidays=()):
    """From when to when it is open, between two moments."""
    found, at = [], utc(begin)
    while (opening := next_opening(windows, holidays, at)) and opening[0] < utc(end):
        at = open_until(windows, holidays, opening[0], utc("2027-01-01"))
        found.append((f"{opening[0]:%m-%d %H:%M}", f"{at:%m-%d %H:%M}"))
    return found


OFFICE = window("0 9 * * 1-4", 7)


@pytest.mark.parametrize(
    ("at", "closes"),
    [
        ("2026-11-23 07:59:59", None),  # Monday, a second before nine in Berlin
        ("2026-11-23 08:00", "2026-11-23 15:00"),
        ("2026-11-23 14:59:59", "2026-11-23 15:00"),
        ("2026-11-23 15:00", None),
        ("2026-11-27 10:00", None),  # Friday
        ("2026-07-06 07:00", "2026-07-06 14:00"),  # in summer
    ],
)
def test_a_window_is_open_from_its_first_moment_to_before_its_last(at, closes):
    found = open_until([OFFICE], (), utc(at), utc(at) + timedelta(seconds=1))
    assert found == (closes and utc(closes))


@pytest.mark.parametrize(
    ("cron", "hours", "zone", "begin", "end", "expected"),
    [
        # The clocks go forward on 2026-03-29 at 01:00 UTC in Berlin, 02:00 to 03:00.
        ("0 1 * * *", 3, BERLIN, "2026-03-28 12:00", "2026-03-29 12:00", [("03-29 00:00", "03-29 02:00")]),
        ("30 2 * * *", 2, BERLIN, "2026-03-28 12:00", "2026-03-29 12:00", [("03-29 01:00", "03-29 02:30")]),
        ("0 1 * * *", 1.5, BERLIN, "2026-03-28 12:00", "2026-03-29 12:00", [("03-29 00:00", "03-29 01:00")]),
        ("0 2 * * *", 1, BERLIN, "2026-03-28 12:00", "2026-03-29 12:00", []),
        ("0 22 * * *", 7, BERLIN, "2026-03-28 12:00", "2026-03-29 12:00", [("03-28 21:00", "03-29 03:00")]),
        # They go back on 2026-10-25 at 01:00 UTC, 03:00 to 02:00.
        ("0 2 * * *", 1, BERLIN, "2026-10-24 12:00", "2026-10-25 12:00", [("10-25 00:00", "10-25 02:00")]),
        ("45 2 * * *", 1, BERLIN, "2026-10-24 12:00", "2026-10-25 12:00", [("10-25 00:45", "10-25 02:45")]),
        ("30 1 * * *", 1, BERLIN, "2026-10-24 12:00", "2026-10-25 12:00", [("10-24 23:30", "10-25 00:30")]),
        ("0 22 * * *", 7, BERLIN, "2026-10-24 12:00", "2026-10-25 12:00", [("10-24 20:00", "10-25 04:00")]),
        # New York: 2026-03-08 at 07:00 UTC, and 2026-11-01 at 06:00 UTC.
        ("30 2 * * *", 1, NEW_YORK, "2026-03-07 12:00", "2026-03-08 12:00", [("03-08 07:00", "03-08 07:30")]),
        ("0 1 * * *", 1, NEW_YORK, "2026-03-07 12:00", "2026-03-08 12:00", [("03-08 06:00", "03-08 07:00")]),
        ("0 1 * * *", 1, NEW_YORK, "2026-10-31 12:00", "2026-11-01 12:00", [("11-01 05:00", "11-01 07:00")]),
        ("0 9 * * 0", 8, NEW_YORK, "2026-10-31 12:00", "2026-11-02 12:00", [("11-01 14:00", "11-01 22:00")]),
    ],
)
def test_windows_follow_the_wall_clock_over_changes_of_the_clocks(cron, hours, zone, begin, end, expected):
    assert spans([window(cron, hours, zone)], begin, end) == expected


def test_the_second_pass_of_an_hour_that_comes_twice_is_in_a_window_that_opened_late_in_the_first():
    second = utc("2026-10-25 01:10")
    assert second.astimezone(ZoneInfo(BERLIN)).fold == 1
    assert open_until([window("45 2 * * *", 1)], (), second, second + timedelta(seconds=1)) == utc("2026-10-25 02:45")


def test_windows_that_touch_or_overlap_are_one_over_time_zones_too():
    both = [window("0 9 * * *", 8), window("0 11 * * *", 6, NEW_YORK)]
    assert spans(both, "2026-11-22 06:00", "2026-11-23 06:00") == [("11-22 08:00", "11-22 22:00")]
    assert spans([window("0 */6 * * *", 6, "UTC")], "2026-11-22 00:00", "2026-11-22 01:00")[0][1] == "01-01 00:00"


def test_on_a_holiday_no_window_is_open_by_the_clock_of_each():
    windows = [window("0 20 * * *", 8, NEW_YORK)]
    thanksgiving = Holiday("Thanksgiving", date(2026, 11, 26), date(2026, 11, 27))
    assert spans(windows, "2026-11-25 12:00", "2026-11-28 12:00", [thanksgiving]) == [
        ("11-26 01:00", "11-26 05:00"),
        ("11-27 05:00", "11-27 09:00"),
        ("11-28 01:00", "11-28 09:00"),
    ]


def test_a_holiday_of_some_hours_closes_for_those():
    inventory = Holiday("Inventory", utc("2026-11-23 10:00"), utc("2026-11-23 11:00"))
    assert spans([OFFICE], "2026-11-23 00:00", "2026-11-24 00:00", [inventory]) == [
        ("11-23 08:00", "11-23 10:00"),
        ("11-23 11:00", "11-23 15:00"),
    ]


def test_a_window_that_holidays_always_cover_never_opens():
    whole = Holiday("For good", date(2026, 1, 1), date(2036, 1, 1))
    often = Window("* * * * *", timedelta(minutes=1), "UTC")
    christmas = window("0 9 25 12 *", 1)
    every = [Holiday("Christmas", date(year, 12, 25), date(year, 12, 26)) for year in range(2026, 2028)]
    assert next_opening([often], [whole], utc("2026-11-22 12:00")) == (utc("2036-01-01 00:00"), often)
    assert next_opening([christmas], every, utc("2026-11-22 12:00"))[0] == utc("2028-12-25 08:00")
    assert open_until([often], [whole], utc("2026-11-22 12:00"), utc("2026-11-22 13:00")) is None


def test_the_longest_time_without_a_break_is_found_over_the_year():
    day = date(2026, 11, 22)
    assert longest_opening((OFFICE,), (), day) == timedelta(hours=7)
    assert longest_opening((window("0 22 * * *", 7),), (), day) == timedelta(hours=8)  # when the clocks go back
    assert longest_opening((window("0 0 * * *", 24),), (), day) >= timedelta(days=366)


@pytest.mark.parametrize(
    ("cron", "zone", "complaint"),
    [
        ("0 9 * *", BERLIN, "is no cron expression: write minute"),
        ("0 0 9 * * 1", BERLIN, "is no cron expression: write minute"),
        ("60 9 * * *", BERLIN, "its minute cannot be read"),
        ("0 9 * * MON-", BERLIN, "its day-of-week cannot be read"),
        ("0 9 31 2 *", BERLIN, "its day-of-month cannot be read"),
        ("0 9 * * 1", "Berlin/Europe", "is no time zone"),
        ("0 9 * * 1", "../etc/passwd", "is no time zone"),
        ("0 9 * * 1", "localtime", "is no time zone"),
    ],
)
def test_what_is_no_window_is_refused(cron, zone, complaint):
    with pytest.raises(InvalidName, match=complaint):
        window(cron, 1, zone)


BEGIN = datetime.fromisoformat("2026-01-01")
MOMENTS = st.integers(0, 2 * 365 * 86400).map(lambda seconds: BEGIN.replace(tzinfo=UTC) + timedelta(seconds=seconds))
ZONES = st.sampled_from([BERLIN, NEW_YORK, "UTC", "Australia/Lord_Howe", "Asia/Kathmandu"])
CRONS = st.builds(
    "{} {} * * {}".format,
    st.integers(0, 59),
    st.one_of(st.just("*"), st.integers(0, 23)),
    st.sampled_from(["*", "1-5", "0", "3"]),
)
WINDOWS = st.builds(Window, CRONS, st.integers(1, 3000).map(lambda minutes: timedelta(minutes=minutes)), ZONES)


@given(MOMENTS, WINDOWS)
def test_a_moment_is_inside_where_the_wall_clocks_say_so(at, window):
    """Minute by minute backwards on the clock, with none of the library's iteration."""
    closes = open_until([window], (), at, at + timedelta(seconds=1))
    local = at.astimezone(window.zone)
    assume(not local.fold and (local + timedelta(days=1)).utcoffset() == local.utcoffset())
    minute, hour, _, _, days = window.cron.split()
    wanted = {"*": range(7), "1-5": range(1, 6), "0": [0], "3": [3]}[days]
    wall = local.replace(tzinfo=None, second=0)
    opened = None
    for back in range(int(window.duration / timedelta(minutes=1)) + 1):
        then = wall - timedelta(minutes=back)
        if then.minute == int(minute) and hour in ("*", str(then.hour)) and then.isoweekday() % 7 in wanted:
            opened = then
            break
    inside = opened is not None and instant(opened, window.zone) <= at < instant(opened + window.duration, window.zone)
    assert (closes is not None) == inside


@given(MOMENTS, st.lists(WINDOWS, min_size=1, max_size=3))
def test_what_opens_next_is_closed_before_and_open_then(at, windows):
    opening, window = next_opening(windows, (), at)
    assert opening >= at
    assert open_until(windows, (), opening, opening + timedelta(seconds=1)) is not None
    assert open_until([window], (), opening, opening + timedelta(seconds=1)) is not None
    if opening > at:
        assert open_until(windows, (), at, at + timedelta(seconds=1)) is None
        before = opening - timedelta(seconds=1)
        assert before < at or open_until(windows, (), before, opening) is None


@given(st.datetimes(BEGIN, BEGIN + timedelta(days=365)), st.timedeltas(timedelta(0), timedelta(hours=3)), ZONES)
def test_a_later_wall_time_is_never_an_earlier_instant(wall, later, zone):
    assert instant(wall, ZoneInfo(zone)) <= instant(wall + later, ZoneInfo(zone))
