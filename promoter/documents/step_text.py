"""The pull request that brings a commit of the promoter's onto the branch: what its commit says, in Markdown.

A comment that no page shows names the steps by a hash each, so that a person's no is known again. It decides nothing
else: what is merged is a commit that this promoter made, by its hash.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator, Sequence

from promoter.documents.pull_request_text import shown
from promoter.domain.release import Release

_MARKER = re.compile(r"<!-- promoter: step((?: [0-9a-f]{16}){1,200}) -->", re.ASCII)
_LONGEST_PARAGRAPH = 2000
_MOST_NAMED = 200
_LONGEST_SECTION = 25_000


def key_of(path: str, before: str | None, deed: Release) -> str:
    """The name of a step: of what it does to the file `path`, whose object was `before`."""
    return hashlib.sha256(f"{path} {before} {deed!r}".encode()).hexdigest()[:16]


def title_of(message: str) -> str:
    """The subject of the commit."""
    return message.splitlines()[0]


def body_of(message: str, keys: Collection[str], *, takes_back: bool) -> str:
    """The text of the pull request of a commit with this message. takes_back: it may not wait."""
    _, *paragraphs, trailers = message.rstrip().split("\n\n")
    marker = f"<!-- promoter: step {' '.join(sorted(keys)[:_MOST_NAMED])} -->" if keys else ""
    told = _fitting([shown(paragraph, _LONGEST_PARAGRAPH) for paragraph in paragraphs])
    quoted = "\n".join(_fitting(trailers.replace("```", "").split("\n")))
    details = f"<details><summary>What the promoter reads</summary>\n\n```\n{quoted}\n```\n\n</details>"
    return "\n\n".join([marker, *told, details, "---", _URGENT if takes_back else _WHO_MERGES]) + "\n"


def _fitting(parts: Sequence[str]) -> Iterator[str]:
    """As many as a forge takes: GitHub's limit is 65 536 characters for the whole."""
    room = _LONGEST_SECTION
    for count, part in enumerate(parts):
        room -= len(part)
        if room < 0:
            yield f"and {len(parts) - count} more, in the commit's message"
            return
        yield part


def read_keys(body: str) -> frozenset[str]:
    """The steps that a body names; none where it is not of our making, or the promoter closed it itself."""
    found = _MARKER.search(body)
    return frozenset(found[1].split()) if found else frozenset()


def overtaken(body: str) -> str:
    """The body of a pull request that the promoter closes itself: nobody refused anything by it."""
    return _MARKER.sub("<!-- promoter: closed -->", body)


_CLOSING = (
    "**To refuse it**, close it: it is not opened again until the promoter decides something else, or `release.yaml` "
    "changes; reopen it to think again."
)
_WHO_MERGES = (
    "The promoter merges this itself, when its checks have passed and while it would decide the same again. It changes "
    f"it in place when it decides otherwise, and closes it when nothing is due any more. {_CLOSING}"
)
_URGENT = (
    "**This takes requests from a version that must not have them.** The promoter merges it as soon as the rules of "
    f"the branch let it; until then the version goes on serving. {_CLOSING}"
)
