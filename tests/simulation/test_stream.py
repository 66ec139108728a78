"""The generator has the moments that it claims, and every rule meets the same requests."""

from __future__ import annotations

from statistics import fmean, variance

import pytest

from promoter.simulation.disturbances import Disturbance
from promoter.simulation.history import History
from promoter.simulation.stream import STABLE_PODS, Scenario, Stream, measured_share

HOUR = 240


def scenario(disturbance=Disturbance.NONE, rate=1000.0, base=0.01, canary=0.02, slot=15):
    return Scenario(rate, base, canary, disturbance, slot)


def counts(weight, given, slots=HOUR, runs=8):
    """Slots of several runs at one weight."""
    weights = (weight,)
    streams = [Stream(given, 7, run, weights) for run in range(runs)]
    return [stream.at(slot, weight) for stream in streams for slot in range(slots)]


def spread(values):
    """How many times as much they vary as Poisson counts of their mean."""
    return variance(values) / fmean(values)


@pytest.mark.parametrize("weight", [5, 50])
def test_traffic_is_poisson_and_is_cut_by_the_weight(weight):
    seen = counts(weight, scenario())
    assert fmean(each.canary for each in seen) == pytest.approx(150 * weight, rel=0.01)
    assert fmean(each.stable for each in seen) == pytest.approx(15000 - 150 * weight, rel=0.01)
    assert spread([each.canary for each in seen]) == pytest.approx(1, abs=0.12)
    assert spread([each.stable for each in seen]) == pytest.approx(1, abs=0.12)


@pytest.mark.parametrize(
    ("disturbance", "factor"),
    [(Disturbance.NONE, 1), (Disturbance.RETRIES, 3), (Disturbance.BURSTS_2, 2), (Disturbance.BURSTS_5, 5)],
)
def test_errors_are_as_many_as_asked_and_as_bunched(disturbance, factor):
    seen = counts(5, scenario(disturbance), runs=16)
    assert sum(each.canary_bad for each in seen) / sum(each.canary for each in seen) == pytest.approx(0.02, rel=0.06)
    assert sum(each.stable_bad for each in seen) / sum(each.stable for each in seen) == pytest.approx(0.01, rel=0.03)
    assert spread([each.canary_bad for each in seen]) == pytest.approx(factor, rel=0.15)


def test_retries_stick_to_one_version():
    # Four in a row at most, each row on one side: a slot of one request a second has counts that come in lumps.
    seen = counts(50, scenario(Disturbance.RETRIES, rate=1, base=0.001, canary=0.001, slot=1), slots=300, runs=40)
    lumps = {each.canary_bad for each in seen} | {each.stable_bad for each in seen}
    assert {2, 3, 4} <= lumps


def test_a_common_shock_hits_both_versions_at_once():
    seen = counts(50, scenario(Disturbance.COMMON_SHOCKS, canary=0.01))
    shocked = [each for each in seen if each.stable_bad > 5 * 75]
    assert len(shocked) / len(seen) == pytest.approx(0.05, abs=0.02)
    assert fmean(each.canary_bad for each in shocked) == pytest.approx(750, rel=0.05)


def test_drift_moves_both_ratios_alike_and_keeps_their_middle():
    seen = counts(50, scenario(Disturbance.DRIFT, canary=0.01), runs=2)
    ratios = [each.stable_bad / each.stable for each in seen]
    assert fmean(ratios) == pytest.approx(0.01, rel=0.05)
    assert max(ratios) > 5 * min(ratios)
    assert sum(each.canary_bad for each in seen) == pytest.approx(sum(each.stable_bad for each in seen), rel=0.05)


def test_a_blip_hits_one_pod_for_one_interval_about_once_an_hour():
    seen = counts(10, scenario(Disturbance.POD_BLIPS, base=0.001, canary=0.001), runs=40)
    # The canary is one pod: a blip is a fifth of its requests. Stable has nine, of which one blips.
    canary = sum(each.canary_bad > 0.1 * each.canary for each in seen)
    stable = sum(each.stable_bad > 0.01 * each.stable for each in seen)
    assert canary / 40 == pytest.approx(1, abs=0.4)
    assert stable / 40 == pytest.approx(STABLE_PODS, abs=1.5)


def test_the_proxy_with_a_wrong_split_sends_more_than_its_weight_and_all_at_100():
    seen = counts(5, scenario(Disturbance.WRONG_SPLIT))
    assert fmean(each.canary for each in seen) == pytest.approx(0.06 * 15000, rel=0.01)
    assert [measured_share(Disturbance.WRONG_SPLIT, weight) for weight in (0, 50, 100)] == pytest.approx([0, 0.6, 1])


def test_every_weight_cuts_the_same_requests():
    stream, again = Stream(scenario(slot=5), 3, 4), Stream(scenario(slot=5), 3, 4)
    for slot in (0, 61, 7):
        narrow, wide, none = stream.at(slot, 5), stream.at(slot, 30), again.at(slot, 0)
        assert narrow.canary <= wide.canary
        assert narrow.canary_bad <= wide.canary_bad
        # What the canary does not get is stable's, to the last failure.
        assert narrow.spared + narrow.stable_bad == wide.spared + wide.stable_bad == none.stable_bad
        assert (none.canary, none.canary_bad, none.spared) == (0, 0, 0)
        assert again.at(slot, 5) == narrow
    assert stream.at(0, 100).stable == 0


def test_runs_and_seeds_differ():
    one = Stream(scenario(), 3, 4).at(0, 50)
    assert Stream(scenario(), 3, 5).at(0, 50) != one
    assert Stream(scenario(), 4, 4).at(0, 50) != one


@pytest.mark.parametrize(("disturbance", "bunched"), [(Disturbance.NONE, False), (Disturbance.BURSTS_5, True)])
def test_the_hour_before_shows_how_bunched_errors_are(disturbance, bunched):
    history = History(scenario(disturbance, base=0.01), 1, 1)
    found = history.dispersions()
    assert found[15].df == HOUR * (STABLE_PODS - 1)
    assert all((each.phi > 2) == bunched for each in found.values())
    assert history.last(60).requests == pytest.approx(60_000, rel=0.05)


def test_nothing_fails_where_nothing_is_asked_to():
    for disturbance in (Disturbance.NONE, Disturbance.BURSTS_5, Disturbance.RETRIES):
        seen = counts(50, scenario(disturbance, base=0, canary=1), runs=1)
        assert sum(each.stable_bad for each in seen) == 0
        assert all(each.canary_bad == each.canary for each in seen)
