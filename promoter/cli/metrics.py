"""`promoter metrics dora`: how delivery goes, from Git alone or with the stores' clocks beside it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from promoter.cli.options import Duration, console
from promoter.cli.wiring import known_head, repository, store_at, tells_errors
from promoter.control.chronicle import chronicles
from promoter.decisions.delivery import History, delivery
from promoter.decisions.upstreams import way_to_store
from promoter.documents.policy_file import parse_policy
from promoter.domain.delivery import Delivery, Spread
from promoter.domain.duration import format_duration
from promoter.domain.figures import grouped, percent
from promoter.domain.names import ServedModel
from promoter.domain.past_rollout import PastRollout
from promoter.domain.policy import CandidateSource
from promoter.domain.repository import Revision
from promoter.domain.version import ModelVersion
from promoter.errors import InvalidInput, StoreUnavailable
from promoter.ports import Repository

_PLAIN_WIDTH = 130
_NOTHING = "–"


@click.group()
def metrics() -> None:
    """How delivery goes, in figures that are computed from Git."""


@metrics.command()
@click.option("--environment", help="Only this environment; each has a row of its own otherwise.")
@click.option("--since", "span", type=Duration(), default="90d", show_default=True, help="How far back to look.")
@click.option(
    "--ask-stores", is_flag=True, help="Ask the model stores when versions were published; Git alone does not know."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object for programs.")
@tells_errors
def dora(*, environment: str | None, span: timedelta, ask_stores: bool, as_json: bool) -> None:
    """DORA's four measures: lead time, deployment frequency, change failure rate, and time to restore.

    A change is a model version, and a deployment is a version that became stable. A failed change is one that got
    requests and was reverted, or was stable and was gone back from. Times are those of commits; docs/metrics.md has the
    definitions, and what they leave out.

    With --ask-stores the lead time also runs from the publication: the time of a version's newest file, by the store's
    clock. Without, the earliest that Git knows of a version is the commit that first names it.
    """
    git = repository()
    head = known_head(git)
    models = [served for served in git.inventory(head).models if environment in (None, served.environment)]
    if not models:
        raise InvalidInput(f"no model is served in {environment}" if environment else "no model is served anywhere")
    until = datetime.now(UTC).replace(microsecond=0)
    since = until - span
    if since == until:
        raise InvalidInput("--since 0s looks at no time at all: write it like 90d")
    by_environment: dict[str, list[History]] = {}
    # A long history takes seconds, and longer where stores are asked.
    told = chronicles(git, head, models)
    with click.progressbar(told, length=len(models), label="Reading histories", file=sys.stderr) as shown:
        for served, chapters in shown:
            rollouts = [entry for entry in chapters if isinstance(entry, PastRollout)]
            recent = [entry for entry in rollouts if entry.ended_at is not None and entry.ended_at > since]
            published = dict(_published(git, head, served, recent)) if ask_stores else {}
            by_environment.setdefault(served.environment, []).append((rollouts, published))
    measured = {name: delivery(histories, since, until) for name, histories in sorted(by_environment.items())}
    if as_json:
        click.echo(json.dumps(_as_data(measured, since, until, stores_asked=ask_stores), ensure_ascii=False))
        return
    screen = console(_PLAIN_WIDTH)
    screen.print(_as_table(measured, stores_asked=ask_stores))
    clock = "by the store's clock; commits' times else" if ask_stores else "all times are those of commits"
    screen.print(Text(f"\nSince {since:%Y-%m-%d %H:%M} UTC; {clock}. Of times: the median, and the longest.", "dim"))


def _published(
    git: Repository, head: Revision, served: ServedModel, rollouts: list[PastRollout]
) -> Iterator[tuple[ModelVersion, datetime]]:
    """When these versions were published, for those that are in the store still."""
    wanted = {str(rollout.version): rollout.version for rollout in rollouts}
    if not wanted:
        return
    try:
        address = _store(git, head, served)
        store = store_at(address)
        # What was removed from the store is no failure of it.
        for name in wanted.keys() & set(store.names(address)):
            modified = store.holding(address, name).modified
            if modified is not None:
                yield wanted[name], modified
    except (InvalidInput, StoreUnavailable) as error:
        click.echo(f"note: {served}: {error}", err=True)


def _store(git: Repository, head: Revision, served: ServedModel) -> str:
    """The store at the end of all upstreams. Raises InvalidInput where a policy on the way does not tell."""

    def source(one: ServedModel) -> CandidateSource:
        return parse_policy(git.read(head, one.policy_path) or b"", one.policy_path).candidates

    return way_to_store(served, source)[1].store or ""


def _as_data(
    measured: Mapping[str, Delivery], since: datetime, until: datetime, *, stores_asked: bool
) -> dict[str, Any]:
    """What --json prints: durations in seconds, ratios from 0 to 1."""
    return {
        "since": since.isoformat(),
        "until": until.isoformat(),
        "environments": {
            name: {
                "deployments": found.deployments,
                "deployments_per_week": round(found.per_week, 3),
                "lead_time_from_publication": _spread(found.lead_from_publication) if stores_asked else None,
                "lead_time_from_first_commit": _spread(found.lead_from_commit),
                "changes": found.changes,
                "failed_changes": found.failed,
                "change_failure_rate": found.failure_ratio,
                "time_to_restore": _spread(found.restored),
            }
            for name, found in measured.items()
        },
        "clocks": {
            "lead_time_from_publication": "store, newest file of the version, to commit" if stores_asked else None,
            "everything_else": "commits",
        },
    }


def _spread(spread: Spread) -> dict[str, float | int | None]:
    return {
        "count": spread.count,
        "median_seconds": None if spread.median is None else spread.median.total_seconds(),
        "longest_seconds": None if spread.longest is None else spread.longest.total_seconds(),
    }


def _as_table(measured: Mapping[str, Delivery], *, stores_asked: bool) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    table.add_column("environment", no_wrap=True, header_style="dim")
    heads = ["deployments", "a week", "from its first commit", "failed changes", "to restore"]
    if stores_asked:
        heads.insert(2, "from its publication")
    for name in heads:
        table.add_column(name, justify="right", no_wrap=True, header_style="dim")
    for name, found in measured.items():
        cells = [
            grouped(found.deployments),
            f"{found.per_week:.2g}",
            _shown(found.lead_from_commit),
            _failed(found),
            _shown(found.restored),
        ]
        if stores_asked:
            cells.insert(2, _shown(found.lead_from_publication))
        table.add_row(name, *map(Text, cells))
    return table


def _failed(found: Delivery) -> str:
    if not found.changes:
        return _NOTHING
    return f"{grouped(found.failed)} of {grouped(found.changes)} ({percent(found.failed, found.changes)})"


def _shown(spread: Spread) -> str:
    if spread.median is None or spread.longest is None:
        return _NOTHING
    return f"{_duration(spread.median)}, {_duration(spread.longest)}"


def _duration(duration: timedelta) -> str:
    return format_duration(timedelta(seconds=round(duration.total_seconds())))
