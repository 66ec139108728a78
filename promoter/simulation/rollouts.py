"""One simulated rollout, from its first weight to its verdict: by our own rule, or by a peer's."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, replace
from datetime import timedelta

from promoter.decisions.calibration import chosen
from promoter.decisions.course import Course
from promoter.domain.action import Revert
from promoter.domain.calibration import Calibration
from promoter.domain.evidence import ArmCounts, IntervalCounts
from promoter.domain.measurements import LatencyProfile
from promoter.domain.policy import Limits, RolloutPolicy
from promoter.errors import InvalidInput
from promoter.simulation.disturbances import Disturbance
from promoter.simulation.history import History
from promoter.simulation.latency import SlowPods, profile
from promoter.simulation.outcome import Outcome, Verdict
from promoter.simulation.peers import Peer
from promoter.simulation.stream import GRID, STABLE_PODS, Scenario, SlotCounts, Stream

# Any moment that divides by every evidence interval.
_START = 1_800_000_000

_RATE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Setup:
    """What is simulated. Durations are in seconds.

    reaction: what the ramp reckons with, from a fault to the moment when a new weight is live.
    raise_delay, revert_delay: from a decision to the moment when its weight is live; peers have none.
    horizon: a rollout that has not ended by then is undecided.
    """

    scenario: Scenario
    policy: RolloutPolicy
    seed: int
    scrape: int
    reaction: int
    raise_delay: int
    revert_delay: int
    horizon: int = 3600

    @classmethod
    def of(
        cls,
        policy: RolloutPolicy,
        *,
        rate: float,
        base: float,
        canary: float,
        disturbance: Disturbance = Disturbance.NONE,
        seed: int = 0,
        scrape: timedelta = timedelta(seconds=5),
        reaction: timedelta = timedelta(seconds=10),
    ) -> Setup:
        """The setup whose slots fit the scrape, the delay of a commit and the evidence interval.

        rate: requests per second. base, canary: error ratios. reaction: the scrape and the delay of a commit.
        Raises InvalidInput for durations that are not whole seconds.
        """
        interval = policy.evidence.interval or timedelta(seconds=GRID)
        scraped, reacted, lasting = (_seconds(duration) for duration in (scrape, reaction, interval))
        delay = max(0, reacted - scraped)
        slot = math.gcd(GRID, scraped, delay, lasting)
        # How long requests take is drawn, and no policy knows how fast the drawn ones ought to be.
        limits = Limits(error_ratio=policy.limits.error_ratio)
        scenario = Scenario(rate, base, canary, disturbance, slot)
        return cls(scenario, replace(policy, limits=limits), seed, scraped, reacted, delay, delay)


def promoter_rollout(setup: Setup, run: int) -> Outcome:
    """Rollout number `run` by the rules that run live."""
    scenario = setup.scenario
    history = History(scenario, setup.seed, run)
    calibration = chosen(history.dispersions(), _profile(scenario), setup.policy, timedelta(seconds=setup.scrape))
    return _Rollout(setup, run, calibration, history).outcome()


def peer_rollout(setup: Setup, run: int, peer: Peer) -> Outcome:
    """The same requests by a peer's rule."""
    scenario = setup.scenario
    stream = Stream(scenario, setup.seed, run)
    slots = setup.scrape // scenario.slot
    extra = 0
    for number in range(setup.horizon // setup.scrape):
        seen = [stream.at(slot, peer.weight) for slot in range(number * slots, (number + 1) * slots)]
        extra += sum(counts.canary_bad - counts.spared for counts in seen)
        end = (number + 1) * setup.scrape
        verdict = peer.take(end, sum(counts.canary for counts in seen), sum(counts.canary_bad for counts in seen))
        if verdict is not None:
            return Outcome(verdict, end, extra)
    return Outcome(Verdict.UNDECIDED, setup.horizon, extra)


class _Rollout:
    """Our own rule's walk: evidence by the interval, weights that are live only some seconds after their commit."""

    def __init__(self, setup: Setup, run: int, calibration: Calibration, history: History) -> None:
        self._setup = setup
        self._calibration = calibration
        self._length = round(calibration.interval.total_seconds())
        self._stream = Stream(setup.scenario, setup.seed, run)
        self._slow_pods = _slow_pods(setup, run, calibration)
        self._course = Course(
            setup.policy, calibration, reaction_time=timedelta(seconds=setup.reaction), start=_START - self._length
        )
        self._slot = 0
        self._extra = 0
        self._recent: deque[int] = deque(maxlen=-(-_RATE_SECONDS // self._length))
        # Before the canary has a weight all requests are stable's; the clock starts when the first weight is live.
        self._decide(ArmCounts(slow=(0,) * len(calibration.bounds_us)), history.last(self._length), end=0)
        self._live = self._course.weight
        self._coming: deque[tuple[int, int]] = deque()

    def outcome(self) -> Outcome:
        """To the end of it."""
        for end in range(self._length, self._setup.horizon + 1, self._length):
            before = self._course.weight
            self._decide(*self._pass(end), end=end)
            weight = self._course.weight
            if weight == 100:
                return self._ended(Verdict.PROMOTED, end)
            if isinstance(self._course.ended, Revert):
                self._pass(end + self._setup.revert_delay)
                return self._ended(Verdict.REVERTED, end)
            if weight != before:
                self._coming.append((end + self._setup.raise_delay, weight))
        return self._ended(Verdict.UNDECIDED, self._setup.horizon)

    def _ended(self, verdict: Verdict, seconds: int) -> Outcome:
        return Outcome(verdict, seconds, self._extra, self._calibration.bet)

    def _pass(self, end: int) -> tuple[ArmCounts, ArmCounts]:
        """Let requests arrive until `end`, in seconds: the counts of canary and stable."""
        slots = []
        while self._slot * self._setup.scenario.slot < end:
            while self._coming and self._coming[0][0] <= self._slot * self._setup.scenario.slot:
                self._live = self._coming.popleft()[1]
            slots.append(self._stream.at(self._slot, self._live))
            self._slot += 1
        whole = SlotCounts(*map(sum, zip(*slots, strict=True))) if slots else SlotCounts(0, 0, 0, 0, 0)
        self._extra += whole.canary_bad - whole.spared
        return (
            ArmCounts(whole.canary, whole.canary_bad, whole.canary_bad),
            ArmCounts(whole.stable, whole.stable_bad, whole.stable_bad),
        )

    def _decide(self, canary: ArmCounts, stable: ArmCounts, *, end: int) -> None:
        if self._slow_pods is not None:
            canary, stable = self._slow_pods.timed(canary, 1), self._slow_pods.timed(stable, STABLE_PODS)
        self._recent.append(canary.requests + stable.requests)
        rate = sum(self._recent) / (len(self._recent) * self._length)
        self._course.step(IntervalCounts(_START + end, canary, stable), rate)


def _slow_pods(setup: Setup, run: int, calibration: Calibration) -> SlowPods | None:
    if setup.scenario.disturbance is not Disturbance.SLOW_PODS:
        return None
    return SlowPods(setup.seed, run, calibration.bounds_us)


def _profile(scenario: Scenario) -> LatencyProfile:
    """Latency is part of the evidence only where it is part of the scenario."""
    return profile() if scenario.disturbance is Disturbance.SLOW_PODS else LatencyProfile()


def _seconds(duration: timedelta) -> int:
    seconds = duration.total_seconds()
    if seconds != round(seconds) or seconds < 1:
        raise InvalidInput(f"{seconds:g} s cannot be simulated: use whole seconds for scrapes, reactions and intervals")
    return round(seconds)
