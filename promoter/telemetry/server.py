"""`/healthz`, `/readyz`, `/metrics` and a forge's webhook over HTTP, beside the loop and never in its way."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app

from promoter.errors import InvalidSettings
from promoter.telemetry.webhook import Webhook

_Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


@dataclass(frozen=True, slots=True)
class Endpoints:
    """What is served. healthz, readyz: a sentence on what is wrong, None where nothing is. webhook: None for none."""

    healthz: Callable[[], str | None]
    readyz: Callable[[], str | None]
    registry: CollectorRegistry
    webhook: Webhook | None = None

    def application(self) -> _Application:
        """The same as a WSGI application."""
        figures: _Application = make_wsgi_app(self.registry)
        questions = {"/healthz": self.healthz, "/readyz": self.readyz}

        def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            path = environ.get("PATH_INFO", "")
            if self.webhook is not None and (environ["REQUEST_METHOD"], path) == ("POST", "/webhook"):
                status, text = self.webhook.take(environ)
            elif environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
                status, text = HTTPStatus.METHOD_NOT_ALLOWED, "only GET is answered"
            elif path == "/metrics":
                return figures(environ, start_response)
            elif path in questions:
                problem = questions[path]()
                status, text = (HTTPStatus.SERVICE_UNAVAILABLE, problem) if problem else (HTTPStatus.OK, "ok")
            else:
                status, text = HTTPStatus.NOT_FOUND, "there are /healthz, /readyz and /metrics"
            start_response(f"{status.value} {status.phrase}", [("Content-Type", "text/plain; charset=utf-8")])
            return [f"{text}\n".encode()]

        return answer


class _Handler(WSGIRequestHandler):
    # Whoever connects and says nothing does not keep a thread for ever.
    timeout = 10

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        """Say nothing: probes come every few seconds."""


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def server_bind(self) -> None:
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        # Not WSGIServer's own, which asks DNS for this machine's name.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()


class _Server6(_Server):
    address_family = socket.AF_INET6


@contextmanager
def serve(endpoints: Endpoints, host: str, port: int) -> Iterator[int]:
    """Serve while the context lasts, and give the port.

    host: empty for every address of this machine. port: 0 for any. Raises InvalidSettings where it cannot listen.
    """
    everywhere = host or ("::" if socket.has_dualstack_ipv6() else "0.0.0.0")  # noqa: S104 - a pod's own address
    kind = _Server6 if ":" in everywhere else _Server
    try:
        server = make_server(everywhere, port, endpoints.application(), server_class=kind, handler_class=_Handler)
    except OSError as error:
        raise InvalidSettings(f"PROMOTER_LISTEN: cannot listen on {host}:{port}: {error.strerror}") from error
    with server:
        thread = threading.Thread(target=server.serve_forever, name="telemetry", daemon=True)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()
