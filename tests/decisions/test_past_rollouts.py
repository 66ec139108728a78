"""A model's commits to its rollouts, by the releases before and after them."""

from datetime import timedelta

from builders import NOON, canary, release, stable, version
from past_steps import REJECTED, steps

from promoter.decisions.past_rollouts import chapters
from promoter.domain.past_rollout import Ended, PastRollout, Step

AT_ZERO, AT_FIVE = canary(weight=0), canary(weight=5)


def only(*releases, people=()):
    """The last rollout of these."""
    return [entry for entry in chapters(steps(*releases, people=people)) if isinstance(entry, PastRollout)][-1]


def test_a_rollout_that_ends_stable_is_promoted_and_lasts_from_its_first_commit_to_that_one():
    found = only(release(), release(canary=AT_ZERO), release(canary=AT_FIVE), release(stable(43)))
    assert (found.version, found.stable, found.ended) == (version(43), version(42), Ended.PROMOTED)
    assert found.ended_at - found.began_at == timedelta(minutes=2)
    assert [weight for _, weight in found.weights] == [0, 5]
    assert found.exposed_at == NOON + timedelta(minutes=2)


def test_a_revert_ends_with_the_commit_that_takes_the_requests_and_its_pods_go_later():
    found = only(
        release(),
        release(canary=AT_FIVE),
        release(canary=AT_ZERO, rejected=[REJECTED]),
        release(rejected=[REJECTED]),
    )
    assert found.ended is Ended.REVERTED
    assert found.ended_at == NOON + timedelta(minutes=2)
    assert len(found.steps) == 3


def test_a_reverted_version_whose_pods_are_still_there_has_ended():
    assert only(release(), release(canary=AT_ZERO, rejected=[REJECTED])).ended is Ended.REVERTED


def test_a_rollout_without_an_end_is_under_way():
    found = only(release(), release(canary=AT_FIVE))
    assert (found.ended, found.ended_at) == (Ended.UNDER_WAY, None)


def test_a_canary_that_goes_without_a_word_was_taken_away():
    assert only(release(), release(canary=AT_FIVE), release(), people=[2]).ended is Ended.TAKEN_AWAY


def test_one_commit_may_end_a_rollout_and_begin_the_next():
    told = chapters(steps(release(), release(canary=AT_FIVE), release(canary=canary(44, weight=0)), people=[2]))
    assert [(entry.version.number, entry.ended) for entry in told[1:]] == [
        (43, Ended.TAKEN_AWAY),
        (44, Ended.UNDER_WAY),
    ]


def test_a_first_version_is_promoted_with_nothing_to_be_compared_with():
    found = only(release())
    assert (found.ended, found.stable) == (Ended.PROMOTED, None)


def test_a_stable_that_a_person_sets_is_theirs():
    found = only(release(), release(stable(41)), people=[1])
    assert (found.ended, found.version, found.stable) == (Ended.PLACED, version(41), version(42))


def test_a_version_that_fails_its_preflight_is_refused():
    found = only(release(), release(rejected=[REJECTED]))
    assert (found.ended, found.exposed_at) == (Ended.REFUSED, None)


def test_what_a_person_took_out_of_service_was_not_refused():
    # People's edit, and the promoter's commit that writes it down.
    made = steps(release(stable(43)), release(), release(rejected=[REJECTED]), people=[1], withheld=[2])
    assert [entry.ended for entry in chapters(made)[:2]] == [Ended.PROMOTED, Ended.PLACED]
    assert chapters(made)[2] == made[2]


def test_what_people_change_meanwhile_belongs_to_the_rollout_and_between_rollouts_it_stands_alone():
    made = steps(release(), release(canary=AT_FIVE), release(canary=AT_FIVE), release(stable(43)), release(stable(43)))
    made = [Step(step.commit, step.before, step.after) for step in made]
    told = chapters(made)
    assert made[2] in told[1].steps
    assert told[2] == made[4]


def test_a_log_that_begins_within_a_rollout_tells_the_rest_of_it():
    cut = steps(release(), release(canary=AT_FIVE), release(stable(43)))[2:]
    assert [entry.ended for entry in chapters(cut)] == [Ended.PROMOTED]
    assert chapters([]) == ()
