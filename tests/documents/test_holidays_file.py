"""Calendars of holidays: what counts, and what is refused."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from promoter.documents.holidays_file import parse_holidays
from promoter.domain.window import Holiday
from promoter.errors import InvalidDocument


def calendar(*events):
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//shop//holidays//EN"]
    for event in events:
        lines += ["BEGIN:VEVENT", f"UID:{len(lines)}", *event.split("|"), "END:VEVENT"]
    return ("\r\n".join([*lines, "END:VCALENDAR"]) + "\r\n").encode()


def test_days_times_and_what_comes_again_are_told_for_two_years():
    content = calendar(
        "SUMMARY:Christmas|DTSTART;VALUE=DATE:20201224|DTEND;VALUE=DATE:20201227|RRULE:FREQ=YEARLY",
        "SUMMARY:A day|DTSTART;VALUE=DATE:20260501",
        "SUMMARY:Inventory|DTSTART;TZID=Europe/Berlin:20260701T080000|DURATION:PT2H",
        "SUMMARY:Long ago|DTSTART;VALUE=DATE:20200101",
    )
    day, inventory, *christmas = parse_holidays(content, "holidays.ics", 2026)
    assert day == Holiday("A day", date(2026, 5, 1), date(2026, 5, 2))
    assert inventory.begin.astimezone(UTC) == datetime(2026, 7, 1, 6, tzinfo=UTC)
    assert inventory.end.astimezone(UTC) == datetime(2026, 7, 1, 8, tzinfo=UTC)
    assert christmas == [Holiday("Christmas", date(year, 12, 24), date(year, 12, 27)) for year in (2026, 2027)]


def test_the_last_day_of_the_year_is_told_while_it_lasts_anywhere():
    content = calendar("SUMMARY:New Year's Eve|DTSTART;VALUE=DATE:20251231")
    assert [holiday.begin for holiday in parse_holidays(content, "holidays.ics", 2026)] == [date(2025, 12, 31)]


def test_an_exception_of_what_comes_again_is_none():
    content = calendar(
        "SUMMARY:Audit|DTSTART;VALUE=DATE:20260105|RRULE:FREQ=MONTHLY;COUNT=3|EXDATE;VALUE=DATE:20260205"
    )
    assert [holiday.begin for holiday in parse_holidays(content, "holidays.ics", 2026)] == [
        date(2026, 1, 5),
        date(2026, 3, 5),
    ]


def test_an_empty_calendar_has_no_holidays():
    assert parse_holidays(calendar(), "holidays.ics", 2026) == ()


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "it is no iCalendar file"),
        (b"hello", "it is no iCalendar file"),
        (b"\xff", "it is no iCalendar file"),
        (b"BEGIN:VCALENDAR\r\n", "it is no iCalendar file"),
        (b" " * 70_000, "it has 70000 bytes"),
        (calendar("SUMMARY:x"), "the event 'x' has no DTSTART"),
        (calendar("SUMMARY:x|DTSTART:nonsense"), "the event 'x' cannot be read"),
        (calendar("SUMMARY:x|DTSTART:20260101T000000"), "a time without a time zone"),
        (calendar("SUMMARY:x|DTSTART;VALUE=DATE:20260105|DTEND;VALUE=DATE:20260101"), "ends before it begins"),
        (calendar("SUMMARY:x|DTSTART;VALUE=DATE:00010101|RRULE:FREQ=DAILY"), "begins in 1. Begin in 1970"),
        (calendar("SUMMARY:x|DTSTART:20260101T000000Z|RRULE:FREQ=SECONDLY"), "comes back within a day"),
        (calendar("SUMMARY:x|DTSTART:20260101T000000Z|RRULE:FREQ=DAILY;BYSECOND=1,2"), "comes back within a day"),
        (
            calendar(*["SUMMARY:x|DTSTART;VALUE=DATE:20200101|RRULE:FREQ=DAILY"] * 2),
            "it has 14",
        ),
        (calendar(*["SUMMARY:x|DTSTART;VALUE=DATE:20200101"] * 501), "it has 501 events"),
    ],
)
def test_what_is_no_calendar_of_holidays_is_refused(content, complaint):
    with pytest.raises(InvalidDocument, match=complaint):
        parse_holidays(content, "holidays.ics", 2026)
