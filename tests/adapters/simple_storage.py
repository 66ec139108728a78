"""S3 on a real port: moto's server, with a count of what was asked and a script for faults."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

_ERROR = b"<Error><Code>Scripted</Code><Message>scripted; AWSAccessKeyId=SECRET</Message></Error>"


@dataclass
class SimpleStorage:
    """`requests` is what was asked, in order, as "GET list" or "HEAD object"; `faults` are statuses for the next ones.

    always: a status for all of them. content: anything makes a request for content break off.
    """

    url: str
    requests: list[str] = field(default_factory=list)
    faults: list[int] = field(default_factory=list)
    always: int | None = None
    content: str | None = None


@contextmanager
def simple_storage():
    """A running server; AWS_ENDPOINT_URL_S3 has to be set to its `url`. All of this process share the buckets."""
    inner = DomainDispatcherApplication(create_backend_app)
    aws = SimpleStorage("")
    # A condition and the write that hangs on it are one step in S3, and two in moto.
    lock = threading.Lock()

    def application(environ, start_response):
        is_list = "list-type=2" in environ.get("QUERY_STRING", "")
        aws.requests.append(f"{environ['REQUEST_METHOD']} {'list' if is_list else 'object'}")
        if aws.content is not None and aws.requests[-1] == "GET object":
            start_response("206 Partial Content", [("Content-Length", "100")])
            return [b"x"]
        fault = aws.faults.pop(0) if aws.faults else aws.always
        if fault is None:
            with lock:
                return inner(environ, start_response)
        start_response(f"{fault} Scripted", [("Content-Type", "application/xml"), ("Content-Length", str(len(_ERROR)))])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [_ERROR]

    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=MotoRequestHandler)
    server.daemon_threads = True
    aws.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield aws
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
