"""The next action of a model. No I/O and no clock: both arrive as arguments."""

from __future__ import annotations

from datetime import datetime

from promoter.decisions.people import withheld
from promoter.decisions.start import first_version, next_candidate
from promoter.decisions.trial import Trial
from promoter.decisions.verdict import judge
from promoter.decisions.windows import within_windows
from promoter.domain.action import Action, Revert, Withdraw
from promoter.domain.observation import Observation


def decide(seen: Observation, now: datetime) -> Action:
    """The one action that this observation calls for at this moment."""
    action = within_windows(seen, _wanted(seen, now), now)
    canary = seen.release.canary
    if isinstance(action, Revert | Withdraw) and canary is not None and canary.weight > 0:
        return action
    return withheld(seen) or action


def _wanted(seen: Observation, now: datetime) -> Action:
    release = seen.release
    if release.stable is None:
        return first_version(seen, now)
    if release.canary is None:
        return next_candidate(seen, release.stable, now)
    return judge(Trial.of(seen, release.stable, release.canary), now)
