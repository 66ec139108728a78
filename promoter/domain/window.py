"""Windows of time in which rollouts may start and rise, and the holidays on which none opens."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from promoter.errors import InvalidName

LONGEST_WINDOW = timedelta(days=7)

_FIELDS = 5
_ZONE = re.compile(r"UTC|[A-Z][A-Za-z_]+(/[A-Z][A-Za-z0-9_+-]*){1,2}", re.ASCII)

# Any day will do to ask whether an expression ever matches.
_SOME_DAY = datetime(2026, 1, 1)  # noqa: DTZ001 - wall time, as cron means it


@dataclass(frozen=True, slots=True)
class Window:
    """Opens whenever `cron` matches the wall clock of `timezone`, and closes `duration` later on that clock.

    cron: five fields as crontab(5) has them. duration: a minute to LONGEST_WINDOW. timezone: a name of the IANA
    database, as Europe/Berlin. Raises InvalidName.
    """

    cron: str
    duration: timedelta
    timezone: str

    def __post_init__(self) -> None:
        if len(self.cron.split()) != _FIELDS:
            raise InvalidName(
                f"{self.cron[:80]!r} is no cron expression: write minute, hour, day of month, month and day of week, "
                "like 0 9 * * 1-4"
            )
        try:
            next(CronSim(self.cron, _SOME_DAY))
        except CronSimError as error:
            field = str(error).removeprefix("Bad ")
            raise InvalidName(f"{self.cron[:80]!r} is no cron expression: its {field} cannot be read") from error
        except StopIteration as error:
            raise InvalidName(f"{self.cron[:80]!r} never comes: no day is like that") from error
        if not timedelta(minutes=1) <= self.duration <= LONGEST_WINDOW:
            raise InvalidName("a window is open for a minute to 7d; one that is always open is `0 0 * * *` for 1d")
        known_zone(self.timezone)

    @property
    def zone(self) -> ZoneInfo:
        return known_zone(self.timezone)


@dataclass(frozen=True, slots=True)
class Holiday:
    """No window is open from `begin` to `end`, which is not part of it.

    Dates mean midnights on the clock of each window; times are exact.
    """

    name: str
    begin: date
    end: date


def known_zone(name: str) -> ZoneInfo:
    """The time zone of that name. Raises InvalidName."""
    try:
        if _ZONE.fullmatch(name):
            return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        pass
    raise InvalidName(f"{name[:80]!r} is no time zone: write one like Europe/Berlin, America/New_York or UTC")


def instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """When the clocks of `zone` show `wall`, a time without a zone.

    What they show twice is the first of the two; what they skip is the moment at which they skip it. So a later wall
    time is never an earlier instant.
    """
    first = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if first.astimezone(zone).replace(tzinfo=None) == wall:
        return first
    before, after = wall.replace(tzinfo=zone, fold=1).astimezone(UTC), first
    offset = after.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
        if middle.astimezone(zone).utcoffset() == offset:
            after = middle
        else:
            before = middle
    return after
