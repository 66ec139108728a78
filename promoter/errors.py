"""Every error the promoter raises on purpose, by what the next pass may cure.

PromoterError
├── InvalidInput            a person must change something; nothing was written
│   ├── InvalidName         a name, version, digest or weight is not of its form
│   ├── InvalidDocument     a file does not parse; carries file, line and remedy
│   ├── BrokenVersion       the files of a version are not what they should be
│   └── InvalidSettings     the promoter's own settings are incomplete or contradictory
├── Unavailable             a peer did not answer, or answered nonsense; the next pass asks again
│   ├── RepositoryUnavailable
│   ├── StoreUnavailable
│   ├── MetricsUnavailable
│   ├── ClusterUnavailable
│   ├── PreflightUnavailable
│   └── ForgeUnavailable
├── HeadMoved               somebody pushed first; the pass is computed again, a way back goes onto the newer head
├── PushRefused             the server said no (hook, protected branch, lost lock)
├── StepWaits               a commit is in a pull request that is not merged yet
└── ForbiddenWrite          our own commit touched what it may not touch; a bug, never pushed
"""

from __future__ import annotations


class PromoterError(Exception):
    """The root: `except PromoterError` catches what the promoter knows about."""


class InvalidInput(PromoterError):
    """A person must change something; nothing was written."""


class InvalidName(InvalidInput):
    """A name, version, digest or weight is not of its form."""


class InvalidDocument(InvalidInput):
    """A file does not parse.

    `where` is the file, `line` counts from 1 (None where the fault has no line), `problem` says
    what is wrong and `remedy` what to do about it.
    """

    def __init__(self, where: str, line: int | None, problem: str, remedy: str = "") -> None:
        self.where = where
        self.line = line
        self.problem = problem
        self.remedy = remedy
        place = where if line is None else f"{where}:{line}"
        super().__init__(f"{place}: {problem}" + (f". {remedy}" if remedy else ""))


class BrokenVersion(InvalidInput):
    """The files of a version are not what its manifest says, cannot be a version's, or changed while they were read."""


class InvalidSettings(InvalidInput):
    """The promoter's own settings are incomplete or contradictory."""


class Unavailable(PromoterError):
    """A peer did not answer, or answered nonsense; the next pass asks again."""


class RepositoryUnavailable(Unavailable):
    """The Git remote did not answer."""


class StoreUnavailable(Unavailable):
    """The model store did not answer."""


class MetricsUnavailable(Unavailable):
    """Prometheus did not answer, or its answer cannot be trusted."""


class ClusterUnavailable(Unavailable):
    """Argo CD did not answer."""


class PreflightUnavailable(Unavailable):
    """A preflight came to no result."""


class MessageFailed(Unavailable):
    """A message did not get to where a route leads."""


class ForgeUnavailable(Unavailable):
    """The forge did not answer, or did not do what it was asked."""


class HeadMoved(PromoterError):
    """Somebody pushed between our read and our push; the pass is computed again."""


class PushRefused(PromoterError):
    """The server refused the push: a hook, a protected branch or a lost lock."""


class StepWaits(PromoterError):
    """A commit is in a pull request that is not merged yet, or is not to be opened; the text says what it waits for."""


class ForbiddenWrite(PromoterError):
    """Our own commit touched what it may not touch. It was not pushed."""
