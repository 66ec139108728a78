"""The body of an HTTP answer, read whole under a limit of size and of time.

Clients only know how long to wait for the next byte: an answer that drips would last for ever.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

_CHUNK = 2**16


class TooLarge(Exception):
    """There is more than was to be read."""


class TooSlow(Exception):
    """It took longer than it was given."""


def read_body(raw: Any, *, largest: int, seconds: float, decode: bool) -> bytes:
    """All bytes that are still to come from a urllib3 response, as `gathered` takes them.

    decode: undo a compression; the limit is one of what comes out. Raises TooLarge, TooSlow, and urllib3's own errors.
    """
    # read1 returns what has arrived; read would wait for a whole chunk, however slowly it drips.
    return gathered(iter(lambda: raw.read1(_CHUNK, decode_content=decode), b""), largest=largest, seconds=seconds)


def gathered(chunks: Iterable[bytes], *, largest: int, seconds: float) -> bytes:
    """All of `chunks`, `largest` bytes at most, within `seconds` from now. Raises TooLarge, TooSlow."""
    deadline = time.monotonic() + seconds
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > largest:
            raise TooLarge
        if time.monotonic() > deadline:
            raise TooSlow
    return bytes(body)
