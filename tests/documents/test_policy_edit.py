"""One line of a person's policy.yaml changes, and nothing else."""

from __future__ import annotations

import pytest

from promoter.documents.policy_edit import with_paused
from promoter.errors import InvalidDocument, InvalidInput

BASE = "# Ours.\ncandidates:\n  store: gs://shop/ranker\n  # from the trainer\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f"{BASE}soak: 1m  # enough\n", f"{BASE}soak: 1m  # enough\npaused: true\n"),
        (BASE, f"{BASE}paused: true\n"),
        (f"paused: false  # see #7\n{BASE}", f"paused: true  # see #7\n{BASE}"),
        (f"{BASE}soak: 1m", f"{BASE}soak: 1m\npaused: true"),
        (f"{BASE}\n# The end.\n", f"{BASE}paused: true\n\n# The end.\n"),
        ("candidates: {store: 'gs://a/b'}\r\n", "candidates: {store: 'gs://a/b'}\r\npaused: true\r\n"),
    ],
)
def test_it_is_said_where_it_stands_or_as_the_last_key(before, after):
    assert with_paused(before, "policy.yaml", paused=True) == after
    assert with_paused(after, "policy.yaml", paused=False) == after.replace("paused: true", "paused: false")


def test_what_is_so_already_is_no_edit():
    with pytest.raises(InvalidInput, match=r"policy\.yaml does not say paused"):
        with_paused(BASE, "policy.yaml", paused=False)


@pytest.mark.parametrize("text", ["{candidates: {store: gs://a/b}}\n", f"{BASE}pause: true\n", "", "candidates: [\n"])
def test_a_file_that_is_broken_or_all_in_braces_is_left_to_its_owner(text):
    with pytest.raises(InvalidDocument):
        with_paused(text, "policy.yaml", paused=True)
