"""The images that the traffic source sends, as finished request bytes: serialised once, sent many times."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from promoter.saved_model.protos import predict_pb2, types_pb2

IMAGE = (32, 32, 3)

# Evenly spread in brightness, so that a tenth of the range is a tenth of the images, exactly.
IMAGES = 200


@dataclass(frozen=True, slots=True)
class ImageRequest:
    """One image. brightness: its mean, 0 to 1. predict: a serialised PredictRequest. rest: the JSON body."""

    brightness: float
    predict: bytes
    rest: bytes


def build_requests(model: str) -> tuple[ImageRequest, ...]:
    """Requests for `model`, in rising order of brightness."""
    texture = np.random.default_rng(0).uniform(0.5, 1.5, IMAGE)
    texture /= texture.mean()
    levels = (np.arange(IMAGES) + 0.5) / IMAGES
    return tuple(_request(model, float(level), (level * texture).astype(np.float32)) for level in levels)


def _request(model: str, brightness: float, image: npt.NDArray[np.float32]) -> ImageRequest:
    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    tensor = request.inputs["input_1"]
    tensor.dtype = types_pb2.DT_FLOAT
    for size in (1, *image.shape):
        tensor.tensor_shape.dim.add(size=size)
    tensor.tensor_content = image.tobytes()
    # Three decimals keep the body short and the mean to within far less than the distance of two images.
    rows = np.round(image.astype(np.float64), 3)[np.newaxis].tolist()
    body = json.dumps({"instances": rows}, separators=(",", ":")).encode()
    return ImageRequest(brightness, request.SerializeToString(), body)
