"""A small residual convolutional network, exported as the kinds of version that the zoo names. Imports TensorFlow.

Signature `serving_default`: `input_1`, float32 of shape [-1, 32, 32, 3], to `probabilities`, float32 of shape [-1, 10],
and `classes`, int64 of shape [-1]. Weights are random, the same for the same seed: what a version answers does not
matter to a rollout, only whether it answers, how fast, and that good versions agree nearly always.

Measured on one thread of a two-core virtual machine: 4 ms for one image, 12 ms in the slow version, so the two are two
buckets apart in TensorFlow Serving's latency histogram.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from promoter.sandbox.model_zoo import DARK, MODEL, VersionKind

IMAGE = (32, 32, 3)
CLASSES = 10
WARMUP_FILE = "assets.extra/tf_serving_warmup_requests"

_STAGES = (24, 48, 96)
_BLOCKS = 3
_SLOWDOWN = 3
_WHITE = 255

# Symbolic tensors, variables and functions: TensorFlow publishes no types.
Tensor = Any
Network = Callable[[Tensor], Tensor]


def export(kind: VersionKind, directory: Path, seed: int) -> None:
    """Save the network as a version of `kind`, with warm-up requests that it answers."""
    module = tf.Module()
    module.kernels = [tf.Variable(kernel) for kernel in _kernels(seed)]
    module.serve = _serving_function(kind, lambda images: _probabilities(module.kernels, images))
    tf.saved_model.save(module, str(directory), signatures={"serving_default": module.serve})
    _write_warmup(directory / WARMUP_FILE, _input_of(kind))


def _input_of(kind: VersionKind) -> Any:
    """The TensorSpec of the input. The other signature has another name, type and shape: flat rows of bytes."""
    if kind is VersionKind.OTHER_SIGNATURE:
        return tf.TensorSpec((None, math.prod(IMAGE)), tf.uint8, name="pixels")
    return tf.TensorSpec((None, *IMAGE), tf.float32, name="input_1")


def _serving_function(kind: VersionKind, network: Network) -> Any:
    def serve(images: Tensor) -> dict[str, Tensor]:
        match kind:
            case VersionKind.FAILS_ON_DARK_IMAGES:
                darkest = tf.reduce_min(tf.reduce_mean(images, axis=(1, 2, 3)))
                tf.debugging.Assert(darkest >= DARK, ["image too dark, brightness", darkest])
                probabilities = network(images)
            case VersionKind.SLOW:
                probabilities = _repeated(network, images)
            case VersionKind.OTHER_SIGNATURE:
                probabilities = network(tf.reshape(tf.cast(images, tf.float32) / _WHITE, (-1, *IMAGE)))
            case VersionKind.GOOD:
                probabilities = network(images)
        return {"probabilities": probabilities, "classes": tf.argmax(probabilities, axis=1)}

    # Nothing here branches on a tensor, so Python need not be rewritten into graph operations.
    return tf.function(serve, input_signature=[_input_of(kind)], autograph=False)


def _repeated(network: Network, images: Tensor) -> Tensor:
    """The network's answer, computed three times.

    Each turn depends on the one before, or the graph's optimiser would merge them: probabilities minus 2 are below -1,
    so the maximum leaves every image in [0, 1] as it is, which the optimiser cannot know.
    """
    probabilities = network(images)
    for _ in range(_SLOWDOWN - 1):
        probabilities = network(tf.maximum(images, tf.reduce_min(probabilities) - 2.0))
    return probabilities


def _kernel_shapes() -> list[tuple[int, ...]]:
    """Stem, then per stage an entry convolution and the two of each block, then the dense layer."""
    shapes: list[tuple[int, ...]] = [(3, 3, IMAGE[2], _STAGES[0])]
    channels = _STAGES[0]
    for width in _STAGES:
        shapes.append((1, 1, channels, width))
        shapes.extend([(3, 3, width, width)] * (2 * _BLOCKS))
        channels = width
    return [*shapes, (channels, CLASSES)]


def _kernels(seed: int) -> list[npt.NDArray[np.float32]]:
    """Weights by He's rule from one common draw, moved by a hundredth by `seed`."""
    common, own = np.random.default_rng(0), np.random.default_rng(seed)
    kernels = []
    for shape in _kernel_shapes():
        spread = np.sqrt(2 / np.prod(shape[:-1]))
        kernel = spread * (common.standard_normal(shape) + 0.01 * own.standard_normal(shape))
        kernels.append(kernel.astype(np.float32))
    return kernels


def _probabilities(kernels: list[Tensor], images: Tensor) -> Tensor:
    layers = iter(kernels)
    signal = tf.nn.relu(_convolved(images, next(layers)))
    for stage in range(len(_STAGES)):
        signal = _convolved(signal, next(layers), stride=1 if stage == 0 else 2)
        for _ in range(_BLOCKS):
            branch = tf.nn.relu(_convolved(signal, next(layers)))
            # Half of the branch keeps the signal's size through the blocks without normalisation.
            signal = tf.nn.relu(signal + 0.5 * _convolved(branch, next(layers)))
    return tf.nn.softmax(tf.matmul(tf.reduce_mean(signal, axis=(1, 2)), next(layers)))


def _convolved(signal: Tensor, kernel: Tensor, stride: int = 1) -> Tensor:
    return tf.nn.conv2d(signal, kernel, strides=stride, padding="SAME")


def _write_warmup(path: Path, spec: Any) -> None:
    """Ten requests of one bright image each: enough for the first real one not to be slow."""
    white = _WHITE if spec.dtype == tf.uint8 else 1
    path.parent.mkdir()
    with tf.io.TFRecordWriter(str(path)) as records:
        for brightness in np.linspace(0.5, 1, 10):
            image = np.full((1, *spec.shape[1:]), brightness * white, spec.dtype.as_numpy_dtype)
            request = predict_pb2.PredictRequest()
            request.model_spec.name = MODEL
            request.inputs[spec.name].CopyFrom(tf.make_tensor_proto(image))
            log = prediction_log_pb2.PredictLog(request=request)
            records.write(prediction_log_pb2.PredictionLog(predict_log=log).SerializeToString())
