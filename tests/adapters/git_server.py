"""A real Git server over HTTP for tests: `git http-backend` behind Python's HTTP server, with faults on demand."""

from __future__ import annotations

import base64
import os
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

RECEIVE = "git-receive-pack"


class GitServer(ThreadingHTTPServer):
    """Serves the bare repositories in a folder. Set the attributes to make it misbehave."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder = folder
        self.requests: list[str] = []
        self.credentials: tuple[str, str] | None = None
        self.status: int | None = None
        self.status_of_pushes: int | None = None
        self.hangs = False
        self.drops_answers_to_pushes = False
        self.before_receiving: Callable[[], None] = lambda: None
        self.released = threading.Event()

    def url(self, name: str, userinfo: str = "", scheme: str = "http") -> str:
        return f"{scheme}://{userinfo}127.0.0.1:{self.server_address[1]}/{name}"

    def encrypt(self, certificate: Path, key: Path) -> None:
        """Speak HTTPS from now on."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.socket = context.wrap_socket(self.socket, server_side=True)

    def handle_error(self, request, client_address) -> None:
        """Clients that go away are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    server: GitServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        self._serve(self._body())

    def log_message(self, *args) -> None:
        pass

    def _serve(self, body: bytes) -> None:
        server, pushes = self.server, RECEIVE in self.path
        server.requests.append(f"{self.command} {self.path}")
        if server.hangs:
            server.released.wait(30)
            self.close_connection = True
            return
        if status := server.status or (pushes and server.status_of_pushes):
            self._answer(status, [], b"")
            return
        if server.credentials and self.headers.get("Authorization") != _basic(*server.credentials):
            self._answer(401, [("WWW-Authenticate", 'Basic realm="git"')], b"")
            return
        if pushes and body:
            server.before_receiving()
        status, headers, content = self._backend(body)
        if pushes and body and server.drops_answers_to_pushes:
            self.close_connection = True
            return
        self._answer(status, headers, content)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        content = b""
        while size := int(self.rfile.readline().strip(), 16):
            content += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return content

    def _backend(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        path, _, query = self.path.partition("?")
        environment = {
            **os.environ,
            "GIT_PROJECT_ROOT": str(self.server.folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REMOTE_USER": "tester",
            "REMOTE_ADDR": "127.0.0.1",
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
        }
        done = subprocess.run(
            ["git", "http-backend"], input=body, env=environment, capture_output=True, check=True, timeout=30
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = [tuple(line.split(": ", 1)) for line in head.decode().split("\r\n")]
        status = next((int(value[:3]) for name, value in headers if name == "Status"), 200)
        return status, [(name, value) for name, value in headers if name != "Status"], content

    def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@contextmanager
def serving(folder: Path) -> Iterator[GitServer]:
    """A server on a free port of 127.0.0.1, stopped at the end."""
    with GitServer(folder) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.released.set()
            server.shutdown()
            thread.join()
