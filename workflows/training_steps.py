"""The steps from images to a version of ResNet50 in a store. Each is a function that runs here, or alone in a pod.

    split → train → export → evaluate → verify → publish

Their order, and what they are asked with, is in `train`.
"""
# No `from __future__ import annotations`: Hera reads the annotations of steps as they are.

import tempfile
from pathlib import Path
from typing import Annotated

import click
from hera.workflows import Artifact, Parameter, TarArchiveStrategy

from promoter.cli import wiring
from promoter.documents.preflight_report import preflight_text
from promoter.domain.store_address import StoreAddress
from promoter.domain.version import ModelVersion, Wanted
from workflows import images as image_folders
from workflows.images import LABELS_FILE, MODEL_FILE
from workflows.pods import step
from workflows.preflight import preflight
from workflows.step import Refused

_GOLDEN_REQUESTS = 8
_TEXTURES_EACH = 600


def told(line: str) -> None:
    """Progress goes to standard error: what the command comes to is on standard output."""
    click.echo(line, err=True)


@step(cpu=1, memory="4Gi", minutes=60)
def split(
    images: Annotated[Path | None, Artifact(name="images", optional=True)],
    dataset: Annotated[Path, Artifact(name="dataset", output=True)],
    size: int,
    held_out: float,
    seed: int,
) -> None:
    """Put an image folder into what is trained on and what is held out.

    images: a folder with a subfolder for each class; None makes a small set of textures. dataset: is written, with
    `training` and `held-out` in it. held_out: the share of the images of each class, 0 to 1. Raises InvalidInput.
    """
    if images is not None:
        image_folders.split(images, dataset, held_out=held_out, seed=seed)
        return
    with tempfile.TemporaryDirectory() as made:
        textures = Path(made) / "textures"
        image_folders.write_textures(textures, size=size, each=_TEXTURES_EACH, seed=seed)
        image_folders.split(textures, dataset, held_out=held_out, seed=seed)


@step(cpu=4, memory="14Gi", minutes=12 * 60)
def train(
    dataset: Annotated[Path, Artifact(name="dataset")],
    weights: Annotated[Path | None, Artifact(name="weights", optional=True)],
    model: Annotated[Path, Artifact(name="model", output=True, archive=TarArchiveStrategy(compression_level=0))],
    size: int,
    epochs: int,
    fine_tuning_epochs: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
) -> None:
    """Train ResNet50 from scratch, or from `weights`; the folder `model` then holds model.keras and labels.txt.

    size: pixels of both sides. epochs: of all of it from scratch; with weights of the head, before
    `fine_tuning_epochs` of all of it. Raises InvalidInput.
    """
    from workflows import resnet50  # noqa: PLC0415 - it imports TensorFlow

    schedule = resnet50.Schedule(epochs, fine_tuning_epochs, batch_size, learning_rate)
    resnet50.train(dataset, model, size=size, weights=weights, schedule=schedule, seed=seed, told=told)


@step(cpu=2, memory="6Gi", minutes=60)
def export(
    model: Annotated[Path, Artifact(name="model")],
    dataset: Annotated[Path, Artifact(name="dataset")],
    saved_model: Annotated[
        Path, Artifact(name="saved-model", output=True, archive=TarArchiveStrategy(compression_level=0))
    ],
    store: str,
) -> None:
    """Write the SavedModel, with golden requests of a few held-out images, and warm-up requests made of those.

    store: its last part is the name that the model is served under. Raises InvalidInput.
    """
    from promoter.preflight.warmup import add_warmup  # noqa: PLC0415 - it needs what is not always there
    from workflows import serving  # noqa: PLC0415 - it imports TensorFlow

    golden = serving.few_of(dataset / image_folders.HELD_OUT, _GOLDEN_REQUESTS)
    serving.export(model / MODEL_FILE, model / LABELS_FILE, saved_model, golden=golden)
    add_warmup(saved_model, StoreAddress.from_text(store).segments[-1])


@step(cpu=2, memory="6Gi", minutes=60)
def evaluate(
    saved_model: Annotated[Path, Artifact(name="saved-model")],
    dataset: Annotated[Path, Artifact(name="dataset")],
    threshold: float,
) -> Annotated[float, Parameter(name="accuracy", global_name="accuracy")]:
    """The share of held-out images that the SavedModel is right on, as it is served. Refused below `threshold`."""
    from workflows import serving  # noqa: PLC0415 - it imports TensorFlow

    found = serving.accuracy(saved_model, dataset / image_folders.HELD_OUT)
    for label, (right, number) in found.by_class.items():
        told(f"  {label}: right on {right} of {number}")
    said = f"right on {found.right} of {found.images} held-out images, {found.share:.1%}"
    if found.share < threshold:
        raise Refused(f"it is {said}, and {threshold:.1%} are asked for: nothing is published")
    told(said)
    return found.share


@step(cpu=2, memory="14Gi", minutes=30, reads_store=True)
def verify(saved_model: Annotated[Path, Artifact(name="saved-model")], store: str, policy: str) -> None:
    """Its preflight, against the newest version in the store where there is one. Raises Refused where it fails.

    policy: the text of a policy.yaml; empty for what `promoter verify` asks for by itself.
    """
    found = preflight(str(saved_model), newest(store), policy, public_key=None, told=lambda _: None)
    told(preflight_text(found).rstrip())
    if not found.passed:
        raise Refused("it fails its preflight: nothing is published")


@step(cpu=1, memory="4Gi", minutes=60, reads_store=True)
def publish(
    saved_model: Annotated[Path, Artifact(name="saved-model")], store: str, version: str
) -> Annotated[str, Parameter(name="version", global_name="version")]:
    """Put the SavedModel into the store; the number that it got there. Raises InvalidInput.

    version: a number that is free, or `auto` for the next one.
    """
    stored = wiring.publish(saved_model, store, number(version), progress=lambda _done, _total: None)
    told(f"{store}/{stored.version} is complete: {stored.digest}")
    return str(stored.version)


def newest(store: str) -> str | None:
    """The address of the newest complete version in a store, None where there is none. Raises StoreUnavailable."""
    folder = store_folder(StoreAddress.from_text(store))
    if folder is not None and not folder.exists():
        return None
    complete = wiring.store_at(store).listing(store, Wanted(newest=True)).complete
    return f"{store}/{complete[-1].version}" if complete else None


def number(version: str) -> ModelVersion | None:
    """The version that somebody names, None for `auto`. Raises InvalidName."""
    return None if version == "auto" else ModelVersion.from_name(version)


def store_folder(address: StoreAddress) -> Path | None:
    """Where a store is on this machine, None for a bucket."""
    return Path("/", *address.segments) if address.scheme == "file" else None
