"""Figures of passes, commits, peers and preflights, in a registry of their own."""

from __future__ import annotations

from importlib.metadata import version

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from promoter.control.loop import PassReport
from promoter.decisions.sync_windows import way_back_denied
from promoter.domain.action import ACTION_NAMES
from promoter.errors import HeadMoved, PromoterError, PushRefused, RepositoryUnavailable
from promoter.telemetry.models import ModelFigures

_PASS_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_PEER_BUCKETS = (0.01, 0.05, 0.25, 1.0, 5.0, 30.0)
_PREFLIGHT_BUCKETS = (5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0)

# What a pass's error says, as one word.
_RESULTS: tuple[tuple[type[PromoterError], str], ...] = (
    (HeadMoved, "head_moved"),
    (PushRefused, "push_refused"),
    (RepositoryUnavailable, "repository_unavailable"),
)
_RESULT_NAMES = ("completed", *(name for _, name in _RESULTS), "failed")

PREFLIGHT_OUTCOMES = ("passed", "failed", "no_result")


class PassMetrics:
    """An audience of the loop that keeps figures for Prometheus. registry: whatever else shall be told with them."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self._models = ModelFigures()
        registry.register(self._models)
        ProcessCollector(registry=registry)
        build = Gauge("promoter_build_info", "1, with the promoter's version.", ["version"], registry=registry)
        build.labels(version("promoter")).set(1)
        self._leads = Gauge("promoter_leader", "1 where this process makes the passes.", registry=registry)
        self._passes = Counter("promoter_passes", "Passes that ended, by how.", ["result"], registry=registry)
        self._took = Histogram(
            "promoter_pass_seconds", "Seconds that a pass took.", buckets=_PASS_BUCKETS, registry=registry
        )
        self._completed_at = Gauge(
            "promoter_last_completed_pass_timestamp_seconds",
            "When a pass last came to its end without an error; 0 where none has.",
            registry=registry,
        )
        self._commits = Counter("promoter_pushed_commits", "Commits pushed.", registry=registry)
        self._actions = Counter(
            "promoter_pushed_actions", "Models' steps in pushed commits, by action.", ["action"], registry=registry
        )
        self._barred = Gauge(
            "promoter_way_back_barred",
            "1 where traffic has to be taken from a canary, and Git or a sync window of Argo CD's does not let it.",
            registry=registry,
        )
        self.peer_seconds = Histogram(
            "promoter_peer_call_seconds",
            "Seconds until a peer answered, or did not.",
            ["peer", "call"],
            buckets=_PEER_BUCKETS,
            registry=registry,
        )
        self.peer_failures = Counter(
            "promoter_peer_failures", "Calls that a peer did not answer, or with nonsense.", ["peer"], registry=registry
        )
        self.preflights = Counter(
            "promoter_preflights", "Preflights that ended, by how.", ["outcome"], registry=registry
        )
        self.preflight_seconds = Histogram(
            "promoter_preflight_seconds",
            "Seconds from asking for a preflight to its result.",
            buckets=_PREFLIGHT_BUCKETS,
            registry=registry,
        )
        # A counter that begins with its first event hides that event from increase().
        for result in _RESULT_NAMES:
            self._passes.labels(result)
        for action in ACTION_NAMES.values():
            if action != "hold":
                self._actions.labels(action)
        for outcome in PREFLIGHT_OUTCOMES:
            self.preflights.labels(outcome)

    def pass_began(self) -> None:
        self._leads.set(1)

    def pass_ended(self, report: PassReport) -> None:
        self._took.observe(report.took)
        self._passes.labels(_result(report.error)).inc()
        if report.error is None:
            self._completed_at.set_to_current_time()
        survey = report.survey
        if survey is None:
            return
        self._models.saw(survey)
        # A lost race is run again at once: nothing bars the way then.
        refused = survey.way_back_due and report.error is not None and not isinstance(report.error, HeadMoved)
        denied = any(verdict.seen is not None and way_back_denied(verdict.seen) for verdict in survey.verdicts)
        self._barred.set(refused or denied)
        if report.pushed is not None:
            self._commits.inc()
            for verdict in survey.verdicts:
                if verdict.served.release_path in report.pushed.draft.files:
                    self._actions.labels(ACTION_NAMES[type(verdict.action)]).inc()

    def stood_by(self) -> None:
        self._leads.set(0)
        self._barred.set(0)
        self._models.forget()


def _result(error: PromoterError | None) -> str:
    if error is None:
        return "completed"
    return next((name for kind, name in _RESULTS if isinstance(error, kind)), "failed")
