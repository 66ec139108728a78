"""What files say of golden requests, for `promoter check`: how far their rate goes, and whether two files agree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta

from promoter.cli.check_traffic import Given
from promoter.decisions.calibration import UNKNOWN_DISPERSION
from promoter.decisions.feasibility import cannot_end, need
from promoter.domain.duration import format_duration
from promoter.domain.figures import grouped, per_second
from promoter.domain.names import ServedModel
from promoter.domain.policy import Traffic


def golden_rates(models: Mapping[ServedModel, Given]) -> Iterator[str]:
    """For each model whose evidence is golden requests, how long its rate needs at the last weight, in the best case.

    Where hardly anything fails, that is; the weights before take their time as well.
    """
    for served, given in models.items():
        rate = _counted_on(given)
        if rate is None:
            continue
        found = need(given.policy, phi=UNKNOWN_DISPERSION, base=0.0, rate=rate)
        if found.in_time and found.seconds is not None and found.requests is not None:
            took = format_duration(timedelta(minutes=-(-found.seconds // 60)))
            yield (
                f"{served}: {per_second(rate)} golden requests a second bring {grouped(found.requests)} to the canary "
                f"in {took} at max_weight {given.policy.ramp.max_weight} %"
            )


def golden_doubts(models: Mapping[ServedModel, Given]) -> Iterator[str]:
    """Where policy.yaml and values.yaml do not agree, or golden requests are too few for a rollout to end."""
    for served, given in models.items():
        golden = given.policy.traffic is Traffic.GOLDEN
        rate = _counted_on(given)
        if golden and given.golden is None:
            yield (
                f"{served.policy_path}: traffic is golden, and {served.values_path} sends no golden requests: set "
                "goldenTraffic.enabled there, unless something else sends them (promoter golden send)"
            )
        elif given.golden is not None and not golden:
            yield (
                f"{served.values_path}: goldenTraffic is enabled, and the evidence will be golden requests among "
                f"people's: say `traffic: golden` in {served.policy_path}, or disable it"
            )
        elif rate is not None:
            barred = cannot_end(given.policy, phi=UNKNOWN_DISPERSION, base=0.0, rate=rate)
            if barred is not None:
                more = f"or more goldenTraffic.requestsPerSecond in {served.values_path}"
                yield f"{served.policy_path}: with golden requests alone {barred}, {more}"


def _counted_on(given: Given) -> float | None:
    return given.golden if given.policy.traffic is Traffic.GOLDEN else None
