"""Asks people: one pull request for each model and environment, kept up to date, and closed when it is overtaken.

It comes after each pass, and never in the way of one: what a forge does not do now is tried again later. What people
answer is read from Git like everything else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from promoter.control.loop import PassReport
from promoter.control.reconcile import Survey, Verdict
from promoter.control.respite import Respite
from promoter.decisions.approval import BRANCHES, branch_of, overtaken
from promoter.decisions.start import outlook
from promoter.documents.pull_request_text import Question, answered, body_of, message_of, read_question, shown, title_of
from promoter.documents.release_file import write_release
from promoter.domain.action import Asked, Hold
from promoter.domain.names import ServedModel
from promoter.domain.observation import Observation
from promoter.domain.pull_request import PullRequest, PullRequestState
from promoter.domain.release import Release
from promoter.domain.version import StoredVersion
from promoter.errors import PromoterError
from promoter.ports import Forge, Repository

# How often open pull requests are looked through for those that are overtaken, or were changed by others.
_LOOK_AGAIN = timedelta(minutes=1)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Wish:
    """A pull request that there should be."""

    seen: Observation
    asked: Asked
    hold: Hold

    @property
    def question(self) -> Question:
        return Question.of(self.asked, self.seen.changed.revision)


class Approvals:
    """`promoter.control.loop.Audience` that keeps pull requests in step with what the passes wait for.

    repository: not the one of the passes where it runs beside them, for a clone serves one thread at a time.
    It remembers only what spares questions: a fresh one finds everything in the forge.
    """

    def __init__(self, repository: Repository, forge: Forge) -> None:
        self._repository = repository
        self._forge = forge
        self._settled: dict[str, Question] = {}
        self._addresses: dict[str, str] = {}
        self._look_at: datetime | None = None
        self._respite = Respite()

    def pass_began(self) -> None:
        """Nothing is asked before a pass has ended."""

    def stood_by(self) -> None:
        """Whoever leads asks."""
        self._settled.clear()
        self._look_at = None

    def pass_ended(self, report: PassReport) -> None:
        # With traffic to take back there is no time for a forge.
        if report.error is None and report.survey is not None and not report.survey.way_back_due:
            self.keep(report.survey)

    def address_of(self, served: ServedModel) -> str | None:
        """The page of the pull request that waits for people, as far as it is known."""
        return self._addresses.get(branch_of(served))

    def keep(self, survey: Survey) -> None:
        """Open, change and close pull requests as `survey` calls for. A failure is told and tried again later."""
        if self._respite.lasts(survey.at):
            return
        wishes = _wishes(survey.verdicts)
        news = any(self._settled.get(branch) != wish.question for branch, wish in wishes.items())
        if not news and self._look_at is not None and survey.at < self._look_at:
            return
        try:
            self._keep(wishes, survey.verdicts)
        except PromoterError as error:
            log.warning("approval.not_asked", detail=str(error), retry_in=self._respite.begin(survey.at))
        else:
            self._look_at = survey.at + _LOOK_AGAIN

    def _keep(self, wishes: Mapping[str, _Wish], verdicts: Iterable[Verdict]) -> None:
        found = {one.branch: one for one in self._forge.open_pull_requests(BRANCHES)}
        self._addresses = {branch: one.url for branch, one in found.items()}
        for branch, wish in wishes.items():
            self._ask(branch, wish, found.get(branch))
            self._settled[branch] = wish.question
        for verdict in verdicts:
            branch = branch_of(verdict.served)
            if branch in found and branch not in wishes and verdict.seen is not None:
                self._close_overtaken(found[branch], verdict.seen)

    def _ask(self, branch: str, wish: _Wish, found: PullRequest | None) -> None:
        question = wish.question
        if found is not None and read_question(found.body) == question:
            return
        if found is None and self._was_answered(branch, question):
            return
        # What the wish stands on was pushed after this clone was last brought up to date, perhaps.
        self._repository.fetch()
        seen, asked = wish.seen, wish.asked
        # On the commit that last changed the file, and not on the head, so that other models' commits change nothing.
        parent, at = seen.changed.revision, seen.changed.at
        self._repository.offer(branch, parent, self._files(wish), message_of(seen.served, asked), at)
        title = title_of(seen.served, asked)
        expected = outlook(seen, asked.replicas) if asked.starts and asked.replicas is not None else ""
        body = body_of(seen.served, asked, seen.release, question, outlook=expected, evidence=wish.hold.evidence)
        if found is None:
            opened = self._forge.open_pull_request(branch, title, body)
            self._addresses[branch] = opened.url
            log.info("pull_request.opened", number=opened.number, url=opened.url, title=title)
        else:
            self._forge.change_pull_request(found.number, title, body)
            log.info("pull_request.changed", number=found.number, url=found.url, title=title)

    def _was_answered(self, branch: str, question: Question) -> bool:
        """Whether somebody closed a pull request that asked exactly this; or merged it after our look at Git."""
        last = self._forge.closed_pull_request(branch)
        if last is None or read_question(last.body) != question:
            return False
        if last.state is PullRequestState.CLOSED:
            log.info("pull_request.declined", number=last.number, url=last.url, title=last.title)
        return True

    def _close_overtaken(self, one: PullRequest, seen: Observation) -> None:
        question = read_question(one.body)
        reason = overtaken(seen, question.version, starts=question.starts) if question is not None else None
        if reason is None:
            return
        # Another time the same may be asked again: this is nobody's no.
        self._forge.change_pull_request(one.number, one.title, answered(one.body))
        self._forge.close_pull_request(one.number, shown(reason))
        self._forge.delete_branch(one.branch)
        self._settled.pop(one.branch, None)
        log.info("pull_request.closed", number=one.number, url=one.url, reason=reason)

    def _files(self, wish: _Wish) -> dict[str, bytes]:
        """release.yaml with the mark that says that a person agrees."""
        path = wish.seen.served.release_path
        before = self._repository.read(wish.seen.changed.revision, path) or b""
        return {path: write_release(before.decode(), _agreed(wish.seen.release, wish.asked), path).encode()}


class NobodyAsks:
    """`promoter.control.loop.Audience` that says where a policy asks for a pull request, and no forge is set."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def pass_began(self) -> None:
        """Nothing is known yet."""

    def stood_by(self) -> None:
        """Whoever leads says it."""

    def pass_ended(self, report: PassReport) -> None:
        if report.survey is not None:
            self.keep(report.survey)

    def address_of(self, served: ServedModel) -> str | None:  # noqa: ARG002 - as `Approvals` has it
        """No pull request is opened."""
        return None

    def keep(self, survey: Survey) -> None:
        """Say it once for each model for as long as it waits."""
        waiting = _wishes(survey.verdicts)
        for branch, wish in waiting.items():
            if branch not in self._said:
                log.error(
                    "approval.not_asked",
                    model=str(wish.seen.served),
                    detail="policy.yaml asks for a pull request, and PROMOTER_FORGE is not set: set it, or state the "
                    "approval in release.yaml by hand (docs/forges.md)",
                )
        self._said = set(waiting)


def _wishes(verdicts: Iterable[Verdict]) -> dict[str, _Wish]:
    """What waits for nothing but an approval, by the branch that asks for it."""
    return {
        branch_of(verdict.served): _Wish(verdict.seen, verdict.action.asked, verdict.action)
        for verdict in verdicts
        if verdict.seen is not None and isinstance(verdict.action, Hold) and verdict.action.asked is not None
    }


def _agreed(release: Release, asked: Asked) -> Release:
    if asked.starts:
        return replace(release, approved=StoredVersion(asked.version, asked.digest))
    if release.canary is None:
        raise AssertionError("only a canary is promoted")
    return replace(release, canary=replace(release.canary, approved=True))
