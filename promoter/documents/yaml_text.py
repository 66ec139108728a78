"""YAML text to values that know their file, path and place. One strict subset, the same for every file.

One document; no anchors, aliases, tags or directives; no key twice; nothing deep and nothing large.
Scalars stay text here: what they may say is `yaml_schema`'s part.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import yaml

from promoter.errors import InvalidDocument

LARGEST_BYTES = 64 * 1024
_DEEPEST = 10
_MOST_ENTRIES = 1000

# What YAML forbids; what YAML takes for a line break and editors do not; and what makes a file read
# otherwise than it is (bidirectional overrides, byte order marks).
_FORBIDDEN = re.compile(
    "[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|\r(?!\n)|[\u2028-\u202e\u2066-\u2069\ufeff]"
)
# The published types know neither an event's attributes nor that its marks are always there.
_Event = Any
_Mark = Any

_NULLS = ("", "~", "null", "Null", "NULL")


@dataclass(frozen=True, slots=True)
class Span:
    """Where a value stands: offsets in characters (`end` is exclusive), lines and column, all from 0.

    A block mapping or list ends where its last entry ends.
    """

    start: int
    end: int
    line: int
    last_line: int
    column: int


@dataclass(frozen=True, slots=True)
class Scalar:
    """One scalar. plain: written without quotes, so YAML may take it for something other than text."""

    where: str
    path: str
    span: Span
    text: str
    plain: bool

    @property
    def is_empty(self) -> bool:
        """Nothing stands here, or YAML's null."""
        return self.plain and self.text in _NULLS


@dataclass(frozen=True, slots=True)
class Entry:
    """One key of a mapping, and its value."""

    key: Span
    value: Value


@dataclass(frozen=True, slots=True)
class Block:
    """A mapping. flow: written in braces."""

    where: str
    path: str
    span: Span
    entries: Mapping[str, Entry]
    flow: bool

    @property
    def is_empty(self) -> bool:
        """It has no key."""
        return not self.entries


@dataclass(frozen=True, slots=True)
class Items:
    """A list. flow: written in brackets."""

    where: str
    path: str
    span: Span
    values: tuple[Value, ...]
    flow: bool

    @property
    def is_empty(self) -> bool:
        """It has no item."""
        return not self.values


Value = Scalar | Block | Items


def parse(text: bytes | str, where: str) -> Value:
    """The one document in `text`. `where` names the file in errors; raises InvalidDocument."""
    loader = yaml.CSafeLoader(decode(text, where))
    try:
        return _Composer(loader, where).document()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        said = ", ".join(part for part in (error.context, error.problem) if part)
        raise InvalidDocument(
            where, line, f"this is not YAML: {said}", "Check indentation, colons and quotes at this line and above"
        ) from error
    finally:
        loader.dispose()


def decode(text: bytes | str, where: str) -> str:
    """`text` as characters, if it is UTF-8 of at most 64 KiB without forbidden ones; raises InvalidDocument."""
    content = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    if len(content) > LARGEST_BYTES:
        raise InvalidDocument(
            where, None, f"the file is larger than {LARGEST_BYTES >> 10} KiB", "Remove what is no setting"
        )
    try:
        characters = content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InvalidDocument(where, line, "the file is not UTF-8", "Save it as UTF-8") from error
    if found := _FORBIDDEN.search(characters):
        line = characters.count("\n", 0, found.start()) + 1
        raise InvalidDocument(
            where,
            line,
            f"the character U+{ord(found[0]):04X} is not allowed here",
            "Remove it; lines end with LF or CR LF",
        )
    return characters


class _Composer:
    """libyaml's events to values, with every refusal at the first event that deserves it."""

    def __init__(self, loader: yaml.CSafeLoader, where: str) -> None:
        self._loader = loader
        self._where = where

    def document(self) -> Value:
        self._next()  # the start of the stream
        start = self._next()
        if isinstance(start, yaml.StreamEndEvent):
            raise InvalidDocument(self._where, None, "the file is empty", "docs/reference/files.md shows what it holds")
        if start.version or start.tags:
            self._refuse(start, "YAML directives are not allowed", "Remove the line that begins with %")
        value = self._value(self._next(), "", 1)
        self._next()  # the end of the document
        another = self._next()
        if not isinstance(another, yaml.StreamEndEvent):
            self._refuse(another, "a second document begins here", "Keep one document in a file")
        return value

    def _next(self) -> _Event:
        return self._loader.get_event()

    def _value(self, event: _Event, path: str, depth: int) -> Value:
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            self._refuse(event, "anchors and aliases are not allowed", "Write the value out where it is used")
        if event.tag is not None:
            self._refuse(event, f"the tag {event.tag[:40]!r} is not allowed", "Remove it")
        if isinstance(event, yaml.ScalarEvent):
            return Scalar(self._where, path, _span(event, event.end_mark), event.value, plain=not event.style)
        if depth > _DEEPEST:
            self._refuse(event, f"more than {_DEEPEST} levels are nested here", "Indent less; no setting is that deep")
        if isinstance(event, yaml.MappingStartEvent):
            return self._block(event, path, depth)
        return self._items(event, path, depth)

    def _block(self, start: _Event, path: str, depth: int) -> Block:
        entries: dict[str, Entry] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            key = self._value(event, path, depth)
            if not isinstance(key, Scalar):
                self._refuse(event, "a key must be a word", "Write `key: value`")
            if key.text == "<<":
                self._refuse(event, "merge keys are not allowed", "Write the values out where they are used")
            if key.text in entries:
                first = entries[key.text].key.line + 1
                self._refuse(event, f"the key {key.text[:60]!r} stands here again; first in line {first}", "Keep one")
            self._refuse_too_many(event, len(entries))
            below = f"{path}.{key.text}" if path else key.text
            entries[key.text] = Entry(key.span, self._value(self._next(), below, depth + 1))
        last = max((entry.value.span for entry in entries.values()), key=lambda span: span.end, default=None)
        span = _span(start, event.end_mark, None if start.flow_style else last)
        return Block(self._where, path, span, entries, flow=bool(start.flow_style))

    def _items(self, start: _Event, path: str, depth: int) -> Items:
        values: list[Value] = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            self._refuse_too_many(event, len(values))
            values.append(self._value(event, f"{path}[{len(values)}]", depth + 1))
        last = values[-1].span if values and not start.flow_style else None
        return Items(self._where, path, _span(start, event.end_mark, last), tuple(values), flow=bool(start.flow_style))

    def _refuse_too_many(self, event: _Event, count: int) -> None:
        if count >= _MOST_ENTRIES:
            self._refuse(event, f"more than {_MOST_ENTRIES} entries stand here", "Remove those that are not needed")

    def _refuse(self, event: _Event, problem: str, remedy: str) -> NoReturn:
        raise InvalidDocument(self._where, event.start_mark.line + 1, problem, remedy)


def _span(event: _Event, end: _Mark, last: Span | None = None) -> Span:
    """From the event's start to `end`; a block collection ends with its last entry, not at the next token."""
    start = event.start_mark
    if last is not None:
        return Span(start.index, last.end, start.line, last.last_line, start.column)
    # A literal text (`|`) ends at the start of the line after it.
    last_line = end.line - 1 if end.column == 0 and end.line > start.line else end.line
    return Span(start.index, end.index, start.line, last_line, start.column)
