"""Releases one after the other, as the commits of a model's folder."""

from datetime import timedelta

from builders import NOON, version

from promoter.domain.past_rollout import Step
from promoter.domain.release import Rejection, Release
from promoter.domain.repository import Commit

REJECTED = Rejection(version(43), "too many failures")


def steps(*releases, people=(), withheld=()):
    """Each release a commit of the promoter's, a minute apart; those whose number is in `people` are Ada's.

    withheld: numbers of those that reject what a person took out of service.
    """
    made, before = [], Release()
    for number, after in enumerate(releases):
        ours = number not in people
        author = "promoter" if ours else "Ada"
        commit = Commit(f"{number:040x}", NOON + timedelta(minutes=number), author, f"commit {number}\n", ours, None)
        made.append(Step(commit, before, after, withheld=number in withheld))
        before = after
    return made
