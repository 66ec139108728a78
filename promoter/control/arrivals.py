"""Since when a commit is on the branch, where steps wait for their checks before they are merged.

A fast-forward leaves no trace of its time in Git, and a weight that is counted as live while its commit still waited
would be judged by requests that went elsewhere.
"""

from __future__ import annotations

from datetime import datetime

from promoter.control.offered_step import OLD
from promoter.domain.names import ServedModel
from promoter.domain.repository import Change, Revision

# Of each model; the weight is set by one of the newest changes.
_MOST_REMEMBERED = 20


class Arrivals:
    """What came while this process looked came when it was seen first.

    Of what was there before, the latest possible moment is taken, since nobody can have been served by it for longer:
    a step that is older is not merged. So a fresh process takes its time, and judges nothing too early.
    """

    def __init__(self) -> None:
        self._newest: dict[ServedModel, Revision] = {}
        self._came: dict[ServedModel, dict[Revision, datetime]] = {}

    def saw(self, served: ServedModel, changed: Change, now: datetime) -> None:
        """A pass at `now` found `changed` to be the last change of the model's release.yaml."""
        before = self._newest.get(served)
        if before == changed.revision:
            return
        self._newest[served] = changed.revision
        if before is None:
            return
        came = self._came.setdefault(served, {})
        came.setdefault(changed.revision, now)
        while len(came) > _MOST_REMEMBERED:
            del came[next(iter(came))]

    def of(self, served: ServedModel, changed: Change, now: datetime) -> datetime:
        """Since when `changed` is on the branch, at the latest. A person's commit says it itself."""
        if not changed.ours:
            return changed.at
        known = self._came.get(served, {}).get(changed.revision)
        return max(changed.at, known) if known is not None else max(changed.at, min(now, changed.at + OLD))
