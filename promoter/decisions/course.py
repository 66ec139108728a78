"""A rollout fed interval by interval, in closed loop, by exactly the rules that run live.

Forecasts, backtests and simulations walk it. Everything around the counts is in order here: commits are live at
once, pods are Ready, everybody can be seen; how long that takes is for the caller to add.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from promoter.decisions.evidence import Scales
from promoter.decisions.rollout import judge
from promoter.decisions.transition import released
from promoter.decisions.trial import Trial
from promoter.domain.action import Action, Promote, Revert, SetWeight
from promoter.domain.application import Application, Deployment, Health, Pod, SyncStatus
from promoter.domain.calibration import Calibration
from promoter.domain.evidence import IntervalCounts
from promoter.domain.measurements import Measurements
from promoter.domain.names import ServedModel
from promoter.domain.observation import ClusterTraits, Observation
from promoter.domain.policy import RolloutPolicy
from promoter.domain.release import Canary, Release, Stable
from promoter.domain.repository import Change, Lineage
from promoter.domain.version import Digest, ModelVersion

_SERVED = ServedModel("any", "any")
_STABLE, _CANARY = ModelVersion(1), ModelVersion(2)
_DIGEST = Digest("sha256:" + "0" * 64)
_REVISION = "0" * 40

# Nothing that is decided looks further back than this many intervals; the rest is in the scales.
_REMEMBERED = 50


class Course:
    """One rollout. `ended` is the Promote or Revert that ended it, None while it goes on; `evidence` what is known.

    reaction_time: goes into the ramp. full: pods that carry all traffic; a weight never exceeds what the canary's
    share of them carries. start: seconds since the epoch at which the canary is there.
    """

    def __init__(
        self,
        policy: RolloutPolicy,
        calibration: Calibration,
        *,
        reaction_time: timedelta,
        start: float,
        full: int = 100,
    ) -> None:
        since = datetime.fromtimestamp(start, UTC)
        self._calibration = calibration
        self._scales = Scales(policy, calibration, start=start)
        self._intervals: list[IntervalCounts] = []
        self.evidence = self._scales.evidence(weight=0, rate=0.0)
        self.ended: Promote | Revert | None = None
        self._seen = Observation(
            served=_SERVED,
            head=_REVISION,
            release=Release(Stable(_STABLE, _DIGEST, full), Canary(_CANARY, _DIGEST, 0, 1, since)),
            policy=policy,
            changed=Change(_REVISION, since, "", ours=True, before=None),
            weight_since=since,
            traits=ClusterTraits(reaction_time=reaction_time),
            calibration=calibration,
            lineage=Lineage(contains=True, unchanged=True),
            measurements=Measurements(start, start),
        )

    @property
    def weight(self) -> int:
        """The share of requests that goes to the canary, in percent; 100 once it is promoted."""
        canary = self._seen.release.canary
        if canary is None:
            return 100 if isinstance(self.ended, Promote) else 0
        return canary.weight

    def step(self, counts: IntervalCounts, rate: float) -> Action:
        """Take one interval and decide at its end; the weight it decides on holds from there.

        rate: requests per second. Commits that only make pods are made on the way. Not to be called after the end.
        """
        now = datetime.fromtimestamp(counts.end, UTC)
        begin = counts.end - self._calibration.interval.total_seconds()
        self._scales.add(counts, at_present_weight=begin >= self._seen.weight_since.timestamp())
        self._intervals.append(counts)
        self.evidence = self._scales.evidence(weight=self.weight, rate=rate)
        while True:
            action = judge(self._trial(now), now)
            weight = self.weight
            self._apply(action, now)
            if not isinstance(action, SetWeight) or action.weight != weight:
                return action

    def _trial(self, now: datetime) -> Trial:
        release = self._seen.release
        if release.canary is None or release.stable is None:
            raise AssertionError("the course has ended")
        canary, full = release.canary, release.stable.replicas or 1
        seen = replace(self._seen, application=_all_well(canary.weight, canary.replicas, full), newest_sample=now)
        return Trial(
            seen,
            release.stable,
            canary,
            self._calibration,
            tuple(self._intervals[-_REMEMBERED:]),
            self.evidence,
            self._scales.bound,
        )

    def _apply(self, action: Action, now: datetime) -> None:
        if isinstance(action, Promote | Revert):
            self.ended = action
        before = self.weight
        self._seen = replace(self._seen, release=released(self._seen.release, action, now))
        if self.weight != before:
            self._seen = replace(self._seen, weight_since=now)
            self._scales.change_weight()


@lru_cache(maxsize=4096)
def _all_well(weight: int, replicas: int, full: int) -> Application:
    """Argo CD's answer when everything is as the commit says."""
    deployments = (_deployment(_STABLE, full), _deployment(_CANARY, replicas))
    route = {_STABLE: 100 - weight, _CANARY: weight}
    return Application(SyncStatus.SYNCED, Health.HEALTHY, _REVISION, deployments=deployments, route=route)


def _deployment(version: ModelVersion, replicas: int) -> Deployment:
    pods = tuple(Pod(f"{version}-{number}", ready=True) for number in range(replicas))
    return Deployment(version, Health.HEALTHY, pods=pods)
