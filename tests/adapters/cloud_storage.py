"""Cloud Storage on a real port: the emulator, with what it lacks of the documented API, and a script for faults.

gcp-storage-emulator neither pages its listings nor knows startOffset, fields, ifGenerationMatch and the generation of a
download. These are added here, as https://cloud.google.com/storage/docs/json_api/v1 describes them.
"""

from __future__ import annotations

import json
import sys
import threading
from bisect import bisect_left
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

from gcp_storage_emulator.gcs_glob import gcs_glob_match
from gcp_storage_emulator.handlers import buckets
from gcp_storage_emulator.server import RequestHandler
from gcp_storage_emulator.storage import Storage


class _Failed(Exception):
    def __init__(self, status):
        self.status = status


class _Storage(Storage):
    """The emulator's, in memory; writes on condition that there is no object of this name."""

    def __init__(self):
        super().__init__(use_memory_fs=True)
        self.asked = threading.local()
        self.conditional = set()
        self.sorted = {}

    def _write_config_to_file(self):
        """What is in memory needs no file; the emulator writes all of it at each change."""

    def create_resumable_upload(self, bucket_name, file_name, file_obj):
        upload = super().create_resumable_upload(bucket_name, file_name, file_obj)
        if self.asked.must_be_new:
            self.conditional.add(upload)
        return upload

    def create_file(self, bucket_name, file_name, content, file_obj, file_id=None):
        must_be_new = self.asked.must_be_new or file_id in self.conditional
        if must_be_new and file_name in self.objects.get(bucket_name, {}):
            raise _Failed(412)
        self.sorted.pop(bucket_name, None)
        return super().create_file(bucket_name, file_name, content, file_obj, file_id)

    def delete_file(self, bucket_name, file_name):
        self.sorted.pop(bucket_name, None)
        return self._hard_delete_file(bucket_name, file_name)

    def page(self, bucket, query):
        """A page of a listing, as objects.list gives it."""
        if bucket not in self.buckets:
            raise _Failed(404)
        if bucket not in self.sorted:
            self.sorted[bucket] = sorted(self.objects.get(bucket, {}))
        names, objects = self.sorted[bucket], self.objects.get(bucket, {})
        prefix, glob, delimiter = query.get("prefix", ""), query.get("matchGlob"), query.get("delimiter")
        most = min(int(query.get("maxResults", 1000)), 1000)
        index = bisect_left(names, max(prefix, query.get("startOffset", ""), query.get("pageToken", "")))
        items, prefixes = [], []
        while index < len(names) and names[index].startswith(prefix):
            name = names[index]
            if len(items) + len(prefixes) == most:
                return {"items": items, "prefixes": prefixes, "nextPageToken": name}
            rest = name[len(prefix) :]
            if delimiter and delimiter in rest:
                folder = prefix + rest[: rest.index(delimiter) + 1]
                prefixes.append(folder)
                index = bisect_left(names, folder[:-1] + chr(ord(delimiter) + 1))
                continue
            if glob is None or gcs_glob_match(glob, name):
                items.append({key: objects[name][key] for key in ("name", "size", "generation", "crc32c", "updated")})
            index += 1
        return {"items": items, "prefixes": prefixes}


@dataclass
class CloudStorage:
    """`requests` is what was asked, in order, as "GET list" or "POST upload"; `faults` are statuses for the next ones.

    always: a status for all of them. content: what is done to a request for content, in place of an answer.
    """

    url: str
    storage: _Storage
    requests: list[str] = field(default_factory=list)
    faults: list[int] = field(default_factory=list)
    always: int | None = None
    content: str | None = None
    stopping: threading.Event = field(default_factory=threading.Event)

    def make_bucket(self, name):
        self.storage.asked.must_be_new = False
        buckets.create_bucket(name, self.storage)

    def put(self, bucket, objects):
        """Objects without content, as a listing shows them: many at once."""
        self.storage.objects.setdefault(bucket, {}).update(objects)
        self.storage.sorted.pop(bucket, None)


class _Handler(RequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def __init__(self, cloud, lock, *args, **kwargs):
        self.cloud = cloud
        self.lock = lock
        super().__init__(cloud.storage, *args, **kwargs)

    def answer(self, method):
        parts = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        if parts.path == "/requests":
            self.reply(200, self.cloud.requests)
            return
        kind = _kind(parts.path, query)
        self.cloud.requests.append(f"{method} {kind}")
        if kind == "content" and self.cloud.content is not None:
            self.break_off()
            return
        fault = self.cloud.faults.pop(0) if self.cloud.faults else self.cloud.always
        if fault is not None:
            self.fail(fault)
            return
        with self.lock:
            self.cloud.storage.asked.must_be_new = query.get("ifGenerationMatch") == "0"
            try:
                if method == "GET" and parts.path.endswith("/o"):
                    bucket = parts.path.split("/")[-2]
                    self.reply(200, self.cloud.storage.page(bucket, query))
                    return
                self.check_generation(parts.path, query)
                getattr(super(), f"do_{method}")()
            except _Failed as failed:
                self.fail(failed.status)

    def check_generation(self, path, query):
        if "generation" not in query:
            return
        bucket, name = path.split("/b/")[1].split("/o/")
        found = self.cloud.storage.objects.get(bucket, {}).get(unquote(name))
        if found is None or found["generation"] != query["generation"]:
            raise _Failed(404)

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

    def fail(self, status):
        self.close_connection = True
        self.reply(status, {"error": {"code": status, "message": "scripted; token=SECRET"}})

    def reply(self, status, value):
        content = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self):  # noqa: N802 - http.server's names
        self.answer("GET")

    def do_POST(self):  # noqa: N802
        self.answer("POST")

    def do_PUT(self):  # noqa: N802
        self.answer("PUT")

    def do_DELETE(self):  # noqa: N802
        self.answer("DELETE")


def _kind(path, query):
    if path.startswith("/upload"):
        return "upload"
    if path.endswith("/o"):
        return "list"
    return "content" if path.startswith("/download") or query.get("alt") == "media" else "object"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def handle_error(self, request, client_address):
        """A client that hangs up in the middle is what some tests are about."""


@contextmanager
def cloud_storage():
    """A running emulator; STORAGE_EMULATOR_HOST has to be set to its `url`."""
    cloud = CloudStorage("", _Storage())
    server = _Server(("127.0.0.1", 0), partial(_Handler, cloud, threading.RLock()))
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
