"""Text from Git and its servers, made fit for logs, terminals and errors."""

from __future__ import annotations

import unicodedata

import pygit2

# What pygit2 raises: besides its own errors a bare KeyError for a missing object, and UnicodeError for a server's
# message that is no UTF-8.
LIBGIT2_ERRORS = (pygit2.GitError, KeyError, UnicodeError, OSError)

_LONGEST = 500


def printable(text: str) -> str:
    """`text` without control characters, terminal sequences and bidirectional overrides; line feeds stay."""
    return "".join(char for char in text if char == "\n" or not unicodedata.category(char).startswith("C"))


def sentence(text: str) -> str:
    """`text` on one line, printable, 500 characters at most."""
    line = printable(" ".join(text.split()))
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
