"""Counts of a rollout that somebody wrote down: pods, intervals, and no weights."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from promoter.domain.version import ModelVersion


class Track(StrEnum):
    """The role that a version had."""

    STABLE = "stable"
    CANARY = "canary"


@dataclass(frozen=True, slots=True)
class PodCount:
    """What one pod answered up to `end` (seconds), since the time before it.

    fast: successful requests within each of the recording's bounds, in their order.
    """

    end: float
    track: Track
    pod: str
    requests: int
    bad: int
    fast: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Recording:
    """Counts in the order of time; those of stable alone, before the canary's first, are its past.

    stable: None where only the canary was counted. bounds_us: latency bounds in microseconds, rising. unknown: times
    of which not every count is known. notes: what was mended on reading, a sentence each.
    """

    counts: tuple[PodCount, ...]
    stable: ModelVersion | None
    canary: ModelVersion
    bounds_us: tuple[float, ...] = ()
    unknown: frozenset[float] = frozenset()
    notes: tuple[str, ...] = ()
