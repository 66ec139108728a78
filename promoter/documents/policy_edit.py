"""policy.yaml is people's: the one key that a person's verb changes, and nothing else in it."""

from __future__ import annotations

from dataclasses import replace

from promoter.documents.policy_file import parse_policy
from promoter.documents.yaml_edit import Leaf, with_entry
from promoter.documents.yaml_text import Block, decode, parse
from promoter.errors import InvalidDocument, InvalidInput


def with_paused(content: bytes | str, where: str, *, paused: bool) -> str:
    """The policy with `paused` as asked for, one line changed or added; every other byte stays.

    Raises InvalidDocument where `content` does not parse or is laid out in braces, and InvalidInput where it says so
    already.
    """
    before = decode(content, where)
    policy = parse_policy(before, where)
    if policy.paused == paused:
        raise InvalidInput(f"{where} {'says paused already' if paused else 'does not say paused'}")
    root, word = parse(before, where), "true" if paused else "false"
    remedy = f"Write `paused: {word}` into it by hand"
    if not isinstance(root, Block) or root.flow or root.is_empty:
        raise InvalidDocument(where, None, "its layout cannot be edited line by line", remedy)
    after = with_entry(before, root, "paused", Leaf(word, word))
    # What counts is what the promoter will read, not that the edit looked right.
    if parse_policy(after, where) != replace(policy, paused=paused):
        raise InvalidDocument(where, None, "its layout cannot be edited line by line", remedy)
    return after
