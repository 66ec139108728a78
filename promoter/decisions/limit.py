"""How few requests any test can do with: the limit that no rule gets below, ours included."""

from __future__ import annotations

import math


def divergence(canary: float, stable: float) -> float:
    """Kullback and Leibler's divergence of a request that fails with chance `canary` from one with `stable`, in nats.

    Infinite where what the canary does never happens on stable.
    """
    divergence = 0.0
    for ours, theirs in ((canary, stable), (1 - canary, 1 - stable)):
        if ours and not theirs:
            return math.inf
        if ours:
            divergence += ours * math.log(ours / theirs)
    return divergence


def least_requests(canary: float, stable: float, false_revert: float) -> float:
    """Canary requests, on average, until a version that fails `canary` of them is told from one that fails `stable`.

    ln(1/alpha) / KL: no sequential test that is wrong with a chance of at most alpha does with fewer, even if it was
    told both ratios (Wald, "Sequential tests of statistical hypotheses", 1945). Infinite for equal ratios.
    """
    nats = divergence(canary, stable)
    return -math.log(false_revert) / nats if nats else math.inf
