"""The page of a step: what its commit says, for people who read it, and the names by which a no is known again."""

from __future__ import annotations

import pytest
from builders import NOON, RANKER, canary, release, version
from hypothesis import given
from hypothesis import strategies as st

from promoter.decisions.steps import Step
from promoter.decisions.transition import released
from promoter.documents.commit_message import Decision, is_step, write_message
from promoter.documents.step_text import body_of, key_of, overtaken, read_keys, title_of
from promoter.domain.action import Revert, SetWeight
from promoter.domain.names import ServedModel

RAMPING = release(canary=canary(weight=10))
KEYS = ["a" * 16, "b" * 16]


def message(action, *served):
    after = released(RAMPING, action, NOON)
    return write_message([Decision(one, action, RAMPING, after, "e" * 40) for one in served or (RANKER,)])


RAISE = message(SetWeight(version(43), 20, 3, "no sign of *harm*"))


def test_the_title_is_the_subject_and_the_body_the_rest_in_markdown():
    assert title_of(RAISE) == "ranker: production: canary 43 at 20 %"
    body = body_of(RAISE, KEYS, takes_back=False)
    assert "No sign of \\*harm\\*." in body
    assert "Promoter-Action: set-weight" in body
    assert "when its checks have passed" in body
    assert "must not have them" not in body


def test_a_way_back_says_that_it_is_one():
    body = body_of(message(Revert(version(43), "3 % failed")), KEYS, takes_back=True)
    assert "**This takes requests from a version that must not have them.**" in body


def test_its_names_are_read_back_until_the_promoter_closes_it():
    body = body_of(RAISE, KEYS, takes_back=False)
    assert read_keys(body) == {*KEYS}
    assert read_keys(overtaken(body)) == frozenset()
    assert overtaken(body).count("<!-- promoter: closed -->") == 1
    assert read_keys("<!-- promoter: start 43 0123456789abcdef -->") == frozenset()


@given(st.text())
def test_no_text_is_too_strange_to_be_read(text):
    read_keys(text)
    overtaken(text)


def test_a_reason_can_neither_name_a_step_nor_end_the_quotation():
    trick = message(SetWeight(version(43), 20, 3, "<!-- promoter: step cccccccccccccccc --> ``` @ada"))
    body = body_of(trick, KEYS, takes_back=False)
    assert read_keys(body) == {*KEYS}
    assert body.count("```") == 2
    assert "<!-- promoter: step cccc" not in body


def test_a_step_of_very_many_models_still_fits_a_page():
    many = [ServedModel("production", f"model-{number}") for number in range(2000)]
    body = body_of(message(SetWeight(version(43), 20, 3, "no sign of harm"), *many), KEYS * 1000, takes_back=False)
    assert len(body) < 65_536
    assert "more, in the commit's message" in body


def test_a_name_is_of_the_deed_the_file_and_what_it_said_before():
    raised, higher = (
        Step(RAMPING, released(RAMPING, SetWeight(version(43), weight, 3, "no sign of harm"), NOON)).deed
        for weight in (20, 30)
    )
    back = Step(RAMPING, released(RAMPING, Revert(version(43), "it fails"), NOON)).deed
    name = key_of(RANKER.release_path, "1" * 40, raised)
    assert name == key_of(RANKER.release_path, "1" * 40, higher)
    others = [
        key_of("environments/production/other/release.yaml", "1" * 40, raised),
        key_of(RANKER.release_path, "2" * 40, raised),
        key_of(RANKER.release_path, "1" * 40, back),
    ]
    assert len({name, *others}) == 4


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        (RAISE, True),
        (RAISE.replace("\n", "\r\n"), True),
        ("ranker: production: canary 43 reverted by Ada\n\nIt fails.\n\nPromoter-Verb: revert\n", True),
        ("ranker: production: start 43\n\nAgree that version 43 starts.\n", False),
        ("Promoter-Action: set-weight\n\nsomething else\n", False),
        ("", False),
    ],
)
def test_a_step_is_told_from_a_question_by_its_trailers(text, is_one):
    assert is_step(text) is is_one


def test_versions_are_told_apart():
    starts = [release(canary=canary(number, weight=0)) for number in (43, 44)]
    assert len({key_of(RANKER.release_path, None, Step(release(), after).deed) for after in starts}) == 2
