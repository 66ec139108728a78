"""The limit that no test gets below, against known values."""

from __future__ import annotations

import math

import pytest

from promoter.decisions.limit import divergence, least_requests

# (stable's ratio, the canary's): nats a request, and requests at alpha 1 %.
KNOWN = {
    (0.001, 0.002): (0.000386795028704526, 11905.97),
    (0.001, 0.005): (0.00405520827965956, 1135.62),
    (0.001, 0.01): (0.0140665137652217, 327.385),
    (0.001, 0.05): (0.147822995920139, 31.1533),
    (0.001, 0.5): (2.76123070909791, 1.66780),
    (0.01, 0.015): (0.00109462419442394, 4207.08),
    (0.01, 0.02): (0.00391361957646126, 1176.70),
}


@pytest.mark.parametrize(("stable", "canary"), KNOWN)
def test_the_known_values_are_reached(stable, canary):
    nats, requests = KNOWN[stable, canary]
    assert divergence(canary, stable) == pytest.approx(nats, rel=1e-12)
    assert least_requests(canary, stable, 0.01) == pytest.approx(requests, rel=1e-5)


def test_what_never_happens_on_stable_needs_to_be_seen_once():
    assert divergence(0.01, 0.0) == math.inf
    assert least_requests(0.01, 0.0, 0.01) == 0.0


def test_equal_versions_cannot_be_told_apart():
    assert least_requests(0.01, 0.01, 0.01) == math.inf
    assert divergence(0.0, 0.0) == 0.0
