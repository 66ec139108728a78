"""The next action of a rollout. No I/O and no clock: both arrive as arguments.

Safety is asked first and progress last: a way back needs neither a healthy Argo CD nor a live commit,
a step forward needs everything.
"""

from __future__ import annotations

from datetime import datetime

from promoter.decisions.progress import obstacle, progress
from promoter.decisions.safety import blindness, broken_pods, end_of_revert, harm
from promoter.decisions.start import first_version, next_candidate
from promoter.decisions.trial import Trial
from promoter.domain.action import Action
from promoter.domain.observation import Observation


def decide(seen: Observation, now: datetime) -> Action:
    """The one action that this observation calls for at this moment."""
    release = seen.release
    if release.stable is None:
        return first_version(seen)
    if release.canary is None:
        return next_candidate(seen, release.stable, now)
    return judge(Trial.of(seen, release.stable, release.canary), now)


def judge(trial: Trial, now: datetime) -> Action:
    """The action for a rollout under way."""
    return (
        end_of_revert(trial, now)
        or harm(trial)
        or broken_pods(trial, now)
        or blindness(trial, now)
        or obstacle(trial, now)
        or progress(trial, now)
    )
