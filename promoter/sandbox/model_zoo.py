"""The model versions of the demo: real SavedModels, good and bad, with a ResNet-style image signature.

This module names them and writes their folders; the network itself is in `model_zoo_network`, which alone imports
TensorFlow. Building all of them takes about 20 s, more than half of it the import, so they share one process:

    python -m promoter.sandbox.model_zoo --output DIRECTORY
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

import click

from promoter.domain.version import ModelVersion
from promoter.errors import InvalidInput

MODEL = "resnet50"
GRAPH_FILE = "saved_model.pb"

# Traffic is uniform in brightness from 0 to 1, so this is its darkest tenth.
DARK = 0.1


class VersionKind(StrEnum):
    """What a version of the demo is like."""

    GOOD = "good"
    FAILS_ON_DARK_IMAGES = "fails-on-dark-images"
    SLOW = "slow"
    OTHER_SIGNATURE = "other-signature"


# Version 4 is missing on purpose: it is `half_upload` of another one.
DEMO_VERSIONS: Mapping[int, VersionKind] = MappingProxyType(
    {
        1: VersionKind.GOOD,
        2: VersionKind.GOOD,
        3: VersionKind.FAILS_ON_DARK_IMAGES,
        5: VersionKind.SLOW,
        6: VersionKind.OTHER_SIGNATURE,
        7: VersionKind.GOOD,
    }
)


def build_version(kind: VersionKind, directory: Path, seed: int = 0) -> None:
    """Write one SavedModel with its warm-up requests to `directory`, which must not exist yet.

    seed: versions of the same kind differ a little in their weights. Imports TensorFlow. Raises InvalidInput.
    """
    if directory.exists():
        raise InvalidInput(f"{directory} exists already: name a folder that does not, a version is never changed")
    from promoter.sandbox import model_zoo_network  # noqa: PLC0415 - seconds of import, for those who build only

    unfinished = directory.with_name(f".{directory.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    model_zoo_network.export(kind, unfinished, seed)
    unfinished.rename(directory)


def half_upload(directory: Path, store: Path, version: ModelVersion) -> Path:
    """Leave in `store` what an upload of `directory` leaves that broke off after its first file. Returns the folder.

    The graph is there, the variables and the manifest are not.
    """
    target = store / str(version)
    target.mkdir(parents=True)
    shutil.copyfile(directory / GRAPH_FILE, target / GRAPH_FILE)
    return target


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
        build_version(kind, output / str(number), seed=number)
        click.echo(f"version {number}: {kind}")


if __name__ == "__main__":
    main()
