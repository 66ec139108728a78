"""The REST port: predict, status, metadata and the metrics page (TensorFlow Serving, model_servers/http_server.cc)."""

from __future__ import annotations

import json
import logging
import re
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from google.protobuf import json_format

from promoter.sandbox.model_server.flags import Flags
from promoter.sandbox.model_server.grpc_services import model_status, signature_map
from promoter.sandbox.model_server.servable import Servable
from promoter.saved_model.protos import predict_pb2
from promoter.saved_model.rest_json import format_response, parse_request
from promoter.saved_model.statuses import Code, ServingError, internal

_WHICH = r"/v1/models/(?P<name>[^/:]+)(?:/versions/(?P<version>\d+)|/labels/(?P<label>[^/:]+))?"
_PREDICT = re.compile(_WHICH + r":(?P<method>predict|classify|regress)")
_READ = re.compile(_WHICH + r"(?P<metadata>/metadata)?")

_HTTP_STATUS = {
    Code.OK: 200,
    Code.CANCELLED: 499,
    Code.INVALID_ARGUMENT: 400,
    Code.FAILED_PRECONDITION: 400,
    Code.OUT_OF_RANGE: 400,
    Code.UNAUTHENTICATED: 401,
    Code.PERMISSION_DENIED: 403,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.ABORTED: 409,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.UNIMPLEMENTED: 501,
    Code.UNAVAILABLE: 503,
    Code.DEADLINE_EXCEEDED: 504,
}

_log = logging.getLogger("rest")


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer."""

    status: int
    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class RestApi:
    """What each path answers, and what is counted of it. metrics_path: None where the page is off."""

    servable: Servable
    metrics_path: str | None
    timeout_ms: int

    def answer(self, method: str, path: str, body: bytes) -> Answer:
        """Answer one request; counts it unless it is a scrape or outside /v1/."""
        if path == self.metrics_path:
            return Answer(200, "text/plain", self.servable.metrics.page().encode())
        if not path.lower().startswith("/v1/"):
            return Answer(404, "text/html", b"<html><body><h1>Not Found</h1></body></html>")
        return self._counted(method, path, body)

    def _counted(self, method: str, path: str, body: bytes) -> Answer:
        began = time.perf_counter()
        match = (_PREDICT if method == "POST" else _READ).fullmatch(path)
        wanted = match.groupdict() if match else {}
        name = wanted.get("name") or ""
        try:
            content = self._content(method, path, wanted, body)
        except ServingError as error:
            return self._failed(name, error)
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller must get a status and the metrics a count
            _log.exception("%s %s failed", method, path)
            return self._failed(name, internal(error))
        self.servable.metrics.requests.add(name, Code.OK.name)
        api = wanted.get("method") or ""
        self.servable.metrics.request_latency.observe((time.perf_counter() - began) * 1e6, name, api, "REST")
        return Answer(200, "application/json", content)

    def _failed(self, name: str, error: ServingError) -> Answer:
        self.servable.metrics.requests.add(name, error.code.name)
        body = json.dumps({"error": error.message}, indent=4).encode()
        return Answer(_HTTP_STATUS.get(error.code, 500), "application/json", body)

    def _content(self, method: str, path: str, wanted: dict[str, Any], body: bytes) -> bytes:
        if not wanted or method not in {"GET", "POST"}:
            raise ServingError(Code.INVALID_ARGUMENT, f"Malformed request: {method} {path}")
        model_spec = _model_spec(wanted)
        if method == "POST":
            return self._prediction(model_spec, wanted["method"], body)
        if wanted["metadata"]:
            return self._metadata(model_spec)
        return _pretty(model_status(self.servable, model_spec)).encode()

    def _prediction(self, model_spec: Any, api: str, body: bytes) -> bytes:
        if api != "predict":
            raise ServingError(Code.UNIMPLEMENTED, f"the sandbox's model server does not {api}, it only predicts")
        self.servable.check(model_spec)
        request = parse_request(body, self._signature_inputs)
        model_spec.signature_name = request.signature_name
        outputs = self.servable.predict(model_spec, request.inputs, (), self.timeout_ms)
        return format_response(outputs, by_row=request.by_row)

    def _signature_inputs(self, name: str) -> Any:
        if name not in self.servable.signatures:
            raise ServingError(Code.INVALID_ARGUMENT, f'Serving signature name: "{name}" not found in signature def')
        return self.servable.signatures[name].inputs

    def _metadata(self, model_spec: Any) -> bytes:
        self.servable.check(model_spec)
        model = self.servable.model
        return json.dumps(
            {
                "model_spec": {"name": model.name, "signature_name": "", "version": str(model.version)},
                "metadata": {"signature_def": json.loads(_pretty(signature_map(self.servable)))},
            },
            indent=1,
        ).encode()


def start(api: RestApi, address: str, flags: Flags) -> ThreadingHTTPServer:
    """Answer on `address`:--rest_api_port in threads of their own. Raises OSError where it cannot listen there.

    At most --rest_api_num_threads - 1 requests are worked on at once: the original spends one thread on its event loop.
    """
    turns = threading.BoundedSemaphore(max(1, flags.rest_api_num_threads - 1))
    handler = type("Handler", (_Handler,), {"api": api, "turns": turns})
    server = _Server((address, flags.rest_api_port), handler)
    threading.Thread(target=server.serve_forever, name="rest", daemon=True).start()
    return server


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


class _Handler(BaseHTTPRequestHandler):
    api: RestApi
    turns: threading.BoundedSemaphore

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    # One write an answer, not one a header.
    wbufsize = -1

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        """Say nothing: the original logs no requests either."""

    def _respond(self) -> None:
        try:
            body = self._body()
        except ValueError:
            # Where a body of unclear length ends, and the next request begins, nobody can say.
            self.close_connection = True
            self.send_error(400)
            return
        with self.turns:
            answer = self.api.answer(self.command, self.path.partition("?")[0], body)
        self.send_response_only(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def _body(self) -> bytes:
        """The request's body, by length or in chunks, as a proxy sends it on that was not told the length."""
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(_length(self.headers.get("Content-Length", "0"), base=10))
        chunks = []
        while length := _length(self.rfile.readline().partition(b";")[0].decode("latin-1"), base=16):
            chunks.append(self.rfile.read(length))
            self.rfile.readline()
        # Trailers, which nobody here asks for, and the empty line that ends them.
        while self.rfile.readline().strip():
            pass
        return b"".join(chunks)

    do_GET = do_POST = do_OPTIONS = do_PUT = do_DELETE = _respond  # noqa: N815 - http.server asks for these names


def _length(text: str, base: int) -> int:
    """A length that a client sent; raises ValueError."""
    length = int(text, base)
    if length < 0:
        raise ValueError(f"{text!r} is no length")
    return length


def _model_spec(wanted: dict[str, Any]) -> Any:
    model_spec = predict_pb2.PredictRequest().model_spec
    model_spec.name = wanted["name"]
    if wanted["version"]:
        number = int(wanted["version"])
        if number >= 2**63:
            raise ServingError(Code.INVALID_ARGUMENT, f"Failed to convert version: {wanted['version']} to numeric.")
        model_spec.version.value = number
    elif wanted["label"]:
        model_spec.version_label = wanted["label"]
    return model_spec


def _pretty(message: Any) -> str:
    """A message as the original prints it: whole numbers of 64 bits as strings, defaults too."""
    text: str = json_format.MessageToJson(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True, indent=1
    )
    return text
