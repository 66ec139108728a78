"""From a pinned version to one that answers: waiting for its folder, loading, warming up, trying again.

Order, limits and messages are TensorFlow Serving's: sources/storage_path/file_system_storage_path_source.cc,
util/retrier.cc, servables/tensorflow/saved_model_warmup_util.cc.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

from google.protobuf.message import DecodeError

from promoter.sandbox.model_server.bucket_files import bring
from promoter.sandbox.model_server.flags import Flags
from promoter.sandbox.model_server.metrics import ServingMetrics
from promoter.sandbox.model_server.model_config import PinnedModel
from promoter.sandbox.model_server.servable import Servable
from promoter.saved_model.c_library import Session
from promoter.saved_model.protos import prediction_log_pb2
from promoter.saved_model.records import read_records
from promoter.saved_model.statuses import Code, ServingError
from promoter.saved_model.tensors import from_proto
from promoter.saved_model.warmup import MOST_WARMUP_RECORDS, WARMUP_FILE

_log = logging.getLogger("loading")


def load(model: PinnedModel, flags: Flags, metrics: ServingMetrics) -> Servable:
    """The version, loaded and warm; waits without limit for it to appear. Raises ServingError after the last retry."""
    _wait_for_version(model, flags)
    for _ in range(flags.max_num_load_retries):
        try:
            return _load_once(model, flags, metrics)
        except ServingError as error:
            _log.warning("Loading servable %s version %d failed: %s", model.name, model.version, error)
            time.sleep(flags.load_retry_interval_micros / 1e6)
    try:
        return _load_once(model, flags, metrics)
    except ServingError as error:
        raise ServingError(
            Code.UNKNOWN,
            "1 servable(s) did not become available: "
            f"{{{{name: {model.name} version: {model.version}}} due to error: {error}, }}",
        ) from error


def _wait_for_version(model: PinnedModel, flags: Flags) -> None:
    while not _is_there(model):
        _log.warning(
            "Version %d of servable %s, which was requested to be served as a 'specific' version in the servable's "
            "config, was not found in the file system",
            model.version,
            model.name,
        )
        if flags.file_system_poll_wait_seconds <= 0:
            # One look is all that was asked for; the original then waits for a version that cannot come.
            threading.Event().wait()
        time.sleep(flags.file_system_poll_wait_seconds)


def _is_there(model: PinnedModel) -> bool:
    if model.bucket is None or model.directory.is_dir():
        return model.directory.is_dir()
    return bring(f"{model.bucket.rstrip('/')}/{model.version}", model.directory)


def _load_once(model: PinnedModel, flags: Flags, metrics: ServingMetrics) -> Servable:
    path = str(model.directory)
    began = time.perf_counter()
    try:
        servable = Servable(model, _session(model, flags), metrics)
    except ServingError:
        metrics.load_attempts.add(path, "fail")
        raise
    metrics.load_attempts.add(path, "success")
    metrics.load_latency.add(path, amount=round((time.perf_counter() - began) * 1e6))
    if flags.enable_model_warmup:
        _warm_up(servable, flags.num_request_iterations_for_warmup)
    _log.info("Successfully loaded servable version {name: %s version: %d}", model.name, model.version)
    return servable


def _session(model: PinnedModel, flags: Flags) -> Session:
    both = flags.tensorflow_session_parallelism
    if both and (flags.tensorflow_intra_op_parallelism or flags.tensorflow_inter_op_parallelism):
        raise ServingError(
            Code.INVALID_ARGUMENT,
            "--tensorflow_session_parallelism excludes --tensorflow_intra_op_parallelism and "
            "--tensorflow_inter_op_parallelism",
        )
    return Session(
        model.directory,
        intra_op_threads=both or flags.tensorflow_intra_op_parallelism,
        inter_op_threads=both or flags.tensorflow_inter_op_parallelism,
    )


def _warm_up(servable: Servable, iterations: int) -> None:
    """Replay the version's warm-up requests, if it has any. Raises ServingError where one fails."""
    path = servable.model.directory / WARMUP_FILE
    if not path.is_file():
        return
    folder = str(servable.model.directory)
    began = time.perf_counter()
    for number, record in enumerate(read_records(path), start=1):
        if number > MOST_WARMUP_RECORDS:
            raise ServingError(
                Code.INVALID_ARGUMENT, f"Number of warmup records exceeds the maximum ({MOST_WARMUP_RECORDS})"
            )
        request = _warmup_request(record)
        for _ in range(iterations):
            _replay(servable, request)
        servable.metrics.warmup_records.add(folder, "OK")
    servable.metrics.warmup_latency.observe((time.perf_counter() - began) * 1e6, folder, "OK")


def _warmup_request(record: bytes) -> Any:
    try:
        log = prediction_log_pb2.PredictionLog.FromString(record)
    except DecodeError as error:
        raise ServingError(Code.INVALID_ARGUMENT, f"Failed to parse warmup record: {error}") from error
    kind = log.WhichOneof("log_type")
    if kind != "predict_log":
        raise ServingError(Code.UNIMPLEMENTED, f"Unsupported log_type for warmup: {kind}")
    return log.predict_log.request


def _replay(servable: Servable, request: Any) -> None:
    # A warm-up file outlives the name and the version it was made under: only its signature counts.
    model_spec = type(request.model_spec)(name=servable.model.name, signature_name=request.model_spec.signature_name)
    inputs = {name: from_proto(name, proto) for name, proto in request.inputs.items()}
    servable.predict(model_spec, inputs, request.output_filter, timeout_ms=0)
