"""What a version would have cost under a schedule that waits by the clock instead of for evidence. Pure.

The schedule is the example of Argo Rollouts' documentation (docs/features/analysis.md): weights of 20, 40, 60 and 80 %
for ten minutes each; from 40 % on a measurement at once and then every five minutes, which fails below a success ratio
of 95 %; `failureLimit: 3`, and since the code asks for more failures than that, the fourth ends the rollout.

Assumed in the schedule's favour: each measurement sees the canary alone (the example's query mixes it with stable),
sees its true ratio, and takes effect at once.
"""

from __future__ import annotations

from dataclasses import dataclass

STEPS = (20, 40, 60, 80)
STEP_SECONDS = 600
FIRST_MEASURED_STEP = 1
MEASUREMENT_SECONDS = 300
SUCCESS_THRESHOLD = 0.95
FAILURE_LIMIT = 3


@dataclass(frozen=True, slots=True)
class FixedScheduleCost:
    """failed_requests: on the canary, until the schedule ends it or gives it everything. seconds: how long that takes.

    stopped: the measurements ended the rollout; otherwise it went on to 100 %, and on.
    """

    failed_requests: int
    seconds: int
    stopped: bool


def fixed_schedule_cost(rate: float, failure_ratio: float) -> FixedScheduleCost:
    """The cost of a version that fails `failure_ratio` of its requests (0 to 1), at `rate` requests a second."""
    stopped = 1 - failure_ratio < SUCCESS_THRESHOLD
    until = _fourth_failure() if stopped else len(STEPS) * STEP_SECONDS
    exposed = sum(
        weight / 100 * min(STEP_SECONDS, max(0, until - number * STEP_SECONDS)) for number, weight in enumerate(STEPS)
    )
    return FixedScheduleCost(round(rate * failure_ratio * exposed), until, stopped)


def _fourth_failure() -> int:
    """Seconds from the first weight to the measurement that ends the rollout, when every one fails."""
    return FIRST_MEASURED_STEP * STEP_SECONDS + FAILURE_LIMIT * MEASUREMENT_SECONDS
