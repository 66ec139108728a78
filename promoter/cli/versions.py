"""`promoter versions`: what a store holds, a table for people, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import click
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

from promoter.adapters.stores import BucketStore, FileStore
from promoter.adapters.stores.judging import versions_among
from promoter.cli.wiring import store_at, tells_errors
from promoter.domain.completeness import ByManifest, ByMarker, Completeness
from promoter.domain.duration import format_duration
from promoter.domain.version import Holding, IncompleteVersion, ModelVersion, StoredVersion
from promoter.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class _Row:
    """A name in the store. version: None where the name is none. holding: None where it could not be told."""

    name: str
    version: ModelVersion | None
    found: StoredVersion | IncompleteVersion
    holding: Holding | None


@click.command()
@click.argument("store")
@click.option("--marker", metavar="FILE", help="What makes an upload complete, in place of manifest.json.")
@click.option(
    "--limit", default=20, show_default=True, type=click.IntRange(1, 10_000), help="How many versions, newest first."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for programs.")
@tells_errors
def versions(*, store: str, marker: str | None, limit: int, as_json: bool) -> None:
    """What is in STORE: each version's size and age, whether it is complete, and if not why.

    STORE is the address of one model: gs://shop-models/resnet50, s3://shop-models/resnet50 or
    file:///srv/models/resnet50. Exit status 0 whether or not all are complete.
    """
    rows = list(_rows(store_at(store), store, ByMarker(marker) if marker else ByManifest(), limit))
    now = datetime.now(UTC)
    if as_json:
        for row in rows:
            click.echo(json.dumps(_as_data(row), ensure_ascii=False))
    elif rows:
        Console(highlight=False).print(_as_table(rows, now))
    else:
        click.echo(f"{store} holds nothing")


def _rows(store: FileStore | BucketStore, address: str, complete: Completeness, limit: int) -> Iterator[_Row]:
    """Versions from the newest on, then the names that are none."""
    numbers, misnamed = versions_among(store.names(address))
    for version in sorted(numbers, reverse=True)[:limit]:
        name = str(version)
        yield _Row(name, version, store.version(address, version, complete), _holding(store, address, name))
    for entry in misnamed[:limit]:
        yield _Row(entry.name, None, entry, None)


def _holding(store: FileStore | BucketStore, address: str, name: str) -> Holding | None:
    try:
        return store.holding(address, name)
    except InvalidInput:
        return None


def _as_data(row: _Row) -> dict[str, object]:
    holding = row.holding
    return {
        "version": row.version.number if row.version else None,
        "name": row.name,
        "complete": isinstance(row.found, StoredVersion),
        "digest": str(row.found.digest) if isinstance(row.found, StoredVersion) else None,
        "reason": row.found.reason if isinstance(row.found, IncompleteVersion) else None,
        "files": holding.files if holding else None,
        "bytes": holding.size if holding else None,
        "modified": holding.modified.isoformat() if holding and holding.modified else None,
    }


def _as_table(rows: list[_Row], now: datetime) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("version", no_wrap=True, justify="right")
    table.add_column("files", justify="right")
    table.add_column("size", no_wrap=True, justify="right")
    table.add_column("age", no_wrap=True, justify="right")
    table.add_column("complete")
    for row in rows:
        holding = row.holding
        verdict = f"yes, {row.found.digest}" if isinstance(row.found, StoredVersion) else f"no: {row.found.reason}"
        cells = (
            row.name,
            str(holding.files) if holding else "",
            decimal(holding.size) if holding else "",
            _age(holding.modified, now) if holding and holding.modified else "",
            verdict,
        )
        table.add_row(*map(Text, cells))
    return table


def _age(modified: datetime, now: datetime) -> str:
    """By two clocks that may disagree: never below nothing, and in its largest unit."""
    seconds = max(0, int((now - modified).total_seconds()))
    for unit in (86_400, 3600, 60):
        if seconds >= unit:
            return format_duration(timedelta(seconds=seconds // unit * unit))
    return f"{seconds}s"
