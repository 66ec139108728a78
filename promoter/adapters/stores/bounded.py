"""Answers of stores under a limit of size and of time, for libraries that only know how long to wait for a byte."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter

from promoter.bounded_body import TooLarge, TooSlow, read_body
from promoter.errors import StoreUnavailable

# A page of a listing has a thousand names of a kilobyte at most; files are read 8 MiB at a time.
LARGEST_ANSWER = 32 * 2**20
_OF_THE_WIRE = ("content-encoding", "content-length", "transfer-encoding")


class BoundedAdapter(HTTPAdapter):
    """Sends as requests does, and has the whole answer within `seconds` after its first byte, or StoreUnavailable."""

    def __init__(self, place: str, seconds: float) -> None:
        self._place = place
        self._seconds = seconds
        super().__init__(pool_maxsize=16)

    def send(  # noqa: PLR0917 - requests' own signature
        self,
        request: requests.PreparedRequest,
        stream: bool = False,  # noqa: FBT001, FBT002 - as above
        timeout: float | tuple[float, float] | tuple[float, None] | None = None,
        verify: bool | str = True,  # noqa: FBT001, FBT002 - as above
        cert: bytes | str | tuple[bytes | str, bytes | str] | None = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        # It is all read here: `stream` is about who reads it.
        del stream
        response = super().send(request, stream=True, timeout=timeout, verify=verify, cert=cert, proxies=proxies)
        response.raw = whole(response.raw, self._place, self._seconds)
        return response


def whole(raw: Any, place: str, seconds: float) -> urllib3.HTTPResponse:
    """The answer whose bytes are still to come from `raw`, with all of them here; raises StoreUnavailable.

    place: the store, for people.
    """
    try:
        body = _body(raw, place, seconds)
    except BaseException:
        raw.close()
        raise
    raw.release_conn()
    # They describe what came over the wire; and an answer to HEAD has the length of the one to GET.
    headers = {name: value for name, value in raw.headers.items() if name.lower() not in _OF_THE_WIRE}
    return urllib3.HTTPResponse(
        io.BytesIO(body), headers=headers, status=raw.status, reason=raw.reason, preload_content=False
    )


def _body(raw: Any, place: str, seconds: float) -> bytes:
    try:
        body = read_body(raw, largest=LARGEST_ANSWER, seconds=seconds, decode=True)
    except TooLarge as error:
        raise StoreUnavailable(f"the answer of the store {place} is larger than {LARGEST_ANSWER >> 20} MiB") from error
    except TooSlow as error:
        raise StoreUnavailable(f"the answer of the store {place} takes longer than {seconds:g} s") from error
    if raw.length_remaining:
        raise StoreUnavailable(f"the answer of the store {place} broke off")
    return body
