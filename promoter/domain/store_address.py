"""Where a model's versions are kept: `file:///srv/models/resnet50`, `gs://shop-models/resnet50`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import unquote, urlsplit

from promoter.errors import InvalidInput

_LONGEST = 1024
_SHAPE = re.compile(r"[a-z][a-z0-9+.-]*://[^ ?#]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class StoreAddress:
    """An address, taken apart.

    host: the bucket; empty for files of this machine. segments: the path's names, percent-decoded, none of
    them empty, `.` or `..`, so that one address has one spelling and lies where it seems to lie.
    """

    scheme: str
    host: str
    segments: tuple[str, ...]

    @classmethod
    def from_text(cls, text: str) -> Self:
        """The address that `text` spells; raises InvalidInput. One slash at the end makes no difference."""
        shown = repr(text[:80] + ("…" if len(text) > 80 else ""))
        try:
            parts = urlsplit(text)
            names = [unquote(part, errors="strict") for part in parts.path.removesuffix("/").split("/")[1:]]
        except ValueError as error:
            raise _malformed(shown) from error
        if not _SHAPE.fullmatch(text) or not text.isprintable() or len(text) > _LONGEST:
            raise _malformed(shown)
        host = "" if parts.scheme == "file" and parts.netloc == "localhost" else parts.netloc
        if (parts.scheme == "file") == bool(host) or "@" in host or not (host or parts.path):
            raise InvalidInput(
                f"{shown} is not a store's address: file:// takes a path of this machine, as in file:///srv/models, "
                "and every other scheme a bucket"
            )
        if any(name in ("", ".", "..") or "/" in name or not name.isprintable() for name in names):
            raise InvalidInput(f"{shown} is not a store's address: no part of its path may be empty, `.` or `..`")
        return cls(parts.scheme, host, tuple(names))

    def is_within(self, prefix: StoreAddress) -> bool:
        """Whether this address is `prefix` or below it; `models-2` is not below `models`."""
        same_place = (self.scheme, self.host) == (prefix.scheme, prefix.host)
        return same_place and self.segments[: len(prefix.segments)] == prefix.segments


def _malformed(shown: str) -> InvalidInput:
    return InvalidInput(
        f"{shown} is not a store's address: write it like file:///srv/models/resnet50 or gs://bucket/resnet50"
    )
