"""Cloud Storage on a real port: the emulator, with what it lacks of the documented API.

gcp-storage-emulator neither pages its listings nor knows startOffset, fields, ifGenerationMatch and the generation of a
download. These are added here, as https://cloud.google.com/storage/docs/json_api/v1 describes them.
"""

from __future__ import annotations

import json
import threading
from bisect import bisect_left
from collections.abc import Callable, Mapping
from functools import partial
from http import HTTPStatus
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from gcp_storage_emulator.gcs_glob import gcs_glob_match
from gcp_storage_emulator.handlers import buckets
from gcp_storage_emulator.server import RequestHandler
from gcp_storage_emulator.settings import STORAGE_DIR
from gcp_storage_emulator.storage import Storage

_PAGE = 1000
_LISTED = ("name", "size", "generation", "crc32c", "updated")


class Refused(Exception):
    """The answer to a request is this HTTP status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class EmulatedStorage(Storage):  # type: ignore[misc] # it has no types
    """The emulator's buckets, in `directory` or, where that is None, in memory.

    It can write on condition that there is no object of this name. Of no use to two threads at once.
    """

    def __init__(self, directory: Path | None = None) -> None:
        super().__init__(use_memory_fs=directory is None, data_dir=directory and str(directory))
        self._meta = directory and directory / STORAGE_DIR / ".meta"
        # Whether the write that is carried out must find nothing there, and the uploads for which that was said before.
        self.must_be_new = False
        self._conditional: set[str] = set()
        self._sorted: dict[str, list[str]] = {}

    def _write_config_to_file(self) -> None:
        """In one step, so that it can be read again after a crash. What is in memory needs no file."""
        if self._meta is None:
            return
        content = {
            name: getattr(self, name)
            for name in ("buckets", "objects", "resumable", "bucket_iam_policies", "soft_deleted")
        }
        draft = self._meta.with_suffix(".draft")
        draft.write_text(json.dumps(content), encoding="utf-8")
        draft.replace(self._meta)

    def make_bucket(self, name: str) -> None:
        """A bucket of this name, unless there is one."""
        self.must_be_new = False
        buckets.create_bucket(name, self)

    def put(self, bucket: str, objects: Mapping[str, Mapping[str, str]]) -> None:
        """Objects without content, as a listing shows them: many at once."""
        self.objects.setdefault(bucket, {}).update(objects)
        self._sorted.pop(bucket, None)

    def create_resumable_upload(self, bucket_name: str, file_name: str, file_obj: Any) -> str:
        upload = str(super().create_resumable_upload(bucket_name, file_name, file_obj))
        if self.must_be_new:
            self._conditional.add(upload)
        return upload

    def create_file(
        self, bucket_name: str, file_name: str, content: bytes, file_obj: Any, file_id: str | None = None
    ) -> None:
        must_be_new = self.must_be_new or file_id in self._conditional
        if must_be_new and file_name in self.objects.get(bucket_name, {}):
            raise Refused(HTTPStatus.PRECONDITION_FAILED)
        self._sorted.pop(bucket_name, None)
        super().create_file(bucket_name, file_name, content, file_obj, file_id)

    def delete_file(self, bucket_name: str, file_name: str) -> None:
        self._sorted.pop(bucket_name, None)
        self._hard_delete_file(bucket_name, file_name)

    def page(self, bucket: str, query: Mapping[str, str]) -> dict[str, Any]:
        """A page of a listing, as objects.list gives it."""
        if bucket not in self.buckets:
            raise Refused(HTTPStatus.NOT_FOUND)
        if bucket not in self._sorted:
            self._sorted[bucket] = sorted(self.objects.get(bucket, {}))
        names, objects = self._sorted[bucket], self.objects.get(bucket, {})
        prefix, glob, delimiter = query.get("prefix", ""), query.get("matchGlob"), query.get("delimiter")
        most = min(int(query.get("maxResults", _PAGE)), _PAGE)
        index = bisect_left(names, max(prefix, query.get("startOffset", ""), query.get("pageToken", "")))
        items: list[dict[str, str]] = []
        prefixes: list[str] = []
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
                items.append({key: objects[name][key] for key in _LISTED})
            index += 1
        return {"items": items, "prefixes": prefixes}

    def check_generation(self, path: str, query: Mapping[str, str]) -> None:
        """Raises Refused where a request for one generation of an object comes too late."""
        if "generation" not in query:
            return
        bucket, name = path.split("/b/")[1].split("/o/")
        found = self.objects.get(bucket, {}).get(unquote(name))
        if found is None or found["generation"] != query["generation"]:
            raise Refused(HTTPStatus.NOT_FOUND)


class EmulatorHandler(RequestHandler):  # type: ignore[misc] # it has no types
    """One connection. `lock`: held while `storage` is used."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def __init__(self, storage: EmulatedStorage, lock: threading.RLock, *args: Any) -> None:
        self._lock = lock
        super().__init__(storage, *args)

    def answer(self, method: str) -> None:
        """Answer one request. Where a subclass has answered already, it does not call this one."""
        parts = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        with self._lock:
            self.storage.must_be_new = query.get("ifGenerationMatch") == "0"
            try:
                if method == "GET" and parts.path.endswith("/o"):
                    bucket = parts.path.split("/")[-2]
                    self.reply(HTTPStatus.OK, self.storage.page(bucket, query))
                    return
                self.storage.check_generation(parts.path, query)
                getattr(super(), f"do_{method}")()
            except Refused as refused:
                self.fail(refused.status)

    def fail(self, status: int, message: str = "refused by the emulator") -> None:
        """Answer with an error; the rest of the request is not read, so that the connection ends."""
        self.close_connection = True
        self.reply(status, {"error": {"code": status, "message": message}})

    def reply(self, status: int, value: Any) -> None:
        """Answer with JSON."""
        content = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self) -> None:  # noqa: N802 - http.server's names
        self.answer("GET")

    def do_POST(self) -> None:  # noqa: N802
        self.answer("POST")

    def do_PUT(self) -> None:  # noqa: N802
        self.answer("PUT")

    def do_DELETE(self) -> None:  # noqa: N802
        self.answer("DELETE")


class EmulatorServer(ThreadingHTTPServer):
    """Listens on `address`, (host, port); port 0 takes a free one."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(
        self,
        address: tuple[str, int],
        storage: EmulatedStorage,
        handler: Callable[..., EmulatorHandler] = EmulatorHandler,
    ) -> None:
        super().__init__(address, partial(handler, storage, threading.RLock()))

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up in the middle is nobody's fault."""
