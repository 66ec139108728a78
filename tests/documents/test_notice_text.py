"""A commit as a message for people: what it did, by the releases before and after it."""

from builders import NOON, RANKER, canary, digest, release, stable, version
from past_steps import REJECTED

from promoter.documents.commit_message import Decision, write_message
from promoter.documents.notice_text import notices_of
from promoter.domain.action import StartCanary, Withhold
from promoter.domain.notice import Happening
from promoter.domain.past_rollout import Step
from promoter.domain.release import Promotion
from promoter.domain.repository import Commit


def told(action, before, after):
    message = write_message([Decision(RANKER, action, before, after)])
    return notices_of(Step(Commit("c" * 40, NOON, "promoter", message, ours=True, parent=None), before, after), RANKER)


def test_what_a_person_took_out_of_service_failed_no_preflight_and_is_no_news():
    withhold = Withhold(version(43), frozenset({version(43)}), "Ada took it out of service in commit 1a2b")
    assert told(withhold, release(), release(rejected=[REJECTED])) == ()
    in_flight = release(canary=canary(44, weight=5))
    assert told(withhold, in_flight, release(canary=canary(44, weight=5), rejected=[REJECTED])) == ()


def test_the_start_of_a_way_back_is_a_start_whatever_is_rejected_beside_it():
    back = StartCanary(version(42), digest(42), 2, 2, "Ada wants 42 back", back=True, left=(REJECTED,))
    after = release(stable(43), canary=canary(42, weight=0, promote=Promotion.BACK), rejected=[REJECTED])
    [notice] = told(back, release(stable(43)), after)
    assert (notice.happening, notice.title) == (
        Happening.STARTED,
        "production/ranker: the rollout of version 42 begins",
    )
