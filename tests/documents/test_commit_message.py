"""Commit messages: what people read, what machines read, and what nobody can forge."""

from __future__ import annotations

import math
import subprocess
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promoter.documents.commit_message import Decision, DecisionRecord, read_trailers, write_message
from promoter.documents.evidence_text import RecordedEvidence, evidence_json, parse_evidence
from promoter.domain.action import Hold, Promote, Revert, SetWeight, StartCanary, Withdraw
from promoter.domain.evidence import ArmCounts, Evidence
from promoter.domain.figures import odds_text
from promoter.domain.names import ServedModel
from promoter.domain.release import Canary, Release, Stable
from promoter.domain.version import Digest, ModelVersion

SERVED = ServedModel("production", "resnet50")
V42, V43 = ModelVersion(42), ModelVersion(43)
DIGEST = Digest("sha256:" + "a" * 64)
SINCE = datetime(2026, 11, 22, 20, 16, 34, tzinfo=UTC)
STABLE = Stable(V42, DIGEST, replicas=10)
PARENT = "5d1c0ffee5d1c0ffee5d1c0ffee5d1c0ffee5d1c"

EVIDENCE = Evidence(
    start=SINCE.timestamp(),
    end=SINCE.timestamp() + 90,
    intervals=6,
    canary=ArmCounts(12_408, 3, 2, (40,)),
    stable=ArmCounts(236_011, 58, 50, (700,)),
    last_canary=ArmCounts(),
    last_stable=ArmCounts(),
    log_odds=math.log(0.4),
    upper_bound=0.00065123456789,
    rate=1000.123456,
    log_e={"latency": -0.1, "errors": -0.9162907},
    bounds_us=(121440.0,),
)
EVIDENCE_LINE = (
    '{"bounds_us": [121440.0], "counts": {"canary": {"bad": 3, "faults": 2, "requests": 12408, "slow": [40]}, '
    '"stable": {"bad": 58, "faults": 50, "requests": 236011, "slow": [700]}}, "intervals": 6, '
    '"log_e": {"errors": -0.916291, "latency": -0.1}, "odds": 0.4, "rate": 1000.12, "upper_bound": 0.000651235, '
    '"window": {"from": "2026-11-22T20:16:34Z", "to": "2026-11-22T20:18:04Z"}}'
)
RECORDED = RecordedEvidence(
    start=SINCE,
    end=datetime(2026, 11, 22, 20, 18, 4, tzinfo=UTC),
    intervals=6,
    canary=EVIDENCE.canary,
    stable=EVIDENCE.stable,
    odds=0.4,
    upper_bound=0.000651235,
    log_e={"errors": -0.916291, "latency": -0.1},
    bounds_us=(121440.0,),
    rate=1000.12,
)


def release(weight=None, replicas=2, stable=STABLE):
    canary = None if weight is None else Canary(V43, DIGEST, weight=weight, replicas=replicas, since=SINCE)
    return Release(stable, canary)


def decision(action, before, after, *, served=SERVED, parent=PARENT):
    return Decision(served, action, before, after, parent)


RAISED = decision(
    SetWeight(V43, 5, 4, "No sign of harm; the excess error ratio is below 0.065 %", EVIDENCE),
    release(1),
    release(5, 4),
)


def trailers_by_git(message):
    """The trailers as Git itself reads them."""
    command = ["git", "interpret-trailers", "--parse", "--unfold"]
    return subprocess.run(command, input=message.encode(), capture_output=True, check=True).stdout.decode().splitlines()


def test_one_decision_is_told_to_people_and_to_machines():
    assert write_message([RAISED]).replace("\u202f", " ") == (
        "resnet50: production: canary 43 at 5 %\n"
        "\n"
        "No sign of harm; the excess error ratio is below 0.065 %. Failed\n"
        "requests: 3 of 12 408 on 43, 58 of 236 011 on 42; the odds against 43\n"
        "are 0.4 to 1.\n"
        "\n"
        "Promoter-Model: production/resnet50\n"
        "Promoter-Action: set-weight\n"
        f"Promoter-Evidence: {EVIDENCE_LINE}\n"
        "Promoter-Parent-Decision: 5d1c0ffee5d1\n"
    )


def test_git_reads_the_trailers_that_were_written():
    assert trailers_by_git(write_message([RAISED])) == [
        "Promoter-Model: production/resnet50",
        "Promoter-Action: set-weight",
        f"Promoter-Evidence: {EVIDENCE_LINE}",
        "Promoter-Parent-Decision: 5d1c0ffee5d1",
    ]


def test_what_was_written_reads_back():
    assert read_trailers(write_message([RAISED])) == (
        DecisionRecord(SERVED, "set-weight", RECORDED, parent="5d1c0ffee5d1"),
    )


@pytest.mark.parametrize(
    ("action", "before", "after", "what", "word"),
    [
        (StartCanary(V43, DIGEST, 2, 10, "x"), release(), release(0), "canary 43 starts at 0 %", "start-canary"),
        (SetWeight(V43, 5, 2, "x"), release(0), release(5), "canary 43 at 5 %", "set-weight"),
        (SetWeight(V43, 100, 2, "x"), release(30), release(100), "canary 43 at 100 %", "set-weight"),
        (SetWeight(V43, 30, 4, "x"), release(30), release(30, 4), "canary 43 gets 4 pods", "set-weight"),
        (SetWeight(V43, 30, 1, "x"), release(30), release(30, 1), "canary 43 gets 1 pod", "set-weight"),
        (Promote(V43, DIGEST, "x"), release(100), Release(Stable(V43, DIGEST)), "43 is stable", "promote"),
        (Promote(V42, DIGEST, "x"), Release(), Release(Stable(V42, DIGEST)), "42 is stable", "promote"),
        (Revert(V43, "x"), release(5), release(0), "canary 43 reverted", "revert"),
        (Revert(V43, "x"), release(0), release(), "canary 43 removed", "revert"),
        (Withdraw(V43, "x"), release(5), release(0), "canary 43 withdrawn", "withdraw"),
    ],
)
def test_the_subject_says_what_is_now_true(action, before, after, what, word):
    message = write_message([decision(action, before, after)])
    assert message.splitlines()[0] == f"resnet50: production: {what}"
    assert [record.action for record in read_trailers(message)] == [word]


def test_a_decision_without_evidence_or_parent_has_no_such_trailers():
    message = write_message([decision(Promote(V42, DIGEST, "the first version"), Release(), release(), parent=None)])
    assert message.endswith("\n\nThe first version.\n\nPromoter-Model: production/resnet50\nPromoter-Action: promote\n")
    assert read_trailers(message) == (DecisionRecord(SERVED, "promote"),)


def test_several_decisions_have_a_section_and_a_group_of_trailers_each():
    bert = ServedModel("production", "bert", "search")
    message = write_message([replace(RAISED, served=bert), decision(Revert(V43, "it fails"), release(5), release(0))])
    assert message.startswith("2 models: bert canary 43 at 5 %, resnet50 canary 43 reverted\n\n")
    assert "\n\nproduction/search/bert: canary 43 at 5 %\nNo sign of harm" in message
    assert "\n\nproduction/resnet50: canary 43 reverted\nIt fails.\n\n" in message
    assert read_trailers(message) == (
        DecisionRecord(bert, "set-weight", RECORDED, parent="5d1c0ffee5d1"),
        DecisionRecord(SERVED, "revert", None, parent="5d1c0ffee5d1"),
    )
    assert len(trailers_by_git(message)) == 7


def test_many_models_keep_the_subject_short():
    many = [replace(RAISED, served=ServedModel("production", f"model-{number}")) for number in range(200)]
    message = write_message(many)
    subject = message.splitlines()[0]
    assert subject.startswith("200 models: model-0 canary 43 at 5 %, ")
    assert subject.endswith("…")
    assert len(subject) <= 72
    assert [record.served.model for record in read_trailers(message)] == [f"model-{number}" for number in range(200)]


def test_a_hold_is_no_decision_to_commit():
    with pytest.raises(AssertionError):
        write_message([decision(Hold("x"), release(), release())])


@pytest.mark.parametrize(
    "reason",
    [
        "x\n\nPromoter-Action: promote",
        "x\n\nPromoter-Model: production/other\nPromoter-Action: promote\n",
        "x\r\rPromoter-Action: promote",
        "x\u2028\u2029\x85Promoter-Action: promote",
        "\x1b[31mPromoter-Action: promote\x1b[0m\x07",
        "\u202epromote :noitcA\u2066",
        "---\nx",
        "--- " * 60,
        "Promoter-Action: promote " * 12,
        "<script>alert(1)</script>",
        "# a comment",
        "\x00",
        "",
        "€" * 400,
    ],
)
def test_no_reason_can_forge_a_trailer(reason):
    message = write_message([decision(Revert(V43, reason, EVIDENCE), release(5), release(0))])
    assert read_trailers(message) == (DecisionRecord(SERVED, "revert", RECORDED, parent="5d1c0ffee5d1"),)
    assert len(trailers_by_git(message)) == 4
    assert all(character.isprintable() or character in "\n\u202f" for character in message)


@given(st.text(st.characters()), st.text(st.characters()))
def test_neither_reasons_nor_names_of_bets_change_what_is_recorded(reason, name):
    evidence = replace(EVIDENCE, log_e={name: 1.0})
    message = write_message([decision(Withdraw(V43, reason, evidence), release(5), release(0))])
    (record,) = read_trailers(message)
    assert (record.action, record.evidence.log_e) == ("withdraw", {name: 1.0})
    body = message.split("\n\n", 1)[1].rpartition("\n\n")[0]
    assert all(len(line) <= 72 or " " not in line.strip() for line in body.splitlines())


@pytest.mark.parametrize(
    "message",
    [
        "",
        "\n\n\n",
        "Merge branch 'main'",
        "Promoter-Model: production/resnet50\nPromoter-Action: promote",
        "subject\n\nPromoter-Action: promote\n",
        "subject\n\nPromoter-Model: production/resnet50\n",
        "subject\n\nPromoter-Model: production/resnet50\nPromoter-Action: destroy\n",
        "subject\n\nPromoter-Model: ../resnet50\nPromoter-Action: promote\n",
        "subject\n\nPromoter-Model: a/b/c/d\nPromoter-Action: promote\n",
        "subject\n\nPromoter-Model: production/resnet50\nPromoter-Action: promote\nPromoter-Action: revert\n",
        "subject\n\nPromoter-Model: production/resnet50\nPromoter-Action: promote\n\nand a last word\n",
        "subject\n\nPromoter-Model: production/resnet50\nPromoter-Action: promote\nand a last word\n",
    ],
)
def test_a_message_of_others_records_nothing(message):
    assert read_trailers(message) == ()


def test_trailers_of_others_and_other_line_ends_do_no_harm():
    message = write_message([RAISED]) + "Signed-off-by: A Person <a@example.org>\n"
    assert (
        read_trailers(message) == read_trailers(message.replace("\n", "\r\n")) == read_trailers(write_message([RAISED]))
    )


@pytest.mark.parametrize(
    "evidence", ["", "{}", "[]", "null", "12", '"x"', "{" * 200_000, '{"window": 1}', EVIDENCE_LINE.replace("6", "x")]
)
def test_evidence_that_cannot_be_read_is_none(evidence):
    message = f"s\n\nPromoter-Model: production/resnet50\nPromoter-Action: revert\nPromoter-Evidence: {evidence}\n"
    assert read_trailers(message) == (DecisionRecord(SERVED, "revert"),)


@given(st.text(st.characters()))
def test_no_message_makes_reading_fail(text):
    for message in (text, f"s\n\nPromoter-Model: {text}\n{text}", f"s\n\nPromoter-Evidence: {text}"):
        assert isinstance(read_trailers(message), tuple)


def test_odds_beyond_all_floats_are_capped_and_no_number_is_no_odds():
    assert parse_evidence(evidence_json(replace(EVIDENCE, log_odds=math.inf))).odds == pytest.approx(1.79769e308)
    assert parse_evidence(evidence_json(replace(EVIDENCE, log_odds=math.nan))).odds is None
    assert parse_evidence(evidence_json(replace(EVIDENCE, upper_bound=math.inf))).upper_bound is None


@given(
    st.builds(
        lambda odds, bound, rate: replace(EVIDENCE, log_odds=odds, upper_bound=bound, rate=rate),
        st.floats(),
        st.floats(),
        st.floats(),
    )
)
def test_evidence_is_one_line_of_ascii_whatever_its_numbers(evidence):
    line = evidence_json(evidence)
    assert line.isascii()
    assert line.isprintable()
    recorded = parse_evidence(line)
    assert recorded is not None
    assert recorded.canary == evidence.canary
    assert recorded.upper_bound is None or math.isclose(recorded.upper_bound, evidence.upper_bound, rel_tol=1e-5)
    assert recorded.odds is None or math.isfinite(recorded.odds)


@pytest.mark.parametrize(
    ("log_odds", "text"),
    [
        (math.log(0.4), "0.4 to 1"),
        (0, "1 to 1"),
        (math.log(1310.4), "1\u202f310 to 1"),
        (math.log(0.0001), "less than 0.01 to 1"),
        (-math.inf, "less than 0.01 to 1"),
        (5000, "more than 1\u202f000\u202f000 to 1"),
        (math.inf, "more than 1\u202f000\u202f000 to 1"),
        (math.nan, "unknown"),
    ],
)
def test_odds_are_said_as_people_say_them(log_odds, text):
    assert odds_text(log_odds) == text
