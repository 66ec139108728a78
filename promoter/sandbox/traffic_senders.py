"""How one request reaches a model server through the proxy, over gRPC or REST, and what its answer says."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import cycle
from types import MappingProxyType
from typing import Protocol, Self

import grpc
import httpx

from promoter.domain.version import ModelVersion
from promoter.errors import InvalidName
from promoter.sandbox.traffic_requests import ImageRequest
from promoter.sandbox.traffic_results import OK, Answerer
from promoter.saved_model.protos import predict_pb2

VERSION_HEADER = "x-model-version"

_PREDICT = "/tensorflow.serving.PredictionService/Predict"

# One connection can be reset as a whole; several show what that costs.
_CHANNELS = 4

# What TensorFlow Serving's statuses become over HTTP, read backwards (model_servers/http_server.cc).
_CODES = MappingProxyType(
    {
        400: "INVALID_ARGUMENT",
        401: "UNAUTHENTICATED",
        403: "PERMISSION_DENIED",
        404: "NOT_FOUND",
        409: "ABORTED",
        429: "RESOURCE_EXHAUSTED",
        499: "CANCELLED",
        500: "INTERNAL",
        501: "UNIMPLEMENTED",
        502: "UNAVAILABLE",
        503: "UNAVAILABLE",
        504: "DEADLINE_EXCEEDED",
    }
)


@dataclass(frozen=True, slots=True)
class Answer:
    """How a request ended.

    version: from the response header or the answer, None where neither tells. code: a gRPC status' name.
    """

    version: Answerer
    code: str
    details: str = ""


@dataclass(frozen=True, slots=True)
class Authorities:
    """The host names to ask for. The Gateway API lets no host be of both protocols."""

    grpc: str
    rest: str


class Sender(Protocol):
    """Sends one request and waits for its end. Never raises for a failed request, never tries again."""

    async def send(self, request: ImageRequest) -> Answer: ...


class GrpcSender:
    """Predict over a few connections in turn. Bytes go out and come in as they are: no message is built per request."""

    def __init__(self, target: str, authority: str, deadline: float) -> None:
        options = [
            ("grpc.default_authority", authority),
            ("grpc.enable_retries", 0),
            ("grpc.enable_http_proxy", 0),
            # Without it, channels to the same target share one connection.
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", 1000),
        ]
        self._channels = [grpc.aio.insecure_channel(target, options=options) for _ in range(_CHANNELS)]
        self._calls = cycle([channel.unary_unary(_PREDICT) for channel in self._channels])
        self._deadline = deadline

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*(channel.close() for channel in self._channels))

    async def send(self, request: ImageRequest) -> Answer:
        call = next(self._calls)(request.predict, timeout=self._deadline)
        try:
            answer = await call
        except grpc.aio.AioRpcError as error:
            metadata = (*error.initial_metadata(), *error.trailing_metadata())
            return Answer(_answerer(metadata), error.code().name, error.details() or "")
        version = _answerer((*await call.initial_metadata(), *await call.trailing_metadata()))
        return Answer(version or _named_in(answer), OK)


class RestSender:
    """POST …:predict."""

    def __init__(self, target: str, authority: str, model: str, deadline: float) -> None:
        self._client = httpx.AsyncClient(
            base_url=f"http://{target}",
            headers={"Host": authority, "Content-Type": "application/json"},
            timeout=deadline,
            trust_env=False,
        )
        self._path = f"/v1/models/{model}:predict"
        self._deadline = deadline

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def send(self, request: ImageRequest) -> Answer:
        try:
            # One limit for the whole exchange; httpx's own are for each of its phases.
            async with asyncio.timeout(self._deadline):
                response = await self._client.post(self._path, content=request.rest)
        except TimeoutError:
            return Answer(None, "DEADLINE_EXCEEDED", "no answer in time")
        except httpx.HTTPError as error:
            return Answer(None, "UNAVAILABLE", repr(error))
        version = _answerer(response.headers.items())
        if response.is_success:
            return Answer(version, OK)
        return Answer(version, _CODES.get(response.status_code, "UNKNOWN"), response.text[:300])


async def open_senders(
    stack: AsyncExitStack, target: str, authorities: Authorities, model: str, deadline: float
) -> tuple[GrpcSender, RestSender]:
    """Both senders, closed with `stack`. deadline: seconds from sending to the end of the answer."""
    return (
        await stack.enter_async_context(GrpcSender(target, authorities.grpc, deadline)),
        await stack.enter_async_context(RestSender(target, authorities.rest, model, deadline)),
    )


def _named_in(answer: bytes) -> Answerer:
    """The version that a PredictResponse names: where the proxy adds no header, nothing else tells."""
    response = predict_pb2.PredictResponse.FromString(answer)
    return ModelVersion(response.model_spec.version.value) if response.model_spec.HasField("version") else None


def _answerer(headers: Iterable[tuple[str, str | bytes]]) -> Answerer:
    for name, value in headers:
        if name.lower() == VERSION_HEADER and isinstance(value, str):
            try:
                return ModelVersion.from_name(value)
            except InvalidName:
                return None
    return None
