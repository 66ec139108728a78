"""A history's rollouts to DORA's four measures.

The measures are those of DORA (dora.dev, "DORA's software delivery performance metrics"): change lead time, deployment
frequency, change fail rate and failed deployment recovery time. A change is a model version here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from statistics import median

from promoter.domain.delivery import Delivery, Spread
from promoter.domain.past_rollout import Ended, PastRollout
from promoter.domain.version import ModelVersion

# Until it is published nobody waits for a version; a store's clock may be ahead of Git's, or a version copied later.
_NO_TIME = timedelta(0)

# One model's rollouts, the oldest first, and when its versions were published, as far as that is known.
History = tuple[Sequence[PastRollout], Mapping[ModelVersion, datetime]]


def delivery(histories: Sequence[History], since: datetime, until: datetime) -> Delivery:
    """The measures over all of these models: what ended after `since` and not after `until`."""
    deployed, changes, restored = [], 0, []
    from_publication: list[timedelta] = []
    for rollouts, published in histories:
        ended = [rollout for rollout in rollouts if rollout.ended_at is not None and since < rollout.ended_at <= until]
        releases = [rollout for rollout in ended if _is_deployment(rollout)]
        deployed += releases
        for rollout in releases:
            at, stable_at = published.get(rollout.version), rollout.ended_at
            if at is not None and stable_at is not None and stable_at - at >= _NO_TIME:
                from_publication.append(stable_at - at)
        changes += sum(_is_change(rollout) for rollout in ended)
        restored += [taken for rollout in ended if (taken := _recovery(rollout, rollouts)) is not None]
    return Delivery(
        since=since,
        until=until,
        deployments=len(deployed),
        changes=changes,
        failed=len(restored),
        lead_from_publication=_spread(from_publication),
        lead_from_commit=_spread([*_since_first_commits(deployed)]),
        restored=_spread(restored),
    )


def _is_deployment(rollout: PastRollout) -> bool:
    """Whether a new version became stable. A model that comes with one, from a person, was deployed elsewhere."""
    if rollout.goes_back:
        return False
    return rollout.ended is Ended.PROMOTED or (rollout.ended is Ended.PLACED and rollout.stable is not None)


def _is_change(rollout: PastRollout) -> bool:
    """Whether it reached users, and its end is known: one that was taken away for another reason is none."""
    return _is_deployment(rollout) or (rollout.ended is Ended.REVERTED and rollout.exposed_at is not None)


def _recovery(rollout: PastRollout, rollouts: Sequence[PastRollout]) -> timedelta | None:
    """From a failed version's first requests until it had none; None for one that did not fail."""
    began = rollout.exposed_at
    if began is None or rollout.ended_at is None or not _is_change(rollout):
        return None
    if rollout.ended is Ended.REVERTED:
        return rollout.ended_at - began
    after = _replacement(rollout, rollouts)
    return after.ended_at - began if after is not None and after.ended_at is not None and after.goes_back else None


def _replacement(rollout: PastRollout, rollouts: Sequence[PastRollout]) -> PastRollout | None:
    """The rollout that took the place of this one's version as stable."""
    later = rollouts[[one is rollout for one in rollouts].index(True) + 1 :]
    return next((one for one in later if one.ended in (Ended.PROMOTED, Ended.PLACED)), None)


def _since_first_commits(deployed: Sequence[PastRollout]) -> Iterator[timedelta]:
    """Only of those that had a rollout: a version that one commit made stable has no other time in Git."""
    for rollout in deployed:
        if rollout.ended_at is not None and len(rollout.steps) > 1:
            yield rollout.ended_at - rollout.began_at


def _spread(durations: Sequence[timedelta]) -> Spread:
    if not durations:
        return Spread(0, None, None)
    seconds = [duration.total_seconds() for duration in durations]
    return Spread(len(seconds), timedelta(seconds=median(seconds)), timedelta(seconds=max(seconds)))
