"""Stable's hour before a simulated rollout: what the bet and its margin are chosen from."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from promoter.decisions.calibration import BLOCKS
from promoter.decisions.dispersion import Dispersion, dispersion
from promoter.domain.evidence import ArmCounts
from promoter.simulation.stream import STABLE_PODS, Scenario, World, arrivals

_HOUR = 3600


class History:
    """An hour of stable's pods, all the traffic being theirs."""

    def __init__(self, scenario: Scenario, seed: int, run: int) -> None:
        rng = np.random.default_rng((seed, run, 2))
        world = World(scenario, seed, run)
        slots = np.arange(-_HOUR // scenario.slot, 0)
        failing = world.pod_ratios(rng, scenario.base * world.common(rng, slots), STABLE_PODS)
        good, self._bad = arrivals(rng, scenario, failing, np.full(STABLE_PODS, 1 / STABLE_PODS))
        self._requests = good + self._bad
        self._slot = scenario.slot

    def dispersions(self) -> dict[int, Dispersion]:
        """How bunched the errors were, by length of block in seconds."""
        return {seconds: dispersion(self._blocks(seconds)) for seconds in BLOCKS}

    def last(self, seconds: int) -> ArmCounts:
        """All pods together, over the last `seconds`."""
        slots = seconds // self._slot
        requests, bad = int(self._requests[-slots:].sum()), int(self._bad[-slots:].sum())
        return ArmCounts(requests, bad, bad)

    def _blocks(self, seconds: int) -> list[list[tuple[int, int]]]:
        pairs = zip(self._gathered(self._bad, seconds), self._gathered(self._requests, seconds), strict=True)
        return [list(zip(bad, requests, strict=True)) for bad, requests in pairs]

    def _gathered(self, counts: npt.NDArray[np.int64], seconds: int) -> list[list[int]]:
        """Sums over blocks of time: blocks in rows, pods in columns."""
        sums: list[list[int]] = counts.reshape(-1, seconds // self._slot, STABLE_PODS).sum(axis=1).tolist()
        return sums
