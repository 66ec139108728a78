"""Scores on a schedule of weights that nothing decides: how often a bet alone is wrong, and how fast it is right.

All rules meet the same weights, so that nothing but the bet differs; a rollout in closed loop is in `rollouts`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from promoter.decisions.betting import EProcess, broken_logs, log_weighted_mean, request_logs, share_logs
from promoter.decisions.evidence import HARD_CEILING
from promoter.domain.policy import Bet
from promoter.simulation.stream import Scenario, SlotCounts, Stream

# Ten minutes each.
WEIGHTS = (5, 10, 25, 50)
SECONDS = 600

# The errors alone are judged, so all but the hard ceiling's share of the evidence is theirs.
_CEILING_SHARE = 0.1

_BETS: dict[Bet, Callable[[int, int, int, int, float], tuple[float, ...]]] = {
    Bet.SHARE: share_logs,
    Bet.REQUEST: request_logs,
}


def intervals(scenario: Scenario, seed: int, run: int) -> Iterator[SlotCounts]:
    """The counts of one run, slot by slot, to the end of the schedule."""
    stream = Stream(scenario, seed, run, WEIGHTS)
    for slot in range(len(WEIGHTS) * SECONDS // scenario.slot):
        yield stream.at(slot, WEIGHTS[slot * scenario.slot // SECONDS])


def seconds_to_revert(scenario: Scenario, seed: int, run: int, *, bet: Bet, kappa: float, alpha: float) -> int | None:
    """When the odds reach 1/alpha in one run, evidence being taken once a slot; None if they never do."""
    errors, ceiling = EProcess(), EProcess()
    for number, counts in enumerate(intervals(scenario, seed, run), start=1):
        errors.update(_BETS[bet](counts.canary_bad, counts.canary, counts.stable_bad, counts.stable, kappa))
        ceiling.update(broken_logs(counts.canary_bad, counts.canary, HARD_CEILING))
        odds = log_weighted_mean([(1 - _CEILING_SHARE, errors.log), (_CEILING_SHARE, ceiling.log)])
        if odds >= -math.log(alpha):
            return number * scenario.slot
    return None
