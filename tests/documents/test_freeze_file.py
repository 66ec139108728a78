"""freeze.yaml is people's: what it says is read strictly, and changed by few lines."""

from __future__ import annotations

from datetime import timedelta

import pytest
from builders import NOON, RANKER

from promoter.documents.freeze_file import parse_freezes, write_freezes
from promoter.domain.freeze import Freeze
from promoter.domain.names import ServedModel
from promoter.errors import InvalidDocument

NIGHT = Freeze("all", "the gateway: it drops requests", "Ada")
FRIDAY = Freeze("production", "Black Friday", "Grace", NOON + timedelta(days=5))
BY_HAND = """\
# Ask on-call before you touch it.
freezes:
  # Until the new cluster.
  - scope: staging/shop/ranker
    reason: load test   # every night
"""


def test_what_is_written_reads_back_and_a_new_file_says_what_it_is():
    text = write_freezes("", [NIGHT, FRIDAY], "freeze.yaml")
    assert text.startswith("# While something stands here, nothing starts and nothing rises there")
    assert parse_freezes(text, "freeze.yaml") == (NIGHT, FRIDAY)
    assert parse_freezes(write_freezes(text, [], "freeze.yaml"), "freeze.yaml") == ()
    for nothing in (b"", "# Nothing.\n"):
        assert parse_freezes(nothing, "freeze.yaml") == ()
    assert write_freezes("# Ours.", [NIGHT], "freeze.yaml").startswith("# Ours.\nfreezes:\n")


def test_an_entry_comes_and_goes_and_what_a_person_wrote_stays():
    ours = parse_freezes(BY_HAND, "freeze.yaml")
    more = write_freezes(BY_HAND, [*ours, FRIDAY], "freeze.yaml")
    assert more.startswith(BY_HAND)
    assert parse_freezes(more, "freeze.yaml") == (*ours, FRIDAY)
    assert write_freezes(more, ours, "freeze.yaml") == BY_HAND
    in_braces = "# Ours.\n{freezes: [{scope: all, reason: night}]}\n"
    assert write_freezes(in_braces, [FRIDAY], "freeze.yaml").startswith("# Ours.\nfreezes:\n")


@pytest.mark.parametrize("name", ["no", "1", "true", "2026-11-22"])
def test_an_environment_whose_name_yaml_takes_for_something_else_is_frozen_too(name):
    (read,) = parse_freezes(write_freezes("", [Freeze(name, "why")], "freeze.yaml"), "freeze.yaml")
    assert read.scope == name


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("freeze: []\n", "unknown key 'freeze'"),
        ("freezes:\n  - scope: all\n", "reason is missing"),
        ("freezes:\n  - {scope: Prod, reason: r}\n", "cannot name an environment"),
        ("freezes:\n  - {scope: a/b/c/d, reason: r}\n", "is no scope"),
        ("freezes:\n  - {scope: all, reason: r, until: tomorrow}\n", "not a time"),
        ("freezes:\n  - {scope: all, reason: r}\n  - {scope: all, reason: s}\n", "a second time"),
        ("- all\n", "must be a mapping"),
    ],
)
def test_what_cannot_be_understood_is_refused(text, complaint):
    with pytest.raises(InvalidDocument, match=complaint):
        parse_freezes(text, "freeze.yaml")
    with pytest.raises(InvalidDocument):
        write_freezes(text, [NIGHT], "freeze.yaml")


def test_a_freeze_covers_exactly_what_it_names():
    grouped = ServedModel("production", "ranker", "shop")
    for scope, models in {
        "all": {RANKER, grouped},
        "production": {RANKER, grouped},
        "production/ranker": {RANKER},
        "production/shop/ranker": {grouped},
        "production/shop": set(),
        "staging": set(),
    }.items():
        assert {served for served in (RANKER, grouped) if Freeze(scope, "why").covers(served)} == models
