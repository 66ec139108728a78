"""What a person means by a commit: `5d1c0ff`, `HEAD~2`, `main^`.

A small part of gitrevisions(7), read here: libgit2 would take the clone's own HEAD, which nothing points to, and
everything else that the notation knows, from reflogs to searches in messages.
"""

from __future__ import annotations

import re
from itertools import islice

import pygit2
from pygit2.enums import ObjectType

from promoter.adapters.git.text import LIBGIT2_ERRORS, sentence
from promoter.errors import InvalidName

_STEPS = re.compile(r"[~^][0-9]{0,9}", re.ASCII)
_NOTATION = re.compile(rf"(?P<name>[^~^\s]+)(?P<steps>(?:{_STEPS.pattern})*)", re.ASCII)
_HASH = re.compile(r"[0-9a-f]{4,40}", re.ASCII | re.IGNORECASE)

_REMEDY = "name one by its hash, or from the newest on: HEAD, HEAD~2. `promoter history` lists them"


def commit_named(repository: pygit2.Repository, head: pygit2.Commit, branch: str, text: str) -> pygit2.Commit:
    """The commit that `text` names, `HEAD` and `branch` standing for `head`. Raises InvalidName."""
    shown = repr(sentence(text[:80]))
    match = _NOTATION.fullmatch(text)
    if match is None:
        raise InvalidName(f"{shown} cannot name a commit: {_REMEDY}")
    name = match["name"]
    found = head if name in ("HEAD", "@", branch, f"origin/{branch}") else _by_hash(repository, name, shown)
    for step in _STEPS.findall(match["steps"]):
        found = _step(found, step, shown)
    return found


def _by_hash(repository: pygit2.Repository, name: str, shown: str) -> pygit2.Commit:
    """The commit whose hash begins with `name`, of those that were ever fetched."""
    if not _HASH.fullmatch(name):
        raise InvalidName(f"{shown} is no hash, and not the branch that is followed: {_REMEDY}")
    try:
        found = repository[name.lower()]
    except ValueError as error:
        raise InvalidName(f"{shown} begins more than one hash: give more digits of it") from error
    except LIBGIT2_ERRORS as error:
        raise InvalidName(f"{shown} does not exist in this repository: {_REMEDY}") from error
    if found.type != ObjectType.COMMIT:
        raise InvalidName(f"{shown} is no commit: {_REMEDY}")
    return found.peel(pygit2.Commit)


def _step(commit: pygit2.Commit, step: str, shown: str) -> pygit2.Commit:
    """`~n`: n times the first parent. `^n`: the n-th parent. Without a number, one; with 0, the commit itself."""
    number = int(step[1:] or 1)
    if step.startswith("^"):
        parents = [commit, *islice(commit.parents, number)]
        if number >= len(parents):
            raise InvalidName(f"{shown} does not exist: {str(commit.id)[:12]} has {len(parents) - 1} parents")
        return parents[number]
    for _ in range(number):
        if not commit.parent_ids:
            raise InvalidName(f"{shown} does not exist: the branch begins with {str(commit.id)[:12]}")
        commit = commit.parents[0]
    return commit
