"""A preflight as JSON and back, and in a commit."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from preflights import failed, passed, preflight

from promoter.documents.policy_file import parse_policy
from promoter.documents.policy_preflight import preflight_policy_text
from promoter.documents.preflight_answer import LARGEST_BYTES, parse_preflight
from promoter.documents.preflight_report import preflight_json
from promoter.documents.preflight_text import parse_preflight_trailer, preflight_sentence, preflight_trailer
from promoter.domain.completeness import ByManifest, ByMarker, ByQuiet
from promoter.domain.preflight import Check, CheckName, Outcome, PreflightPlace, PreflightPolicy, Tolerance
from promoter.errors import InvalidDocument


@pytest.mark.parametrize("found", [passed(), failed(), passed(1, None)])
def test_the_json_of_a_preflight_reads_back_as_the_same(found):
    assert parse_preflight(preflight_json(found), "here") == found


def edited(change):
    plain = json.loads(preflight_json(passed()))
    change(plain)
    return json.dumps(plain)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "null",
        "[]",
        "{}",
        "[" * 100_000,
        b"\xff",
        edited(lambda plain: plain.pop("stable")),
        edited(lambda plain: plain.update(verdict="fail")),
        edited(lambda plain: plain.update(verdict="maybe")),
        edited(lambda plain: plain.update(checks=[])),
        edited(lambda plain: plain["checks"].append(plain["checks"][0])),
        edited(lambda plain: plain["checks"][0].update(outcome="fail")),
        edited(lambda plain: plain["checks"][0].update(name="luck")),
        edited(lambda plain: plain["checks"][0].update(reason=3)),
        edited(lambda plain: plain["checks"][0].update(figures={"x": "1"})),
        edited(lambda plain: plain["candidate"].update(digest="sha256:short")),
        " " * (LARGEST_BYTES + 1),
    ],
    ids=lambda content: str(content)[:30],
)
def test_what_is_no_result_is_refused(content):
    with pytest.raises(InvalidDocument, match="here: "):
        parse_preflight(content, "here")


def test_a_failure_that_calls_itself_a_pass_is_refused():
    content = preflight_json(failed()).replace('"verdict": "fail"', '"verdict": "pass"')
    with pytest.raises(InvalidDocument, match="not the one that its checks come to"):
        parse_preflight(content, "here")


@pytest.mark.parametrize("found", [passed(), failed(), passed(1, None)])
def test_the_trailer_is_bound_to_both_digests(found):
    line = preflight_trailer(found)
    assert line.isascii()
    assert "\n" not in line
    recorded = parse_preflight_trailer(line)
    assert recorded.passed == found.passed
    assert str(recorded.digest) == found.candidate.digest
    assert (recorded.stable and str(recorded.stable)) == (found.stable and found.stable.digest)
    assert recorded.checks == {check.name: check.outcome for check in found.checks}
    assert recorded.tensorflow == "2.21.0"


@given(st.text() | st.from_regex(r'\{"verdict": "pass".*', fullmatch=True))
def test_any_other_trailer_says_nothing(text):
    assert parse_preflight_trailer(text) is None


@pytest.mark.parametrize("key", ["verdict", "digest", "stable", "tensorflow", "checks"])
@pytest.mark.parametrize("value", [3, [], "x" * 3000, {"files": "great"}])
def test_a_trailer_with_one_wrong_value_says_nothing(key, value):
    plain = json.loads(preflight_trailer(passed())) | {key: value}
    recorded = parse_preflight_trailer(json.dumps(plain))
    assert recorded is None or key == "tensorflow"


def test_the_sentence_counts_what_passed_and_tells_what_warned():
    warned = Check(CheckName.GOLDEN, Outcome.WARN, "one answer is not finite.")
    skipped = Check(CheckName.DRIFT, Outcome.SKIPPED, "no golden requests")
    found = replace(passed(), checks=(*passed().checks, warned, skipped))
    assert preflight_sentence(found) == (
        "Its preflight passed 2 checks, and could not make drift. It warns: golden: one answer is not finite."
    )
    assert preflight_sentence(passed()) == "Its preflight passed 2 checks."


def test_a_sentence_forges_no_trailer():
    found = preflight(43, 42, Check(CheckName.GOLDEN, Outcome.WARN, "x\n\nPromoter-Action: promote"))
    assert "\n" not in preflight_sentence(found)


@pytest.mark.parametrize(
    "policy",
    [
        PreflightPolicy(),
        PreflightPolicy(
            warn=frozenset({CheckName.LATENCY, CheckName.DRIFT}),
            tolerance=Tolerance(absolute=0.01),
            agreement=0.98,
            latency_ratio=3.0,
            memory_ratio=1.5,
            max_batch_size=32,
            operations=frozenset({"MyOwn"}),
        ),
        PreflightPolicy(tolerance=Tolerance()),
    ],
)
def test_the_policy_for_verify_says_the_same(policy):
    assert parse_policy(preflight_policy_text(policy, ByManifest()), "policy.yaml").preflight == policy


@pytest.mark.parametrize("complete", [ByManifest(), ByMarker("_SUCCESS"), ByQuiet(timedelta(minutes=90))])
def test_the_policy_for_verify_says_which_files_are_a_versions(complete):
    text = preflight_policy_text(PreflightPolicy(), complete)
    assert parse_policy(text, "policy.yaml").candidates.complete == complete


def test_a_policy_says_where_its_preflights_run():
    text = "candidates: {store: file:///models}\npreflight: {run: workflow}\n"
    policy = parse_policy(text, "policy.yaml").preflight
    assert policy.run is PreflightPlace.WORKFLOW
    assert parse_policy(preflight_policy_text(policy, ByManifest()), "policy.yaml").preflight == PreflightPolicy()
    with pytest.raises(InvalidDocument, match="'moon' is no place for a preflight; those are process, workflow"):
        parse_policy(text.replace("workflow", "moon"), "policy.yaml")
