"""Ports whose calls are timed and counted on their way to the adapter."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from promoter.domain.preflight import Preflight, PreflightRequest
from promoter.errors import PreflightUnavailable, Unavailable
from promoter.ports import Preflights
from promoter.telemetry.metrics import PassMetrics

_Port = TypeVar("_Port")

_MOST_REMEMBERED = 1000


def measured(port: _Port, peer: str, calls: frozenset[str], metrics: PassMetrics) -> _Port:
    """`port`, with these of its methods timed under the name of its peer. All else goes through untouched."""
    return cast("_Port", _Measured(port, peer, calls, metrics))


class _Measured:
    def __init__(self, port: object, peer: str, calls: frozenset[str], metrics: PassMetrics) -> None:
        failures = metrics.peer_failures.labels(peer)
        self._port = port
        for call in calls:
            seconds = metrics.peer_seconds.labels(peer, call)
            setattr(self, call, _timed(getattr(port, call), seconds.observe, failures.inc))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)


def _timed(
    method: Callable[..., object], took: Callable[[float], None], failed: Callable[[], None]
) -> Callable[..., object]:
    @wraps(method)
    def timed(*args: object, **kwargs: object) -> object:
        began = time.monotonic()
        try:
            return method(*args, **kwargs)
        except Unavailable:
            failed()
            raise
        finally:
            took(time.monotonic() - began)

    return timed


class MeasuredPreflights:
    """`promoter.ports.Preflights` that counts each result once, however often it is asked for.

    May be asked by several threads. clock: steady, in seconds.
    """

    def __init__(
        self, preflights: Preflights, metrics: PassMetrics, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._preflights = preflights
        self._metrics = metrics
        self._clock = clock
        self._lock = threading.Lock()
        # Since when each is waited for; None once its end was counted.
        self._asked: OrderedDict[PreflightRequest, float | None] = OrderedDict()

    def ask(self, wanted: PreflightRequest) -> Preflight | str:
        self._begin(wanted)
        try:
            found = self._preflights.ask(wanted)
        except PreflightUnavailable:
            self._end(wanted, "no_result")
            raise
        if isinstance(found, str):
            self._begin(wanted, again=True)
        else:
            self._end(wanted, "passed" if found.passed else "failed")
        return found

    def settle(self) -> bool:
        return self._preflights.settle()

    def _begin(self, wanted: PreflightRequest, *, again: bool = False) -> None:
        """again: one that came to no result runs once more."""
        with self._lock:
            if wanted not in self._asked or (again and self._asked[wanted] is None):
                self._asked[wanted] = self._clock()
            while len(self._asked) > _MOST_REMEMBERED:
                self._asked.popitem(last=False)

    def _end(self, wanted: PreflightRequest, outcome: str) -> None:
        with self._lock:
            since = self._asked.get(wanted)
            if since is None:
                return
            self._asked[wanted] = None
        self._metrics.preflights.labels(outcome).inc()
        self._metrics.preflight_seconds.observe(self._clock() - since)
