"""policy.yaml read."""

from __future__ import annotations

from datetime import timedelta

import pytest

from promoter.documents.policy_file import parse_policy
from promoter.domain.completeness import ByManifest, ByMarker, ByQuiet
from promoter.domain.policy import (
    Approval,
    ApprovalPolicy,
    CandidateSource,
    EvidencePolicy,
    Limits,
    RampPolicy,
    RolloutPolicy,
)
from promoter.domain.preflight import CheckName, PreflightPolicy, Tolerance
from promoter.domain.window import Window
from promoter.errors import InvalidDocument

WHERE = "environments/production/resnet50/policy.yaml"
STORE = "candidates: {store: 'gs://shop-models/resnet50'}\n"


def test_two_lines_are_enough():
    found = parse_policy("candidates:\n  store: gs://shop-models/resnet50\n", WHERE)
    assert found == RolloutPolicy(CandidateSource(store="gs://shop-models/resnet50"))


def test_every_key_is_read():
    found = parse_policy(
        b"""\
candidates:
  upstream: staging
  upstream_soak: 2h
evidence: {false_revert: 0.001, false_promote: 0.1, margin: 0.02, interval: 5s}
limits: {error_ratio: 0.02, latency_p99_ms: 250}
ramp: {budget: 12.5, max_weight: 40, steps: [1, 5, 40]}
soak: 1m
guard: 1h30m
max_blind: 90s
approval: {start: pull-request, promote: none}
windows:
  - {cron: "0 9 * * 1-4", duration: 7h, timezone: Europe/Berlin}
holidays: environments/production/holidays.ics
paused: true
""",
        WHERE,
    )
    assert found == RolloutPolicy(
        candidates=CandidateSource(upstream="staging", upstream_soak=timedelta(hours=2)),
        evidence=EvidencePolicy(0.001, 0.1, 0.02, timedelta(seconds=5)),
        limits=Limits(0.02, 250.0),
        ramp=RampPolicy(12.5, 40, (1, 5, 40)),
        soak=timedelta(minutes=1),
        guard=timedelta(minutes=90),
        max_blind=timedelta(seconds=90),
        windows=(Window("0 9 * * 1-4", timedelta(hours=7), "Europe/Berlin"),),
        holidays="environments/production/holidays.ics",
        approval=ApprovalPolicy(start=Approval.PULL_REQUEST),
        paused=True,
    )


def test_tables_whose_keys_are_all_commented_out_are_empty():
    content = STORE + "evidence:\n  # margin: 0.02\nlimits:\nramp: {}\napproval:\nwindows:\n"
    assert parse_policy(content, WHERE) == parse_policy(STORE, WHERE)


@pytest.mark.parametrize("store", ["file:///srv/models/resnet50", "gs://shop-models/resnet50/", "s3://bucket/a/b"])
def test_a_store_is_taken_as_it_is_written(store):
    assert parse_policy(f"candidates: {{store: '{store}'}}", WHERE).candidates.store == store


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        ("soak: 5m\n", 1, "candidates is missing. Add it"),
        ("candidates:\nsoak: 5m\n", 1, "candidates names neither a store nor an upstream. Name one: "),
        (
            "candidates:\n  store: gs://b/m\n  upstream: staging\n",
            2,
            "candidates names both a store and an upstream. Name one: `store: gs://bucket/model`, or `upstream: ",
        ),
        ("candidates:\n  stores: gs://b/m\n", 2, "unknown key 'stores' in candidates. Did you mean 'store'?"),
        ("candidates: gs://b/m\n", 1, "candidates must be a mapping. Write `key: value` lines"),
        *[
            (f"candidates:\n  upstream: {name}\n", 2, "cannot name an environment")
            for name in ("../production", "Staging", "a/b", "'x\"} or up{y=\"'", f"a{'b' * 63}")
        ],
        *[
            (f'candidates:\n  store: "{store}"\n', 2, "candidates.store")
            for store in (
                "http://169.254.169.254/latest",
                "/srv/models",
                "srv/models",
                "file://host/srv",
                "gs:///resnet50",
                "gs://bucket/../other",
                "gs://bucket/%2e%2e/other",
                "gs://bucket/a b",
                "gs://bucket/a\\nb",
                "gs://bucket/a\\u202eb",
                "s3://user:secret@bucket/a",
                "gs://bucket/a?x=1",
                "gs://bucket/a#x",
                "gs://bucket//a",
            )
        ],
        (
            "candidates: {store: 'gs://a/b', complete: {marker: a, quiet: 5m}}\n",
            1,
            "either a marker or a time of quiet",
        ),
        ("candidates: {store: 'gs://a/b', complete: {}}\n", 1, "either a marker or a time of quiet"),
        ("candidates: {store: 'gs://a/b', complete: {marker: a/b}}\n", 1, "is not the name of a marker"),
        ("candidates: {store: 'gs://a/b', complete: {marker: manifest.json}}\n", 1, "leave `complete` away"),
        ("candidates: {store: 'gs://a/b', complete: {quiet: 5s}}\n", 1, "Write a duration from 1m to 7d"),
        ("candidates: {store: gs://b/m, upstream_soak: 5m}\n", 1, "Remove `upstream_soak`"),
        ("candidates: {upstream: staging, upstream_soak: soon}\n", 1, "soon"),
        ("candidates: {upstream: staging, complete: {quiet: 5m}}\n", 1, "Remove `complete`"),
        (STORE + "soak: 5\n", 2, "soak: '5' is not a duration: write it like 90s, 5m, 1h30m or 2d"),
        (STORE + "\nmax_blind: 9s\n", 3, "max_blind is 9s. Write a duration from 10s to 366d"),
        (STORE + "paused: yes\n", 2, "paused is yes. Write true or false, without quotes"),
        (
            STORE + "evidence:\n  margin: 1\n",
            3,
            "evidence.margin is 1. Write a plain decimal number above 0 and below 1",
        ),
        (STORE + "evidence: {false_revert: 0}\n", 2, "evidence.false_revert is 0. Write"),
        (STORE + "evidence: {false_revert: 0.6}\n", 2, "above 0 and at most 0.5"),
        (STORE + "evidence: {false_promote: 1e-2}\n", 2, "evidence.false_promote is 1e-2"),
        (STORE + "evidence: {interval: 10m}\n", 2, "evidence.interval is 10m. Write a duration from 1s to 5m"),
        (STORE + "limits: {error_ratio: 2}\n", 2, "limits.error_ratio is 2. Write"),
        (STORE + "limits: {latency_p99_ms: 250ms}\n", 2, "limits.latency_p99_ms is 250ms. Write"),
        (STORE + "limits: {latency_p99_ms: }\n", 2, "limits.latency_p99_ms is empty. Write"),
        (STORE + "ramp: {budget: -1}\n", 2, "ramp.budget is -1. Write"),
        (STORE + "ramp: {max_weight: 100}\n", 2, "ramp.max_weight is 100. Write a whole number from 1 to 99"),
        (STORE + "ramp: {steps: [0]}\n", 2, "ramp.steps[0] is 0. Write a whole number from 1 to 99"),
        (
            STORE + "ramp:\n  steps:\n    - 5\n    - 5\n",
            5,
            "ramp.steps[1] is 5, not above 5 before it. Write the steps",
        ),
        (STORE + "ramp: {steps: 5}\n", 2, "ramp.steps is 5, not a list. Write a list"),
        (STORE + "traffic: silver\n", 2, "traffic: 'silver' is none of people, golden"),
        (STORE + "approval:\n  start: later\n", 3, "approval.start: 'later' is none of none, pull-request"),
        (
            STORE + "approval: {stop: none}\n",
            2,
            "unknown key 'stop' in approval. Remove it; the keys are start, promote",
        ),
        (STORE + "windows:\n  - mon-fri 9-17\n", 3, "windows[0] must be a mapping"),
        (STORE + "windows:\n  - {cron: 0 9 * * 1, duration: 8d, timezone: UTC}\n", 3, "windows[0].duration is 8d"),
        (
            STORE + "windows:\n  - {cron: 0 9 * *, duration: 1h, timezone: UTC}\n",
            3,
            "windows[0] is no window: '0 9 * *'",
        ),
        (
            STORE + "windows:\n  - {cron: 0 9 * * 1, duration: 1h, timezone: CET/Bonn}\n",
            3,
            "'CET/Bonn' is no time zone",
        ),
        (STORE + "windows:\n  - {cron: 0 9 * * 1, duration: 1h}\n", 3, "windows[0].timezone is missing"),
        (STORE + "holidays: environments/a.ics\n", 2, "holidays closes windows, and there are none. Name windows"),
        (STORE + "holidays: ../a.ics\n", 2, "is not the path of a calendar here"),
        (STORE + "holidays: environments/../a.ics\n", 2, "is not the path of a calendar here"),
        (STORE + "guards: 5m\n", 2, "unknown key 'guards'. Did you mean 'guard'?"),
        (STORE + "soak: 5m\nsoak: 6m\n", 3, "the key 'soak' stands here again; first in line 2"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_line_and_remedy(content, line, message):
    with pytest.raises(InvalidDocument) as caught:
        parse_policy(content, WHERE)
    assert (caught.value.where, caught.value.line) == (WHERE, line)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("", ByManifest()),
        (", complete: {marker: _SUCCESS}", ByMarker("_SUCCESS")),
        (", complete: {quiet: 10m}", ByQuiet(timedelta(minutes=10))),
    ],
)
def test_a_policy_says_by_which_sign_a_version_is_complete(written, meant):
    assert parse_policy(f"candidates: {{store: 'gs://a/b'{written}}}\n", WHERE).candidates.complete == meant


def test_the_preflight_is_read():
    content = (
        STORE
        + """\
preflight:
  warn: [latency, memory]
  tolerance: {absolute: 0.001, relative: 0.05}
  agreement: 0.95
  latency_ratio: 1.2
  memory_ratio: 3
  max_batch_size: 32
  operations: [XlaCallModule, "TFText>WhitespaceTokenizeWithOffsets"]
"""
    )
    assert parse_policy(content, WHERE).preflight == PreflightPolicy(
        warn=frozenset({CheckName.LATENCY, CheckName.MEMORY}),
        tolerance=Tolerance(0.001, 0.05),
        agreement=0.95,
        latency_ratio=1.2,
        memory_ratio=3.0,
        max_batch_size=32,
        operations=frozenset({"XlaCallModule", "TFText>WhitespaceTokenizeWithOffsets"}),
    )


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("warn: [load]", "'load' is no check that can only warn; those are signatures, golden, "),
        ("warn: [speed]", "'speed' is no check that can only warn"),
        ("operations: [ReadFile]", "ReadFile reads or writes files: it is never allowed"),
        ("operations: [EagerPyFunc]", "EagerPyFunc runs Python code: it is never allowed"),
        ("operations: ['a b']", "'a b' is not an operation's name"),
        ("latency_ratio: 1", "preflight.latency_ratio is 1."),
        ("max_batch_size: 0", "preflight.max_batch_size is 0."),
        ("tolerance: 0.1", "preflight.tolerance must be a mapping"),
    ],
)
def test_a_preflight_that_cannot_be_meant_is_refused(entry, message):
    with pytest.raises(InvalidDocument) as refused:
        parse_policy(f"{STORE}preflight:\n  {entry}\n", WHERE)
    assert message in str(refused.value)
    assert refused.value.line == 3
