"""Pass after pass until told to stop: how long to wait, and what to say of it."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

import structlog

from promoter.control.act import Pushed
from promoter.control.reconcile import Reconciler, Survey, Verdict
from promoter.decisions.sync_windows import way_back_denied
from promoter.domain.action import ACTION_NAMES, Hold
from promoter.domain.names import ServedModel
from promoter.errors import HeadMoved, PromoterError, PushRefused, RepositoryUnavailable
from promoter.ports import Leadership

# A way back that is barred is tried again this often, without end.
_WAY_BACK_RETRY = timedelta(seconds=5)
LONGEST_BACKOFF = timedelta(minutes=1)

# Who waits for another promoter to stop looks this often whether it has.
_STANDBY_LOOK = timedelta(seconds=1)

# However often somebody wakes us, and how late we may hear of it.
_SHORTEST_PAUSE_S = 0.5

# After so many lost races in a row a person should know that the repository is busy.
_MANY_LOSSES = 5

_MANUAL_WAY_OUT = (
    "exposure goes on: switch off auto-sync of the application and set the weight in its route by hand "
    "(docs/operations.md, 'When the way back is barred')"
)

log = structlog.get_logger()


@dataclass(slots=True)
class Backoff:
    """Failures in a row, and the wait that follows: full jitter over a doubling span."""

    failures: int = 0

    def failed(self, interval: timedelta) -> timedelta:
        """Count one more failure; at least `interval` to wait."""
        self.failures += 1
        span = min(LONGEST_BACKOFF, interval * (1 << min(self.failures, 8)))
        return max(interval, span * random.random())  # noqa: S311 - jitter, no secret


@dataclass(frozen=True, slots=True)
class PassReport:
    """How one pass went.

    survey: what it decided, None where it did not come so far. error: why it did not end well, None where it did.
    pushed: its commit, None for none. took: its seconds.
    """

    survey: Survey | None
    error: PromoterError | None
    pushed: Pushed | None
    took: float


class Audience(Protocol):
    """Who is told how the loop gets on. It is told in the loop's own thread, and raises nothing."""

    def pass_began(self) -> None:
        """A pass begins."""

    def pass_ended(self, report: PassReport) -> None:
        """It ended, well or not."""

    def stood_by(self) -> None:
        """No pass was made, because another promoter makes them."""


class Unrivalled:
    """`promoter.ports.Leadership` of a promoter that is the only one."""

    def held(self) -> bool:
        return True


class Loop:
    """Runs passes, while it leads. `clock` gives the time of a pass in UTC, whole seconds.

    woken: set by whoever knows that a look is worth while; the next turn then comes at once.
    """

    def __init__(
        self,
        reconciler: Reconciler,
        interval: timedelta,
        clock: Callable[[], datetime] | None = None,
        *,
        leadership: Leadership | None = None,
        audiences: Sequence[Audience] = (),
        woken: threading.Event | None = None,
    ) -> None:
        self._reconciler = reconciler
        self._interval = interval
        self._clock = clock or (lambda: datetime.now(UTC).replace(microsecond=0))
        self._leadership = leadership or Unrivalled()
        self._audiences = tuple(audiences)
        self._woken = woken or threading.Event()
        self._backoff = Backoff()
        self._said: dict[ServedModel, str] = {}

    def run(self, stop: threading.Event) -> None:
        """Pass after pass until `stop` is set."""
        while not stop.is_set():
            self._woken.clear()
            self._wait(stop, self.one_turn().total_seconds())

    def _wait(self, stop: threading.Event, seconds: float) -> None:
        """Until it is over, or somebody stops or wakes us: but never shorter than the shortest pause."""
        deadline = time.monotonic() + seconds
        if stop.wait(min(seconds, _SHORTEST_PAUSE_S)):
            return
        while not stop.is_set() and not self._woken.is_set() and (left := deadline - time.monotonic()) > 0:
            stop.wait(min(left, _SHORTEST_PAUSE_S))

    def one_turn(self) -> timedelta:
        """One pass, or none where another promoter leads; and how long to wait before the next turn."""
        if self._leadership.held():
            return self.one_pass()
        # Whoever leads again begins afresh: with everything to say, and nothing to wait for.
        self._said.clear()
        self._backoff.failures = 0
        for audience in self._audiences:
            audience.stood_by()
        return _STANDBY_LOOK

    def one_pass(self) -> timedelta:
        """One pass, and how long to wait before the next. No peer's failure ends the loop."""
        for audience in self._audiences:
            audience.pass_began()
        began = time.monotonic()
        survey: Survey | None = None
        pushed: Pushed | None = None
        failure: PromoterError | None = None
        try:
            survey = self._reconciler.survey(self._clock())
            pushed = self._act(survey)
        except PromoterError as error:
            failure = error
        report = PassReport(survey, failure, pushed, time.monotonic() - began)
        for audience in self._audiences:
            audience.pass_ended(report)
        if failure is not None:
            return self._failed(failure, survey)
        self._backoff.failures = 0
        if pushed is not None:
            log.info("commit.pushed", revision=pushed.revision, subject=pushed.draft.message.splitlines()[0])
        return self._interval

    def _act(self, survey: Survey) -> Pushed | None:
        self._say(survey)
        if survey.stale is not None:
            raise RepositoryUnavailable(survey.stale)
        if not self._leadership.held():
            # A push would be safe, since it compares heads: but somebody else is at it.
            log.info("pass.leadership_lost")
            return None
        return self._reconciler.act(survey)

    def _failed(self, error: PromoterError, survey: Survey | None) -> timedelta:
        wait = self._backoff.failed(self._interval)
        barred = survey is not None and survey.way_back_due
        if isinstance(error, HeadMoved):
            log.info("pass.head_moved", detail=str(error))
            if self._backoff.failures >= _MANY_LOSSES:
                log.warning("repository.busy", losses=self._backoff.failures)
            return min(wait, self._interval)
        event = "push.refused" if isinstance(error, PushRefused) else "repository.unavailable"
        if barred:
            log.critical(event, detail=str(error), way_out=_MANUAL_WAY_OUT, retry_in=_WAY_BACK_RETRY.total_seconds())
            return min(wait, _WAY_BACK_RETRY)
        log.error(event, detail=str(error), failures=self._backoff.failures, retry_in=round(wait.total_seconds(), 1))
        return wait

    def _say(self, survey: Survey) -> None:
        for folder in survey.misnamed:
            log.error("folder.misnamed", folder=folder.folder, reason=folder.reason)
        for verdict in survey.verdicts:
            if self._is_news(verdict):
                _log_verdict(verdict)

    def _is_news(self, verdict: Verdict) -> bool:
        """Every pass of a rollout is; a model at rest only when its reason changes."""
        reason = verdict.action.reason
        changed = self._said.get(verdict.served) != reason
        self._said[verdict.served] = reason
        return changed or (verdict.seen is not None and verdict.seen.release.canary is not None)


def _log_verdict(verdict: Verdict) -> None:
    action, seen = verdict.action, verdict.seen
    facts: dict[str, object] = {"environment": verdict.served.environment, "model": verdict.served.model}
    if verdict.served.group:
        facts["group"] = verdict.served.group
    if seen is not None and seen.release.stable is not None:
        facts["stable"] = seen.release.stable.version.number
    if seen is not None and seen.release.canary is not None:
        facts |= {"canary": seen.release.canary.version.number, "weight": seen.release.canary.weight}
    evidence = action.evidence
    if evidence is not None:
        facts |= {
            "log_odds": round(evidence.log_odds, 4),
            "upper_bound": evidence.upper_bound,
            "canary_requests": evidence.canary.requests,
            "canary_bad": evidence.canary.bad,
            "stable_requests": evidence.stable.requests,
            "stable_bad": evidence.stable.bad,
            "log_e": {name: round(value, 4) for name, value in evidence.log_e.items()},
        }
    say = log.warning if isinstance(action, Hold) and action.alarm else log.info
    if seen is not None and way_back_denied(seen):
        say = log.critical
    say(f"rollout.{ACTION_NAMES[type(action)]}", reason=action.reason, **facts)
