"""Raw counters to counts: resets, births, gaps, freshness."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest
from builders import version
from hypothesis import given
from hypothesis import strategies as st

from promoter.decisions.counting import increments, interval_counts, request_rate, seen_until
from promoter.domain.measurements import LatencySeries, Measurements, RequestSeries, TargetSeries

START, SINCE = 960.0, 1000.0
SCRAPE = timedelta(seconds=5)


def points(*pairs):
    return tuple((float(at), float(value)) for at, value in pairs)


def up(pod, number, *times, value=1):
    return TargetSeries(pod, version(number), points(*((at, value) for at in times)))


def requests(pod, number, status, *pairs):
    return RequestSeries(pod, version(number), status, points(*pairs))


def counts(measured, bounds=()):
    return interval_counts(
        measured,
        canary=version(43),
        stable=version(42),
        bounds_us=bounds,
        since=SINCE,
        interval=timedelta(seconds=10),
        scrape_interval=SCRAPE,
    )


STABLE = up("s", 42, *range(960, 1041, 5))


@pytest.mark.parametrize(
    ("values", "born", "expected"),
    [
        ([10, 15, 3, 8], False, [5, 3, 5]),
        ([10, 15], True, [10, 5]),
        ([37], True, [37]),
        ([37], False, []),
        ([1, math.nan, 4, math.inf, 9], False, [3, 5]),
        ([5, 0, 0, 2], False, [0, 0, 2]),
    ],
)
def test_growth_counts_resets_and_passes_over_what_is_not_finite(values, born, expected):
    samples = tuple((float(index), value) for index, value in enumerate(values))
    assert [growth for _, growth in increments(samples, born_at_zero=born)] == expected


def test_counts_fall_into_the_interval_of_their_sample():
    seen = Measurements(
        START,
        1041.0,
        requests=(
            requests("s", 42, "OK", (995, 100), (1000, 110), (1005, 120), (1010, 130), (1015, 145), (1020, 150)),
        ),
        targets=(STABLE,),
    )
    assert [(found.end, found.stable.requests) for found in counts(seen)][:2] == [(1010, 20), (1020, 20)]


def test_an_interval_is_read_only_when_it_is_over():
    seen = Measurements(START, 1019.5, targets=(STABLE,))
    assert [found.end for found in counts(seen)] == [1010]
    assert counts(Measurements(START, 1005.0, targets=(STABLE,))) == ()


def test_the_first_errors_of_a_pod_that_answered_before_all_count():
    seen = Measurements(
        START,
        1041.0,
        requests=(requests("s", 42, "INTERNAL", (1005, 37), (1010, 37)),),
        targets=(STABLE,),
    )
    assert counts(seen)[0].stable.bad == 37


def test_a_pod_born_inside_the_window_counts_from_zero():
    seen = Measurements(
        START,
        1041.0,
        requests=(requests("c", 43, "OK", (1005, 12), (1010, 20)),),
        targets=(STABLE, up("c", 43, 1005, 1010)),
    )
    assert counts(seen)[0].canary.requests == 20


def test_a_pod_that_was_there_at_the_start_of_the_window_has_an_unknown_past():
    seen = Measurements(
        START,
        1041.0,
        requests=(requests("s", 42, "OK", (960, 1_000_000), (1005, 1_000_005)),),
        targets=(STABLE,),
    )
    assert counts(seen)[0].stable.requests == 5


def test_a_pod_that_shows_up_after_a_gap_in_everything_has_an_unknown_past():
    seen = Measurements(
        START,
        1041.0,
        requests=(requests("c", 43, "OK", (1030, 5000), (1035, 5003)),),
        targets=(up("s", 42, 960, 965, 1030, 1035), up("c", 43, 1030, 1035)),
    )
    assert sum(found.canary.requests for found in counts(seen)) == 3


def test_a_missed_scrape_makes_one_larger_count_and_loses_nothing():
    seen = Measurements(
        START,
        1041.0,
        requests=(requests("s", 42, "OK", (995, 0), (1000, 0), (1035, 700)),),
        targets=(STABLE,),
    )
    assert [found.stable.requests for found in counts(seen)] == [0, 0, 0, 700]


def test_only_faults_of_the_server_are_faults_but_every_failure_is_bad():
    seen = Measurements(
        START,
        1041.0,
        requests=tuple(
            requests("s", 42, status, (1005, 1)) for status in ("OK", "INVALID_ARGUMENT", "INTERNAL", "UNAVAILABLE")
        ),
        targets=(STABLE,),
    )
    found = counts(seen)[0].stable
    assert (found.requests, found.bad, found.faults) == (4, 3, 2)


def test_slow_is_whatever_did_not_succeed_under_the_bound_and_never_negative():
    seen = Measurements(
        START,
        1041.0,
        requests=(requests("s", 42, "OK", (1005, 10)), requests("s", 42, "INTERNAL", (1005, 2))),
        latency=(
            LatencySeries("s", version(42), "Predict", "GRPC", 6426.84, points((1005, 7))),
            LatencySeries("s", version(42), "Predict", "GRPC", 20823.0, points((1005, 99))),
        ),
        targets=(STABLE,),
    )
    assert counts(seen, bounds=(6426.84, 20823.0))[0].stable.slow == (5, 0)


def test_versions_that_are_not_on_trial_do_not_count():
    seen = Measurements(
        START, 1041.0, requests=(requests("x", 41, "OK", (1005, 10)),), targets=(STABLE, up("x", 41, 1000))
    )
    assert all(found.stable.requests == found.canary.requests == 0 for found in counts(seen))


def test_everybody_must_have_been_seen():
    targets = (up("a", 43, 1000, 1005), up("b", 43, 1000), up("s", 42, 1010))
    assert seen_until(targets, version(43), frozenset({"a", "b"})) == 1000
    assert seen_until(targets, version(43), frozenset({"a", "b", "c"})) is None
    assert seen_until(targets, version(43), frozenset()) == 1005
    assert seen_until((up("a", 43, 1000, value=0),), version(43), frozenset({"a"})) is None


def test_the_rate_is_of_the_last_minute_and_of_all_versions():
    seen = Measurements(
        START,
        1040.0,
        requests=(requests("s", 42, "OK", (960, 0), (1000, 400), (1040, 800)), requests("c", 43, "OK", (1040, 8))),
        targets=(STABLE, up("c", 43, 1035, 1040)),
    )
    assert request_rate(seen, SCRAPE) == pytest.approx(808 / 60, rel=0.3)


pods = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.sampled_from(["OK", "INTERNAL"]),
        st.lists(st.integers(0, 50), min_size=1, max_size=8),
    ),
    max_size=6,
    unique_by=lambda series: series[:2],
)


@given(pods, st.randoms())
def test_the_order_of_series_changes_nothing(series, random):
    built = [
        requests(pod, 42, status, *((1000 + 5 * index, value) for index, value in enumerate(values)))
        for pod, status, values in series
    ]
    shuffled = list(built)
    random.shuffle(shuffled)
    one, other = (Measurements(START, 1100.0, requests=tuple(order), targets=(STABLE,)) for order in (built, shuffled))
    assert counts(one) == counts(other)
