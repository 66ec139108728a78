"""What the sandbox's parts do to a rollout when they fail. The tests follow each other in one sandbox."""

import json
import subprocess
import sys
import time

import pytest

from promoter.domain.version import ModelVersion
from promoter.sandbox.demo.cast import faulty_versions
from promoter.sandbox.demo.summary import transition_failures
from promoter.sandbox.parts import PROMETHEUS, clean_environment

pytestmark = [pytest.mark.sandbox, pytest.mark.timeout(900)]


def status(watch):
    """What `promoter status --json` answers, and its exit status."""
    own_clone = {"PROMOTER_CLONE": str(watch.layout.run / "status.git")}
    answered = subprocess.run(
        [sys.executable, "-m", "promoter", "status", "--json"],
        env={**clean_environment(), **watch.sandbox.environment(), **own_clone},
        capture_output=True,
        text=True,
        check=False,
    )
    return json.loads(answered.stdout), answered.returncode


def test_without_the_git_remote_it_is_tried_again_and_nothing_is_lost(watch):
    status(watch)
    away = watch.layout.remote.with_name("remote.away")
    head = watch.revisions[-1]
    already = len(watch.events("repository.unavailable"))
    watch.layout.remote.rename(away)
    try:
        watch.drop(7)
        watch.until(
            lambda: len(watch.events("repository.unavailable")) >= already + 2, "the promoter says what is wrong"
        )
        said, exit_status = status(watch)
    finally:
        away.rename(watch.layout.remote)
    assert exit_status == 1
    assert "did not answer" in said["problem"]
    assert said["head"] == head
    failures = [event.number("failures") for event in watch.events("repository.unavailable")[already:]]
    assert failures == sorted(failures), "failures in a row, with back-off"
    watch.until(lambda: watch.weight is not None, "the rollout starts once the remote is back")
    assert watch.revisions[watch.revisions.index(head) + 1 :] == watch.revisions[-1:]


def test_prometheus_stopped_for_twenty_seconds_holds_the_weight(watch):
    watch.until(lambda: (watch.weight or 0) > 0, "the canary gets requests")
    watch.sandbox.stop(PROMETHEUS)
    # A decision that was under way when Prometheus went away may still arrive.
    time.sleep(2)
    weight, commits = watch.weight, watch.revisions
    time.sleep(18)
    assert (watch.weight, watch.revisions) == (weight, commits)
    watch.sandbox.start(PROMETHEUS)
    time.sleep(4)
    assert not [what for what in watch.said(7) if "withdrawn" in what]


def test_prometheus_stopped_for_longer_than_max_blind_withdraws_and_once_it_is_back_the_version_is_promoted(watch):
    assert watch.weight, "the rollout goes on"
    watch.sandbox.stop(PROMETHEUS)
    watch.until(lambda: watch.weight == 0, "the canary is withdrawn")
    assert watch.release.canary.withdrawn.startswith("blind for")
    assert watch.release.rejection(ModelVersion(7)) is None
    watch.sandbox.start(PROMETHEUS)
    watch.until_promoted(7)
    said = watch.said(7)
    assert said.count("canary 7 withdrawn") == 1
    assert said[-2:] == ["canary 7 at 100 %", "7 is stable"]


def test_no_fault_of_a_part_cost_a_request(watch):
    assert transition_failures(watch.seconds, faulty_versions()) == 0


def test_every_decision_comes_out_the_same_also_the_withdrawal_while_prometheus_was_down(watch):
    found = watch.explained()
    assert len(found) == len(watch.revisions) - 1, "every commit but the first is the promoter's"
    assert [(entry.commit.message, entry.conclusion) for entry in found if not entry.same] == []
    assert "withdraw" in {entry.recorded.action for entry in found}
