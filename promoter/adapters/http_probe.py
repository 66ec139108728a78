"""One GET, and everything that can be told from its answer: status, JSON, and what the server's clock says."""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any

import httpx

from promoter.bounded_body import TooLarge, TooSlow, gathered
from promoter.errors import Unavailable

_LARGEST_ANSWER = 4 * 2**20


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered, whatever its status.

    content: the parsed JSON, None where the body is none. ahead: how far the server's clock is ahead of ours, by its
    `Date`, which has whole seconds: half of one and half the time that the answer took are unknown. None without one.
    """

    status: int
    content: Any
    ahead: timedelta | None
    server: str


def get(
    url: str,
    path: str = "",
    *,
    params: Mapping[str, str] | None = None,
    token: str | None = None,
    timeout: timedelta = timedelta(seconds=10),
) -> Answer:
    """GET `url` + `path`, following no redirects. Raises Unavailable; a status that is an error is an answer."""
    shown = _shown(url)
    seconds = timeout.total_seconds()
    headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    before = datetime.now(UTC)
    try:
        with httpx.stream(
            "GET",
            url.rstrip("/") + path,
            params=params,
            headers=headers,
            timeout=seconds,
            follow_redirects=False,
            verify=_trust(),
        ) as response:
            after = datetime.now(UTC)
            body = _body(response, shown, seconds)
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        raise Unavailable(f"{shown} is no address of a web server") from error
    except httpx.TimeoutException as error:
        raise Unavailable(f"{shown} did not answer within {seconds:g} s") from error
    except httpx.HTTPError as error:
        raise Unavailable(f"{shown} cannot be reached: {error}") from error
    return Answer(response.status_code, _parsed(body), _ahead(response, before, after), shown)


@cache
def _trust() -> ssl.SSLContext:
    """Whom we trust; reading them takes longer than most answers."""
    return httpx.create_ssl_context()


def _body(response: httpx.Response, shown: str, seconds: float) -> bytes:
    try:
        return gathered(response.iter_raw(), largest=_LARGEST_ANSWER, seconds=seconds)
    except TooLarge as error:
        raise Unavailable(f"{shown} sent more than {_LARGEST_ANSWER >> 20} MiB") from error
    except TooSlow as error:
        raise Unavailable(f"{shown} did not answer within {seconds:g} s") from error


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _ahead(response: httpx.Response, before: datetime, after: datetime) -> timedelta | None:
    try:
        told = parsedate_to_datetime(response.headers.get("date", ""))
    except ValueError:
        return None
    if told.tzinfo is None:
        told = told.replace(tzinfo=UTC)
    # The date was cut to whole seconds, some time between the question and the answer.
    return told + timedelta(milliseconds=500) - (before + (after - before) / 2)


def _shown(url: str) -> str:
    """`url` without user, password and query."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        return "this"
    port = "" if parsed.port is None else f":{parsed.port}"
    return f"{parsed.scheme}://{parsed.host}{port}{parsed.path.rstrip('/')}"
