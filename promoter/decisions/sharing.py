"""Who may start and rise where an environment's rollouts share a limit, and who waits behind whom.

Fair and the same in every process: the order comes from Git. Starts: the model whose release.yaml has been unchanged
the longest is first. Raises: the rollout that began first is first. Ways back ask nobody, and what they free is there
from the next pass on, when it is in Git.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from promoter.decisions.ramp import SMALLEST_GAIN
from promoter.domain.action import Action, Hold, Promote, SetWeight, StartCanary, is_way_back
from promoter.domain.freeze import Unreadable
from promoter.domain.names import LIMITS_PATH, ServedModel
from promoter.domain.observation import Observation
from promoter.domain.release import Canary, Release
from promoter.domain.shared_limits import SharedLimits

# So many are named in a sentence.
_NAMED = 3


@dataclass(frozen=True, slots=True)
class Shared:
    """The actions that the limits leave. behind: whom each model waits for, those that wait for nobody left out."""

    actions: dict[ServedModel, Action]
    behind: dict[ServedModel, tuple[ServedModel, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Use:
    """How much of an environment's limits is taken. exposure: in percent, as `SharedLimits` says."""

    rollouts: int
    exposure: int


def share(
    observations: Mapping[ServedModel, Observation],
    actions: Mapping[ServedModel, Action],
    unseen: Mapping[ServedModel, Release],
    limits: Mapping[str, SharedLimits] | Unreadable,
) -> Shared:
    """`actions`, with starts and raises beyond `limits` held. unseen: releases of models that are not observed."""
    if isinstance(limits, Unreadable):
        reason = f"nobody can tell what the limits are, so nothing starts and nothing rises: {limits.fault}"
        return Shared(
            {
                served: Hold(f"{reason}; next: {action.reason}", action.evidence, alarm=True)
                if isinstance(action, StartCanary | SetWeight | Promote) and not is_way_back(action)
                else action
                for served, action in actions.items()
            }
        )
    shared = Shared(dict(actions))
    for environment, limit in limits.items():
        forward = {
            served: action
            for served, action in actions.items()
            if served.environment == environment
            and isinstance(action, StartCanary | SetWeight)
            and not is_way_back(action)
        }
        if not forward:
            continue
        canaries = in_flight(observations, unseen, environment)
        if limit.concurrent_rollouts is not None:
            _share_rollouts(limit.concurrent_rollouts, canaries, forward, observations, shared)
        if limit.exposure is not None:
            _share_exposure(limit.exposure, canaries, forward, shared)
    return shared


def in_flight(
    observations: Mapping[ServedModel, Observation], unseen: Mapping[ServedModel, Release], environment: str
) -> dict[ServedModel, Canary]:
    """The canaries of an environment, by Git, in the order in which their rollouts began."""
    releases = {served: seen.release for served, seen in observations.items()} | dict(unseen)
    canaries = {
        served: release.canary
        for served, release in releases.items()
        if served.environment == environment and release.canary is not None
    }
    return dict(sorted(canaries.items(), key=lambda pair: (pair[1].since, str(pair[0]))))


def use(canaries: Mapping[ServedModel, Canary]) -> Use:
    """What these canaries take of the limits."""
    return Use(len(canaries), sum(map(_exposed, canaries.values())))


def _exposed(canary: Canary) -> int:
    """One with all requests has been proven: counted, it would keep all others from that."""
    return canary.weight if canary.weight < 100 else 0


def _share_rollouts(
    limit: int,
    canaries: Mapping[ServedModel, Canary],
    forward: Mapping[ServedModel, Action],
    observations: Mapping[ServedModel, Observation],
    shared: Shared,
) -> None:
    starts = sorted(
        (served for served, action in forward.items() if isinstance(action, StartCanary)),
        key=lambda served: (observations[served].changed.at, str(served)),
    )
    for place, served in enumerate(starts):
        if len(canaries) + place < limit:
            continue
        said = f"{LIMITS_PATH} allows {limit} rollout{'' if limit == 1 else 's'} in {served.environment} at once"
        _hold(shared, served, said, (*canaries, *starts[:place]))


def _share_exposure(
    limit: int, canaries: Mapping[ServedModel, Canary], forward: Mapping[ServedModel, Action], shared: Shared
) -> None:
    left = limit - use(canaries).exposure
    waiting: list[ServedModel] = []
    for served, canary in canaries.items():
        action = forward.get(served)
        if not isinstance(action, SetWeight) or not canary.weight < action.weight < 100:
            continue
        if not waiting:
            # Less than was asked for is better than nothing, where it is worth a commit.
            reached = min(action.weight, canary.weight + max(0, left))
            if reached == action.weight or (reached > canary.weight and reached >= SMALLEST_GAIN * canary.weight):
                left -= reached - canary.weight
                shared.actions[served] = _cut(action, reached, limit, served)
                continue
        waiting.append(served)
        said = f"{LIMITS_PATH} allows {served.environment} an exposure of {limit} %, and {max(0, left)} % is left"
        takers = (other for other, its in canaries.items() if other != served and _exposed(its))
        _hold(shared, served, said, tuple(dict.fromkeys((*takers, *waiting[:-1]))))


def _cut(action: SetWeight, weight: int, limit: int, served: ServedModel) -> SetWeight:
    if weight == action.weight:
        return action
    reason = f"{action.reason}; no more than {weight} %, for {LIMITS_PATH} allows {served.environment} {limit} %"
    return replace(action, weight=weight, reason=reason)


def _hold(shared: Shared, served: ServedModel, said: str, behind: Sequence[ServedModel]) -> None:
    action = shared.actions[served]
    named = ", ".join(map(str, behind[:_NAMED]))
    more = f" and {len(behind) - _NAMED} more" if len(behind) > _NAMED else ""
    waits = f"waits behind {named}{more}" if behind else "none of it is another's: only proof for 100 % leads on"
    shared.actions[served] = Hold(f"{said}; {waits}; next: {action.reason}", action.evidence)
    if behind:
        shared.behind[served] = tuple(behind)
