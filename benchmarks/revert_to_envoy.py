"""From `promoter revert`, typed by a person, to weight 0 in the sandbox's Envoy.

One canary that nothing promotes, reverted and retried over and over. The clock starts with the command's process, and
stops when Envoy's own dump of its routes no longer names the canary. Where the sandbox cannot run, that is said.
"""

from __future__ import annotations

import io
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import httpx
from rich.console import Console

from benchmarks.figures import Figure, show
from promoter.errors import PromoterError
from promoter.sandbox.agent.envoy import route_weights
from promoter.sandbox.demo.cast import characters
from promoter.sandbox.demo.screen import PlainScreen
from promoter.sandbox.demo.stage import Stage
from promoter.sandbox.layout import SERVED, Layout
from promoter.sandbox.parts import clean_environment
from promoter.sandbox.supervisor import Sandbox

PROJECT = Path(__file__).parents[1]
LONGEST = 2.0
TRIALS = 5
RATE = 60
PATIENCE = 120.0
_POLL = 0.02


def main() -> int:
    """Measure, and print it beside the bar."""
    console = Console()
    console.print(f"\nRevert to Envoy: a sandbox, and a canary that a person reverts {TRIALS} times (3 minutes)")
    try:
        seconds = measured(TRIALS, console)
    except PromoterError as error:
        console.print(f"\n[bold red]REVERT TO ENVOY WAS NOT MEASURED[/] (bar: {LONGEST:g} s)")
        console.print(str(error), markup=False, soft_wrap=True)
        return 0
    except Overdue as error:
        console.print(f"\n[bold red]REVERT TO ENVOY: the measurement failed[/] (bar: {LONGEST:g} s): {error}")
        return 1
    return 0 if show(figures(seconds), console) else 1


def figures(seconds: list[float]) -> list[Figure]:
    """What `seconds`, one number a revert, come to."""
    name = f"`promoter revert` to weight 0 in Envoy, median of {len(seconds)}"
    return [Figure(name, statistics.median(seconds), LONGEST, "s"), Figure("the slowest", max(seconds), LONGEST, "s")]


def measured(trials: int, console: Console) -> list[float]:
    """Seconds from the command to the route, one number a revert. Raises Overdue; PromoterError without a sandbox."""
    dice = random.Random(20)  # noqa: S311 - it keeps no secret
    seconds = []
    with tempfile.TemporaryDirectory(prefix="promoter-bench-") as folder:
        directory = Path(folder)
        sandbox = Sandbox.create(directory, project=PROJECT, port_base=0, rate=RATE, policy=_endless)
        stage = Stage(sandbox, directory / "models", PlainScreen(Console(file=io.StringIO())))
        with sandbox:
            good = characters(every=False)[0]
            stage.set([good])
            stage.drop(good)
            for trial in range(trials):
                _until(lambda: _destinations(sandbox.layout) > 1, "the canary gets requests")
                # Polls and passes have periods of their own, which the trials must not keep step with.
                time.sleep(dice.uniform(0, 3))
                began = time.monotonic()
                _says(sandbox, "revert", SERVED.model, "--reason", "the clock runs")
                typed = time.monotonic() - began
                _until(lambda: _destinations(sandbox.layout) == 1, "Envoy's route has the stable version alone")
                seconds.append(time.monotonic() - began)
                console.print(f"  {trial + 1} of {trials}: {seconds[-1]:.2f} s, of which the command {typed:.2f} s")
                _says(sandbox, "retry", SERVED.model, "--version", str(good.version), "--reason", "once more")
    return seconds


class Overdue(Exception):
    """Something that must come did not."""


def _endless(layout: Layout) -> str:
    """policy.yaml of a rollout that begins at once and does not end while it is measured."""
    return f"""\
candidates: {{store: "{layout.model_store_url}"}}
evidence: {{margin: 0.03, interval: 3s}}
ramp: {{budget: 8, max_weight: 50}}
soak: 1h
max_blind: 30s
preflight: {{warn: [latency]}}
"""


def _says(sandbox: Sandbox, *words: str) -> None:
    """A verb, as a person types it."""
    command = [sys.executable, "-m", "promoter", *words, "--author", "Ada <ada@example.com>"]
    environment = {**clean_environment(), **sandbox.environment(), "GIT_CONFIG_GLOBAL": os.devnull}
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise Overdue(f"`promoter {' '.join(words)}`: {done.stderr.strip()}")


def _destinations(layout: Layout) -> int:
    """How many versions get requests, by Envoy's own word; 0 where it says nothing."""
    try:
        dump = httpx.get(f"{layout.envoy_admin_url}/config_dump?resource=dynamic_route_configs", timeout=5).json()
    except httpx.HTTPError:
        return 0
    return max((len(weights) for weights in route_weights(dump).values()), default=0)


def _until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > deadline:
            raise Overdue(f"{what}: not within {PATIENCE:g} s")
        time.sleep(_POLL)


if __name__ == "__main__":
    sys.exit(main())
