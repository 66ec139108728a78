"""Can a rollout end at all? How much proof its policy asks for, and whether the traffic brings that in time."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta

from promoter.decisions.bound import ExcessBound
from promoter.domain.duration import format_duration
from promoter.domain.figures import grouped, per_second, percent
from promoter.domain.forecast import Need
from promoter.domain.policy import RolloutPolicy, Traffic

# Above this share there is hardly a control group left: a larger weight is slower, and costs more.
_MOST_TELLING_WEIGHT = 50


def need(policy: RolloutPolicy, *, phi: float, base: float, rate: float) -> Need:
    """What it takes to prove the margin at the largest weight, both versions failing `base` of their requests.

    phi: dispersion of stable's errors. rate: requests per second. Since the weight last changed the bound is
    proven anew, so the last weight below 100 has to bring all of it, within `max_step`.
    """
    asked, share = policy.evidence, policy.ramp.max_weight / 100
    beta, given = asked.false_promote / 2, policy.max_step.total_seconds()
    requests = ExcessBound(phi).requests_until(asked.margin, beta, ratio=base, share=share)
    arriving = rate * share
    # A millionth more, or a rate of just as much as is needed would be too little by a rounding.
    margin = ExcessBound(phi).after(arriving * given, ratio=base, share=share).value(beta) * (1 + 1e-6)
    seconds = requests / arriving if requests is not None and arriving else None
    least = None if requests is None else requests / share / given
    return Need(requests, least, seconds, min(1.0, margin), in_time=seconds is not None and seconds <= given)


def cannot_end(policy: RolloutPolicy, *, phi: float, base: float, rate: float) -> str | None:
    """Why a rollout cannot end in the time that its policy gives, and what would help; None where it can."""
    found = need(policy, phi=phi, base=base, rate=rate)
    if found.in_time:
        return None
    weight, given = policy.ramp.max_weight, format_duration(policy.max_step)
    proof = f"to prove an excess below {percent(policy.evidence.margin)}"
    if not rate:
        sender = ": see whether what sends golden requests runs" if policy.traffic is Traffic.GOLDEN else ""
        return f"no rollout can end: there are no requests, and {proof} takes some{sender}"
    helps = [f"a margin of {_rounded_up(found.margin)}"] if found.margin < 1 else []
    if found.requests is None or found.seconds is None:
        return (
            f"no rollout can end: no number of requests is enough {proof} while {percent(base)} of stable's fail. "
            f"What would do: {', '.join([*helps, 'a stable version with fewer failures'])}"
        )
    helps.append(f"max_step: {_rounded(found.seconds)}")
    if weight < _MOST_TELLING_WEIGHT:
        wider = replace(policy, ramp=replace(policy.ramp, max_weight=_MOST_TELLING_WEIGHT))
        soon = need(wider, phi=phi, base=base, rate=rate)
        if soon.in_time:
            helps.append(f"max_weight: {_MOST_TELLING_WEIGHT}")
    return (
        f"no rollout can end within max_step ({given}): {proof} takes about {grouped(found.requests)} requests to the "
        f"canary, which at {per_second(rate)} a second and a weight of {weight} % take {_rounded(found.seconds)}. "
        f"Any of these would do: {', '.join(helps)}"
    )


def _rounded_up(ratio: float) -> str:
    """A ratio in percent, two significant digits, none of which takes anything away."""
    step = 10.0 ** (math.floor(math.log10(ratio)) - 1)
    return percent(math.ceil(ratio / step) * step)


def _rounded(seconds: float) -> str:
    """A duration as people plan with it: rounded up to minutes, or to hours where it is long."""
    unit = 60 if seconds < 6 * 3600 else 3600
    return format_duration(timedelta(seconds=-(-seconds // unit) * unit))
