"""environments/freeze.yaml: where nothing starts and nothing rises. People's file; the promoter only reads it.

docs/reference/files.md describes every key.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from promoter.documents.one_line import one_line
from promoter.documents.yaml_edit import Leaf, Node, edited, rendered
from promoter.documents.yaml_schema import Table, converted, items, moment, refuse, text
from promoter.documents.yaml_text import Block, Value, decode, parse
from promoter.domain.freeze import Freeze
from promoter.errors import InvalidDocument

HEADER = (
    "# While something stands here, nothing starts and nothing rises there; reverts and withdrawals still happen.\n"
)


def parse_freezes(content: bytes | str, where: str) -> tuple[Freeze, ...]:
    """What the file states, in its order; one with nothing but comments states nothing. Raises InvalidDocument."""
    words = decode(content, where)
    return _freezes_of(parse(words, where)) if _says_anything(words) else ()


def write_freezes(content: bytes | str, freezes: Sequence[Freeze], where: str) -> str:
    """`content` with as few lines changed as it takes to state `freezes`, each scope once; empty gives a new file.

    Raises InvalidDocument where `content` does not parse.
    """
    wanted = tuple(map(_as_written, freezes))
    tree = {"freezes": [_tree(freeze) for freeze in wanted]}
    before = decode(content, where)
    if not before.strip():
        return HEADER + _joined(tree)
    if not _says_anything(before):
        return before.rstrip() + "\n" + _joined(tree)
    root = parse(before, where)
    if _freezes_of(root) == wanted:
        return before
    if isinstance(root, Block) and not root.flow and not root.is_empty:
        after = edited(before, root, tree, identity="scope")
        if _reads_as(after, wanted, where):
            return after
    # A layout that cannot be edited line by line: its comments go to the top.
    comments = [line.strip() + "\n" for line in before.splitlines() if line.lstrip().startswith("#")]
    return "".join(comments) + _joined(tree)


def _says_anything(content: str) -> bool:
    return any(line.strip() and not line.lstrip().startswith("#") for line in content.splitlines())


def _freezes_of(root: Value) -> tuple[Freeze, ...]:
    return Table(root, ("freezes",)).optional("freezes", _read_freezes, ())


def _read_freezes(value: Value) -> tuple[Freeze, ...]:
    seen: set[str] = set()

    def read_one(item: Value) -> Freeze:
        table = Table(item, ("scope", "reason", "by", "until"))
        freeze = replace(
            table.required("scope", converted(text, lambda scope: Freeze(scope, ""))),
            reason=table.required("reason", text),
            by=table.optional("by", text, None),
            until=table.optional("until", moment, None),
        )
        if freeze.scope in seen:
            refuse(item, f"freezes {freeze.scope} a second time", "Remove one of the two")
        seen.add(freeze.scope)
        return freeze

    return items(read_one)(value)


def _as_written(freeze: Freeze) -> Freeze:
    """`freeze` as a file can state it: texts on one line, times in UTC and whole seconds."""
    return replace(
        freeze,
        reason=one_line(freeze.reason),
        by=None if freeze.by is None else one_line(freeze.by),
        until=None if freeze.until is None else freeze.until.astimezone(UTC).replace(microsecond=0),
    )


def _tree(freeze: Freeze) -> dict[str, Node]:
    tree: dict[str, Node] = {"scope": _quoted(freeze.scope), "reason": _quoted(freeze.reason)}
    if freeze.by is not None:
        tree["by"] = _quoted(freeze.by)
    if freeze.until is not None:
        tree["until"] = Leaf(_rfc3339(freeze.until), _rfc3339(freeze.until))
    return tree


def _quoted(words: str) -> Leaf:
    # A JSON string is a double-quoted YAML scalar (YAML 1.2, chapter 1.3). An environment may be called `no`, or `1`.
    return Leaf(words, json.dumps(words, ensure_ascii=False))


def _rfc3339(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _joined(tree: dict[str, list[dict[str, Node]]]) -> str:
    return "\n".join(rendered(tree)) + "\n"


def _reads_as(content: str, wanted: tuple[Freeze, ...], where: str) -> bool:
    try:
        return parse_freezes(content, where) == wanted
    except InvalidDocument:
        return False
