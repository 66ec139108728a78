"""The steps that wait in pull requests, as the forge tells of them now: for people who look."""

from __future__ import annotations

from dataclasses import dataclass

from promoter.decisions.steps import STEPS
from promoter.documents.one_line import one_line
from promoter.ports import Forge


@dataclass(frozen=True, slots=True)
class OpenStep:
    """A commit that is not on the branch yet. waits_for: a few words; what else the branch's rules ask is not known."""

    title: str
    url: str
    waits_for: str


def steps_that_wait(forge: Forge) -> tuple[OpenStep, ...]:
    """All of them, the oldest first. Raises ForgeUnavailable."""
    found = sorted(forge.open_pull_requests(STEPS), key=lambda one: one.number)
    lacking = (forge.checks(one.head).waits_for if one.head else None for one in found)
    return tuple(
        OpenStep(one_line(one.title), one.url, f"checks {words}" if words else "the promoter, or the branch's rules")
        for one, words in zip(found, lacking, strict=True)
    )
