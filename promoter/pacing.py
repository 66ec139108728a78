"""A steady beat: when the next of many requests is due, whatever became of those before."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress

# After a pause longer than this (a laptop that slept), what was due in it is left out, not sent at once.
_LONGEST_LAG = 1.0


async def beats(rate: float, stop: asyncio.Event) -> AsyncIterator[float]:
    """`rate` times a second the moment that is due, by the monotonic clock, until `stop`.

    It waits for the moments alone: whoever takes them must not wait for anything else.
    """
    due = time.monotonic()
    while not stop.is_set():
        now = time.monotonic()
        if now - due > _LONGEST_LAG:
            due = now
        while due <= now:
            yield due
            due += 1 / rate
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), max(0, due - time.monotonic()))
