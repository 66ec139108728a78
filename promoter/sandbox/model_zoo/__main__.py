"""`python -m promoter.sandbox.model_zoo`: builds the versions of the demo."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from promoter.errors import InvalidInput
from promoter.sandbox.model_zoo import DEMO_VERSIONS, build_version


@click.command(help="Build the versions of the demo, each in a folder named by its number.")
@click.option("--output", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder to write to.")
@click.option(
    "--version",
    "versions",
    multiple=True,
    type=click.Choice([str(number) for number in DEMO_VERSIONS]),
    help="Build this version only; may be repeated.",
)
def main(output: Path, versions: tuple[str, ...]) -> None:
    """Build versions one after the other; a line is printed as soon as each is there."""
    # Both are read when TensorFlow is imported: no notes on CPU features, no search for a GPU.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    # Keras is not used here. TensorFlow imports it eagerly, for a third of its own import time, but only if it can.
    sys.modules.setdefault("keras", None)  # type: ignore[arg-type]  # None is how Python spells "not importable"
    for number in sorted({int(text) for text in versions} or set(DEMO_VERSIONS)):
        kind = DEMO_VERSIONS[number]
        try:
            build_version(kind, output / str(number), seed=number)
        except InvalidInput as error:
            raise click.ClickException(str(error)) from error
        click.echo(f"version {number}: {kind}")


if __name__ == "__main__":
    main()
