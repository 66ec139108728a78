"""Text from outside on one printable line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promoter.documents.one_line import is_one_line, one_line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("as it is", "as it is"),
        ("3.1\u202f% and\u00a0more", "3.1\u202f% and\u00a0more"),
        ("a\n\nPromoter-Action: promote", "a Promoter-Action: promote"),
        ("a\r\n\tb\x85c\u2028d\u2029e\x0bf", "a b c d e f"),
        ("\x1b[31mred\x1b[0m", "[31mred[0m"),
        ("user\u202egpj.exe\u2066", "usergpj.exe"),
        ("zero\u200bwidth\ufeff\x00\x7f", "zerowidth"),
        ("half \ud800 a character", "half  a character"),
        (" \n ", ""),
        ("x" * 400, "x" * 299 + "…"),
    ],
)
def test_only_what_prints_on_one_line_is_kept(text, line):
    assert one_line(text) == line


@given(st.text(st.characters()))
def test_every_result_is_one_line_and_stays_as_it_is(text):
    line = one_line(text)
    assert is_one_line(line)
    assert one_line(line) == line
    assert len(line.splitlines()) <= 1
    assert len(line) <= 300
