"""Is the split that was asked for the split that is measured?

A binomial count against the weight, by a beta-binomial mixture (Lindon and Malek, "Anytime-valid inference for
multinomial count data", NeurIPS 2022, for two arms). It is a witness of the route, never evidence against a version.
"""

from __future__ import annotations

import math

from promoter.domain.evidence import IntervalCounts, Split

# So far off, and so sure of it: then nothing rises.
FARTHEST = 0.25
SUREST = math.log(1e4)


class SplitCheck:
    """Counts both arms' requests at one weight."""

    def __init__(self) -> None:
        self._canary = 0
        self._stable = 0

    def update(self, counts: IntervalCounts) -> None:
        """Take one interval."""
        self._canary += counts.canary.requests
        self._stable += counts.stable.requests

    def result(self, asked: float) -> Split | None:
        """The measured share beside `asked` (0 to 1); None at 0 and 1, and before the first request."""
        both = self._canary + self._stable
        if not both or not 0 < asked < 1:
            return None
        return Split(asked, self._canary / both, self._log_e(asked))

    def _log_e(self, asked: float) -> float:
        """Log of the e-value, the true share being drawn from Beta(asked, 1 - asked): as much as one request tells."""
        canary, stable = self._canary, self._stable
        mixture = _log_beta(canary + asked, stable + 1 - asked) - _log_beta(asked, 1 - asked)
        return mixture - canary * math.log(asked) - stable * math.log1p(-asked)


def _log_beta(one: float, other: float) -> float:
    return math.lgamma(one) + math.lgamma(other) - math.lgamma(one + other)


def is_another_split(split: Split) -> bool:
    """Whether the split is surely not the one that was asked for."""
    return abs(split.measured / split.asked - 1) > FARTHEST and split.log_e > SUREST
