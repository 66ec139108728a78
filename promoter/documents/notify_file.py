"""The file of routes: who is told what. docs/notifications.md describes every key. And the record of what was told."""

from __future__ import annotations

import json
import re
from datetime import timedelta

from promoter.documents.yaml_schema import Table, converted, duration, items, refuse, text
from promoter.documents.yaml_text import Value, parse
from promoter.domain.names import checked_name
from promoter.domain.notice import Notified, Route, Routes, Severity
from promoter.errors import InvalidDocument, InvalidName

# So many keys are remembered: more than there can be between two looks of any promoter.
MOST_TOLD = 200

_NO_RECORD = "it is not the promoter's record"
_ANEW = "Delete the reference on the server; it is made anew"
_REVISION = re.compile("[0-9a-f]{40}", re.ASCII)


def parse_routes(content: bytes | str, where: str) -> Routes:
    """What the file states; raises InvalidDocument."""
    table = Table(parse(content, where), ("held_after", "routes"))
    return Routes(
        routes=table.required("routes", _read_routes),
        held_after=table.optional("held_after", duration(low=timedelta(minutes=1)), Routes().held_after),
    )


def _read_routes(value: Value) -> tuple[Route, ...]:
    names: set[str] = set()

    def read_one(item: Value) -> Route:
        table = Table(item, ("name", "url_file", "environments", "severity"))
        route = Route(
            name=table.required("name", converted(text, lambda name: checked_name(name, "route"))),
            url_file=table.required("url_file", converted(text, _file)),
            environments=frozenset(table.optional("environments", items(_environment), ())),
            severity=table.optional("severity", converted(text, _severity), Severity.INFO),
        )
        if route.name in names:
            refuse(item, f"is a second route {route.name}", "Give each a name of its own")
        names.add(route.name)
        return route

    return items(read_one)(value)


_environment = converted(text, lambda name: checked_name(name, "environment"))


def _file(path: str) -> str:
    if "://" in path:
        # The address itself is a secret, so it is not said what was read.
        raise InvalidName("must be the path of a file that holds the address, and not the address")
    return path


def _severity(word: str) -> Severity:
    try:
        return Severity[word.upper()]
    except KeyError:
        known = ", ".join(severity.name.lower() for severity in Severity)
        raise InvalidName(f"{word[:40]!r} is no severity: write one of {known}") from None


def write_notified(notified: Notified) -> bytes:
    """The record as a file's content, the same for the same record."""
    return (json.dumps({"head": notified.head, "told": notified.told[-MOST_TOLD:]}, indent=0) + "\n").encode()


def parse_notified(content: bytes, where: str) -> Notified:
    """What `write_notified` wrote. Raises InvalidDocument."""
    try:
        plain = json.loads(content)
        head, told = str(plain["head"]), tuple(str(key) for key in plain["told"])
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise InvalidDocument(where, None, _NO_RECORD, _ANEW) from error
    if not _REVISION.fullmatch(head):
        raise InvalidDocument(where, None, _NO_RECORD, _ANEW)
    return Notified(head, told)
