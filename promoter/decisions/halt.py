"""A person's word that nothing starts and nothing rises: a freeze, or a pause in the policy or the release.

No way back asks it.
"""

from __future__ import annotations

from datetime import datetime

from promoter.domain.action import Hold
from promoter.domain.freeze import EVERYTHING, Freeze, Unreadable
from promoter.domain.names import FREEZE_PATH, ServedModel
from promoter.domain.observation import Observation
from promoter.domain.release import Pause


def halted(seen: Observation, now: datetime) -> Hold | None:
    """Why no step forward may be taken; an alarm where it cannot be known what is frozen."""
    return halted_by(seen.served, seen.freezes, now, by_policy=seen.policy.paused, by_mark=seen.release.paused)


def halted_by(
    served: ServedModel,
    freezes: tuple[Freeze, ...] | Unreadable,
    now: datetime,
    *,
    by_policy: bool,
    by_mark: Pause | None,
) -> Hold | None:
    """The same, of the three files that say so. by_policy: policy.yaml says paused. by_mark: what release.yaml says."""
    freeze = frozen_by(served, freezes, now)
    if isinstance(freeze, Unreadable):
        return Hold(f"nobody can tell what is frozen, so nothing starts and nothing rises: {freeze.fault}", alarm=True)
    if freeze is not None:
        return Hold(_told(freeze))
    said = [*(["policy.yaml says paused"] if by_policy else []), *([paused_by(by_mark)] if by_mark else [])]
    return Hold("; ".join(said)) if said else None


def frozen_by(
    served: ServedModel, freezes: tuple[Freeze, ...] | Unreadable, now: datetime
) -> Freeze | Unreadable | None:
    """The freeze that holds this model, the longest where there are several; None where none does."""
    if isinstance(freezes, Unreadable):
        return freezes
    holding = [freeze for freeze in freezes if freeze.covers(served) and freeze.holds(now)]
    if not holding:
        return None
    return max(holding, key=lambda freeze: (freeze.until is None, freeze.until.timestamp() if freeze.until else 0.0))


def paused_by(pause: Pause) -> str:
    """Who paused it, where that was said, and what lifts it, as a clause."""
    where = f" ({pause.said})" if pause.said and pause.said not in pause.reason else ""
    lifts = "`promoter resume`" + (", or `/resume` on the newest pull request," if pause.said else "")
    return f"paused by {pause.by} since {pause.at:%Y-%m-%d %H:%M} UTC: {pause.reason}{where}; {lifts} lifts it"


def _told(freeze: Freeze) -> str:
    what = "everything" if freeze.scope == EVERYTHING else freeze.scope
    by = f" by {freeze.by}" if freeze.by else ""
    until = f" until {freeze.until:%Y-%m-%d %H:%M} UTC" if freeze.until else ""
    return f"{FREEZE_PATH}: {what} is frozen{by}{until}: {freeze.reason}"
