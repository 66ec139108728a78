"""Commits that go onto the branch by pull request, where the branch takes no push.

One pull request for each way in: changed in place when something else is due, merged by its commit's hash when its
checks have passed and the same is due still, and closed when nothing is. What takes requests back is tried as a push
first, and by pull request at once where that is refused.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import structlog

from promoter.control.act import Draft, Pushed, publish
from promoter.control.offered_step import OfferedStep, keys_of, steps_of
from promoter.control.refused_steps import RefusedSteps
from promoter.control.respite import Respite
from promoter.decisions.steps import PASSES
from promoter.documents.pull_request_text import shown
from promoter.documents.step_text import body_of, overtaken, read_keys, title_of
from promoter.domain.pull_request import PullRequest, PullRequestState
from promoter.domain.repository import Revision
from promoter.errors import ForgeUnavailable, HeadMoved, PushRefused, StepWaits
from promoter.ports import Forge, Repository

# How often a forge is asked about a step that takes nothing back. The first time comes so long after it was opened, so
# that its checks have begun.
_LOOK_AGAIN = timedelta(seconds=10)
# A step that is due no more is not merged; whether it is due again is waited for so long.
_DUE_AGAIN = timedelta(minutes=1)
# A push that the branch's rules refused is tried again so often: rules change, and so do rights.
_PUSH_AGAIN = timedelta(minutes=1)
# What all answers of a forge may take in one pass, but for the last one.
_PATIENCE_S = 20.0
_LATE_BRANCH = timedelta(minutes=1)

log = structlog.get_logger()


class ByPullRequest:
    """`promoter.control.publisher.Publisher` by the one pull request from `branch`.

    It remembers only what spares questions. A fresh one takes up what is open, where the clone still has the commit.
    """

    def __init__(
        self,
        repository: Repository,
        forge: Forge,
        branch: str = PASSES,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._repository = repository
        self._asked = forge
        self._branch = branch
        self._clock = clock
        self._offered: OfferedStep | None = None
        self._number: int | None = None
        self._offered_at: datetime | None = None
        self._looked_at: datetime | None = None
        self._turn: datetime | None = None
        self._until = 0.0
        self._idle_since: datetime | None = None
        # A process before this one may have left one open.
        self._may_be_open = True
        self._refused = RefusedSteps()
        self._merged: tuple[int, datetime] | None = None
        self._push_refused: tuple[datetime, str] | None = None
        self._respite = Respite()
        self.waiting = ""

    def publish(self, commit: Draft) -> Pushed:
        self._begin_turn(commit.at)
        self._idle_since = None
        steps = steps_of(self._repository, commit)
        urgent = [path for path, step in steps.items() if step.takes_back]
        if urgent:
            return self._way_back(commit.only(urgent) or commit)
        if self._respite.lasts(commit.at) or self._was_looked_at(commit):
            raise StepWaits(self.waiting)
        try:
            return self._by_pull_request(commit, takes_back=False)
        except ForgeUnavailable as error:
            self._not_made(error, commit.at)
            raise self._waits(f"the forge does not do its part: {error}") from error

    def rest(self, at: datetime, reasons: Mapping[str, str]) -> None:
        if self._turn == at or not self._may_be_open or self._respite.lasts(at):
            return
        self._begin_turn(at)
        try:
            self._close_overtaken(at, reasons)
        except ForgeUnavailable as error:
            self._not_made(error, at)

    def _begin_turn(self, at: datetime) -> None:
        """A way back that goes onto a newer head is of the same turn, and has no new time for it."""
        if self._turn != at:
            self._turn, self._until = at, self._clock() + _PATIENCE_S

    @property
    def _forge(self) -> Forge:
        """The forge, as long as it answers in time. Raises ForgeUnavailable."""
        if self._clock() > self._until:
            raise ForgeUnavailable(f"the forge took more than {_PATIENCE_S:.0f} s for its answers in one pass")
        return self._asked

    def _way_back(self, commit: Draft) -> Pushed:
        """A push, which an account may be let make that has to ask for everything else; and else a pull request."""
        if self._push_refused is None or commit.at - self._push_refused[0] >= _PUSH_AGAIN:
            try:
                pushed = publish(self._repository, commit)
            except PushRefused as error:
                self._push_refused = commit.at, str(error)
            else:
                self._push_refused = None
                return pushed
        refusal = self._push_refused[1] if self._push_refused else ""
        try:
            return self._by_pull_request(commit, takes_back=True)
        except StepWaits as error:
            raise PushRefused(f"{refusal}; by pull request: {error}") from error
        except ForgeUnavailable as error:
            # Whatever else is down, the push costs little.
            self._push_refused = None
            raise PushRefused(f"{refusal}; by pull request: {error}") from error

    def _by_pull_request(self, commit: Draft, *, takes_back: bool) -> Pushed:
        pull = self._open_pull_request()
        last = self._what_became() if pull is None else None
        wanted = self._not_refused(commit)
        if last is not None and self._is_on_its_way(last, wanted):
            raise self._waits(f"{last.url} is merged, and the branch does not show it yet")
        step = None if pull is None else self._standing(pull, wanted)
        if pull is not None and step is None and not takes_back and self._speaks_for_another(wanted):
            raise self._waits(f"{pull.url}, of what somebody else asked for, comes first")
        if pull is None or step is None:
            pull, step = self._offer(wanted, pull, takes_back=takes_back)
            if not takes_back:
                raise self._waits(f"{pull.url} was opened just now")
        self._looked_at = commit.at
        if not takes_back and (lacking := self._forge.checks(step.revision).waits_for) is not None:
            raise self._waits(f"{pull.url}, checks {lacking}")
        return self._merge(pull, step)

    def _open_pull_request(self) -> PullRequest | None:
        if self._number is not None:
            known = self._forge.pull_request(self._number)
            found = known if known.state is PullRequestState.OPEN else None
        else:
            listed = self._forge.open_pull_requests(self._branch)
            found = next((one for one in listed if one.branch == self._branch), None)
        self._number = None if found is None else found.number
        if found is not None:
            self._refused.is_open(found)
        return found

    def _what_became(self) -> PullRequest | None:
        """The one before, None for none: a person may have closed it, or merged it while the branch was read."""
        last = self._forge.closed_pull_request(self._branch)
        if last is not None:
            self._refused.learn(last)
        return last

    def _is_on_its_way(self, last: PullRequest, wanted: Draft) -> bool:
        """Whether `last` brought what is `wanted`, and the branch was read before that. A while later it is not so."""
        keys = self._keys(wanted).values()
        if last.state is not PullRequestState.MERGED or read_keys(last.body).isdisjoint(keys):
            return False
        if last.head is None or self._repository.contains(wanted.parent, last.head):
            return False
        if self._merged is None or self._merged[0] != last.number:
            self._merged = last.number, wanted.at
        return wanted.at - self._merged[1] < _LATE_BRANCH

    def _keys(self, commit: Draft) -> dict[str, str]:
        return keys_of(self._repository, commit.parent, steps_of(self._repository, commit))

    def _not_refused(self, commit: Draft) -> Draft:
        """What of `commit` nobody refused. Raises StepWaits where nothing is left."""
        left = self._refused.left_of(commit, self._keys(commit))
        if left is None:
            # The same may be due for days, and is not asked about at each pass.
            self._respite.begin(commit.at)
            raise self._waits(
                f"a person closed the pull request from {self._branch}, and that is respected: reopen it, or change "
                "release.yaml, to think again"
            )
        return left

    def _speaks_for_another(self, wanted: Draft) -> bool:
        """Whether what is open is a person's word, as `wanted` is: neither takes the other's place."""
        step = self._offered
        return (
            step is not None
            and not wanted.decisions
            and step.draft.parent == wanted.parent
            and not step.is_old(wanted.at)
        )

    def _standing(self, pull: PullRequest, wanted: Draft) -> OfferedStep | None:
        """What `pull` offers, where it may be merged for `wanted`; as we offered it, whatever others made of it."""
        step = self._offered or OfferedStep.found(self._repository, pull.head)
        self._offered = step
        if step is None or not step.stands(self._repository, wanted):
            return None
        # A forge may be slow to show what was pushed.
        late = self._offered_at is not None and wanted.at - self._offered_at < _LOOK_AGAIN
        if pull.head != step.revision and not late:
            log.warning("step.restored", number=pull.number, url=pull.url, found=pull.head)
            return self._pushed_to_branch(step.draft)
        return step

    def _pushed_to_branch(self, draft: Draft) -> OfferedStep:
        self._may_be_open = True
        self._offered_at = self._turn
        revision = self._repository.offer(self._branch, draft.parent, draft.files, draft.message, draft.at)
        self._offered = OfferedStep.offered(revision, draft)
        return self._offered

    def _offer(self, wanted: Draft, pull: PullRequest | None, *, takes_back: bool) -> tuple[PullRequest, OfferedStep]:
        step = self._pushed_to_branch(wanted)
        keys = self._keys(wanted).values()
        title, body = title_of(wanted.message), body_of(wanted.message, keys, takes_back=takes_back)
        if pull is None:
            pull = self._forge.open_pull_request(self._branch, title, body)
            log.info("step.opened", number=pull.number, url=pull.url, title=title, revision=step.revision)
        else:
            pull = self._forge.change_pull_request(pull.number, title, body)
            log.info("step.changed", number=pull.number, url=pull.url, title=title, revision=step.revision)
        self._number, self._looked_at = pull.number, self._turn
        return pull, step

    def _merge(self, pull: PullRequest, step: OfferedStep) -> Pushed:
        """Have it merged. What came of it is read from the branch, never from how the forge's answer ended."""
        revision, parent = step.revision, step.draft.parent
        if self._repository.fetch() != parent:
            raise HeadMoved(f"{parent} is no longer the head: somebody pushed first")
        failure: ForgeUnavailable | None = None
        told: str | None = None
        try:
            told = self._forge.merge_pull_request(pull.number, revision)
        except ForgeUnavailable as error:
            failure = error
        head = self._repository.fetch()
        if self._repository.contains(head, revision):
            log.info("step.merged", number=pull.number, url=pull.url, revision=revision)
            self._forget()
            return Pushed(revision, step.draft)
        if head != parent:
            raise HeadMoved(f"{parent} is no longer the head: somebody pushed first")
        if failure is not None:
            raise failure
        raise self._waits(f"{pull.url}: {told or 'it is merged, and the branch does not show it yet'}")

    def _was_looked_at(self, commit: Draft) -> bool:
        """Whether the forge was asked a moment ago about the step that stands for `commit`."""
        if self._looked_at is None or commit.at - self._looked_at >= _LOOK_AGAIN:
            return False
        return self._offered is not None and self._offered.stands(self._repository, commit)

    def _close_overtaken(self, at: datetime, reasons: Mapping[str, str]) -> None:
        head, step = self._repository.last_known_head(), self._offered
        if step is not None and head is not None and self._repository.contains(head, step.revision):
            log.info("step.merged", by="a person", revision=step.revision)
            self._forget()
            return
        self._idle_since = self._idle_since or at
        if self._may_be_due_again(head, at):
            return
        pull = self._open_pull_request()
        if pull is not None and self._offered is None:
            self._offered = OfferedStep.found(self._repository, pull.head)
            if self._may_be_due_again(head, at):
                return
        if pull is not None:
            self._close(pull, reasons)
        self._forget()

    def _may_be_due_again(self, head: Revision | None, at: datetime) -> bool:
        """Whether what is open is kept for a moment, unmerged: a pass may have failed to see something."""
        step, since = self._offered, self._idle_since
        return step is not None and since is not None and step.draft.parent == head and at - since < _DUE_AGAIN

    def _close(self, pull: PullRequest, reasons: Mapping[str, str]) -> None:
        paths = () if self._offered is None else self._offered.draft.files
        reason = "; ".join(reasons[path] for path in paths if path in reasons) or "it is not due any more"
        # Another time the same may be due again: this is nobody's no.
        self._forge.change_pull_request(pull.number, pull.title, overtaken(pull.body))
        self._forge.close_pull_request(pull.number, shown(reason))
        self._forge.delete_branch(self._branch)
        log.info("step.closed", number=pull.number, url=pull.url, reason=reason)

    def _forget(self) -> None:
        self._offered = None
        self._number = self._offered_at = self._looked_at = self._idle_since = None
        self._may_be_open = False
        self.waiting = ""

    def _waits(self, what: str) -> StepWaits:
        if what != self.waiting:
            log.info("step.waits", what=what)
        self.waiting = what
        return StepWaits(what)

    def _not_made(self, error: ForgeUnavailable, now: datetime) -> None:
        log.warning("step.not_made", branch=self._branch, detail=str(error), retry_in=self._respite.begin(now))
