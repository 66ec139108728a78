"""Model versions and the digests that pin their content."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from promoter.domain.completeness import ByManifest, Completeness
from promoter.errors import InvalidName

# TensorFlow Serving reads versions as int64, but Helm reads the numbers of a values file as floats:
# above this they would be rendered as their neighbours. 0 is legal there; here it would be "no version".
LARGEST_VERSION = 2**53 - 1
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class ModelVersion:
    """The number naming a version's directory, from 1 to 2**53 - 1."""

    number: int

    def __post_init__(self) -> None:
        if isinstance(self.number, bool) or not 1 <= self.number <= LARGEST_VERSION:
            raise InvalidName(f"{self.number} is not a model version: use a whole number from 1 to 2**53 - 1")

    @classmethod
    def from_name(cls, name: str) -> ModelVersion:
        """The version a directory's name stands for; `007`, `-1` and `４３` are no versions."""
        if not (name.isascii() and name.isdecimal()) or (len(name) > 1 and name.startswith("0")) or len(name) > 19:
            raise InvalidName(f"{name[:80]!r} is not a model version: use a whole number without leading zeros")
        return cls(int(name))

    def __str__(self) -> str:
        return str(self.number)


@dataclass(frozen=True, slots=True)
class Digest:
    """SHA-256 of a version's manifest in canonical form, as `sha256:<64 hex digits>`."""

    text: str

    def __post_init__(self) -> None:
        if not _DIGEST.fullmatch(self.text):
            raise InvalidName(f"{self.text[:80]!r} is not a digest: it must be sha256: and 64 hex digits")

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """A complete version in a model store (or, with an upstream, what is stable there)."""

    version: ModelVersion
    digest: Digest


@dataclass(frozen=True, slots=True)
class IncompleteVersion:
    """A directory in the store that is no version yet, and why.

    name: as the store spells it. settled: False where the look was too short to tell; a later one will.
    """

    name: str
    reason: str
    settled: bool = True


@dataclass(frozen=True, slots=True)
class Holding:
    """What of one version is in a store, complete or not.

    size: bytes. modified: when its newest file was written, by the store's clock; None where it has no file.
    """

    files: int
    size: int
    modified: datetime | None


@dataclass(frozen=True, slots=True)
class Listing:
    """What a store holds under one prefix, complete versions in rising order."""

    complete: tuple[StoredVersion, ...] = ()
    incomplete: tuple[IncompleteVersion, ...] = ()


@dataclass(frozen=True, slots=True)
class Mark:
    """What a glance over many models' stores tells of one of them.

    text: another one as soon as a version became complete, was replaced, or went away. newest: the highest version
    with a manifest or marker, whether or not it keeps its promise; None where there is none.
    """

    text: str
    newest: ModelVersion | None


@dataclass(frozen=True, slots=True)
class Sweep:
    """What can be told of many addresses at once, and how many calls that took. Others have to be listed one by one."""

    marks: Mapping[str, Mark]
    calls: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody wants to know of a store; a store that is asked for less makes fewer calls.

    above: only versions above it, None for all. newest: True where the newest complete version is enough, and those
    above it that are not complete. passed_over: complete versions that do not count as the newest.
    """

    above: ModelVersion | None = None
    newest: bool = False
    passed_over: frozenset[ModelVersion] = frozenset()
    complete: Completeness = field(default_factory=ByManifest)
