"""Steps that a forge merged by a commit of its own: history shows the promoter's commit, and nobody else's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from git_remote import NOON, RANKER, RESNET, BareRemote, promoter_of

STEP = "promoter-steps/pass"
FORGE = "GitHub <noreply@github.com>"
MESSAGE = "resnet50: production: canary 43 at 5 %\n\nNo sign of harm.\n\nPromoter-Action: set-weight\n"
NEW = "release:\n  stable: {}\n"
AT = datetime.fromtimestamp(NOON, UTC)


@pytest.fixture
def remote(tmp_path):
    return BareRemote(tmp_path / "remote.git")


@pytest.fixture
def repository(remote, tmp_path):
    return promoter_of(remote.url, tmp_path / "clone.git")


def offered(repository, text=NEW, message=MESSAGE, branch=STEP, path=RESNET):
    return repository.offer(branch, repository.fetch(), {path: text.encode()}, message, AT)


def merged(remote, files, branch=STEP, by=FORGE):
    return remote.commit(files, "Merge pull request #1", by=by, merging=f"refs/heads/{branch}")


def test_a_merge_of_a_step_alone_is_that_step_for_everybody_who_asks(remote, repository):
    first = repository.fetch()
    step = offered(repository)
    merge = merged(remote, {RESNET: NEW})
    head = repository.fetch()
    assert head == merge != step

    change = repository.last_change(head, RESNET)
    assert (change.revision, change.ours, change.author, change.before) == (step, True, "promoter", first)
    # Nobody was served by it before it was merged.
    assert change.at == AT + timedelta(minutes=2)
    [newest, oldest] = repository.log(head)
    assert (newest.revision, newest.ours, newest.message, newest.at) == (step, True, MESSAGE, AT)
    assert (newest.parent, oldest.revision) == (first, first)
    folder = RESNET.rpartition("/")[0]
    assert repository.logs(head, [folder])[folder] == repository.log(head, folder) == (newest, oldest)
    assert repository.own_commits_since(head, AT - timedelta(seconds=1)) == 1
    assert repository.resolve(head, "HEAD") == newest
    assert repository.resolve(head, "HEAD~1").revision == first
    assert repository.contains(head, step)


def test_an_index_of_before_is_continued_past_merged_steps(remote, repository):
    first = repository.fetch()
    step = offered(repository)
    head = merged(remote, {RESNET: NEW})
    assert repository.last_change(repository.fetch(), RESNET).revision == step
    persons = remote.commit({"README.md": "more\n"}, "More")
    assert repository.last_change(repository.fetch(), RESNET).revision == step
    assert repository.last_change(persons, RANKER).revision == first
    again = offered(repository, text="release: {}\n")
    merged(remote, {RESNET: "release: {}\n"})
    change = repository.last_change(repository.fetch(), RESNET)
    assert (change.revision, change.before) == (again, persons)
    assert head != persons


@pytest.mark.parametrize(
    ("files", "path"),
    [
        ({RESNET: NEW, "README.md": "added\n"}, RESNET),
        ({RANKER: NEW}, RANKER),
        ({RESNET: "release: {stable: }\n"}, RESNET),
    ],
)
def test_a_merge_that_adds_or_loses_anything_stays_whose_it_is(remote, repository, files, path):
    offered(repository)
    merge = merged(remote, files)
    head = repository.fetch()
    newest, change = repository.log(head)[0], repository.last_change(head, path)
    assert (newest.revision, newest.ours) == (change.revision, change.ours) == (merge, False)


def test_a_merge_onto_a_newer_head_stays_whose_it_is(remote, repository):
    offered(repository)
    remote.commit({"README.md": "more\n"}, "More")
    merge = merged(remote, {RESNET: NEW})
    change = repository.last_change(repository.fetch(), RESNET)
    assert (change.revision, change.ours) == (merge, False)


def test_a_merge_of_somebody_elses_commit_stays_whose_it_is(remote, repository):
    remote.commit({}, "Begin", on="feature", merging="refs/heads/main")
    first = repository.fetch()
    remote.commit({RESNET: NEW}, MESSAGE, on=STEP, merging=first)
    merge = merged(remote, {RESNET: NEW})
    change = repository.last_change(repository.fetch(), RESNET)
    assert (change.revision, change.ours) == (merge, False)


def test_a_question_that_a_person_merged_is_their_agreement(remote, repository):
    question = "resnet50: production: start 43\n\nAgree that version 43 starts.\n"
    offered(repository, message=question, branch="promoter/production/resnet50")
    merge = merged(remote, {RESNET: NEW}, branch="promoter/production/resnet50")
    change = repository.last_change(repository.fetch(), RESNET)
    assert (change.revision, change.ours) == (merge, False)


def test_a_merge_in_the_promoters_own_name_is_counted_once(remote, repository):
    step = offered(repository)
    merged(remote, {RESNET: NEW}, by="promoter <promoter@shop.example>")
    head = repository.fetch()
    assert repository.own_commits_since(head, AT - timedelta(seconds=1)) == 1
    assert repository.last_change(head, RESNET).revision == step


def test_what_was_offered_is_read_from_the_clone_before_it_is_merged(repository):
    head = repository.fetch()
    step = offered(repository)
    [made] = repository.log(step, None, 1)
    assert (made.revision, made.ours, made.parent, made.message) == (step, True, head, MESSAGE)
    assert repository.read(step, RESNET) == NEW.encode()
    assert repository.contains(step, step)
    assert not repository.contains("e" * 40, "e" * 40)
    assert not repository.contains(head, step)
