"""Rollouts in closed loop beside what the prototype of the design reached, and beside the peers on the same requests.

`python -m benchmarks.simulation` prints the tables; `figures` are those with a bar. docs/simulation.md says how to
read them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import timedelta
from functools import partial
from multiprocessing import get_context

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.figures import Figure, show
from promoter.domain.policy import Bet, CandidateSource, EvidencePolicy, RampPolicy, RolloutPolicy
from promoter.simulation.disturbances import Disturbance
from promoter.simulation.estimates import Estimate, share
from promoter.simulation.rollouts import Setup
from promoter.simulation.schedule import seconds_to_revert
from promoter.simulation.stream import Scenario
from promoter.simulation.trials import PEERS, PROMOTER, Summary, simulate

RUNS = 60
ALIKE_RUNS = 500
SEED = 11
DELAY = timedelta(seconds=10)

_WIDTH = 190

# The policy that the prototype was measured with.
POLICY = RolloutPolicy(CandidateSource(store="file:///models"), ramp=RampPolicy(budget=50, max_weight=50))

ARGO, FLAGGER = PEERS
RULES = ("auto, 15 s", "share, 15 s", "auto, 5 s", ARGO, FLAGGER)
_BETS = {"auto, 15 s": (Bet.AUTO, 15), "share, 15 s": (Bet.SHARE, 15), "auto, 5 s": (Bet.AUTO, 5)}

# (requests per second, stable's error ratio, the canary's): what the prototype reached, in the order of RULES. Extra
# failed requests and mean time; 400 rollouts a cell, 3000 where both are alike.
PROTOTYPE: dict[tuple[int, float, float], tuple[str, str, str, str, str]] = {
    (100, 0.01, 0.01): ("0.07 % reverted; 315 s", "0 %; 316 s", "0.2 %; 311 s", "2400 s", "45 % reverted"),
    (100, 0.001, 0.005): ("21; 130 s", "44; 245 s", "21; 106 s", "478, promoted", "67, promoted"),
    (100, 0.001, 0.01): ("14; 68 s", "58; 160 s", "17; 41 s", "1080, promoted", "237, 58 % promoted"),
    (100, 0.001, 0.05): ("8; 28 s", "25; 53 s", "12; 14 s", "5236, 66 % promoted", "161"),
    (100, 0.001, 0.5): ("25; 15 s", "35; 26 s", "25; 5 s", "27 392", "1649"),
    (100, 0.01, 0.02): ("62; 143 s", "183; 381 s", "63; 116 s", "1200, promoted", "53"),
    (1000, 0.001, 0.001): ("0 % reverted; 300 s", "0.03 %; 300 s", "0.1 %; 300 s", "2400 s", "600 s"),
    (1000, 0.001, 0.002): ("62; 150 s", "182; 397 s", "61; 119 s", "1200, promoted", "166, promoted"),
    (1000, 0.001, 0.005): ("20; 55 s", "95; 119 s", "28; 27 s", "4795, promoted", "662, promoted"),
    (1000, 0.001, 0.01): ("13; 37 s", "37; 67 s", "18; 18 s", "10 798, promoted", "2315, 53 % promoted"),
    (1000, 0.001, 0.05): ("13; 16 s", "33; 39 s", "13; 8 s", "51 108, 62 % promoted", "1619"),
    (1000, 0.001, 0.5): ("124; 15 s", "125; 15 s", "76; 5 s", "273 995", "16 473"),
    (1000, 0.01, 0.02): ("49; 66 s", "238; 206 s", "61; 34 s", "12 012, promoted", "330"),
}


def figures() -> list[Figure]:
    """What is promised: how much a bad version costs, and how seldom a good one is reverted."""
    found = caught()
    # None would mean that not one was reverted.
    seconds = found.seconds_to_revert.value if found.seconds_to_revert else float("inf")
    harm = found.extra.value if found.extra else float("inf")
    name = "0.1 to 1 % errors at 1000 a second"
    return [
        Figure(f"{name}: extra failed requests", harm, 20, ""),
        Figure(f"{name}: to the revert", seconds, 45, "s"),
        Figure(f"{name}: not reverted", 100 * (1 - found.reverted.value), 0, "%"),
        *(
            Figure(
                f"false reverts of the share bet, {disturbance} ({_interval(reverted)})", 100 * reverted.value, 1, "%"
            )
            for disturbance, reverted in alike().items()
        ),
    ]


def caught() -> Summary:
    """0.1 to 1 % errors at 1000 requests a second, with every weight live only after its delay."""
    return simulate(_setup(1000, 0.001, 0.01, Bet.AUTO, 5), 2 * RUNS, [PROMOTER], workers=_workers())[PROMOTER]


def cell(rate: float, base: float, canary: float) -> dict[str, Summary]:
    """One row of the table. As for the prototype, raises are live at once, and only a revert has its delay."""
    found: dict[str, Summary] = {}
    for name, (bet, scrape) in _BETS.items():
        setup = replace(_setup(rate, base, canary, bet, scrape), raise_delay=0)
        found[name] = simulate(setup, RUNS, [PROMOTER], workers=_workers())[PROMOTER]
    return found | simulate(_setup(rate, base, canary, Bet.AUTO, 15), RUNS, list(PEERS), workers=_workers())


def alike() -> dict[Disturbance, Estimate]:
    """False reverts of the share bet under each disturbance: 40 minutes at 5, 10, 25 and 50 %, 1000 requests a second.

    Half of the rollouts have 0.1 % errors, half 1 %. Slow pods leave errors alone.
    """
    asked = [disturbance for disturbance in Disturbance if disturbance is not Disturbance.SLOW_PODS]
    with ProcessPoolExecutor(_workers(), mp_context=get_context("spawn")) as pool:
        reverts = {
            disturbance: sum(
                sum(pool.map(partial(_reverts, disturbance, base), range(ALIKE_RUNS), chunksize=25))
                for base in (0.001, 0.01)
            )
            for disturbance in asked
        }
    return {disturbance: share(count, 2 * ALIKE_RUNS) for disturbance, count in reverts.items()}


def main() -> int:
    """Print the tables; exit status 1 where a bar is not held."""
    console = Console(width=max(_WIDTH, Console().width), highlight=False)
    console.print(_table({key: cell(*key) for key in _watched(PROTOTYPE)}))
    return 0 if show(figures(), console) else 1


def _setup(rate: float, base: float, canary: float, bet: Bet, scrape: int) -> Setup:
    scraped = timedelta(seconds=scrape)
    policy = replace(POLICY, evidence=EvidencePolicy(bet=bet, interval=scraped))
    return Setup.of(policy, rate=rate, base=base, canary=canary, seed=SEED, scrape=scraped, reaction=scraped + DELAY)


def _reverts(disturbance: Disturbance, base: float, run: int) -> bool:
    scenario = Scenario(1000, base, base, disturbance, slot=15)
    return seconds_to_revert(scenario, SEED, run, bet=Bet.SHARE, kappa=1.1, alpha=0.01) is not None


def _watched(keys: Mapping[tuple[int, float, float], object]) -> Iterator[tuple[int, float, float]]:
    with Progress(console=Console(stderr=True), transient=True) as bar:
        yield from bar.track(list(keys), description="rows of the table")


def _table(found: Mapping[tuple[int, float, float], Mapping[str, Summary]]) -> Table:
    title = f"Extra failed requests, mean time, ±: 95 %. {RUNS} rollouts a cell. In brackets what the prototype reached"
    table = Table(title=title, title_justify="left", box=None, padding=(0, 2, 1, 0))
    table.add_column("a second, errors", no_wrap=True)
    for rule in RULES:
        table.add_column(rule, no_wrap=True)
    for (rate, base, canary), summaries in found.items():
        alike_arms = base == canary
        cells = (
            f"{_shown(summaries[rule], alike=alike_arms)}\n[dim]({stated})[/]"
            for rule, stated in zip(RULES, PROTOTYPE[rate, base, canary], strict=True)
        )
        table.add_row(f"{rate}, {100 * base:g} to {100 * canary:g} %", *cells)
    return table


def _shown(summary: Summary, *, alike: bool) -> str:
    """How a rule fared."""
    if alike:
        return f"{100 * summary.reverted.value:.2g} % reverted; {_with_reach(summary.seconds_to_promote)} s"
    if summary.reverted.value == 0:
        return f"{_with_reach(summary.extra)}, promoted"
    promoted = f", {100 * summary.promoted.value:.0f} % promoted" if summary.promoted.value else ""
    return f"{_with_reach(summary.extra)}; {_with_reach(summary.seconds_to_revert)} s{promoted}"


def _with_reach(estimate: Estimate | None) -> str:
    """A mean and half the width of its interval."""
    if estimate is None:
        return "–"
    reach = 0.0 if estimate.high is None else estimate.high - estimate.value
    return f"{estimate.value:.3g}±{reach:.2g}" if estimate.value < 1000 else f"{estimate.value:.0f}±{reach:.0f}"


def _interval(estimate: Estimate) -> str:
    low, high = (0.0 if end is None else 100 * end for end in (estimate.low, estimate.high))
    return f"{low:.2g} to {high:.2g} %"


def _workers() -> int:
    return os.cpu_count() or 1


if __name__ == "__main__":
    sys.exit(main())
