"""What people say on the promoter's pull requests, by comments and labels, is done, once, where they may say it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from builders import RANKER, version
from fakes import POLICY, FakePreflights, World
from preflights import passed
from test_verbs import Person

from promoter.control.comments import Comments
from promoter.control.naming import served_model
from promoter.control.verbs import Verbs, Word, carry_out
from promoter.documents.release_file import write_release
from promoter.documents.verb_message import by_comment as by_comment_of
from promoter.domain.names import ServedModel
from promoter.domain.release import Promotion, Rejection
from promoter.domain.repository import Inventory
from promoter.errors import InvalidInput
from promoter.telemetry.standing import Waiting, waits_for

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
    """Without the marks by which a page shows signs as they are."""
    found = [text for text in world.forge.texts(number) if text.startswith("<!-- promoter")]
    return [text.split("\n", 1)[1].strip().replace("\\", "") for text in found]


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
        ("/resume", "Production/ranker is not paused"),
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
    world.forge.speak(1, "/retry")
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


def test_a_pause_holds_the_rollout_until_a_comment_lifts_it_and_a_failing_version_is_reverted_meanwhile(under_way):
    world = under_way
    weight, before = world.weight, world.repository.head["tree"][RANKER.release_path]
    url = world.forge.speak(1, "/pause\nwe look at the pictures first")
    assert world.run(40, until=lambda: world.release.paused)
    pause = world.release.paused
    assert (pause.by, pause.reason, pause.said) == ("Ada of Tests (ada)", "we look at the pictures first", url)
    assert by_comment(world)[0]["message"].startswith("ranker: production: paused by Ada of Tests (ada)\n\n")
    world.run(300)
    assert world.weight == weight
    reason = world.action().reason
    assert f"paused by Ada of Tests (ada) since {pause.at:%Y-%m-%d %H:%M} UTC: we look at the pictures first" in reason
    assert f"({url}); `promoter resume`, or `/resume` on the newest pull request, lifts it" in reason
    verdict = world.reconciler.survey(world.now).verdicts[0]
    assert waits_for(verdict, world.now) is Waiting.PAUSE
    assert world.repository.commits[-1] is by_comment(world)[-1]

    world.forge.speak(1, "/resume")
    assert world.run(40, until=lambda: world.release.paused is None)
    assert world.repository.commits[-1]["tree"][RANKER.release_path] == before
    assert world.run(100, until=lambda: world.weight > weight)

    world.forge.speak(1, "/pause")
    assert world.run(40, until=lambda: world.release.paused)
    world.behaviour[43].bad = 0.5
    assert world.run(120, until=lambda: world.release.canary is None)
    assert world.release.rejection(version(43))
    assert world.release.paused.by == "Ada of Tests (ada)"
    world.store.versions.append(44)
    world.run(200)
    assert world.release.canary is None
    assert world.forge.open == []
    # A day later nobody would hear it, were it not paused.
    world.now += timedelta(days=2)
    world.forge.speak(1, "/resume")
    assert world.run(120, until=lambda: world.forge.open)
    assert "start 44" in world.forge.open[0].title
    assert [text.split(",")[0] for text in answers(world)] == ["Done"] * 4


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("/pause", "it is paused already, by Ada of Tests (ada) since 2026-11-22"),
        ("/promote", "`promoter resume` comes first"),
    ],
)
def test_while_it_is_paused_nothing_is_paused_again_or_promoted(under_way, text, words):
    world = under_way
    world.forge.speak(1, "/pause")
    assert world.run(40, until=lambda: world.release.paused)
    world.forge.speak(1, text)
    world.run(60)
    assert len(by_comment(world)) == 1
    assert words in answers(world)[1]


def test_a_pause_of_the_policy_is_lifted_by_a_command_of_the_command_line_alone(under_way):
    world = under_way
    ask = "Run `promoter resume ranker --environment production --reason '…'`"
    world.repository.person({RANKER.policy_path: START + "paused: true\n"})
    world.run(30)
    world.forge.speak(1, "/resume")
    world.forge.speak(1, "/pause")
    world.run(60)
    assert by_comment(world) == []
    assert ask in answers(world)[0]
    assert "paused already: policy.yaml says so" in answers(world)[1]

    world.repository.person({RANKER.policy_path: START})
    world.forge.speak(1, "/pause")
    assert world.run(60, until=lambda: world.release.paused)
    world.repository.person({RANKER.policy_path: START + "paused: true\n"})
    world.run(1)
    assert world.action().reason.startswith("policy.yaml says paused; paused by Ada of Tests (ada)")
    world.forge.speak(1, "/resume")
    assert world.run(60, until=lambda: world.release.paused is None)
    world.run(25)
    assert answers(world)[-1].startswith("Done, in [")
    assert ask in answers(world)[-1]
    assert world.action().reason == "policy.yaml says paused"


def test_promoter_resume_lifts_whichever_stands_in_one_commit_and_says_which(under_way):
    world = under_way
    world.forge.speak(1, "/pause")
    assert world.run(40, until=lambda: world.release.paused)
    Person(world).says("pause", "ranker", None)
    draft, _ = Person(world).says("resume", "ranker", None)
    assert draft.files.keys() == {RANKER.policy_path, RANKER.release_path}
    assert "Lifted: `paused: true` in policy.yaml and the pause of Ada of Tests (ada) in" in " ".join(
        draft.message.split()
    )
    assert world.release.paused is None
    with pytest.raises(InvalidInput, match="production/ranker is not paused"):
        Person(world).says("resume", "ranker", None)
    world.forge.speak(1, "/pause")
    assert world.run(40, until=lambda: world.release.paused)
    draft, _ = Person(world).says("resume", "ranker", None)
    assert draft.files.keys() == {RANKER.release_path}


def test_a_pull_request_can_be_merged_and_declined_across_a_pause_as_if_there_were_none(world):
    world.forge.speak(1, "/pause")
    assert world.run(120, until=lambda: world.release.paused)
    world.run(120)
    assert [one.title for one in world.forge.open] == ["ranker: production: start 43"]
    offered = world.repository.offered["promoter/production/ranker"]["pushes"]
    world.forge.decline(1)
    world.forge.speak(1, "/resume")
    assert world.run(120, until=lambda: world.release.paused is None)
    world.run(300)
    assert world.forge.open == []
    assert world.repository.offered["promoter/production/ranker"]["pushes"] == offered


def test_a_pause_between_a_persons_edit_and_the_next_pass_hides_nothing(under_way):
    world = under_way
    canary = world.repository.commits[-1]
    gone = replace(world.release, canary=None, stable=replace(world.release.stable, replicas=None))
    text = write_release(canary["tree"][RANKER.release_path], gone, RANKER.release_path)
    world.repository.person({RANKER.release_path: text}, "Take it away")
    ours = Verbs(world.repository, Word("Ada", "wait", world.now))
    carry_out(world.repository, lambda head: ours.pause_by_mark(head, "ranker", None, "https://forge.example/7#1"))
    world.repository.person({RANKER.release_path: world.repository.head["tree"][RANKER.release_path] + b"# Mind.\n"})
    carry_out(world.repository, lambda head: ours.lift_mark(head, "ranker", None))
    world.run(20)
    assert "Ada took it out of service" in world.release.rejection(version(43)).reason
    assert world.release.canary is None


def test_a_command_between_a_persons_edit_and_the_next_pass_hides_nothing(under_way):
    world = under_way
    canary = world.repository.commits[-1]
    refused = (Rejection(version(41), "too slow"),)
    gone = replace(world.release, canary=None, stable=replace(world.release.stable, replicas=None), rejected=refused)
    text = write_release(canary["tree"][RANKER.release_path], gone, RANKER.release_path)
    world.repository.person({RANKER.release_path: text}, "Take it away")
    ours = Verbs(world.repository, Word("Ada", "it is mended", world.now))

    def said(head):
        draft = ours.retry(head, "ranker", None, version(41))
        return replace(draft, message=by_comment_of(draft.message, "Ada", "https://forge.example/7#1"))

    carry_out(world.repository, said)
    world.run(20)
    assert "Ada took it out of service" in world.release.rejection(version(43)).reason
    assert world.release.canary is None
    assert world.release.rejection(version(41)) is None


def test_no_clock_begins_anew_by_a_pause(under_way):
    world = under_way
    before = world.reconciler.survey(world.now).verdicts[0].seen
    world.forge.speak(1, "/pause")
    assert world.run(40, until=lambda: world.release.paused)
    after = world.reconciler.survey(world.now).verdicts[0].seen
    assert (after.changed, after.weight_since) == (before.changed, before.weight_since)


@pytest.mark.parametrize("number", [1, 2])
def test_a_label_says_what_a_comment_does_on_an_open_pull_request_and_on_a_merged_one(under_way, number):
    world = under_way
    if number == 2:
        world.forge.speak(1, "/revert")
        assert world.run(200, until=lambda: world.release.canary is None)
        world.store.versions.append(44)
        assert world.run(60, until=lambda: world.forge.open)
    made = len(by_comment(world))
    url = world.forge.label(number, "promoter/pause")
    assert world.run(120, until=lambda: world.release.paused)
    assert world.release.paused.said == url
    assert world.release.paused.reason == f"said by a label, {url}"
    assert by_comment(world)[-1]["message"].endswith(f"<ada@example.com>\nPromoter-Comment: {url}\n")
    world.run(1)
    assert world.forge.pulls[number].labels == ()
    assert answers(world, number)[-1].startswith("`promoter/pause`: Done, in [")

    # Taken off, it can be set again; and a comment of the same number is another thing.
    world.forge.label(number, "promoter/resume")
    assert world.run(120, until=lambda: world.release.paused is None)
    world.forge.label(number, "promoter/pause")
    assert world.run(120, until=lambda: world.release.paused)
    world.run(120)
    assert len(by_comment(world)) == made + 3


def test_without_a_label_of_ours_nobody_is_asked_who_set_any(under_way):
    world = under_way
    world.forge.label(1, "bug")
    world.forge.label(1, "promoter/else")
    world.run(120)
    assert world.forge.asked_for_labels == 0
    assert answers(world) == []
    assert world.forge.pulls[1].labels == ("bug", "promoter/else")


@pytest.mark.parametrize(("who", "words"), [("eve", NO_RIGHT), ("stranger", "the forge does not tell me")])
def test_a_label_of_somebody_without_the_right_to_write_is_answered_taken_off_and_not_obeyed(under_way, who, words):
    world = under_way
    world.forge.label(1, "promoter/revert", who)
    world.run(60)
    world.restart()
    world.run(60)
    assert by_comment(world) == []
    [answer] = answers(world)
    assert words in answer
    assert world.forge.pulls[1].labels == ()


def test_somebody_who_lost_the_right_after_setting_a_label_is_not_obeyed(under_way):
    world = under_way
    world.forge.label(1, "promoter/revert")
    world.forge.writers["ada"] = False
    world.run(40)
    assert by_comment(world) == []
    assert NO_RIGHT in answers(world)[0]


def test_a_label_that_is_off_again_and_one_that_is_old_say_nothing(under_way):
    world = under_way
    world.forge.label(1, "promoter/revert")
    world.forge.unlabel(1, "promoter/revert")
    world.run(40)
    assert answers(world) == []
    world.forge.label(1, "promoter/revert", ago=timedelta(minutes=61))
    world.forge.label(1, "promoter/promote", ago=timedelta(days=3))
    world.run(60)
    assert by_comment(world) == []
    [answer] = answers(world)
    assert "is more than an hour old" in answer


def test_of_a_label_that_was_set_twice_the_last_time_counts(under_way):
    world = under_way
    world.forge.label(1, "promoter/revert", "eve")
    world.forge.unlabel(1, "promoter/revert")
    world.forge.label(1, "promoter/revert")
    assert world.run(40, until=lambda: world.weight == 0)
    world.run(40)
    assert len(answers(world)) == 1


def test_a_label_that_cannot_be_taken_off_is_no_failure_and_is_obeyed_once(under_way):
    world = under_way
    world.forge.keeps_labels = True
    world.forge.label(1, "promoter/pause")
    world.forge.speak(1, "/resume")
    assert world.run(40, until=lambda: by_comment(world))
    world.run(60)
    world.restart()
    world.run(120)
    assert len(by_comment(world)) == 1
    assert len(answers(world)) == 2
    assert world.forge.pulls[1].labels == ("promoter/pause",)
    # Where the forge lets us again, what was left behind goes.
    world.forge.keeps_labels = False
    assert world.run(60, until=lambda: world.forge.pulls[1].labels == ())
    assert len(by_comment(world)) == 1


def test_a_restart_between_a_labels_commit_and_its_answer_repeats_nothing(under_way):
    world = under_way
    world.forge.label(1, "promoter/revert")
    say, world.forge.comment = world.forge.comment, killed
    with pytest.raises(KeyboardInterrupt):
        world.run(60)
    world.forge.comment = say
    world.restart()
    world.run(60)
    assert len(by_comment(world)) == 1
    [answer] = answers(world)
    assert answer.startswith("`promoter/revert`: Done already, in [`")
    assert world.forge.pulls[1].labels == ()
