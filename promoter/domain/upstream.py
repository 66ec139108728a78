"""What an environment upstream serves of the same model, as a pass over the environment below it needs it."""

from __future__ import annotations

from dataclasses import dataclass

from promoter.domain.completeness import Completeness
from promoter.domain.names import ServedModel
from promoter.domain.release import Release
from promoter.domain.repository import Change


@dataclass(frozen=True, slots=True)
class Upstream:
    """The model upstream.

    store, complete: where the files lie, at the end of all upstreams, and by which sign a version there is complete.
    made_stable: the commit since which its stable version is stable, None where it offers nothing new.
    taken_back: the commit that ended there the stable time of the version that is our canary, None where none did
    since the rollout began.
    """

    served: ServedModel
    release: Release
    store: str
    complete: Completeness
    made_stable: Change | None = None
    taken_back: Change | None = None
