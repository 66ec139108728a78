"""A closed schema over YAML values: tables of known keys, and one reader for each type of value.

A reader takes a Value and returns what it means, or raises InvalidDocument with file, line and
remedy. Scalars are read by the rules here and not by YAML 1.1's, where `010` is 8, `1:30` is 90 and
`no` is false.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import NoReturn, TypeVar

import yaml
from yaml.resolver import Resolver

from promoter.documents.one_line import LONGEST_REASON, is_one_line
from promoter.documents.yaml_text import Block, Items, Scalar, Value
from promoter.domain.duration import format_duration, parse_duration
from promoter.errors import InvalidDocument, InvalidInput

T = TypeVar("T")
D = TypeVar("D")
Read = Callable[[Value], T]

_WHOLE_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,29})", re.ASCII)
_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,29})(\.[0-9]{1,30})?", re.ASCII)
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)

# What Helm's YAML reads as a number besides what PyYAML does (YAML 1.2, chapter 10.3).
_OTHER_NUMBER = re.compile(r"[-+]?(0o[0-7]+|(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?)", re.ASCII)
_RESOLVER = Resolver()
_TEXT_TAG = "tag:yaml.org,2002:str"


class Table:
    """A mapping with known keys; an empty value is a table without any. Raises InvalidDocument for other keys."""

    def __init__(self, value: Value, keys: tuple[str, ...]) -> None:
        if not isinstance(value, Block) and not value.is_empty:
            refuse(value, "must be a mapping", f"Write `key: value` lines; the keys are {', '.join(keys)}")
        self._value = value
        self._entries = value.entries if isinstance(value, Block) else {}
        for key, entry in self._entries.items():
            if key not in keys:
                meant = get_close_matches(key, keys, n=1)
                remedy = f"Did you mean {meant[0]!r}?" if meant else f"Remove it; the keys are {', '.join(keys)}"
                inside = f" in {value.path}" if value.path else ""
                raise InvalidDocument(value.where, entry.key.line + 1, f"unknown key {key[:60]!r}{inside}", remedy)

    def required(self, key: str, read: Read[T]) -> T:
        """What `key` says; a missing one is refused."""
        if key not in self._entries:
            path = f"{self._value.path}.{key}" if self._value.path else key
            raise InvalidDocument(self._value.where, self._value.span.line + 1, f"{path} is missing", "Add it")
        return read(self._entries[key].value)

    def optional(self, key: str, read: Read[T], default: D) -> T | D:
        """What `key` says, or `default` where it is missing."""
        return read(self._entries[key].value) if key in self._entries else default


def refuse(value: Value, problem: str, remedy: str) -> NoReturn:
    """Raise InvalidDocument at `value`; `problem` continues a sentence that begins with its path."""
    raise InvalidDocument(value.where, value.span.line + 1, f"{value.path or 'the file'} {problem}", remedy)


def shown(value: Value) -> str:
    """`value` as an error names it."""
    if isinstance(value, Scalar):
        if value.is_empty:
            return "empty"
        cut = value.text[:60] + ("…" if len(value.text) > 60 else "")
        return cut if value.plain and cut.isprintable() else repr(cut)
    return "a mapping" if isinstance(value, Block) else "a list"


def whole_number(low: int, high: int) -> Read[int]:
    """Decimal digits without leading zeros, from `low` to `high`."""

    def read(value: Value) -> int:
        if isinstance(value, Scalar) and value.plain and _WHOLE_NUMBER.fullmatch(value.text):
            number = int(value.text)
            if low <= number <= high:
                return number
        refuse(value, f"is {shown(value)}", f"Write a whole number from {low} to {high}, without quotes")

    return read


def number(*, above: float, below: float | None = None, at_most: float | None = None) -> Read[float]:
    """A plain decimal number in a range that is open below; an end that is None has no limit."""
    ends = [f"above {above:g}"]
    ends += [] if below is None else [f"below {below:g}"]
    ends += [] if at_most is None else [f"at most {at_most:g}"]

    def read(value: Value) -> float:
        if isinstance(value, Scalar) and value.plain and _NUMBER.fullmatch(value.text):
            found = float(value.text)
            if found > above and (below is None or found < below) and (at_most is None or found <= at_most):
                return found
        refuse(value, f"is {shown(value)}", f"Write a plain decimal number {' and '.join(ends)}, without quotes")

    return read


def boolean(value: Value) -> bool:
    """`true` or `false`, and no other spelling."""
    if isinstance(value, Scalar) and value.plain and value.text in ("true", "false"):
        return value.text == "true"
    refuse(value, f"is {shown(value)}", "Write true or false, without quotes")


def text(value: Value) -> str:
    """One printable line of 1 to 300 characters, without the spaces around it.

    A plain scalar that YAML takes for something else is refused: other readers of the file would see no text.
    """
    if not isinstance(value, Scalar) or value.is_empty:
        refuse(value, f"is {shown(value)}", "Write text here")
    if value.plain and not _is_plain_text(value.text):
        refuse(value, f"is {shown(value)}, which YAML does not take for text", "Put it in double quotes")
    content = value.text.strip()
    if not content or len(content) > LONGEST_REASON or not is_one_line(content):
        refuse(
            value,
            f"is {shown(value)}, which is empty, too long, or not printable",
            f"Write one line of at most {LONGEST_REASON} printable characters",
        )
    return content


def duration(low: timedelta = timedelta(0), high: timedelta = timedelta(days=366)) -> Read[timedelta]:
    """`90s`, `5m`, `1h30m`, `2d`, from `low` to `high`."""

    def read(value: Value) -> timedelta:
        length = converted(_scalar_text, parse_duration)(value)
        if not low <= length <= high:
            limits = f"from {format_duration(low)} to {format_duration(high)}"
            refuse(value, f"is {shown(value)}", f"Write a duration {limits}")
        return length

    return read


def moment(value: Value) -> datetime:
    """A time in UTC to the second, `2026-11-22T20:16:34Z`."""
    if isinstance(value, Scalar) and _MOMENT.fullmatch(value.text):
        try:
            return datetime.fromisoformat(value.text)
        except ValueError:
            pass
    refuse(value, f"is {shown(value)}, not a time", "Write it in UTC and to the second, like 2026-11-22T20:16:34Z")


def items(read: Read[T]) -> Read[tuple[T, ...]]:
    """A list, each item read by `read`; an empty value is an empty list."""

    def read_all(value: Value) -> tuple[T, ...]:
        if isinstance(value, Items):
            return tuple(map(read, value.values))
        if not value.is_empty:
            refuse(value, f"is {shown(value)}, not a list", "Write a list: [a, b], or one `- ` line for each item")
        return ()

    return read_all


def converted(read: Read[T], convert: Callable[[T], D]) -> Read[D]:
    """What `read` finds, as `convert` understands it; its InvalidInput gets the file and the line."""

    def read_converted(value: Value) -> D:
        found = read(value)
        try:
            return convert(found)
        except InvalidInput as error:
            raise InvalidDocument(value.where, value.span.line + 1, f"{value.path}: {error}") from error

    return read_converted


def _scalar_text(value: Value) -> str:
    if not isinstance(value, Scalar):
        refuse(value, f"is {shown(value)}", "Write a single value here")
    return value.text


def _is_plain_text(plain: str) -> bool:
    tag = _RESOLVER.resolve(yaml.ScalarNode, plain, (True, False))  # type: ignore[no-untyped-call]  # PyYAML's own
    return tag == _TEXT_TAG and not _OTHER_NUMBER.fullmatch(plain)
