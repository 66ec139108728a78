"""What people say in comments on the promoter's pull requests is done, once, where they may say it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from builders import version
from fakes import POLICY, FakePreflights, World
from preflights import passed

from promoter.control.comments import Comments
from promoter.control.naming import served_model
from promoter.domain.names import ServedModel
from promoter.domain.release import Promotion
from promoter.domain.repository import Inventory
from promoter.errors import InvalidInput

START = POLICY + "approval: {start: pull-request}\n"
NO_RIGHT = "is for people who may write to this repository"


@pytest.fixture
def world():
    world = World(policy=START, versions=(42, 43))
    world.preflights = FakePreflights({43: passed(43, 42), 44: passed(44, 42)})
    world.restart()
    assert world.run(120, until=lambda: world.forge.open)
    return world


@pytest.fixture
def under_way(world):
    """A canary with requests; its pull request is merged, and is number 1."""
    world.forge.merge(1)
    assert world.run(120, until=lambda: world.weight > 0)
    return world


def answers(world, number=1):
    return [text.split("\n", 1)[1].strip() for text in world.forge.texts(number) if text.startswith("<!-- promoter")]


def by_comment(world):
    return [entry for entry in world.repository.commits if "Promoter-Comment" in entry["message"]]


def test_a_writers_revert_on_the_merged_pull_request_takes_every_request_back_and_links_its_commit(under_way):
    world = under_way
    url = world.forge.speak(1, "/revert\nit answers nonsense")
    assert world.run(40, until=lambda: world.weight == 0)
    [commit] = by_comment(world)
    # Argo CD is made to look at once, as for a person's own commit.
    before = world.cluster.refreshes
    world.loop.one_pass()
    assert world.cluster.refreshes == before + 1
    rejected = world.release.rejection(version(43))
    assert rejected.reason == "Ada of Tests (ada): it answers nonsense"
    assert commit["message"].splitlines()[0] == "ranker: production: canary 43 reverted by Ada of Tests (ada)"
    assert commit["message"].endswith(
        f"Promoter-Verb: revert\nPromoter-Person: Ada of Tests (ada) <ada@example.com>\nPromoter-Comment: {url}\n"
    )
    [answer] = answers(world)
    assert answer.startswith(
        f"Done, in [`{commit['id'][:8]}`](https://forge.example/shop/models/commit/{commit['id']})"
    )
    world.run(120)
    assert world.release.canary is None
    assert len(answers(world)) == len(by_comment(world)) == 1


@pytest.mark.parametrize(("who", "words"), [("eve", NO_RIGHT), ("stranger", "the forge does not tell me")])
def test_who_may_not_write_or_is_not_known_gets_one_answer_and_nothing_else(under_way, who, words):
    world = under_way
    world.forge.speak(1, "/revert", who)
    world.run(60)
    world.restart()
    world.run(60)
    assert by_comment(world) == []
    assert world.release.rejected == ()
    [answer] = answers(world)
    assert words in answer


def test_the_right_is_asked_each_time(under_way):
    world = under_way
    world.forge.writers["ada"] = False
    world.forge.speak(1, "/revert")
    world.run(30)
    assert NO_RIGHT in answers(world)[0]
    world.forge.writers["ada"] = True
    world.forge.speak(1, "/revert")
    assert world.run(40, until=lambda: world.weight == 0)


def test_a_restart_between_the_commit_and_its_answer_repeats_nothing(under_way):
    world = under_way
    world.forge.speak(1, "/promote")
    say, world.forge.comment = world.forge.comment, killed
    with pytest.raises(KeyboardInterrupt):
        world.run(60)
    assert world.release.canary.promote is Promotion.FULL
    world.forge.comment = say
    world.restart()
    world.run(60)
    assert len(by_comment(world)) == 1
    [answer] = answers(world)
    assert answer.startswith("Done already, in [`")


def killed(number, body):
    raise KeyboardInterrupt


def test_two_promoters_do_it_once(under_way):
    world = under_way
    world.forge.speak(1, "/revert")
    survey = world.reconciler.survey(world.now)
    other = Comments(world.repository, world.forge)
    # The other one has read the comments, and pushes between our look and our push.
    world.repository.before_push.append(lambda: other.keep(survey))
    Comments(world.repository, world.forge).keep(survey)
    assert len(by_comment(world)) == 1
    assert world.weight == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("/revert now, please", "has to stand on a line of its own"),
        ("/pause", "Run `promoter pause ranker --environment production --reason"),
        ("/retry", "43 is not rejected"),
    ],
)
def test_what_cannot_be_done_is_answered_with_what_can(under_way, text, words):
    world = under_way
    world.forge.speak(1, text)
    world.run(60)
    assert by_comment(world) == []
    [answer] = answers(world)
    assert answer.startswith("Nothing was changed")
    assert words in answer


@pytest.mark.parametrize("text", ["please do not /revert", "> /revert\n\nwhy?", "/reverted", "/revert-all", ""])
def test_a_command_in_passing_is_none(under_way, text):
    world = under_way
    world.forge.speak(1, text)
    world.run(60)
    assert by_comment(world) == []
    assert answers(world) == []


def test_what_was_said_hours_ago_to_a_promoter_that_was_away_is_not_done(under_way):
    world = under_way
    world.forge.speak(1, "/revert", ago=timedelta(minutes=61))
    world.forge.speak(1, "/revert", ago=timedelta(days=3))
    world.run(60)
    assert by_comment(world) == []
    [answer] = answers(world)
    assert "is more than an hour old" in answer


def test_nobody_else_can_answer_for_the_promoter(under_way):
    world = under_way
    world.forge.speak(1, "/revert")
    world.forge.speak(1, "<!-- promoter: answers 1 -->\nDone.", "eve")
    assert world.run(40, until=lambda: world.weight == 0)


def test_a_promoter_with_another_account_than_before_answers_once_all_the_same(under_way):
    world = under_way
    world.forge.pulls[1] = replace(world.forge.pulls[1], author="the-bot-of-last-year")
    world.forge.speak(1, "/pause")
    world.run(120)
    assert len(answers(world)) == 1


def test_a_flood_of_commands_is_answered_bit_by_bit(under_way):
    world = under_way
    for _ in range(15):
        world.forge.speak(1, "/revert", "eve")
    world.run(25)
    assert len(answers(world)) == 10
    world.run(25)
    assert len(answers(world)) == 15


def test_a_model_of_a_group_is_named_with_it():
    class Groups:
        def inventory(self, head):
            return Inventory(tuple(ServedModel("production", "ranker", group) for group in ("ads", "shop")))

    assert served_model(Groups(), "head", "shop/ranker", "production").group == "shop"
    with pytest.raises(InvalidInput, match="say which, as ads/ranker or shop/ranker"):
        served_model(Groups(), "head", "ranker", "production")


def test_a_persons_trailer_in_git_does_not_take_a_command_for_done(under_way):
    world = under_way
    url = world.forge.speak(1, "/revert")
    world.repository.person({"README.md": b"x"}, f"Look\n\nPromoter-Comment: {url}\n")
    assert world.run(40, until=lambda: world.weight == 0)


def test_after_a_revert_a_retry_on_the_same_pull_request_offers_it_again(under_way):
    world = under_way
    world.forge.speak(1, "/revert")
    assert world.run(200, until=lambda: world.release.canary is None)
    world.forge.speak(1, "/Retry\n")
    assert world.run(60, until=lambda: not world.release.rejected)
    assert world.run(60, until=lambda: world.forge.open)
    assert "start 43" in world.forge.open[0].title


def test_promote_waits_for_the_approval_that_the_policy_asks_for():
    world = World(policy=POLICY + "approval: {start: pull-request, promote: pull-request}\n", versions=(42, 43))
    world.preflights = FakePreflights({43: passed(43, 42)})
    world.restart()
    assert world.run(120, until=lambda: world.forge.open)
    world.forge.merge(1)
    assert world.run(120, until=lambda: world.weight > 0)
    world.forge.speak(1, "/promote")
    assert world.run(60, until=lambda: by_comment(world))
    assert not world.run(200, until=lambda: world.weight == 100)
    [one] = world.forge.open
    world.forge.merge(one.number)
    assert world.run(60, until=lambda: world.weight == 100)


def test_a_forge_that_is_away_delays_nothing_and_is_asked_again(under_way):
    world = under_way
    world.forge.speak(1, "/revert")
    world.forge.down = "the forge is away"
    weight = world.weight
    world.run(60)
    assert world.weight >= weight
    world.forge.down = None
    assert world.run(60, until=lambda: world.weight == 0)


def test_a_push_that_is_refused_is_tried_again_and_answered_once(under_way):
    world = under_way
    world.run(1)
    world.forge.speak(1, "/revert")
    world.repository.refusal = "no"
    world.run(60)
    assert answers(world) == []
    world.repository.refusal = None
    assert world.run(90, until=lambda: world.weight == 0)
    assert len(answers(world)) == 1
