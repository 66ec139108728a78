"""Figures of single models, drawn when Prometheus asks, all of one pass."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from promoter.control.reconcile import Survey, Verdict
from promoter.domain.action import Hold
from promoter.domain.names import ServedModel
from promoter.telemetry.standing import Waiting, waits_for

# Series cost Prometheus memory for as long as it keeps them. Models at rest have none; where more than this many want
# attention at once, the fault is not in the models.
MOST_MODELS = 1000

_LABELS = ("environment", "group", "model")


@dataclass(frozen=True, slots=True)
class _Row:
    verdict: Verdict
    waiting: Waiting | None
    since: datetime


@dataclass(frozen=True, slots=True)
class _Picture:
    """What one pass saw. It is exchanged as a whole, so a scrape never mixes two passes."""

    at: datetime
    models: int
    in_flight: int
    broken: int
    misnamed: int
    rows: tuple[_Row, ...]
    left_out: int


@dataclass(slots=True, eq=False)
class ModelFigures(Collector):
    """A collector of the newest pass. Without one, while another promoter leads, it tells nothing."""

    _picture: _Picture | None = None
    _since: dict[ServedModel, tuple[Waiting | None, datetime]] = field(default_factory=dict)

    def saw(self, survey: Survey) -> None:
        """Replace what is told by what this pass decided."""
        rows = list(self._rows(survey))
        # Those with a rollout first: they are the last to be left out.
        rows.sort(key=lambda row: not _in_flight(row.verdict))
        self._since = {row.verdict.served: (row.waiting, row.since) for row in rows}
        self._picture = _Picture(
            at=survey.at,
            models=len(survey.verdicts),
            in_flight=sum(_in_flight(verdict) for verdict in survey.verdicts),
            broken=sum(verdict.seen is None for verdict in survey.verdicts),
            misnamed=len(survey.misnamed),
            rows=tuple(rows[:MOST_MODELS]),
            left_out=max(0, len(rows) - MOST_MODELS),
        )

    def forget(self) -> None:
        """Tell nothing until the next pass."""
        self._picture = None
        self._since = {}

    def _rows(self, survey: Survey) -> Iterator[_Row]:
        for verdict in survey.verdicts:
            waiting = waits_for(verdict, survey.at)
            if waiting is None and not _in_flight(verdict) and not _alarms(verdict):
                continue
            before, since = self._since.get(verdict.served, (None, survey.at))
            yield _Row(verdict, waiting, since if before == waiting else survey.at)

    def collect(self) -> Iterable[Metric]:
        picture = self._picture
        if picture is None:
            return
        yield _gauge("promoter_models", "Models that this promoter sees to.", picture.models)
        yield _gauge("promoter_rollouts_in_flight", "Models with a canary.", picture.in_flight)
        yield _gauge("promoter_models_broken", "Models of which a file does not parse.", picture.broken)
        yield _gauge("promoter_folders_misnamed", "Folders that cannot be a model's by their names.", picture.misnamed)
        yield _gauge(
            "promoter_models_left_out", "Models that want attention and have no series of their own.", picture.left_out
        )
        yield from _of_canaries(picture)
        yield from _of_waits(picture.rows)


def _of_canaries(picture: _Picture) -> Iterator[Metric]:
    stable = _family("promoter_stable_version", "Number of the stable version, while a canary is under way.")
    number = _family("promoter_canary_version", "Number of the version on trial.")
    weight = _family("promoter_canary_weight_ratio", "Share of requests that the canary is to get, by Git.")
    weight_since = _family(
        "promoter_canary_weight_since_timestamp_seconds", "When the canary's weight became what it is, by Git."
    )
    blind = _family("promoter_canary_blind_seconds", "How long nobody has seen the pods of both versions.")
    log_odds = _family("promoter_canary_log_odds", "Natural log of the odds against the canary.")
    bound = _family("promoter_canary_excess_bound_ratio", "Upper bound of the canary's excess ratio of failures.")
    for verdict in (row.verdict for row in picture.rows):
        seen = verdict.seen
        if seen is None or seen.release.canary is None:
            continue
        labels, canary = _labels(verdict), seen.release.canary
        if seen.release.stable is not None:
            stable.add_metric(labels, seen.release.stable.version.number)
        number.add_metric(labels, canary.version.number)
        weight.add_metric(labels, canary.weight / 100)
        weight_since.add_metric(labels, seen.weight_since.timestamp())
        blind.add_metric(labels, seen.blind_for(picture.at).total_seconds())
        if verdict.action.evidence is not None:
            log_odds.add_metric(labels, verdict.action.evidence.log_odds)
            bound.add_metric(labels, verdict.action.evidence.upper_bound)
    yield from (stable, number, weight, weight_since, blind, log_odds, bound)


def _of_waits(rows: Iterable[_Row]) -> Iterator[Metric]:
    reasoned = (*_LABELS, "reason")
    waiting = GaugeMetricFamily(
        "promoter_waiting_since_timestamp_seconds",
        "Since when this process has seen a model wait, and for what.",
        labels=reasoned,
    )
    alarm = GaugeMetricFamily("promoter_alarm", "1 where a model is held and a person should look.", labels=reasoned)
    for row in rows:
        labels = _labels(row.verdict)
        if row.waiting is not None:
            waiting.add_metric([*labels, row.waiting], row.since.timestamp())
        if _alarms(row.verdict):
            alarm.add_metric([*labels, row.waiting or Waiting.OTHER], 1)
    yield from (waiting, alarm)


def _in_flight(verdict: Verdict) -> bool:
    return verdict.seen is not None and verdict.seen.release.canary is not None


def _alarms(verdict: Verdict) -> bool:
    return isinstance(verdict.action, Hold) and verdict.action.alarm


def _labels(verdict: Verdict) -> list[str]:
    served = verdict.served
    return [served.environment, served.group or "", served.model]


def _gauge(name: str, told: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, told, value=value)


def _family(name: str, told: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, told, labels=_LABELS)
