"""What a person says by a verb is a person's commit, and the promoter respects it."""

from __future__ import annotations

import pytest
from builders import RANKER, version
from fakes import World

from promoter.control.verbs import Verbs, Word, carry_out
from promoter.documents.commit_message import read_trailers
from promoter.errors import HeadMoved, InvalidInput


class Person:
    """Somebody with access to the same repository, whose commits carry their own name."""

    def __init__(self, world, name="Ada"):
        self.world, self.name = world, name

    def __getattr__(self, asked):
        return getattr(self.world.repository, asked)

    def publish(self, parent, files, message, at):
        for interfere in self.world.repository.before_push:
            interfere()
        self.world.repository.before_push = []
        if self.world.repository.head["id"] != parent:
            raise HeadMoved("somebody pushed first")
        return self.world.repository.commit(files, message, self.name, at=at)

    def says(self, verb, *said, reason="wrong labels in Norway"):
        verbs = Verbs(self, Word(self.name, reason, self.world.now))
        return carry_out(self, lambda head: getattr(verbs, verb)(head, *said))


def in_flight():
    world = World(versions=[42, 43])
    assert world.run(300, until=lambda: world.weight > 0)
    return world


def test_a_version_that_a_person_reverted_loses_its_requests_and_pods_and_stays_out():
    world = in_flight()
    draft, _ = Person(world).says("revert", "ranker", None)
    assert draft.message.startswith("ranker: production: canary 43 reverted by Ada\n\nWrong labels in Norway.\n")
    assert (world.weight, [entry.version for entry in world.release.rejected]) == (0, [version(43)])
    world.run(120)
    assert world.release.canary is None
    assert world.release.rejected[0].reason == "Ada: wrong labels in Norway"
    assert world.cluster.route() == {42: 100}
    assert sum("43 starts" in subject for subject in world.subjects()) == 1
    world.store.versions.append(44)
    assert world.run(60, until=lambda: world.release.canary is not None)
    assert world.release.canary.version == version(44)


def test_a_canary_that_a_person_withdrew_starts_again_after_the_pause():
    world = in_flight()
    Person(world).says("withdraw", "ranker", "production")
    assert world.weight == 0
    world.run(15)
    assert world.weight == 0
    assert "withdrawn (Ada: wrong labels in Norway)" in world.action().reason
    assert world.run(60, until=lambda: world.weight > 0)
    assert world.release.canary.version == version(43)


def test_a_rejection_that_a_person_had_forgotten_makes_the_version_a_candidate_again():
    world = in_flight()
    Person(world).says("revert", "ranker", None)
    assert world.run(120, until=lambda: world.release.canary is None)
    Person(world, "Grace").says("retry", "ranker", None, version(43))
    assert world.run(600, until=lambda: world.release.stable.version == version(43))


def test_a_verb_that_meets_another_push_is_computed_again_on_the_new_head():
    world = in_flight()
    weight = world.weight
    text = world.repository.head["tree"][RANKER.release_path].decode()
    raised = text.replace(f"weight: {weight}", "weight: 30")
    world.repository.before_push = [lambda: world.repository.commit({RANKER.release_path: raised}, "30", "promoter")]
    Person(world).says("revert", "ranker", None)
    assert world.weight == 0
    assert [entry["author"] for entry in world.repository.commits[-2:]] == ["promoter", "Ada"]


def test_the_promoters_own_push_loses_against_a_verb_and_is_decided_anew():
    world = in_flight()
    person = Person(world)
    survey = None
    while survey is None or survey.draft is None:
        world.advance(5)
        survey = world.reconciler.survey(world.now)
    person.says("revert", "ranker", None)
    with pytest.raises(HeadMoved):
        world.reconciler.act(survey)
    world.run(60)
    assert world.release.canary is None


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        (("revert", "other", None), "there is no model other; there is production/ranker"),
        (("revert", "ranker", "staging"), "there is no model ranker in staging; there is production/ranker"),
        (("revert", "ranker", None), "production/ranker: there is no canary: all requests go to 42"),
        (("withdraw", "ranker", None), "production/ranker: there is no canary"),
        (("retry", "ranker", None, version(43)), "43 is not rejected, and no other version is"),
    ],
)
def test_where_there_is_nothing_to_do_a_sentence_says_so_and_nothing_is_written(said, complaint):
    world = World()
    made = len(world.repository.commits)
    with pytest.raises(InvalidInput, match=complaint):
        Person(world).says(*said)
    assert len(world.repository.commits) == made


def test_what_is_so_already_is_not_said_twice():
    world = in_flight()
    Person(world).says("revert", "ranker", None)
    for again, complaint in (
        (("revert", "ranker", None), "reverted already"),
        (("withdraw", "ranker", None), "gets no requests yet"),
        (("retry", "ranker", None, version(43)), "is being taken away"),
    ):
        with pytest.raises(InvalidInput, match=complaint):
            Person(world).says(*again)


def test_a_reason_cannot_pass_for_the_promoters_own_decision():
    world = in_flight()
    forged = "x\n\nPromoter-Model: production/ranker\nPromoter-Action: promote"
    draft, _ = Person(world).says("revert", "ranker", None, reason=forged)
    assert read_trailers(draft.message) == ()
    assert draft.message.endswith("\n\nPromoter-Verb: revert\n")
    with pytest.raises(InvalidInput, match="reason is empty"):
        Person(world).says("revert", "ranker", None, reason=" \n ")


def test_a_paused_rollout_keeps_its_weight_until_it_is_resumed_and_is_still_reverted_for_harm():
    world = in_flight()
    Person(world).says("pause", "ranker", None)
    weight = world.weight
    world.run(120)
    assert world.weight == weight
    assert world.action().reason == "policy.yaml says paused"
    Person(world).says("resume", "ranker", None)
    assert world.run(60, until=lambda: world.weight > weight)
    Person(world).says("pause", "ranker", None)
    world.behaviour[43].bad = 1.0
    assert world.run(120, until=lambda: world.release.canary is None)
    with pytest.raises(InvalidInput, match=r"policy\.yaml says paused already"):
        Person(world).says("pause", "ranker", None)
