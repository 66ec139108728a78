"""The part of a Kubernetes API server that keeps Leases, with the faults that a real one shows too seldom."""

from __future__ import annotations

import copy
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LEASES = "/apis/coordination.k8s.io/v1/namespaces/promoter/leases"


class LeaseServer:
    """lease: what it keeps. status: answered instead of anything, None for none. asked: methods, in their order.

    loses_answers: writes are made and not answered. before_write: called once, before the next write.
    """

    def __init__(self):
        self.lease = None
        self.status = None
        self.asked = []
        self.tokens = []
        self.loses_answers = False
        self.before_write = None
        self._version = 0
        self._lock = threading.Lock()

    def write(self, lease):
        self._version += 1
        self.lease = copy.deepcopy(lease)
        self.lease["metadata"]["resourceVersion"] = str(self._version)

    def by_somebody(self, **spec):
        """Another client's write."""
        self.write({"metadata": {"name": "promoter"}, "spec": {**(self.lease or {}).get("spec", {}), **spec}})

    @property
    def holder(self):
        return self.lease["spec"]["holderIdentity"]

    def answer(self, method, path, body):
        with self._lock:
            self.asked.append(method)
            if self.status is not None:
                return self.status, b"no Lease"
            if method != "GET" and self.before_write is not None:
                self.before_write, hook = None, self.before_write
                hook()
            if method == "GET":
                return (404, b"{}") if self.lease is None else (200, json.dumps(self.lease).encode())
            if method == "POST":
                if path != LEASES or self.lease is not None:
                    return 409, b"{}"
                self.write(body)
                return 201, json.dumps(self.lease).encode()
            if self.lease is None:
                return 404, b"{}"
            if body["metadata"].get("resourceVersion") != self.lease["metadata"]["resourceVersion"]:
                return 409, b"{}"
            self.write(body)
            return 200, json.dumps(self.lease).encode()


@contextmanager
def serving(server):
    """The server's URL, while the context lasts."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def any(self):
            server.tokens.append(self.headers["Authorization"])
            size = int(self.headers.get("Content-Length", 0))
            body = json.loads(self.rfile.read(size)) if size else None
            status, text = server.answer(self.command, self.path, body)
            if server.loses_answers and self.command != "GET":
                self.close_connection = True
                return
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

    for method in ("GET", "POST", "PUT"):
        setattr(Handler, f"do_{method}", Handler.any)
    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{http.server_port}"
    finally:
        http.shutdown()
        http.server_close()
        thread.join()
