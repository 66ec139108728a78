"""Everything that one play of the demo left behind, as values. What it amounts to is `summary`'s part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from promoter.domain.version import ModelVersion
from promoter.sandbox.demo.cast import Character, Outcome
from promoter.sandbox.demo.commits import RecordedCommit
from promoter.sandbox.demo.events import Event
from promoter.sandbox.demo.splits import LiveSplit
from promoter.sandbox.traffic_results import TrafficSecond


@dataclass(frozen=True, slots=True)
class Course:
    """One version from its drop to its end. Times are in seconds since the epoch."""

    character: Character
    dropped_at: float
    ended_at: float
    outcome: Outcome
    reason: str


@dataclass(frozen=True, slots=True)
class Record:
    """One play. courses and commits: the oldest first. peak_rss: of the promoter's process, in bytes."""

    courses: tuple[Course, ...]
    commits: tuple[RecordedCommit, ...]
    events: tuple[Event, ...]
    seconds: tuple[TrafficSecond, ...]
    splits: tuple[LiveSplit, ...]
    peak_rss: int

    def traffic(self) -> Mapping[ModelVersion, tuple[TrafficSecond, ...]]:
        """The seconds of each course, from its drop to the next one's; the last one's go on to the end."""
        begins = [course.dropped_at for course in self.courses]
        spans = pairwise([*begins, float("inf")])
        return {
            course.character.version: during(self.seconds, begin, end)
            for course, (begin, end) in zip(self.courses, spans, strict=True)
        }


def during(seconds: Sequence[TrafficSecond], begin: float, end: float) -> tuple[TrafficSecond, ...]:
    """The seconds whose middle lies between `begin` and `end`, so that each belongs to one span."""
    return tuple(second for second in seconds if begin <= second.time - 0.5 < end)
