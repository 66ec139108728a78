"""DORA's measures of a history."""

from datetime import timedelta

from builders import NOON, canary, release, stable, version
from past_steps import REJECTED, steps

from promoter.decisions.delivery import delivery
from promoter.decisions.past_rollouts import chapters
from promoter.domain.past_rollout import PastRollout

MINUTE = timedelta(minutes=1)
DAYS = timedelta(days=7)


def measured(*releases, people=(), published=None, since=NOON - MINUTE):
    told = chapters(steps(*releases, people=people))
    rollouts = [entry for entry in told if isinstance(entry, PastRollout)]
    return delivery([(rollouts, published or {})], since, since + DAYS)


PROMOTED = (release(), release(canary=canary(weight=0)), release(canary=canary(weight=5)), release(stable(43)))
REVERTED = (
    release(),
    release(canary=canary(weight=5)),
    release(canary=canary(weight=5)),
    release(canary=canary(weight=0), rejected=[REJECTED]),
    release(rejected=[REJECTED]),
)


def test_a_version_that_became_stable_is_a_deployment_and_its_lead_time_is_from_its_first_commit():
    found = measured(*PROMOTED)
    assert (found.deployments, found.changes, found.failed) == (2, 2, 0)
    assert (found.lead_from_commit.count, found.lead_from_commit.median) == (1, 2 * MINUTE)
    assert found.per_week == 2
    assert found.restored.median is None


def test_a_publication_that_is_known_has_a_lead_time_of_its_own():
    found = measured(*PROMOTED, published={version(43): NOON - 57 * MINUTE, version(42): NOON + 9 * MINUTE})
    # What a store says was published after it was stable is no lead time.
    assert (found.lead_from_publication.count, found.lead_from_publication.longest) == (1, 60 * MINUTE)


def test_a_revert_is_a_failed_change_that_is_restored_by_the_commit_that_takes_its_requests():
    found = measured(*REVERTED)
    assert (found.deployments, found.changes, found.failed) == (1, 2, 1)
    assert found.failure_ratio == 0.5
    assert found.restored.median == 2 * MINUTE


def test_a_version_that_was_gone_back_from_failed_until_it_was_replaced():
    found = measured(*PROMOTED, release(stable(42)), people=[4])
    assert (found.deployments, found.changes, found.failed) == (2, 2, 1)
    assert found.restored.median == 2 * MINUTE


def test_one_that_served_nobody_is_no_change():
    found = measured(release(), release(rejected=[REJECTED]))
    assert (found.changes, found.failed) == (1, 0)
    withdrawn = measured(release(), release(canary=canary(weight=5)), release(), people=[2])
    assert (withdrawn.changes, withdrawn.failed) == (1, 0)


def test_what_a_person_brought_along_was_deployed_elsewhere():
    found = measured(release(), people=[0])
    assert (found.deployments, found.changes, found.failure_ratio) == (0, 0, None)


def test_only_what_ended_in_the_span_counts():
    assert measured(*PROMOTED, since=NOON + MINUTE).deployments == 1
    assert measured(*PROMOTED, since=NOON + 3 * MINUTE).deployments == 0
