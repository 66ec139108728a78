"""What is chosen before a rollout, from stable's past: it costs no error, because no canary data is in it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from promoter.domain.policy import Bet


@dataclass(frozen=True, slots=True)
class Calibration:
    """How the counts of one rollout are weighed.

    bet: SHARE or REQUEST. kappa: how many times worse than stable is no harm. phi: dispersion of stable's
    errors, 1 for independent requests. interval: of the evidence. bounds_us: latency bounds in microseconds, rising.
    reason: why this bet and this kappa, as a sentence. base: the share of stable's requests that failed, None where
    there were none.
    """

    bet: Bet
    kappa: float
    phi: float
    interval: timedelta
    bounds_us: tuple[float, ...]
    reason: str
    base: float | None = None
