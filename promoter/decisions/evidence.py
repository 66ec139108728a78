"""Counts to odds: what the intervals of one rollout amount to, as a pure function of them.

Nothing is kept between passes, so a restart reaches the same numbers to the last bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from promoter.decisions.betting import EProcess, broken_logs, ceiling_logs, log_mean, log_weighted_mean, share_logs
from promoter.decisions.bound import ExcessBound
from promoter.decisions.counting import total
from promoter.domain.evidence import ArmCounts, Evidence, IntervalCounts
from promoter.domain.latency_buckets import bucket_at_or_above
from promoter.domain.measurements import LatencyProfile
from promoter.domain.policy import Limits, RolloutPolicy

# Real pods differ for ever (node, cache). Only a margin tells a slow pod from a slow model.
ERROR_MARGIN = 1.1
LATENCY_MARGIN = 1.25

# A version that fails this share of its requests, for reasons of the server's, is broken whatever stable does.
HARD_CEILING = 0.2

# Share of requests that may be slower than a p99 limit.
_P99_EXCEEDANCE = 0.01

# How the e-processes share the evidence; brought to a sum of 1 over those that exist.
_WEIGHTS = {"errors": 0.45, "latency": 0.25, "slo": 0.2, "hard_ceiling": 0.1}

_RECENT_SECONDS = 300.0


def latency_bounds(profile: LatencyProfile, limits: Limits) -> tuple[float, ...]:
    """The bucket bounds, in microseconds, at which the canary is compared with stable.

    Those that 0.2 % to 50 % of stable's requests exceed, at most five; where there is none, the lowest
    bound that fewer exceed, so that a narrow distribution is not a blind spot; and the bucket of the
    p99 limit. Chosen from stable's past, before any canary data, so the choice costs no error.
    """
    telling = [bound for bound, share in profile.exceedance if 0.002 <= share <= 0.5][:5]
    if not telling:
        telling = [bound for bound, share in profile.exceedance if share < 0.002][:1]
    chosen = set(telling)
    if limits.latency_p99_ms is not None:
        chosen.add(bucket_at_or_above(limits.latency_p99_ms * 1000))
    return tuple(sorted(chosen))


def weigh(
    intervals: Sequence[IntervalCounts],
    policy: RolloutPolicy,
    bounds_us: tuple[float, ...],
    *,
    start: float,
    rate: float,
) -> tuple[Evidence, ExcessBound]:
    """The evidence of all intervals, and the bound within it.

    start: when the rollout began, in seconds. rate: requests per second of both arms.

    The comparisons set the canary against stable; the ceilings also run on stable alone, because a
    ceiling that stable breaks as well says that the fault is elsewhere.
    """
    ceilings = _ceilings(policy.limits, bounds_us)
    streams = [_Stream(name, bet) for name, bet in _comparisons(bounds_us)]
    streams += [_Stream(name, _on_canary(bet)) for name, bet in ceilings]
    steady = [_Stream(name, _on_stable(bet)) for name, bet in ceilings]
    bound = ExcessBound()
    for counts in intervals:
        for stream in (*streams, *steady):
            stream.update(counts)
        bound.update(counts.canary, counts.stable)
    log_e = {
        name: log_mean([stream.log for stream in streams if stream.name == name])
        for name in dict.fromkeys(stream.name for stream in streams)
    }
    end = intervals[-1].end if intervals else start
    recent = [counts for counts in intervals if counts.end > end - _RECENT_SECONDS]
    evidence = Evidence(
        start=start,
        end=end,
        intervals=len(intervals),
        canary=total(counts.canary for counts in intervals),
        stable=total(counts.stable for counts in intervals),
        last_canary=total(counts.canary for counts in recent),
        last_stable=total(counts.stable for counts in recent),
        log_odds=log_weighted_mean([(_WEIGHTS[name], log) for name, log in log_e.items()]),
        upper_bound=bound.value(policy.evidence.false_promote),
        rate=rate,
        log_e=log_e,
        bounds_us=bounds_us,
        first_request_at=next((counts.end for counts in intervals if counts.canary.requests), None),
        stable_breaks_ceiling=any(stream.log >= -math.log(policy.evidence.false_revert) for stream in steady),
    )
    return evidence, bound


def excess(evidence: Evidence) -> float:
    """The largest excess of the canary's bad (or slow) ratio over stable's, since the start or of late.

    Reverting also asks for this much real difference: a gate can only lower the chance of a false revert.
    """
    pairs = ((evidence.canary, evidence.stable), (evidence.last_canary, evidence.last_stable))
    return max(
        _ratio(ours) - _ratio(theirs) for canary, stable in pairs for ours, theirs in _streams_of(canary, stable)
    )


_Bet = Callable[[IntervalCounts], Sequence[float]]
_ArmBet = Callable[[ArmCounts], Sequence[float]]


def _on_canary(bet: _ArmBet) -> _Bet:
    return lambda counts: bet(counts.canary)


def _on_stable(bet: _ArmBet) -> _Bet:
    return lambda counts: bet(counts.stable)


class _Stream:
    """One e-process, and the bet that feeds it. `name`: the share of the evidence it belongs to."""

    def __init__(self, name: str, bet: _Bet) -> None:
        self.name = name
        self._bet = bet
        self._score = EProcess()

    def update(self, counts: IntervalCounts) -> None:
        self._score.update(self._bet(counts))

    @property
    def log(self) -> float:
        return self._score.log


def _comparisons(bounds_us: tuple[float, ...]) -> list[tuple[str, _Bet]]:
    """The share bets of the canary against stable: on errors, and on slowness at each bound."""

    def slower_than(index: int) -> _Bet:
        return lambda counts: share_logs(
            counts.canary.slow[index],
            counts.canary.requests,
            counts.stable.slow[index],
            counts.stable.requests,
            LATENCY_MARGIN,
        )

    def errors(counts: IntervalCounts) -> Sequence[float]:
        canary, stable = counts.canary, counts.stable
        return share_logs(canary.bad, canary.requests, stable.bad, stable.requests, ERROR_MARGIN)

    return [("errors", errors), *(("latency", slower_than(index)) for index in range(len(bounds_us)))]


def _ceilings(limits: Limits, bounds_us: tuple[float, ...]) -> list[tuple[str, _ArmBet]]:
    """The bets on one arm against a fixed ratio. Only faults of the server count among errors."""
    bets: list[tuple[str, _ArmBet]] = [
        ("hard_ceiling", lambda arm: broken_logs(arm.faults, arm.requests, HARD_CEILING))
    ]
    if (ceiling := limits.error_ratio) is not None:
        bets.append(("slo", lambda arm: ceiling_logs(arm.faults, arm.requests, ceiling)))
    if limits.latency_p99_ms is not None:
        index = bounds_us.index(bucket_at_or_above(limits.latency_p99_ms * 1000))
        bets.append(("slo", lambda arm: ceiling_logs(arm.slow[index], arm.requests, _P99_EXCEEDANCE)))
    return bets


def _streams_of(canary: ArmCounts, stable: ArmCounts) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """(bad, requests) of both arms, for errors and for each latency bound."""
    pairs = [((canary.bad, canary.requests), (stable.bad, stable.requests))]
    for ours, theirs in zip(canary.slow, stable.slow, strict=False):
        pairs.append(((ours, canary.requests), (theirs, stable.requests)))
    return pairs


def _ratio(counts: tuple[int, int]) -> float:
    bad, requests = counts
    return bad / requests if requests else 0.0
