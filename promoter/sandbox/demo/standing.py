"""Where a version stands in its course right now, from what is known at this moment. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from promoter.domain.version import ModelVersion
from promoter.sandbox.demo.cast import Character, Outcome
from promoter.sandbox.demo.commits import RecordedCommit
from promoter.sandbox.demo.events import Event
from promoter.sandbox.traffic_results import TrafficSecond, failures


@dataclass(frozen=True, slots=True)
class Standing:
    """One version's line.

    outcome: None while its course goes on. weight: percent, None while it is no canary. log_odds: natural log of
    the odds against it, None while nothing was measured; upper_bound: of its excess error ratio, likewise.
    failed_on_canary, failed_elsewhere: requests, since the drop. says: what the promoter waits for, or how it ended.
    """

    character: Character
    outcome: Outcome | None
    weight: int | None
    log_odds: float | None
    upper_bound: float | None
    failed_on_canary: int
    failed_elsewhere: int
    says: str
    seconds: float

    @property
    def change(self) -> tuple[object, ...]:
        """Equal for two standings between which nothing happened but that counts and clocks ran on."""
        return (self.outcome, self.weight, _NUMBERS.sub("#", self.says))


_NUMBERS = re.compile(r"\d[\d.hms]*")


def standing(
    character: Character,
    events: Sequence[Event],
    head: RecordedCommit,
    traffic: Sequence[TrafficSecond],
    seconds: float,
) -> Standing:
    """Where a version stands.

    events, traffic: those since the drop. head: the newest commit. seconds: since the drop.
    """
    canary = head.release.canary
    on_trial = canary is not None and canary.version == character.version
    measured = [event for event in events if event.canary == character.version and event.number("log_odds") is not None]
    spoken = [event for event in events if event.is_about_rollout]
    return Standing(
        character=character,
        outcome=None,
        weight=canary.weight if canary is not None and on_trial else None,
        log_odds=measured[-1].number("log_odds") if measured else None,
        upper_bound=measured[-1].number("upper_bound") if measured else None,
        failed_on_canary=_failed(traffic, character.version),
        failed_elsewhere=sum(failures(codes) for second in traffic for codes in second.answered.values())
        - _failed(traffic, character.version),
        says=spoken[-1].reason if spoken else "",
        seconds=seconds,
    )


def _failed(traffic: Sequence[TrafficSecond], version: ModelVersion) -> int:
    return sum(failures(second.answered.get(version, {})) for second in traffic)
