"""A rollout fed interval by interval, by exactly the rules that run live.

Forecasts, backtests and simulations walk it. Everything around the counts is in order here: commits are live at
once, pods are Ready, everybody can be seen; how long that takes is for the caller to add.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from promoter.decisions.evidence import Scales
from promoter.decisions.fair_weather import OURS, all_well
from promoter.decisions.transition import released
from promoter.decisions.trial import Trial
from promoter.decisions.verdict import judge
from promoter.domain.action import Action, Promote, Revert, SetWeight
from promoter.domain.calibration import Calibration
from promoter.domain.evidence import IntervalCounts
from promoter.domain.measurements import Measurements
from promoter.domain.names import ServedModel
from promoter.domain.observation import ClusterTraits, Observation
from promoter.domain.policy import ApprovalPolicy, RolloutPolicy
from promoter.domain.release import Canary, Release, Stable
from promoter.domain.repository import Change
from promoter.domain.version import Digest, ModelVersion

_SERVED = ServedModel("any", "any")
_DIGEST = Digest("sha256:" + "0" * 64)
_REVISION = "0" * 40

# Nothing that is decided looks further back than this many intervals; the rest is in the scales.
_REMEMBERED = 50


class Course:
    """One rollout. `ended` is the Promote or Revert that ended it, None while it goes on; `evidence` what is known.

    reaction_time: goes into the ramp. full: pods that carry all traffic; a weight never exceeds what the canary's
    share of them carries. start: seconds since the epoch at which the canary is there. recorded: the counts were
    measured at weights that somebody else decided, so their split says nothing of the route. versions: stable's
    and the canary's number, for the sentences.
    """

    def __init__(
        self,
        policy: RolloutPolicy,
        calibration: Calibration,
        *,
        reaction_time: timedelta,
        start: float,
        full: int = 100,
        recorded: bool = False,
        versions: tuple[int, int] = (1, 2),
    ) -> None:
        since = datetime.fromtimestamp(start, UTC)
        stable, canary = map(ModelVersion, versions)
        self._calibration = calibration
        self._full = full
        self._recorded = recorded
        self._scales = Scales(policy, calibration, start=start)
        self._intervals: deque[IntervalCounts] = deque(maxlen=_REMEMBERED)
        self.evidence = self._scales.evidence(weight=0, rate=0.0)
        self.ended: Promote | Revert | None = None
        self._seen = Observation(
            served=_SERVED,
            head=_REVISION,
            release=Release(Stable(stable, _DIGEST, full), Canary(canary, _DIGEST, 0, 1, since)),
            # How long people take to agree is theirs: here they agree at once.
            policy=replace(policy, approval=ApprovalPolicy()),
            changed=Change(_REVISION, since, "", ours=True, before=None),
            weight_since=since,
            traits=ClusterTraits(reaction_time=reaction_time),
            calibration=calibration,
            lineage=OURS,
            measurements=Measurements(start, start),
        )

    @property
    def weight(self) -> int:
        """The share of requests that goes to the canary, in percent; 100 once it is promoted."""
        canary = self._seen.release.canary
        if canary is None:
            return 100 if isinstance(self.ended, Promote) else 0
        return canary.weight

    def begin(self, rate: float) -> Action:
        """Decide on the first weight, before the canary has answered a request. rate: requests per second."""
        self.evidence = self._scales.evidence(weight=0, rate=rate)
        return self._decide(self._seen.weight_since)

    def step(self, counts: IntervalCounts, rate: float) -> Action:
        """Take one interval and decide at its end; the weight it decides on holds from there.

        rate: requests per second. Commits that only make pods are made on the way. Not to be called after the end.
        """
        return self._decide(self._take(counts, rate))

    def follow(self, counts: IntervalCounts, rate: float, weight: int) -> Action:
        """Take one interval in which the canary had `weight` percent, and say what would be decided at its end.

        Nothing is done about it: the weights are those that were.
        """
        if weight != self.weight:
            self._turn(weight, datetime.fromtimestamp(self._begin(counts), UTC))
        now = self._take(counts, rate)
        return judge(self._trial(now), now)

    def watch(self, counts: IntervalCounts, rate: float) -> None:
        """Take one interval and decide nothing: what the counts go on to say after the end."""
        self._take(counts, rate)

    def _begin(self, counts: IntervalCounts) -> float:
        return counts.end - self._calibration.interval.total_seconds()

    def _take(self, counts: IntervalCounts, rate: float) -> datetime:
        """Put one interval on the scales; the time at its end."""
        at_present_weight = self._begin(counts) >= self._seen.weight_since.timestamp()
        self._scales.add(counts, at_present_weight=at_present_weight)
        self._intervals.append(counts)
        self.evidence = self._scales.evidence(weight=0 if self._recorded else self.weight, rate=rate)
        return datetime.fromtimestamp(counts.end, UTC)

    def _turn(self, weight: int, at: datetime) -> None:
        """The canary has another weight since `at`, and whatever pods it needs."""
        canary = self._seen.release.canary
        if canary is None:
            raise AssertionError("the course has ended")
        turned = replace(canary, weight=weight, replicas=self._full)
        release = replace(self._seen.release, canary=turned)
        self._seen = replace(self._seen, release=release, weight_since=at)
        self._scales.change_weight()

    def _decide(self, now: datetime) -> Action:
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
        seen = replace(self._seen, application=all_well(release, _REVISION), newest_sample=now)
        return Trial(
            seen,
            release.stable,
            release.canary,
            self._calibration,
            tuple(self._intervals),
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
