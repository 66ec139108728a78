"""A preflight as text for programs and people."""

from __future__ import annotations

import json
from html.parser import HTMLParser

import pytest

from promoter.documents.preflight_report import (
    preflight_html,
    preflight_json,
    preflight_markdown,
    preflight_text,
)
from promoter.domain.preflight import Check, CheckName, Outcome, Preflight, VerifiedVersion

HOSTILE = "<script>alert(1)</script>\n| [x](javascript:y) \x1b[31m \u202e"


def preflight(*checks, stable=None):
    return Preflight(VerifiedVersion("/models/43", "sha256:" + "0" * 64), stable, "2.20.0", checks)


def check(outcome, reason="a reason", **more):
    return Check(CheckName.LATENCY, outcome, reason, **more)


@pytest.mark.parametrize(
    ("outcomes", "verdict"),
    [
        ([], "pass"),
        (["pass", "warn", "skipped"], "pass"),
        (["pass", "fail"], "fail"),
    ],
)
def test_only_a_failed_check_fails_the_whole(outcomes, verdict):
    found = preflight(*(check(Outcome(outcome)) for outcome in outcomes))
    assert json.loads(preflight_json(found))["verdict"] == verdict
    assert preflight_text(found).splitlines()[-1].startswith(f"{verdict}: /models/43 sha256:")
    assert preflight_markdown(found).startswith(f"# Preflight: {verdict}\n")
    assert f'<h1 class="{verdict}">' in preflight_html(found)


def test_json_holds_all_of_it():
    found = preflight(
        check(Outcome.FAIL, details=("one", "two"), figures={"ratio": 3.0, "other": float("nan"), "none": None}),
        stable=VerifiedVersion("/models/42", None),
    )
    assert json.loads(preflight_json(found)) == {
        "verdict": "fail",
        "candidate": {"address": "/models/43", "digest": "sha256:" + "0" * 64},
        "stable": {"address": "/models/42", "digest": None},
        "tensorflow": "2.20.0",
        "checks": [
            {
                "name": "latency",
                "outcome": "fail",
                "reason": "a reason",
                "details": ["one", "two"],
                "figures": {"ratio": 3.0, "other": None, "none": None},
            }
        ],
    }


class Tags(HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.found = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found.append(tag)


def test_what_a_version_says_of_itself_can_forge_nothing():
    found = preflight(check(Outcome.FAIL, HOSTILE, details=(HOSTILE, "x")))
    assert "script" not in Tags(preflight_html(found)).found
    (row,) = [line for line in preflight_markdown(found).splitlines() if line.startswith("| latency")]
    assert row.replace("\\|", "").count("|") == 4
    assert "\\[x\\]\\(javascript" in row
    for text in (preflight_text(found), preflight_json(found), preflight_markdown(found), preflight_html(found)):
        assert not {"\x1b", "\u202e"} & set(text)
    assert len(preflight_text(found).splitlines()) == 4
