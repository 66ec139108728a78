"""What a person asks for by a verb, as one commit in the person's own name.

The promoter finds it as any other change of people's, and respects it. Nothing is asked but Git: a verb has
to work on a night on which nothing else does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from promoter.control.act import Draft
from promoter.control.backwards import last_stable, lately_stable
from promoter.control.naming import scope_of, served_model
from promoter.control.publisher import ByPush, Publisher
from promoter.decisions.halt import halted_by
from promoter.decisions.verbs import (
    paused,
    promoted_in_full,
    promotion_approved,
    retried,
    reverted,
    rolled_back,
    start_approved,
    withdrawn,
)
from promoter.documents.freeze_file import parse_freezes, write_freezes
from promoter.documents.one_line import one_line
from promoter.documents.policy_edit import with_paused
from promoter.documents.policy_file import parse_policy
from promoter.documents.prose import sentence
from promoter.documents.release_file import parse_release, write_release
from promoter.documents.verb_message import write_verb_message
from promoter.documents.yaml_text import decode
from promoter.domain.duration import format_duration
from promoter.domain.freeze import Freeze
from promoter.domain.names import FREEZE_PATH, ServedModel
from promoter.domain.policy import RolloutPolicy
from promoter.domain.release import Pause, Release
from promoter.domain.repository import Revision
from promoter.domain.version import Digest, ModelVersion, StoredVersion
from promoter.errors import HeadMoved, InvalidDocument, InvalidInput
from promoter.ports import Repository

# Others may push between our look and our push; each time everything is computed again.
_TRIES = 5

# So many versions are named in a sentence.
_NAMED = 5

# What `promote --full` takes the place of, and what it does not.
SKIPPED_IN_FULL = (
    "what is left of the steps, the soak and the proof of the margin. Still asked: no sign of harm, fresh samples, "
    "Ready pods, the guard"
)

Plan = Callable[[Revision], Draft]


@dataclass(frozen=True, slots=True)
class Word:
    """Who says it, why, and when. Raises InvalidInput for a reason without anything to read."""

    person: str
    reason: str
    at: datetime

    def __post_init__(self) -> None:
        if not one_line(self.reason):
            raise InvalidInput("the reason is empty: say in a sentence why, for those who read the history")


def carry_out(repository: Repository, plan: Plan, publisher: Publisher | None = None) -> tuple[Draft, Revision]:
    """Publish what `plan` makes of the head, and of a newer head where somebody pushed first.

    publisher: how it gets onto the branch; None pushes it. Raises HeadMoved where that happened five times, and what
    `plan` and Publisher.publish raise.
    """
    way = publisher or ByPush(repository)
    for _ in range(_TRIES - 1):
        try:
            return _once(repository, plan, way)
        except HeadMoved:
            continue
    return _once(repository, plan, way)


def _once(repository: Repository, plan: Plan, way: Publisher) -> tuple[Draft, Revision]:
    draft = plan(repository.fetch())
    return draft, way.publish(draft).revision


class Verbs:
    """Drafts of commits. Each raises InvalidInput, with a sentence, where there is nothing to do."""

    def __init__(self, repository: Repository, word: Word) -> None:
        self._repository = repository
        self._word = word

    def revert(self, head: Revision, model: str, environment: str | None) -> Draft:
        """Weight 0 and into `rejected`; the promoter takes the pods away once that is live."""
        served, release = self._release(head, model, environment)
        after = _about(served, lambda: reverted(release, f"{self._word.person}: {self._word.reason}", self._word.at))
        return self._new_release(head, served, after, f"canary {_canary(release)} reverted", "revert")

    def withdraw(self, head: Revision, model: str, environment: str | None) -> Draft:
        """Weight 0; it stays the canary, and starts again after a pause."""
        served, release = self._release(head, model, environment)
        after = _about(served, lambda: withdrawn(release, f"{self._word.person}: {self._word.reason}", self._word.at))
        return self._new_release(head, served, after, f"canary {_canary(release)} withdrawn", "withdraw")

    def retry(self, head: Revision, model: str, environment: str | None, version: ModelVersion) -> Draft:
        """Forget the rejection of `version`."""
        served, release = self._release(head, model, environment)
        after = _about(served, lambda: retried(release, version))
        return self._new_release(head, served, after, f"rejection of {version} forgotten", "retry")

    def approve_promotion(self, head: Revision, model: str, environment: str | None) -> Draft:
        """`approved: true` in the canary, as the merge of the promoter's pull request would write it."""
        served, release = self._release(head, model, environment)
        asked = self._policy(head, served).approval.promote
        after = _about(served, lambda: promotion_approved(release, asked))
        note = "It gets all requests once there is evidence enough."
        return self._new_release(
            head, served, after, f"promotion of canary {_canary(release)} approved", "promote", note=note
        )

    def promote(self, head: Revision, model: str, environment: str | None) -> Draft:
        """`promote: full` in the canary: the promoter carries it out, pods first. Refused while it is halted."""
        served, release = self._release(head, model, environment)
        after = _about(served, lambda: promoted_in_full(release))
        self._refuse_while_halted(head, served, release)
        what = f"canary {_canary(release)} to be promoted in full"
        return self._new_release(head, served, after, what, "promote", note=f"Skips: {SKIPPED_IN_FULL}.")

    def start(
        self, head: Revision, model: str, environment: str | None, version: ModelVersion, digest: Digest | None = None
    ) -> Draft:
        """A version starts with a person's approval, or a withdrawn canary again without the rest of its pause.

        digest: of the files that are agreed to, where the policy asks for an approval. Refused while it is halted.
        """
        served, release = self._release(head, model, environment)
        asked = self._policy(head, served).approval.start
        after = _about(served, lambda: start_approved(release, version, digest, asked))
        self._refuse_while_halted(head, served, release)
        what = f"canary {version} to start again" if release.canary else f"start of {version} approved"
        return self._new_release(head, served, after, what, "start")

    def rollback(self, head: Revision, model: str, environment: str | None, version: ModelVersion) -> Draft:
        """`start`: a version that was stable comes back, without analysis where it was so lately, else as a canary.

        The latter is refused while it is halted; the former is a way back, which nothing bars.
        """
        served, release = self._release(head, model, environment)
        found = last_stable(self._repository, served, head, version)
        if found is None and release.stable is not None and release.stable.version == version:
            raise InvalidInput(f"{served}: {version} is stable")
        if found is None:
            others = ", ".join(map(str, lately_stable(self._repository, served, head, _NAMED)))
            raise InvalidInput(
                f"{served}: {version} was never stable here, as far as {served.release_path} tells: "
                f"{others or 'no version'} was. What never served starts as a candidate, by itself"
            )
        after = _about(served, lambda: rolled_back(release, StoredVersion(version, found.digest)))
        window = self._policy(head, served).rollback_window
        ended = f"It was stable until {found.ended.at:%Y-%m-%d %H:%M} UTC"
        if self._word.at - found.ended.at <= window:
            note = f"{ended}, so all requests go to it once its pods are Ready: no preflight, no analysis, no freeze."
        else:
            self._refuse_while_halted(head, served, release)
            note = f"{ended}, more than {format_duration(window)} ago (rollback_window), so it is tried like a new one."
        return self._new_release(head, served, after, f"{version} to come back", "rollback", note=note)

    def _refuse_while_halted(self, head: Revision, served: ServedModel, release: Release) -> None:
        by_policy = self._policy(head, served).paused
        freezes = tuple(self._frozen(head))
        halt = halted_by(served, freezes, self._word.at, by_policy=by_policy, by_mark=release.paused)
        if halt is not None:
            lift = "promoter unfreeze" if FREEZE_PATH in halt.reason else "promoter resume"
            raise InvalidInput(f"{served}: nothing rises here: {halt.reason}. `{lift}` comes first")

    def _policy(self, head: Revision, served: ServedModel) -> RolloutPolicy:
        return parse_policy(self._text(head, served.policy_path), served.policy_path)

    def pause(self, head: Revision, model: str, environment: str | None) -> Draft:
        """`paused: true` in policy.yaml, until somebody resumes."""
        served = served_model(self._repository, head, model, environment)
        text = with_paused(self._text(head, served.policy_path), served.policy_path, paused=True)
        return self._draft(head, served, {served.policy_path: text}, "paused", "pause")

    def resume(self, head: Revision, model: str, environment: str | None) -> Draft:
        """Neither policy.yaml nor release.yaml says paused: whichever does is changed."""
        served, release = self._release(head, model, environment)
        files, lifted = {}, []
        if self._policy(head, served).paused:
            text = self._text(head, served.policy_path)
            files[served.policy_path] = with_paused(text, served.policy_path, paused=False)
            lifted.append("`paused: true` in policy.yaml")
        if release.paused is not None:
            files[served.release_path] = self._written(head, served, replace(release, paused=None))
            lifted.append(_named(release.paused))
        if not files:
            raise InvalidInput(f"{served} is not paused: neither policy.yaml nor release.yaml says so")
        return self._draft(head, served, files, "resumed", "resume", note=f"Lifted: {' and '.join(lifted)}.")

    def pause_by_mark(self, head: Revision, model: str, environment: str | None, said: str) -> Draft:
        """`paused` in release.yaml, until somebody resumes: for a promoter, whose hand may write nothing else.

        said: the address at which the person said it.
        """
        served, release = self._release(head, model, environment)
        pause = Pause(self._word.person, self._word.reason, self._word.at, said)
        by_policy = self._policy(head, served).paused
        after = _about(served, lambda: paused(release, pause, by_policy=by_policy))
        note = "Nothing starts and nothing rises until somebody lifts it; ways back stay open."
        return self._new_release(head, served, after, "paused", "pause", note=note)

    def lift_mark(self, head: Revision, model: str, environment: str | None) -> Draft:
        """No `paused` in release.yaml. What policy.yaml says stays, and has to be lifted by a person."""
        served, release = self._release(head, model, environment)
        if release.paused is None and self._policy(head, served).paused:
            raise InvalidInput(
                f"the pause stands in policy.yaml, which the promoter's account may not write. Run `promoter resume "
                f"{served.name} --environment {served.environment} --reason '…'`"
            )
        if release.paused is None:
            raise InvalidInput(f"{served} is not paused")
        note = f"Lifted: {_named(release.paused)}."
        return self._new_release(head, served, replace(release, paused=None), "resumed", "resume", note=note)

    def freeze(self, head: Revision, model: str | None, environment: str | None, until: datetime | None) -> Draft:
        """Nothing starts and nothing rises for a model, in an environment, or (with neither) anywhere.

        until: None for until it is unfrozen.
        """
        scope = scope_of(self._repository, head, model, environment)
        if until is not None and until <= self._word.at:
            raise InvalidInput(f"{until:%Y-%m-%d %H:%M} UTC is over already: nothing would be frozen")
        now = self._frozen(head)
        said = next((freeze for freeze in now if freeze.scope == scope), None)
        if said is not None and said.until == until:
            raise InvalidInput(f"{FREEZE_PATH}: {scope} is frozen already, by {said.by or 'somebody'}: {said.reason}")
        freeze = Freeze(scope, self._word.reason, self._word.person, until)
        others = [other for other in now if other.scope != scope]
        return self._new_freezes(head, [*others, freeze], scope, "frozen", "freeze")

    def unfreeze(self, head: Revision, model: str | None, environment: str | None) -> Draft:
        """Lift the freeze of exactly this scope; one that covers more stays."""
        scope = scope_of(self._repository, head, model, environment)
        now = self._frozen(head)
        left = [freeze for freeze in now if freeze.scope != scope]
        if len(left) == len(now):
            others = ", ".join(freeze.scope for freeze in now)
            raise InvalidInput(f"{FREEZE_PATH}: {scope} is not frozen; {others or 'nothing'} is")
        return self._new_freezes(head, left, scope, "unfrozen", "unfreeze")

    def _frozen(self, head: Revision) -> list[Freeze]:
        """The freezes that hold; those that ended are left out, and go with the next commit."""
        content = self._repository.read(head, FREEZE_PATH) or b""
        return [freeze for freeze in parse_freezes(content, FREEZE_PATH) if freeze.holds(self._word.at)]

    def _new_freezes(self, head: Revision, freezes: Sequence[Freeze], scope: str, what: str, verb: str) -> Draft:
        before = self._repository.read(head, FREEZE_PATH) or b""
        text = write_freezes(before, freezes, FREEZE_PATH)
        message = write_verb_message(scope, f"{what} by {self._word.person}", self._word.reason, verb)
        return Draft(head, {FREEZE_PATH: text.encode()}, message, self._word.at)

    def _release(self, head: Revision, model: str, environment: str | None) -> tuple[ServedModel, Release]:
        served = served_model(self._repository, head, model, environment)
        return served, parse_release(self._text(head, served.release_path), served.release_path)

    def _new_release(
        self, head: Revision, served: ServedModel, after: Release, what: str, verb: str, *, note: str = ""
    ) -> Draft:
        files = {served.release_path: self._written(head, served, after)}
        return self._draft(head, served, files, what, verb, note=note)

    def _written(self, head: Revision, served: ServedModel, after: Release) -> str:
        return write_release(self._text(head, served.release_path), after, served.release_path)

    def _draft(
        self, head: Revision, served: ServedModel, files: dict[str, str], what: str, verb: str, *, note: str = ""
    ) -> Draft:
        """note: sentences that follow the reason."""
        place = f"{served.model}: {served.environment}"
        reason = f"{sentence(one_line(self._word.reason))} {note}".rstrip()
        message = write_verb_message(place, f"{what} by {self._word.person}", reason, verb)
        return Draft(head, {path: text.encode() for path, text in files.items()}, message, self._word.at)

    def _text(self, head: Revision, path: str) -> str:
        content = self._repository.read(head, path)
        if content is None:
            raise InvalidDocument(path, None, "the file is missing")
        return decode(content, path)


def _about(served: ServedModel, change: Callable[[], Release]) -> Release:
    """What `change` gives; its complaint begins with the model's name."""
    try:
        return change()
    except InvalidInput as error:
        raise InvalidInput(f"{served}: {error}") from error


def _named(pause: Pause) -> str:
    return f"the pause of {pause.by} in release.yaml, since {pause.at:%Y-%m-%d %H:%M} UTC"


def _canary(release: Release) -> ModelVersion | None:
    return release.canary.version if release.canary else None
