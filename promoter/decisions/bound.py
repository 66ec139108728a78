"""The upper bound on harm: how much worse than stable the canary can still be.

An anytime-valid bound on the traffic-weighted mean excess of bad ratios, by the two-arm e-value
a^x_c b^x_s / m^n_c for independent requests (Turner, Ly, Grünwald 2024, in the form for a margin), mixed
over a grid of `a`. Bursts are met by dividing the evidence by the dispersion `phi`.
"""

from __future__ import annotations

import math

from promoter.decisions.betting import log_mean
from promoter.domain.evidence import ArmCounts

_GRID = (0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


_PRECISION = 1e-11


class ExcessBound:
    """Gathers intervals; answers with the bound. `phi` is the dispersion, 1 for independent requests."""

    def __init__(self, phi: float) -> None:
        self._phi = phi
        self._logs = [0.0] * len(_GRID)
        self._requests = 0.0
        # Asked for several times between two intervals, and each answer takes a dozen evaluations.
        self._values: dict[float, float] = {}

    def update(self, canary: ArmCounts, stable: ArmCounts) -> None:
        """Take one interval; one without canary or without stable requests says nothing."""
        if canary.requests == 0 or stable.requests == 0:
            return
        self._add(canary.bad, canary.requests, stable.bad, stable.requests)

    def _add(self, bad_canary: float, canary: float, bad_stable: float, stable: float) -> None:
        self._values.clear()
        self._requests += canary / self._phi
        for index, a in enumerate(_GRID):
            ours = 0.0 if bad_canary == 0 else bad_canary * (math.log(a) if a else -math.inf)
            theirs = bad_stable * math.log1p(canary / stable * (1 - a))
            self._logs[index] += (ours + theirs) / self._phi

    @property
    def informed(self) -> bool:
        """Whether any interval had something to say."""
        return self._requests > 0

    def value(self, beta: float) -> float:
        """The smallest excess in [0, 1] that is refuted with confidence 1 - beta; 1 where none is."""
        if beta not in self._values:
            self._values[beta] = self._value(beta)
        return self._values[beta]

    def _value(self, beta: float) -> float:
        threshold = -math.log(beta)
        low, high = 0.0, 1.0
        below, above = self._score(low) - threshold, self._score(high) - threshold
        if above < 0:
            return 1.0
        if below >= 0:
            return 0.0
        # Rising in the excess: regula falsi with Illinois' halving of an end that stays, and plain bisection while
        # the upper end is infinite.
        moved = 0
        while high - low > _PRECISION:
            middle = (low + high) / 2 if math.isinf(above) else low - below * (high - low) / (above - below)
            middle = min(max(middle, low + _PRECISION / 4), high - _PRECISION / 4)
            found = self._score(middle) - threshold
            if found >= 0:
                high, above = middle, found
                below = below / 2 if moved > 0 else below
                moved = 1
            else:
                low, below = middle, found
                above = above / 2 if moved < 0 else above
                moved = -1
        return high

    def refutes(self, excess: float, beta: float) -> bool:
        """Whether an excess of this much or more is refuted with confidence 1 - beta: `value` is at most `excess`."""
        return self._score(excess) >= -math.log(beta)

    def requests_until(self, margin: float, beta: float, *, ratio: float, share: float) -> int | None:
        """About how many more canary requests bring the bound under `margin`.

        Both arms are taken to go on failing at `ratio`, the canary with this `share` of the traffic
        (0 to 1). None where a billion requests would not do.
        """

        def enough(count: int) -> bool:
            return self.after(count, ratio=ratio, share=share).refutes(margin, beta)

        if self.refutes(margin, beta):
            return 0
        high = 16
        while not enough(high):
            if high > 10**9:
                return None
            high *= 2
        low = high // 2
        while high - low > max(1, low // 20):
            middle = (low + high) // 2
            low, high = (low, middle) if enough(middle) else (middle, high)
        return high

    def after(self, canary: float, *, ratio: float, share: float) -> ExcessBound:
        """The bound after so many more canary requests, both arms failing at `ratio`, the canary with this `share`."""
        grown = ExcessBound(self._phi)
        grown._logs = list(self._logs)
        grown._requests = self._requests
        if canary > 0:
            stable = canary * (1 - share) / share
            grown._add(canary * ratio, canary, stable * ratio, stable)
        return grown

    def _score(self, excess: float) -> float:
        logs = []
        for a, log in zip(_GRID, self._logs, strict=True):
            if math.isinf(log):
                logs.append(-math.inf)
                continue
            lost = excess * (1 - a)
            if lost < 1:
                logs.append(log - self._requests * math.log1p(-lost))
            else:
                logs.append(math.inf if self._requests else log)
        return log_mean(logs)
