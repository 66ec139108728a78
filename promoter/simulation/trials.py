"""Many simulated rollouts: spread over processes, and the same whatever their number."""

from __future__ import annotations

import multiprocessing
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass

from promoter.domain.forecast import Ending
from promoter.simulation.estimates import Estimate, mean, share
from promoter.simulation.outcome import Outcome
from promoter.simulation.peers import ArgoRollouts, Flagger, Peer
from promoter.simulation.rollouts import Setup, peer_rollout, promoter_rollout

PROMOTER = "promoter"
PEERS: dict[str, Callable[[int], Peer]] = {"Argo Rollouts": ArgoRollouts, "Flagger": Flagger}

# Below this many a second process takes longer to start than it saves.
_WORTH_A_PROCESS = 50
_BATCH = 10


@dataclass(frozen=True, slots=True)
class Summary:
    """What one rule made of all runs. Shares are of all runs; the times are of those that ended so.

    seconds_to_revert, seconds_to_promote: None where no run ended so. extra: failed requests beyond those that
    stable would have failed. bets: how many runs chose each bet.
    """

    runs: int
    reverted: Estimate
    promoted: Estimate
    undecided: Estimate
    seconds_to_revert: Estimate | None
    seconds_to_promote: Estimate | None
    extra: Estimate | None
    bets: dict[str, int]


def simulate(
    setup: Setup,
    runs: int,
    rules: Sequence[str],
    *,
    workers: int = 1,
    told: Callable[[int], None] = lambda _: None,
) -> dict[str, Summary]:
    """Runs 0 to `runs` - 1 of every rule (PROMOTER, or one of PEERS), on the same requests.

    told: is called with the number of runs that have come to their end since the last call. The numbers depend
    on the setup and `runs` alone, not on `workers`.
    """
    batches = [range(first, min(runs, first + _BATCH)) for first in range(0, runs, _BATCH)]
    outcomes: list[dict[str, Outcome]] = []
    if workers == 1 or runs < _WORTH_A_PROCESS:
        for batch in batches:
            outcomes += _batch(setup, batch, rules)
            told(len(batch))
    else:
        outcomes = _spread(setup, batches, rules, workers, told)
    return {rule: summary([outcome[rule] for outcome in outcomes]) for rule in rules}


def summary(outcomes: Sequence[Outcome]) -> Summary:
    """What a number of outcomes, at least one, amounts to."""
    ends = Counter(outcome.verdict for outcome in outcomes)
    return Summary(
        runs=len(outcomes),
        reverted=share(ends[Ending.REVERTED], len(outcomes)),
        promoted=share(ends[Ending.PROMOTED], len(outcomes)),
        undecided=share(ends[Ending.UNDECIDED], len(outcomes)),
        seconds_to_revert=mean([outcome.seconds for outcome in outcomes if outcome.verdict is Ending.REVERTED]),
        seconds_to_promote=mean([outcome.seconds for outcome in outcomes if outcome.verdict is Ending.PROMOTED]),
        extra=mean([outcome.extra for outcome in outcomes]),
        bets=dict(Counter(outcome.chosen for outcome in outcomes if outcome.chosen)),
    )


def _batch(setup: Setup, runs: range, rules: Sequence[str]) -> list[dict[str, Outcome]]:
    return [{rule: _rollout(setup, run, rule) for rule in rules} for run in runs]


def _rollout(setup: Setup, run: int, rule: str) -> Outcome:
    if rule == PROMOTER:
        return promoter_rollout(setup, run)
    return peer_rollout(setup, run, PEERS[rule](setup.scrape))


def _spread(
    setup: Setup, batches: Sequence[range], rules: Sequence[str], workers: int, told: Callable[[int], None]
) -> list[dict[str, Outcome]]:
    """The batches over `workers` processes, put back into their order.

    They are spawned: a fork of a process with threads may hang.
    """
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        futures = {pool.submit(_batch, setup, batch, rules): batch for batch in batches}
        try:
            for future in as_completed(futures):
                future.result()
                told(len(futures[future]))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        return [outcome for future in futures for outcome in future.result()]
