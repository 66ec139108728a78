"""Before a rollout: the weights it would take, how long, and what a bad version would cost.

The rules that run live, walked in closed loop over requests that arrive and fail exactly as often as they are
expected to. One walk stands for the middle of many: chance makes real rollouts somewhat faster or slower.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from promoter.decisions.closed_loop import ClosedLoop, Delays, Span
from promoter.decisions.feasibility import cannot_end, need
from promoter.decisions.limit import least_requests
from promoter.domain.calibration import Calibration
from promoter.domain.duration import format_duration
from promoter.domain.evidence import ArmCounts
from promoter.domain.figures import grouped, percent
from promoter.domain.forecast import Ending, ExpectedCourse, Forecast
from promoter.domain.observation import ClusterTraits
from promoter.domain.policy import RolloutPolicy

# Shares of requests that fail on versions to be wary of.
BAD_RATIOS = (0.002, 0.005, 0.01, 0.05, 0.5)

# The one that stands for all where there is room for one.
_TELLING_RATIO = 0.01


def forecast(
    policy: RolloutPolicy, calibration: Calibration, traits: ClusterTraits, *, rate: float, full: int
) -> Forecast:
    """Of a good version and of BAD_RATIOS. rate: requests per second. full: pods that carry all of them."""
    base = calibration.base or 0.0

    def course(ratio: float) -> ExpectedCourse:
        return expected_course(policy, calibration, traits, rate=rate, full=full, ratio=ratio)

    return Forecast(
        rate,
        base,
        calibration,
        good=course(base),
        bad=tuple(course(ratio) for ratio in BAD_RATIOS),
        need=need(policy, phi=calibration.phi, base=base, rate=rate),
        barred=cannot_end(policy, phi=calibration.phi, base=base, rate=rate),
    )


def expected_course(
    policy: RolloutPolicy, calibration: Calibration, traits: ClusterTraits, *, rate: float, full: int, ratio: float
) -> ExpectedCourse:
    """The walk of a version that fails `ratio` of its requests. Latency is left out: nobody knows it before."""
    base = calibration.base or 0.0
    traffic = _Expected(rate, base, ratio)
    reaction = traits.reaction_time.total_seconds()
    # The scrape is part of the reaction, and in an interval's length already.
    delay = max(0.0, reaction - traits.scrape_interval.total_seconds())
    loop = ClosedLoop(
        replace(policy, limits=replace(policy.limits, latency_p99_ms=None)),
        replace(calibration, bounds_us=()),
        traffic,
        rate=rate,
        delays=Delays(reaction, up=delay, back=delay),
        full=full,
    )
    horizon = (policy.soak + policy.max_step).total_seconds()
    weights, losses = [(0.0, loop.course.weight)], [(0.0, 0.0)]
    failed = extra = 0.0
    for step in loop.steps(horizon):
        failed += step.canary.bad
        extra += step.canary.bad - base * step.canary.requests
        losses.append((step.end, extra))
        if step.decided != weights[-1][1]:
            weights.append((step.end + delay, step.decided))
    return ExpectedCourse(
        ratio,
        loop.ending,
        horizon if loop.ended_at is None else loop.ended_at,
        failed,
        extra,
        _least(ratio, base, policy.evidence.false_revert),
        tuple(weights),
        tuple(losses),
    )


def in_short(policy: RolloutPolicy, calibration: Calibration, traits: ClusterTraits, *, rate: float, full: int) -> str:
    """One or two sentences for the commit that starts a rollout."""
    base = calibration.base or 0.0
    good = expected_course(policy, calibration, traits, rate=rate, full=full, ratio=base)
    bad = expected_course(policy, calibration, traits, rate=rate, full=full, ratio=base + _TELLING_RATIO)
    return f"Expected of a version like stable: {_course_text(good, policy)}. {_cost_text(bad, base)}"


def _course_text(course: ExpectedCourse, policy: RolloutPolicy) -> str:
    weights = [weight for _, weight in course.weights if weight < 100]
    shown = ", ".join(str(weight) for weight in weights)
    if course.ending is not Ending.PROMOTED:
        return f"{shown} %, and no end within {format_duration(timedelta(seconds=course.seconds))}"
    return (
        f"{shown} %, all requests after {format_duration(timedelta(seconds=course.seconds))}, and promoted "
        f"{format_duration(policy.guard)} later"
    )


def _cost_text(course: ExpectedCourse, base: float) -> str:
    ratio = f"{percent(_TELLING_RATIO)} more of its requests" if base else f"{percent(course.ratio)} of its requests"
    if course.ending is not Ending.REVERTED:
        return f"One that fails {ratio} would not be found out in that time"
    return (
        f"One that fails {ratio} would be reverted after about {format_duration(timedelta(seconds=course.seconds))}, "
        f"at a cost of some {grouped(max(1, round(course.extra)))} failed requests"
    )


def _least(ratio: float, base: float, false_revert: float) -> float | None:
    if ratio <= base:
        return None
    # What never fails on stable gives itself away the first time it is seen.
    return least_requests(ratio, base, false_revert) * (ratio - base) if base else 1.0


class _Expected:
    """Requests that arrive and fail exactly as often as expected; what is left over from whole numbers is kept."""

    def __init__(self, rate: float, base: float, ratio: float) -> None:
        self._rate = rate
        self._ratios = {"canary": ratio, "stable": base}
        # From the middle: the first of many is neither early nor late.
        self._left = {(arm, what): 0.5 for arm in self._ratios for what in ("requests", "bad")}

    def counts(self, spans: Sequence[Span]) -> tuple[ArmCounts, ArmCounts]:
        """As `Traffic` says."""
        canary = sum((span.end - span.begin) * span.weight / 100 for span in spans)
        stable = sum((span.end - span.begin) * (100 - span.weight) / 100 for span in spans)
        return self._arm("canary", canary), self._arm("stable", stable)

    def _arm(self, arm: str, seconds: float) -> ArmCounts:
        requests = self._whole((arm, "requests"), self._rate * seconds)
        bad = min(requests, self._whole((arm, "bad"), self._ratios[arm] * requests))
        return ArmCounts(requests, bad, bad)

    def _whole(self, key: tuple[str, str], count: float) -> int:
        whole = math.floor(self._left[key] + count)
        self._left[key] += count - whole
        return whole
