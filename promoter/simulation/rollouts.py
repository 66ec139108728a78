"""One simulated rollout, from its first weight to its verdict: by our own rule, or by a peer's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from promoter.decisions.calibration import chosen
from promoter.decisions.closed_loop import ClosedLoop, Delays, Span
from promoter.domain.calibration import Calibration
from promoter.domain.evidence import ArmCounts
from promoter.domain.forecast import Ending
from promoter.domain.measurements import LatencyProfile
from promoter.domain.policy import Limits, RolloutPolicy
from promoter.errors import InvalidInput
from promoter.simulation.disturbances import Disturbance
from promoter.simulation.history import History
from promoter.simulation.latency import SlowPods, profile
from promoter.simulation.outcome import Outcome
from promoter.simulation.peers import Peer
from promoter.simulation.stream import GRID, STABLE_PODS, Scenario, SlotCounts, Stream


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
    traffic = _Requests(setup, run, calibration)
    length = round(calibration.interval.total_seconds())
    delays = Delays(setup.reaction, setup.raise_delay, setup.revert_delay)
    rate = history.last(length).requests / length
    loop = ClosedLoop(setup.policy, calibration, traffic, rate=rate, delays=delays)
    for _ in loop.steps(setup.horizon):
        # The traffic counts what matters here.
        pass
    seconds = setup.horizon if loop.ended_at is None else round(loop.ended_at)
    return Outcome(loop.ending, seconds, traffic.extra, calibration.bet)


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
    return Outcome(Ending.UNDECIDED, setup.horizon, extra)


class _Requests:
    """The requests of one run. `extra`: those that failed on the canary so far and would not have on stable."""

    def __init__(self, setup: Setup, run: int, calibration: Calibration) -> None:
        self._slot = setup.scenario.slot
        self._stream = Stream(setup.scenario, setup.seed, run)
        self._slow_pods = _slow_pods(setup, run, calibration)
        self.extra = 0

    def counts(self, spans: Sequence[Span]) -> tuple[ArmCounts, ArmCounts]:
        """As `Traffic` says; every moment at which the weight changes is the end of a slot."""
        slots = [
            self._stream.at(slot, span.weight)
            for span in spans
            for slot in range(round(span.begin / self._slot), round(span.end / self._slot))
        ]
        whole = SlotCounts(*map(sum, zip(*slots, strict=True))) if slots else SlotCounts(0, 0, 0, 0, 0)
        self.extra += whole.canary_bad - whole.spared
        canary = ArmCounts(whole.canary, whole.canary_bad, whole.canary_bad)
        stable = ArmCounts(whole.stable, whole.stable_bad, whole.stable_bad)
        if self._slow_pods is None:
            return canary, stable
        return self._slow_pods.timed(canary, 1), self._slow_pods.timed(stable, STABLE_PODS)


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
