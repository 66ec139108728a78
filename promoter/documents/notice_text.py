"""A happening as a message for people."""

from __future__ import annotations

from promoter.documents.prose import sentence
from promoter.documents.pull_request_text import Question
from promoter.documents.story import evidence_sentences, first_sentence, record_of, withholds
from promoter.domain.action import Asked
from promoter.domain.names import ServedModel
from promoter.domain.notice import Happening, Notice
from promoter.domain.past_rollout import Step
from promoter.domain.version import ModelVersion

_SHOWN_DIGITS = 8


def notices_of(step: Step, served: ServedModel) -> tuple[Notice, ...]:
    """What one of the promoter's commits did that people want to know. It is told by the releases, not by the message.

    A person's commit is no news, nor is one that writes down what a person did: somebody knows.
    """
    found = _happening(step) if step.commit.ours and not withholds(step.commit, served) else None
    if found is None:
        return ()
    happening, version, what = found
    sentences = [sentence(first_sentence(step.commit.message))]
    record = record_of(step, served)
    if record is not None and record.evidence is not None:
        stable = step.before.stable.version if step.before.stable else None
        sentences += evidence_sentences(record.evidence, version, stable)
    sentences.append(f"Commit {step.commit.revision[:_SHOWN_DIGITS]}.")
    key = f"{happening}:{served}:{version}:{step.commit.revision}"
    return (Notice(key, served, happening, f"{served}: {what}", " ".join(sentences)),)


def _happening(step: Step) -> tuple[Happening, ModelVersion, str] | None:
    before, after = step.before, step.after
    refused = [entry.version for entry in after.rejected if before.rejection(entry.version) is None]
    if refused and before.canary is None and after.canary is None:
        return Happening.PREFLIGHT_FAILED, refused[0], f"version {refused[0]} fails its preflight"
    # What is rejected beside a start is the version that a person leaves.
    if refused and before.canary is not None:
        return Happening.REVERTED, refused[0], f"version {refused[0]} is reverted"
    if after.stable is not None and (before.stable is None or before.stable.version != after.stable.version):
        return Happening.PROMOTED, after.stable.version, f"version {after.stable.version} is stable"
    canary = after.canary
    if canary is None:
        return None
    if before.canary is None or before.canary.version != canary.version:
        return Happening.STARTED, canary.version, f"the rollout of version {canary.version} begins"
    if canary.withdrawn and not before.canary.withdrawn:
        return Happening.WITHDRAWN, canary.version, f"version {canary.version} is withdrawn"
    return None


def held_notice(served: ServedModel, version: ModelVersion, since: str, how_long: str, reason: str) -> Notice:
    """since: the commit after which nothing changed; the same stand is told once."""
    return Notice(
        f"{Happening.HELD}:{served}:{version}:{since}",
        served,
        Happening.HELD,
        f"{served}: the rollout of version {version} has stood still for {how_long}",
        f"{sentence(reason)} The last commit is {since[:_SHOWN_DIGITS]}.",
    )


def waiting_notice(served: ServedModel, asked: Asked, since: str, address: str | None) -> Notice:
    """since: the commit that last changed the release; the same question is told once. address: the pull request's."""
    what = "start" if asked.starts else "be promoted"
    agree = f"Merge {address} to agree, or close it to decline." if address else "docs/forges.md says how to agree."
    return Notice(
        f"{Happening.WAITING}:{served}:{asked.version}:{Question.of(asked, since).key}",
        served,
        Happening.WAITING,
        f"{served}: version {asked.version} waits for approval to {what}",
        f"{sentence(asked.reason)} {agree}",
    )
