"""`python -m workflows.export_model`: a trained model file becomes a version that servers load."""

from __future__ import annotations

import os
from pathlib import Path

import click

from promoter.cli.options import needs_tensorflow
from promoter.cli.wiring import tells_errors
from promoter.domain.version import ModelVersion
from workflows.images import LABELS_FILE

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("model", type=_FILE)
@click.option("--version", "number", required=True, metavar="N", help="The version's number: its folder's name.")
@click.option(
    "--output_path",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder in which the version's folder is made.",
)
@click.option("--labels", type=_FILE, help="A class on each line.  [default: labels.txt beside MODEL]")
@click.option("--images", type=_FOLDER, help="An image folder: a few of it become golden requests.")
@click.option("--golden", default=8, show_default=True, type=click.IntRange(1, 100), help="How many of them.")
@tells_errors
def main(*, model: Path, number: str, output_path: Path, labels: Path | None, images: Path | None, golden: int) -> None:
    """Write the trained MODEL, a .keras file, as a SavedModel to OUTPUT_PATH/N.

    Its signature `serving_default` takes `input_1`, float32 images [-1, size, size, 3] of RGB values as the model
    takes them (0 to 1, where `workflows.train` made it), and answers `probabilities` and `classes`; the classes are
    the lines of assets/labels.txt, from 0. With --images it carries golden requests, which `promoter verify` asks and
    `promoter publish --warmup` makes warm-up requests of.

    \b
      python -m workflows.export_model model/model.keras --version 43 --output_path export --images held-out/
      promoter verify export/43
      promoter publish export/43 gs://shop-models/resnet50 --version 43 --warmup
    """  # noqa: D301 - click reads \b
    version = ModelVersion.from_name(number)
    needs_tensorflow()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from workflows import serving  # noqa: PLC0415 - it imports TensorFlow, after the line above

    directory = output_path / str(version)
    chosen = serving.few_of(images, golden) if images else []
    serving.export(model, labels or model.with_name(LABELS_FILE), directory, golden=chosen)
    click.echo(directory)


if __name__ == "__main__":
    main()
