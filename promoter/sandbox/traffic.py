"""A traffic source: images at a steady rate over gRPC and REST, every failure counted by the version that answered.

It is open-loop: requests go out when they are due, whether or not earlier ones were answered, as the requests of many
users do. So a slow version is not spared by getting fewer requests, and latency counts from the moment a request was
due. It never tries a request again.

    python -m promoter.sandbox.traffic --target HOST:PORT --authority HOST --model NAME --results FILE
"""

from __future__ import annotations

import asyncio
import logging
import random
import signal
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import click

from promoter.domain.names import checked_name
from promoter.errors import InvalidName
from promoter.pacing import beats
from promoter.sandbox.traffic_requests import ImageRequest, build_requests
from promoter.sandbox.traffic_results import NOT_SENT, OK, ResultsFile, Tally
from promoter.sandbox.traffic_senders import Answer, Authorities, Sender, open_senders

_log = logging.getLogger("traffic")


class TrafficSource:
    """Sends on schedule and counts. `tally` may be taken at any time."""

    def __init__(
        self,
        requests: Sequence[ImageRequest],
        grpc_sender: Sender,
        rest_sender: Sender,
        *,
        rate: float,
        rest_share: float,
        max_in_flight: int,
    ) -> None:
        """rate: requests a second. rest_share: part of them over REST, 0 to 1, the rest goes over gRPC."""
        self.tally = Tally()
        self._requests = requests
        self._grpc_sender = grpc_sender
        self._rest_sender = rest_sender
        self._rate = rate
        self._rest_share = rest_share
        self._max_in_flight = max_in_flight
        self._in_flight: set[asyncio.Task[None]] = set()
        self._choice = random.Random(0)
        self._seen_failures: set[tuple[object, str]] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Send until `stop`, then wait for the answers that are still to come."""
        number = 0
        async for due in beats(self._rate, stop):
            self._send(due, number)
            number += 1
        if self._in_flight:
            await asyncio.wait(self._in_flight)

    def _send(self, due: float, number: int) -> None:
        if len(self._in_flight) >= self._max_in_flight:
            self._count(Answer(None, NOT_SENT, f"{self._max_in_flight} requests are without an answer"), due)
            return
        # True for as many numbers as the share asks for, evenly spread.
        over_rest = int((number + 1) * self._rest_share) > int(number * self._rest_share)
        sender = self._rest_sender if over_rest else self._grpc_sender
        task = asyncio.create_task(self._exchange(sender, self._choice.choice(self._requests), due))
        self._in_flight.add(task)
        task.add_done_callback(self._in_flight.discard)
        self.tally.count_sent()

    async def _exchange(self, sender: Sender, request: ImageRequest, due: float) -> None:
        self._count(await sender.send(request), due)

    def _count(self, answer: Answer, due: float) -> None:
        self.tally.count_answer(answer.version, answer.code, (time.monotonic() - due) * 1000)
        kind = (answer.version, answer.code)
        if answer.code != OK and kind not in self._seen_failures:
            self._seen_failures.add(kind)
            _log.warning("first %s answered by version %s: %s", answer.code, answer.version or "none", answer.details)


async def write_seconds(tally: Tally, results: ResultsFile) -> None:
    """Append a line at the end of every second of the wall clock, until cancelled; then one for what is left."""
    try:
        while True:
            now = time.time()
            second = int(now) + 1
            await asyncio.sleep(second - now)
            results.write(tally.take(second))
    finally:
        results.write(tally.take(round(time.time(), 3)))


@click.command(help="Send images to a model at a steady rate and count every failure.")
@click.option("--target", required=True, help="HOST:PORT of the proxy.")
@click.option("--authority", required=True, help="Host name to ask for, e.g. resnet50.production.")
@click.option("--grpc-authority", help="Host name to ask for over gRPC. [default: that of --authority]")
@click.option("--model", required=True, help="Name of the model.")
@click.option("--rate", default=80.0, show_default=True, type=click.FloatRange(0.1, 2000), help="Requests a second.")
@click.option("--rest-share", default=0.1, show_default=True, type=click.FloatRange(0, 1), help="Part over REST.")
@click.option("--results", required=True, type=click.Path(path_type=Path, dir_okay=False), help="File to append to.")
@click.option("--seconds", type=click.FloatRange(0.1), help="Stop after this time; else on SIGTERM.")
@click.option("--deadline", default=3.0, show_default=True, type=click.FloatRange(0.1, 60), help="Seconds per request.")
@click.option("--max-in-flight", default=500, show_default=True, type=click.IntRange(1), help="Requests at once.")
def main(
    *,
    target: str,
    authority: str,
    grpc_authority: str | None,
    model: str,
    rate: float,
    rest_share: float,
    results: Path,
    seconds: float | None,
    deadline: float,
    max_in_flight: int,
) -> None:
    """Run until stopped; a line of results a second, totals at the end."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    # One line for each request over REST, otherwise.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        requests = build_requests(checked_name(model, "model"))
    except InvalidName as error:
        raise click.BadParameter(str(error), param_hint="--model") from error

    async def send() -> None:
        async with AsyncExitStack() as stack:
            grpc_sender, rest_sender = await open_senders(
                stack, target, Authorities(grpc_authority or authority, authority), model, deadline
            )
            source = TrafficSource(
                requests, grpc_sender, rest_sender, rate=rate, rest_share=rest_share, max_in_flight=max_in_flight
            )
            await _run_until_stopped(source, ResultsFile(results), seconds)

    asyncio.run(send())


async def _run_until_stopped(source: TrafficSource, results: ResultsFile, seconds: float | None) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if seconds is not None:
        loop.call_later(seconds, stop.set)
    writer = asyncio.create_task(write_seconds(source.tally, results))
    # Traffic that nobody records is of no use: a full disk ends it.
    writer.add_done_callback(lambda _: stop.set())
    await source.run(stop)
    writer.cancel()
    with suppress(asyncio.CancelledError):
        await writer
    results.close()


if __name__ == "__main__":
    main()
