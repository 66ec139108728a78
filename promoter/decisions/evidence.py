"""Counts to odds: what the intervals of one rollout amount to, as a pure function of them.

Nothing is kept between passes, so a restart reaches the same numbers to the last bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from promoter.decisions.betting import (
    EProcess,
    broken_logs,
    ceiling_logs,
    coin_logs,
    log_mean,
    log_weighted_mean,
    request_logs,
    share_logs,
)
from promoter.decisions.bound import ExcessBound
from promoter.decisions.split import SplitCheck
from promoter.domain.calibration import Calibration
from promoter.domain.evidence import ArmCounts, Evidence, IntervalCounts
from promoter.domain.latency_buckets import bucket_at_or_above
from promoter.domain.policy import Bet, Limits, RolloutPolicy, Source

# Latency is never independent from request to request: always the share bet, with a margin of its own.
LATENCY_KAPPA = 1.25

# A version that fails this share of its requests, for reasons of the server's, is broken whatever stable does.
HARD_CEILING = 0.2

# Share of requests that may be slower than a p99 limit.
_P99_EXCEEDANCE = 0.01

# How the e-processes share the evidence; brought to a sum of 1 over those that exist.
WEIGHTS = {"errors": 0.45, "proxy": 0.45, "latency": 0.25, "slo": 0.2, "hard_ceiling": 0.1}

_RECENT_SECONDS = 300.0

_Bet = Callable[[IntervalCounts], Sequence[float]]
_ArmBet = Callable[[ArmCounts], Sequence[float]]


class Scales:
    """Takes the intervals of one rollout, one by one; says at any time what they amount to.

    start: when the rollout began, in seconds since the epoch.
    """

    def __init__(self, policy: RolloutPolicy, calibration: Calibration, *, start: float) -> None:
        self._policy = policy
        self._bounds_us = calibration.bounds_us
        self._start = start
        self._streams = _streams(policy, calibration)
        self._steady = _steady(policy, calibration)
        sources = _sources(policy.evidence.source)
        self._since_start = [(arms, ExcessBound(calibration.phi)) for arms in sources]
        self._since_weight = [(arms, ExcessBound(calibration.phi)) for arms in sources]
        self._phi = calibration.phi
        self._split = SplitCheck()
        self._intervals = 0
        self._canary = self._stable = ArmCounts(slow=(0,) * len(calibration.bounds_us))
        self._proxied: tuple[ArmCounts, ArmCounts] | None = None
        self._slower = self._compared = 0
        self._recent: list[IntervalCounts] = []
        self._first_request_at: float | None = None

    def add(self, counts: IntervalCounts, *, at_present_weight: bool) -> None:
        """Take one interval. at_present_weight: it began after the last change of the weight."""
        for stream in (*self._streams, *self._steady):
            stream.update(counts)
        for bounds in (self._since_start, self._since_weight if at_present_weight else ()):
            for arms, bound in bounds:
                bound.update(*arms(counts))
        if at_present_weight:
            self._split.update(counts)
        self._intervals += 1
        self._canary, self._stable = plus(self._canary, counts.canary), plus(self._stable, counts.stable)
        if counts.proxy_canary is not None:
            known = self._proxied or (ArmCounts(), ArmCounts())
            canary, stable = _proxy(counts)
            self._proxied = plus(known[0], canary), plus(known[1], stable)
        slower = is_slower(counts)
        self._slower += slower is True
        self._compared += slower is not None
        self._recent = [one for one in self._recent if one.end > counts.end - _RECENT_SECONDS]
        self._recent.append(counts)
        if self._first_request_at is None and counts.canary.requests:
            self._first_request_at = counts.end

    def change_weight(self) -> None:
        """From here on the weight is another."""
        self._since_weight = [(arms, ExcessBound(self._phi)) for arms, _ in self._since_weight]
        self._split = SplitCheck()

    @property
    def bound(self) -> ExcessBound:
        """The bound that is furthest from its goal: what is still lacking is counted from it."""
        return max(self._asked(), key=lambda bound: bound.value(self._policy.evidence.false_promote / 2))

    def evidence(self, *, weight: int, rate: float) -> Evidence:
        """All of it. weight: in percent. rate: requests per second of both arms."""
        existing = [stream for stream in self._streams if stream.exists]
        log_e = {
            name: log_mean([stream.log for stream in existing if stream.name == name])
            for name in dict.fromkeys(stream.name for stream in existing)
        }
        proof = -math.log(self._policy.evidence.false_revert)
        return Evidence(
            start=self._start,
            end=self._recent[-1].end if self._recent else self._start,
            intervals=self._intervals,
            canary=self._canary,
            stable=self._stable,
            last_canary=total(counts.canary for counts in self._recent),
            last_stable=total(counts.stable for counts in self._recent),
            log_odds=log_weighted_mean([(WEIGHTS[name], log) for name, log in log_e.items()]) if log_e else 0.0,
            upper_bound=self._upper_bound(),
            rate=rate,
            log_e=log_e,
            bounds_us=self._bounds_us,
            first_request_at=self._first_request_at,
            stable_breaks_ceiling=any(stream.log >= proof for stream in self._steady if stream.exists),
            proxy_canary=self._proxied[0] if self._proxied else None,
            proxy_stable=self._proxied[1] if self._proxied else None,
            slower_intervals=self._slower,
            compared_intervals=self._compared,
            split=self._split.result(weight / 100),
        )

    def _upper_bound(self) -> float:
        return self.bound.value(self._policy.evidence.false_promote / 2)

    def _asked(self) -> list[ExcessBound]:
        """The bounds that count: those of the source that must be there, and of another one that has spoken.

        A mean since the start is slow to see what begins late, so each is asked twice, with half of beta.
        """
        needed = _sources(self._policy.evidence.source)[0]
        bounds = (*self._since_start, *self._since_weight)
        return [bound for arms, bound in bounds if bound.informed or arms is needed]


def weigh(
    intervals: Sequence[IntervalCounts],
    policy: RolloutPolicy,
    calibration: Calibration,
    *,
    start: datetime,
    weight_since: datetime,
) -> Scales:
    """All intervals of a rollout on the scales. weight_since: when the weight last changed."""
    scales = Scales(policy, calibration, start=start.timestamp())
    length, since = calibration.interval.total_seconds(), weight_since.timestamp()
    for counts in intervals:
        scales.add(counts, at_present_weight=counts.end - length >= since)
    return scales


def excess(evidence: Evidence) -> float:
    """The largest excess of the canary's bad (or slow) ratio over stable's, since the start or of late.

    Reverting also asks for this much real difference: a gate can only lower the chance of a false revert.
    """
    pairs = [(evidence.canary, evidence.stable), (evidence.last_canary, evidence.last_stable)]
    if evidence.proxy_canary and evidence.proxy_stable:
        pairs.append((evidence.proxy_canary, evidence.proxy_stable))
    return max(
        gap(ours, canary, theirs, stable)
        for canary, stable in pairs
        for ours, theirs in ((canary.bad, stable.bad), *zip(canary.slow, stable.slow, strict=False))
    )


def gap(ours: int, canary: ArmCounts, theirs: int, stable: ArmCounts) -> float:
    """How much larger the share of `ours` among the canary's requests is than that of `theirs` among stable's."""
    return ours / max(1, canary.requests) - theirs / max(1, stable.requests)


def is_slower(counts: IntervalCounts) -> bool | None:
    """Whether the canary's mean latency is above the margin; None where a mean is not known."""
    ours, theirs = counts.canary.mean_us, counts.stable.mean_us
    return None if ours is None or theirs is None else ours > LATENCY_KAPPA * theirs


def plus(one: ArmCounts, other: ArmCounts) -> ArmCounts:
    """The sum of two counts. A mean is of one interval only and has no sum."""
    slow = (
        tuple(map(sum, zip(one.slow, other.slow, strict=True))) if one.slow and other.slow else one.slow or other.slow
    )
    return ArmCounts(one.requests + other.requests, one.bad + other.bad, one.faults + other.faults, slow)


def total(arms: Iterable[ArmCounts]) -> ArmCounts:
    """The sum of counts over intervals."""
    whole = ArmCounts()
    for arm in arms:
        whole = plus(whole, arm)
    return whole


_Arms = Callable[[IntervalCounts], tuple[ArmCounts, ArmCounts]]


def _server(counts: IntervalCounts) -> tuple[ArmCounts, ArmCounts]:
    return counts.canary, counts.stable


def _proxy(counts: IntervalCounts) -> tuple[ArmCounts, ArmCounts]:
    return counts.proxy_canary or ArmCounts(), counts.proxy_stable or ArmCounts()


def _sources(source: Source) -> tuple[_Arms, ...]:
    """Whose counts are asked, the one that must be there first."""
    return {Source.SERVER: (_server,), Source.PROXY: (_proxy,), Source.BOTH: (_server, _proxy)}[source]


class _Stream:
    """One e-process, and the bet that feeds it. `name`: the share of the evidence it belongs to.

    It exists from the first interval in which there is something to bet on (`there`).
    """

    def __init__(self, name: str, bet: _Bet, there: Callable[[IntervalCounts], bool] | None = None) -> None:
        self.name = name
        self.exists = there is None
        self._there = there
        self._bet = bet
        self._score = EProcess()

    def update(self, counts: IntervalCounts) -> None:
        self.exists = self.exists or (self._there is not None and self._there(counts))
        if self.exists:
            self._score.update(self._bet(counts))

    @property
    def log(self) -> float:
        return self._score.log


def _proxied(counts: IntervalCounts) -> bool:
    return counts.proxy_canary is not None


def _mean_known(counts: IntervalCounts) -> bool:
    return is_slower(counts) is not None


def _streams(policy: RolloutPolicy, calibration: Calibration) -> list[_Stream]:
    """Every bet against the canary: on errors by each source, on slowness, against the ceilings."""
    streams = []
    for arms in _sources(policy.evidence.source):
        name, there = ("errors", None) if arms is _server else ("proxy", _proxied)
        streams.append(_Stream(name, _errors(arms, calibration), there))
        streams += [_Stream(name, _of_canary(arms, bet), there) for name, bet in _fault_ceilings(policy.limits)]
    streams += [_Stream("latency", _slower_than(index)) for index in range(len(calibration.bounds_us))]
    streams.append(_Stream("latency", _slower_on_average, _mean_known))
    streams += [_Stream(name, _of_canary(_server, bet)) for name, bet in _slowness_ceilings(policy.limits, calibration)]
    return streams


def _steady(policy: RolloutPolicy, calibration: Calibration) -> list[_Stream]:
    """The ceilings on stable alone: one that it breaks as well says that the fault is elsewhere."""
    streams = [
        _Stream(name, _of_stable(arms, bet), None if arms is _server else _proxied)
        for arms in _sources(policy.evidence.source)
        for name, bet in _fault_ceilings(policy.limits)
    ]
    return streams + [
        _Stream(name, _of_stable(_server, bet)) for name, bet in _slowness_ceilings(policy.limits, calibration)
    ]


def _errors(arms: _Arms, calibration: Calibration) -> _Bet:
    logs = request_logs if calibration.bet is Bet.REQUEST else share_logs

    def bet(counts: IntervalCounts) -> Sequence[float]:
        canary, stable = arms(counts)
        return logs(canary.bad, canary.requests, stable.bad, stable.requests, calibration.kappa)

    return bet


def _slower_than(index: int) -> _Bet:
    def bet(counts: IntervalCounts) -> Sequence[float]:
        canary, stable = counts.canary, counts.stable
        return share_logs(canary.slow[index], canary.requests, stable.slow[index], stable.requests, LATENCY_KAPPA)

    return bet


def _slower_on_average(counts: IntervalCounts) -> Sequence[float]:
    """A narrow distribution may move inside one bucket: then only its mean tells."""
    return coin_logs(worse=is_slower(counts))


def _of_canary(arms: _Arms, bet: _ArmBet) -> _Bet:
    return lambda counts: bet(arms(counts)[0])


def _of_stable(arms: _Arms, bet: _ArmBet) -> _Bet:
    return lambda counts: bet(arms(counts)[1])


def _fault_ceilings(limits: Limits) -> list[tuple[str, _ArmBet]]:
    """The bets on one arm's faults against a fixed ratio."""
    bets: list[tuple[str, _ArmBet]] = [
        ("hard_ceiling", lambda arm: broken_logs(arm.faults, arm.requests, HARD_CEILING))
    ]
    if (ceiling := limits.error_ratio) is not None:
        bets.append(("slo", lambda arm: ceiling_logs(arm.faults, arm.requests, ceiling)))
    return bets


def _slowness_ceilings(limits: Limits, calibration: Calibration) -> list[tuple[str, _ArmBet]]:
    """The bet that at most 1 % of one arm's requests are slower than the p99 limit."""
    if limits.latency_p99_ms is None:
        return []
    index = calibration.bounds_us.index(bucket_at_or_above(limits.latency_p99_ms * 1000))
    return [("slo", lambda arm: ceiling_logs(arm.slow[index], arm.requests, _P99_EXCEEDANCE))]
