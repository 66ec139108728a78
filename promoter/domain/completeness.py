"""When the files under a version's number are a version: by manifest, by marker, or by silence."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class ByManifest:
    """`manifest.json` is there, and every file that it names, with its size and checksum, and no other."""


@dataclass(frozen=True, slots=True)
class ByMarker:
    """A file of this name is there, which the uploader writes last. `file` lies in the version's own folder."""

    file: str


@dataclass(frozen=True, slots=True)
class ByQuiet:
    """No file came, changed or went for so long, as watched by the promoter itself: no clock but its own is asked."""

    quiet: timedelta


Completeness = ByManifest | ByMarker | ByQuiet
