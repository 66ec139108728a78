"""E-processes: betting scores that may be read after every interval without losing their error guarantee.

A score starts at 1 and, while the null hypothesis holds, is a nonnegative supermartingale; by Ville's
inequality (1939) it ever reaches 1/alpha with a chance of at most alpha. Scores are kept as natural
logarithms. Bets of the form 1 + c (x - m) on a bounded mean: Waudby-Smith and Ramdas, "Estimating means of
bounded random variables by betting", JRSS-B 2024. Mixtures over constant bets: Cover, "Universal
portfolios", 1991. Restarts: Shin, Ramdas, Rinaldo, "E-detectors", 2023.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

# How many times worse the canary may be: one bet for each, mixed with equal weights.
ALTERNATIVES = (1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0, 1000.0)

# How much of the score is staked on one toss of a coin.
COIN_STAKES = (0.3, 0.6, 0.9)

# Bad ratios that the hard ceiling bets on.
BROKEN_RATIOS = (0.3, 0.5, 0.8, 0.98)


class EProcess:
    """A mixture of bets, each of which may also begin later (restart weights 0.8, then 0.2/(k(k-1)))."""

    def __init__(self) -> None:
        self._scores: list[float] = []
        self._left = 1.0
        self._intervals = 0

    def update(self, logs: Sequence[float]) -> None:
        """Take one interval: the log factor of each bet. An interval without evidence is all zeros."""
        self._intervals += 1
        weight = 0.8 if self._intervals == 1 else 0.2 / (self._intervals * (self._intervals - 1))
        self._left = max(0.0, self._left - weight)
        start = math.log(weight)
        if not self._scores:
            self._scores = [start + factor for factor in logs]
            return
        for index, factor in enumerate(logs):
            # log(exp(score) + weight), written out: this is the innermost line of every decision.
            score = self._scores[index]
            if score > start:
                score += math.log1p(math.exp(start - score))
            else:
                score = start + math.log1p(math.exp(score - start))
            self._scores[index] = score + factor

    @property
    def log(self) -> float:
        """The natural logarithm of the score."""
        if not self._scores:
            return 0.0
        left = math.log(self._left) if self._left > 0 else -math.inf
        return _log_add(log_mean(self._scores), left)


def share_logs(bad_canary: int, canary: int, bad_stable: int, stable: int, kappa: float) -> tuple[float, ...]:
    """Log factors of the share bet, one for each of ALTERNATIVES.

    The null: a canary at most `kappa` times as bad as stable has, in expectation, at most its share of
    the traffic (weighted by kappa) among the bad requests. `canary`, `stable`: requests in the interval.
    """
    bad = bad_canary + bad_stable
    if canary == 0 or stable == 0 or bad == 0:
        return (0.0,) * len(ALTERNATIVES)
    theta = kappa * canary / (kappa * canary + stable)
    return _linear_logs((bad_canary / bad) / theta, theta)


def request_logs(bad_canary: int, canary: int, bad_stable: int, stable: int, kappa: float) -> tuple[float, ...]:
    """Log factors of the request bet (likelihood ratio), one for each of ALTERNATIVES.

    The null: requests fail independently, the canary's at most `kappa` times as often. It is the limit, for
    rare errors, of the growth-optimal e-value for two-by-two tables (Turner, Ly, Grünwald 2024), and valid for any
    independent requests, also with unequal probabilities.
    """
    if canary == 0 or stable == 0 or bad_canary + bad_stable == 0:
        return (0.0,) * len(ALTERNATIVES)
    theta = kappa * canary / (kappa * canary + stable)
    logs = []
    for rho in ALTERNATIVES:
        reach = theta * (rho - 1)
        # stable / (kappa canary) is 1 / theta - 1, without the digits that the difference would lose.
        gain = reach / (1 + reach) * stable / (kappa * canary)
        logs.append(two_arm_log(bad_canary, canary, bad_stable, stable, gain=gain, kappa=kappa))
    return tuple(logs)


def two_arm_log(
    bad_canary: float,
    canary: float,
    bad_stable: float,
    stable: float,
    *,
    gain: float,
    kappa: float,
    excess: float = 0.0,
) -> float:
    """Log of the e-value a^x_c b^x_s / m^n_c for independent requests, with a = 1 + gain.

    For a gain above 0 the null is p_c <= kappa p_s + excess, for one below 0 p_c >= kappa p_s + excess, whatever the
    base ratio, which may change from interval to interval. With kappa = 0 it is the one-sample likelihood ratio.
    The form of Turner, Ly and Grünwald (JSPI 2024) for rare events, with a margin: m = 1 + excess gain and
    b = 1 - kappa n_c/n_s gain / m, which must not be negative.
    """
    m = excess * gain
    log = bad_canary * math.log1p(gain) - canary * math.log1p(m)
    if bad_stable and kappa:
        log += bad_stable * math.log1p(-kappa * (canary / stable) * gain / (1 + m))
    return log


def coin_logs(*, worse: bool | None) -> tuple[float, ...]:
    """Log factors of a bet on a fair coin, one for each of COIN_STAKES: the null is a chance of at most 1/2 of `worse`.

    None means that the coin was not tossed.
    """
    if worse is None:
        return (0.0,) * len(COIN_STAKES)
    return tuple(math.log1p(stake if worse else -stake) for stake in COIN_STAKES)


def ceiling_logs(bad: int, requests: int, ceiling: float) -> tuple[float, ...]:
    """Log factors of the same bet against a fixed ratio: the null is an expected bad ratio of at most `ceiling`.

    Alternatives at or above 1/ceiling would bet on ratios above 1 and stay out of the game.
    """
    if requests == 0:
        return (0.0,) * len(ALTERNATIVES)
    logs = _linear_logs((bad / requests) / ceiling, ceiling)
    return tuple(log if rho < 1 / ceiling else 0.0 for rho, log in zip(ALTERNATIVES, logs, strict=True))


def broken_logs(bad: int, requests: int, ceiling: float) -> tuple[float, ...]:
    """Log factors of the exact one-sample likelihood ratio against `ceiling`, one for each of BROKEN_RATIOS.

    a^x / (1 + s (a - 1))^n with the odds ratio a between the alternative and the ceiling s.
    """
    logs = []
    for ratio in BROKEN_RATIOS:
        odds = ratio * (1 - ceiling) / (ceiling * (1 - ratio))
        logs.append(two_arm_log(bad, requests, 0, 0, gain=odds - 1, kappa=0.0, excess=ceiling))
    return tuple(logs)


def log_mean(logs: Sequence[float]) -> float:
    """Log of the mean of scores: the mean of e-processes is one, under any dependence (Vovk and Wang 2021)."""
    return log_sum(logs) - math.log(len(logs))


def log_weighted_mean(scores: Iterable[tuple[float, float]]) -> float:
    """Log of the weighted mean of (weight, log score) pairs; the weights are brought to a sum of 1."""
    pairs = list(scores)
    whole = math.fsum(weight for weight, _ in pairs)
    return log_sum([math.log(weight / whole) + score for weight, score in pairs])


def log_sum(logs: Sequence[float]) -> float:
    """Log of the sum of exponentials, without overflow."""
    highest = max(logs)
    if math.isinf(highest):
        return highest
    return highest + math.log(math.fsum(math.exp(log - highest) for log in logs))


def _linear_logs(gain: float, mean: float) -> tuple[float, ...]:
    """log(1 + c (gain - 1)) with the growth-optimal c of each alternative for a fraction with this mean."""
    logs = []
    for rho in ALTERNATIVES:
        reach = mean * (rho - 1)
        logs.append(math.log1p(reach / (1 + reach) * (gain - 1)))
    return tuple(logs)


def _log_add(one: float, other: float) -> float:
    low, high = min(one, other), max(one, other)
    return high if math.isinf(low) else high + math.log1p(math.exp(low - high))
