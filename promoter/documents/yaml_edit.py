"""Changes to YAML text that leave every other byte alone: comments, order, quotes, blank lines.

A general round-trip library writes the whole file anew and drops the comments that follow a removed
key. Here a changed value is replaced where it stands, and keys come and go as whole lines. What the
values mean is left to the caller, who reads the result back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from promoter.documents.yaml_text import Block, Entry, Items, Scalar, Value

_INDENT = 2


@dataclass(frozen=True, slots=True)
class Leaf:
    """A scalar to be written: what a reader takes it for, and how it is spelled in YAML."""

    text: str
    source: str


Tree = Mapping[str, "Node"]
Node = Leaf | Tree | Sequence[Tree]


def rendered(tree: Tree, column: int = 0) -> list[str]:
    """Fresh block-style lines for `tree`, without line ends."""
    margin = " " * column
    lines: list[str] = []
    for key, node in tree.items():
        if isinstance(node, Leaf):
            lines.append(f"{margin}{key}: {node.source}")
        elif not node:
            lines.append(f"{margin}{key}: {'{}' if isinstance(node, Mapping) else '[]'}")
        elif isinstance(node, Mapping):
            lines += [f"{margin}{key}:", *rendered(node, column + _INDENT)]
        else:
            lines.append(f"{margin}{key}:")
            for item in node:
                lines += _rendered_item(item, column + _INDENT)
    return lines


def edited(text: str, root: Block, tree: Tree, identity: str) -> str:
    """`text`, whose value is `root`, changed so that it says `tree`.

    identity: the key that tells items of a list apart; every item has it. Keys that `tree` does not
    have are removed, with the comments that are indented below them.
    """
    editor = _Editor(text, identity)
    editor.block(root, tree)
    return editor.result()


def with_entry(text: str, root: Block, key: str, leaf: Leaf) -> str:
    """`text`, whose value is the block-style `root`, with `key` saying `leaf`: where it stands, or as the last key."""
    editor = _Editor(text, key)
    editor.entry(root, key, leaf)
    return editor.result()


class _Editor:
    def __init__(self, text: str, identity: str) -> None:
        self._newline = "\r\n" if "\r\n" in text else "\n"
        self._unended = not text.endswith("\n")
        self._text = text + self._newline if self._unended else text
        self._lines = self._text.splitlines(keepends=True)
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line))
        self._identity = identity
        self._edits: list[tuple[int, int, str]] = []

    def result(self) -> str:
        """The text with all edits made."""
        parts, position = [], 0
        # Sorting is stable, so what goes to the same place keeps the order in which it was asked for.
        for start, end, replacement in sorted(self._edits, key=lambda edit: edit[:2]):
            parts += [self._text[position:start], replacement]
            position = end
        after = "".join([*parts, self._text[position:]])
        return after.removesuffix(self._newline) if self._unended else after

    def block(self, block: Block, tree: Tree) -> None:
        """Make a block-style mapping with at least one key say `tree`."""
        column = next(iter(block.entries.values())).key.column
        for key, entry in block.entries.items():
            if key in tree:
                self._entry(key, entry, tree[key], column)
            elif not entry.value.is_empty:
                self._replace_lines(entry.key.line, self._after(entry.value, column), [])
        place = min(entry.key.line for entry in block.entries.values())
        for key, node in tree.items():
            if key in block.entries:
                place = self._after(block.entries[key].value, column)
            else:
                self._replace_lines(place, place, rendered({key: node}, column))

    def entry(self, block: Block, key: str, node: Node) -> None:
        """Make one key of a block-style mapping with at least one key say `node`; the others stay."""
        column = next(iter(block.entries.values())).key.column
        if key in block.entries:
            self._entry(key, block.entries[key], node, column)
        else:
            place = max(self._after(entry.value, column) for entry in block.entries.values())
            self._replace_lines(place, place, rendered({key: node}, column))

    def _entry(self, key: str, entry: Entry, node: Node, column: int) -> None:
        value = entry.value
        if _says(value, node):
            return
        if isinstance(value, Scalar) and isinstance(node, Leaf) and value.span.end > value.span.start:
            # A literal text (`|`) owns the end of its line; the one word that replaces it does not.
            end = self._newline if self._text[value.span.end - 1] == "\n" else ""
            self._edits.append((value.span.start, value.span.end, node.source + end))
        elif isinstance(value, Block) and isinstance(node, Mapping) and node and _is_block_style(value):
            self.block(value, node)
        elif not (isinstance(value, Items) and isinstance(node, Sequence) and self._items(value, node)):
            fresh = rendered({key: node}, column)
            fresh[0] += self._comment_behind(value)
            self._replace_lines(entry.key.line, value.span.last_line + 1, fresh)

    def _items(self, items: Items, wanted: Sequence[Tree]) -> bool:
        """Make a block-style list say `wanted`; False where that takes a rewrite of the whole list."""
        if not wanted or not _is_block_style(items):
            return False
        column = items.span.column
        present = {self._identity_in(value): value for value in items.values}
        names = [self._identity_of(item) for item in wanted]
        kept = [name for name in present if name in names]
        dashes = all(self._lines[value.span.line][: column + 1] == " " * column + "-" for value in items.values)
        if not dashes or kept != [name for name in names if name in present]:
            return False
        for name, value in present.items():
            if name not in names:
                self._replace_lines(value.span.line, self._after(value, column), [])
        place = items.values[0].span.line
        for name, item in zip(names, wanted, strict=True):
            if name not in present:
                self._replace_lines(place, place, _rendered_item(item, column))
                continue
            value = present[name]
            place = self._after(value, column)
            if isinstance(value, Block) and not value.flow:
                self.block(value, item)
            elif not _says(value, item):
                self._replace_lines(value.span.line, value.span.last_line + 1, _rendered_item(item, column))
        return True

    def _identity_in(self, value: Value) -> str | None:
        entry = value.entries.get(self._identity) if isinstance(value, Block) else None
        return entry.value.text if entry is not None and isinstance(entry.value, Scalar) else None

    def _identity_of(self, item: Tree) -> str | None:
        node = item[self._identity]
        return node.text if isinstance(node, Leaf) else None

    def _replace_lines(self, first: int, after: int, lines: Sequence[str]) -> None:
        self._edits.append((self._starts[first], self._starts[after], "".join(line + self._newline for line in lines)))

    def _after(self, value: Value, column: int) -> int:
        """The line after `value` and the comments directly below it that are indented deeper than `column`."""
        line = value.span.last_line + 1
        while line < len(self._lines):
            content = self._lines[line].lstrip(" ")
            if not content.startswith("#") or len(self._lines[line]) - len(content) <= column:
                break
            line += 1
        return line

    def _comment_behind(self, value: Value) -> str:
        rest = self._text[value.span.end : self._starts[value.span.last_line + 1]].rstrip()
        return rest if rest.lstrip().startswith("#") else ""


def _rendered_item(item: Tree, column: int) -> list[str]:
    first, *others = rendered(item, column + _INDENT)
    return [" " * column + "- " + first.lstrip(" "), *others]


def _is_block_style(value: Block | Items) -> bool:
    return not value.flow and not value.is_empty


def _says(value: Value, node: Node) -> bool:
    """Whether `value` already means `node`."""
    if isinstance(node, Leaf):
        return isinstance(value, Scalar) and value.text.strip() == node.text
    if isinstance(node, Mapping):
        if not isinstance(value, Block):
            return value.is_empty and not node
        return value.entries.keys() == node.keys() and all(
            _says(entry.value, node[key]) for key, entry in value.entries.items()
        )
    if not isinstance(value, Items):
        return value.is_empty and not node
    return len(value.values) == len(node) and all(map(_says, value.values, node))
