"""`promoter golden`: requests that every version of a model should answer well."""

from __future__ import annotations

import json
import signal
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import Any

import click

from promoter.adapters.golden_recorder import recording
from promoter.cli.golden_send import send
from promoter.cli.options import Duration, warm_up
from promoter.cli.wiring import tells_errors
from promoter.domain.names import checked_name
from promoter.errors import InvalidInput


@click.group()
def golden() -> None:
    """Golden requests: what every version of a model should answer well."""


golden.add_command(send)


@golden.command()
@click.argument("output", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--server", required=True, metavar="URL", help="The REST API of a running server: http://host:8501.")
@click.option("--model", required=True, help="The model's name on that server.")
@click.option("--count", default=20, show_default=True, type=click.IntRange(1, 1000), help="Requests to keep.")
@click.option("--within", default="10m", show_default=True, type=Duration(), help="Keep what there is after this time.")
@click.option("--port", default=8600, show_default=True, type=click.IntRange(0, 65535), help="0: any that is free.")
@tells_errors
def record(*, output: Path, server: str, model: str, count: int, within: timedelta, port: int) -> None:
    """Keep requests to a running server, until there are enough.

    Stands between a client and the server: send requests to the address that it prints in place of the server's.
    Those that were answered, with numbers throughout, are kept in OUTPUT, each once, as they came: send what may be
    kept. Put the file into a version's folder as assets.extra/golden_requests.json. Ctrl-C ends it early.
    """
    checked_name(model, "model")
    if output.exists():
        raise InvalidInput(f"{output} exists already: name another file")
    # Whoever ends it, by hand or as a job, gets what was kept so far.
    signal.signal(signal.SIGTERM, _interrupt)
    with recording(server, model, ("127.0.0.1", port), count) as (kept, address):
        click.echo(f"send requests to {address}/v1/models/{model}:predict", err=True)
        try:
            kept.wait_until_full(within.total_seconds())
        except KeyboardInterrupt:
            click.echo("ended early", err=True)
        bodies = kept.bodies
    if not bodies:
        raise InvalidInput(f"no request was answered, so {output} was not written")
    _write(output, bodies)
    click.echo(f"{output} holds {len(bodies)} golden request{'' if len(bodies) == 1 else 's'}")


@golden.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--model", required=True, help="The name under which the model is served.")
@tells_errors
def warmup(*, directory: Path, model: str) -> None:
    """Make warm-up requests of the golden ones of the version in DIRECTORY.

    As `promoter publish --warmup` does, for versions that are signed before they are published.
    """
    checked_name(model, "model")
    warm_up(directory, model)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _write(output: Path, bodies: list[Any]) -> None:
    lines = ",\n".join(json.dumps(body, ensure_ascii=False, separators=(",", ":")) for body in bodies)
    try:
        with output.open("x", encoding="utf-8") as file:
            file.write(f"[\n{lines}\n]\n")
    except OSError as error:
        raise InvalidInput(f"{output} cannot be written ({error.strerror}): name another file") from error
