"""The status `promoter/rollout` on each commit that the promoter makes: pending, then success when it is live.

A commit that takes traffic from a version, or refuses one, is a failure from the beginning: the rollout's, not its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import structlog

from promoter.control.act import Pushed
from promoter.control.loop import PassReport
from promoter.control.reconcile import Survey, Verdict
from promoter.control.respite import Respite
from promoter.decisions.readiness import not_live_because
from promoter.domain.action import Promote, Reject, Revert, Withdraw
from promoter.domain.names import ServedModel
from promoter.domain.observation import Observation
from promoter.domain.pull_request import CommitState, CommitStatus
from promoter.domain.repository import Revision
from promoter.errors import PromoterError
from promoter.ports import Forge

# Statuses that could not be told yet; older ones are let go.
_MOST_UNTOLD = 100

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A commit that is not live yet: of which models, and what it says."""

    models: frozenset[ServedModel]
    description: str
    url: str | None


class Statuses:
    """`promoter.control.loop.Audience` that tells the forge how far each commit has come.

    page: where more is told of a model. A fresh one takes up the newest commit of each rollout that is under way.
    """

    def __init__(self, forge: Forge, page: Callable[[ServedModel], str]) -> None:
        self._forge = forge
        self._page = page
        self._untold: dict[Revision, CommitStatus] = {}
        self._waiting: dict[Revision, _Waiting] = {}
        self._told: dict[ServedModel, Revision] = {}
        self._respite = Respite()

    def pass_began(self) -> None:
        """Nothing has come of it yet."""

    def stood_by(self) -> None:
        """Another one tells; whoever leads again takes up what is under way."""
        self._waiting.clear()
        self._told.clear()

    def pass_ended(self, report: PassReport) -> None:
        survey = report.survey
        if survey is None:
            return
        self._look(survey)
        if report.pushed is not None:
            self._pushed(report.pushed, survey)
        if self._untold and not survey.way_back_due and not self._respite.lasts(survey.at):
            self._tell(survey.at)

    def _pushed(self, pushed: Pushed, survey: Survey) -> None:
        revision, draft = pushed.revision, pushed.draft
        made = [verdict for verdict in survey.verdicts if verdict.served.release_path in draft.files]
        if not made:
            return
        subject = draft.message.splitlines()[0]
        url = self._page(made[0].served)
        if any(isinstance(verdict.action, Revert | Withdraw | Reject) for verdict in made):
            self._untold[revision] = CommitStatus(CommitState.FAILURE, subject, url)
        elif all(isinstance(verdict.action, Promote) for verdict in made):
            # No request goes another way by it: the version carried all of them before.
            self._untold[revision] = CommitStatus(CommitState.SUCCESS, subject, url)
        else:
            self._wait(revision, _Waiting(frozenset(verdict.served for verdict in made), subject, url))
        self._told.update(dict.fromkeys((verdict.served for verdict in made), revision))

    def _wait(self, revision: Revision, waiting: _Waiting) -> None:
        self._waiting[revision] = waiting
        self._untold[revision] = CommitStatus(CommitState.PENDING, waiting.description, waiting.url)

    def _look(self, survey: Survey) -> None:
        seen = {verdict.served: verdict.seen for verdict in survey.verdicts if verdict.seen is not None}
        for verdict in survey.verdicts:
            self._take_up(verdict)
        for revision, waiting in list(self._waiting.items()):
            now = [seen[served] for served in waiting.models if served in seen]
            if any(one.changed.revision != revision for one in now):
                # The next step waits until this one is live, so it was a way back or a person.
                self._settle(revision, CommitState.FAILURE, "overtaken before it was live")
            elif len(now) == len(waiting.models) and all(_is_live(one, survey.at) for one in now):
                self._settle(revision, CommitState.SUCCESS, "live")

    def _take_up(self, verdict: Verdict) -> None:
        """What a process before this one pushed, and could not follow."""
        seen = verdict.seen
        if seen is None or verdict.served in self._told:
            return
        self._told[verdict.served] = seen.changed.revision
        if seen.changed.ours and seen.release.canary is not None and seen.release.canary.weight > 0:
            what = f"canary {seen.release.canary.version} at {seen.release.canary.weight} %"
            self._waiting[seen.changed.revision] = _Waiting(frozenset({verdict.served}), what, self._page(seen.served))

    def _settle(self, revision: Revision, state: CommitState, what: str) -> None:
        waiting = self._waiting.pop(revision)
        self._untold[revision] = CommitStatus(state, f"{waiting.description}: {what}", waiting.url)

    def _tell(self, now: datetime) -> None:
        for revision, status in list(self._untold.items()):
            try:
                self._forge.set_status(revision, status)
            except PromoterError as error:
                for oldest in list(self._untold)[:-_MOST_UNTOLD]:
                    del self._untold[oldest]
                log.warning("status.not_told", detail=str(error), retry_in=self._respite.begin(now))
                return
            del self._untold[revision]


def _is_live(seen: Observation, now: datetime) -> bool:
    return seen.application is not None and not_live_because(seen, now) is None
