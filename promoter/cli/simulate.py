"""`promoter simulate`: what a policy would do, over and over, to a version that is as bad as you say."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from promoter.cli.options import Ratio, console, needs, policy_at, policy_option, traits_options
from promoter.cli.wiring import tells_errors
from promoter.domain.figures import grouped
from promoter.simulation.disturbances import MEANINGS, Disturbance

if TYPE_CHECKING:
    from promoter.simulation.estimates import Estimate
    from promoter.simulation.rollouts import Setup
    from promoter.simulation.trials import Summary


_PLAIN_WIDTH = 120


def _disturbances() -> str:
    return "\b\n" + "\n".join(f"{name:<15}{meaning}" for name, meaning in MEANINGS.items())


@click.command(epilog=f"{click.style('Disturbances', bold=True)}\n\n{_disturbances()}")
@policy_option
@click.option("--rps", required=True, type=click.FloatRange(0, 1e6, min_open=True), help="Requests per second.")
@click.option("--base", required=True, type=Ratio(), help="Share of stable's requests that fail: 0.001 or 0.1%.")
@click.option(
    "--canary", required=True, type=Ratio(), help="The same of the canary's; equal to --base: no harm at all."
)
@click.option("--runs", default=400, show_default=True, type=click.IntRange(1, 1_000_000), help="Rollouts.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="The same seed, the same numbers.")
@click.option(
    "--disturbance",
    default=Disturbance.NONE.value,
    show_default=True,
    metavar="NAME",
    type=click.Choice([name.value for name in Disturbance]),
    help="What happens to both versions alike; see below.",
)
@click.option("--peers", is_flag=True, help="Argo Rollouts' and Flagger's documented examples, on the same requests.")
@traits_options
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@tells_errors
def simulate(
    *,
    policy_file: Path,
    rps: float,
    base: float,
    canary: float,
    runs: int,
    seed: int,
    disturbance: str,
    scrape_interval: timedelta,
    reaction_time: timedelta,
    peers: bool,
    as_json: bool,
) -> None:
    """What a policy would do, over and over, to a version that is as bad as you say.

    Each rollout is decided by the rules that run live, on requests that are drawn: it begins with the first weight and
    ends when the canary is reverted or promoted (given all requests); after an hour it is undecided. No cluster is
    asked anything.
    """
    needs("simulate", "simulations need NumPy", "numpy")
    # They import NumPy, which is not there for everybody, and takes its time.
    from promoter.simulation.rollouts import Setup  # noqa: PLC0415 - as above
    from promoter.simulation.trials import PEERS, PROMOTER  # noqa: PLC0415 - as above
    from promoter.simulation.trials import simulate as simulated  # noqa: PLC0415 - as above

    setup = Setup.of(
        policy_at(policy_file),
        rate=rps,
        base=base,
        canary=canary,
        disturbance=Disturbance(disturbance),
        seed=seed,
        scrape=scrape_interval,
        reaction=reaction_time,
    )
    rules = [PROMOTER, *PEERS] if peers else [PROMOTER]
    with _progress(runs) as told:
        found = simulated(setup, runs, rules, workers=os.cpu_count() or 1, told=told)
    if as_json:
        click.echo(json.dumps(_document(setup, runs, found)))
    else:
        _print(setup, runs, found)


@contextmanager
def _progress(runs: int) -> Iterator[Callable[[int], None]]:
    """A bar on standard error, gone when all is done; nothing where nobody watches."""
    columns = (TextColumn("rollouts"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("rollouts", total=runs)
        yield lambda ended: bar.advance(task, ended)


def _document(setup: Setup, runs: int, found: Mapping[str, Summary]) -> dict[str, object]:
    """What --json prints: ratios and seconds as plain numbers, null where there is none."""
    scenario = setup.scenario
    return {
        "rps": scenario.rate,
        "base": scenario.base,
        "canary": scenario.canary,
        "disturbance": scenario.disturbance.value,
        "runs": runs,
        "seed": setup.seed,
        "rules": {rule: asdict(summary) for rule, summary in found.items()},
    }


def _print(setup: Setup, runs: int, found: Mapping[str, Summary]) -> None:
    scenario = setup.scenario
    screen = console(_PLAIN_WIDTH)
    screen.print(
        f"{grouped(runs)} rollouts at {scenario.rate:g} requests a second; {_percent(scenario.base)} fail on stable, "
        f"{_percent(scenario.canary)} on the canary."
    )
    screen.print(f"Disturbance: {MEANINGS[scenario.disturbance]}.\n")
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    table.add_column("95 % intervals in brackets", header_style="dim")
    for rule in found:
        table.add_column(rule, justify="right")
    for name, cell in _rows(alike=scenario.base == scenario.canary).items():
        table.add_row(name, *(cell(summary) for summary in found.values()))
    screen.print(table)
    chosen = next(iter(found.values())).bets
    screen.print("\nBet: " + ", ".join(f"{bet} in {grouped(count)} rollouts" for bet, count in chosen.items()))


def _rows(*, alike: bool) -> dict[str, Callable[[Summary], str]]:
    """The lines of the table, in their order."""
    return {
        "false reverts" if alike else "reverted": lambda summary: _share(summary.reverted),
        "promoted": lambda summary: _share(summary.promoted),
        "undecided after an hour": lambda summary: _share(summary.undecided),
        "seconds to revert": lambda summary: _mean(summary.seconds_to_revert),
        "seconds to promotion": lambda summary: _mean(summary.seconds_to_promote),
        "extra failed requests": lambda summary: _mean(summary.extra),
    }


def _share(estimate: Estimate) -> str:
    low, high = (0.0 if end is None else 100 * end for end in (estimate.low, estimate.high))
    return f"{100 * estimate.value:.3g} % ({low:.2g} to {high:.3g})"


def _mean(estimate: Estimate | None) -> str:
    if estimate is None:
        return "–"
    if estimate.low is None or estimate.high is None:
        return _figure(estimate.value)
    return f"{_figure(estimate.value)} ({_figure(estimate.low)} to {_figure(estimate.high)})"


def _figure(value: float) -> str:
    return f"{value:.1f}" if abs(value) < 100 else grouped(round(value))


def _percent(ratio: float) -> str:
    return f"{100 * ratio:g} %"
