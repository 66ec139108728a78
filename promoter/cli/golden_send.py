"""`promoter golden send`: golden requests at a steady rate, where no people bring any."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from collections import Counter
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import click

from promoter.adapters.golden_sender import GoldenSender, Sent
from promoter.cli.options import Duration
from promoter.cli.wiring import file_of_version, tells_errors
from promoter.documents.golden_file import GOLDEN_FILE, LARGEST_BYTES, parse_bodies
from promoter.domain.duration import format_duration
from promoter.domain.figures import grouped, per_second
from promoter.domain.names import checked_name
from promoter.errors import InvalidInput, Unavailable

# Seconds between two lines of progress: before somebody's eyes, and in a pod's log.
_SEEN_EVERY = 5.0
_LOGGED_EVERY = 60.0


@click.command()
@click.argument("source")
@click.option("--url", required=True, metavar="URL", help="Where callers of the model send theirs: http://gateway:80.")
@click.option("--model", required=True, help="The model's name.")
@click.option("--rate", required=True, type=click.FloatRange(0.01, 200), help="Requests a second.")
@click.option("--host", metavar="NAME", help="The host to ask for, where it is not that of --url: one of the route's.")
@click.option("--for", "length", type=Duration(), help="Stop after this time; else on Ctrl-C or SIGTERM.")
@click.option("--connections", default=32, show_default=True, type=click.IntRange(1, 1000), help="Requests at once.")
@click.option("--timeout", default="10s", show_default=True, type=Duration(), help="For each whole answer.")
@tells_errors
def send(
    *,
    source: str,
    url: str,
    model: str,
    rate: float,
    host: str | None,
    length: timedelta | None,
    connections: int,
    timeout: timedelta,
) -> None:
    """Send golden requests to a model at a steady rate, as evidence where no people send any.

    SOURCE is the address of a version (gs://models/resnet50/42), whose assets.extra/golden_requests.json is read, or a
    file. They go out in turn, evenly spaced and over REST, whether or not earlier ones were answered, and none is sent
    twice. Send them to the model's route, so that they are split by weight and counted like anybody's.

    Ends with 1 where not one was answered well. What a canary fails is for the promoter to judge, and no error here.
    """
    checked_name(model, "model")
    bodies = [json.dumps(body, separators=(",", ":")).encode() for body in parse_bodies(*_read(source))]
    click.echo(
        f"{grouped(len(bodies))} golden request{'' if len(bodies) == 1 else 's'} of {source} in turn, "
        f"{per_second(rate)} a second, to {url}",
        err=True,
    )
    sender = GoldenSender(url, model, bodies, connections=connections, timeout=timeout.total_seconds())
    if host is not None:
        sender.ask_for(host)
    began = time.monotonic()
    asyncio.run(_send(sender, rate, length))
    said = _told(sender.so_far, time.monotonic() - began)
    if not sender.so_far.answered:
        raise Unavailable(f"not one request was answered well: {said}")
    click.echo(said)


def _read(source: str) -> tuple[bytes, str]:
    """The content of the golden requests, and how to name them."""
    if "://" in source:
        content = file_of_version(source, GOLDEN_FILE, largest=LARGEST_BYTES)
        if content is None:
            raise InvalidInput(
                f"{source} has no {GOLDEN_FILE}: publish versions with golden requests (`promoter golden record`), or "
                "name a file"
            )
        return content, f"{source.rstrip('/')}/{GOLDEN_FILE}"
    try:
        with Path(source).open("rb") as file:
            return file.read(LARGEST_BYTES + 1), source
    except OSError as error:
        raise InvalidInput(
            f"{source} cannot be read ({error.strerror}): name a file, or a version like gs://models/resnet50/42"
        ) from error


async def _send(sender: GoldenSender, rate: float, length: timedelta | None) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if length is not None:
        loop.call_later(length.total_seconds(), stop.set)
    async with sender:
        progress = asyncio.create_task(_tell(sender.so_far))
        try:
            await sender.run(rate, stop)
        finally:
            progress.cancel()
            with suppress(asyncio.CancelledError):
                await progress


async def _tell(so_far: Sent) -> None:
    began = time.monotonic()
    every = _SEEN_EVERY if sys.stderr.isatty() else _LOGGED_EVERY
    while True:
        await asyncio.sleep(every)
        click.echo(_told(so_far, time.monotonic() - began), err=True)


def _told(so_far: Sent, seconds: float) -> str:
    """All that is known, in one line."""
    took = format_duration(timedelta(seconds=max(1, round(seconds))))
    line = f"{grouped(so_far.sent)} sent in {took}: {grouped(so_far.answered.total())} answered"
    if by_version := {f"version {version}": count for version, count in so_far.answered.items() if version}:
        line += f" ({_each(Counter(by_version))})"
    line += f", {grouped(so_far.failed.total())} failed"
    if so_far.failed:
        line += f" ({_each(so_far.failed)})"
    if so_far.unsent:
        line += f", {grouped(so_far.unsent)} not sent (every connection waited; raise --connections)"
    half, most = so_far.latency(0.5), so_far.latency(0.99)
    if half is not None and most is not None:
        line += f"; half within {half * 1000:.1f} ms, 99 % within {most * 1000:.1f} ms"
    return line


def _each(counts: Counter[str]) -> str:
    return ", ".join(f"{name}: {grouped(count)}" for name, count in sorted(counts.items()))
