"""`python -m workflows.train`: the steps to a version of ResNet50, in their order: here and now, or each in a pod.

    split → train → export → evaluate → verify → publish

Nothing is published that is right too seldom on images it was not trained on, or that fails its preflight.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import click
from hera.workflows import DAG, Artifact, Parameter, WorkflowTemplate
from hera.workflows import models as m

from promoter.cli import wiring
from promoter.cli.options import needs_tensorflow
from promoter.domain.completeness import ByManifest
from promoter.domain.store_address import StoreAddress
from promoter.domain.version import IncompleteVersion, ModelVersion, Wanted
from promoter.errors import InvalidInput
from workflows.pods import EXECUTOR_ACCOUNT, as_task, common
from workflows.training_steps import evaluate, export, number, publish, split, store_folder, told, train, verify

NAME = "train-resnet50"

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


# What a workflow is asked with: argument of a step, its usual value, and what it is.
_ASKED = {
    "store": ("gs://shop-models/resnet50", "where the version goes"),
    "version": ("auto", "its number; auto for the next one"),
    "threshold": ("0.85", "least share of the held-out images it must be right on"),
    "policy": ("", "text of a policy.yaml, for the preflight"),
    "size": ("32", "pixels of both sides of an image"),
    "epochs": ("6", "from scratch; with weights, of the head alone"),
    "fine_tuning_epochs": ("5", "of all of it, with weights"),
    "batch_size": ("32", "images of a step"),
    "learning_rate": ("0.001", "Adam's; fine-tuning takes a hundredth"),
    "held_out": ("0.2", "share of the images that are not trained on"),
    "seed": ("0", "of weights, order and split"),
}


def template() -> WorkflowTemplate:
    """The same steps for a cluster: images and weights are artifacts, everything else has a parameter."""
    with WorkflowTemplate(
        name=NAME,
        entrypoint="make-version",
        arguments=[
            Parameter(name=name, value=value, description=description) for name, (value, description) in _ASKED.items()
        ],
        active_deadline_seconds=24 * 3600,
        # One after another: two at once would both be verified against the version before them.
        synchronization=m.Synchronization(mutexes=[m.Mutex(name=NAME)]),
        # What passes between the steps goes when the workflow goes: the version itself is in the store.
        artifact_gc=m.WorkflowLevelArtifactGC(strategy="OnWorkflowDeletion", service_account_name=EXECUTOR_ACCOUNT),
        **common(),
    ) as made:
        given = [Artifact(name=name, optional=True) for name in ("images", "weights")]
        with DAG(name="make-version", inputs=given):
            images, weights = (
                Artifact(name=entry.name, from_=f"{{{{inputs.artifacts.{entry.name}}}}}", optional=True)
                for entry in given
            )
            parts = as_task(split, images, _asked("size", "held_out", "seed"))
            dataset = parts.get_artifact("dataset")
            fitting = _asked("size", "epochs", "fine_tuning_epochs", "batch_size", "learning_rate", "seed")
            trained = as_task(train, dataset, weights, fitting)
            exported = as_task(export, trained.get_artifact("model"), dataset, _asked("store"))
            saved_model = exported.get_artifact("saved-model")
            evaluated = as_task(evaluate, saved_model, dataset, _asked("threshold"))
            verified = as_task(verify, saved_model, _asked("store", "policy"))
            published = as_task(publish, saved_model, _asked("store", "version"))
            order = (parts, trained, exported, evaluated, verified, published)
            for before, after in pairwise(order):
                before.next(after)
    return made


def _asked(*names: str) -> dict[str, str]:
    """Arguments that are the workflow's own parameters."""
    return {name: f"{{{{workflow.parameters.{name}}}}}" for name in names}


def _default(name: str) -> str:
    return _ASKED[name][0]


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--output",
    required=True,
    metavar="STORE|FOLDER",
    help="A model's address (gs://…, s3://…, file://…), or a folder of this machine.",
)
@click.option("--version", default="auto", show_default=True, metavar="N|auto", help="The version's number.")
@click.option("--images", type=_FOLDER, help="An image folder; without it, a small set of textures is made.")
@click.option("--weights", type=_FILE, help="Fine-tune these weights of ResNet50 instead of training from scratch.")
@click.option(
    "--size",
    default=_default("size"),
    type=click.IntRange(32, 1024),
    show_default=True,
    help="Pixels of both sides of an image; larger ones are scaled.",
)
@click.option(
    "--epochs",
    default=_default("epochs"),
    type=click.IntRange(1),
    show_default=True,
    help="From scratch; with --weights, of the head alone.",
)
@click.option(
    "--fine-tuning-epochs",
    default=_default("fine_tuning_epochs"),
    type=click.IntRange(0),
    show_default=True,
    help="With --weights, of all of it after the head.",
)
@click.option(
    "--batch-size", default=_default("batch_size"), type=click.IntRange(2), show_default=True, help="Images of a step."
)
@click.option(
    "--learning-rate",
    default=_default("learning_rate"),
    type=click.FloatRange(0, 1, min_open=True),
    show_default=True,
    help="Adam's; fine-tuning takes a hundredth.",
)
@click.option(
    "--held-out",
    default=_default("held_out"),
    type=click.FloatRange(0.01, 0.9),
    show_default=True,
    help="Share of the images that are not trained on.",
)
@click.option(
    "--seed",
    default=_default("seed"),
    type=click.IntRange(0, 2**32 - 1),
    show_default=True,
    help="Of weights, order and split.",
)
@click.option(
    "--threshold",
    default=_default("threshold"),
    type=click.FloatRange(0, 1),
    show_default=True,
    help="Least share of the held-out images it must be right on.",
)
@click.option("--policy", type=_FILE, help="A policy.yaml; its `preflight` says what is asked of the version.")
@click.option(
    "--work",
    type=click.Path(file_okay=False, path_type=Path),
    help="A new folder for what is made on the way.  [default: one that is removed at the end]",
)
@click.option("--dry-run", is_flag=True, help="Everything but publishing.")
@wiring.tells_errors
def main(
    *,
    output: str,
    version: str,
    images: Path | None,
    weights: Path | None,
    size: int,
    epochs: int,
    fine_tuning_epochs: int,
    batch_size: int,
    learning_rate: float,
    held_out: float,
    seed: int,
    threshold: float,
    policy: Path | None,
    work: Path | None,
    dry_run: bool,
) -> None:
    """Train ResNet50 on images, export, evaluate, verify and publish it: here, now, and in this order.

    \b
    Without any images at hand, into a folder (some two minutes on two cores):
      python -m workflows.train --output build/models/resnet50

    \b
    On images of your own, with weights that Keras publishes, into a bucket:
      python -m workflows.train --images flowers/ --weights resnet50_notop.h5 --size 224
        --output gs://shop-models/resnet50

    The images are a folder with a subfolder for each class. A part of them is held out; a version that is right on
    fewer of those than --threshold is not published, nor is one that fails its preflight (`promoter verify --help`)
    against the newest version in the store. Exit status 0: it is published. 1: it is not, and why is said.
    """  # noqa: D301 - click reads \b
    # TensorFlow's own lines are not about what is asked for here.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    needs_tensorflow()
    store, wanted = _store(output), number(version)
    asked = policy.read_text(encoding="utf-8") if policy else ""
    # What would be refused in the end is better refused now.
    if not dry_run:
        _check_free(store, wanted)
    with _work_folder(work) as folder:
        dataset, model, saved_model = folder / "dataset", folder / "model", folder / "saved-model"
        split(images=images, dataset=dataset, size=size, held_out=held_out, seed=seed)
        train(
            dataset=dataset,
            weights=weights,
            model=model,
            size=size,
            epochs=epochs,
            fine_tuning_epochs=fine_tuning_epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            seed=seed,
        )
        export(model=model, dataset=dataset, saved_model=saved_model, store=store)
        evaluate(saved_model=saved_model, dataset=dataset, threshold=threshold)
        verify(saved_model=saved_model, store=store, policy=asked)
        if dry_run:
            told(f"a dry run: nothing was put into {store}")
        else:
            click.echo(publish(saved_model=saved_model, store=store, version=version))


def _store(output: str) -> str:
    """The store's address. Raises InvalidInput."""
    store = output.rstrip("/") if "://" in output else Path(output).absolute().as_uri()
    address = StoreAddress.from_text(store)
    if not address.segments:
        raise InvalidInput(f"{output} has no last part that could be the model's name")
    return store


def _check_free(store: str, version: ModelVersion | None) -> None:
    """Raises InvalidInput where the version is in the store already, and StoreUnavailable where it does not answer.

    A folder of this machine is made where there is none.
    """
    if (folder := store_folder(StoreAddress.from_text(store))) is not None:
        folder.mkdir(parents=True, exist_ok=True)
    opened = wiring.store_at(store)
    if version is None:
        opened.listing(store, Wanted(newest=True))
    elif not isinstance(found := opened.version(store, version, ByManifest()), IncompleteVersion):
        raise InvalidInput(
            f"version {found.version} is in {store} already, and versions never change: name another one"
        )


@contextmanager
def _work_folder(named: Path | None) -> Iterator[Path]:
    """A folder for what is made on the way. One that nobody named goes at the end, unless it holds a trained model."""
    if named is not None:
        if named.exists() and any(named.iterdir()):
            raise InvalidInput(f"{named} is not empty: name a new folder for what is made on the way")
        named.mkdir(parents=True, exist_ok=True)
        yield named
        return
    folder = Path(tempfile.mkdtemp(prefix="train-resnet50-"))
    try:
        yield folder
    except BaseException:
        if (folder / "model").exists():
            told(f"what was trained is in {folder / 'model'}: python -m workflows.export_model --help")
            raise
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
