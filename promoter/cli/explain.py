"""`promoter explain`: what a commit says and what comes out today, a table for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import datetime
from itertools import zip_longest
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from promoter.cli.wiring import explainer, known_head, tells_errors, told
from promoter.control.explain import Account, Compared, Explanation
from promoter.domain.figures import grouped
from promoter.domain.repository import Commit
from promoter.errors import InvalidName

_NOTHING = "–"
_DIFFERS = "≠"

# What the figures of the evidence are to people.
_NAMES = {
    "window.from": "counted from (UTC)",
    "window.to": "counted to (UTC)",
    "odds": "odds against, to 1",
    "upper_bound": "excess below, in %",
    "rate": "requests a second",
}
# By what they are multiplied to be shown in the unit that people read.
_UNITS = {"upper_bound": 100, "bounds_us": 1e-3}


@click.command()
@click.argument("commit")
@click.argument("model", required=False)
@click.option("--environment", help="Only this environment.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object for programs.")
@tells_errors
def explain(*, commit: str, model: str | None, environment: str | None, as_json: bool) -> None:
    """Why did it do that? Compute a commit's decision again, beside what the commit says.

    COMMIT is a hash or its beginning, HEAD for the newest commit of the remote's branch, or HEAD~2 and the like.
    MODEL narrows a commit that is about several models to one.

    \b
    promoter history --commits   find the commit
    promoter explain 5d1c0ffe    what it says, and what comes out today

    The release and the policy are read as they stood before the commit, the counts are fetched from Prometheus once
    more, as of the commit's time, and the decision is made again. The trailers of the commit are only compared with.
    Nothing is written, and neither Argo CD nor the model store is asked. Run it with the promoter's own settings: a
    scrape interval or a reaction time of another length leads to other decisions.

    Not everything can be recomputed. What Argo CD said at that time (pods that did not come up) is recorded
    nowhere; and Prometheus has to hold the samples of the whole rollout still, and of the hour before it.

    Exit status 0 if every decision would be the same; 1 if one would be another, or cannot be recomputed.
    """  # noqa: D301 - Click's mark for "leave these lines alone" is a real backspace
    repository, explaining = explainer(told())
    found = repository.resolve(known_head(repository), commit)
    explanations = [
        entry
        for entry in explaining.explain(found)
        if model in (None, entry.served.model) and environment in (None, entry.served.environment)
    ]
    if not explanations:
        raise InvalidName(f"commit {found.revision[:12]} decided nothing about that model: leave it out to see all")
    if as_json:
        click.echo(json.dumps(_as_data(found, explanations), indent=2, ensure_ascii=False))
    else:
        _print(found, explanations)
    if not all(entry.same for entry in explanations):
        sys.exit(1)


def _as_data(commit: Commit, explanations: list[Explanation]) -> dict[str, Any]:
    return {
        "commit": commit.revision,
        "time": commit.at.isoformat(),
        "subject": commit.subject,
        "decisions": [
            {
                "environment": entry.served.environment,
                "group": entry.served.group,
                "model": entry.served.model,
                "outcome": entry.outcome.value,
                "conclusion": entry.conclusion,
                "reason": entry.reason,
                "recorded": dict(_release(entry.recorded)),
                "recomputed": dict(_release(entry.recomputed)),
                "figures": {
                    name: {"recorded": both.recorded, "recomputed": both.recomputed, "differs": both.differs}
                    for name, both in entry.figures.items()
                },
            }
            for entry in explanations
        ],
    }


def _release(account: Account) -> Iterator[tuple[str, Any]]:
    """An action and where it leads, for programs."""
    stable, canary = account.release.stable, account.release.canary
    yield "action", account.action
    yield "stable", stable.version.number if stable else None
    yield "canary", canary.version.number if canary else None
    yield "weight", canary.weight if canary else None
    yield "replicas", canary.replicas if canary else None
    yield "withdrawn", canary.withdrawn if canary else None
    yield "rejected", [entry.version.number for entry in account.release.rejected]


def _print(commit: Commit, explanations: list[Explanation]) -> None:
    console = Console(highlight=False)
    console.print(Text(commit.subject, "bold"))
    console.print(Text(f"{commit.revision[:12]}, {commit.at:%Y-%m-%d %H:%M:%S} UTC, by {commit.author}", "dim"))
    for entry in explanations:
        console.print()
        if len(explanations) > 1:
            console.print(Text(str(entry.served), "bold"))
        console.print(_table(entry))
        console.print()
        if entry.same:
            console.print(Text(f"Reason, recomputed: {entry.reason}"))
        console.print(Text(entry.conclusion, "bold green" if entry.same else "bold red"))


def _table(entry: Explanation) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column("the commit says", justify="right", no_wrap=True)
    table.add_column("recomputed", justify="right", no_wrap=True)
    table.add_column()
    for name, recorded, recomputed, differs in _rows(entry):
        cells = map(Text, (name, recorded, recomputed, _DIFFERS if differs else ""))
        table.add_row(*cells, style="bold red" if differs else "")
    return table


def _rows(entry: Explanation) -> Iterator[tuple[str, str, str, bool]]:
    """Name, both sides, and whether they differ."""
    recorded, recomputed = (dict(_shown_release(side)) for side in (entry.recorded, entry.recomputed))
    for name, text in recorded.items():
        if (text, recomputed[name]) != (_NOTHING, _NOTHING):
            yield name, text, recomputed[name], text != recomputed[name]
    for name, both in entry.figures.items():
        ours, theirs = both.recorded, both.recomputed
        if isinstance(ours, tuple) or isinstance(theirs, tuple):
            yield from _rows_by_bound(name, both)
        else:
            yield _name(name), _shown(name, ours), _shown(name, theirs), both.differs


def _rows_by_bound(name: str, both: Compared) -> Iterator[tuple[str, str, str, bool]]:
    """A row for each latency bound: all of them in one would be wider than a terminal."""
    recorded, recomputed = (side if isinstance(side, tuple) else () for side in (both.recorded, both.recomputed))
    for number, (ours, theirs) in enumerate(zip_longest(recorded, recomputed), start=1):
        label = f"bound {number}, in ms" if name == "bounds_us" else f"{_name(name)}, bound {number}"
        yield label, _shown(name, ours), _shown(name, theirs), both.differs and ours != theirs


def _shown_release(account: Account) -> Iterator[tuple[str, str]]:
    stable, canary = account.release.stable, account.release.canary
    yield "action", account.action
    yield "stable", str(stable.version) if stable else _NOTHING
    yield "canary", str(canary.version) if canary else _NOTHING
    yield "weight", f"{canary.weight} %" if canary else _NOTHING
    yield "pods of the canary", str(canary.replicas) if canary else _NOTHING
    yield "rejected", ", ".join(str(rejection.version) for rejection in account.release.rejected) or _NOTHING


def _name(name: str) -> str:
    """A figure's name as words: `proxy.canary.bad` is `canary by proxy: bad`."""
    if name in _NAMES:
        return _NAMES[name]
    *where, what = name.split(".")
    match where:
        case ["proxy", arm]:
            return f"{arm} by proxy: {what}"
        case ["log_e"]:
            return f"ln e, {what.replace('_', ' ')}"
        case [arm]:
            return f"{arm}: {what}"
    return what


def _shown(name: str, figure: str | float | None) -> str:
    """A figure in the unit that people read, with all the digits that a trailer has."""
    match figure:
        case None:
            return _NOTHING
        case str():
            return f"{datetime.fromisoformat(figure):%m-%d %H:%M:%S}"
        case int():
            return grouped(figure)
        case float():
            return f"{figure * _UNITS.get(name, 1):.6g}"
