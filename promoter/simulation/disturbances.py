"""In what way the simulated requests fail: by themselves, or as real ones do."""

from __future__ import annotations

from enum import StrEnum


class Disturbance(StrEnum):
    """What happens to both versions alike. None of it is the canary's fault."""

    NONE = "none"
    BURSTS_2 = "bursts-x2"
    BURSTS_5 = "bursts-x5"
    RETRIES = "retries"
    COMMON_SHOCKS = "common-shocks"
    DRIFT = "drift"
    POD_BLIPS = "pod-blips"
    SLOW_PODS = "slow-pods"
    WRONG_SPLIT = "wrong-split"


MEANINGS = {
    Disturbance.NONE: "every request fails, or not, by itself",
    Disturbance.BURSTS_2: "failures come in bursts: counts vary twice as much as independent ones",
    Disturbance.BURSTS_5: "the same, five times as much",
    Disturbance.RETRIES: "a failed request is sent again up to three times, to the same version, and fails again",
    Disturbance.COMMON_SHOCKS: "in one of twenty 15 s both versions fail ten times as often",
    Disturbance.DRIFT: "the error ratio of both wanders between a third and three times its middle, in 20 minutes",
    Disturbance.POD_BLIPS: "once an hour each pod fails 20 % of its requests for 15 s",
    Disturbance.SLOW_PODS: "every pod is some 10 % faster or slower than the others, anew in each interval",
    Disturbance.WRONG_SPLIT: "the proxy sends the canary 1.2 times its weight",
}
