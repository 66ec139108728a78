"""Releases one after the other, as the commits of a model's folder."""

from datetime import timedelta

from builders import NOON, version

from promoter.domain.past_rollout import Step
from promoter.domain.release import Rejection, Release
from promoter.domain.repository import Commit

REJECTED = Rejection(version(43), "too many failures")


def steps(*releases, people=()):
    """Each release a commit of the promoter's, a minute apart; those whose number is in `people` are Ada's."""
    made, before = [], Release()
    for number, after in enumerate(releases):
        ours = number not in people
        author = "promoter" if ours else "Ada"
        commit = Commit(f"{number:040x}", NOON + timedelta(minutes=number), author, f"commit {number}\n", ours, None)
        made.append(Step(commit, before, after))
        before = after
    return made
