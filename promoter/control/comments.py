"""Does what people say on the promoter's pull requests, in comments like `/revert`, and by labels.

The commit is the one that the verb of the command line makes, and names the person and the place. What was carried
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
from promoter.documents.comment_text import LABELS, Command, key_of, name_of, read_answer, read_command
from promoter.documents.pull_request_text import Question, read_question
from promoter.documents.release_file import parse_release
from promoter.documents.verb_message import by_comment, is_by_comment
from promoter.domain.names import ServedModel
from promoter.domain.observation import Observation
from promoter.domain.policy import Approval
from promoter.domain.pull_request import PullRequest, Said, Speaker
from promoter.domain.repository import Commit, Revision
from promoter.errors import ForgeUnavailable, InvalidInput, PromoterError, StepWaits
from promoter.ports import Forge, Repository

# How often they are read: while a version has requests that somebody may want back, and otherwise.
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
    """A pull request on which people are heard, and the rollout that it is about."""

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
        self._stuck: set[str] = set()
        self._ended: dict[ServedModel, tuple[tuple[Revision, int | None], int | None]] = {}
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
                last = self._forge.closed_pull_request(branch_of(seen.served))
                known = key, None if last is None else last.number
                self._ended[seen.served] = known
            if known[1] is None:
                continue
            # Asked each time, for the labels that it bears now.
            ended = self._forge.pull_request(known[1])
            if (question := read_question(ended.body)) is not None and _is_of(question, seen):
                yield _Listened(seen, ended, question)

    def _hear(self, listened: _Listened, now: datetime) -> None:
        pull = listened.pull
        comments = self._forge.comments(pull.number, now - _READ_BACK)
        labels = self._labels(pull, now)
        answered = {read_answer(one.text) for one in comments if one.author == pull.author}
        asked = [
            one
            for one in sorted((*comments, *labels), key=lambda one: one.at)
            if one.author != pull.author and key_of(one) not in answered and one.url not in self._answered
        ]
        for one in labels:
            if one not in asked:
                self._take_off(pull, one)
        commands = ((one, command) for one in asked if (command := read_command(one)) is not None)
        for said, command in islice(commands, _MOST_HEARD):
            try:
                text = self._answer(listened, said, command, now)
            except ForgeUnavailable:
                raise
            except StepWaits as error:
                # The next look goes on with it, and answers when it is done.
                log.info("command.waits", url=said.url, what=str(error))
                continue
            except PromoterError as error:
                # A push that is refused for one model keeps nobody from being heard about another.
                self._failed(error, now)
                return
            self._forge.comment(pull.number, comment_text.answer(said, text))
            self._answered.add(said.url)
            self._take_off(pull, said)

    def _labels(self, pull: PullRequest, now: datetime) -> tuple[Said, ...]:
        """Who set last each label of ours that it bears; nobody is asked about one that bears none."""
        borne = LABELS.keys() & set(pull.labels)
        if not borne:
            return ()
        found = self._forge.labelled(pull.number, now - _READ_BACK)
        return tuple({one.label: one for one in found if one.label in borne}.values())

    def _take_off(self, pull: PullRequest, said: Said) -> None:
        """A label that was answered, so that it can be set again. Where that cannot be, nothing is lost."""
        if said.label is None:
            return
        try:
            self._forge.take_label_off(pull.number, said.label)
        except ForgeUnavailable as error:
            if said.url not in self._stuck:
                log.warning("label.not_taken_off", label=said.label, url=said.url, detail=str(error))
            self._stuck.add(said.url)

    def _answer(self, listened: _Listened, said: Said, command: Command, now: datetime) -> str:
        """Do what was said where that may be, and say what became of it."""
        served = listened.seen.served
        facts = {"model": str(served), "verb": command.verb, "by": said.author, "url": said.url}
        if not command.alone:
            return comment_text.not_alone(command)
        # Asked each time: whoever had the right yesterday may not have it now.
        who = self._forge.speaker(said)
        if who is None or not who.may_write:
            log.warning("command.refused", reason="no right to write" if who else "the right is not known", **facts)
            return comment_text.nobody_knows(command) if who is None else comment_text.not_a_writer(command)
        try:
            done, already = self._carried_out(listened, said, command, who, now)
        except InvalidInput as error:
            log.info("command.refused", reason=str(error), **facts)
            return comment_text.refused(str(error))
        log.info("command.obeyed", revision=done.revision, already=already, **facts)
        text = comment_text.done(done.subject, done.revision, self._forge.commit_url(done.revision), already=already)
        if command.verb == "resume" and listened.seen.policy.paused:
            return f"{text} {comment_text.still_paused(served)}"
        return text

    def _carried_out(
        self, listened: _Listened, said: Said, command: Command, who: Speaker, now: datetime
    ) -> tuple[Commit, bool]:
        """The commit that was asked for, and whether there was one already. Raises InvalidInput."""
        served = listened.seen.served
        found = self._made_for(self._repository.fetch(), served, said)
        if found is not None:
            return found, True
        if now - said.at > _TOO_LATE:
            raise InvalidInput(
                f"/{command.verb} is more than an hour old, and was meant for how things stood then: if it still is, "
                "say it again"
            )
        person = name_of(who)
        place = "in a comment" if said.label is None else "by a label"
        verbs = Verbs(self._repository, Word(person, command.reason or f"said {place}, {said.url}", now))

        def plan(head: Revision) -> Draft:
            if (made := self._made_for(head, served, said)) is not None:
                raise _MadeMeanwhile(made)
            draft = self._draft(verbs, head, listened, command, said)
            address = f" <{who.email}>" if who.email else ""
            return replace(draft, message=by_comment(draft.message, f"{person}{address}", said.url))

        try:
            draft, revision = carry_out(self._repository, plan, self._publisher)
        except _MadeMeanwhile as found_now:
            return found_now.commit, True
        return Commit(revision, draft.at, "", draft.message, ours=True, parent=draft.parent), False

    def _made_for(self, head: Revision, served: ServedModel, said: Said) -> Commit | None:
        """The promoter's own commit that was asked for. Nobody else's is believed to be one."""
        commits = self._repository.log(head, served.folder, _MOST_COMMITS)
        return next((one for one in commits if one.ours and is_by_comment(one.message, said.url)), None)

    def _draft(self, verbs: Verbs, head: Revision, listened: _Listened, command: Command, said: Said) -> Draft:
        """What the verb makes of `head`. Raises InvalidInput where it is about another version, or changes nothing."""
        served, version = listened.seen.served, listened.question.version
        model = served.name
        match command.verb:
            case "retry":
                return verbs.retry(head, model, served.environment, version)
            case "pause":
                return verbs.pause_by_mark(head, model, served.environment, said.url)
            case "resume":
                return verbs.lift_mark(head, model, served.environment)
        release = parse_release(self._repository.read(head, served.release_path) or b"", served.release_path)
        if release.canary is not None and release.canary.version != version:
            by_now = release.canary.version
            raise InvalidInput(f"this pull request is about {version}, and the canary is {by_now} by now")
        if command.verb == "revert":
            return verbs.revert(head, model, served.environment)
        return verbs.promote(head, model, served.environment)


class _MadeMeanwhile(Exception):
    """The commit that was asked for is in a head that was fetched later."""

    def __init__(self, commit: Commit) -> None:
        super().__init__(commit.revision)
        self.commit = commit


def _is_fresh(seen: Observation, now: datetime) -> bool:
    """Whether there is something to say of its last rollout, or a pause to lift."""
    release = seen.release
    return release.canary is not None or release.paused is not None or now - seen.changed.at <= _LISTENED_TO


def _is_of(question: Question, seen: Observation) -> bool:
    """Whether it asked for the rollout that is under way, or was the last; of a model that is paused, any may be it."""
    release, version = seen.release, question.version
    if release.paused is not None:
        return True
    served = [arm.version for arm in (release.canary, release.stable) if arm is not None]
    return version in served or release.rejection(version) is not None
