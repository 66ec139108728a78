"""When windows are open: wall clocks, daylight saving and holidays, as plain arithmetic on instants."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from cronsim import CronSim

from promoter.domain.window import Holiday, Window, instant

# Further than this nobody looks: a window that holidays cover for so many openings does not open.
_MOST_OPENINGS = 1000
_A_YEAR = timedelta(days=366)


def open_until(
    windows: Sequence[Window], holidays: Sequence[Holiday], now: datetime, enough: datetime
) -> datetime | None:
    """Until when it is open without a break from `now` on; None where it is closed now.

    Windows that touch or overlap are one. Nobody looks further than the first end at or after `enough`.
    """
    at = now
    while at < enough:
        ends = [end for window in windows if (end := _closes(window, holidays, at)) is not None]
        if not ends:
            break
        at = max(ends)
    return at if at > now else None


def next_opening(
    windows: Sequence[Window], holidays: Sequence[Holiday], now: datetime
) -> tuple[datetime, Window] | None:
    """The first moment from `now` on at which a window is open, and that window; None for never."""
    openings = [(at, window) for window in windows if (at := _opens(window, holidays, now)) is not None]
    return min(openings, key=lambda opening: opening[0], default=None)


@lru_cache(maxsize=256)
def longest_opening(windows: tuple[Window, ...], holidays: tuple[Holiday, ...], day: date) -> timedelta:
    """The longest time without a break in the year that begins with `day`."""
    at = datetime(day.year, day.month, day.day, tzinfo=UTC)
    end, longest = at + _A_YEAR, timedelta(0)
    for _ in range(_MOST_OPENINGS):
        opening = next_opening(windows, holidays, at)
        if opening is None or opening[0] >= end:
            break
        closed = open_until(windows, holidays, opening[0], opening[0] + _A_YEAR)
        if closed is None:
            raise AssertionError("what opens is open")
        longest, at = max(longest, closed - opening[0]), closed
        if longest >= _A_YEAR:
            break
    return longest


def _closes(window: Window, holidays: Sequence[Holiday], at: datetime) -> datetime | None:
    """When this window closes, a holiday included; None where it is closed at that moment."""
    begins = []
    for begin, end in _spans(tuple(holidays), window.zone):
        if begin <= at < end:
            return None
        if begin > at:
            begins.append(begin)
    # Of openings that have been, the last one has the last end as well: all are open for as long.
    for opening in _openings(window, at, reverse=True):
        if instant(opening, window.zone) <= at:
            end = instant(opening + window.duration, window.zone)
            return min([end, *begins]) if end > at else None
    return None


def _opens(window: Window, holidays: Sequence[Holiday], at: datetime) -> datetime | None:
    for _ in range(_MOST_OPENINGS):
        celebrated = [end for begin, end in _spans(tuple(holidays), window.zone) if begin <= at < end]
        if celebrated:
            at = max(celebrated)
            continue
        if _closes(window, holidays, at) is not None:
            return at
        later = (instant(opening, window.zone) for opening in _openings(window, at))
        following = next((moment for moment in later if moment > at), None)
        if following is None:
            return None
        at = following
    return None


def _openings(window: Window, at: datetime, *, reverse: bool = False) -> Iterator[datetime]:
    """Wall times at which it opens: after `at`, or backwards from `at` on. Some of the other side may be among them."""
    local = at.astimezone(window.zone)
    wall = local.replace(tzinfo=None, fold=0, microsecond=0)
    if reverse:
        # In an hour that comes a second time, what its first pass showed later has been as well.
        wall += timedelta(days=1) if local.fold else timedelta(seconds=1)
    return CronSim(window.cron, wall, reverse=reverse)


@lru_cache(maxsize=64)
def _spans(holidays: tuple[Holiday, ...], zone: ZoneInfo) -> tuple[tuple[datetime, datetime], ...]:
    return tuple((_moment(holiday.begin, zone), _moment(holiday.end, zone)) for holiday in holidays)


def _moment(when: date, zone: ZoneInfo) -> datetime:
    if isinstance(when, datetime):
        return when.astimezone(UTC)
    return instant(datetime(when.year, when.month, when.day), zone)  # noqa: DTZ001 - the zone comes with it
