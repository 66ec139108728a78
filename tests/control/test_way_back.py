"""Reverts in a repository where others are quicker: on the newer head at once, and never over a person's change."""

from __future__ import annotations

import random
import threading
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest
from adapters.git_remote import BareRemote, git, promoter_of
from builders import NOON, RANKER, canary, change, observation, release, version
from fakes import World

from promoter.control.act import draft
from promoter.control.observe import Observer, Ports
from promoter.control.reconcile import Reconciler, Survey, Verdict
from promoter.documents.release_file import parse_release, write_release
from promoter.domain.action import Revert, SetWeight
from promoter.domain.names import FREEZE_PATH, ServedModel
from promoter.domain.observation import ClusterTraits
from promoter.errors import HeadMoved

RELEASE = release(canary=canary(weight=30))
OTHER = ServedModel("production", "other")
NOTES = "environments/production/neighbour/notes.md"
REVERT = Revert(version(43), "requests failed")


def files_of(served):
    return {
        served.release_path: write_release("release: {}\n", RELEASE, served.release_path),
        served.policy_path: "candidates: {store: file:///models/ranker}\n",
        f"{served.folder}/values.yaml": "replicaCount: 2\n",
    }


@pytest.fixture
def remote(tmp_path):
    return BareRemote(tmp_path / "remote.git", {**files_of(RANKER), **files_of(OTHER)})


@pytest.fixture
def repository(remote, tmp_path):
    return promoter_of(remote.url, tmp_path / "clone")


@pytest.fixture
def reconciler(repository):
    ports = Ports(repository, None, None, World().cluster, None)
    return Reconciler(ports, Observer(ports, ClusterTraits(), timedelta(minutes=1)))


def survey_at(repository, *decided):
    """What a pass leaves that decided this at the remote's head."""
    head = repository.fetch()
    verdicts = tuple(
        Verdict(
            served,
            action,
            observation(served=served, head=head, release=RELEASE, changed=replace(change(), revision=head)),
        )
        for served, action in decided
    )
    due = [(verdict.seen, verdict.action) for verdict in verdicts]
    return Survey(head, NOON, verdicts, (), draft(repository, due, head, NOON))


def weight_at(remote, served):
    return parse_release(remote.show(served.release_path), served.release_path).canary.weight


def test_a_revert_goes_onto_the_newer_head_and_keeps_what_others_committed(remote, repository, reconciler):
    survey = survey_at(repository, (RANKER, REVERT))
    neighbours = remote.commit({NOTES: "hello\n"}, "A neighbour")

    pushed = reconciler.act(survey)

    assert pushed.revision == remote.head
    assert git(remote.folder, "rev-parse", f"{pushed.revision}^") == neighbours
    assert remote.changed_by(pushed.revision) == [RANKER.release_path]
    assert weight_at(remote, RANKER) == 0
    assert pushed.draft.message == survey.draft.message
    assert pushed.draft.at == NOON


def test_only_the_way_back_goes_along_and_a_raise_waits_for_the_next_pass(remote, repository, reconciler):
    survey = survey_at(repository, (OTHER, SetWeight(version(43), 50, 3, "no sign of harm")), (RANKER, REVERT))
    remote.commit({NOTES: "hello\n"}, "A neighbour")

    pushed = reconciler.act(survey)

    assert remote.changed_by(pushed.revision) == [RANKER.release_path]
    assert weight_at(remote, OTHER) == 30
    assert "50 %" not in pushed.draft.message


def test_a_raise_alone_is_never_put_on_another_head(remote, repository, reconciler):
    survey = survey_at(repository, (RANKER, SetWeight(version(43), 50, 3, "no sign of harm")))
    neighbours = remote.commit({NOTES: "hello\n"}, "A neighbour")

    with pytest.raises(HeadMoved):
        reconciler.act(survey)

    assert remote.head == neighbours


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (RANKER.release_path, "release: {}\n"),
        (RANKER.policy_path, "candidates: {store: file:///models/ranker}\npaused: true\n"),
        (f"{RANKER.folder}/values.yaml", "replicaCount: 3\n"),
        (FREEZE_PATH, "freezes: []\n"),
        (RANKER.release_path, None),
    ],
)
def test_a_change_of_what_it_rests_on_has_the_pass_computed_again(remote, repository, reconciler, path, text):
    survey = survey_at(repository, (RANKER, REVERT))
    persons = remote.commit({path: text}, "A person's change")

    with pytest.raises(HeadMoved):
        reconciler.act(survey)

    assert remote.head == persons


def test_of_two_ways_back_the_one_that_a_person_touched_stays_behind(remote, repository, reconciler):
    survey = survey_at(repository, (OTHER, REVERT), (RANKER, REVERT))
    remote.commit({OTHER.policy_path: "candidates: {store: file:///models/other}\n"}, "A person's change")

    pushed = reconciler.act(survey)

    assert remote.changed_by(pushed.revision) == [RANKER.release_path]
    assert weight_at(remote, OTHER) == 30


def test_after_a_rewind_the_pass_is_computed_again(remote, repository, reconciler):
    first = remote.head
    remote.commit({NOTES: "hello\n"}, "A neighbour")
    survey = survey_at(repository, (RANKER, REVERT))
    remote.rewind(first)

    with pytest.raises(HeadMoved):
        reconciler.act(survey)

    assert remote.head == first


def test_against_somebody_who_always_is_quicker_it_ends_and_nothing_is_lost(
    remote, repository, reconciler, monkeypatch
):
    survey = survey_at(repository, (RANKER, REVERT))
    fetch, fetches = repository.fetch, []

    def outrun():
        head = fetch()
        fetches.append(remote.commit({NOTES: f"{len(fetches)}\n"}, "A neighbour"))
        return head

    remote.commit({NOTES: "hello\n"}, "A neighbour")
    monkeypatch.setattr(repository, "fetch", outrun)

    with pytest.raises(HeadMoved):
        reconciler.act(survey)

    # After each of eleven pushes it is looked whether that was applied, and ten times for the newer head.
    assert len(fetches) == 21
    assert remote.head == fetches[-1]


def test_a_neighbour_who_commits_all_the_time_does_not_hold_it_up(remote, repository, reconciler):
    rng, stop, made = random.Random(5), threading.Event(), []

    def commit():
        while not stop.wait(rng.uniform(0.1, 0.3)):
            # Git refuses them where the promoter pushes at the same moment.
            with suppress(AssertionError):
                made.append(remote.commit({NOTES: f"{len(made)}\n"}, "A neighbour"))

    neighbour = threading.Thread(target=commit)
    neighbour.start()
    try:
        survey = survey_at(repository, (RANKER, REVERT))
        # A pass that takes longer than they need for a commit loses its push, each time.
        while len(made) < 2:
            stop.wait(0.01)
        pushed = reconciler.act(survey)
    finally:
        stop.set()
        neighbour.join()

    assert weight_at(remote, RANKER) == 0
    assert remote.changed_by(pushed.revision) == [RANKER.release_path]
    assert git(remote.folder, "rev-list", "--count", "main") == str(len(made) + 2)
