"""Since when a commit counts as being on the branch, where it may be older than that."""

from __future__ import annotations

from datetime import timedelta

import pytest
from builders import NOON, RANKER, change

from promoter.control.arrivals import Arrivals

FIRST = change(revision="1" * 40, at=NOON - timedelta(hours=1))
STEP = change(revision="2" * 40, at=NOON)


def minutes(count):
    return NOON + timedelta(minutes=count)


def test_what_came_while_somebody_looked_came_when_it_was_seen_first():
    arrivals = Arrivals()
    arrivals.saw(RANKER, FIRST, NOON)
    for count in (4, 5, 60):
        arrivals.saw(RANKER, STEP, minutes(count))
        assert arrivals.of(RANKER, STEP, minutes(count)) == minutes(4)


@pytest.mark.parametrize(("now", "since"), [(0, 0), (3, 3), (10, 10), (11, 10), (600, 10)])
def test_what_was_there_before_came_at_the_latest_possible_moment(now, since):
    arrivals = Arrivals()
    arrivals.saw(RANKER, STEP, minutes(now))
    assert arrivals.of(RANKER, STEP, minutes(now)) == minutes(since)


def test_a_persons_commit_says_itself_when_it_was_made():
    persons = change(revision="2" * 40, at=NOON, ours=False)
    assert Arrivals().of(RANKER, persons, minutes(3)) == NOON
