"""`promoter sandbox demo`: versions good and bad, watched from their drop to their end."""

from __future__ import annotations

import json
import os
import shlex
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console

from promoter.cli.wiring import explainer, tells_errors
from promoter.control.explain import Explanation
from promoter.errors import Unavailable
from promoter.sandbox.demo.cast import characters
from promoter.sandbox.demo.closing import print_closing
from promoter.sandbox.demo.directory import DemoDirectory
from promoter.sandbox.demo.play import Play
from promoter.sandbox.demo.record import Record
from promoter.sandbox.demo.screen import screen_for
from promoter.sandbox.demo.stage import Stage, demo_policy
from promoter.sandbox.demo.summary import LEAST_RATE, as_json, shortcomings, summarise
from promoter.sandbox.supervisor import Sandbox, StoreKind
from promoter.settings import settings

_DEFAULT_DIRECTORY = Path("build/demo")
_DEFAULT_RATE = 80.0

# More than any demo makes.
_MOST_COMMITS = 1000

# What a file or a pipe gets: tables need some room.
_PLAIN_WIDTH = 140

STORE_HELP = (
    "Keep versions in a folder, or in Cloud Storage: an emulator of the sandbox's own, or the one that "
    "STORAGE_EMULATOR_HOST names."
)

# What the versions are dropped into.
_STORES = {StoreKind.FILE: "a model store", StoreKind.GS: "a bucket in a Cloud Storage emulator"}

_OPENING = """\
A cluster comes up on this machine: a Git remote, {store}, a sync agent that renders the real chart, a real Envoy,
a real Prometheus, and the promoter. Version 1 of an image classifier answers {rate:g} requests a second; then {count}
versions are dropped into the store, one after another, and you see what becomes of each.
The demo's policy asks for less proof than a shop would, so that you need not wait: an excess of failed requests of 2 %
is let through instead of 0.5 %, soak and guard take 10 s instead of minutes, and evidence is weighed every 5 s.
"""


@click.command()
@click.option(
    "--directory",
    type=click.Path(path_type=Path),
    default=_DEFAULT_DIRECTORY,
    show_default=True,
    help="Where everything is kept. What an earlier demo left there is removed.",
)
@click.option("--all", "every", is_flag=True, help="Every kind of version there is, not only three.")
@click.option(
    "--store",
    type=click.Choice([kind.value for kind in StoreKind]),
    default=StoreKind.FILE.value,
    show_default=True,
    help=STORE_HELP,
)
@click.option("--keep", is_flag=True, help="Leave the sandbox running at the end.")
@click.option(
    "--rate",
    type=click.FloatRange(min=1, max=2000),
    default=_DEFAULT_RATE,
    show_default=True,
    help=f"Requests per second; below {LEAST_RATE:g} the demo does not count as passed.",
)
@click.option(
    "--project",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path(),
    show_default="the current folder",
    help="The checkout whose charts/ the sandbox uses.",
)
@tells_errors
def demo(directory: Path, rate: float, project: Path, store: str, *, every: bool, keep: bool) -> None:
    """Watch versions end promoted or reverted, by commits.

    Leaves report.html, with pictures, and summary.json. Exit status 0 if every version ended as it must, no request
    failed because of a transition, at least 50 requests a second were sent, and every decision came out the same when
    it was computed again; else 1.
    """
    console = Console(width=None if sys.stdout.isatty() else _PLAIN_WIDTH)
    cast = characters(every=every)
    files = DemoDirectory.begin(directory)
    kind = StoreKind(store)
    opening = _OPENING.format(rate=rate, count=len(cast), store=_STORES[kind])
    console.print(opening, highlight=False, soft_wrap=True)
    sandbox = Sandbox.create(files.path, project=project, port_base=0, rate=rate, policy=demo_policy, store=kind)
    with _terminable(), _taken_down(sandbox, console, keep=keep), screen_for(console) as screen:
        try:
            stage = Stage(sandbox, files.models, screen)
            stage.set(cast)
            record = Play(stage, screen).run(cast)
            screen.wait("Computing every decision again, from Git and Prometheus")
            explained = _explained(sandbox)
        except Unavailable as error:
            raise Unavailable(f"{error}\nThe logs are in {_shown(sandbox.layout.logs)}") from error
    _conclude(console, files, record, explained, keep=keep)


def _explained(sandbox: Sandbox) -> tuple[Explanation, ...]:
    """Every decision of the run, as `promoter explain` computes it again. Prometheus has to be up still."""
    git, explaining = explainer(settings(sandbox.environment()))
    return explaining.explain_all(git.fetch(), _MOST_COMMITS)


def _conclude(
    console: Console, files: DemoDirectory, record: Record, explained: tuple[Explanation, ...], *, keep: bool
) -> None:
    """Write what is left, print the last page, and end the process with 1 where something was not as it must be."""
    from promoter.sandbox.report.page import write_report  # noqa: PLC0415 - half a second of import, for the end only

    summary = summarise(record, explained)
    files.summary.write_text(json.dumps(as_json(summary), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    write_report(files.report, record, summary)
    print_closing(console, summary, record.commits)
    console.print(f"\nThe report, with pictures: {_shown(files.report)}", highlight=False, soft_wrap=True)
    console.print(_next_steps(files.path, keep=keep), highlight=False, soft_wrap=True)
    if problems := shortcomings(summary):
        for problem in problems:
            console.print(f"[bold red]Not as it must be:[/] {problem}", highlight=False, soft_wrap=True)
        console.print(f"The logs are in {_shown(files.path / 'logs')}", highlight=False, soft_wrap=True)
        sys.exit(1)


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM ends the process as an interrupt at the keyboard does: by an exception, so that everything is undone."""
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _taken_down(sandbox: Sandbox, console: Console, *, keep: bool) -> Iterator[None]:
    """Whatever happens, the sandbox is down in the end, unless it is to be kept."""
    try:
        yield
    finally:
        if not keep:
            console.print("\nTaking the sandbox down; its files and logs stay", style="dim")
            sandbox.down()


def _next_steps(path: Path, *, keep: bool) -> str:
    folder = shlex.quote(_shown(path))
    steps = [
        ("promoter history", "the decisions, read from Git"),
        (f"git -C {folder}/remote.git show main~2", "one of them, with its evidence"),
        (f"promoter sandbox up --directory {folder} --traffic", "the cluster again, rebuilt from Git"),
    ]
    if keep:
        steps[1] = ("promoter explain main~2", "one of them, computed again from Prometheus")
        steps[2] = ("promoter status", "what is served, and what is waited for")
        steps.append((f"promoter sandbox down --directory {folder}", "stop it all"))
    width = max(len(command) for command, _ in steps)
    lines = [f"  {command:<{width}}   {purpose}" for command, purpose in steps]
    return "\n".join(["\nTry next:", f"  . {folder}/promoter.env", *lines])


def _shown(path: Path) -> str:
    """Relative to the current folder where it is below it."""
    absolute = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow the links of a virtual environment
    return str(absolute.relative_to(Path.cwd())) if absolute.is_relative_to(Path.cwd()) else str(absolute)
