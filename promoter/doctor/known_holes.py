"""Holes in Argo CD through which somebody gets at what the promoter's rules are to protect, and where they are mended.

Reviewed in November 2026. An entry says where a fix was published; a line (3.5, say) that is newer than all of them is
taken to have it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_VERSION = re.compile(r"v?(\d+)\.(\d+)\.(\d+)")
# `syncPolicy.retry.refresh` and server-side diff as the ApplicationSet uses them (environments/README.md).
OLDEST = (3, 5)

Line = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Hole:
    """What it lets people do. mended: each line's first release with the fix. source: where this is told."""

    name: str
    what: str
    mended: Mapping[Line, int]
    source: str


HOLES = (
    Hole(
        "CVE-2026-77459",
        "delete hooks get past the limits of an AppProject",
        {(3, 3): 15, (3, 4): 10, (3, 5): 4},
        "https://github.com/argoproj/argo-cd/security/advisories/GHSA-fmxq-cgp8-87wp",
    ),
    Hole(
        "CVE-2026-113708, CVE-2026-113709, CVE-2026-55797",
        "text in a repository becomes a command on the repo server",
        {(3, 3): 15, (3, 4): 10},
        "https://github.com/argoproj/argo-cd/security/advisories",
    ),
    Hole(
        "CVE-2026-45738",
        "a link annotation on an object runs script in the browser of whoever looks at it",
        {(3, 2): 12, (3, 3): 10, (3, 4): 2},
        "https://github.com/argoproj/argo-cd/security/advisories/GHSA-h98r-wv3h-fr38",
    ),
)


def parsed(text: str) -> tuple[int, int, int] | None:
    """The version that Argo CD tells, `v3.6.1+f3cbe9b`, None where it is none."""
    found = _VERSION.match(text)
    return None if found is None else (int(found[1]), int(found[2]), int(found[3]))


def holes_of(version: tuple[int, int, int]) -> tuple[Hole, ...]:
    """Those that this version has."""
    return tuple(hole for hole in HOLES if not _is_mended(hole, version))


def _is_mended(hole: Hole, version: tuple[int, int, int]) -> bool:
    line = version[:2]
    if line in hole.mended:
        return version[2] >= hole.mended[line]
    return line > max(hole.mended)
