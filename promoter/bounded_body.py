"""The body of an HTTP answer, read whole under a limit of size and of time.

urllib3 and what stands on it only know how long to wait for the next byte: an answer that drips would last for ever.
"""

from __future__ import annotations

import time
from typing import Any

_CHUNK = 2**16


class TooLarge(Exception):
    """There is more than was to be read."""


class TooSlow(Exception):
    """It took longer than it was given."""


def read_body(raw: Any, *, largest: int, seconds: float, decode: bool) -> bytes:
    """All bytes that are still to come from a urllib3 response, `largest` at most, within `seconds` from now.

    decode: undo a compression; the limit is one of what comes out. Raises TooLarge, TooSlow, and urllib3's own errors.
    """
    deadline = time.monotonic() + seconds
    body = bytearray()
    # read1 returns what has arrived; read would wait for a whole chunk, however slowly it drips.
    while chunk := raw.read1(_CHUNK, decode_content=decode):
        body += chunk
        if len(body) > largest:
            raise TooLarge
        if time.monotonic() > deadline:
            raise TooSlow
    return bytes(body)
