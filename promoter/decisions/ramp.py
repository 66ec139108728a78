"""Bound and budget to the next weight, and the replicas it needs."""

from __future__ import annotations

import math
from datetime import timedelta

from promoter.domain.policy import RampPolicy

# No step is more than this many times the weight before it.
GROWTH = 4

# A smaller step would cost more than it gives: after each change of the weight the bound is proven anew.
SMALLEST_GAIN = 1.5
SMALLEST_WEIGHT = 1


def affordable_weight(ramp: RampPolicy, rate: float, reaction_time: timedelta, upper_bound: float) -> int:
    """The largest weight, in percent, whose worst case still fits the budget.

    weight = budget / (rate * reaction time * upper bound): while a fault goes unseen for one reaction
    time, no more than `budget` requests fail. rate in requests per second. Between 1 and `max_weight`.
    """
    at_risk = rate * reaction_time.total_seconds() * upper_bound
    if rate <= 0:
        return SMALLEST_WEIGHT
    share = min(1.0, ramp.budget / at_risk) if at_risk > 0 else 1.0
    # A hair above: 0.07 * 100 must not become 6.
    return max(SMALLEST_WEIGHT, min(ramp.max_weight, math.floor(share * 100 + 1e-9)))


def first_weight(ramp: RampPolicy, rate: float, reaction_time: timedelta) -> int:
    """The weight before anything is known of the canary: every one of its requests may fail."""
    return _capped_by_steps(ramp, 0, affordable_weight(ramp, rate, reaction_time, 1.0))


def next_weight(ramp: RampPolicy, current: int, rate: float, reaction_time: timedelta, upper_bound: float) -> int:
    """The weight after `current`; never less than it, and the same where the gain would not be worth a commit."""
    affordable = min(affordable_weight(ramp, rate, reaction_time, upper_bound), GROWTH * current)
    following = _capped_by_steps(ramp, current, affordable)
    worth_it = following >= SMALLEST_GAIN * current or following in (ramp.max_weight, *ramp.steps)
    return following if following > current and worth_it else current


def largest_next_weight(ramp: RampPolicy, current: int) -> int:
    """The largest weight that could come after `current`, whatever the evidence: pods are made for it."""
    return _capped_by_steps(ramp, current, min(ramp.max_weight, GROWTH * max(current, SMALLEST_WEIGHT)))


def replicas_for(weight: int, full: int) -> int:
    """Pods that carry `weight` percent, where `full` pods carry everything. At least one."""
    return max(1, math.ceil(full * weight / 100))


def weight_within(replicas: int, full: int) -> int:
    """The largest weight that `replicas` pods carry, where `full` pods carry everything."""
    return min(100, 100 * replicas // full)


def _capped_by_steps(ramp: RampPolicy, current: int, weight: int) -> int:
    """`weight`, but not past the first step above `current`."""
    following = next((step for step in ramp.steps if step > current), None)
    return weight if following is None else min(weight, following)
