"""Can a rollout end: what its policy asks for, beside what the traffic brings."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from builders import policy
from hypothesis import given
from hypothesis import strategies as st

from promoter.decisions.bound import ExcessBound
from promoter.decisions.feasibility import cannot_end, need
from promoter.domain.policy import EvidencePolicy, RampPolicy, Traffic

# Canary requests until the bound is under the margin, at a weight of 10 % (beta 5 %):
# the table that the design was made from.
PUBLISHED = {
    (0.0, 0.005): 800,
    (0.0, 0.05): 80,
    (0.001, 0.005): 1220,
    (0.001, 0.01): 500,
    (0.01, 0.01): 1220,
    (0.01, 0.005): 4690,
}


def asked(margin=0.005, max_weight=30, false_promote=0.05, **rest):
    return policy(
        evidence=EvidencePolicy(margin=margin, false_promote=false_promote),
        ramp=RampPolicy(max_weight=max_weight),
        **rest,
    )


@pytest.mark.parametrize(("base", "margin"), PUBLISHED)
def test_the_requests_that_are_needed_are_those_that_were_published(base, margin):
    # The bound is asked twice, each time with half of the chance; the table asked once. It has means over drawn
    # requests, which now and then get there early.
    given_policy = asked(margin, max_weight=10, false_promote=0.1)
    found = need(given_policy, phi=1.0, base=base, rate=100)
    assert found.requests == pytest.approx(PUBLISHED[base, margin], rel=0.25)


def test_enough_traffic_is_no_news():
    assert cannot_end(asked(), phi=1.0, base=0.001, rate=100) is None


def test_too_little_traffic_is_said_with_what_it_lacks_and_what_would_help():
    said = cannot_end(asked(), phi=2.0, base=0.0, rate=1)
    assert said is not None
    assert "no rollout can end within max_step (1h)" in said
    assert "takes about 1\u202f920 requests to the canary" in said
    assert "at 1 a second and a weight of 30 % take 1h47m" in said
    assert said.endswith("Any of these would do: a margin of 0.87 %, max_step: 1h47m")


def test_a_larger_weight_is_named_where_it_would_do():
    said = cannot_end(asked(max_weight=5), phi=1.0, base=0.0, rate=1)
    assert said is not None
    assert said.endswith("max_weight: 50")


@given(
    rate=st.floats(0.01, 100),
    base=st.sampled_from([0.0, 0.001, 0.02]),
    phi=st.sampled_from([1.0, 2.0]),
    margin=st.sampled_from([0.001, 0.005, 0.03]),
)
def test_what_is_said_to_help_does_help(rate, base, phi, margin):
    given_policy = asked(margin)
    found = need(given_policy, phi=phi, base=base, rate=rate)
    if found.margin < 1:
        assert need(asked(found.margin), phi=phi, base=base, rate=rate * 1.06).in_time
    if found.rate is None or found.seconds is None:
        return
    assert need(given_policy, phi=phi, base=base, rate=found.rate * 1.001).in_time
    longer = asked(margin, max_step=timedelta(seconds=found.seconds + 1))
    assert need(longer, phi=phi, base=base, rate=rate).in_time


@pytest.mark.parametrize(
    ("changes", "rate", "expected"),
    [
        ({}, 0.0, "there are no requests"),
        ({"margin": 1e-9}, 5.0, "no number of requests is enough"),
    ],
)
def test_what_nothing_helps_against_is_said_too(changes, rate, expected):
    said = cannot_end(asked(**changes), phi=1.0, base=0.2, rate=rate)
    assert said is not None
    assert expected in said


def test_without_golden_requests_their_sender_is_named():
    said = cannot_end(replace(asked(), traffic=Traffic.GOLDEN), phi=1.0, base=0.0, rate=0.0)
    assert said is not None
    assert said.endswith("takes some: see whether what sends golden requests runs")


def test_a_bound_after_no_request_is_the_bound():
    bound = ExcessBound(1.0)
    assert bound.after(0, ratio=0.0, share=0.3).value(0.05) == bound.value(0.05) == 1.0
