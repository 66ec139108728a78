"""Raw counters to counts: resets, births, gaps, freshness."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest
from builders import version
from hypothesis import given
from hypothesis import strategies as st

from promoter.decisions.counting import increments, interval_counts, request_rate, seen_until
from promoter.decisions.tally import printed_step
from promoter.domain.evidence import ArmCounts
from promoter.domain.measurements import (
    LatencySeries,
    LatencyTotals,
    Measurements,
    ProxyScrapes,
    ProxySeries,
    RequestSeries,
    TargetSeries,
)

START, SINCE = 960.0, 1000.0
SCRAPE = timedelta(seconds=5)


def points(*pairs):
    return tuple((float(at), float(value)) for at, value in pairs)


def up(pod, number, *times, value=1):
    return TargetSeries(pod, version(number), points(*((at, value) for at in times)))


def requests(pod, number, status, *pairs):
    return RequestSeries(pod, version(number), status, points(*pairs))


def latency(pod, number, *triples, entrypoint="GRPC"):
    """One histogram from (time, sum in microseconds, count)."""
    sums, successes = (points(*((triple[0], triple[part]) for triple in triples)) for part in (1, 2))
    return LatencyTotals(pod, version(number), "Predict", entrypoint, sums, successes)


def proxied(number, code, *pairs, source="gateway"):
    return ProxySeries(source, version(number), code, points(*pairs))


def scrapes(*times, source="gateway"):
    return ProxyScrapes(source, tuple(float(at) for at in times))


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


def test_the_proxy_sees_what_a_canary_does_not_tell():
    seen = Measurements(
        START,
        1021.0,
        requests=(requests("c", 43, "OK", (995, 0), (1005, 10)), requests("s", 42, "OK", (995, 0), (1005, 90))),
        targets=(STABLE, up("c", 43, 960, 995, 1005)),
        proxy=(
            proxied(43, "OK", (995, 100), (1005, 110)),
            proxied(43, "UNAVAILABLE", (1005, 6)),
            proxied(43, "503", (1005, 3)),
            proxied(43, "404", (1005, 1)),
            proxied(42, "OK", (995, 1000), (1005, 1090)),
            proxied(41, "503", (995, 0), (1005, 50)),
        ),
        proxies=(scrapes(995, 1005, 1015),),
    )
    first, second = counts(seen)
    assert (first.canary, first.stable) == (ArmCounts(10), ArmCounts(90))
    assert (first.proxy_canary, first.proxy_stable) == (ArmCounts(20, 10, 9), ArmCounts(90))
    assert (second.proxy_canary, second.proxy_stable) == (ArmCounts(), ArmCounts())


@pytest.mark.parametrize(
    ("code", "bad", "fault"),
    [
        ("OK", 0, 0),
        ("INVALID_ARGUMENT", 1, 0),
        ("CANCELLED", 1, 0),
        ("UNKNOWN", 1, 1),
        ("RESOURCE_EXHAUSTED", 1, 1),
        ("0", 1, 0),
        ("301", 1, 0),
        ("404", 1, 0),
        ("429", 1, 1),
        ("500", 1, 1),
        ("504", 1, 1),
    ],
)
def test_a_proxys_code_is_bad_unless_it_is_ok_and_a_fault_where_the_server_is_to_blame(code, bad, fault):
    seen = Measurements(START, 1011.0, proxy=(proxied(43, code, (995, 0), (1005, 1)),), proxies=(scrapes(995, 1005),))
    assert counts(seen)[0].proxy_canary == ArmCounts(1, bad, fault)


def test_without_a_scrape_of_a_proxy_its_counts_are_unknown_and_come_with_the_next():
    seen = Measurements(
        START,
        1031.0,
        proxy=(proxied(43, "503", (1005, 0), (1025, 40)),),
        proxies=(scrapes(1005, 1025),),
    )
    assert [found.proxy_canary for found in counts(seen)] == [ArmCounts(), None, ArmCounts(40, 40, 40)]
    assert [found.proxy_stable for found in counts(seen)] == [ArmCounts(), None, ArmCounts()]


def test_without_a_proxy_there_are_no_counts_of_one():
    seen = Measurements(START, 1021.0, requests=(requests("s", 42, "OK", (995, 0), (1005, 9)),), targets=(STABLE,))
    assert {(found.proxy_canary, found.proxy_stable) for found in counts(seen)} == {(None, None)}


@pytest.mark.parametrize(
    ("proxies", "counted"),
    [
        # It was scraped before, and had no such code to tell.
        ((scrapes(995, 1005, 1008),), 40),
        # Its past is unknown, even while others were scraped.
        ((scrapes(1005, 1008), scrapes(995, 1000, 1005, source="other")), 3),
    ],
)
def test_a_proxys_new_counter_counts_from_zero_only_where_it_was_seen_without_it(proxies, counted):
    seen = Measurements(START, 1011.0, proxy=(proxied(43, "503", (1005, 37), (1008, 40)),), proxies=proxies)
    assert counts(seen)[0].proxy_canary == ArmCounts(counted, counted, counted)


def test_a_proxy_that_starts_again_counts_from_zero_again():
    seen = Measurements(
        START,
        1021.0,
        proxy=(proxied(43, "OK", (995, 500), (1005, 510), (1015, 4)),),
        proxies=(scrapes(995, 1005, 1015),),
    )
    assert [found.proxy_canary.requests for found in counts(seen)] == [10, 4]


def test_differences_are_taken_proxy_by_proxy_before_they_are_added():
    seen = Measurements(
        START,
        1011.0,
        proxy=(
            proxied(43, "OK", (995, 100), (1005, 110), source="a"),
            # It has started again: the sum over both falls, and would look like one reset of all.
            proxied(43, "OK", (995, 9000), (1005, 5), source="b"),
        ),
        proxies=(scrapes(995, 1005, source="a"), scrapes(995, 1005, source="b")),
    )
    assert counts(seen)[0].proxy_canary.requests == 15


@pytest.mark.parametrize(
    ("value", "step"), [(0.0, 0.0), (9.0, 1e-5), (123.456, 1e-3), (999_999.0, 1.0), (1e6, 10.0), (1.2e12, 1e7)]
)
def test_a_sum_is_printed_in_steps_of_its_sixth_digit(value, step):
    assert printed_step(value) == pytest.approx(step, rel=1e-12)
    assert float(f"{value + step:.6g}") > value or step == 0


@pytest.mark.parametrize(
    ("histograms", "mean"),
    [
        ([latency("s", 42, (995, 1000, 10), (1005, 3000, 20))], 200.0),
        # Two entry points and two pods, weighted by their requests.
        (
            [
                latency("s", 42, (995, 0, 0), (1005, 1000, 10)),
                latency("s", 42, (995, 0, 0), (1005, 9000, 30), entrypoint="REST"),
                latency("t", 42, (995, 0, 0), (1005, 5000, 10)),
            ],
            300.0,
        ),
        ([], None),
        ([latency("s", 42, (995, 1000, 10), (1005, 1000, 10))], None),
        # The pod has started again: what it shows is what it did since.
        ([latency("s", 42, (995, 90_000, 900), (1005, 3000, 10))], 300.0),
        # After 20 minutes of work a sum moves in steps of 10 ms: at 199 ms it is too coarse, at 200 ms fine enough.
        ([latency("s", 42, (995, 1.2e9, 10), (1005, 1.2e9 + 199_000, 20))], None),
        ([latency("s", 42, (995, 1.2e9, 10), (1005, 1.2e9 + 200_000, 20))], 20_000.0),
        # It did not move at all.
        ([latency("s", 42, (995, 1.2e12, 10), (1005, 1.2e12, 20))], None),
        # One coarse pod spoils the mean of all; where it answers nothing, it does not contribute.
        (
            [
                latency("s", 42, (995, 1000, 10), (1005, 3000, 20)),
                latency("t", 42, (995, 1.2e12, 10), (1005, 1.2e12 + 1e7, 20)),
            ],
            None,
        ),
        (
            [
                latency("s", 42, (995, 1000, 10), (1005, 3000, 20)),
                latency("t", 42, (995, 1.2e12, 10), (1005, 1.2e12, 10)),
            ],
            200.0,
        ),
        # Within a pod it is the whole that must be fine enough.
        (
            [
                latency("s", 42, (995, 1e6, 10), (1005, 1.01e6, 20)),
                latency("s", 42, (995, 1e6, 10), (1005, 1e6 + 100, 11), entrypoint="REST"),
            ],
            10_100 / 11,
        ),
        ([latency("x", 41, (995, 0, 0), (1005, 1000, 10))], None),
    ],
)
def test_the_mean_latency_is_growth_over_growth_where_the_printed_sum_is_fine_enough(histograms, mean):
    targets = (STABLE, up("t", 42, 960, 995, 1005))
    (found,) = counts(Measurements(START, 1011.0, targets=targets, latency_totals=tuple(histograms)))
    assert found.stable.mean_us == (None if mean is None else pytest.approx(mean, rel=1e-12))
    assert found.canary.mean_us is None


def test_the_mean_of_a_pod_that_is_new_counts_from_its_birth():
    seen = Measurements(
        START,
        1011.0,
        targets=(STABLE, up("c", 43, 1005, 1010)),
        latency_totals=(latency("c", 43, (1005, 5000, 10)),),
    )
    assert counts(seen)[0].canary.mean_us == 500.0


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


growths = st.lists(st.floats(0, 1e6, allow_subnormal=False), min_size=2, max_size=6)


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["OK", "UNAVAILABLE", "503"]), growths), max_size=5),
    st.lists(st.tuples(st.sampled_from("st"), st.sampled_from(["GRPC", "REST"]), growths), max_size=5),
    st.randoms(),
)
def test_the_order_of_proxies_and_histograms_changes_nothing_to_the_last_bit(proxies, histograms, random):
    counters = [
        proxied(43, code, *((1000 + 5 * index, value // 1) for index, value in enumerate(values)), source=source)
        for source, code, values in proxies
    ]
    totals = [
        latency(
            pod,
            42,
            *((1000 + 5 * index, sum(values[:index]), 3 * index) for index in range(len(values))),
            entrypoint=entrypoint,
        )
        for pod, entrypoint, values in histograms
    ]
    seen = [scrapes(995, 1005, 1015, source=source) for source in "ab"]

    def shuffled(items):
        return tuple(random.sample(items, len(items)))

    targets = (STABLE, up("t", 42, 960, 1000))
    one = Measurements(
        START, 1041.0, targets=targets, latency_totals=tuple(totals), proxy=tuple(counters), proxies=tuple(seen)
    )
    other = Measurements(
        START,
        1041.0,
        targets=targets,
        latency_totals=shuffled(totals),
        proxy=shuffled(counters),
        proxies=shuffled(seen),
    )
    assert counts(one) == counts(other)
