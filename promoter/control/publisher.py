"""How commits get onto the branch: whoever decides hands a draft over, and does not know which way it goes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from promoter.control.act import Draft, Pushed, publish
from promoter.ports import Repository


class Publisher(Protocol):
    """One way onto the branch. Used by one thread.

    waiting: what the last commit waits for that is not there yet, as a few words; empty for none.
    """

    waiting: str

    def publish(self, commit: Draft) -> Pushed:
        """Bring `commit`, or the part of it that may not wait, onto the branch, if that is at its parent.

        Raises StepWaits where it is not there yet: asked again with what is due then, it goes on. Raises PushRefused
        where what takes requests back is not let in, and what Repository.publish raises.
        """

    def rest(self, at: datetime, reasons: Mapping[str, str]) -> None:
        """Nothing more is to be published in this turn. reasons: why nothing is due, by the path of release.yaml."""


class ByPush:
    """Every commit is a push."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self.waiting = ""

    def publish(self, commit: Draft) -> Pushed:
        return publish(self._repository, commit)

    def rest(self, at: datetime, reasons: Mapping[str, str]) -> None:
        """Nothing is left open."""
