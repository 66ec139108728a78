"""What a forge shows people: pull requests, and the status of a commit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from promoter.domain.repository import Revision

_MOST_NAMED = 5


class PullRequestState(StrEnum):
    """CLOSED: without having been merged."""

    OPEN = "open"
    MERGED = "merged"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class PullRequest:
    """One pull request; GitLab calls it a merge request.

    branch: the one that would be merged. head: its newest commit, as far as the forge says. mergeable: None where the
    forge has not found out yet. url: its page for people. author: the login of the account that opened it.
    """

    number: int
    branch: str
    title: str
    body: str
    state: PullRequestState
    url: str
    head: Revision | None = None
    mergeable: bool | None = None
    labels: tuple[str, ...] = ()
    author: str = ""


@dataclass(frozen=True, slots=True)
class Checks:
    """What others found about a commit, by the names of their checks. Those that passed need no word."""

    pending: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()

    @property
    def waits_for(self) -> str | None:
        """A few words on why the commit is not to be merged yet, None where nothing is against it."""
        if self.failed:
            return f"failed: {_named(self.failed)}"
        return f"not over yet: {_named(self.pending)}" if self.pending else None


@dataclass(frozen=True, slots=True)
class Said:
    """What a person said on a pull request, by a comment, or by setting a label.

    number: the forge's, of the comment or of the event. author: a login, which may be renamed; account: the number of
    that account, which stays. text: of the comment; empty for a label. at: when it was written first, or the label was
    set, by the forge's clock. url: its place on the page. label: the name of the one that was set, None for a comment.
    """

    number: int
    author: str
    account: int
    text: str
    at: datetime
    url: str
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who said it, as the forge knows them now. name, email: their own words; empty where it has none."""

    login: str
    name: str
    email: str
    may_write: bool


class CommitState(StrEnum):
    """How far a commit has come."""

    PENDING = "pending"
    SUCCESS = "success"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class CommitStatus:
    """What a forge shows beside a commit. description: a few words. url: where more is told, None for nowhere."""

    state: CommitState
    description: str
    url: str | None = None


def _named(names: tuple[str, ...]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
