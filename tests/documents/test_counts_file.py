"""Recorded counts are read as they are, mended where that is right, and otherwise refused with their line."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promoter.documents.counts_file import LARGEST_FILE, parse_counts
from promoter.domain.recording import PodCount, Track
from promoter.domain.version import ModelVersion
from promoter.errors import InvalidDocument

HEADER = "time,version,role,pod,requests,bad"
STABLE, CANARY = "15,42,stable,s-0,900,1", "15,43,canary,c-0,100,2"


def parse(*lines, header=HEADER):
    return parse_counts("\n".join((header, *lines, "")).encode(), "counts.csv")


def test_lines_are_counts_of_pods():
    recording = parse(STABLE, CANARY, "30,42,stable,s-0,910,0")
    assert recording.counts == (
        PodCount(15.0, Track.STABLE, "s-0", 900, 1),
        PodCount(15.0, Track.CANARY, "c-0", 100, 2),
        PodCount(30.0, Track.STABLE, "s-0", 910, 0),
    )
    assert (recording.stable, recording.canary) == (ModelVersion(42), ModelVersion(43))
    assert (recording.bounds_us, recording.unknown, recording.notes) == ((), frozenset(), ())


def test_columns_may_come_in_any_order_and_latency_bounds_rise():
    header = "le_20823,role,pod,version,requests,bad,time,le_11568.3"
    recording = parse("95,canary,c-0,43,100,2,15,90", header=header)
    assert recording.bounds_us == (11568.3, 20823.0)
    assert recording.counts == (PodCount(15.0, Track.CANARY, "c-0", 100, 2, (90, 95)),)


def test_a_byte_order_mark_blank_lines_and_quotes_are_no_fault():
    text = f'\ufeff{HEADER}\r\n\r\n15,43,canary,"c,0",100,2\r\n'
    assert parse_counts(text.encode(), "counts.csv").counts[0].pod == "c,0"


def test_more_bad_requests_than_requests_are_cut_and_noted():
    recording = parse(STABLE, "15,43,canary,c-0,3,5")
    assert recording.counts[1] == PodCount(15.0, Track.CANARY, "c-0", 3, 3)
    assert recording.notes == ("counts.csv:3: 5 bad requests of 3 are taken as 3",)


@pytest.mark.parametrize("odd", ["NaN", "nan", "+Inf", "-inf", "infinity"])
def test_a_count_that_is_not_finite_makes_its_time_unknown(odd):
    recording = parse(STABLE, CANARY, f"30,43,canary,c-0,{odd},0")
    assert recording.unknown == {30.0}
    assert len(recording.counts) == 2
    assert "counts.csv:4: a count is not finite" in recording.notes[0]


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (("15,43,canary,c-0,-1,0",), "counts.csv:2: requests is -1, and a count is not negative"),
        (("15,43,canary,c-0,1.5,0",), "counts.csv:2: requests is '1.5', which is no whole number"),
        (("15,43,canary,c-0,1,x",), "counts.csv:2: bad is 'x', which is no whole number"),
        (("15,43,canary,c-0,,0",), "counts.csv:2: requests is '', which is no whole number"),
        (("15,43,canary,c-0,1e3,0",), "counts.csv:2: requests is '1e3', which is no whole number"),
        (("30,43,canary,c-0,1,0", "15,43,canary,c-0,1,0"), "counts.csv:3: time goes backwards, from 30 to 15"),
        (("noon,43,canary,c-0,1,0",), "counts.csv:2: 'noon' is no time"),
        (("nan,43,canary,c-0,1,0",), "counts.csv:2: 'nan' is no time"),
        (("-15,43,canary,c-0,1,0",), "counts.csv:2: '-15' is no time"),
        (("15,043,canary,c-0,1,0",), "counts.csv:2: '043' is not a model version"),
        (("15,43,primary,c-0,1,0",), "counts.csv:2: 'primary' is no role"),
        (("15,43,canary,,1,0",), "counts.csv:2: names no pod"),
        (("15,43,canary,c-0,1",), "counts.csv:2: has 5 values for 6 columns"),
        ((CANARY, "30,42,stable,c-0,1,0"), "counts.csv:3: pod 'c-0' is stable here and canary before"),
        ((CANARY, "30,44,canary,c-0,1,0"), "counts.csv:3: pod 'c-0' serves 44 here and 43 before"),
        ((CANARY, "30,44,canary,c-1,1,0"), "counts.csv:3: canary is 44 here and 43 before"),
        ((CANARY, CANARY), "counts.csv:3: pod 'c-0' has a line for this time already"),
        ((), "counts.csv: has no counts below its header"),
        ((STABLE,), "counts.csv: has no line whose role is canary"),
        (('15,43,canary,"c-0,1,0',), "counts.csv:2: this is no CSV"),
    ],
)
def test_what_cannot_be_judged_is_refused_with_its_line(lines, told):
    with pytest.raises(InvalidDocument) as refused:
        parse(*lines)
    assert str(refused.value).startswith(told)


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ("time,version,role,pod,requests", "counts.csv:1: lacks the column 'bad'"),
        (HEADER + ",p99", "counts.csv:1: 'p99' is no column that is known"),
        (HEADER + ",le_0", "counts.csv:1: 'le_0' is no column that is known"),
        (HEADER + ",le_10,le_10", "counts.csv:1: has the column 'le_10' twice"),
    ],
)
def test_a_header_that_does_not_fit_is_refused(header, told):
    with pytest.raises(InvalidDocument) as refused:
        parse(header=header)
    assert str(refused.value).startswith(told)


def test_a_larger_bound_holds_what_a_smaller_one_holds():
    with pytest.raises(InvalidDocument, match="fewer requests under a larger bound"):
        parse("15,43,canary,c-0,100,0,90,80", header=HEADER + ",le_10,le_18")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "counts.csv: the file is empty"),
        (HEADER.encode() + b"\n15,43,canary,caf\xe9,1,0\n", "counts.csv:2: this is not UTF-8"),
    ],
)
def test_what_is_no_text_or_none_at_all_is_refused(content, told):
    with pytest.raises(InvalidDocument) as refused:
        parse_counts(content, "counts.csv")
    assert str(refused.value).startswith(told)


def test_a_file_that_is_too_large_is_not_read():
    with pytest.raises(InvalidDocument, match="are the most that are read"):
        parse_counts(b" " * (LARGEST_FILE + 1), "counts.csv")


@given(st.text(max_size=200))
def test_any_text_is_a_recording_or_one_clear_error(text):
    with suppress(InvalidDocument):
        assert parse_counts(f"{HEADER}\n{text}".encode(errors="replace"), "counts.csv").counts
