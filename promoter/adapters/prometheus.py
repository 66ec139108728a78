"""Prometheus over its HTTP API: the raw counters of one model, and stable's latency before a rollout.

`prometheus-api-client` carries the queries. It returns `data.result` alone and has no time limit of its own, so a
session of ours stands below it that bounds each answer and looks at what the library leaves out. What
the series mean is `promoter.documents.prometheus_answers`' part, the queries `promoter.documents.promql`'s.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
import structlog
import urllib3
from prometheus_api_client.prometheus_connect import PrometheusConnect
from urllib3.util.retry import Retry

from promoter.bounded_body import TooLarge
from promoter.bounded_session import BoundedSession, Compressed
from promoter.documents import promql
from promoter.documents.one_line import one_line
from promoter.documents.prometheus_answers import (
    Series,
    latency_profile,
    latency_series,
    latency_totals,
    parse_matrix,
    parse_vector,
    request_series,
    target_series,
)
from promoter.documents.proxy_answers import envoy_series, istio_series, proxy_scrapes
from promoter.domain.duration import format_duration
from promoter.domain.measurements import (
    LatencyProfile,
    LatencySeries,
    Measurements,
    ProxyMetrics,
    ProxyScrapes,
    ProxySeries,
)
from promoter.domain.names import ServedModel
from promoter.domain.version import ModelVersion
from promoter.errors import InvalidSettings, MetricsUnavailable

_LARGEST_ANSWER = 64 * 2**20
# Only connecting is tried again. A query that was slow once would be slow again, and the next pass asks anyway;
# a Retry-After of an hour would be slept through, and the body of a refusal read to its end, however long.
_RETRIES = Retry(
    total=2,
    connect=2,
    read=False,
    redirect=0,
    status=0,
    other=0,
    backoff_factor=0.1,
    respect_retry_after_header=False,
    raise_on_status=False,
)

_Family = TypeVar("_Family")

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Window:
    """From first to last, both included, in whole seconds since the epoch."""

    first: int
    last: int

    @property
    def seconds(self) -> int:
        """The range that covers it: Prometheus 3 leaves out a sample at the very beginning of a range, 2 does not."""
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class _ProxyFamily:
    """How the counters of one kind of proxy are asked for and read."""

    query: Callable[[ServedModel, int], str]
    series: Callable[[Iterable[Series]], tuple[ProxySeries, ...]]

    def read(self, series: tuple[Series, ...]) -> tuple[tuple[ProxySeries, ...], tuple[ProxyScrapes, ...]]:
        """The counters, and when the proxies that hold them were scraped."""
        return self.series(series), proxy_scrapes(series)


_PROXIES = {
    ProxyMetrics.ENVOY: _ProxyFamily(promql.envoy_requests, envoy_series),
    ProxyMetrics.ISTIO: _ProxyFamily(promql.istio_requests, istio_series),
}


class PrometheusMetrics:
    """`promoter.ports.Metrics` by a Prometheus server, or one that speaks its API.

    url: the server's root, with its path, and user and password where it has them. timeout: for connecting, for
    each wait for bytes, and for one whole answer from its first byte; the server is told of it, too. proxy: whose
    counters of requests there are beside the model servers' own. Raises InvalidSettings for a url that is none.

    Times are cut to whole seconds, towards the past: the same pass asked twice asks for the same instant.
    """

    def __init__(
        self, url: str, timeout: timedelta = timedelta(seconds=10), proxy: ProxyMetrics = ProxyMetrics.NONE
    ) -> None:
        self._proxies = _PROXIES.get(proxy)
        self._server = _without_credentials(url)
        self._timeout = timeout
        self._matrices = self._connect(url, "matrix")
        self._vectors = self._connect(url, "vector")

    def measurements(
        self, served: ServedModel, start: datetime, at: datetime, bounds_us: tuple[float, ...]
    ) -> Measurements:
        """All samples from `start` to `at`, of request counters, `up`, latency totals, and buckets at `bounds_us`.

        Raises MetricsUnavailable where the answer is missing, partial, too large, or carries warnings.
        """
        first, last = math.floor(start.timestamp()), math.floor(at.timestamp())
        if last < first:
            raise MetricsUnavailable(
                f"the clock is before the window of {served}: {at.isoformat()} and {start.isoformat()}"
            )
        window = _Window(first, last)
        proxy, proxies = self._proxy(served, window)
        return Measurements(
            start=first,
            at=last,
            targets=self._family("targets", promql.up(served, window.seconds), window, target_series),
            requests=self._family(
                "request counters", promql.request_count(served, window.seconds), window, request_series
            ),
            latency=self._latency(served, window, bounds_us),
            latency_totals=self._family(
                "latency totals", promql.latency_totals(served, window.seconds), window, latency_totals
            ),
            proxy=proxy,
            proxies=proxies,
        )

    def latency_profile(
        self, served: ServedModel, version: ModelVersion, at: datetime, over: timedelta
    ) -> LatencyProfile:
        """Share of `version`'s requests slower than each bucket bound, from `at - over` to `at`.

        By `increase`, whose rounding does not matter here: the profile chooses bounds and proves nothing.
        Failed requests count as slow. Raises MetricsUnavailable.
        """
        last, seconds = math.floor(at.timestamp()), max(1, math.floor(over.total_seconds()))
        with self._trusted("latency profile"):
            buckets = self._vectors.custom_query(promql.latency_profile(served, version, seconds), self._params(last))
            total = self._vectors.custom_query(promql.request_total(served, version, seconds), self._params(last))
            return latency_profile(parse_vector(buckets, last), parse_vector(total, last))

    def _latency(self, served: ServedModel, window: _Window, bounds_us: tuple[float, ...]) -> tuple[LatencySeries, ...]:
        if not bounds_us:
            return ()
        query = promql.latency(served, window.seconds, bounds_us)
        return self._family("latency buckets", query, window, lambda series: latency_series(series, bounds_us))

    def _proxy(self, served: ServedModel, window: _Window) -> tuple[tuple[ProxySeries, ...], tuple[ProxyScrapes, ...]]:
        if self._proxies is None:
            return (), ()
        query = self._proxies.query(served, window.seconds)
        return self._family("proxies' counters", query, window, self._proxies.read)

    def _family(self, what: str, query: str, window: _Window, read: Callable[[tuple[Series, ...]], _Family]) -> _Family:
        with self._trusted(what):
            result = self._matrices.custom_query(query, self._params(window.last))
            series = parse_matrix(result, window.first, window.last)
            dropped = sum(one.dropped for one in series)
            if dropped:
                _log.warning("prometheus.samples_dropped", query=query, samples=dropped, reason="NaN or infinite")
            return read(series)

    def _params(self, at: int) -> dict[str, str]:
        # Prometheus reads a part of a second only where no unit follows.
        return {"time": str(at), "timeout": f"{self._timeout.total_seconds():g}"}

    @contextmanager
    def _trusted(self, what: str) -> Iterator[None]:
        """Every way in which an answer can fail, as MetricsUnavailable; `what` is what was asked for."""
        asked = f"Prometheus at {self._server}, asked for the {what} of a model,"
        untrusted = f"{asked} gave no answer that can be trusted: "
        try:
            yield
        except (requests.Timeout, urllib3.exceptions.TimeoutError) as error:
            raise MetricsUnavailable(f"{asked} did not answer within {format_duration(self._timeout)}") from error
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise MetricsUnavailable(f"{asked} cannot be reached, or broke off its answer") from error
        except MetricsUnavailable as error:
            raise MetricsUnavailable(f"{untrusted}{error}") from error
        except TooLarge as error:
            raise MetricsUnavailable(f"{untrusted}it is larger than {_LARGEST_ANSWER >> 20} MiB") from error
        except Compressed as error:
            raise MetricsUnavailable(f"{untrusted}it is compressed, which was not asked for") from error

    def _connect(self, url: str, result_type: str) -> PrometheusConnect:
        session = _ResultSession(result_type, self._timeout)
        return PrometheusConnect(url=url.rstrip("/"), session=session, retry=_RETRIES)


class _ResultSession(BoundedSession):
    """A session whose answers hold a result of `result_type` without reservations; else MetricsUnavailable."""

    def __init__(self, result_type: str, timeout: timedelta) -> None:
        super().__init__(timeout, _LARGEST_ANSWER)
        self._result_type = result_type

    def check(self, response: requests.Response) -> None:
        _check_status(response)

    def request(self, method: str | bytes, url: str | bytes, *positional: Any, **options: Any) -> requests.Response:
        """As any session's, with what it holds looked at."""
        response = super().request(method, url, *positional, **options)
        _check_envelope(response.content, self._result_type)
        return response


def _check_status(response: requests.Response) -> None:
    meanings: dict[int, str] = {
        HTTPStatus.BAD_REQUEST: "it does not understand the query",
        HTTPStatus.UNAUTHORIZED: "it refuses our credentials",
        HTTPStatus.FORBIDDEN: "it forbids the query",
        HTTPStatus.NOT_FOUND: "there is no API at this address: check the path of its URL",
        HTTPStatus.UNPROCESSABLE_ENTITY: "it cannot carry out the query (too many samples, most often)",
        HTTPStatus.SERVICE_UNAVAILABLE: "it gave up on the query, or is not ready",
    }
    if response.is_redirect:
        raise MetricsUnavailable("it sends us elsewhere, and redirects are not followed: set its URL to what answers")
    if response.status_code != HTTPStatus.OK:
        meaning = meanings.get(response.status_code, "no answer to a query")
        raise MetricsUnavailable(f"status {response.status_code}, {meaning}")


def _check_envelope(body: bytes, result_type: str) -> None:
    """What the library leaves out of `data.result`: whether the answer is a success, whole, and of the right type."""
    try:
        envelope = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise MetricsUnavailable("it is not JSON: check that the URL is the API's") from error
    data = envelope.get("data") if isinstance(envelope, dict) else None
    if not isinstance(data, dict) or envelope.get("status") != "success":
        raise MetricsUnavailable("it does not say `success`")
    if envelope.get("warnings") or envelope.get("isPartial"):
        raise MetricsUnavailable(f"it is partial, or carries warnings: {_first(envelope.get('warnings'))}")
    if data.get("resultType") != result_type or "result" not in data:
        raise MetricsUnavailable(f"it is not the {result_type} that was asked for")


def _first(warnings: object) -> str:
    first = warnings[0] if isinstance(warnings, list) and warnings else None
    return one_line(first) if isinstance(first, str) else "it does not say which"


def _without_credentials(url: str) -> str:
    """`url` as it may be shown; raises InvalidSettings where it is none."""
    try:
        parts = urlsplit(url)
        port = "" if parts.port is None else f":{parts.port}"
    except ValueError:
        parts, port = urlsplit(""), ""
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise InvalidSettings("Prometheus' URL must be http[s]://<host>[:<port>][/<path>], without a query")
    return f"{parts.scheme}://{parts.hostname}{port}{parts.path.rstrip('/')}"
