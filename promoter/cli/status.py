"""`promoter status`: a table for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from promoter.cli.options import console
from promoter.cli.status_matrix import matrix_data, print_matrix
from promoter.cli.wiring import open_steps, reconciler, tells_errors, told
from promoter.control.across import across, arranged
from promoter.control.open_steps import OpenStep
from promoter.control.reconcile import Standing, Survey, Verdict
from promoter.decisions.halt import paused_by
from promoter.domain.action import ACTION_NAMES, Hold
from promoter.domain.figures import grouped, odds, odds_text, percent
from promoter.domain.freeze import Unreadable
from promoter.ports import Repository

_PLAIN_WIDTH = 120


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object for programs.")
@click.option("--all", "everywhere", is_flag=True, help="Versions across environments, and how far each is behind.")
@tells_errors
def status(*, as_json: bool, everywhere: bool) -> None:
    """What is served, what is on trial, and what it waits for.

    With --all a matrix: a row for each model, a column for each environment, upstream first.

    Looks at Git, the store, Argo CD and Prometheus as a pass would, and writes nothing.
    """
    given = told()
    looking = reconciler(given, only_looks=True)
    survey = looking.survey(datetime.now(UTC).replace(microsecond=0))
    if everywhere:
        _show_all(survey, looking.repository, as_json=as_json)
    elif as_json:
        click.echo(json.dumps(_as_data(survey) | _steps_data(open_steps(given)), indent=2, ensure_ascii=False))
    else:
        _print_tables(survey)
        _print_steps(open_steps(given))
    if survey.stale is not None:
        sys.exit(1)


def _show_all(survey: Survey, repository: Repository, *, as_json: bool) -> None:
    # Histories of those that are behind are read, which takes a while where there are many.
    cells = across(survey, repository)
    with click.progressbar(cells, length=len(survey.verdicts), label="Reading histories", file=sys.stderr) as shown:
        found = arranged(tuple(shown), survey)
    if as_json:
        click.echo(json.dumps(matrix_data(found, survey), indent=2, ensure_ascii=False))
        return
    screen = console(_PLAIN_WIDTH)
    _print_stale(survey, screen)
    print_matrix(found, survey, screen)


def _print_stale(survey: Survey, screen: Console) -> None:
    if survey.stale is not None:
        screen.print(f"[bold red]The Git remote does not answer.[/] {survey.stale}")
        screen.print(f"What follows is about the last head that is known, {survey.head[:12]}.\n")


def _as_data(survey: Survey) -> dict[str, Any]:
    return {
        "head": survey.head,
        "time": survey.at.isoformat(),
        "problem": survey.stale,
        "models": [_model_data(verdict) for verdict in survey.verdicts],
        "limits": _limits_data(survey),
        "misnamed": [{"folder": entry.folder, "reason": entry.reason} for entry in survey.misnamed],
    }


def _steps_data(found: tuple[OpenStep, ...] | str) -> dict[str, Any]:
    """What waits in pull requests; null where the forge does not tell."""
    if isinstance(found, str):
        return {"open_steps": None}
    return {"open_steps": [{"title": one.title, "url": one.url, "waits_for": one.waits_for} for one in found]}


def _print_steps(found: tuple[OpenStep, ...] | str) -> None:
    screen = Console(highlight=False)
    if isinstance(found, str):
        screen.print(Text(f"\nWhether a step waits in a pull request is not known: {found}", style="red"))
        return
    for one in found:
        screen.print(Text(f"\n{one.title}\n  {one.url}\n  waits for {one.waits_for}"))


def _limits_data(survey: Survey) -> dict[str, Any] | None:
    """By environment; null where limits.yaml does not parse."""
    if isinstance(survey.standing, Unreadable):
        return None
    return {
        environment: {
            "concurrent_rollouts": standing.limits.concurrent_rollouts,
            "rollouts": standing.taken.rollouts,
            "exposure": standing.limits.exposure,
            "exposed": standing.taken.exposure,
        }
        for environment, standing in survey.standing.items()
    }


def _limits_text(environment: str, standing: Standing) -> str:
    limits, taken = standing.limits, standing.taken
    parts = []
    if limits.concurrent_rollouts is not None:
        parts.append(f"{taken.rollouts} of {limits.concurrent_rollouts} rollouts")
    if limits.exposure is not None:
        parts.append(f"an exposure of {taken.exposure} of {limits.exposure} %")
    return f"{environment}: {', '.join(parts) or 'no limit'}"


def _model_data(verdict: Verdict) -> dict[str, Any]:
    served, action, seen = verdict.served, verdict.action, verdict.seen
    data: dict[str, Any] = {
        "environment": served.environment,
        "group": served.group,
        "model": served.model,
        "next": ACTION_NAMES[type(action)],
        "reason": action.reason,
        "alarm": isinstance(action, Hold) and action.alarm,
        "waits_behind": [str(other) for other in verdict.behind],
    }
    if seen is None:
        return data
    release = seen.release
    data["changed"] = {
        "commit": seen.changed.revision,
        "author": seen.changed.author,
        "by_promoter": seen.changed.ours,
        "at": seen.changed.at.isoformat(),
    }
    data["stable"] = release.stable.version.number if release.stable else None
    data["canary"] = None
    if release.canary is not None:
        canary = release.canary
        data["canary"] = {
            "version": canary.version.number,
            "weight": canary.weight,
            "replicas": canary.replicas,
            "since": canary.since.isoformat(),
            "withdrawn": canary.withdrawn,
            "promote": canary.promote,
        }
    data["paused"] = {"by_policy": seen.policy.paused, "by_mark": None}
    if (pause := release.paused) is not None:
        mark = {"by": pause.by, "reason": pause.reason, "at": pause.at.isoformat(), "said": pause.said}
        data["paused"]["by_mark"] = mark
    data["rejected"] = {str(entry.version): entry.reason for entry in release.rejected}
    data["incomplete"] = {entry.name: entry.reason for entry in (seen.listing.incomplete if seen.listing else ())}
    data["problems"] = list(seen.problems)
    if action.evidence is not None:
        evidence = action.evidence
        data["evidence"] = {
            "odds": odds(evidence.log_odds),
            "log_e": dict(evidence.log_e),
            "upper_bound": evidence.upper_bound,
            "canary": {"requests": evidence.canary.requests, "bad": evidence.canary.bad},
            "stable": {"requests": evidence.stable.requests, "bad": evidence.stable.bad},
            "requests_per_second": evidence.rate,
        }
    return data


def _print_tables(survey: Survey) -> None:
    screen = Console(highlight=False)
    _print_stale(survey, screen)
    table = Table(box=None, pad_edge=False)
    for column in ("model", "stable", "canary", "weight", "failed", "odds against", "excess below"):
        table.add_column(column, no_wrap=True, overflow="fold")
    for verdict in survey.verdicts:
        table.add_row(*_row(verdict))
    screen.print(table)
    if isinstance(survey.standing, Unreadable):
        screen.print(Text(f"\n{survey.standing.fault}", style="red"))
    elif survey.standing:
        screen.print()
        for environment, standing in survey.standing.items():
            screen.print(Text(_limits_text(environment, standing)))
    for verdict in survey.verdicts:
        screen.print()
        for line in _sentences(verdict):
            screen.print(line)
    for folder in survey.misnamed:
        screen.print(Text(f"{folder.folder}: {folder.reason}", style="red"))


def _row(verdict: Verdict) -> list[str]:
    release = verdict.seen.release if verdict.seen else None
    stable = release.stable if release else None
    canary = release.canary if release else None
    evidence = verdict.action.evidence
    return [
        str(verdict.served),
        str(stable.version) if stable else "–",
        str(canary.version) if canary else "–",
        f"{canary.weight} %" if canary else "–",
        f"{grouped(evidence.canary.bad)} of {grouped(evidence.canary.requests)}" if evidence else "–",
        odds_text(evidence.log_odds) if evidence else "–",
        percent(evidence.upper_bound) if evidence else "–",
    ]


def _sentences(verdict: Verdict) -> Iterator[Text]:
    """What the next pass would do and why, and what else a person should know of the model."""
    action, seen = verdict.action, verdict.seen
    alarm = isinstance(action, Hold) and action.alarm
    yield Text(
        f"{verdict.served}: {ACTION_NAMES[type(action)]}: {action.reason}", style="bold red" if alarm else "bold"
    )
    if seen is None:
        return
    if not seen.changed.ours:
        yield Text(f"  as {seen.changed.author} wrote it in commit {seen.changed.revision[:12]}, which is respected")
    pause = seen.release.paused
    if pause is not None and (told := paused_by(pause)) not in action.reason:
        yield Text(f"  {told}")
    canary = seen.release.canary
    if canary is not None and canary.promote is not None:
        yield Text(
            f"  {canary.version} is promoted by a person's word; skips: the rest of the steps, the soak and the proof"
        )
    for entry in seen.listing.incomplete if seen.listing else ():
        yield Text(f"  {entry.name} is not a version: {entry.reason}")
    for rejection in seen.release.rejected:
        yield Text(f"  {rejection.version} is rejected: {rejection.reason}")
    for problem in seen.problems:
        yield Text(f"  {problem}", style="red")
