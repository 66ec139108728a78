"""`promoter publish`: a SavedModel becomes a version of a store."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from promoter.cli.options import warm_up
from promoter.cli.wiring import publish as upload
from promoter.cli.wiring import tells_errors
from promoter.domain.store_address import StoreAddress
from promoter.domain.version import ModelVersion
from promoter.errors import InvalidInput


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.argument("store")
@click.option("--version", "number", metavar="N|auto", default="auto", show_default=True, help="The version's number.")
@click.option("--warmup", is_flag=True, help="First make warm-up requests of the version's golden requests.")
@tells_errors
def publish(directory: Path, store: str, number: str, *, warmup: bool) -> None:
    """Copy the SavedModel in DIRECTORY into STORE as a new version.

    STORE is the address of one model: gs://shop-models/resnet50, s3://shop-models/resnet50 or
    file:///srv/models/resnet50. The files go first and manifest.json last, so that half an upload is never a
    version. An existing version is never overwritten. An upload to a bucket that was broken off goes on where it
    was with the same command and its --version.

    With --warmup a pod is ready only once it has answered the golden requests (assets.extra/golden_requests.json):
    they are put into DIRECTORY as warm-up requests, unless it has some.
    """
    version = None if number == "auto" else ModelVersion.from_name(number)
    if warmup:
        _warm_up(directory, store)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"publishing {directory.name}")
        stored = upload(
            directory, store, version, progress=lambda done, total: bar.update(task, completed=done, total=total)
        )
    click.echo(f"{store.rstrip('/')}/{stored.version} is complete: {stored.digest}")


def _warm_up(directory: Path, store: str) -> None:
    # Servers count warm-up requests under the name in them, which is the model's: the store's last part.
    segments = StoreAddress.from_text(store).segments
    if not segments:
        raise InvalidInput(f"{store} has no last part that could be the model's name")
    warm_up(directory, segments[-1])
