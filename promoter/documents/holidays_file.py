"""Business holidays as an iCalendar file (RFC 5545). People's file; the promoter only reads it.

docs/windows.md says what of it counts.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, NoReturn

from promoter.domain.window import Holiday
from promoter.errors import InvalidDocument

LARGEST_BYTES = 64 * 1024
_MOST_EVENTS = 500
_MOST_HOLIDAYS = 1000

# One event that comes every second is a file of ten lines and millions of holidays.
_FREQUENCIES = frozenset({"DAILY", "WEEKLY", "MONTHLY", "YEARLY"})
_TIMES = frozenset({"BYHOUR", "BYMINUTE", "BYSECOND"})
_FIRST_YEAR = 1970

# The published types know each property as any of thirty kinds.
_Component = Any


def parse_holidays(content: bytes, where: str, year: int) -> tuple[Holiday, ...]:
    """Every event of `year`, the one after it, and those that reach into them; recurring ones once for each time.

    `year` is one in UTC: somewhere it is still the last day of the one before, so that is in it as well. In
    the order of their days. Raises InvalidDocument.
    """
    # A quarter of a second, and most promoters read no such file.
    from recurring_ical_events import of  # type: ignore[import-untyped]  # noqa: PLC0415 - as above

    calendar = _calendar(content, where)
    events = calendar.walk("VEVENT")
    if len(events) > _MOST_EVENTS:
        _refuse(where, f"it has {len(events)} events", f"Leave {_MOST_EVENTS} at most")
    try:
        for event in events:
            _check(event, where)
        found = of(calendar).between(date(year - 1, 12, 31), date(year + 2, 1, 1))
        holidays = [_holiday(event) for event in found]
    except InvalidDocument:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a library makes of a broken event, it is the file's fault
        _refuse(where, f"its events cannot be told ({_line(error)})", "Write each with DTSTART, and DTEND or DURATION")
    if len(holidays) > _MOST_HOLIDAYS:
        _refuse(where, f"it has {len(holidays)} holidays in two years", f"Leave {_MOST_HOLIDAYS} at most")
    return tuple(sorted(holidays, key=lambda holiday: (holiday.begin.isoformat(), holiday.name)))


def _calendar(content: bytes, where: str) -> _Component:
    from icalendar import Calendar  # noqa: PLC0415 - with the other one

    if len(content) > LARGEST_BYTES:
        _refuse(where, f"it has {len(content)} bytes", f"A file here has {LARGEST_BYTES} bytes at most")
    try:
        return Calendar.from_ical(content.decode())
    except Exception as error:  # noqa: BLE001 - the parser raises what its parts raise
        _refuse(
            where, f"it is no iCalendar file ({_line(error)})", "Export it again, from BEGIN:VCALENDAR to END:VCALENDAR"
        )


def _check(event: _Component, where: str) -> None:
    name = _name(event)
    broken = [str(fault) for _, fault in event.errors]
    if broken:
        _refuse(
            where, f"the event {name!r} cannot be read ({_line(broken[0])})", "Write its times as RFC 5545 has them"
        )
    if "DTSTART" not in event:
        _refuse(where, f"the event {name!r} has no DTSTART", "Say when it begins")
    if event["DTSTART"].dt.year < _FIRST_YEAR:
        _refuse(where, f"the event {name!r} begins in {event['DTSTART'].dt.year}", f"Begin in {_FIRST_YEAR} or later")
    # The library reads it as the other way round.
    if "DTEND" in event and event["DTEND"].dt < event["DTSTART"].dt:
        _refuse(where, f"the event {name!r} ends before it begins", "Set DTEND to the first day after it")
    rules = event.get("RRULE", [])
    for rule in rules if isinstance(rules, list) else [rules]:
        if not set(map(str.upper, rule.get("FREQ", []))) <= _FREQUENCIES or _TIMES & set(rule):
            _refuse(
                where,
                f"the event {name!r} comes back within a day",
                f"Use FREQ={', '.join(sorted(_FREQUENCIES))}, without {', '.join(sorted(_TIMES))}",
            )


def _holiday(event: _Component) -> Holiday:
    begin: date = event.start
    end: date = event.end
    if isinstance(begin, datetime) and begin.tzinfo is None:
        raise ValueError(f"{_name(event)!r} has a time without a time zone")
    return Holiday(_name(event), begin, end)


def _name(event: _Component) -> str:
    return _line(event.get("SUMMARY", "")) or "a holiday"


def _line(said: object) -> str:
    """A library's words, which may quote the file: one printable line, not a long one."""
    line = " ".join(str(said).split())
    return "".join(character for character in line if character.isprintable())[:120]


def _refuse(where: str, problem: str, remedy: str) -> NoReturn:
    raise InvalidDocument(where, None, problem, remedy)
