"""Prometheus: it answers, and holds every served version's series, under the labels and as often as is expected."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from http import HTTPStatus
from itertools import pairwise
from statistics import median

from promoter.adapters.http_probe import get
from promoter.doctor.finding import Check, Finding, failure, ok, warning
from promoter.doctor.patient import Patient
from promoter.domain.duration import format_duration
from promoter.domain.measurements import Measurements, TargetSeries
from promoter.domain.names import ServedModel
from promoter.domain.version import ModelVersion
from promoter.errors import MetricsUnavailable

_WINDOW_SCRAPES = 12
_LABELS = "docs/install.md says which labels, and charts/model-serving's PodMonitor sets them"


def answers(patient: Patient) -> Iterator[Finding]:
    """It answers a query."""
    answer = get(patient.settings.prometheus_url, "/api/v1/query", params={"query": "1"}, timeout=patient.timeout)
    content = answer.content if isinstance(answer.content, dict) else {}
    if answer.status != HTTPStatus.OK or content.get("status") != "success":
        yield failure(
            f"{answer.server} did not answer a query: status {answer.status}",
            "Set PROMOTER_PROMETHEUS_URL to the address below which /api/v1/query answers, with its user and password",
        )
        return
    if content.get("warnings") or content.get("isPartial"):
        yield failure(f"{answer.server} answers with warnings, or in part", "No verdict is built on such: see its log")
        return
    yield ok(f"{answer.server} answers queries")


def series(patient: Patient) -> Iterator[Finding]:
    """Every served version is there, and scraped as the settings say."""
    served_versions = 0
    for served in patient.inventory.models:
        release = patient.release(served)
        if release is None or release.stable is None:
            continue
        served_versions += 1
        versions = [release.stable.version, *([release.canary.version] if release.canary else [])]
        try:
            yield from _of(patient, served, versions)
        except MetricsUnavailable as error:
            yield failure(f"{served}: {error}", "One model's answer need not be the others': see Prometheus' own log")
    yield ok(f"{served_versions} of {len(patient.inventory.models)} models serve a version")


def _of(patient: Patient, served: ServedModel, versions: Sequence[ModelVersion]) -> Iterator[Finding]:
    interval = patient.settings.traits.scrape_interval
    now = patient.now()
    seen = patient.metrics.measurements(served, now - _WINDOW_SCRAPES * interval, now, ())
    for version in versions:
        targets = [target for target in seen.targets if target.version == version]
        if not targets:
            yield failure(
                f"{served}: no pod of version {version} is scraped: there is no `up` with namespace="
                f"{served.environment!r}, model={served.model!r} and that version",
                f"See the targets' page of Prometheus; {_LABELS}",
            )
            continue
        if not any(target.points[-1][1] == 1 for target in targets if target.points):
            yield failure(f"{served}: version {version} is a target, and no scrape succeeds", "Prometheus says why")
        yield from _as_often(served, version, targets, interval)
        if not _counted(seen, version):
            yield warning(
                f"{served}: version {version} has counted no request in the last "
                f"{format_duration(_WINDOW_SCRAPES * interval)}",
                f"Send it one. If it answers, the counter's labels are not as expected; {_LABELS}",
            )


def _as_often(
    served: ServedModel, version: ModelVersion, targets: Sequence[TargetSeries], interval: timedelta
) -> Iterator[Finding]:
    gaps = [late[0] - early[0] for target in targets for early, late in pairwise(target.points)]
    if not gaps:
        return
    usual, told = median(gaps), interval.total_seconds()
    if not 0.7 * told <= usual <= 1.3 * told:
        yield failure(
            f"{served}: version {version} is scraped every {usual:.3g} s, and the promoter is told {told:g} s",
            "Set monitoring.interval in the model's values.yaml and PROMOTER_SCRAPE_INTERVAL to the same",
        )


def _counted(seen: Measurements, version: ModelVersion) -> bool:
    return any(counter.version == version for counter in seen.requests)


CHECKS = (
    Check("Prometheus", "prometheus", answers),
    Check("Prometheus", "series", series, ("prometheus", "repository")),
)
