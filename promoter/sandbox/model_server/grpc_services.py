"""The gRPC services: PredictionService (Predict, GetModelMetadata), ModelService (GetModelStatus), health, reflection.

Methods that are left out answer UNIMPLEMENTED. Calls beyond --grpc_max_threads wait for a thread, where the original
refuses them: Python needs more time for a call, and would refuse what no real pod does.
"""

from __future__ import annotations

import logging
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from promoter.sandbox.model_server.flags import Flags, channel_arguments
from promoter.sandbox.model_server.protos import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    prediction_service_pb2_grpc,
)
from promoter.sandbox.model_server.servable import Servable
from promoter.saved_model.protos import predict_pb2
from promoter.saved_model.rest_json import DEFAULT_SIGNATURE
from promoter.saved_model.statuses import Code, ServingError, internal
from promoter.saved_model.tensors import fill_proto, from_proto

_LONGEST_MESSAGE = 1024
_LARGEST_MESSAGE = 2**31 - 1

_log = logging.getLogger("grpc")
_STATUS = {status.value[0]: status for status in grpc.StatusCode}


def start(servable: Servable, address: str, flags: Flags) -> grpc.Server:
    """A server that answers on `address`:--port. Raises ServingError where it cannot listen there."""
    server = grpc.server(
        ThreadPoolExecutor(max_workers=flags.grpc_max_threads, thread_name_prefix="grpc"),
        options=[
            # Two servers must not share a port and each take some of the calls.
            ("grpc.so_reuseport", 0),
            ("grpc.max_receive_message_length", _LARGEST_MESSAGE),
            ("grpc.max_send_message_length", _LARGEST_MESSAGE),
            *channel_arguments(flags.grpc_channel_arguments),
        ],
    )
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(_prediction_service(servable), server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(_model_service(servable), server)
    if flags.enable_grpc_healthcheck_service:
        _add_health(server)
    _add_reflection(server)
    try:
        server.add_insecure_port(f"{address}:{flags.port}")
    except RuntimeError as error:
        raise ServingError(
            Code.UNKNOWN, f"Failed to BuildAndStart gRPC server: cannot listen on {address}:{flags.port}"
        ) from error
    server.start()
    return server


def model_status(servable: Servable, model_spec: Any) -> Any:
    """The GetModelStatusResponse. Raises ServingError (NOT_FOUND); a label is ignored (get_model_status_impl.cc)."""
    by_version = model_spec.WhichOneof("version_choice") == "version"
    if model_spec.name != servable.model.name or (by_version and model_spec.version.value != servable.model.version):
        which = f"version {model_spec.version.value}" if by_version else "any versions"
        raise ServingError(Code.NOT_FOUND, f"Could not find {which} of model {model_spec.name}")
    response = get_model_status_pb2.GetModelStatusResponse()
    # The ports are closed in every other state.
    response.model_version_status.add(
        version=servable.model.version, state=get_model_status_pb2.ModelVersionStatus.AVAILABLE
    ).status.SetInParent()
    return response


def signature_map(servable: Servable) -> Any:
    """The SignatureDefMap that model metadata consists of."""
    signatures = get_model_metadata_pb2.SignatureDefMap()
    for name, signature in servable.signatures.items():
        signatures.signature_def[name].CopyFrom(signature)
    return signatures


def _prediction_service(servable: Servable) -> Any:
    service = prediction_service_pb2_grpc.PredictionServiceServicer()
    service.Predict = lambda request, context: _predict(servable, request, context)
    service.GetModelMetadata = lambda request, context: _metadata(servable, request, context)
    return service


def _model_service(servable: Servable) -> Any:
    def get_model_status(request: Any, context: grpc.ServicerContext) -> Any:
        try:
            return model_status(servable, request.model_spec)
        except ServingError as error:
            return _refuse(context, error)

    service = model_service_pb2_grpc.ModelServiceServicer()
    service.GetModelStatus = get_model_status
    return service


def _predict(servable: Servable, request: Any, context: grpc.ServicerContext) -> Any:
    began = time.perf_counter()
    name = request.model_spec.name
    try:
        response = _prediction(servable, request, context)
    except ServingError as error:
        servable.metrics.requests.add(name, error.code.name)
        return _refuse(context, error)
    except Exception as error:  # noqa: BLE001 - whatever it is, the caller must get a status and the metrics a count
        _log.exception("Predict failed")
        servable.metrics.requests.add(name, Code.INTERNAL.name)
        return _refuse(context, internal(error))
    servable.metrics.requests.add(name, Code.OK.name)
    servable.metrics.request_latency.observe((time.perf_counter() - began) * 1e6, name, "Predict", "GRPC")
    return response


def _prediction(servable: Servable, request: Any, context: grpc.ServicerContext) -> Any:
    # Before the inputs, as the original does: a request for another model is NOT_FOUND, whatever it holds.
    servable.check(request.model_spec)
    inputs = {name: from_proto(name, proto) for name, proto in request.inputs.items()}
    outputs = servable.predict(request.model_spec, inputs, request.output_filter, _timeout_ms(context))
    response = predict_pb2.PredictResponse()
    response.model_spec.name = servable.model.name
    response.model_spec.version.value = servable.model.version
    response.model_spec.signature_name = request.model_spec.signature_name or DEFAULT_SIGNATURE
    for name, array in outputs.items():
        fill_proto(array, response.outputs[name])
    return response


def _timeout_ms(context: grpc.ServicerContext) -> int:
    """What is left of the caller's deadline, 0 where there is none."""
    remaining: float | None = context.time_remaining()
    if remaining is None:
        return 0
    if remaining <= 0:
        raise ServingError(Code.DEADLINE_EXCEEDED, "the deadline was over before the model ran")
    return max(1, min(round(remaining * 1000), 2**31 - 1))


def _metadata(servable: Servable, request: Any, context: grpc.ServicerContext) -> Any:
    if list(request.metadata_field) != ["signature_def"]:
        message = f"Metadata field(s) {', '.join(request.metadata_field)} are not supported: ask for signature_def"
        return _refuse(context, ServingError(Code.INVALID_ARGUMENT, message))
    try:
        servable.check(request.model_spec)
    except ServingError as error:
        return _refuse(context, error)
    response = get_model_metadata_pb2.GetModelMetadataResponse()
    response.model_spec.name = servable.model.name
    response.model_spec.version.value = servable.model.version
    packed = AnyMessage()
    packed.Pack(signature_map(servable))
    response.metadata["signature_def"].CopyFrom(packed)
    return response


def _refuse(context: grpc.ServicerContext, error: ServingError) -> Any:
    return context.abort(_STATUS[error.code], error.message[:_LONGEST_MESSAGE])


def _add_health(server: grpc.Server) -> None:
    """SERVING from the first moment and for good, under the original's names, which lack the package."""
    servicer = health.HealthServicer()
    for service in ("", "ModelService", "PredictionService"):
        servicer.set(service, health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)


def _add_reflection(server: grpc.Server) -> None:
    """What `grpcurl` asks for; linked into the original since 2.15, without a flag."""
    services = [
        "tensorflow.serving.PredictionService",
        "tensorflow.serving.ModelService",
        health.SERVICE_NAME,
        reflection.SERVICE_NAME,
    ]
    reflection.enable_server_reflection(services, server)
