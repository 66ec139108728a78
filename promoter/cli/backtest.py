"""`promoter backtest`: recorded counts through exactly the code that runs live."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from promoter.cli.options import (
    Moment,
    calibration_data,
    console,
    content_of,
    needs_matplotlib,
    policy_at,
    policy_option,
    traits_options,
    write_picture,
)
from promoter.cli.wiring import tells_errors
from promoter.control.recorded import recorded_rollout
from promoter.decisions.recorded import Case, prepared
from promoter.decisions.replay import Replay, ReplayedInterval, replay
from promoter.documents.counts_file import parse_counts
from promoter.domain.action import ACTION_NAMES, Hold, SetWeight
from promoter.domain.duration import format_duration
from promoter.domain.evidence import ArmCounts
from promoter.domain.figures import grouped, odds_text, percent
from promoter.domain.measurements import ProxyMetrics
from promoter.domain.names import ENVIRONMENTS, ServedModel
from promoter.domain.observation import ClusterTraits
from promoter.domain.version import ModelVersion
from promoter.errors import InvalidInput

_PLAIN_WIDTH = 140

# Times from here on are shown as times of day.
_A_DATE = 1e9


@click.command()
@policy_option
@click.option(
    "--counts",
    "counts_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Recorded counts, as CSV: time,version,role,pod,requests,bad and, for latency, le_<microseconds>.",
)
@click.option("--prometheus", "url", metavar="URL", help="Take the counts from this Prometheus instead; it needs:")
@click.option("--model", help="the model, as MODEL or GROUP/MODEL;")
@click.option("--environment", help="its environment;")
@click.option("--from", "begin", type=Moment(), help="when the rollout began, as 2026-11-24T12:00:00Z or in seconds;")
@click.option("--to", "end", type=Moment(), help="until when.")
@click.option("--stable", type=click.IntRange(1), help="Stable's version, where Prometheus saw more than two.")
@click.option("--canary", type=click.IntRange(1), help="The canary's version, likewise.")
@click.option(
    "--proxy-metrics",
    type=click.Choice([kind.value for kind in ProxyMetrics]),
    default=ProxyMetrics.NONE.value,
    show_default=True,
    help="Whose counters of requests Prometheus holds beside the servers' own.",
)
@traits_options
@click.option("--as-recorded", is_flag=True, help="The weights are those of the counts; the ramp is only suggested.")
@click.option("--svg", type=click.Path(dir_okay=False, path_type=Path), help="Draw a picture into this file.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object for programs.")
@tells_errors
def backtest(
    *,
    policy_file: Path,
    counts_file: Path | None,
    url: str | None,
    model: str | None,
    environment: str | None,
    begin: datetime | None,
    end: datetime | None,
    stable: int | None,
    canary: int | None,
    proxy_metrics: str,
    scrape_interval: timedelta,
    reaction_time: timedelta,
    as_recorded: bool,
    svg: Path | None,
    as_json: bool,
) -> None:
    """What a policy would have made of a rollout of the past, interval by interval.

    The counts run through exactly the code that decides live. They are weighed as they are, whatever weight the policy
    would have given: a canary's share of the failures is compared with its share of the requests. Lines of stable
    from before the canary's first are its past, from which bet, margin and latency bounds are chosen.

    Exit status 0 whatever the verdict; 1 where the input cannot be judged.
    """
    policy = policy_at(policy_file)
    if svg is not None:
        needs_matplotlib()
    if counts_file is not None and url is None:
        content = content_of(counts_file, "Name a CSV file")
        case = prepared(parse_counts(content, str(counts_file)), policy)
    elif url is not None and counts_file is None:
        if model is None or environment is None or begin is None or end is None:
            raise InvalidInput("--prometheus needs --model, --environment, --from and --to as well")
        # The adapter is for those who ask a server.
        from promoter.adapters.prometheus import PrometheusMetrics  # noqa: PLC0415 - as above

        case = recorded_rollout(
            PrometheusMetrics(url, proxy=ProxyMetrics(proxy_metrics)),
            ServedModel.from_folder(f"{ENVIRONMENTS}/{environment}/{model}"),
            policy,
            begin=begin,
            end=end,
            traits=ClusterTraits(scrape_interval=scrape_interval, reaction_time=reaction_time),
            stable=None if stable is None else ModelVersion(stable),
            canary=None if canary is None else ModelVersion(canary),
        )
    else:
        raise InvalidInput("name the counts: --counts FILE, or --prometheus URL, and not both")
    replayed = replay(case, reaction_time=reaction_time, as_recorded=as_recorded)
    if svg is not None and replayed.intervals:
        from promoter.pictures.backtest import picture  # noqa: PLC0415 - half a second, for those who want one

        write_picture(svg, picture(case, replayed, as_recorded=as_recorded))
    for note in case.notes:
        click.echo(f"note: {note}", err=True)
    if as_json:
        click.echo(json.dumps(_document(case, replayed), ensure_ascii=False))
    else:
        _print(case, replayed, as_recorded=as_recorded)
        if svg is not None:
            click.echo(f"\nThe picture: {svg}")


def _document(case: Case, replayed: Replay) -> dict[str, Any]:
    """What --json prints. Times in seconds, logs natural, ratios from 0 to 1, weights in percent."""
    return {
        "versions": {"stable": case.stable, "canary": case.canary},
        "calibration": calibration_data(case.calibration),
        "first_weight": replayed.first_weight,
        "intervals": [_interval(interval) for interval in replayed.intervals],
        "verdict": replayed.judgement.value,
        "reason": replayed.reason,
        "notes": list(case.notes),
    }


def _interval(interval: ReplayedInterval) -> dict[str, Any]:
    evidence, action = interval.evidence, interval.action
    suggested = {"suggested_weight": action.weight} if isinstance(action, SetWeight) else {}
    return {
        "time": interval.end,
        "canary": _counts(interval.counts.canary),
        "stable": _counts(interval.counts.stable),
        "log_e": dict(evidence.log_e),
        "log_odds": evidence.log_odds,
        "upper_bound": evidence.upper_bound,
        "weight": interval.weight,
        "action": ACTION_NAMES[type(action)],
        **suggested,
        "reason": action.reason,
    }


def _counts(arm: ArmCounts) -> dict[str, Any]:
    return {"requests": arm.requests, "bad": arm.bad, "slow": list(arm.slow)}


def _print(case: Case, replayed: Replay, *, as_recorded: bool) -> None:
    screen, calibration = console(_PLAIN_WIDTH), case.calibration
    screen.print(
        f"{case.canary} against {case.stable}, in intervals of {format_duration(calibration.interval)}. "
        f"Evidence: {calibration.reason}."
    )
    first = "was at" if as_recorded else "would get"
    screen.print(f"The canary {first} {replayed.first_weight} % first.\n")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("time", "stable", "canary", "odds against", "excess below", "weight"):
        table.add_column(name, justify="right", no_wrap=True, header_style="dim")
    table.add_column("action", header_style="dim", ratio=1)
    for before, interval in pairwise((None, *replayed.intervals)):
        if interval is not None:
            table.add_row(*_row(before, interval))
    screen.print(table)
    verdict = Text(f"\nVerdict: {replayed.judgement.value}. ", style="bold")
    screen.print(verdict.append(f"{replayed.reason[:1].upper()}{replayed.reason[1:]}.", style="not bold"))


def _row(before: ReplayedInterval | None, interval: ReplayedInterval) -> Iterator[Text]:
    evidence, action = interval.evidence, interval.action
    yield Text(_time(interval.end))
    yield Text(_failed(interval.counts.stable))
    yield Text(_failed(interval.counts.canary))
    yield Text(odds_text(evidence.log_odds))
    yield Text(percent(evidence.upper_bound))
    yield Text(f"{interval.weight} %")
    # A reason that stays is said once.
    held = isinstance(action, Hold) and before is not None and before.action.reason == action.reason
    yield Text("hold" if held else f"{ACTION_NAMES[type(action)]}: {action.reason}")


def _failed(arm: ArmCounts) -> str:
    return f"{grouped(arm.bad)} of {grouped(arm.requests)}"


def _time(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%H:%M:%S}" if seconds >= _A_DATE else f"{seconds:g} s"
