"""A commit in a pull request beside what is due now, in a real repository with several models."""

from __future__ import annotations

from datetime import timedelta

import pytest
from adapters.git_remote import BareRemote, promoter_of
from builders import NOON, RANKER, canary, change, observation, release, version

from promoter.control.act import draft
from promoter.control.offered_step import OfferedStep
from promoter.decisions.steps import PASSES
from promoter.documents.release_file import write_release
from promoter.domain.action import Revert, SetWeight
from promoter.domain.names import ServedModel

RELEASE = release(canary=canary(weight=10))
OTHER = ServedModel("production", "other")
THIRD = ServedModel("production", "third")
RAISE = SetWeight(version(43), 20, 3, "no sign of harm")
REVERT = Revert(version(43), "requests failed")


@pytest.fixture
def remote(tmp_path):
    text = write_release("release: {}\n", RELEASE, RANKER.release_path)
    return BareRemote(tmp_path / "remote.git", {served.release_path: text for served in (RANKER, OTHER, THIRD)})


@pytest.fixture
def repository(remote, tmp_path):
    return promoter_of(remote.url, tmp_path / "clone.git")


def due(repository, *decided, at=NOON):
    """What a pass at the remote's head would commit."""
    head = repository.fetch()
    seen = [
        (observation(served=served, head=head, release=RELEASE, changed=change(revision=head)), action)
        for served, action in decided
    ]
    return draft(repository, seen, head, at)


def offered(repository, *decided):
    """The step as any promoter with this clone finds it."""
    made = due(repository, *decided)
    revision = repository.offer(PASSES, made.parent, made.files, made.message, made.at)
    found = OfferedStep.found(repository, revision)
    assert found == OfferedStep.offered(revision, made)
    return found


def test_more_that_is_due_for_other_models_does_not_replace_a_step(repository):
    step = offered(repository, (RANKER, RAISE))
    assert step.stands(repository, due(repository, (RANKER, RAISE), (OTHER, RAISE)))


def test_a_step_of_two_models_falls_when_one_of_them_is_not_due_any_more(repository):
    step = offered(repository, (RANKER, RAISE), (OTHER, RAISE))
    assert step.stands(repository, due(repository, (OTHER, RAISE), (RANKER, RAISE), (THIRD, RAISE)))
    assert not step.stands(repository, due(repository, (RANKER, RAISE)))
    assert not step.stands(repository, due(repository, (RANKER, RAISE), (OTHER, REVERT)))


def test_a_way_back_of_another_model_waits_behind_nothing(repository):
    assert not offered(repository, (RANKER, RAISE)).stands(
        repository, due(repository, (RANKER, RAISE), (OTHER, REVERT))
    )
    assert not offered(repository, (RANKER, REVERT)).stands(
        repository, due(repository, (RANKER, REVERT), (OTHER, REVERT))
    )


def test_a_step_falls_with_the_head_that_it_was_made_on(remote, repository):
    step = offered(repository, (RANKER, RAISE))
    remote.commit({"README.md": "hello\n"}, "A neighbour")
    assert not step.stands(repository, due(repository, (RANKER, RAISE)))


@pytest.mark.parametrize(("minutes", "stands"), [(9, True), (10, True), (11, False)])
def test_a_step_is_too_old_after_ten_minutes(repository, minutes, stands):
    step = offered(repository, (RANKER, RAISE))
    later = NOON + timedelta(minutes=minutes)
    assert step.stands(repository, due(repository, (RANKER, RAISE), at=later)) is stands


def test_nobody_elses_commit_is_a_step(remote, repository, tmp_path):
    head = repository.fetch()
    assert OfferedStep.found(repository, None) is None
    assert OfferedStep.found(repository, "e" * 40) is None
    # In the clone, and a person's.
    assert OfferedStep.found(repository, head) is None
    # The promoter's by its e-mail, made in another clone: what is not here was not made here.
    other = promoter_of(remote.url, tmp_path / "other.git")
    made = due(other, (RANKER, RAISE))
    elsewhere = other.offer(PASSES, made.parent, made.files, made.message, made.at)
    assert OfferedStep.found(repository, elsewhere) is None


def test_a_draft_is_cut_to_some_of_its_models_with_the_message_of_these(repository):
    both = due(repository, (RANKER, RAISE), (OTHER, REVERT))
    assert both.only(both.files) is both
    assert both.only(()) is None
    one = both.only([OTHER.release_path])
    alone = due(repository, (OTHER, REVERT))
    assert (one.files, one.message, one.parent) == (alone.files, alone.message, alone.parent)
