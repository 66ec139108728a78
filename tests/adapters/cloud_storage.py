"""Cloud Storage on a real port: the sandbox's emulator, in memory, with a list of requests and a script for faults."""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import parse_qs, urlsplit

from promoter.sandbox.cloud_storage.emulator import EmulatedStorage, EmulatorHandler, EmulatorServer


@dataclass
class CloudStorage:
    """`requests` is what was asked, in order, as "GET list" or "POST upload"; `faults` are statuses for the next ones.

    always: a status for all of them. content: what is done to a request for content, in place of an answer.
    """

    url: str
    storage: EmulatedStorage
    requests: list[str] = field(default_factory=list)
    faults: list[int] = field(default_factory=list)
    always: int | None = None
    content: str | None = None
    stopping: threading.Event = field(default_factory=threading.Event)

    def make_bucket(self, name):
        self.storage.make_bucket(name)

    def put(self, bucket, objects):
        """Objects without content, as a listing shows them: many at once."""
        self.storage.put(bucket, objects)


class _Handler(EmulatorHandler):
    def __init__(self, cloud, *args):
        self.cloud = cloud
        super().__init__(*args)

    def answer(self, method):
        parts = urlsplit(self.path)
        if parts.path == "/requests":
            self.reply(200, self.cloud.requests)
            return
        kind = _kind(parts.path, parse_qs(parts.query))
        self.cloud.requests.append(f"{method} {kind}")
        if kind == "content" and self.cloud.content is not None:
            self.break_off()
            return
        fault = self.cloud.faults.pop(0) if self.cloud.faults else self.cloud.always
        if fault is not None:
            self.fail(fault, "scripted; token=SECRET")
            return
        super().answer(method)

    def break_off(self):
        """A byte of many, and then either the end or, where content is "stalled", nothing more."""
        self.close_connection = True
        self.send_response(206)
        self.send_header("Content-Length", "100")
        self.end_headers()
        self.wfile.write(b"x")
        self.wfile.flush()
        if self.cloud.content == "stalled":
            self.cloud.stopping.wait(30)


def _kind(path, query):
    if path.startswith("/upload"):
        return "upload"
    if path.endswith("/o"):
        return "list"
    return "content" if path.startswith("/download") or query.get("alt") == ["media"] else "object"


@contextmanager
def cloud_storage():
    """A running emulator; STORAGE_EMULATOR_HOST has to be set to its `url`."""
    cloud = CloudStorage("", EmulatedStorage())
    server = EmulatorServer(("127.0.0.1", 0), cloud.storage, partial(_Handler, cloud))
    cloud.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield cloud
    finally:
        cloud.stopping.set()
        server.shutdown()
        server.server_close()
        thread.join()


def fill(cloud, bucket, models, versions):
    """So many models below `team/`, each with so many versions of four files. Their contents are nobody's business."""
    cloud.make_bucket(bucket)
    entry = {"size": "100", "crc32c": "AAAAAA==", "generation": "1", "updated": "2026-11-22T20:16:34Z"}
    files = ("manifest.json", "saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001")
    names = [
        f"team/m{model}/{version}/{file}"
        for model in range(models)
        for version in range(1, versions + 1)
        for file in files
    ]
    cloud.put(bucket, {name: entry | {"name": name} for name in names})


if __name__ == "__main__":
    # In a process of its own, for whoever measures a client: arguments are the bucket, models, and versions of each.
    with cloud_storage() as running:
        fill(running, sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
        print(running.url, flush=True)
        sys.stdin.read()
