"""The requests of one rollout, drawn so that every rule which is tried on them meets the same ones.

Traffic is cut twice: into slots of a few seconds, and into the weights at which a request still goes to the
canary. For each cell it is drawn what would become of its requests on the canary and what on stable. A rule that
gives the canary a weight reads the first up to that weight and the second beyond it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from promoter.simulation.disturbances import Disturbance

STABLE_PODS = 9

# Disturbances that come and go do so on this grid of seconds.
GRID = 15

_Array = npt.NDArray[np.float64]

_EVERY_WEIGHT = tuple(range(1, 101))
_CHUNK_SECONDS = 300
_RETRIED = (1, 2, 3, 4)
_BURSTS = {Disturbance.BURSTS_2: 2.0, Disturbance.BURSTS_5: 5.0}
_BURST_SHARE = 0.05
_SHOCK_CHANCE, _SHOCK_FACTOR = 0.05, 10.0
_DRIFT_SECONDS, _DRIFT_FACTOR = 1200.0, 3.0
_BLIP_CHANCE, _BLIP_RATIO = GRID / 3600, 0.2
_WRONG_SPLIT = 1.2

# A beta distribution has no ratio of exactly 0.
_NEVER = 1e-12


@dataclass(frozen=True, slots=True)
class Scenario:
    """What arrives, and how it fails.

    rate: requests per second. base, canary: share of stable's and of the canary's requests that fail, 0 to 1.
    slot: seconds, a divisor of 15.
    """

    rate: float
    base: float
    canary: float
    disturbance: Disturbance = Disturbance.NONE
    slot: int = 5


class SlotCounts(NamedTuple):
    """One slot: requests and failures of both arms, and how many of the canary's stable would have failed."""

    canary: int
    canary_bad: int
    stable: int
    stable_bad: int
    spared: int


class Stream:
    """One rollout's requests. Draws five minutes at a time, each from a seed of its own.

    weights: those that will be asked for, in rising order; fewer are faster.
    """

    def __init__(self, scenario: Scenario, seed: int, run: int, weights: Sequence[int] = _EVERY_WEIGHT) -> None:
        self._scenario = scenario
        self._key = (seed, run, 1)
        self._world = World(scenario, seed, run)
        edges = sorted({0, *weights, 100})
        self._columns = {weight: column for column, weight in enumerate(edges)}
        self._shares = np.diff([measured_share(scenario.disturbance, weight) for weight in edges])
        self._slots_drawn = _CHUNK_SECONDS // scenario.slot
        self._chunks: dict[int, list[list[list[int]]]] = {}

    def at(self, slot: int, weight: int) -> SlotCounts:
        """The counts of one slot (from 0) if the canary has `weight` percent."""
        number, position = divmod(slot, self._slots_drawn)
        if number not in self._chunks:
            self._chunks[number] = self._drawn(number)
        column = self._columns[weight]
        canary, canary_bad, stable, stable_bad = (counts[position] for counts in self._chunks[number])
        return SlotCounts(
            canary[column],
            canary_bad[column],
            stable[-1] - stable[column],
            stable_bad[-1] - stable_bad[column],
            stable_bad[column],
        )

    def _drawn(self, number: int) -> list[list[list[int]]]:
        """Counts by slot, summed up to each weight: the canary's requests, its failures, stable's, their failures."""
        rng = np.random.default_rng((*self._key, number))
        scenario = self._scenario
        slots = np.arange(number * self._slots_drawn, (number + 1) * self._slots_drawn)
        common = self._world.common(rng, slots)
        counts = []
        for ratio, pods in ((scenario.canary, 1), (scenario.base, STABLE_PODS)):
            failing = self._world.pod_ratios(rng, ratio * common, pods).mean(axis=1)
            good, bad = arrivals(rng, scenario, failing[:, None], self._shares)
            counts += [_summed(good + bad), _summed(bad)]
        return counts


class World:
    """How likely requests are to fail, from slot to slot: what is common to both versions, and each pod's own."""

    def __init__(self, scenario: Scenario, seed: int, run: int) -> None:
        self._scenario = scenario
        self._phase = np.random.default_rng((seed, run, 0)).uniform(0, 2 * math.pi)

    def common(self, rng: np.random.Generator, slots: npt.NDArray[np.int64]) -> _Array:
        """The factor on both versions' error ratios in each of `slots`, which begin on the grid."""
        if self._scenario.disturbance is Disturbance.COMMON_SHOCKS:
            shocks = rng.random(self._on_grid(len(slots))) < _SHOCK_CHANCE
            return self._spread(np.where(shocks, _SHOCK_FACTOR, 1.0), len(slots))
        if self._scenario.disturbance is Disturbance.DRIFT:
            turns = 2 * math.pi * slots * self._scenario.slot / _DRIFT_SECONDS
            reach = math.log(_DRIFT_FACTOR)
            # The mean of exp(reach * sin) over a turn is the Bessel function I0: the middle stays where it was.
            drift: _Array = np.exp(reach * np.sin(turns + self._phase)) / np.i0(reach)
            return drift
        return np.ones(len(slots))

    def pod_ratios(self, rng: np.random.Generator, ratios: _Array, pods: int) -> _Array:
        """Each pod's error ratio in each slot: slots in rows, pods in columns."""
        own = np.repeat(np.minimum(1.0, ratios)[:, None], pods, axis=1)
        shape = (self._on_grid(len(ratios)), pods)
        if self._scenario.disturbance is Disturbance.POD_BLIPS:
            blips = rng.random(shape) < _BLIP_CHANCE
            own = np.maximum(own, self._spread(np.where(blips, _BLIP_RATIO, 0.0), len(ratios)))
        elif self._scenario.disturbance in _BURSTS:
            own = self._spread(self._bursts(rng, own[0, 0], shape), len(ratios))
        return own

    def _bursts(self, rng: np.random.Generator, ratio: float, shape: tuple[int, int]) -> _Array:
        """Ratios from a beta distribution, one for each pod and 15 s.

        Of n requests with a correlation c, bad ones vary 1 + (n - 1) c times as much as by chance; c is such that at a
        weight of 5 % the canary's vary by the factor of the disturbance. More requests vary more.
        """
        factor = _BURSTS[self._scenario.disturbance]
        # So few requests cannot be more bunched.
        requests = max(2 * factor, self._scenario.rate * GRID * _BURST_SHARE)
        strength = (requests - 1) / (factor - 1) - 1
        ratio = min(max(ratio, _NEVER), 1 - _NEVER)
        drawn: _Array = rng.beta(ratio * strength, (1 - ratio) * strength, shape)
        return drawn

    def _on_grid(self, slots: int) -> int:
        return -(-slots * self._scenario.slot // GRID)

    def _spread(self, values: _Array, slots: int) -> _Array:
        return np.repeat(values, GRID // self._scenario.slot, axis=0)[:slots]


def arrivals(
    rng: np.random.Generator, scenario: Scenario, failing: _Array, shares: _Array
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Good and bad requests of one slot: Poisson traffic. failing: error ratios; shares: of all traffic; broadcast.

    Retries come in clusters of one to four bad requests: these are as many, and vary three times as much.
    """
    expected = scenario.rate * scenario.slot * shares
    good = rng.poisson(expected * (1 - failing))
    mean = expected * failing
    if scenario.disturbance is not Disturbance.RETRIES:
        return good, rng.poisson(mean)
    clusters = mean / sum(_RETRIED)
    return good, sum((size * rng.poisson(clusters) for size in _RETRIED), start=np.zeros(mean.shape, np.int64))


def measured_share(disturbance: Disturbance, weight: int) -> float:
    """The share of the traffic, 0 to 1, that the canary really gets at `weight` percent."""
    share = weight / 100
    if disturbance is not Disturbance.WRONG_SPLIT:
        return share
    # Up to a half; the other half makes up for it, so that 100 is 100.
    return _WRONG_SPLIT * share if share <= 0.5 else 1 - (2 - _WRONG_SPLIT) * (1 - share)


def _summed(counts: npt.NDArray[np.int64]) -> list[list[int]]:
    """Sums along the weights, with 0 before the first, as plain numbers."""
    sums: list[list[int]] = np.pad(np.cumsum(counts, axis=1), ((0, 0), (1, 0))).tolist()
    return sums
