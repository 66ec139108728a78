"""The pull request that asks for an approval: what people read before they merge, in Markdown.

A comment that no page shows tells us later what an open pull request asks for. It spares work and decides nothing:
what was merged is read from release.yaml.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from promoter.documents.evidence_text import evidence_sentence
from promoter.documents.one_line import one_line
from promoter.documents.prose import sentence, wrapped
from promoter.domain.action import Asked
from promoter.domain.evidence import ArmCounts, Evidence
from promoter.domain.figures import grouped, percent
from promoter.domain.names import ServedModel
from promoter.domain.preflight import Check, Outcome
from promoter.domain.release import Release
from promoter.domain.repository import Revision
from promoter.domain.version import LARGEST_VERSION, ModelVersion

_MARKER = re.compile(r"<!-- promoter: (start|promote) ([0-9]{1,16}) ([0-9a-f]{16}) -->", re.ASCII)
_MEANS_SOMETHING = re.compile(r"([\\`*_{}\[\]<>()#+!|~&@-])")
_MARKS = {Outcome.PASS: "✓", Outcome.WARN: "!", Outcome.FAIL: "✗", Outcome.SKIPPED: "–"}
_LONGEST = 600
_MOST_DETAILS = 30
_DIGEST_SHOWN = len("sha256:") + 12


@dataclass(frozen=True, slots=True)
class Question:
    """What a pull request asks for. key: other facts have another one."""

    version: ModelVersion
    starts: bool
    key: str

    @classmethod
    def of(cls, asked: Asked, changed: Revision) -> Question:
        """The question about `asked`, where `changed` is the commit that last changed release.yaml."""
        facts = f"{asked.starts} {asked.version} {asked.digest} {changed}"
        return cls(asked.version, asked.starts, hashlib.sha256(facts.encode()).hexdigest()[:16])

    @property
    def marker(self) -> str:
        """The comment that a body begins with."""
        return f"<!-- promoter: {'start' if self.starts else 'promote'} {self.version} {self.key} -->"


def read_question(body: str) -> Question | None:
    """What a body says that it asks for; None where it is not of our making, or was answered."""
    found = _MARKER.search(body)
    if found is None or not 1 <= int(found[2]) <= LARGEST_VERSION:
        return None
    return Question(ModelVersion(int(found[2])), found[1] == "start", found[3])


def answered(body: str) -> str:
    """The body of a pull request that the promoter closed itself: nobody refused anything by it."""
    return _MARKER.sub("<!-- promoter: closed -->", body)


def title_of(served: ServedModel, asked: Asked) -> str:
    """The pull request's title, which a squash makes the subject of its commit."""
    return f"{served.model}: {served.environment}: {'start' if asked.starts else 'promote'} {asked.version}"


def message_of(served: ServedModel, asked: Asked) -> str:
    """The message of the branch's only commit."""
    what = (
        f"Agree that version {asked.version} starts: the promoter makes it the canary, at weight 0"
        if asked.starts
        else f"Agree that the canary {asked.version} gets all requests, once its evidence is enough"
    )
    return f"{title_of(served, asked)}\n\n{wrapped(sentence(what))}\n"


def body_of(
    served: ServedModel,
    asked: Asked,
    release: Release,
    question: Question,
    *,
    outlook: str = "",
    evidence: Evidence | None = None,
) -> str:
    """The pull request's text. outlook: what to expect of a rollout that starts. evidence: on a promotion."""
    lines = [question.marker, "", _asks(served, asked, release), ""]
    lines += _versions(asked, release)
    if asked.starts:
        lines += ["", "### What to expect", "", shown(sentence(asked.reason))]
        if outlook:
            lines += ["", shown(sentence(outlook), longest=2000)]
        lines += _preflight(asked)
    elif evidence is not None:
        lines += _evidence(asked, release, evidence)
    lines += ["", "---", "", _ANSWERS]
    return "\n".join(lines) + "\n"


_ANSWERS = (
    "**To agree**, merge this, by whatever kind of merge. **To decline**, close it: it is not asked again until "
    "another version comes or `release.yaml` changes; reopen it to think again. The promoter keeps this text and its "
    "branch up to date, and closes it when it is overtaken. **To take the version back** at any time, comment "
    "`/revert` here, also after the merge; `/promote` and `/retry` are the other commands."
)


def _asks(served: ServedModel, asked: Asked, release: Release) -> str:
    who = f"`{served.model}` in `{served.environment}`" + (f" ({served.group})" if served.group else "")
    if not asked.starts:
        return (
            f"**Promote version {asked.version} of {who}.** The ramp is at its top and there is evidence enough. Once "
            "this is merged the promoter brings the pods up first, then sends all requests, and makes the version "
            "stable when the guard time is over. The evidence is asked for at each of these steps, and harm still "
            "takes it back without anybody."
        )
    if release.stable is None:
        return f"**Serve version {asked.version} of {who}.** It is the first; there is nothing to compare it with."
    return (
        f"**Start version {asked.version} of {who}.** Once this is merged it becomes the canary, at weight 0. Its "
        "share of the requests then grows only as far as the evidence allows, and harm takes it back without anybody."
    )


def _versions(asked: Asked, release: Release) -> Iterator[str]:
    yield "| | version | digest |"
    yield "|---|---|---|"
    if release.stable is not None:
        yield f"| stable | {release.stable.version} | `{str(release.stable.digest)[:_DIGEST_SHOWN]}…` |"
    what = "candidate" if asked.starts else f"canary, at {release.canary.weight if release.canary else 0} %"
    yield f"| {what} | **{asked.version}** | `{str(asked.digest)[:_DIGEST_SHOWN]}…` |"


def _preflight(asked: Asked) -> Iterator[str]:
    found = asked.preflight
    if found is None:
        yield from ("", "### Preflight", "", "None was made: the promoter's settings ask for none.")
        return
    yield from ("", "### Preflight", "", "| check | outcome | what was found |", "|---|---|---|")
    for check in found.checks:
        yield f"| {check.name} | {_MARKS[check.outcome]} {check.outcome} | {shown(check.reason)} |"
    for check in found.checks:
        yield from _details(check)
    address = one_line(found.candidate.address, _LONGEST).replace("`", "")
    loaded = f", loaded by TensorFlow {shown(found.tensorflow, 40)}" if found.tensorflow else ""
    yield from ("", f"The files: `{address}`{loaded}. What its maker says of it: `{address}/manifest.json`.")


def _details(check: Check) -> Iterator[str]:
    """What a check found, line by line, folded; the differences of signatures among them."""
    if not check.details:
        return
    yield from ("", f"<details><summary>{check.name}</summary>", "")
    for detail in check.details[:_MOST_DETAILS]:
        yield f"- {shown(detail)}"
    left = len(check.details) - _MOST_DETAILS
    if left > 0:
        yield f"- and {left} more"
    yield from ("", "</details>")


def _evidence(asked: Asked, release: Release, evidence: Evidence) -> Iterator[str]:
    stable = release.stable.version if release.stable else None
    yield from ("", "### The evidence so far", "", "| version | requests | failed | share |", "|---|---|---|---|")
    yield _counts(f"{asked.version}, the canary", evidence.canary)
    if stable is not None:
        yield _counts(f"{stable}, stable", evidence.stable)
    yield ""
    yield shown(evidence_sentence(evidence, asked.version, stable))
    yield ""
    yield shown(sentence(asked.reason))
    yield ""
    yield f"Counted from {_moment(evidence.start)} to {_moment(evidence.end)} UTC."


def _moment(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M}"


def _counts(name: str, arm: ArmCounts) -> str:
    return f"| {name} | {grouped(arm.requests)} | {grouped(arm.bad)} | {percent(arm.bad, arm.requests)} |"


def shown(text: str, longest: int = _LONGEST) -> str:
    """Text from anywhere on one line that Markdown shows as it is: no link, no tag, and nobody is called by it."""
    return _MEANS_SOMETHING.sub(r"\\\1", one_line(text, longest))
