"""The next action of a model. No I/O and no clock: both arrive as arguments."""

from __future__ import annotations

from datetime import datetime

from promoter.decisions.people import withheld
from promoter.decisions.rollback import back_to, carried_back
from promoter.decisions.start import first_version, next_candidate
from promoter.decisions.sync_windows import within_sync_windows
from promoter.decisions.trial import Trial
from promoter.decisions.verdict import judge
from promoter.decisions.windows import within_windows
from promoter.domain.action import Action, is_way_back
from promoter.domain.observation import Observation
from promoter.domain.release import Promotion


def decide(seen: Observation, now: datetime) -> Action:
    """The one action that this observation calls for at this moment."""
    return within_sync_windows(seen, _allowed(seen, now))


def _allowed(seen: Observation, now: datetime) -> Action:
    """The same, whether Argo CD may do it now or not."""
    action = within_windows(seen, _wanted(seen, now), now)
    canary = seen.release.canary
    if is_way_back(action) and canary is not None and canary.weight > 0:
        return action
    return withheld(seen) or action


def _wanted(seen: Observation, now: datetime) -> Action:
    release = seen.release
    if release.stable is None:
        return first_version(seen, now)
    if release.canary is None:
        sought = release.sought
        if sought is not None:
            return back_to(seen, release.stable, sought, now)
        return next_candidate(seen, release.stable, now)
    trial = Trial.of(seen, release.stable, release.canary)
    return carried_back(trial, now) if release.canary.promote is Promotion.BACK else judge(trial, now)
