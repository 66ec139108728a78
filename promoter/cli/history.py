"""`promoter history`: the decisions so far, a table for people, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from promoter.cli.wiring import known_head, repository, tells_errors
from promoter.documents.commit_message import DecisionRecord, read_trailers
from promoter.domain.repository import Commit


@click.command()
@click.argument("model", required=False)
@click.option("--environment", help="Only this environment.")
@click.option(
    "--limit", default=30, show_default=True, type=click.IntRange(1, 10_000), help="How many commits to read."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for programs.")
@tells_errors
def history(*, model: str | None, environment: str | None, limit: int, as_json: bool) -> None:
    """The decisions so far, read from the Git log, newest first. MODEL narrows them to one model."""
    git = repository()
    head = known_head(git)
    rows = [
        (commit, record)
        for commit in git.log(head, limit=limit)
        for record in _records(commit)
        if _is_asked_for(record, model, environment)
    ]
    if as_json:
        for commit, record in rows:
            click.echo(json.dumps(_as_data(commit, record), ensure_ascii=False))
    else:
        Console(highlight=False).print(_as_table(rows))


def _records(commit: Commit) -> Iterator[DecisionRecord | None]:
    """The decisions of a commit; None stands for a commit of somebody else."""
    yield from read_trailers(commit.message) or (None,)


def _is_asked_for(record: DecisionRecord | None, model: str | None, environment: str | None) -> bool:
    if record is None:
        return model is None and environment is None
    return model in (None, record.served.model) and environment in (None, record.served.environment)


def _as_data(commit: Commit, record: DecisionRecord | None) -> dict[str, object]:
    return {
        "commit": commit.revision,
        "time": commit.at.isoformat(),
        "author": commit.author,
        "promoter": commit.ours,
        "model": str(record.served) if record else None,
        "action": record.action if record else None,
        "subject": commit.subject,
    }


def _as_table(rows: list[tuple[Commit, DecisionRecord | None]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("commit", "time (UTC)", "by"):
        table.add_column(column, no_wrap=True)
    table.add_column("what is true since")
    for commit, _ in rows:
        cells = (commit.revision[:8], f"{commit.at:%m-%d %H:%M:%S}", commit.author, commit.subject)
        table.add_row(*map(Text, cells))
    return table
