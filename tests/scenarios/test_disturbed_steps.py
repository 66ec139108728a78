"""Steps by pull request while checks, people and the forge do what they like: nothing gets in that should not."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import replace

import pytest
from builders import RANKER, version
from fakes import Behaviour, World

from promoter.documents.release_file import parse_release
from promoter.domain.pull_request import Checks, PullRequestState

FOUND = (Checks(), Checks(), Checks(pending=("ci/test",)), Checks(failed=("ci/test",)))
GOOD, BAD = range(3), range(6)


class Disturbed:
    """A world, and a die that decides what happens between two passes."""

    def __init__(self, seed):
        self.dice = random.Random(seed)
        self.world = World(versions=[42, 43], by_pull_request=True)
        self.world.repository.refusal = "protected branch"
        # What each pass wanted at the moment of a merge, by the commit.
        self.merged = {}
        merge = self.world.forge.merge_pull_request

        def watched(number, head):
            wanted = self.world.reconciler.survey(self.world.now)
            told = merge(number, head)
            if told is None and self.world.repository.head["id"] == head:
                self.merged[head] = wanted
            return told

        self.world.forge.merge_pull_request = watched

    def happen(self):
        self.dice.choice((self.check, self.check, self.commit, self.forge_fails, self.answer, self.meddle, self.hide))()

    def check(self):
        found = self.dice.choice(FOUND)
        self.world.forge.found = defaultdict(lambda: found)

    def commit(self):
        self.world.repository.person({"README.md": str(self.dice.random())})

    def forge_fails(self):
        forge = self.world.forge
        forge.down = self.dice.choice((None, "no answer within 10s"))
        forge.rule = self.dice.choice((None, None, "a review is missing"))
        forge.lose_answer = self.dice.random() < 0.3

    def answer(self):
        """A person closes the newest one, or opens it again."""
        pulls = self.world.forge.pulls
        last = max(pulls, default=None)
        if last is None or pulls[last].branch not in self.world.repository.offered:
            return
        if pulls[last].state is PullRequestState.OPEN:
            self.world.forge.decline(last)
        elif pulls[last].state is PullRequestState.CLOSED:
            pulls[last] = replace(pulls[last], state=PullRequestState.OPEN)

    def meddle(self):
        """Somebody else's commit on its branch, or another process."""
        offered = self.world.repository.offered
        if offered and self.dice.random() < 0.5:
            self.dice.choice(list(offered.values()))["id"] = "e" * 40
        else:
            self.world.restart()

    def hide(self):
        self.world.metrics.down = self.dice.choice((None, None, "no answer"))

    def play(self, turns):
        for _ in range(turns):
            self.happen()
            self.world.run(self.dice.choice((5, 5, 10, 30)))

    def calm(self):
        """Everybody goes home, and whoever said no thinks again."""
        forge = self.world.forge
        forge.down = forge.rule = self.world.metrics.down = None
        forge.found = defaultdict(Checks)
        for number, one in forge.pulls.items():
            if one.state is PullRequestState.CLOSED:
                forge.pulls[number] = replace(one, body="")


def own(repository):
    return [entry for entry in repository.commits if entry["ours"]]


def releases(repository):
    return [
        (entry, parse_release(entry["tree"][RANKER.release_path], RANKER.release_path)) for entry in repository.commits
    ]


@pytest.mark.parametrize("seed", GOOD)
def test_a_good_version_gets_through_in_the_end_and_by_merges_alone(seed):
    disturbed = Disturbed(seed)
    world = disturbed.world
    disturbed.play(30)
    disturbed.calm()
    world.restart()
    assert world.run(3000, until=lambda: world.release.stable.version == version(43)), world.reconciler.waiting
    assert world.repository.pushes == 0
    offered = set(world.repository.made)
    assert {entry["id"] for entry in own(world.repository)} <= offered
    # Each on the commit before it, and each still decided at the moment of its merge.
    for before, after in zip(world.repository.commits, world.repository.commits[1:], strict=False):
        assert after["parent"] == before["id"]
    for revision, survey in disturbed.merged.items():
        made = parse_release(world.repository.made[revision]["tree"][RANKER.release_path], RANKER.release_path)
        assert survey.draft is not None
        wanted = parse_release(survey.draft.files[RANKER.release_path], RANKER.release_path)
        assert (made.canary is None) == (wanted.canary is None)
        assert made.canary is None or made.canary.weight <= wanted.canary.weight


@pytest.mark.parametrize("seed", BAD)
def test_a_bad_version_loses_its_requests_as_soon_as_anything_lets_them_be_taken(seed):
    disturbed = Disturbed(seed)
    world = disturbed.world
    assert world.run(300, until=lambda: world.weight > 0)
    world.behaviour[43] = Behaviour(bad=1.0)
    disturbed.play(20)
    # Nothing rises while it fails.
    seen = [release.canary.weight for _, release in releases(world.repository) if release.canary is not None]
    assert seen == sorted(seen[: seen.index(max(seen)) + 1]) + seen[seen.index(max(seen)) + 1 :]
    disturbed.calm()
    world.restart()
    assert world.run(30, until=lambda: world.weight == 0 and world.release.stable.version == version(42))
