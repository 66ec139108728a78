"""The whole loop: versions appear in the store, and end promoted or reverted, by commits.

The tests follow each other in one sandbox, as versions do in a store.
"""

import random
import time

import pytest

from promoter.domain.version import ModelVersion
from promoter.sandbox.demo.cast import faulty_versions
from promoter.sandbox.demo.summary import sending_rate, transition_failures
from promoter.sandbox.parts import PROMOTER

pytestmark = [pytest.mark.sandbox, pytest.mark.timeout(900)]


def test_a_good_version_is_promoted_although_the_promoter_is_killed_at_random_moments(watch):
    moments = random.Random(20)
    watch.drop(2)
    for number in range(10):
        time.sleep(moments.uniform(0.5, 5))
        watch.sandbox.kill(PROMOTER)
        watch.sandbox.start(PROMOTER)
        if number == 1:
            # The first two may end its preflight, which begins again; the others come in the rollout.
            watch.until(lambda: watch.release.canary is not None, "version 2 starts")
    watch.until_promoted(2)
    said = watch.said(2)
    assert said[0] == "canary 2 starts at 0 %"
    assert said[-2:] == ["canary 2 at 100 %", "2 is stable"]
    assert len(said) == len(set(said)), "no commit twice"
    assert watch.release.rejected == ()


def test_a_faulty_version_is_reverted_and_stable_is_untouched(watch):
    version = ModelVersion(3)
    before = watch.release.stable
    watch.drop(3)
    watch.until_reverted(3)
    assert watch.release.stable == before
    assert watch.said(3)[-2:] == ["canary 3 reverted", "canary 3 removed"]
    # On a machine that is busy the reason may name slowness besides.
    assert "requests failed" in watch.release.rejection(version).reason
    failed = sum(
        count for second in watch.seconds for code, count in second.answered.get(version, {}).items() if code != "OK"
    )
    assert 0 < failed < 40


def test_a_version_that_stables_callers_could_not_ask_fails_its_preflight_and_costs_nothing(watch):
    version = ModelVersion(6)
    watch.drop(6)
    watch.until_reverted(6)
    assert watch.said(6) == ["6 fails its preflight"]
    assert watch.release.rejection(version).reason.startswith(
        "its preflight failed: signatures: stable's callers could not ask it: serving_default: input"
    )
    assert not any(version in second.answered for second in watch.seconds)


def test_a_version_that_was_rejected_is_not_offered_again(watch):
    commits = watch.revisions
    time.sleep(4)
    assert watch.revisions == commits


def test_no_request_failed_because_of_a_transition(watch):
    assert transition_failures(watch.seconds, faulty_versions()) == 0
    assert sending_rate(watch.seconds) > 50


def test_every_decision_comes_out_the_same_when_it_is_computed_again(watch):
    found = watch.explained()
    assert len(found) == len(watch.revisions) - 1, "every commit but the first is the promoter's"
    assert [
        (entry.commit.message, entry.conclusion)
        for entry in found
        if not entry.same and entry.recorded.action != "reject"
    ] == []
