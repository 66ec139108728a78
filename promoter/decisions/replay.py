"""A rollout of the past, judged again: recorded counts through exactly the rules that run live."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from promoter.decisions.counting import RecentRate
from promoter.decisions.course import Course
from promoter.decisions.recorded import Case
from promoter.decisions.split import SplitCheck, is_another_split
from promoter.domain.action import Action, Hold, Promote, Revert, SetWeight
from promoter.domain.evidence import Evidence, IntervalCounts


class Judgement(StrEnum):
    """What becomes of the canary."""

    PROMOTE = "promote"
    REVERT = "revert"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class ReplayedInterval:
    """One interval. end: of its last count, in seconds. weight: of the canary from here on, in percent."""

    end: float
    counts: IntervalCounts
    evidence: Evidence
    weight: int
    action: Action


@dataclass(frozen=True, slots=True)
class Replay:
    """first_weight: what the canary had before the first interval. reason: why this judgement, as a sentence."""

    first_weight: int
    intervals: tuple[ReplayedInterval, ...]
    judgement: Judgement
    reason: str


def replay(case: Case, *, reaction_time: timedelta, as_recorded: bool) -> Replay:
    """Interval by interval. reaction_time: goes into the ramp.

    The counts are what they are, whatever weight the rules give: only their shares are compared. With `as_recorded`
    the weights are those of the counts, and what the rules would do is said and not done. After the end the counts go
    on to be weighed, and nothing is decided any more.
    """
    begin = 0 if as_recorded else _first_request(case.intervals)
    ends, counts = case.ends[begin:], case.intervals[begin:]
    length = case.calibration.interval.total_seconds()
    recent = RecentRate(length)
    rates = [recent.add(interval.canary.requests + interval.stable.requests) for interval in counts]
    course = Course(
        case.policy,
        case.calibration,
        reaction_time=reaction_time,
        start=(counts[0].end if counts else length) - length,
        recorded=True,
        versions=(case.stable, case.canary),
    )
    if as_recorded:
        weights = _recorded_weights(counts)
        first_weight = weights[0] if weights else 0
        steps = _followed(course, counts, rates, weights)
    else:
        course.begin(rates[0] if rates else 0.0)
        first_weight = course.weight
        steps = _walked(course, counts, rates)
    intervals = tuple(
        ReplayedInterval(end, interval, course.evidence, weight, action)
        for end, interval, (weight, action) in zip(ends, counts, steps, strict=True)
    )
    return Replay(first_weight, intervals, *_judgement(intervals))


def _walked(course: Course, counts: Sequence[IntervalCounts], rates: Sequence[float]) -> Iterator[tuple[int, Action]]:
    """The weight from each interval on, and the action at its end: what is decided is done."""
    for interval, rate in zip(counts, rates, strict=True):
        if course.ended is None:
            action = course.step(interval, rate)
        else:
            course.watch(interval, rate)
            ended = "promoted" if isinstance(course.ended, Promote) else "reverted"
            action = Hold(f"the rollout has ended: {course.ended.version} is {ended}", course.evidence)
        yield course.weight, action


def _followed(
    course: Course, counts: Sequence[IntervalCounts], rates: Sequence[float], weights: Sequence[int]
) -> Iterator[tuple[int, Action]]:
    """The weight of each interval, and the action that would have been taken at its end."""
    for interval, rate, weight in zip(counts, rates, weights, strict=True):
        yield weight, course.follow(interval, rate, weight)


def _first_request(counts: Sequence[IntervalCounts]) -> int:
    return next((index for index, interval in enumerate(counts) if interval.canary.requests), len(counts))


def _recorded_weights(counts: Sequence[IntervalCounts]) -> list[int]:
    """The weight of each interval in percent: the measured share, which is another only where it surely is."""
    weights: list[int] = []
    for interval in counts:
        check = SplitCheck()
        check.update(interval)
        both = interval.canary.requests + interval.stable.requests
        measured = min(100, max(1, round(100 * interval.canary.requests / both))) if interval.canary.requests else 0
        if not weights:
            weights.append(measured)
            continue
        split = check.result(weights[-1] / 100)
        # At 0 and 100 percent one request of the other version is enough to tell.
        other = is_another_split(split) if split is not None else both > 0 and measured != weights[-1]
        weights.append(measured if other else weights[-1])
    return weights


def _judgement(intervals: Sequence[ReplayedInterval]) -> tuple[Judgement, str]:
    """What all actions amount to: the first revert, or else the first decision for all requests."""
    for interval in intervals:
        if isinstance(interval.action, Revert):
            return Judgement.REVERT, interval.action.reason
    for interval in intervals:
        if isinstance(interval.action, Promote):
            return Judgement.PROMOTE, interval.action.reason
    for interval in intervals:
        if isinstance(interval.action, SetWeight) and interval.action.weight == 100:
            return Judgement.PROMOTE, f"{interval.action.reason}; the counts end before the guard does"
    if not any(interval.counts.canary.requests for interval in intervals):
        return Judgement.UNDECIDED, "the canary answered no request"
    return Judgement.UNDECIDED, f"the counts end before a decision: {intervals[-1].action.reason}"
