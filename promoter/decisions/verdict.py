"""The action for a rollout under way. Safety is asked first and progress last.

A way back needs neither a healthy Argo CD nor a live commit, a step forward needs everything.
"""

from __future__ import annotations

from datetime import datetime

from promoter.decisions.progress import obstacle, progress
from promoter.decisions.safety import blindness, broken_pods, end_of_revert, harm
from promoter.decisions.trial import Trial
from promoter.decisions.upstreams import withdrawn_with_upstream
from promoter.domain.action import Action


def judge(trial: Trial, now: datetime) -> Action:
    """The one action that this trial calls for at this moment."""
    return (
        end_of_revert(trial, now)
        or harm(trial)
        or broken_pods(trial, now)
        or withdrawn_with_upstream(trial.seen, trial.canary, trial.evidence)
        or blindness(trial, now)
        or obstacle(trial, now)
        or progress(trial, now)
    )
