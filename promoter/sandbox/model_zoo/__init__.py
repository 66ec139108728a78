"""The model versions of the demo: real SavedModels, good and bad, with a ResNet-style image signature.

This module names them and writes their folders; the network itself is in `network`, which alone imports TensorFlow.
Building all of them takes about 11 s, most of it the import, so they share one process:

    python -m promoter.sandbox.model_zoo --output DIRECTORY
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

from promoter.domain.version import ModelVersion
from promoter.errors import InvalidInput
from promoter.sandbox.cloud_storage.bucket import put_object
from promoter.sandbox.layout import SERVED, Layout

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
    from promoter.sandbox.model_zoo import network  # noqa: PLC0415 - seconds of import, for those who build only

    unfinished = directory.with_name(f".{directory.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    network.export(kind, unfinished, seed)
    unfinished.rename(directory)


def half_upload(directory: Path, layout: Layout, version: ModelVersion) -> None:
    """Leave in the store of a sandbox what an upload of `directory` leaves that broke off after its first file.

    The graph is there, the variables and the manifest are not. Raises Unavailable.
    """
    if layout.bucket is not None and layout.emulator is not None:
        name = f"{SERVED.model}/{version}/{GRAPH_FILE}"
        put_object(layout.emulator, layout.bucket.name, name, (directory / GRAPH_FILE).read_bytes())
        return
    target = layout.model_store / str(version)
    target.mkdir(parents=True)
    shutil.copyfile(directory / GRAPH_FILE, target / GRAPH_FILE)
