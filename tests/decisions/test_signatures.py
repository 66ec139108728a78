"""Whether callers of stable can ask the candidate."""

from __future__ import annotations

import pytest

from promoter.decisions.signatures import compared
from promoter.domain.signature import Signature, TensorSpec

IMAGE = TensorSpec("float32", (None, 32, 32, 3))
SCORES = TensorSpec("float32", (None, 10))
ANY = TensorSpec("float32", None)


def serving(inputs, outputs=None, optional=()):
    return {"serve": Signature(inputs, outputs or {"scores": SCORES}, frozenset(optional))}


def lines(stable, candidate):
    return [(change.text, change.breaks) for change in compared(stable, candidate)]


def test_the_same_signatures_differ_in_nothing():
    assert lines(serving({"x": IMAGE}), serving({"x": IMAGE})) == []


@pytest.mark.parametrize(
    ("candidate", "line"),
    [
        (serving({}), "- serve: input x (float32[?, 32, 32, 3]) is gone"),
        (serving({"y": IMAGE}), "~ serve: input x (float32[?, 32, 32, 3]) is now called y"),
        (
            serving({"x": TensorSpec("uint8", IMAGE.shape)}),
            "~ serve: input x was float32[?, 32, 32, 3] and is uint8[?, 32, 32, 3]",
        ),
        (
            serving({"x": TensorSpec("float32", (None, 3072))}),
            "~ serve: input x was float32[?, 32, 32, 3] and is float32[?, 3072]",
        ),
        (
            serving({"x": TensorSpec("float32", (None, 64, 64, 3))}),
            "~ serve: input x was float32[?, 32, 32, 3] and is float32[?, 64, 64, 3]",
        ),
        (
            serving({"x": IMAGE, "y": SCORES}),
            "+ serve: input, without a default, y (float32[?, 10]) is new",
        ),
        (serving({"x": IMAGE}, {"other": SCORES}), "- serve: output scores (float32[?, 10]) is gone"),
        (
            serving({"x": IMAGE}, {"scores": TensorSpec("float32", (None, None))}),
            "~ serve: output scores was float32[?, 10] and is float32[?, ?]",
        ),
        ({}, "- signature serve is gone"),
    ],
)
def test_what_breaks_a_caller_comes_first(candidate, line):
    assert lines(serving({"x": IMAGE}), candidate)[0] == (line, True)


@pytest.mark.parametrize(
    ("candidate", "line"),
    [
        (
            serving({"x": IMAGE, "y": SCORES}, optional=["y"]),
            "+ serve: optional input y (float32[?, 10]) is new",
        ),
        (
            serving({"x": IMAGE}, {"scores": SCORES, "more": SCORES}),
            "+ serve: output more (float32[?, 10]) is new",
        ),
        (serving({"x": ANY}), "~ serve: input x was float32[?, 32, 32, 3] and is float32 of any shape"),
        (
            serving({"x": IMAGE}, {"scores": TensorSpec("float32", (1, 10))}),
            "~ serve: output scores was float32[?, 10] and is float32[1, 10]",
        ),
        (serving({"x": IMAGE}) | {"other": Signature({}, {})}, "+ signature other is new"),
    ],
)
def test_what_only_adds_is_said_and_allowed(candidate, line):
    assert lines(serving({"x": IMAGE}), candidate) == [(line, False)]


def test_a_lost_default_breaks_those_who_left_it_out():
    stable = serving({"x": IMAGE, "y": SCORES}, optional=["y"])
    assert lines(stable, serving({"x": IMAGE, "y": SCORES})) == [("~ serve: input y has lost its default", True)]
