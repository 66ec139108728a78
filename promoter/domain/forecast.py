"""What is to be expected of a rollout that has not begun."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from promoter.domain.calibration import Calibration


class Ending(StrEnum):
    """PROMOTED: given all requests. UNDECIDED: neither that nor a revert in the time that is looked at."""

    PROMOTED = "promoted"
    REVERTED = "reverted"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class ExpectedCourse:
    """How a version that fails `ratio` of its requests (0 to 1) would fare.

    seconds: from the first weight to the decision that ends it, or as far as was looked. failed: requests that
    would fail on it until that decision is live; extra: those of them that would not have failed on stable. least: so
    many of these any rule needs, on average, to tell it from stable; None where it is no worse.
    weights: (seconds, percent) of each weight from the moment it is live. losses: (seconds, extra) so far.
    """

    ratio: float
    ending: Ending
    seconds: float
    failed: float
    extra: float
    least: float | None
    weights: tuple[tuple[float, int], ...]
    losses: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Need:
    """What it takes to prove the margin.

    requests: to the canary; None where no number would do. rate: requests per second that bring them within
    `max_step` at the largest weight; None likewise. seconds: until they are there at the present rate; None where
    there are none. margin: what could be proven within `max_step` at the present rate.
    """

    requests: int | None
    rate: float | None
    seconds: float | None
    margin: float
    in_time: bool


@dataclass(frozen=True, slots=True)
class Forecast:
    """rate: requests per second. base: the share of stable's that fail. good: a version like stable.

    barred: why no rollout can end in the time that the policy gives, None where it can.
    """

    rate: float
    base: float
    calibration: Calibration
    good: ExpectedCourse
    bad: tuple[ExpectedCourse, ...]
    need: Need
    barred: str | None
