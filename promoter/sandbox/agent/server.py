"""The part of Argo CD's REST API that the promoter reads, over HTTP."""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from promoter.sandbox.agent import answers
from promoter.sandbox.agent.answers import PROJECT, Snapshot
from promoter.sandbox.agent.board import Board
from promoter.sandbox.agent.envoy import RouteWeights

REFRESH_TIMEOUT_SECONDS = 10.0

_PARTS = "/resource-tree|/managed-resources|/syncwindows"
_PATH = re.compile(rf"/api/v1/applications/(?P<name>[^/]+)(?P<part>{_PARTS})?", re.ASCII)
_FILTERS = ("group", "kind", "namespace", "name")

# HTTP status and gRPC code, as the gateway in front of Argo CD's API pairs them.
_UNAUTHENTICATED = (HTTPStatus.UNAUTHORIZED, 16)
_PERMISSION_DENIED = (HTTPStatus.FORBIDDEN, 7)
_NOT_FOUND = (HTTPStatus.NOT_FOUND, 5)
_DEADLINE_EXCEEDED = (HTTPStatus.GATEWAY_TIMEOUT, 4)


class _Refused(Exception):
    """An answer that is an error."""

    def __init__(self, kind: tuple[HTTPStatus, int], message: str) -> None:
        self.status, self.code = kind
        self.message = message
        super().__init__(message)


class ArgoApi:
    """Answers requests from the board's snapshots; live routes are read from the proxy at that moment."""

    def __init__(self, board: Board, token: str, live_weights: Callable[[], RouteWeights | None]) -> None:
        self._board = board
        self._token = token
        self._live_weights = live_weights

    def serve(self, listen: tuple[str, int]) -> ThreadingHTTPServer:
        """A server that is bound to `listen` and not yet running. Raises OSError."""
        server = ThreadingHTTPServer(listen, partial(_Handler, self))
        server.daemon_threads = True
        return server

    def answer(self, target: str, authorization: str) -> tuple[HTTPStatus, Any]:
        """Status and JSON for `GET target`."""
        url = urlsplit(target)
        if url.path == "/healthz":
            return HTTPStatus.OK, "ok"
        try:
            self._check_token(authorization)
            return HTTPStatus.OK, self._application_answer(url.path, dict(parse_qsl(url.query)))
        except _Refused as refused:
            return refused.status, {"error": refused.message, "code": refused.code, "message": refused.message}

    def _check_token(self, authorization: str) -> None:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise _Refused(_UNAUTHENTICATED, "no session information")
        if not hmac.compare_digest(token.strip().encode(), self._token.encode()):
            raise _Refused(_UNAUTHENTICATED, "invalid session: token is not valid")

    def _application_answer(self, path: str, query: dict[str, str]) -> Any:
        match = _PATH.fullmatch(path)
        if match is None:
            raise _Refused(_NOT_FOUND, "Not Found")
        name = unquote(match["name"])
        self._find(name, query)
        if "refresh" in query and not self._board.refresh(name, REFRESH_TIMEOUT_SECONDS):
            raise _Refused(_DEADLINE_EXCEEDED, "context deadline exceeded")
        snapshot, refreshing = self._find(name, query)
        match match["part"]:
            case "/resource-tree":
                return answers.tree(snapshot)
            case "/managed-resources":
                wanted = {key: query[key] for key in _FILTERS if key in query}
                return answers.managed_resources(snapshot, self._live_weights(), wanted)
            case "/syncwindows":
                return answers.sync_windows()
            case _:
                return answers.application(snapshot, refreshing=refreshing)

    def _find(self, name: str, query: dict[str, str]) -> tuple[Snapshot, bool]:
        snapshot, refreshing = self._board.snapshot(name)
        if snapshot is not None and query.get("project", PROJECT) == PROJECT:
            return snapshot, refreshing
        # Argo CD tells that an application does not exist only to who says in which project it should be.
        if "project" in query:
            raise _Refused(_NOT_FOUND, f'applications.argoproj.io "{name}" not found')
        raise _Refused(_PERMISSION_DENIED, "permission denied")


class _Handler(BaseHTTPRequestHandler):
    """HTTP around `ArgoApi.answer`."""

    protocol_version = "HTTP/1.1"
    timeout = 60

    def __init__(self, api: ArgoApi, *args: Any) -> None:
        self._api = api
        super().__init__(*args)

    def do_GET(self) -> None:
        status, answer = self._api.answer(self.path, self.headers.get("Authorization", ""))
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: Any, **_kwargs: Any) -> None:
        """Requests are not logged: there is one a second, and none changes anything."""
