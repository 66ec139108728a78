"""What one model waits for, as one word of a closed list. The sentence for a person is the action's reason."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from promoter.control.reconcile import Verdict
from promoter.decisions.halt import frozen_by
from promoter.decisions.immutability import changed_in_store
from promoter.decisions.readiness import not_live_because
from promoter.decisions.sync_windows import denied
from promoter.decisions.upstreams import held_by_upstream, soaks_until
from promoter.decisions.windows import closed
from promoter.domain.action import Hold
from promoter.domain.freeze import Unreadable
from promoter.domain.observation import NOT_ASKED, Observation
from promoter.domain.preflight import Pending
from promoter.domain.release import Canary


class Waiting(StrEnum):
    """The obstacle that is named first. OTHER: the log tells."""

    FILE = "file"  # a file of the model does not parse
    STORE = "store"  # the store holds other bytes than were pinned
    PREFLIGHT = "preflight"
    PAUSE = "pause"  # policy.yaml or release.yaml says paused
    FREEZE = "freeze"  # freeze.yaml covers it, or does not parse
    UPSTREAM = "upstream"  # it soaks there, was taken back there, or nobody can tell
    WINDOW = "window"  # no window of policy.yaml is open, or not for long enough
    LIMITS = "limits"  # limits.yaml: others are before it
    REVERT = "revert"  # rejected; its pods go once weight 0 is live
    METRICS = "metrics"  # nobody sees the pods
    SYNC = "sync"  # the last commit is not live, or a sync window denies
    RESTART = "restart"  # withdrawn
    PODS = "pods"
    GUARD = "guard"
    EVIDENCE = "evidence"
    OTHER = "other"


def waits_for(verdict: Verdict, at: datetime) -> Waiting | None:
    """What keeps a rollout, or a start, from its next step; None for a model at rest that nobody need look at.

    By what was seen, not by the sentence: that one may change its wording.
    """
    seen = verdict.seen
    if seen is None:
        return Waiting.FILE
    if not isinstance(verdict.action, Hold):
        return None
    if changed_in_store(seen) is not None:
        return Waiting.STORE
    if verdict.behind:
        return Waiting.LIMITS
    if seen.release.canary is not None:
        return _of_a_rollout(seen, seen.release.canary, at)
    until = soaks_until(seen)
    if isinstance(seen.upstream, Unreadable) or (until is not None and at < until):
        return _word(seen, at) or Waiting.UPSTREAM
    if isinstance(seen.preflight, Pending) and seen.preflight is not NOT_ASKED:
        return _word(seen, at) or Waiting.PREFLIGHT
    if seen.preflight is not NOT_ASKED and closed(seen, at):
        return Waiting.WINDOW
    if denied(seen):
        return Waiting.SYNC
    return Waiting.OTHER if verdict.action.alarm else None


def _of_a_rollout(seen: Observation, canary: Canary, at: datetime) -> Waiting:
    deployment = seen.application.deployment(canary.version) if seen.application else None
    obstacles = (
        (seen.release.rejection(canary.version) is not None, Waiting.REVERT),
        (seen.measurements is None or seen.blind_for(at) > seen.traits.stale_after, Waiting.METRICS),
        (frozen_by(seen.served, seen.freezes, at) is not None, Waiting.FREEZE),
        (seen.paused, Waiting.PAUSE),
        (held_by_upstream(seen, canary) is not None, Waiting.UPSTREAM),
        (not_live_because(seen, at) is not None or denied(seen), Waiting.SYNC),
        (canary.withdrawn is not None, Waiting.RESTART),
        (deployment is None or deployment.ready < canary.replicas, Waiting.PODS),
        (closed(seen, at), Waiting.WINDOW),
        (canary.weight == 100, Waiting.GUARD),
    )
    return next((name for stands, name in obstacles if stands), Waiting.EVIDENCE)


def _word(seen: Observation, at: datetime) -> Waiting | None:
    """A person's word that nothing starts, in the order in which it is told."""
    if frozen_by(seen.served, seen.freezes, at) is not None:
        return Waiting.FREEZE
    return Waiting.PAUSE if seen.paused else None
