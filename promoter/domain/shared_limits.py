"""What the rollouts of one environment share: how many at once, and how much traffic on trial."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SharedLimits:
    """Limits of one environment; None means no limit.

    concurrent_rollouts: models that may have a canary at once. exposure: sum over their canaries of the percentage of
    their model's requests that they get, those that get all of them left out.
    """

    concurrent_rollouts: int | None = None
    exposure: int | None = None
