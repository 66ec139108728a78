"""Stop the line: when many rollouts go wrong at once, the fault is not in the versions."""

from __future__ import annotations

from collections.abc import Mapping

from promoter.domain.action import Action, Hold, Promote, Revert, SetWeight, StartCanary, Withdraw, is_way_back
from promoter.domain.names import ServedModel
from promoter.domain.observation import Observation

# More than a fifth of the rollouts; and more than one, or a single bad model would stop all others.
_SHARE = 0.2
_AT_LEAST = 2


def stop_the_line(
    observations: Mapping[ServedModel, Observation], actions: Mapping[ServedModel, Action]
) -> dict[ServedModel, Action]:
    """`actions`, with every step forward held while too many rollouts are blind or failing at once."""
    in_flight = [served for served, seen in observations.items() if seen.release.canary is not None]
    failing = [served for served in in_flight if _goes_wrong(observations[served], actions[served])]
    if len(failing) < _AT_LEAST or len(failing) <= _SHARE * len(in_flight):
        return dict(actions)
    reason = f"{len(failing)} of {len(in_flight)} rollouts are blind or failing at once, so nothing rises anywhere"
    return {
        served: Hold(f"{reason}; otherwise: {action.reason}", action.evidence, alarm=True)
        if isinstance(action, StartCanary | SetWeight | Promote) and not is_way_back(action)
        else action
        for served, action in actions.items()
    }


def _goes_wrong(seen: Observation, action: Action) -> bool:
    canary = seen.release.canary
    already_rejected = canary is not None and seen.release.rejection(canary.version) is not None
    if isinstance(action, Revert | Withdraw):
        return not already_rejected
    return isinstance(action, Hold) and (action.alarm or (canary is not None and seen.measurements is None))
