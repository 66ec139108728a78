"""Commit messages: subject and body for people, trailers for machines, and the trailers read back.

A trailer explains a decision; it is never an input of one, because anybody can write it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from promoter.documents.evidence_text import RecordedEvidence, evidence_json, evidence_sentence, parse_evidence
from promoter.documents.one_line import one_line
from promoter.documents.preflight_text import (
    RecordedPreflight,
    parse_preflight_trailer,
    preflight_sentence,
    preflight_trailer,
)
from promoter.documents.prose import WIDTH, sentence, wrapped
from promoter.domain.action import (
    ACTION_NAMES,
    Action,
    Hold,
    Promote,
    Reject,
    Revert,
    SetWeight,
    StartCanary,
    Withdraw,
    Withhold,
)
from promoter.domain.names import ENVIRONMENTS, ServedModel
from promoter.domain.release import Release
from promoter.domain.repository import Revision
from promoter.errors import InvalidName

_PARENT_DIGITS = 12
_LONGEST_OUTLOOK = 800

_PREFIX = "Promoter-"
_MODEL = "Promoter-Model"
_ACTION = "Promoter-Action"
_EVIDENCE = "Promoter-Evidence"
_PREFLIGHT = "Promoter-Preflight"
_PARENT = "Promoter-Parent-Decision"

_TRAILER = re.compile(r"([A-Za-z0-9-]+): *(.*)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Decision:
    """One model's part of a commit.

    parent: the commit that last changed its release, None where there is none. outlook: what is to be expected of a
    rollout that starts, as sentences; empty for every other decision.
    """

    served: ServedModel
    action: Action
    release_before: Release
    release_after: Release
    parent: Revision | None = None
    outlook: str = ""


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """What the trailers of a commit say of one model.

    action: start-canary, set-weight, promote, reject, revert or withdraw. evidence, preflight, parent: None where the
    commit does not have them or they cannot be read; parent is the first 12 hex digits.
    """

    served: ServedModel
    action: str
    evidence: RecordedEvidence | None = None
    parent: str | None = None
    preflight: RecordedPreflight | None = None


def write_message(decisions: Sequence[Decision]) -> str:
    """The message of the one commit that carries `decisions`, at least one, in their order."""
    if len(decisions) == 1:
        decision = decisions[0]
        subject = f"{decision.served.model}: {decision.served.environment}: {_what(decision)}"
        sections = [_body(decision)]
    else:
        parts = ", ".join(f"{decision.served.model} {_what(decision)}" for decision in decisions)
        subject = one_line(f"{len(decisions)} models: {parts}", WIDTH)
        sections = [f"{decision.served}: {_what(decision)}\n{_body(decision)}" for decision in decisions]
    # Git reads trailers from the last paragraph only, so all of them stand there.
    trailers = "\n".join(line for decision in decisions for line in _trailers(decision))
    return "\n\n".join([subject, *sections, trailers]) + "\n"


def is_step(message: str) -> bool:
    """Whether it is the message of a step, and not of a question to people: it ends with trailers of ours."""
    last = message.replace("\r\n", "\n").rstrip().rpartition("\n\n")[2]
    matches = map(_TRAILER.fullmatch, last.split("\n"))
    return any(match is not None and match[1].startswith(_PREFIX) for match in matches)


def read_trailers(message: str) -> tuple[DecisionRecord, ...]:
    """The decisions a message records, in order; none for a message of other people. Raises nothing."""
    _, blank, last = message.replace("\r\n", "\n").rstrip().rpartition("\n\n")
    matches = [_TRAILER.fullmatch(line) for line in last.split("\n")]
    if not blank or None in matches:
        return ()
    groups: list[list[tuple[str, str]]] = []
    for match in matches:
        if match is not None and match[1] == _MODEL:
            groups.append([])
        if match is not None and groups:
            groups[-1].append((match[1], match[2]))
    return tuple(record for group in groups for record in _records(group))


def _what(decision: Decision) -> str:
    """What is true after the commit, in a few words."""
    action, before, after = decision.action, decision.release_before.canary, decision.release_after.canary
    match action:
        case StartCanary():
            return f"canary {action.version} starts at 0 %"
        case SetWeight() if before and after and before.weight == after.weight and before.replicas != after.replicas:
            return f"canary {action.version} gets {after.replicas} {'pod' if after.replicas == 1 else 'pods'}"
        case SetWeight():
            return f"canary {action.version} at {action.weight} %"
        case Promote():
            return f"{action.version} is stable"
        case Reject() | Withhold():
            return _left_out(action)
        case Revert() | Withdraw() if after is None:
            return f"canary {action.version} removed"
        case Revert():
            return f"canary {action.version} reverted"
        case Withdraw():
            return f"canary {action.version} withdrawn"
        case Hold():
            raise AssertionError("a hold changes nothing, so there is nothing to commit")


def _left_out(action: Reject | Withhold) -> str:
    if isinstance(action, Reject):
        return f"{action.version} fails its preflight"
    versions = ", ".join(str(version) for version in sorted(action.versions))
    return f"{versions} {'is' if len(action.versions) == 1 else 'are'} withheld for a person"


def _body(decision: Decision) -> str:
    """The reason and the evidence, as sentences; what is to be expected, in a paragraph of its own."""
    action, stable = decision.action, decision.release_before.stable
    sentences = [sentence(one_line(action.reason))]
    if action.evidence is not None and not isinstance(action, Hold):
        sentences.append(evidence_sentence(action.evidence, action.version, stable.version if stable else None))
    if isinstance(action, StartCanary | Promote) and action.preflight is not None:
        sentences.append(preflight_sentence(action.preflight))
    paragraphs = [" ".join(sentences)]
    if decision.outlook:
        paragraphs.append(sentence(one_line(decision.outlook, _LONGEST_OUTLOOK)))
    return "\n\n".join(map(wrapped, paragraphs))


def _trailers(decision: Decision) -> Iterator[str]:
    yield f"{_MODEL}: {decision.served}"
    yield f"{_ACTION}: {ACTION_NAMES[type(decision.action)]}"
    if decision.action.evidence is not None:
        yield f"{_EVIDENCE}: {evidence_json(decision.action.evidence)}"
    if isinstance(decision.action, StartCanary | Promote | Reject) and decision.action.preflight is not None:
        yield f"{_PREFLIGHT}: {preflight_trailer(decision.action.preflight)}"
    if decision.parent is not None:
        yield f"{_PARENT}: {decision.parent[:_PARENT_DIGITS]}"


def _records(group: list[tuple[str, str]]) -> Iterator[DecisionRecord]:
    """The group's one record, or none where it is not of our making."""
    ours = [(key, value) for key, value in group if key in (_MODEL, _ACTION, _EVIDENCE, _PREFLIGHT, _PARENT)]
    said = dict(ours)
    action = said.get(_ACTION, "")
    if len(said) != len(ours) or action not in ACTION_NAMES.values():
        return
    try:
        served = ServedModel.from_folder(f"{ENVIRONMENTS}/{said[_MODEL]}")
    except InvalidName:
        return
    parent = said.get(_PARENT, "")
    yield DecisionRecord(
        served,
        action,
        evidence=parse_evidence(said.get(_EVIDENCE, "")),
        parent=parent if re.fullmatch("[0-9a-f]{12}", parent) else None,
        preflight=parse_preflight_trailer(said.get(_PREFLIGHT, "")),
    )
