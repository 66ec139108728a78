"""A rollout of the past as sentences for people, and as plain data for programs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from promoter.documents.commit_message import DecisionRecord, read_trailers
from promoter.documents.evidence_text import RecordedEvidence, figures
from promoter.documents.prose import sentence
from promoter.domain.action import ACTION_NAMES, Withhold
from promoter.domain.duration import format_duration
from promoter.domain.evidence import ArmCounts
from promoter.domain.figures import grouped, odds_text, percent
from promoter.domain.names import ServedModel
from promoter.domain.past_rollout import Ended, PastRollout, Step
from promoter.domain.repository import Commit
from promoter.domain.version import ModelVersion

_SHOWN_DIGITS = 8
_SHORT = timedelta(minutes=10)


def headline(rollout: PastRollout) -> str:
    """`Version 43 was promoted after 25m`."""
    took = _took(rollout)
    match rollout.ended:
        case Ended.PROMOTED if rollout.stable is None:
            return f"Version {rollout.version} became the first to be served"
        case Ended.PROMOTED if len(rollout.steps) == 1:
            return f"Version {rollout.version} was promoted at once"
        case Ended.REFUSED:
            return f"Version {rollout.version} was refused by its preflight, and served nobody"
        case Ended.PLACED:
            return f"Version {rollout.version} was {_placed(rollout)}"
        case Ended.UNDER_WAY:
            return f"Version {rollout.version} is under way, {_standing(rollout)}"
        case ended:
            return f"Version {rollout.version} was {ended.value} after {took}"


def account(rollout: PastRollout, served: ServedModel) -> tuple[str, ...]:
    """The story in sentences: its course, why it ended so, and its evidence in two; without people's commits."""
    return tuple(_account(rollout, served))


def _account(rollout: PastRollout, served: ServedModel) -> Iterator[str]:
    shown = [f"{weight} %" for _, weight in rollout.weights]
    if len(shown) > 1:
        against = f", against {rollout.stable}" if rollout.stable else ""
        yield f"It had {_joined(shown)} of the requests{against}."
    for step in _withdrawals(rollout):
        canary = step.after.canary
        if canary is not None and canary.withdrawn:
            yield f"It was withdrawn at {step.commit.at:%H:%M}: {canary.withdrawn.removesuffix('.')}."
    if rollout.deciding is not None and (why := reason(rollout)):
        yield sentence(why)
    evidence = last_evidence(rollout, served)
    if evidence is not None:
        yield from evidence_sentences(evidence, rollout.version, rollout.stable)
    elif rollout.exposed_at is not None and rollout.stable is not None and rollout.ended is not Ended.PLACED:
        yield "No commit tells of any evidence."


def evidence_sentences(
    evidence: RecordedEvidence, version: ModelVersion, stable: ModelVersion | None
) -> tuple[str, str]:
    """What was counted, and what it came to."""
    counted = f"Of {_counted(evidence.canary, version)}"
    if stable is not None and evidence.stable.requests:
        counted += f"; of {_counted(evidence.stable, stable)}"
    weighed = f"The odds against {version} were {recorded_odds(evidence.odds)}"
    if evidence.proven is not None:
        weighed += f", and its excess of failures was below {percent(evidence.proven)}"
    return f"{counted}.", f"{weighed}."


def recorded_odds(odds: float | None) -> str:
    """Odds that a commit tells, as people say them."""
    if odds is None:
        return "unknown"
    return odds_text(math.log(odds) if odds > 0 else -math.inf)


def reason(rollout: PastRollout) -> str:
    """Why it ended, in the words of who ended it; empty while it is under way."""
    if rollout.deciding is None:
        return ""
    rejection = rollout.deciding.after.rejection(rollout.version)
    if rejection is not None:
        return rejection.reason
    return first_sentence(rollout.deciding.commit.message)


def last_evidence(rollout: PastRollout, served: ServedModel) -> RecordedEvidence | None:
    """The newest evidence that a commit up to its end tells; None where none does."""
    found = None
    for step in rollout.steps:
        record = record_of(step, served)
        if record is not None and record.evidence is not None:
            found = record.evidence
        if step is rollout.deciding:
            break
    return found


def record_of(step: Step, served: ServedModel) -> DecisionRecord | None:
    """What the trailers of the promoter's own commit say of this model."""
    return _record(step.commit, served)


def withholds(commit: Commit, served: ServedModel) -> bool:
    """Whether it is the promoter's, and rejects what a person took out of service: no fault of the version's."""
    record = _record(commit, served)
    return record is not None and record.action == ACTION_NAMES[Withhold]


def _record(commit: Commit, served: ServedModel) -> DecisionRecord | None:
    if not commit.ours:
        return None
    return next((record for record in read_trailers(commit.message) if record.served == served), None)


def what_a_person_did(step: Step) -> str:
    """`Ada, 22 Nov 20:18 UTC: resnet50: production: paused by Ada (1a2b3c4d)`."""
    commit = step.commit
    said = f"{commit.author}, {when(commit.at)} UTC: {commit.subject} ({commit.revision[:_SHOWN_DIGITS]})"
    return f"{said}. The file does not parse: {step.problem}" if step.problem else said


def commits_line(rollout: PastRollout) -> str:
    """How many commits of the promoter's it took, and the first and last of them by name."""
    ours = [step.commit.revision[:_SHOWN_DIGITS] for step in rollout.steps if step.commit.ours]
    if len(ours) <= 1:
        return f"Commit: {ours[0]}." if ours else ""
    return f"The promoter's {len(ours)} commits: {ours[0]} to {ours[-1]}."


def when(moment: datetime) -> str:
    """`22 Nov 2026 20:18`."""
    return f"{moment:%d %b %Y %H:%M}".lstrip("0")


def span(rollout: PastRollout) -> str:
    """From when to when, with the day of its end where that is another one; a short one to the second."""
    began, ended = rollout.began_at, rollout.ended_at
    if ended is None or ended == began:
        return when(began)
    if ended - began < _SHORT:
        return f"{when(began)}:{began:%S} to {ended:%H:%M:%S}"
    return f"{when(began)} to {f'{ended:%H:%M}' if ended.date() == began.date() else when(ended)}"


def as_data(rollout: PastRollout, served: ServedModel) -> dict[str, Any]:
    """A rollout for programs: times as ISO 8601, durations in seconds, weights in percent."""
    evidence = last_evidence(rollout, served)
    seconds = None if rollout.ended_at is None else (rollout.ended_at - rollout.began_at).total_seconds()
    return {
        "environment": served.environment,
        "group": served.group,
        "model": served.model,
        "version": rollout.version.number,
        "stable": rollout.stable.number if rollout.stable else None,
        "outcome": rollout.ended.name.lower().replace("_", "-"),
        "began": rollout.began_at.isoformat(),
        "ended": rollout.ended_at.isoformat() if rollout.ended_at else None,
        "seconds": seconds,
        "weights": [{"time": at.isoformat(), "weight": weight} for at, weight in rollout.weights],
        "reason": reason(rollout) or None,
        "evidence": figures(evidence) if evidence else None,
        "story": [sentence(headline(rollout)), *account(rollout, served)],
        "commits": [commit_data(step, served) for step in rollout.steps],
    }


def commit_data(step: Step, served: ServedModel) -> dict[str, Any]:
    """A commit for programs."""
    record, commit = record_of(step, served), step.commit
    return {
        "commit": commit.revision,
        "time": commit.at.isoformat(),
        "author": commit.author,
        "promoter": commit.ours,
        "action": record.action if record else None,
        "weight": step.weight,
        "subject": commit.subject,
        "problem": step.problem,
    }


def _withdrawals(rollout: PastRollout) -> Iterator[Step]:
    for step in rollout.steps:
        before, after = step.before.canary, step.after.canary
        if after is not None and after.withdrawn and not (before is not None and before.withdrawn):
            yield step


def _took(rollout: PastRollout) -> str:
    return format_duration(rollout.ended_at - rollout.began_at) if rollout.ended_at else ""


def _placed(rollout: PastRollout) -> str:
    author = rollout.deciding.commit.author if rollout.deciding else ""
    if rollout.stable is None:
        return f"the first to be served, put there by {author}"
    verb = "put back" if rollout.version < rollout.stable else "made stable"
    return f"{verb} by {author}, in place of {rollout.stable}"


def _standing(rollout: PastRollout) -> str:
    canary = rollout.steps[-1].after.canary
    if canary is None:
        return "nowhere"
    return f"withdrawn: {canary.withdrawn}" if canary.withdrawn else f"at {canary.weight} %"


def _counted(counts: ArmCounts, version: ModelVersion) -> str:
    share = percent(counts.bad, counts.requests)
    verb = "request" if counts.requests == 1 else "requests"
    return f"{grouped(counts.requests)} {verb} to {version}, {grouped(counts.bad)} failed ({share})"


def first_sentence(message: str) -> str:
    """The first sentence of a commit's body, or its subject where there is no body."""
    subject, _, rest = message.strip().partition("\n")
    # Only line breaks: thin spaces inside numbers stay.
    paragraph = rest.strip().split("\n\n")[0].replace("\n", " ").strip()
    # A paragraph of trailers is no reason.
    if not paragraph or paragraph.startswith("Promoter-"):
        return subject
    first, stop, _ = paragraph.partition(". ")
    return first + (stop and ".")


def _joined(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
