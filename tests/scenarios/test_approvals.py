"""Whole rollouts in which people agree first: by the merge of a pull request, and by nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from builders import RANKER, digest, stored, version
from fakes import POLICY, FakePreflights, World
from hypothesis import given, settings
from hypothesis import strategies as st
from preflights import failed, passed

from promoter.control.explain import Explainer, Outcome
from promoter.control.observe import Observer
from promoter.documents.pull_request_text import read_question
from promoter.documents.release_file import parse_release, write_release
from promoter.domain.action import Hold
from promoter.domain.pull_request import PullRequestState
from promoter.domain.release import Rejection
from promoter.domain.version import StoredVersion

BRANCH = "promoter/production/ranker"
START = POLICY + "approval: {start: pull-request}\n"
PROMOTE = POLICY + "approval: {promote: pull-request}\n"


@pytest.fixture
def world():
    world = World(policy=START, versions=(42, 43))
    world.preflights = FakePreflights({43: passed(43, 42), 44: passed(44, 42)})
    world.restart()
    return world


def started(world):
    return world.release.canary is not None


def the_pull_request(world):
    [one] = world.forge.open
    return one


def test_nothing_starts_before_the_pull_request_is_merged(world):
    assert not world.run(300, until=lambda: started(world))
    assert world.action().reason == f"43 waits for approval to start: merge the pull request from {BRANCH}"
    one = the_pull_request(world)
    assert (one.branch, one.title) == (BRANCH, "ranker: production: start 43")
    assert world.repository.offered[BRANCH]["pushes"] == 1

    world.forge.merge(one.number)
    assert world.run(60, until=lambda: started(world))
    canary = world.release.canary
    assert (canary.version, canary.weight) == (version(43), 0)
    assert world.release.approved is None
    assert world.forge.open == []
    assert world.run(900, until=lambda: world.release.stable.version == version(43))


def test_a_rollout_begins_when_it_starts_and_not_when_it_was_asked_for(world):
    world.run(60)
    one = the_pull_request(world)
    world.run(1800)
    world.forge.merge(one.number)
    assert world.run(60, until=lambda: started(world))
    assert (world.now - world.release.canary.since).total_seconds() <= 10
    assert "Promoter-Action: start-canary" in world.repository.head["message"]


def test_what_is_not_verified_is_not_asked_for(world):
    world.preflights.results[43] = failed(43, 42)
    world.run(60)
    assert world.forge.pulls == {}
    assert world.release.rejection(version(43))


def test_the_body_tells_what_a_person_has_to_know(world):
    world.run(20)
    body = the_pull_request(world).body
    assert "**Start version 43 of `ranker` in `production`.**" in body
    assert "| stable | 42 | `sha256:000000000000…` |" in body
    assert "| latency | ✓ pass | 2 ms a request |" in body
    assert "`file:///models/ranker/43/manifest.json`" in body
    assert "requests a second its first weight" in body
    assert "failed requests" in body
    question = read_question(body)
    assert (question.version, question.starts) == (version(43), True)


def test_a_pull_request_is_changed_in_place_when_a_newer_version_comes(world):
    world.run(60)
    one = the_pull_request(world)
    world.store.versions.append(44)
    world.run(60)
    changed = the_pull_request(world)
    assert (changed.number, changed.title) == (one.number, "ranker: production: start 44")
    world.forge.merge(one.number)
    assert world.run(60, until=lambda: started(world))
    assert world.release.canary.version == version(44)


def test_an_approval_is_of_exactly_the_files_that_were_asked_about(world):
    other = StoredVersion(version(43), digest(99))
    text = world.repository.head["tree"][RANKER.release_path].decode()
    mark = f"  approved:\n    version: 43\n    digest: {other.digest}\n"
    world.repository.person({RANKER.release_path: text + mark})
    assert not world.run(120, until=lambda: started(world))
    mark = mark.replace(str(other.digest), str(stored(43).digest))
    world.repository.person({RANKER.release_path: text + mark})
    assert world.run(60, until=lambda: started(world))


def test_closing_is_a_no_until_something_changes(world):
    world.run(60)
    world.forge.decline(the_pull_request(world).number)
    world.run(300)
    assert len(world.forge.pulls) == 1
    world.restart()
    world.run(300)
    assert len(world.forge.pulls) == 1
    world.store.versions.append(44)
    world.run(60)
    assert the_pull_request(world).title == "ranker: production: start 44"


def test_a_fresh_promoter_finds_its_pull_request_and_leaves_it_as_it_is(world):
    world.run(60)
    before = the_pull_request(world)
    world.restart()
    world.run(60)
    assert the_pull_request(world) == before
    assert world.repository.offered[BRANCH]["pushes"] == 1


def test_other_models_commits_change_no_pull_request(world):
    world.run(60)
    world.repository.person({"README.md": "Something else"})
    world.run(120)
    assert world.repository.offered[BRANCH]["pushes"] == 1


def test_a_forge_is_asked_now_and_then_and_not_at_each_pass(world):
    world.run(60)
    before = world.forge.calls
    world.run(600)
    # Of which are two thirds for comments.
    assert world.forge.calls - before <= 33


def test_a_pull_request_is_closed_with_the_reason_when_it_is_overtaken(world):
    world.run(60)
    number = the_pull_request(world).number
    text = world.repository.head["tree"][RANKER.release_path].decode()
    rejected = '  rejected:\n    - version: 43\n      reason: "trained on the wrong table"\n'
    world.repository.person({RANKER.release_path: text + rejected})
    world.run(90)
    assert world.forge.pulls[number].state is PullRequestState.CLOSED
    assert world.forge.texts(number) == ["Version 43 was rejected: trained on the wrong table"]
    # Nobody declined it: what is offered again is asked for again.
    world.repository.person({RANKER.release_path: text})
    world.run(90)
    assert the_pull_request(world).number != number


def test_a_policy_that_asks_no_more_lets_the_version_start_and_closes_the_question(world):
    world.run(60)
    number = the_pull_request(world).number
    world.repository.person({RANKER.policy_path: POLICY})
    assert world.run(60, until=lambda: started(world))
    world.run(90)
    assert world.forge.pulls[number].state is PullRequestState.CLOSED
    assert world.forge.texts(number) == ["The policy asks for no approval any more."]


def test_a_pass_that_cannot_see_closes_nothing(world):
    world.run(60)
    world.store.broken = world.metrics.down = world.cluster.broken = "it is away"
    world.run(300)
    assert the_pull_request(world)


def test_a_forge_that_is_away_delays_the_question_and_nothing_else(world):
    world.forge.down = "the forge does not answer"
    world.run(120)
    assert world.forge.calls <= 10
    world.forge.down = None
    world.run(60)
    assert the_pull_request(world)


def test_the_first_version_waits_for_a_person_too():
    world = World(policy=START, stable=None, versions=())
    world.store.versions.append(42)
    world.run(60)
    one = the_pull_request(world)
    assert "**Serve version 42 of `ranker`" in one.body
    assert world.release.stable is None
    world.forge.merge(one.number)
    assert world.run(60, until=lambda: world.release.stable is not None)


def waiting_for_promotion():
    world = World(policy=PROMOTE, versions=(42, 43))
    assert world.run(900, until=lambda: bool(world.forge.pulls))
    return world


def test_all_requests_wait_for_a_person_at_the_top_of_the_ramp():
    world = waiting_for_promotion()
    one = the_pull_request(world)
    assert one.title == "ranker: production: promote 43"
    assert "### The evidence so far" in one.body
    before = world.release.canary
    world.run(300)
    assert world.release.canary == before
    assert isinstance(world.action(), Hold)

    world.forge.merge(one.number)
    assert world.run(900, until=lambda: world.release.stable.version == version(43))
    assert 100 in world.weights
    # Capacity comes a commit before the weight that needs it.
    subjects = world.subjects()
    assert subjects.index("ranker: production: canary 43 gets 4 pods") < subjects.index(
        "ranker: production: canary 43 at 100 %"
    )


def test_a_canary_that_turns_bad_is_reverted_whoever_has_to_agree_to_its_promotion():
    world = waiting_for_promotion()
    number = the_pull_request(world).number
    world.behaviour[43].bad = 0.5
    assert world.run(120, until=lambda: world.weight == 0)
    world.run(120)
    assert world.forge.pulls[number].state is PullRequestState.CLOSED
    assert world.forge.texts(number)[0].startswith("Version 43 was rejected:")


def test_an_approval_promotes_nothing_without_evidence():
    world = waiting_for_promotion()
    world.forge.merge(the_pull_request(world).number)
    world.behaviour[43].bad = 0.5
    assert world.run(300, until=lambda: world.weight == 0)
    assert 100 not in world.weights


def test_what_was_decided_after_an_approval_comes_out_the_same_when_it_is_computed_again():
    world = World(policy=POLICY + "approval: {start: pull-request, promote: pull-request}\n", versions=(42, 43))
    for _ in range(2):
        assert world.run(900, until=lambda: bool(world.forge.open))
        world.forge.merge(the_pull_request(world).number)
        world.run(30)
    assert world.run(900, until=lambda: world.release.stable.version == version(43))
    explainer = Explainer(world.repository, Observer(world.ports, world.traits, timedelta(seconds=5)))
    found = explainer.explain_all(world.repository.head["id"], 1000)
    assert {entry.recorded.action for entry in found} == {"start-canary", "set-weight", "promote"}
    assert {entry.outcome for entry in found} == {Outcome.SAME}


STEPS = ("merge", "decline", "reopen", "garble", "another version", "forge away", "forge back", "restart", "reject")


class Disorder:
    """What people, forges and processes do, in any order."""

    def __init__(self):
        self.world = World(policy=START, versions=(42, 43))
        self.world.forge.repository = self.world.repository

    def do(self, step):
        world, forge = self.world, self.world.forge
        ended = [one for one in forge.pulls.values() if one.state is PullRequestState.CLOSED]
        if step == "merge" and forge.open and forge.open[0].branch in world.repository.offered:
            self.merge(forge.open[0])
        elif step == "decline" and forge.open:
            forge.decline(forge.open[0].number)
        elif step == "reopen" and ended and not forge.open:
            forge.pulls[ended[-1].number] = replace(ended[-1], state=PullRequestState.OPEN)
        elif step == "garble" and forge.open:
            forge.pulls[forge.open[0].number] = replace(forge.open[0], body="<!-- promoter: start 99 0 --> oh")
        elif step == "another version":
            world.store.versions.append(max(world.store.versions) + 1)
        elif step in ("forge away", "forge back"):
            forge.down = "it is away" if step == "forge away" else None
        elif step == "restart":
            world.restart()
        elif step == "reject" and world.release.canary is None:
            entry = Rejection(version(max(world.store.versions)), "it is mine")
            if not world.release.rejected:
                self.edit(replace(world.release, rejected=(entry,)))

    def merge(self, one):
        """As a forge does: only where the file on the branch has not changed since."""
        offered = self.world.repository.offered[one.branch]
        before = self.world.repository.read(offered["parent"], RANKER.release_path)
        if before == self.world.repository.head["tree"][RANKER.release_path]:
            self.world.forge.merge(one.number)

    def edit(self, release):
        before = self.world.repository.head["tree"][RANKER.release_path].decode()
        self.world.repository.person({RANKER.release_path: write_release(before, release, "release.yaml")})


@settings(max_examples=25)
@given(st.lists(st.sampled_from(STEPS), min_size=3, max_size=8))
def test_whatever_happens_no_version_starts_that_nobody_agreed_to_and_nobody_is_asked_twice_at_once(steps):
    disorder = Disorder()
    world = disorder.world
    for step in steps:
        world.run(70)
        disorder.do(step)
        assert len(world.forge.open) <= 1
    world.forge.down = None
    world.run(100)
    assert len(world.forge.open) <= 1
    for before, made in pairwise(world.repository.commits):
        then = parse_release(before["tree"][RANKER.release_path], RANKER.release_path)
        now = parse_release(made["tree"][RANKER.release_path], RANKER.release_path)
        if now.canary is not None and then.canary is None:
            assert then.approved == StoredVersion(now.canary.version, now.canary.digest)
        if made["author"] == "promoter":
            assert now.approved in (then.approved, None)
