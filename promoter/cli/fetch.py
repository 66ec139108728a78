"""`promoter fetch`: one version of a store, in a folder, for a server that cannot read the store itself."""

from __future__ import annotations

import shutil
import time
from datetime import timedelta
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from promoter.adapters.stores.download import DownloadLimits
from promoter.cli.options import Duration
from promoter.cli.wiring import download, tells_errors
from promoter.domain.completeness import ByManifest
from promoter.domain.version import Digest
from promoter.errors import InvalidInput, InvalidName
from promoter.preflight.version_files import identified


class _DigestType(click.ParamType[Digest]):
    name = "digest"

    def convert(self, value: str | Digest, param: click.Parameter | None, ctx: click.Context | None) -> Digest:
        try:
            return value if isinstance(value, Digest) else Digest(value)
        except InvalidName as error:
            self.fail(str(error), param, ctx)


@click.command()
@click.argument("address")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--digest", required=True, type=_DigestType(), help="The digest that the files must have, as in a release."
)
@click.option("--time-limit", default="30m", show_default=True, type=Duration(), help="For the whole download.")
@tells_errors
def fetch(address: str, folder: Path, digest: Digest, time_limit: timedelta) -> None:
    """Bring the version at ADDRESS (s3://models/resnet50/43 or gs://…) into FOLDER, and check its digest.

    FOLDER appears whole or not at all: a server that watches the folder around it never sees half a version. Where it
    is there already with this digest, nothing is done; with any other, nothing is touched.
    """
    if folder.exists():
        if identified(folder).digest != digest:
            raise InvalidInput(f"{folder} is there already, and its files have another digest: name a new folder")
        click.echo(f"{folder} is there already: {digest}")
        return
    draft = folder.with_name(f".{folder.name}.draft")
    # What an earlier one left that was killed.
    shutil.rmtree(draft, ignore_errors=True)
    try:
        draft.mkdir(parents=True)
    except OSError as error:
        raise InvalidInput(f"{folder} cannot be made ({error.strerror}): name a folder that can be written") from error
    try:
        _bring(address, draft, time_limit)
        found = identified(draft).digest
        if found != digest:
            raise InvalidInput(f"{address} has the digest {found}, and {digest} is wanted: it is not what was released")
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    click.echo(f"{address} is in {folder}: {digest}")


def _bring(address: str, folder: Path, time_limit: timedelta) -> None:
    limits = DownloadLimits(shutil.disk_usage(folder).total, time.monotonic() + time_limit.total_seconds())
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"downloading {address}")
        download(
            address,
            folder,
            limits,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
            complete=ByManifest(),
        )
