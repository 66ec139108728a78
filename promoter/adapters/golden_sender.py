"""Sends predict requests at a steady rate, whether or not earlier ones were answered, and never one again."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import cycle
from types import TracebackType
from typing import Self

import httpx

from promoter.errors import InvalidInput
from promoter.pacing import beats

VERSION_HEADER = "x-model-version"
_LARGEST_ANSWER = 64 * 2**20
# Latencies are told of so many answers: it may run for months.
_REMEMBERED = 10_000
_LONGEST_NAME = 20


@dataclass(slots=True)
class Sent:
    """What became of the requests so far.

    answered: with status 200, by the version that the proxy names (`x-model-version`), "" where it names none. failed:
    by HTTP status, or by the name of what went wrong. unsent: were due while every connection was waiting for an
    answer. latencies: of the latest answers, in seconds from the moment at which a request was due.
    """

    sent: int = 0
    unsent: int = 0
    answered: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    latencies: deque[float] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))

    def latency(self, share: float) -> float | None:
        """The latency in seconds that this share of the answers, 0 to 1, did not exceed, by nearest rank."""
        ordered = sorted(self.latencies)
        return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None


class GoldenSender:
    """POSTs bodies in turn to a model over a few connections, and counts in `so_far`."""

    def __init__(self, url: str, model: str, bodies: Sequence[bytes], *, connections: int, timeout: float) -> None:
        """url: `http://host:port`, of the route and not of a version's pods. timeout: seconds, for each whole answer.

        Raises InvalidInput where the URL is none.
        """
        self.so_far = Sent()
        self._bodies = cycle(bodies)
        self._connections = connections
        self._timeout = timeout
        self._in_flight: set[asyncio.Task[None]] = set()
        self._url = f"{_checked(url)}/v1/models/{model}:predict"
        self._headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
        limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
        self._client = httpx.AsyncClient(limits=limits, timeout=timeout, trust_env=False)

    def ask_for(self, host: str) -> None:
        """Name this host in the requests, in place of the URL's."""
        self._headers["Host"] = host

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def run(self, rate: float, stop: asyncio.Event) -> None:
        """Send `rate` requests a second until `stop`, then wait for the answers that are still to come."""
        async for due in beats(rate, stop):
            if len(self._in_flight) >= self._connections:
                self.so_far.unsent += 1
                continue
            self.so_far.sent += 1
            task = asyncio.create_task(self._ask(next(self._bodies), due))
            self._in_flight.add(task)
            task.add_done_callback(self._in_flight.discard)
        if self._in_flight:
            await asyncio.wait(self._in_flight)

    async def _ask(self, body: bytes, due: float) -> None:
        so_far = self.so_far
        try:
            # One limit for the whole exchange; httpx's own are for each of its phases.
            async with asyncio.timeout(self._timeout):
                status, version = await self._exchange(body)
        except TimeoutError:
            so_far.failed["no answer in time"] += 1
        except httpx.HTTPError as error:
            so_far.failed[type(error).__name__] += 1
        else:
            if status == httpx.codes.OK:
                so_far.answered[version] += 1
                so_far.latencies.append(time.monotonic() - due)
            else:
                so_far.failed[str(status)] += 1

    async def _exchange(self, body: bytes) -> tuple[int, str]:
        """Status and version of an answer, which is read to its end and not kept."""
        size = 0
        async with self._client.stream("POST", self._url, content=body, headers=self._headers) as answer:
            async for chunk in answer.aiter_raw():
                size += len(chunk)
                if size > _LARGEST_ANSWER:
                    raise httpx.ReadError("the answer is too large")
            version = answer.headers.get(VERSION_HEADER, "")
            return answer.status_code, version if version.isdecimal() and len(version) < _LONGEST_NAME else ""


def _checked(url: str) -> str:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise InvalidInput(f"{url[:80]!r} is no address: {error}") from error
    if parsed.scheme not in ("http", "https") or not parsed.host or parsed.query or parsed.fragment:
        raise InvalidInput(f"{url[:80]!r} is not where requests go: write it like http://gateway.example.com:8080")
    return url.rstrip("/")
