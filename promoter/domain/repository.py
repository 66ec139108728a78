"""What a pass reads from Git besides file contents."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from promoter.domain.names import ServedModel

# A Git commit as 40 hex digits.
Revision = str


@dataclass(frozen=True, slots=True)
class Change:
    """The last commit that changed a path, along first parents.

    ours: the promoter made it. before: the commit in which the path still had its earlier content,
    None where this commit created it.
    """

    revision: Revision
    at: datetime
    author: str
    ours: bool
    before: Revision | None


@dataclass(frozen=True, slots=True)
class Lineage:
    """How the revision that Argo CD synced relates to the commit that we wait for.

    contains: the wanted commit is the synced one or an ancestor of it. unchanged: everything the
    Application is rendered from (the model's folder and the chart) is the same in both.
    """

    contains: bool
    unchanged: bool


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit, newest first in a sequence.

    ours: the promoter made it. parent: the first one, on which it was made; None for the first commit of all.
    """

    revision: Revision
    at: datetime
    author: str
    message: str
    ours: bool
    parent: Revision | None

    @property
    def subject(self) -> str:
        """The first line of the message."""
        return self.message.splitlines()[0] if self.message else ""


@dataclass(frozen=True, slots=True)
class MisnamedFolder:
    """A folder that holds a release.yaml but cannot be a model's, and why."""

    folder: str
    reason: str


@dataclass(frozen=True, slots=True)
class Inventory:
    """The models of one revision, in order, and the folders that cannot be models."""

    models: tuple[ServedModel, ...] = ()
    misnamed: tuple[MisnamedFolder, ...] = ()
