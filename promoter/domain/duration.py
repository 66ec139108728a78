"""Durations as people write them: `90s`, `5m`, `1h30m`, `2d`."""

from __future__ import annotations

import re
from datetime import timedelta

from promoter.errors import InvalidName

_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?", re.ASCII)


def parse_duration(text: str) -> timedelta:
    """`1h30m` as a timedelta; raises InvalidName for anything else, and for more than a year."""
    match = _DURATION.fullmatch(text) if text and len(text) <= 30 else None
    if match is None or not any(match.groups()):
        raise InvalidName(f"{text[:80]!r} is not a duration: write it like 90s, 5m, 1h30m or 2d")
    days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
    if days * 86400 + hours * 3600 + minutes * 60 + seconds > 366 * 86400:
        raise InvalidName(f"{text!r} is longer than a year")
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def format_duration(duration: timedelta) -> str:
    """The shortest spelling that `parse_duration` reads back, to a tenth of a second."""
    tenths = round(duration.total_seconds() * 10)
    whole, fraction = divmod(tenths, 10)
    parts = []
    for unit, seconds in (("d", 86400), ("h", 3600), ("m", 60)):
        count, whole = divmod(whole, seconds)
        if count:
            parts.append(f"{count}{unit}")
    if fraction:
        parts.append(f"{whole}.{fraction}s")
    elif whole or not parts:
        parts.append(f"{whole}s")
    return "".join(parts)
