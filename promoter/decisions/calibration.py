"""Which bet, which margin, which latency bounds: chosen from stable's hour before the rollout."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta

from promoter.decisions.counting import pod_blocks
from promoter.decisions.dispersion import Dispersion, bad_ratio, dispersion
from promoter.domain.calibration import Calibration
from promoter.domain.latency_buckets import bucket_at_or_above
from promoter.domain.measurements import LatencyProfile, Measurements
from promoter.domain.policy import Bet, Limits, RolloutPolicy
from promoter.domain.version import ModelVersion

# Real pods differ for ever (node, cache). Only a margin tells a slow pod from a slow model.
SMALLEST_KAPPA, LARGEST_KAPPA = 1.1, 1.5

# Without a measured dispersion, requests are taken to fail twice as bunched as independent ones would.
UNKNOWN_DISPERSION = 2.0

# Lengths of the blocks of time, in seconds, and the fewest degrees of freedom at the shortest.
BLOCKS = (15, 60, 300)
_ENOUGH_DF = 200

_SHARE_INTERVAL = timedelta(seconds=15)


def calibrate(
    history: Measurements | None,
    profile: LatencyProfile,
    policy: RolloutPolicy,
    stable: ModelVersion,
    scrape_interval: timedelta,
) -> Calibration:
    """Everything that is chosen before the first canary request. history: stable's counters over the hour before."""
    if history is None:
        return chosen({}, profile, policy, scrape_interval)
    blocks = {seconds: pod_blocks(history, stable, seconds, scrape_interval) for seconds in BLOCKS}
    past = {seconds: dispersion(found) for seconds, found in blocks.items()}
    return chosen(past, profile, policy, scrape_interval, base=bad_ratio(blocks[BLOCKS[0]]))


def chosen(
    past: dict[int, Dispersion],
    profile: LatencyProfile,
    policy: RolloutPolicy,
    scrape_interval: timedelta,
    *,
    base: float | None = None,
) -> Calibration:
    """The choice, from the dispersion at each length of blocks; an empty `past` means that nothing is known.

    base: the share of stable's requests that failed.
    """
    gate = _gate(past)
    bet = policy.evidence.bet
    reason = f"the policy asks for the {bet} bet"
    if bet is Bet.AUTO:
        bet, reason = (Bet.REQUEST if gate.open else Bet.SHARE), gate.reason
    kappa = policy.evidence.kappa
    if kappa is None:
        kappa = _kappa(past)
        reason += f"; margin {kappa:.3g} from how stable's pods differ"
    else:
        reason += f"; margin {kappa:g} by the policy"
    natural = scrape_interval if bet is Bet.REQUEST else _SHARE_INTERVAL
    return Calibration(
        bet=bet,
        kappa=kappa,
        phi=gate.phi,
        interval=policy.evidence.interval or natural,
        bounds_us=latency_bounds(profile, policy.limits),
        reason=reason,
        base=base,
    )


def latency_bounds(profile: LatencyProfile, limits: Limits) -> tuple[float, ...]:
    """The bucket bounds, in microseconds, at which the canary is compared with stable.

    Those that 0.2 % to 50 % of stable's requests exceed, at most five; where there is none, the lowest
    bound that fewer exceed, so that a narrow distribution is not a blind spot; and the bucket of the
    p99 limit.
    """
    telling = [bound for bound, share in profile.exceedance if 0.002 <= share <= 0.5][:5]
    if not telling:
        telling = [bound for bound, share in profile.exceedance if share < 0.002][:1]
    bounds = set(telling)
    if limits.latency_p99_ms is not None:
        bounds.add(bucket_at_or_above(limits.latency_p99_ms * 1000))
    return tuple(sorted(bounds))


@dataclass(frozen=True, slots=True)
class _Gate:
    """Whether stable's past allows the request bet, why, and the dispersion that the bound is given."""

    open: bool
    reason: str
    phi: float


def _gate(past: dict[int, Dispersion]) -> _Gate:
    known = {seconds: found for seconds, found in past.items() if found.phi is not None}
    shortest = past.get(BLOCKS[0])
    largest = max((found.phi or 1.0 for found in known.values()), default=1.0)
    if shortest is None or shortest.df < _ENOUGH_DF:
        reason = "share bet: too few errors of stable's in the hour before to tell whether requests fail independently"
        return _Gate(open=False, reason=reason, phi=max(UNKNOWN_DISPERSION, largest))
    for seconds, found in known.items():
        if found.phi is not None and found.phi > 1.05 + _slack(found.df):
            reason = f"share bet: stable's errors are bunched (dispersion {found.phi:.3g} in blocks of {seconds} s)"
            return _Gate(open=False, reason=reason, phi=max(1.0, largest))
    reason = f"request bet: stable's requests fail independently (dispersion {largest:.3g} at most)"
    return _Gate(open=True, reason=reason, phi=max(1.0, largest))


def _kappa(past: dict[int, Dispersion]) -> float:
    """1 + 2 CV of the pods' error ratios over five minutes, within its limits."""
    found = past.get(BLOCKS[-1])
    if found is None or found.phi is None or not found.mean_bad:
        return SMALLEST_KAPPA
    variation = max(0.0, found.phi - 1 - _slack(found.df)) / found.mean_bad
    return min(LARGEST_KAPPA, max(SMALLEST_KAPPA, 1 + 2 * math.sqrt(variation)))


def _slack(df: int) -> float:
    """Two standard deviations of a dispersion with `df` degrees of freedom around 1."""
    return 2 * math.sqrt(2 / df)
