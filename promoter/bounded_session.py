"""A session of requests whose answers are whole, small, uncompressed and in time."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import Any

import requests
import urllib3

from promoter.bounded_body import TooSlow, read_body


class Compressed(Exception):
    """An answer is compressed, which was not asked for."""


class BoundedSession(requests.Session):
    """Our limits stand in place of each caller's.

    timeout: for connecting, for each wait for bytes, and for one whole answer. largest: bytes of an answer. Raises
    what `check` raises, Compressed, TooLarge, and the errors of the transport.
    """

    def __init__(self, timeout: timedelta, largest: int) -> None:
        super().__init__()
        self._seconds = timeout.total_seconds()
        self._largest = largest
        # Uncompressed, so that the bytes that are counted are the bytes that are kept.
        self.headers.update({"Accept": "application/json", "Accept-Encoding": "identity"})

    def check(self, response: requests.Response) -> None:
        """Look at status and headers before the body is read; for subclasses."""

    def request(self, method: str | bytes, url: str | bytes, *positional: Any, **options: Any) -> requests.Response:
        """As requests' own; the body is here when it returns."""
        bounds = {"timeout": (self._seconds / 3, self._seconds), "stream": True, "allow_redirects": False}
        with super().request(method, url, *positional, **{**options, **bounds}) as response:
            self.check(response)
            body = self._body(response.raw)
        response.raw = io.BytesIO(body)
        return response

    def _body(self, raw: urllib3.HTTPResponse) -> bytes:
        if raw.headers.get("content-encoding", "identity") != "identity":
            raise Compressed
        try:
            return read_body(raw, largest=self._largest, seconds=self._seconds, decode=False)
        except TooSlow as error:
            raise requests.ReadTimeout from error
