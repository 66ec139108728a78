"""Answers compared, as arrays."""

from __future__ import annotations

import numpy as np
import pytest

from promoter.domain.preflight import Tolerance
from promoter.domain.signature import Signature, TensorSpec
from promoter.preflight.answers import Drift, faults, latency_ratio

SIGNATURE = Signature({}, {"p": TensorSpec("float32", (None, 2)), "c": TensorSpec("int64", (None,))})


def answer(p=((0.25, 0.75), (0.5, 0.5)), c=(1, 0)):
    return {"p": np.array(p, np.float32), "c": np.array(c, np.int64)}


def drift(before, after, **tolerance):
    found = Drift(Tolerance(**tolerance) if tolerance else None)
    found.add(before, after)
    return found


def test_a_well_formed_answer_has_no_faults():
    assert list(faults(answer(), SIGNATURE, 2)) == []


@pytest.mark.parametrize(
    ("outputs", "rows", "fault"),
    [
        ({"p": answer()["p"]}, 2, "output c is missing"),
        (answer(p=[[1.0, 0, 0]], c=[1]), 1, "output p has the shape [1, 3], and its signature says float32[?, 2]"),
        (answer(p=[1.0, 0], c=[1]), 1, "output p has the shape [2], and its signature says float32[?, 2]"),
        (answer(), 3, "output p has 2 rows for a request of 3"),
        (answer(p=[[np.nan, 0], [np.inf, 1]]), 2, "output p is not finite in 2 of 4 values"),
    ],
)
def test_what_is_wrong_with_an_answer_is_said(outputs, rows, fault):
    assert fault in list(faults(outputs, SIGNATURE, rows))


def test_the_same_answers_have_not_drifted():
    found = drift(answer(), answer(), absolute=1e-9)
    assert (found.beyond, found.largest, found.agreement, found.divergence) == (0, 0, 1, 0)


def test_the_divergence_is_that_of_kullback_and_leibler():
    found = drift(answer(p=[[0.25, 0.75]], c=[]), answer(p=[[0.5, 0.5]], c=[]))
    assert found.divergence == pytest.approx(0.25 * np.log(0.5) + 0.75 * np.log(1.5))


def test_scores_that_are_no_probabilities_have_no_divergence():
    found = drift(answer(p=[[3, -1]], c=[]), answer(p=[[4, -2]], c=[]))
    assert (found.divergence, found.agreement, found.largest) == (None, 1, 1)


def test_a_tolerance_is_absolute_or_relative():
    before, after = answer(p=[[100, 1]], c=[]), answer(p=[[101, 1.5]], c=[])
    assert drift(before, after, absolute=0.5).beyond_in == {"p": 1}
    assert drift(before, after, relative=0.01).beyond_in == {"p": 1}
    assert drift(before, after, relative=0.01, absolute=0.5).beyond == 0


def test_another_shape_or_no_number_is_beyond_every_tolerance():
    assert drift(answer(), answer(p=[[1, 0]]), absolute=100).beyond == 4
    assert drift(answer(), answer(p=[[np.nan, 0.75], [0.5, 0.5]]), absolute=100).beyond == 1


def test_classes_are_the_same_or_they_are_not():
    found = drift({"c": np.array([1, 2, 3, 4])}, {"c": np.array([1, 2, 3, 5])}, absolute=1e-9)
    assert (found.agreement, found.beyond) == (0.75, 0)
    texts = np.array([b"cat", b"dog"], np.object_)
    assert drift({"t": texts}, {"t": texts[::-1]}).agreement == 0


def test_a_burst_of_other_work_does_not_make_a_version_slow():
    calm = [1.0] * 20
    assert latency_ratio([1.0] * 9 + [5.0] * 11, calm) == 1
    assert latency_ratio([3.0] * 20, calm) == 3
