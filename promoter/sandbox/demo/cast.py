"""The versions that the demo plays, what each is like, and how it must end."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from promoter.domain.version import ModelVersion

# Serves from the start; the first version of a model has nothing to be compared with.
FIRST = ModelVersion(1)


class Outcome(StrEnum):
    """How a version's course ended."""

    PROMOTED = "promoted"
    REVERTED = "reverted"
    REFUSED = "refused"
    NOT_A_VERSION = "not a version"
    UNFINISHED = "unfinished"


@dataclass(frozen=True, slots=True)
class Character:
    """A version in the play.

    half: only half of it is uploaded. faulty: it is made to fail or to be slow, so that requests that it
    fails are its own fault and no transition's.
    """

    version: ModelVersion
    title: str
    must_end: Outcome
    half: bool = False
    faulty: bool = False


_CHARACTERS = (
    Character(ModelVersion(2), "good", Outcome.PROMOTED),
    Character(ModelVersion(3), "fails on dark images, a tenth of all", Outcome.REVERTED, faulty=True),
    Character(ModelVersion(4), "half an upload", Outcome.NOT_A_VERSION, half=True),
    Character(ModelVersion(5), "answers all, three times slower", Outcome.REVERTED, faulty=True),
    Character(ModelVersion(6), "another input signature", Outcome.REFUSED),
    Character(ModelVersion(7), "good, above those rejected", Outcome.PROMOTED),
)


def characters(*, every: bool) -> tuple[Character, ...]:
    """Those that show the three endings; or every one there is."""
    return _CHARACTERS if every else _CHARACTERS[:3]


def faulty_versions() -> frozenset[ModelVersion]:
    """The versions whose failures are their own."""
    return frozenset(character.version for character in _CHARACTERS if character.faulty)
