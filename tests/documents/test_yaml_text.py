"""The strict subset of YAML, and the readers of a closed schema."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from promoter.documents.yaml_schema import Table, boolean, duration, items, moment, number, text, whole_number
from promoter.documents.yaml_text import LARGEST_BYTES, Block, Scalar, parse
from promoter.errors import InvalidDocument

WHERE = "environments/production/resnet50/policy.yaml"

# Nine levels of nine aliases each would be 387 million words.
BILLION_LAUGHS = "a: &a [lol, lol]\n" + "".join(
    f"{b}: &{b} [*{a}, *{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


def refusal(content):
    with pytest.raises(InvalidDocument) as caught:
        parse(content, WHERE)
    return caught.value


@pytest.mark.parametrize(
    ("content", "line", "problem"),
    [
        ("", None, "the file is empty"),
        ("# nothing but a comment\n", None, "the file is empty"),
        ("a: 1\nb: [1, 2\nc: 3\n", 3, "this is not YAML"),
        ("a: 1\n b: 2\n", 2, "this is not YAML"),
        ("a: 1\n\tb: 2\n", 2, "this is not YAML"),
        ("a: 1\nb: 2\na: 3\n", 3, "the key 'a' stands here again; first in line 1"),
        ("a: {b: 1, b: 2}\n", 1, "the key 'b' stands here again"),
        ("a: 1\nb: &anchor 2\n", 2, "anchors and aliases are not allowed"),
        ("&k a: 1\n", 1, "anchors and aliases are not allowed"),
        ("a:\n  <<: {b: 1}\n", 2, "merge keys are not allowed"),
        ("a: !!int '1'\n", 1, "the tag 'tag:yaml.org,2002:int' is not allowed"),
        ("a: 1\nb: !!python/object/apply:os.system [id]\n", 2, "the tag"),
        ("! a: 1\n", 1, "the tag '!' is not allowed"),
        ("[a, b]: 1\n", 1, "a key must be a word"),
        ("%YAML 1.1\n---\na: 1\n", 1, "YAML directives are not allowed"),
        ("a: 1\n---\nb: 2\n", 2, "a second document begins here"),
        ("a: 1\n...\n---\nb: 2\n", 3, "a second document begins here"),
        ("a: 1\nb: \x07\n", 2, "the character U+0007 is not allowed here"),
        ("a: 1\rb: 2\n", 1, "the character U+000D is not allowed here"),
        ("a: 1 # \u202e", 1, "the character U+202E is not allowed here"),
        ("a: 1 # \u2028release: {}\n", 1, "the character U+2028 is not allowed here"),
        ("\ufeffa: 1\n", 1, "the character U+FEFF is not allowed here"),
        (b"a: 1\nb: \xff\n", 2, "the file is not UTF-8"),
        ("a: 1\n".encode("utf-16"), 1, "the file is not UTF-8"),
        ("a: \ud800\n", 1, "the file is not UTF-8"),
        (BILLION_LAUGHS, 1, "anchors and aliases are not allowed"),
        ("x: " + "[" * 60_000, 1, "more than 10 levels are nested here"),
        ("".join("  " * depth + "k:\n" for depth in range(12)), 11, "more than 10 levels are nested here"),
        ("a: [" + "1, " * 1001 + "]\n", 1, "more than 1000 entries stand here"),
        ("".join(f"k{number}: 1\n" for number in range(1001)), 1001, "more than 1000 entries stand here"),
        ("a" * (LARGEST_BYTES + 1), None, "the file is larger than 64 KiB"),
        ("é" * (LARGEST_BYTES // 2 + 1), None, "the file is larger than 64 KiB"),
        (b"\xff" * 10_000_000, None, "the file is larger than 64 KiB"),
    ],
)
def test_what_is_not_in_the_subset_is_refused_fast_with_its_line(content, line, problem):
    begun = time.process_time()
    error = refusal(content)
    # Of the processor's time: the machine may be busy with other things.
    assert time.process_time() - begun < 0.5
    assert (error.where, error.line) == (WHERE, line)
    assert error.problem.startswith(problem)
    assert error.remedy


def test_values_know_their_path_and_line():
    root = parse("a:\n  b:\n    - x\n    - c: 1\n", WHERE)
    assert isinstance(root, Block)
    listed = root.entries["a"].value.entries["b"].value
    one = listed.values[1].entries["c"].value
    assert (one.path, one.span.line + 1, one.text) == ("a.b[1].c", 4, "1")


def test_offsets_count_characters_also_after_others_than_ascii():
    content = "# é 𝄞\r\na: 'ü'\r\nb: 12\r\n"
    root = parse(content.encode(), WHERE)
    value = root.entries["b"].value
    assert content[value.span.start : value.span.end] == "12"
    assert isinstance(value, Scalar)


@pytest.mark.parametrize(
    ("read", "written", "meant"),
    [
        (whole_number(0, 100), "0", 0),
        (whole_number(0, 100), "100", 100),
        (whole_number(-5, 5), "-5", -5),
        (number(above=0), "0.005", 0.005),
        (number(above=0), "50", 50.0),
        (number(above=0, at_most=0.5), "0.5", 0.5),
        (boolean, "true", True),
        (boolean, "false", False),
        (text, "staging", "staging"),
        (text, "'12'", "12"),
        (text, '"  3.1 % of requests failed  "', "3.1 % of requests failed"),
        (text, "3.1 % of requests failed", "3.1 % of requests failed"),
        (text, "a\n  b", "a b"),
        (duration(), "90s", timedelta(seconds=90)),
        (duration(), "'1h30m'", timedelta(minutes=90)),
        (moment, "2026-11-22T20:16:34Z", datetime(2026, 11, 22, 20, 16, 34, tzinfo=UTC)),
        (moment, "'2026-11-22T20:16:34Z'", datetime(2026, 11, 22, 20, 16, 34, tzinfo=UTC)),
        (items(whole_number(1, 9)), "[1, 2]", (1, 2)),
        (items(whole_number(1, 9)), "\n- 1\n- 2", (1, 2)),
        (items(whole_number(1, 9)), "[]", ()),
        (items(whole_number(1, 9)), "", ()),
    ],
)
def test_a_value_is_what_it_looks_like(read, written, meant):
    found = Table(parse(f"key: {written}\n", WHERE), ("key",)).required("key", read)
    assert found == meant
    assert type(found) is type(meant)


YAML_TRAPS = ["010", "0x2a", "0o12", "0b11", "1_000", "1e3", "1:30", "+1", "1.0", ".5", "-0x1", ".inf", ".nan", "1,000"]


@pytest.mark.parametrize(
    ("read", "written", "remedy"),
    [
        *[(whole_number(0, 1000), trap, "Write a whole number from 0 to 1000") for trap in YAML_TRAPS],
        *[(whole_number(0, 100), bad, "Write a whole number") for bad in ("101", "-1", "'5'", "", "~", "null", "yes")],
        *[(whole_number(0, 100), bad, "Write a whole number") for bad in ("[5]", "{a: 5}", "٤٢", "9" * 400, "5 %")],
        *[(number(above=0), bad, "Write a plain decimal") for bad in ("010", "1e3", ".inf", ".nan", "1_0", ".5", "5.")],
        *[(number(above=0), bad, "above 0") for bad in ("0", "-1", "'0.1'", "0.5%", "", "true")],
        (number(above=0, below=1), "1", "above 0 and below 1"),
        (number(above=0, at_most=0.5), "0.51", "above 0 and at most 0.5"),
        *[(boolean, bad, "Write true or false") for bad in ("yes", "no", "on", "off", "True", "1", "'true'", "")],
        *[
            (text, bad, "double quotes")
            for bad in ("12", "1e3", "yes", "no", "2026-11-22", "1:30", "0o10", "3.5", "true")
        ],
        *[(text, bad, "Write text") for bad in ("", "~", "[a]", "{a: b}")],
        *[(text, bad, "one line") for bad in ('""', '"\\e[31m"', '"a\\nb"', '"\\u202e"', f"x{'y' * 300}")],
        *[(duration(), bad, "") for bad in ("90", "1:30", "5 m", "-5m", "m", "1e3s")],
        *[(duration(), bad, "Write a single value") for bad in ("[5m]", "{a: 5m}")],
        (duration(timedelta(seconds=10)), "9s", "Write a duration from 10s to 366d"),
        *[
            (moment, bad, "in UTC")
            for bad in ("2026-11-22", "2026-11-22T20:16:34", "2026-11-22 20:16:34Z", "now", "[]")
        ],
        *[
            (moment, f"2026-{bad}", "in UTC")
            for bad in ("11-22T20:16:34.5Z", "11-22T20:16:34+01:00", "02-30T20:16:34Z")
        ],
        *[(moment, f"2026-11-22T{bad}", "in UTC") for bad in ("24:00:00Z", "20:16:60Z", "20:16:34z")],
        *[(items(text), bad, "Write a list") for bad in ("a", "{a: b}", "1")],
    ],
)
def test_a_value_of_another_form_is_refused_with_line_and_remedy(read, written, remedy):
    root = parse(f"# a comment\nkey: {written}\n", WHERE)
    with pytest.raises(InvalidDocument) as caught:
        Table(root, ("key",)).required("key", read)
    assert (caught.value.where, caught.value.line) == (WHERE, 2)
    assert caught.value.problem.startswith("key")
    assert remedy in caught.value.remedy


def test_an_unknown_key_is_refused_by_name_with_the_one_that_was_meant():
    root = parse("ramp:\n  max_wieght: 30\n", WHERE)
    with pytest.raises(InvalidDocument) as caught:
        Table(root.entries["ramp"].value, ("budget", "max_weight"))
    assert str(caught.value) == f"{WHERE}:2: unknown key 'max_wieght' in ramp. Did you mean 'max_weight'?"


def test_an_unknown_key_that_resembles_nothing_comes_with_the_known_ones():
    with pytest.raises(InvalidDocument) as caught:
        Table(parse("zzz: 1\n", WHERE), ("budget", "steps"))
    assert caught.value.remedy == "Remove it; the keys are budget, steps"


def test_a_missing_key_and_a_value_that_is_no_mapping_are_refused():
    with pytest.raises(InvalidDocument, match=r"policy\.yaml:1: a is missing\. Add it"):
        Table(parse("b: 1\n", WHERE), ("a", "b")).required("a", text)
    with pytest.raises(InvalidDocument, match="the file must be a mapping"):
        Table(parse("- a\n", WHERE), ("a",))
