"""A trained network as a SavedModel that servers load, and what it answers on held-out images. Imports TensorFlow.

Signature `serving_default`: `input_1`, float32 of shape [-1, size, size, 3], RGB from 0 to 1; to `probabilities`,
float32 of shape [-1, classes], and `classes`, int64 of shape [-1], which number the lines of assets/labels.txt from 0.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from promoter.documents.one_line import one_line
from promoter.errors import InvalidInput
from workflows.images import LABELS_FILE, SUFFIXES, classes_of

SIGNATURE = "serving_default"
GOLDEN_FILE = "assets.extra/golden_requests.json"

_BATCH = 64


@dataclass(frozen=True, slots=True)
class Accuracy:
    """right: of how many images the best class was theirs. by_class: the same for each class, by label."""

    right: int
    images: int
    by_class: dict[str, tuple[int, int]]

    @property
    def share(self) -> float:
        """0 to 1."""
        return self.right / self.images


def export(model: Path, labels: Path, directory: Path, *, golden: Sequence[Path]) -> None:
    """Write the model in a file of Keras' as a SavedModel to `directory`, which must not exist yet.

    labels: a file with a class on each line, in the order of the model's answers. golden: images of which golden
    requests are made, one each; none make no file. Raises InvalidInput; then nothing is left behind.
    """
    if directory.exists():
        raise InvalidInput(f"{directory} exists already: a version never changes, take a higher number")
    network = _loaded(model, labels)
    (given,) = network.inputs
    size = given.shape[1]
    requests = [{"instances": [_pixels(path, size).numpy().round(4).tolist()]} for path in golden]
    module = tf.Module()
    # The variables alone: what Keras keeps beside them is for training.
    module.kept = [variable.value for variable in network.variables]
    module.labels = tf.saved_model.Asset(str(labels))
    module.serve = _serving(network, given)
    unfinished = directory.with_name(f".{directory.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        unfinished.parent.mkdir(parents=True, exist_ok=True)
        tf.saved_model.save(module, str(unfinished), signatures={SIGNATURE: module.serve})
        # A hash of what is saved that nobody reads, and that differs between two exports of one model.
        (unfinished / "fingerprint.pb").unlink(missing_ok=True)
        if requests:
            _write_golden(unfinished / GOLDEN_FILE, requests)
        unfinished.rename(directory)
    except OSError as error:
        raise InvalidInput(f"{directory} cannot be written: {error.strerror}") from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _loaded(model: Path, labels: Path) -> Any:
    """The network. Raises InvalidInput where it is none that is exported here."""
    try:
        network = keras.models.load_model(model, compile=False)
        names = labels.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise InvalidInput(f"the model cannot be read from {model} and {labels}: {one_line(str(error))}") from error
    shape: tuple[int | None, ...] = network.inputs[0].shape if len(network.inputs) == 1 else ()
    if len(shape) != 4 or None in shape[1:] or shape[1] != shape[2] or shape[3] != 3:
        raise InvalidInput(f"{model} is no model of one square RGB image: its inputs are {network.input_shape}")
    if network.output_shape != (None, len(names)):
        raise InvalidInput(f"{labels} names {len(names)} classes, and the model answers {network.output_shape}")
    return network


def _serving(network: Any, given: Any) -> Any:
    def serve(images: Any) -> dict[str, Any]:
        probabilities = network(images, training=False)
        return {"probabilities": probabilities, "classes": tf.argmax(probabilities, axis=1)}

    return tf.function(serve, input_signature=[tf.TensorSpec(given.shape, tf.float32, name="input_1")], autograph=False)


def _write_golden(path: Path, requests: Sequence[Any]) -> None:
    path.parent.mkdir()
    lines = ",\n".join(json.dumps(request, separators=(",", ":")) for request in requests)
    path.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def few_of(images: Path, count: int) -> list[Path]:
    """The first images of the classes in turn, `count` at most: what golden requests are made of."""
    classes = list(classes_of(images, least=1).values())
    turns = max(map(len, classes))
    return [paths[turn] for turn in range(turns) for paths in classes if turn < len(paths)][:count]


def accuracy(directory: Path, images: Path) -> Accuracy:
    """How often the SavedModel in `directory` is right on an image folder, as servers ask it. Raises InvalidInput."""
    loaded = tf.saved_model.load(str(directory))
    serve = loaded.signatures[SIGNATURE]
    size = serve.structured_input_signature[1]["input_1"].shape[1]
    labels = (directory / "assets" / LABELS_FILE).read_text(encoding="utf-8").splitlines()
    by_class: dict[str, tuple[int, int]] = {}
    for label, paths in classes_of(images, least=1).items():
        if label not in labels:
            raise InvalidInput(
                f"{images / label} is a class that the model does not know: it knows {', '.join(labels)}"
            )
        wanted = labels.index(label)
        right = sum(int(np.sum(found == wanted)) for found in _answers(serve, paths, size))
        by_class[label] = (right, len(paths))
    return Accuracy(sum(right for right, _ in by_class.values()), sum(all_ for _, all_ in by_class.values()), by_class)


def _answers(serve: Any, paths: Sequence[Path], size: int) -> Iterator[Any]:
    for begin in range(0, len(paths), _BATCH):
        batch = tf.stack([_pixels(path, size) for path in paths[begin : begin + _BATCH]])
        yield serve(input_1=batch)["classes"].numpy()


def _pixels(path: Path, size: int) -> Any:
    """One image as the signature takes it, brought to its size as Keras does in training."""
    try:
        decoded = tf.io.decode_image(path.read_bytes(), channels=3, expand_animations=False)
        return tf.image.resize(decoded, (size, size)) / 255.0
    except (OSError, tf.errors.OpError) as error:
        raise InvalidInput(
            f"{path} is no image that can be read ({', '.join(sorted(SUFFIXES))}): {one_line(str(error))}"
        ) from error
