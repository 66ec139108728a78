"""PromQL as text: the queries the promoter asks, and the one function that quotes.

Which Prometheus answers, and what the answer means, is left to others.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from promoter.domain.names import ServedModel
from promoter.domain.version import ModelVersion
from promoter.errors import InvalidInput

REQUESTS = ":tensorflow:serving:request_count"
LATENCY_BUCKETS = ":tensorflow:serving:request_latency_bucket"
LATENCY_SUM = ":tensorflow:serving:request_latency_sum"
LATENCY_COUNT = ":tensorflow:serving:request_latency_count"
ENVOY_CODES = "envoy_cluster_upstream_rq"
ENVOY_STATUS = "envoy_cluster_grpc_"
ENVOY_ALWAYS = "envoy_cluster_upstream_rq_total"
ISTIO_REQUESTS = "istio_requests_total"
TARGETS = "up"

# gRPC says Predict, REST says predict, and a REST GET (a probe, say) leaves the label empty.
_INFERENCE = "(?i)predict|classify|regress"
_OPERATORS = ("=", "!=", "=~", "!~")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)


def quote(text: str) -> str:
    """`text` as a PromQL string; raises InvalidInput for half a surrogate pair.

    PromQL takes Go's strings. JSON's are among them as long as no character is written as a surrogate pair of
    escapes, which Go does not know: so only what must be escaped is.
    """
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise InvalidInput(f"{text[:80]!r} cannot be a label's value: it holds half a character")
    return json.dumps(text, ensure_ascii=False)


def matcher(name: str, operator: str, value: str) -> str:
    """`name="value"`; raises InvalidInput for a name that is no label and for an unknown operator."""
    if not _LABEL.fullmatch(name) or operator not in _OPERATORS:
        raise InvalidInput(f"{name[:80]!r} {operator[:10]!r} is not the beginning of a label matcher")
    return f"{name}{operator}{quote(value)}"


def le_text(bound_us: float) -> str:
    """A bucket bound as TensorFlow Serving prints it in `le`: six significant digits (Abseil's StrCat)."""
    return f"{bound_us:.6g}"


def request_count(served: ServedModel, seconds: int) -> str:
    """Raw samples of every pod's request counter over the last `seconds`, one series for each status."""
    return _samples(REQUESTS, _requests_of(served), seconds)


def latency(served: ServedModel, seconds: int, bounds_us: Iterable[float]) -> str:
    """Raw samples of the latency buckets that end at `bounds_us` over the last `seconds`, inference requests only."""
    return _samples(LATENCY_BUCKETS, [*_inference_of(served), _bounds(bounds_us)], seconds)


def latency_totals(served: ServedModel, seconds: int) -> str:
    """Raw samples of the sum and the count of every pod's latency histograms, inference requests only."""
    return _samples("", [_named(LATENCY_SUM, LATENCY_COUNT), *_inference_of(served)], seconds)


def envoy_requests(served: ServedModel, seconds: int) -> str:
    """Raw samples of what Envoys count by cluster: gRPC statuses, HTTP codes, and a counter that is always there.

    Clusters bear the name `<namespace>_<service>_<port>`. An informational answer (1xx) comes before the real one.
    """
    chosen = [
        _named(f"{ENVOY_STATUS}[0-9]+", ENVOY_CODES, ENVOY_ALWAYS),
        matcher("envoy_cluster_name", "=~", f"{served.environment}_{_services_of(served)}_(8500|8501)"),
        matcher("envoy_response_code", "!~", "1.."),
    ]
    return _samples("", chosen, seconds)


def istio_requests(served: ServedModel, seconds: int) -> str:
    """Raw samples of what callers' sidecars and gateways count by Service.

    By the Service, which Istio knows before it chooses a pod: the labels of the workload are "unknown" on a request
    that reached none. By the source: a server's own sidecar misses what never arrived.
    """
    chosen = [
        matcher("reporter", "=", "source"),
        matcher("destination_service_namespace", "=", served.environment),
        matcher("destination_service_name", "=~", _services_of(served)),
    ]
    return _samples(ISTIO_REQUESTS, chosen, seconds)


def up(served: ServedModel, seconds: int) -> str:
    """Raw samples of `up` of every pod over the last `seconds`."""
    return _samples(TARGETS, _pods_of(served), seconds)


def latency_profile(served: ServedModel, version: ModelVersion, seconds: int) -> str:
    """Inference requests that `version` answered at or under each bucket bound, summed over its pods."""
    chosen = [*_inference_of(served), matcher("model_version", "=", str(version))]
    return f"sum by (le) (increase({_samples(LATENCY_BUCKETS, chosen, seconds)}))"


def request_total(served: ServedModel, version: ModelVersion, seconds: int) -> str:
    """Requests of `version`, however they ended, summed over its pods."""
    chosen = [*_requests_of(served), matcher("model_version", "=", str(version))]
    return f"sum(increase({_samples(REQUESTS, chosen, seconds)}))"


def _pods_of(served: ServedModel) -> list[str]:
    return [matcher("namespace", "=", served.environment), matcher("model", "=", served.model)]


def _requests_of(served: ServedModel) -> list[str]:
    # model_name is whatever a request asked for; only the pod's own model counts.
    return [*_pods_of(served), matcher("model_name", "=", served.model)]


def _inference_of(served: ServedModel) -> list[str]:
    return [*_requests_of(served), matcher("API", "=~", _INFERENCE)]


def _services_of(served: ServedModel) -> str:
    """The Services of every version, as a regular expression. A model's name has nothing to escape in it."""
    return f"{served.model}-v[1-9][0-9]*"


def _named(*metrics: str) -> str:
    return matcher("__name__", "=~", "|".join(metrics))


def _bounds(bounds_us: Iterable[float]) -> str:
    # Prometheus 3 writes whole numbers in `le` with `.0` behind them.
    texts = [re.escape(le_text(bound)) + r"(\.0)?" for bound in bounds_us]
    if not texts:
        raise InvalidInput("a query for latency buckets needs at least one bound")
    return matcher("le", "=~", "|".join(texts))


def _samples(metric: str, matchers: Iterable[str], seconds: int) -> str:
    if seconds < 1:
        raise InvalidInput(f"a window of {seconds} s is too short: one second is the least")
    return f"{metric}{{{','.join(matchers)}}}[{seconds}s]"
