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
    Disturbance.NONE: "none; every request fails by chance, by itself",
    Disturbance.BURSTS_2: "every 15 s each pod has another error ratio; errors vary at least twice as much",
    Disturbance.BURSTS_5: "every 15 s each pod has another error ratio; errors vary at least five times as much",
    Disturbance.RETRIES: "bad requests come up to four in a row, all to the same version",
    Disturbance.COMMON_SHOCKS: "in one of twenty 15 s both versions fail ten times as often",
    Disturbance.DRIFT: "both error ratios wander between a third and three times their middle, in 20 minutes",
    Disturbance.POD_BLIPS: "once an hour each pod fails 20 % of its requests for 15 s",
    Disturbance.SLOW_PODS: "every pod is some 10 % faster or slower than the others, anew in each interval",
    Disturbance.WRONG_SPLIT: "the proxy sends the canary 1.2 times its weight",
}
