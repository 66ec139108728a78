"""One pass: observe, decide, act. The same pass on the same facts builds the same commit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from promoter.control.act import Draft, Pushed, draft, renewed
from promoter.control.observe import Observer, Ports
from promoter.control.publisher import ByPush, Publisher
from promoter.decisions.line import stop_the_line
from promoter.decisions.rollout import decide
from promoter.decisions.sharing import Use, in_flight, share, use
from promoter.decisions.sync_windows import asks_for_sync_windows
from promoter.domain.action import Action, Hold, is_way_back
from promoter.domain.freeze import Unreadable
from promoter.domain.names import ServedModel
from promoter.domain.observation import Observation
from promoter.domain.release import Release
from promoter.domain.repository import MisnamedFolder, Revision
from promoter.domain.shared_limits import SharedLimits
from promoter.errors import HeadMoved, InvalidInput, PromoterError, RepositoryUnavailable, StepWaits
from promoter.ports import Repository

# Git hosts advise six pushes a minute and repository.
_COMMITS_PER_MINUTE = 6

# A way back that somebody else's push was quicker than is put on the newer head this often, before its pass is computed
# again: what it rests on is looked at each time, and what it was judged by must not grow old meanwhile.
_RENEWALS = 10

# Peers are asked side by side, so that one that hangs does not hold up the rest.
_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a pass made of one model. `seen` is None where its files do not parse.

    behind: the models it waits for, where its environment's limits are taken.
    """

    served: ServedModel
    action: Action
    seen: Observation | None = None
    behind: tuple[ServedModel, ...] = ()

    @property
    def is_way_back(self) -> bool:
        """Whether it takes traffic from a version that should not have it; such a step never waits for a limit."""
        return is_way_back(self.action)


@dataclass(frozen=True, slots=True)
class Standing:
    """An environment's limits, and what is taken of them."""

    limits: SharedLimits
    taken: Use


@dataclass(frozen=True, slots=True)
class Survey:
    """Everything one pass decided, before it acts.

    standing: of each environment with limits, how much of them is taken by what Git says now.
    draft: the commit it would make, None for none. stale: the remote did not answer, and all this is
    about the last head that is known.
    """

    head: Revision
    at: datetime
    verdicts: tuple[Verdict, ...]
    misnamed: tuple[MisnamedFolder, ...]
    draft: Draft | None
    stale: str | None = None
    standing: Mapping[str, Standing] | Unreadable = field(default_factory=dict)

    @property
    def way_back_due(self) -> bool:
        """Whether traffic has to be taken from a version."""
        return any(verdict.is_way_back for verdict in self.verdicts)

    @property
    def ways_back(self) -> tuple[tuple[Observation, Action], ...]:
        """What takes traffic back, with what it was decided on."""
        return tuple(
            (verdict.seen, verdict.action) for verdict in self.verdicts if verdict.seen and verdict.is_way_back
        )


class Reconciler:
    """Passes over one repository."""

    def __init__(self, ports: Ports, observer: Observer, publisher: Publisher | None = None) -> None:
        """publisher: how commits get onto the branch; None pushes them."""
        self._ports = ports
        self._observer = observer
        self._publisher: Publisher = publisher or ByPush(ports.repository)
        # The commit that changed each release.yaml last, as the pass before saw it. A fresh process does without.
        self._changed: dict[ServedModel, Revision] = {}
        self._own: Revision | None = None

    @property
    def repository(self) -> Repository:
        """What the passes are over. It serves one thread at a time."""
        return self._ports.repository

    @property
    def waiting(self) -> str:
        """What the commit that `act` did not get onto the branch waits for; empty for none."""
        return self._publisher.waiting

    def survey(self, now: datetime) -> Survey:
        """Observe and decide; nothing is written. Raises RepositoryUnavailable where no head was ever known.

        Argo CD is made to look where somebody else has changed a release.yaml since the pass before: a person's way
        back must not wait for its polling.
        """
        repository = self._ports.repository
        stale = None
        try:
            head = repository.fetch()
        except RepositoryUnavailable as error:
            known = repository.last_known_head()
            if known is None:
                raise
            head, stale = known, str(error)
        inventory = repository.inventory(head)
        limits = self._observer.limits(head)
        read = {served: self._read(served, head) for served in inventory.models}
        unseen = self._unseen(read, head, limits)
        verdicts = self._verdicts(read, unseen, head, now, limits)
        due = [(verdict.seen, verdict.action) for verdict in verdicts if verdict.seen is not None]
        commit = draft(repository, due, head, now)
        standing = _standing(verdicts, unseen, limits)
        return Survey(head, now, verdicts, inventory.misnamed, commit, stale, standing)

    def settle(self) -> bool:
        """Wait for the preflights that this process runs; True where any began, so that another pass is due."""
        preflights = self._ports.preflights
        return preflights is not None and preflights.settle()

    def act(self, survey: Survey) -> Pushed | None:
        """Publish the commit of `survey` and make Argo CD look; None where nothing got onto the branch.

        Where somebody pushed first, ways back go onto the newer head at once, and everything else waits for the next
        pass. Raises HeadMoved, PushRefused, RepositoryUnavailable.
        """
        if survey.draft is None:
            reasons = {one.served.release_path: f"{one.served}: {one.action.reason}" for one in survey.verdicts}
            self._publisher.rest(survey.at, reasons)
            return None
        try:
            pushed = self._pushed(survey, survey.draft)
        except StepWaits:
            return None
        self._own = pushed.revision
        changed = [verdict.served for verdict in survey.verdicts if verdict.served.release_path in pushed.draft.files]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(self._refresh, changed))
        return pushed

    def _pushed(self, survey: Survey, commit: Draft) -> Pushed:
        repository = self._ports.repository
        for _ in range(_RENEWALS):
            try:
                return self._publisher.publish(commit)
            except HeadMoved:
                again = renewed(repository, survey.ways_back, survey.head, survey.at)
                if again is None:
                    raise
                commit = again
        return self._publisher.publish(commit)

    def _refresh(self, served: ServedModel) -> None:
        """A hint that spares Argo CD's polling interval; the next pass sees whether it worked."""
        try:
            self._ports.cluster.application(served, refresh=True)
        except PromoterError:
            return

    def _verdicts(
        self,
        read: Mapping[ServedModel, Observation | InvalidInput],
        unseen: Mapping[ServedModel, Release],
        head: Revision,
        now: datetime,
        limits: Mapping[str, SharedLimits] | Unreadable,
    ) -> tuple[Verdict, ...]:
        # Those with a rollout first: models at rest share the time that is left.
        given = sorted(_observations(read), key=lambda seen: seen.release.canary is None)
        self._observer.begin_pass(given, now)
        changed = self._changed_by_others(given)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(self._refresh, changed))
            asked = pool.map(lambda seen: self._observer.ask(seen, now), given)
            observations = {seen.served: self._observer.trace(seen) for seen in asked}
            actions = {served: decide(seen, now) for served, seen in observations.items()}
            # Most passes are spared this question.
            barred = [seen for seen in observations.values() if asks_for_sync_windows(seen, actions[seen.served], now)]
            for seen in pool.map(self._observer.with_sync_windows, barred):
                observations[seen.served], actions[seen.served] = seen, decide(seen, now)
        actions = stop_the_line(observations, actions)
        # After all have been decided: each knows what those before it take.
        shared = share(observations, actions, unseen, limits)
        actions = self._within_limit(shared.actions, head, now)
        return tuple(
            Verdict(served, actions[served], observations[served], shared.behind.get(served, ()))
            if served in observations
            else Verdict(served, Hold(str(error), alarm=True))
            for served, error in read.items()
        )

    def _changed_by_others(self, read: Sequence[Observation]) -> list[ServedModel]:
        """The models whose release.yaml is not what it was in the pass before, by a commit of no pass's.

        Our own are refreshed once they are pushed. What a person said in a comment is in the promoter's name too.

        No more than are refreshed at once: a commit that changes a thousand must not hold up the pass.
        """
        before = self._changed
        self._changed = {seen.served: seen.changed.revision for seen in read}
        changed = [
            seen.served
            for seen in read
            if seen.changed.revision not in (self._own, before.get(seen.served, seen.changed.revision))
        ]
        return changed[:_AT_ONCE]

    def _read(self, served: ServedModel, head: Revision) -> Observation | InvalidInput:
        """A broken file stops its own model, and no other."""
        try:
            return self._observer.read(served, head)
        except InvalidInput as error:
            return error

    def _unseen(
        self,
        read: Mapping[ServedModel, Observation | InvalidInput],
        head: Revision,
        limits: Mapping[str, SharedLimits] | Unreadable,
    ) -> dict[ServedModel, Release]:
        """Releases of models whose other files do not parse: their canaries take of the limits as well."""
        if isinstance(limits, Unreadable):
            return {}
        broken = [
            served for served, found in read.items() if isinstance(found, InvalidInput) and served.environment in limits
        ]
        releases = ((served, self._observer.release(served, head)) for served in broken)
        return {served: release for served, release in releases if release is not None}

    def _within_limit(
        self, actions: Mapping[ServedModel, Action], head: Revision, now: datetime
    ) -> dict[ServedModel, Action]:
        """At most six commits a minute, except for a way back."""
        forward = {
            served for served, action in actions.items() if not (isinstance(action, Hold) or is_way_back(action))
        }
        if not forward:
            return dict(actions)
        recent = self._ports.repository.own_commits_since(head, now - timedelta(minutes=1))
        if recent < _COMMITS_PER_MINUTE:
            return dict(actions)
        reason = f"{recent} commits in the last minute are enough for one repository"
        return {
            served: Hold(f"{reason}; next: {action.reason}", action.evidence) if served in forward else action
            for served, action in actions.items()
        }


def _standing(
    verdicts: Sequence[Verdict],
    unseen: Mapping[ServedModel, Release],
    limits: Mapping[str, SharedLimits] | Unreadable,
) -> dict[str, Standing] | Unreadable:
    if isinstance(limits, Unreadable):
        return limits
    seen = {verdict.served: verdict.seen for verdict in verdicts if verdict.seen is not None}
    return {
        environment: Standing(limit, use(in_flight(seen, unseen, environment))) for environment, limit in limits.items()
    }


def _observations(read: Mapping[ServedModel, Observation | InvalidInput]) -> list[Observation]:
    return [seen for seen in read.values() if isinstance(seen, Observation)]
