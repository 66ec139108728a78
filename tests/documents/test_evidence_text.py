"""Evidence in a trailer: written, read back, and taken apart into figures."""

from __future__ import annotations

import json
from dataclasses import replace

from promoter.documents.evidence_text import as_recorded, evidence_json, figures, parse_evidence
from promoter.domain.evidence import ArmCounts, Evidence

SERVERS = Evidence(
    start=1_795_000_000.0,
    end=1_795_000_090.0,
    intervals=6,
    canary=ArmCounts(12_408, 3, 2, (40, 7)),
    stable=ArmCounts(236_011, 58, 50, (700, 90)),
    last_canary=ArmCounts(),
    last_stable=ArmCounts(),
    log_odds=-0.5,
    upper_bound=0.00065123456789,
    rate=1000.123456,
    log_e={"latency": -0.1, "errors": -0.9162907},
    bounds_us=(121440.0, 218592.0),
)
PROXIED = replace(SERVERS, proxy_canary=ArmCounts(12_410, 5, 4), proxy_stable=ArmCounts(236_010, 57, 49))


def test_the_proxys_counts_stand_beside_the_servers_and_read_back():
    counts = json.loads(evidence_json(PROXIED))["counts"]
    assert counts["proxy"] == {
        "canary": {"bad": 5, "faults": 4, "requests": 12410},
        "stable": {"bad": 57, "faults": 49, "requests": 236010},
    }
    recorded = parse_evidence(evidence_json(PROXIED))
    assert (recorded.proxy_canary, recorded.proxy_stable) == (PROXIED.proxy_canary, PROXIED.proxy_stable)


def test_without_a_proxy_the_trailer_does_not_speak_of_one():
    assert "proxy" not in evidence_json(SERVERS)
    assert parse_evidence(evidence_json(SERVERS)).proxy_canary is None


def test_a_proxys_counts_that_are_none_are_no_evidence():
    plain = json.loads(evidence_json(PROXIED))
    for broken in ({}, [], 1, {"canary": {}}, {"canary": {"requests": 1, "bad": "x", "faults": 0}}):
        plain["counts"]["proxy"] = broken
        assert parse_evidence(json.dumps(plain)) is None


def test_what_is_recorded_has_the_digits_of_a_trailer():
    recorded = as_recorded(PROXIED)
    assert recorded.upper_bound == 0.000651235
    assert recorded.rate == 1000.12
    assert recorded.log_e["errors"] == -0.916291


def test_every_figure_has_a_name_and_a_proxy_counts_no_slow_requests():
    named = figures(as_recorded(PROXIED))
    assert list(named)[:4] == ["window.from", "window.to", "intervals", "canary.requests"]
    assert named["canary.slow"] == (40, 7)
    assert named["proxy.canary.bad"] == 5
    assert "proxy.canary.slow" not in named
    assert [name for name in named if name.startswith("log_e")] == ["log_e.errors", "log_e.latency"]
    assert not any(name.startswith("proxy") for name in figures(as_recorded(SERVERS)))
