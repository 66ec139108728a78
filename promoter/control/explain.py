"""A commit's decision, computed again: from the commit before it, and from what Prometheus says of that time today.

The trailers are only compared with. What is decided comes from the files in Git and from the counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from promoter.control.observe import Observer
from promoter.decisions.hindsight import Gap, Hindsight, look_back
from promoter.decisions.transition import released
from promoter.documents.commit_message import DecisionRecord, read_trailers
from promoter.documents.evidence_text import Figure, RecordedEvidence, as_recorded, figures
from promoter.domain.action import ACTION_NAMES
from promoter.domain.freeze import Unreadable
from promoter.domain.names import ServedModel
from promoter.domain.release import Release
from promoter.domain.repository import Commit, Revision
from promoter.errors import InvalidName
from promoter.ports import Repository


class Outcome(StrEnum):
    """How the decision in a commit compares with the one computed again.

    UNRECORDED: it rests on what a peer said at that moment, which nobody wrote down. FORGOTTEN: on samples that
    Prometheus no longer holds.
    """

    SAME = "same"
    ANOTHER = "another"
    UNRECORDED = "unrecorded"
    FORGOTTEN = "forgotten"


@dataclass(frozen=True, slots=True)
class Account:
    """One side of the comparison. action: as trailers spell it. release: what it leads to."""

    action: str
    release: Release


@dataclass(frozen=True, slots=True)
class Compared:
    """One figure of the evidence on both sides; None where a side has none.

    differs: the commit tells another one. What it does not tell cannot differ.
    """

    recorded: Figure
    recomputed: Figure
    differs: bool


@dataclass(frozen=True, slots=True)
class Explanation:
    """One model's part of a commit: as the commit tells it, and as it comes out today.

    figures: of the evidence, by name. reason: of today's decision. conclusion: sentences for people.
    """

    commit: Commit
    served: ServedModel
    outcome: Outcome
    recorded: Account
    recomputed: Account
    figures: Mapping[str, Compared]
    reason: str
    conclusion: str

    @property
    def same(self) -> bool:
        """Whether the decision would be the same, whatever the commit tells of its numbers."""
        return self.outcome is Outcome.SAME


class Explainer:
    """Decides again. Of the observer's peers only Git and Prometheus are asked."""

    def __init__(self, repository: Repository, observer: Observer) -> None:
        self._repository = repository
        self._observer = observer

    def explain(self, commit: Commit) -> tuple[Explanation, ...]:
        """One explanation for each model of a commit of the promoter's.

        Raises InvalidName for a commit of somebody else, InvalidInput where a file of that time does not parse, and
        MetricsUnavailable.
        """
        shown = f"commit {commit.revision[:12]} by {commit.author}"
        if not commit.ours or commit.parent is None:
            raise InvalidName(f"{shown} is not the promoter's: only its author can say why")
        records = read_trailers(commit.message)
        if not records:
            raise InvalidName(f"{shown} has no trailers: it does not say what was decided, so nothing can be compared")
        return tuple(self._explain(commit, commit.parent, record) for record in records)

    def explain_all(self, head: Revision, limit: int) -> tuple[Explanation, ...]:
        """Every decision among the newest `limit` commits, the oldest first. Raises what `explain` raises."""
        newest_first = self._repository.log(head, limit=limit)
        decisions = [commit for commit in reversed(newest_first) if commit.ours and read_trailers(commit.message)]
        return tuple(explanation for commit in decisions for explanation in self.explain(commit))

    def _explain(self, commit: Commit, parent: Revision, record: DecisionRecord) -> Explanation:
        served, now = record.served, commit.at
        after = self._observer.read(served, commit.revision).release
        seen = self._observer.read(served, parent)
        # A first version is compared with nothing, so nothing was counted for it.
        if seen.release.stable is not None:
            seen = self._observer.recall(seen, now)
        limits = self._observer.limits(parent)
        limit = None if isinstance(limits, Unreadable) else limits.get(served.environment)
        found = look_back(seen, now, record.action, after, exposure=limit.exposure if limit else None)
        today = as_recorded(found.action.evidence) if found.action.evidence else None
        compared = _compared(record.evidence, today, nothing_left=found.gap is Gap.EVERYTHING)
        outcome = _outcome(found, compared)
        return Explanation(
            commit,
            served,
            outcome,
            recorded=Account(record.action, after),
            recomputed=Account(ACTION_NAMES[type(found.action)], released(seen.release, found.action, now)),
            figures=compared,
            reason=found.action.reason,
            conclusion=_conclusion(outcome, found, compared),
        )


def _compared(
    recorded: RecordedEvidence | None, recomputed: RecordedEvidence | None, *, nothing_left: bool
) -> dict[str, Compared]:
    """Figure by figure. nothing_left: no sample is there, so the recomputed ones are none, and nothing differs."""
    said = figures(recorded) if recorded else {}
    today = figures(recomputed) if recomputed and not nothing_left else {}
    return {
        name: Compared(
            said.get(name), today.get(name), differs=not nothing_left and name in said and said[name] != today.get(name)
        )
        for name in dict.fromkeys((*today, *said))
    }


def _outcome(found: Hindsight, compared: Mapping[str, Compared]) -> Outcome:
    reproduced = found.same and not any(figure.differs for figure in compared.values())
    if found.gap is not None and not (reproduced and found.gap.is_partial):
        return Outcome.FORGOTTEN
    if found.same:
        return Outcome.SAME
    return Outcome.ANOTHER if found.silence is None else Outcome.UNRECORDED


def _conclusion(outcome: Outcome, found: Hindsight, compared: Mapping[str, Compared]) -> str:
    match outcome:
        case Outcome.SAME:
            return f"The decision would be the same{_on_which_numbers(compared)}."
        case Outcome.ANOTHER:
            reason = found.action.reason.removesuffix(".")
            return f"The decision would be another one: {ACTION_NAMES[type(found.action)]}: {reason}."
        case Outcome.UNRECORDED:
            return f"It cannot be recomputed: {found.silence}."
        case Outcome.FORGOTTEN:
            return f"It cannot be recomputed: {found.gap}."


def _on_which_numbers(compared: Mapping[str, Compared]) -> str:
    if any(figure.differs for figure in compared.values()):
        return ", but the commit tells other numbers: they are marked"
    if any(figure.recorded is not None for figure in compared.values()):
        return ", on the same numbers"
    return ". The commit tells no numbers" if compared else ""
