"""What the scenarios do not come to: slow forges, late branches, and several people's words at once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from builders import NOON, RANKER, canary, release, version
from fakes import FakeForge, FakeRepository
from stated_clock import StatedClock
from structlog.testing import capture_logs

from promoter.control.act import Draft
from promoter.control.pull_request_steps import ByPullRequest
from promoter.decisions.steps import COMMANDS
from promoter.decisions.transition import released
from promoter.documents.release_file import write_release
from promoter.domain.action import Revert, SetWeight
from promoter.domain.names import ServedModel
from promoter.domain.pull_request import PullRequestState
from promoter.errors import HeadMoved, PushRefused, StepWaits

OTHER = ServedModel("production", "other")
RELEASE = release(canary=canary(weight=10))
RAISE = SetWeight(version(43), 20, 3, "a person said so")
REVERT = Revert(version(43), "a person said so")


class Moment:
    now = NOON


@pytest.fixture
def moment():
    return Moment()


@pytest.fixture
def repository(moment):
    repository = FakeRepository(moment, refusal="protected branch")
    text = write_release("release: {}\n", RELEASE, RANKER.release_path)
    repository.person({RANKER.release_path: text, OTHER.release_path: text})
    repository.fetch()
    return repository


@pytest.fixture
def forge(repository):
    return FakeForge(repository)


@pytest.fixture
def clock():
    return StatedClock()


@pytest.fixture
def way(repository, forge, clock):
    return ByPullRequest(repository, forge, COMMANDS, clock=clock)


def said(repository, served, action, at):
    """A person's word about a model, at the head of now."""
    head, path = repository.fetch(), served.release_path
    text = repository.read(head, path).decode()
    after = write_release(text, released(RELEASE, action, at), path)
    return Draft(head, {path: after.encode()}, f"{served}: by Ada\n\nSo it is.\n\nPromoter-Verb: some\n", at)


def test_what_one_person_said_is_not_replaced_by_what_another_said(way, repository, forge):
    with pytest.raises(StepWaits, match="opened just now"):
        way.publish(said(repository, RANKER, RAISE, NOON))
    with pytest.raises(StepWaits, match="of what somebody else asked for, comes first"):
        way.publish(said(repository, OTHER, RAISE, NOON))
    later = NOON + timedelta(seconds=20)
    merged = way.publish(said(repository, RANKER, RAISE, later))
    assert list(merged.draft.files) == [RANKER.release_path]
    with pytest.raises(StepWaits, match="opened just now"):
        way.publish(said(repository, OTHER, RAISE, later))
    way.publish(said(repository, OTHER, RAISE, later + timedelta(seconds=20)))
    assert [one.state for one in forge.pulls.values()] == [PullRequestState.MERGED] * 2


def test_a_persons_revert_waits_behind_nobody(way, repository):
    with pytest.raises(StepWaits):
        way.publish(said(repository, RANKER, RAISE, NOON))
    merged = way.publish(said(repository, OTHER, REVERT, NOON))
    assert list(merged.draft.files) == [OTHER.release_path]


def test_a_word_that_nobody_waits_for_is_out_of_the_way_after_ten_minutes(way, repository, forge):
    with pytest.raises(StepWaits):
        way.publish(said(repository, RANKER, RAISE, NOON))
    with pytest.raises(StepWaits, match="opened just now"):
        way.publish(said(repository, OTHER, RAISE, NOON + timedelta(minutes=11)))
    assert list(repository.offered[COMMANDS]["files"]) == [OTHER.release_path]


def test_a_forge_whose_answers_take_too_long_together_is_not_asked_further_in_this_pass(way, repository, forge, clock):
    with pytest.raises(StepWaits):
        way.publish(said(repository, RANKER, RAISE, NOON))
    asked = forge.pull_request

    def slowly(number):
        clock.now += 21
        return asked(number)

    forge.pull_request = slowly
    calls = forge.calls
    later = NOON + timedelta(seconds=20)
    with capture_logs() as logs, pytest.raises(StepWaits, match="more than 20 s"):
        way.publish(said(repository, RANKER, RAISE, later))
    assert forge.calls == calls + 1
    assert [entry["event"] for entry in logs if entry["log_level"] == "warning"] == ["step.not_made"]
    with pytest.raises(StepWaits):
        way.publish(said(repository, RANKER, RAISE, later + timedelta(seconds=10)))
    assert forge.calls == calls + 1


def test_a_merge_that_the_branch_does_not_show_yet_is_waited_for_and_not_made_twice(way, repository, forge):
    with pytest.raises(StepWaits):
        way.publish(said(repository, RANKER, RAISE, NOON))

    def merged(number, head):
        forge.pulls[number] = replace(forge.pulls[number], state=PullRequestState.MERGED, head=head)

    forge.merge_pull_request = merged
    for seconds in (20, 30, 70):
        with pytest.raises(StepWaits, match="is merged, and the branch does not show it yet"):
            way.publish(said(repository, RANKER, RAISE, NOON + timedelta(seconds=seconds)))
    assert len(forge.pulls) == 1
    with pytest.raises(StepWaits, match="opened just now"):
        way.publish(said(repository, RANKER, RAISE, NOON + timedelta(seconds=100)))
    assert len(forge.pulls) == 2


def test_a_merge_onto_another_head_by_somebody_else_is_a_lost_race(way, repository, forge):
    with pytest.raises(StepWaits):
        way.publish(said(repository, RANKER, RAISE, NOON))

    def outrun(number, head):
        repository.person({"README.md": "hello"})
        return "it is not up to date"

    forge.merge_pull_request = outrun
    with pytest.raises(HeadMoved):
        way.publish(said(repository, RANKER, RAISE, NOON + timedelta(seconds=20)))


def test_a_way_back_does_not_ask_about_checks_and_says_why_it_is_not_in(way, repository, forge):
    forge.rule = "Required status check 'ci/test' is expected."
    forge.checks = None
    with pytest.raises(PushRefused, match=r"protected branch; by pull request: .*pulls/1: Required status check"):
        way.publish(said(repository, RANKER, REVERT, NOON))


def test_nothing_is_asked_where_nothing_was_ever_offered_but_once(way, forge):
    for seconds in range(0, 300, 5):
        way.rest(NOON + timedelta(seconds=seconds), {})
    assert forge.calls == 1


def test_pods_of_a_canary_without_requests_are_taken_away_without_an_alarm(way, repository, forge):
    reverted = released(RELEASE, REVERT, NOON)
    path = RANKER.release_path
    repository.person({path: write_release("release: {}\n", reverted, path)})
    head = repository.fetch()
    text = write_release(repository.read(head, path).decode(), released(reverted, REVERT, NOON), path)
    with pytest.raises(StepWaits):
        way.publish(Draft(head, {path: text.encode()}, "ranker: removed\n\nIt is.\n\nPromoter-Action: revert\n", NOON))
