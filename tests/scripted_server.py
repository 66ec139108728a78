"""A real HTTP server that answers what a test tells it to, by path."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Answer = Callable[[BaseHTTPRequestHandler], None]


class QueueingServer(ThreadingHTTPServer):
    """Refuses no connection on a busy machine, where many wait to be accepted."""

    request_queue_size = 128


@dataclass
class Request:
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    method: str
    body: bytes


@dataclass
class ScriptedServer:
    """`answers` by path, or one for every path under ""; `requests` is what was asked, in order."""

    url: str
    answers: dict[str, Answer] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    def answer_for(self, path: str) -> Answer:
        return self.answers.get(path) or self.answers.get("") or status(404)


@contextmanager
def scripted_server() -> Iterator[ScriptedServer]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self):
            self.do_GET()

        def do_PUT(self):
            self.do_GET()

        def do_PATCH(self):
            self.do_GET()

        def do_DELETE(self):
            self.do_GET()

        def do_GET(self):
            self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            parts = urlsplit(self.path)
            query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
            script.requests.append(Request(parts.path, query, dict(self.headers), self.command, self.body))
            self.stopping = script.stopping
            try:
                script.answer_for(parts.path)(self)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

        def log_message(self, *args):
            pass

    class Server(QueueingServer):
        def handle_error(self, request, client_address):
            """A client that hangs up in the middle is what some tests are about."""

    server = Server(("127.0.0.1", 0), Handler)
    server.block_on_close = False
    script = ScriptedServer(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield script
    finally:
        script.stopping.set()
        server.shutdown()
        server.server_close()
        thread.join()


def body(content: bytes, code: int = 200, **headers: str) -> Answer:
    def send(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    return send


def as_json(value: Any, code: int = 200) -> Answer:
    return body(json.dumps(value).encode(), code)


def status(code: int, **headers: str) -> Answer:
    return body(b'{"error":"scripted","code":7,"message":"scripted"}', code, **headers)


def endless(code: int = 200) -> Answer:
    """A body that never ends, as fast as it is read."""

    def send(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        handler.send_header("Content-Type", "application/json")
        handler.end_headers()
        handler.close_connection = True
        while not handler.stopping.is_set():
            handler.wfile.write(b" " * 2**20)

    return send


def dripping() -> Answer:
    """A body whose bytes come one by one, each well within the time for one wait."""

    def send(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000000")
        handler.end_headers()
        handler.close_connection = True
        while not handler.stopping.wait(0.05):
            handler.wfile.write(b" ")
            handler.wfile.flush()

    return send


def silent() -> Answer:
    """No answer at all, with the connection open."""

    def send(handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True
        handler.stopping.wait(30)

    return send


def broken_off() -> Answer:
    """Half of what was announced."""

    def send(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.close_connection = True
        handler.wfile.write(b'{"status":')

    return send


def gzip_bomb() -> Answer:
    """64 MiB of blanks in 64 kB."""
    return body(gzip.compress(b" " * 2**26, compresslevel=9), Content_Encoding="gzip")
