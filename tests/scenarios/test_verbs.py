"""What a person says by a verb is a person's commit, and the promoter respects it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from builders import RANKER, digest, version
from fakes import POLICY, FakePreflights, World

from promoter.control.verbs import Verbs, Word, carry_out
from promoter.documents.commit_message import read_trailers
from promoter.documents.freeze_file import parse_freezes
from promoter.domain.names import FREEZE_PATH
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


@pytest.mark.parametrize("said", [(None, None), (None, "production"), ("ranker", None)])
def test_a_freeze_holds_every_step_forward_from_the_next_pass_on_until_it_is_lifted(said):
    world = in_flight()
    Person(world).says("freeze", *said, None, reason="the gateway drops requests")
    weight, made = world.weight, len(world.subjects())
    world.run(120)
    assert (world.weight, len(world.subjects())) == (weight, made)
    assert "is frozen by Ada: the gateway drops requests" in world.action().reason
    assert not world.action().alarm
    Person(world, "Grace").says("unfreeze", *said)
    assert world.run(60, until=lambda: world.weight > weight)


def test_nothing_starts_while_it_is_frozen_and_no_preflight_begins():
    world = World()
    world.preflights = FakePreflights()
    world.restart()
    Person(world).says("freeze", None, None, world.now + timedelta(minutes=2))
    world.store.versions.append(43)
    world.run(100)
    assert world.release.canary is None
    assert world.preflights.asked == []
    assert "everything is frozen by Ada until 2026-11-22 12:" in world.action().reason
    world.run(60)
    assert world.preflights.asked


def test_a_first_version_does_not_become_stable_while_it_is_frozen():
    world = World(stable=None)
    Person(world).says("freeze", "ranker", None, None)
    world.run(30)
    assert world.release.stable is None
    Person(world).says("unfreeze", "ranker", None)
    assert world.run(30, until=lambda: world.release.stable is not None)


def test_a_freeze_ends_by_itself():
    world = in_flight()
    weight = world.weight
    Person(world).says("freeze", None, "production", world.now + timedelta(seconds=60))
    world.run(55)
    assert world.weight == weight
    assert world.run(60, until=lambda: world.weight > weight)


@pytest.mark.parametrize("broken", [False, True])
def test_the_ways_back_are_open_while_it_is_frozen_and_while_nobody_can_tell_what_is(broken):
    world = in_flight()
    if broken:
        world.repository.person({FREEZE_PATH: "freezes: [\n"})
    else:
        Person(world).says("freeze", None, None, None)
    world.metrics.down = "Prometheus is away"
    assert world.run(120, until=lambda: world.weight == 0)
    assert world.release.canary.withdrawn
    world.metrics.down = None
    Person(world).says("revert", "ranker", None)
    assert world.run(60, until=lambda: world.release.canary is None)


def test_a_failing_version_is_reverted_while_it_is_frozen():
    world = in_flight()
    Person(world).says("freeze", None, None, None)
    world.behaviour[43].bad = 1.0
    assert world.run(120, until=lambda: world.release.canary is None)
    assert world.release.rejection(version(43))


def test_a_file_that_does_not_tell_what_is_frozen_holds_everything_forward_with_an_alarm():
    world = in_flight()
    weight = world.weight
    world.repository.person({FREEZE_PATH: "freezes:\n  - scop: all\n"})
    world.run(120)
    assert world.weight == weight
    action = world.action()
    assert action.alarm
    assert "environments/freeze.yaml:2: unknown key 'scop'" in action.reason
    with pytest.raises(InvalidInput, match="unknown key 'scop'"):
        Person(world).says("freeze", None, None, None)


def test_the_promoters_push_loses_against_a_freeze_and_nothing_rises():
    world = in_flight()
    survey = None
    while survey is None or survey.draft is None:
        world.advance(5)
        survey = world.reconciler.survey(world.now)
    weight = world.weight
    Person(world).says("freeze", None, None, None)
    with pytest.raises(HeadMoved):
        world.reconciler.act(survey)
    world.run(60)
    assert world.weight == weight


def test_a_freeze_is_said_once_may_be_changed_and_takes_those_that_ended_with_it():
    world = World()
    person = Person(world)
    soon = world.now + timedelta(seconds=30)
    person.says("freeze", "ranker", "production", soon)
    person.says("freeze", None, "production", None)
    for again, complaint in (
        (("freeze", None, "production", None), "production is frozen already, by Ada"),
        (("freeze", None, "production", world.now), "is over already"),
        (("freeze", None, "staging", None), "there is no environment staging; there is production"),
        (("unfreeze", None, None), "all is not frozen; production/ranker, production is"),
    ):
        with pytest.raises(InvalidInput, match=complaint):
            person.says(*again)
    world.advance(60)
    person.says("freeze", None, "production", world.now + timedelta(hours=1))
    (left,) = parse_freezes(world.repository.head["tree"][FREEZE_PATH], FREEZE_PATH)
    assert (left.scope, left.until) == ("production", world.now + timedelta(hours=1))


def test_a_freeze_keeps_the_old_versions_pods_and_a_revert_gives_them_all_requests_back():
    world = in_flight()
    assert world.run(900, until=lambda: world.weight == 100)
    Person(world).says("freeze", "ranker", None, None)
    world.run(120)
    assert world.release.stable.version == version(42)
    assert len(world.cluster.ready(42)) == world.replicas
    Person(world).says("revert", "ranker", None)
    world.advance(2)
    assert world.cluster.route() == {42: 100, 43: 0}
    assert world.run(60, until=lambda: world.release.canary is None)


def test_a_canary_that_a_person_promotes_in_full_gets_its_pods_before_all_requests_and_the_guard_after():
    world = in_flight()
    weight = world.weight
    Person(world).says("promote", "ranker", None, reason="the old labels must go")
    assert world.weight == weight
    world.cluster.lag = 3
    made = len(world.subjects())
    assert world.run(120, until=lambda: world.weight == 100)
    assert len(world.cluster.ready(43)) == 4
    pods, everything = world.subjects()[made:]
    assert (pods, everything) == (
        "ranker: production: canary 43 gets 4 pods",
        "ranker: production: canary 43 at 100 %",
    )
    assert "skips: the steps from" in " ".join(world.repository.head["message"].split())
    reached = world.now
    assert world.run(120, until=lambda: world.release.stable.version == version(43))
    assert world.now - reached >= timedelta(seconds=30)


def test_a_persons_word_does_not_stand_against_evidence_of_harm():
    world = in_flight()
    world.behaviour[43].bad = 1.0
    Person(world).says("promote", "ranker", None)
    assert world.run(120, until=lambda: world.release.canary is None)
    assert max(world.weights) < 100
    assert world.release.rejection(version(43))


def test_a_withdrawal_takes_a_persons_word_back():
    world = in_flight()
    world.cluster.frozen = True
    Person(world).says("promote", "ranker", None)
    world.metrics.down = "Prometheus is away"
    assert world.run(120, until=lambda: bool(world.release.canary.withdrawn))
    assert world.release.canary.promote is None
    with pytest.raises(InvalidInput, match="is withdrawn"):
        Person(world).says("promote", "ranker", None)


@pytest.mark.parametrize(
    ("barred", "lift"), [(("pause", "ranker", None), "promoter resume"), (("freeze", None, None, None), "unfreeze")]
)
def test_nothing_is_promoted_by_a_word_while_it_is_paused_or_frozen(barred, lift):
    world = in_flight()
    Person(world).says(*barred)
    with pytest.raises(InvalidInput, match=lift):
        Person(world).says("promote", "ranker", None)


def test_a_freeze_after_the_word_holds_it_from_the_next_pass_on():
    world = in_flight()
    weight = world.weight
    Person(world).says("promote", "ranker", None)
    Person(world).says("freeze", None, None, None)
    world.run(120)
    assert world.weight == weight
    Person(world).says("unfreeze", None, None)
    assert world.run(120, until=lambda: world.weight == 100)


def test_a_word_that_would_change_nothing_is_refused():
    world = in_flight()
    Person(world).says("promote", "ranker", None)
    with pytest.raises(InvalidInput, match="already"):
        Person(world).says("promote", "ranker", None)
    assert world.run(120, until=lambda: world.weight == 100)
    with pytest.raises(InvalidInput, match="all requests go to 43 already"):
        Person(world).says("promote", "ranker", None)


def test_a_withdrawn_canary_starts_again_at_once_when_a_person_says_so_and_not_while_it_is_frozen():
    world = in_flight()
    person = Person(world)
    with pytest.raises(InvalidInput, match="is not withdrawn"):
        person.says("start", "ranker", None, version(43))
    with pytest.raises(InvalidInput, match="44 is no withdrawn canary"):
        person.says("start", "ranker", None, version(44))
    world.traits = replace(world.traits, restart_pause=timedelta(hours=1))
    world.restart()
    person.says("withdraw", "ranker", None)
    world.run(60)
    assert world.weight == 0
    person.says("freeze", None, None, None)
    with pytest.raises(InvalidInput, match="promoter unfreeze"):
        person.says("start", "ranker", None, version(43))
    person.says("unfreeze", None, None)
    person.says("start", "ranker", None, version(43))
    assert world.run(30, until=lambda: world.weight > 0)
    assert world.release.canary.withdrawals == 1


def test_a_verb_approves_a_start_as_the_pull_request_would_and_for_these_files_alone():
    world = World(policy=POLICY + "approval: {start: pull-request}\n", versions=(42, 43))
    person = Person(world)
    with pytest.raises(InvalidInput, match="give their --digest"):
        person.says("start", "ranker", None, version(43))
    with pytest.raises(InvalidInput, match="42 is not above 42"):
        person.says("start", "ranker", None, version(42), digest(42))
    world.run(30)
    assert world.release.canary is None
    person.says("start", "ranker", None, version(43), digest(43))
    with pytest.raises(InvalidInput, match="approved already"):
        person.says("start", "ranker", None, version(43), digest(43))
    assert world.run(60, until=lambda: world.release.canary is not None)
    assert world.release.approved is None
    with pytest.raises(InvalidInput, match="no withdrawn canary"):
        person.says("start", "ranker", None, version(44), digest(44))


def test_a_verb_approves_a_promotion_and_the_evidence_is_asked_for_all_the_same():
    world = World(policy=POLICY + "approval: {promote: pull-request}\n", versions=(42, 43))
    assert world.run(300, until=lambda: world.weight > 0)
    Person(world).says("approve_promotion", "ranker", None)
    world.run(10)
    assert world.weight < 100
    with pytest.raises(InvalidInput, match="approved already"):
        Person(world).says("approve_promotion", "ranker", None)
    assert world.run(900, until=lambda: world.release.stable.version == version(43))


def test_nobody_approves_what_no_policy_asks_for():
    world = in_flight()
    with pytest.raises(InvalidInput, match=r"asks for nobody's approval: say --full"):
        Person(world).says("approve_promotion", "ranker", None)
