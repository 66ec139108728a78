"""Warm-up requests, which a server answers itself before it is ready (TensorFlow Serving, saved_model_warmup)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from promoter.saved_model.protos import prediction_log_pb2
from promoter.saved_model.records import written_records
from promoter.saved_model.tensors import Array, fill_proto

WARMUP_FILE = "assets.extra/tf_serving_warmup_requests"
MOST_WARMUP_RECORDS = 1000


def warmup_records(model: str, requests: Iterable[tuple[str, Mapping[str, Array]]]) -> bytes:
    """The content of the file: a TFRecord of PredictionLog for requests to `model`, given as signature and inputs."""
    return written_records(_record(model, signature, inputs) for signature, inputs in requests)


def _record(model: str, signature: str, inputs: Mapping[str, Array]) -> bytes:
    log = prediction_log_pb2.PredictionLog()
    request = log.predict_log.request
    request.model_spec.name = model
    request.model_spec.signature_name = signature
    for alias, array in inputs.items():
        fill_proto(array, request.inputs[alias])
    content: bytes = log.SerializeToString(deterministic=True)
    return content
