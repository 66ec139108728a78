"""A server between a client and a model server, that keeps the predict requests which were answered well.

Everything is passed on as it came; who asks notices nothing but the address.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

from promoter.errors import InvalidInput, Unavailable

LARGEST_BODY = 16 * 2**20
# A file of golden requests may have 64 MiB; brackets and commas are few.
_LARGEST_FILE = 60 * 2**20
_TIMEOUT = 60.0
_PASSED_ON = ("accept", "authorization", "content-type")


class Recording:
    """What was kept: up to `count` bodies, each once, in the order of their answers. Safe between threads."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._kept: dict[str, Any] = {}
        self._size = 0
        self._lock = threading.Lock()
        self._full = threading.Event()

    @property
    def bodies(self) -> list[Any]:
        """The bodies, parsed."""
        with self._lock:
            return list(self._kept.values())

    def wait_until_full(self, seconds: float) -> bool:
        """Whether all are there, after `seconds` at most."""
        return self._full.wait(seconds)

    def keep(self, request: bytes, response: bytes) -> None:
        """Take the pair of an answered request, if it is JSON, its answer is finite, and it was not there before."""
        try:
            body = json.loads(request)
            json.loads(response, parse_constant=_refuse)
        except (ValueError, RecursionError):
            return
        text = json.dumps(body, sort_keys=True)
        with self._lock:
            if len(self._kept) >= self._count or text in self._kept or self._size + len(request) > _LARGEST_FILE:
                return
            self._kept[text] = body
            self._size += len(request)
            if len(self._kept) == self._count:
                self._full.set()


def _refuse(constant: str) -> None:
    raise ValueError(constant)


@contextmanager
def recording(server: str, model: str, listen: tuple[str, int], count: int) -> Iterator[tuple[Recording, str]]:
    """Stands before `server` (`http://host:8501`) while it lasts: the recording, and the address to ask.

    listen: host and port; port 0 takes a free one. Raises InvalidInput where the port is taken, Unavailable where the
    server does not serve the model.
    """
    kept = Recording(count)
    with httpx.Client(base_url=server.rstrip("/"), timeout=_TIMEOUT, trust_env=False) as upstream:
        _check_served(upstream, server, model)
        try:
            front = ThreadingHTTPServer(listen, _handler(upstream, model, kept))
        except OSError as error:
            raise InvalidInput(f"cannot listen on {listen[0]}:{listen[1]}: {error.strerror}") from error
        front.daemon_threads = True
        thread = threading.Thread(target=front.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield kept, f"http://{listen[0]}:{front.server_address[1]}"
        finally:
            front.shutdown()
            front.server_close()
            thread.join()


def _check_served(upstream: httpx.Client, server: str, model: str) -> None:
    try:
        status = upstream.get(f"/v1/models/{model}").status_code
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Unavailable(f"{server} does not answer: {error}") from error
    if status != httpx.codes.OK:
        raise Unavailable(f"{server} does not serve {model}: it answers {status}")


def _handler(upstream: httpx.Client, model: str, kept: Recording) -> type[BaseHTTPRequestHandler]:
    predict = re.compile(rf"/v1/models/{re.escape(model)}(/(versions|labels)/[^/:]+)?:predict")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._pass_on(b"")

        def do_POST(self) -> None:
            length = self.headers.get("Content-Length", "")
            if not length.isascii() or not length.isdecimal() or int(length) > LARGEST_BODY:
                self.close_connection = True
                self._answer(413, "application/json", b'{"error": "no length, or too long to be recorded"}')
                return
            self._pass_on(self.rfile.read(int(length)))

        def _pass_on(self, body: bytes) -> None:
            headers = {name: value for name in _PASSED_ON if (value := self.headers.get(name)) is not None}
            try:
                answer = upstream.request(self.command, self.path, content=body, headers=headers)
            except (httpx.HTTPError, httpx.InvalidURL):
                self._answer(502, "application/json", b'{"error": "the model server did not answer"}')
                return
            if self.command == "POST" and predict.fullmatch(self.path) and answer.status_code == httpx.codes.OK:
                kept.keep(body, answer.content)
            self._answer(answer.status_code, answer.headers.get("content-type", "application/json"), answer.content)

        def _answer(self, status: int, kind: str, content: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
            """Nothing: who asks sees the answers."""

    return Handler
