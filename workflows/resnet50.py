"""ResNet50 from keras.applications, trained from scratch or fine-tuned. Imports TensorFlow.

The network takes images of RGB values from 0 to 1 and brings them into the form that ResNet50's weights were trained
on itself: who serves it and who calls it need not know that form.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from promoter.documents.one_line import one_line
from promoter.errors import InvalidInput
from workflows.images import LABELS_FILE, MODEL_FILE, TRAINING

# The running mean and variance of a batch normalisation must have seen enough steps before they stand for the data.
# Keras' 0.99 for ResNet50 takes some 500 steps to forget where it began; a small set does not have as many.
_MOMENTUM = 0.9

Told = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how fast. epochs: from scratch, or of the head alone; fine_tuning: of all of it after the head.

    rate: Adam's, from scratch and for the head; fine-tuning takes a hundredth.
    """

    epochs: int
    fine_tuning: int
    batch: int
    rate: float


def train(
    dataset: Path, model: Path, *, size: int, weights: Path | None, schedule: Schedule, seed: int, told: Told
) -> None:
    """Train on `dataset`/training; write model.keras and labels.txt to the folder `model`.

    size: pixels, of both sides. weights: where ResNet50 begins, None for random weights. told: gets a line for each
    epoch. Raises InvalidInput.
    """
    keras.utils.set_random_seed(seed)
    images = keras.utils.image_dataset_from_directory(
        dataset / TRAINING,
        label_mode="int",
        batch_size=schedule.batch,
        image_size=(size, size),
        seed=seed,
        verbose=False,
    )
    labels = images.class_names
    _check_labels(labels)
    scaled = images.map(lambda batch, classes: (batch / 255.0, classes)).prefetch(2)
    backbone = keras.applications.ResNet50(include_top=False, weights=None, input_shape=(size, size, 3))
    if weights is None:
        for layer in backbone.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.momentum = _MOMENTUM
        network = _network(backbone, len(labels), frozen_statistics=False)
        decay = keras.optimizers.schedules.CosineDecay(schedule.rate, schedule.epochs * len(images))
        told(f"training ResNet50 from scratch: {schedule.epochs} epochs of {len(images)} steps")
        _fit(network, scaled, schedule.epochs, decay, told)
    else:
        _load(backbone, weights)
        network = _network(backbone, len(labels), frozen_statistics=True)
        backbone.trainable = False
        told(f"training the head: {schedule.epochs} epochs of {len(images)} steps")
        _fit(network, scaled, schedule.epochs, schedule.rate, told)
        backbone.trainable = True
        told(f"fine-tuning all of it: {schedule.fine_tuning} epochs of {len(images)} steps")
        _fit(network, scaled, schedule.fine_tuning, schedule.rate / 100, told)
    model.mkdir(parents=True, exist_ok=True)
    # Without what only training needs, which is twice the weights.
    keras.Model(network.inputs, network.outputs).save(model / MODEL_FILE)
    (model / LABELS_FILE).write_text("".join(f"{label}\n" for label in labels), encoding="utf-8")


def _network(backbone: Any, classes: int, *, frozen_statistics: bool) -> Any:
    """The whole network. frozen_statistics: batches are normalised by what the weights came with, also in training.

    A few small batches would otherwise ruin statistics that were taken of a million images.
    """
    given = keras.Input(backbone.input_shape[1:], name="input_1")
    raised = keras.layers.Rescaling(255.0)(given)
    features = backbone(
        keras.applications.resnet50.preprocess_input(raised), **({"training": False} if frozen_statistics else {})
    )
    pooled = keras.layers.GlobalAveragePooling2D()(features)
    return keras.Model(given, keras.layers.Dense(classes, activation="softmax", name="probabilities")(pooled))


def _fit(network: Any, images: Any, epochs: int, rate: Any, told: Told) -> None:
    network.compile(optimizer=keras.optimizers.Adam(rate), loss="sparse_categorical_crossentropy", metrics=["accuracy"])

    class Lines(keras.callbacks.Callback):  # type: ignore[misc] # Keras publishes no types
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            told(f"epoch {epoch + 1} of {epochs}: loss {logs['loss']:.3f}, accuracy {logs['accuracy']:.1%}")

    network.fit(images, epochs=epochs, shuffle=False, verbose=0, callbacks=[Lines(), keras.callbacks.TerminateOnNaN()])


def _load(backbone: Any, weights: Path) -> None:
    """Put the weights of a file into ResNet50: Keras' own (`…_notop.h5`, `.weights.h5`), or another `model.keras`."""
    try:
        if weights.suffix == ".keras":
            backbone.set_weights(keras.models.load_model(weights, compile=False).get_layer("resnet50").get_weights())
        else:
            backbone.load_weights(weights)
    except (OSError, ValueError, KeyError) as error:
        raise InvalidInput(f"{weights} holds no weights of ResNet50 without its top: {one_line(str(error))}") from error


def _check_labels(labels: Sequence[str]) -> None:
    for label in labels:
        if not label.isprintable():
            raise InvalidInput(f"the folder {label!r} cannot be a class: its name does not fit on a line of labels.txt")
