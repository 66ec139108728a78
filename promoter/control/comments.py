"""Does what people say in comments on the promoter's pull requests: `/revert`, `/promote`, `/retry`.

The commit is the one that the verb of the command line makes, and names the person and the comment. What was carried
out is known from Git, and what was only answered from the forge, so nothing is done twice after a restart.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice

import structlog

from promoter.control.act import Draft
from promoter.control.loop import PassReport
from promoter.control.publisher import ByPush, Publisher
from promoter.control.reconcile import Survey
from promoter.control.respite import Respite
from promoter.control.verbs import Verbs, Word, carry_out
from promoter.decisions.approval import BRANCHES, branch_of
from promoter.documents import comment_text
from promoter.documents.comment_text import Command, name_of, read_answer, read_command
from promoter.documents.pull_request_text import Question, read_question
from promoter.documents.release_file import parse_release
from promoter.documents.verb_message import by_comment, is_by_comment
from promoter.domain.names import ServedModel
from promoter.domain.observation import Observation
from promoter.domain.policy import Approval
from promoter.domain.pull_request import Comment, Commenter, PullRequest
from promoter.domain.repository import Commit, Revision
from promoter.errors import ForgeUnavailable, InvalidInput, PromoterError, StepWaits
from promoter.ports import Forge, Repository

# How often comments are read: while a version has requests that somebody may want back, and otherwise.
_LOOK_AGAIN = timedelta(seconds=20)
_LOOK_AGAIN_AT_REST = timedelta(minutes=1)
# A command is about how things stand. Who comes back to a promoter that was away says it again.
_TOO_LATE = timedelta(hours=1)
_READ_BACK = timedelta(hours=2)
# After a rollout has ended, its pull request is listened to for so long.
_LISTENED_TO = timedelta(days=1)
# So many pull requests that ended are looked for at once; the rest at the next look.
_MOST_LOOKED_FOR = 5
# Of each pull request at once; whoever writes many has to wait, and delays no pass by all of them.
_MOST_HEARD = 10
# A command's commit is among the newest of its model.
_MOST_COMMITS = 100

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Listened:
    """A pull request whose comments count, and the rollout that it is about."""

    seen: Observation
    pull: PullRequest
    question: Question


class Comments:
    """`promoter.control.loop.Audience` that listens on open pull requests, and on the last one of each rollout.

    repository: not the one of the passes where it runs beside them, for a clone serves one thread at a time. It
    remembers only what spares questions.
    """

    def __init__(self, repository: Repository, forge: Forge, publisher: Publisher | None = None) -> None:
        """publisher: how commits get onto the branch; None pushes them."""
        self._repository = repository
        self._forge = forge
        self._publisher: Publisher = publisher or ByPush(repository)
        # An answer is found in the forge again, but for one that another account of the promoter's gave.
        self._answered: set[str] = set()
        self._ended: dict[ServedModel, tuple[tuple[Revision, int | None], PullRequest | None]] = {}
        self._looked_at: datetime | None = None
        self._respite = Respite()

    def pass_began(self) -> None:
        """Nothing is done before a pass has ended."""

    def stood_by(self) -> None:
        """Whoever leads listens."""
        self._ended.clear()
        self._looked_at = None
        self._respite.end()

    def pass_ended(self, report: PassReport) -> None:
        # Also while requests have to be taken back: it may be what barred that way back that somebody speaks of.
        if report.survey is not None and report.survey.stale is None:
            self.keep(report.survey)

    def keep(self, survey: Survey) -> None:
        """Read what was said since, and do it. A failure is told and tried again later."""
        if not self._is_due(survey):
            return
        self._looked_at = survey.at
        try:
            for listened in self._listened(survey):
                self._hear(listened, survey.at)
            self._publisher.rest(survey.at, {})
        except ForgeUnavailable as error:
            # Each question may take its whole time limit, so the rest is not asked either.
            self._failed(error, survey.at)

    def _is_due(self, survey: Survey) -> bool:
        if self._respite.lasts(survey.at):
            return False
        under_way = any(one.seen is not None and one.seen.release.canary is not None for one in survey.verdicts)
        pause = _LOOK_AGAIN if under_way else _LOOK_AGAIN_AT_REST
        return self._looked_at is None or survey.at - self._looked_at >= pause

    def _failed(self, error: PromoterError, now: datetime) -> None:
        log.warning("comments.unheard", detail=str(error), retry_in=self._respite.begin(now))

    def _listened(self, survey: Survey) -> Iterator[_Listened]:
        asking = [
            verdict.seen
            for verdict in survey.verdicts
            if verdict.seen is not None
            and (verdict.seen.policy.approval.start, verdict.seen.policy.approval.promote) != (Approval.NONE,) * 2
        ]
        if not asking:
            return
        found = {one.branch: one for one in self._forge.open_pull_requests(BRANCHES)}
        looked_for = 0
        for seen in asking:
            opened = found.get(branch_of(seen.served))
            if opened is not None and (question := read_question(opened.body)) is not None:
                yield _Listened(seen, opened, question)
            if not _is_fresh(seen, survey.at):
                continue
            key = (seen.changed.revision, None if opened is None else opened.number)
            known = self._ended.get(seen.served)
            if known is None or known[0] != key:
                if looked_for == _MOST_LOOKED_FOR:
                    continue
                looked_for += 1
                known = key, self._forge.closed_pull_request(branch_of(seen.served))
                self._ended[seen.served] = known
            ended = known[1]
            if ended is not None and (question := read_question(ended.body)) is not None and _is_of(question, seen):
                yield _Listened(seen, ended, question)

    def _hear(self, listened: _Listened, now: datetime) -> None:
        said = self._forge.comments(listened.pull.number, now - _READ_BACK)
        ours = [one for one in said if one.author == listened.pull.author]
        answered = {read_answer(one.text) for one in ours}
        asked = (one for one in said if one not in ours and one.number not in answered)
        commands = ((one, command) for one in asked if (command := read_command(one.text)) is not None)
        for comment, command in islice((one for one in commands if one[0].url not in self._answered), _MOST_HEARD):
            try:
                text = self._answer(listened, comment, command, now)
            except ForgeUnavailable:
                raise
            except StepWaits as error:
                # The next look goes on with it, and answers when it is done.
                log.info("comment.waits", url=comment.url, what=str(error))
                continue
            except PromoterError as error:
                # A push that is refused for one model keeps nobody from being heard about another.
                self._failed(error, now)
                return
            self._forge.comment(listened.pull.number, comment_text.answer(comment, text))
            self._answered.add(comment.url)

    def _answer(self, listened: _Listened, comment: Comment, command: Command, now: datetime) -> str:
        """Do what `comment` says where that may be, and say what became of it."""
        facts = {"model": str(listened.seen.served), "verb": command.verb, "by": comment.author, "url": comment.url}
        if not command.alone:
            return comment_text.not_alone(command)
        # Asked each time: whoever had the right yesterday may not have it now.
        who = self._forge.commenter(comment)
        if who is None or not who.may_write:
            log.warning("comment.refused", reason="no right to write" if who else "the right is not known", **facts)
            return comment_text.nobody_knows(command) if who is None else comment_text.not_a_writer(command)
        if command.verb == "pause":
            return comment_text.no_pause(listened.seen.served)
        try:
            done, already = self._carried_out(listened, comment, command, who, now)
        except InvalidInput as error:
            log.info("comment.refused", reason=str(error), **facts)
            return comment_text.refused(str(error))
        log.info("comment.obeyed", revision=done.revision, already=already, **facts)
        return comment_text.done(done.subject, done.revision, self._forge.commit_url(done.revision), already=already)

    def _carried_out(
        self, listened: _Listened, comment: Comment, command: Command, who: Commenter, now: datetime
    ) -> tuple[Commit, bool]:
        """The commit that `comment` asks for, and whether there was one already. Raises InvalidInput."""
        served = listened.seen.served
        found = self._made_for(self._repository.fetch(), served, comment)
        if found is not None:
            return found, True
        if now - comment.at > _TOO_LATE:
            raise InvalidInput(
                f"/{command.verb} is more than an hour old, and was meant for how things stood then: if it still is, "
                "say it again in a new comment"
            )
        person = name_of(who)
        verbs = Verbs(self._repository, Word(person, command.reason or f"said in a comment, {comment.url}", now))

        def plan(head: Revision) -> Draft:
            if (made := self._made_for(head, served, comment)) is not None:
                raise _MadeMeanwhile(made)
            draft = self._draft(verbs, head, listened, command)
            address = f" <{who.email}>" if who.email else ""
            return replace(draft, message=by_comment(draft.message, f"{person}{address}", comment.url))

        try:
            draft, revision = carry_out(self._repository, plan, self._publisher)
        except _MadeMeanwhile as found_now:
            return found_now.commit, True
        return Commit(revision, draft.at, "", draft.message, ours=True, parent=draft.parent), False

    def _made_for(self, head: Revision, served: ServedModel, comment: Comment) -> Commit | None:
        """The promoter's own commit that `comment` asked for. Nobody else's is believed to be one."""
        commits = self._repository.log(head, served.folder, _MOST_COMMITS)
        return next((one for one in commits if one.ours and is_by_comment(one.message, comment.url)), None)

    def _draft(self, verbs: Verbs, head: Revision, listened: _Listened, command: Command) -> Draft:
        """What the verb makes of `head`. Raises InvalidInput where it is about another version, or changes nothing."""
        served, version = listened.seen.served, listened.question.version
        model = served.name
        if command.verb == "retry":
            return verbs.retry(head, model, served.environment, version)
        release = parse_release(self._repository.read(head, served.release_path) or b"", served.release_path)
        if release.canary is not None and release.canary.version != version:
            by_now = release.canary.version
            raise InvalidInput(f"this pull request is about {version}, and the canary is {by_now} by now")
        if command.verb == "revert":
            return verbs.revert(head, model, served.environment)
        return verbs.promote(head, model, served.environment)


class _MadeMeanwhile(Exception):
    """The commit that a comment asks for is in a head that was fetched later."""

    def __init__(self, commit: Commit) -> None:
        super().__init__(commit.revision)
        self.commit = commit


def _is_fresh(seen: Observation, now: datetime) -> bool:
    return seen.release.canary is not None or now - seen.changed.at <= _LISTENED_TO


def _is_of(question: Question, seen: Observation) -> bool:
    """Whether it asked for the rollout that is under way, or was the last."""
    release, version = seen.release, question.version
    served = [arm.version for arm in (release.canary, release.stable) if arm is not None]
    return version in served or release.rejection(version) is not None
