"""`promoter sandbox`: a cluster on one machine, up, looked at, broken and down again."""

from __future__ import annotations

import json
import shlex
import signal
from collections.abc import Iterable
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from promoter.cli.wiring import tells_errors
from promoter.domain.application import Application

try:
    from promoter.cli.demo import STORE_HELP, demo
    from promoter.sandbox.layout import DEFAULT_PORT_BASE
    from promoter.sandbox.parts import PARTS, TRAFFIC
    from promoter.sandbox.records import read_record
    from promoter.sandbox.supervisor import DEFAULT_RATE, PartStatus, Sandbox, StoreKind
except ModuleNotFoundError as error:
    raise click.ClickException(
        f"the sandbox needs {error.name}, which is not installed: install promoter with its extra `sandbox`"
    ) from error

DEFAULT_DIRECTORY = Path("build/sandbox")

_directory = click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    default=DEFAULT_DIRECTORY,
    show_default=True,
    help="The sandbox's folder.",
)
_part = click.argument("part", type=click.Choice(PARTS))


@click.group()
def sandbox() -> None:
    """A cluster on one machine: the product as it is, with only the cluster replaced.

    A bare Git repository is the remote, and a folder or a Cloud Storage emulator the model store. A sync agent renders
    the real charts and carries them out: model servers, a real Envoy, a real Prometheus. Linux only.
    """


sandbox.add_command(demo)


@sandbox.command()
@_directory
@click.option(
    "--project",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path(),
    show_default="the current folder",
    help="The checkout whose charts/ the sandbox uses.",
)
@click.option(
    "--port-base",
    type=click.IntRange(0, 65526),
    default=DEFAULT_PORT_BASE,
    show_default=True,
    help="The first of ten ports in a row; 0 takes free ones.",
)
@click.option(
    "--rate",
    type=click.FloatRange(min=0, min_open=True, max=2000),
    default=DEFAULT_RATE,
    show_default=True,
    help="Requests per second of the traffic source.",
)
@click.option(
    "--store",
    type=click.Choice([kind.value for kind in StoreKind]),
    show_default="the one that is there, and file where none is",
    help=STORE_HELP,
)
@click.option("--traffic/--no-traffic", help="Send requests at once, before a version is there to answer them.")
@tells_errors
def up(directory: Path, project: Path, port_base: int, rate: float, store: str | None, *, traffic: bool) -> None:
    """Bring the sandbox up, in the background.

    What an earlier one in the same folder left running is ended first; its Git remote and its model store are
    kept. Remove the folder to begin anew.
    """
    kind = None if store is None else StoreKind(store)
    made = Sandbox.create(directory, project=project, port_base=port_base, rate=rate, store=kind, progress=click.echo)
    made.up([part for part in PARTS if traffic or part != TRAFFIC])
    click.echo(_next_steps(made, directory))


@sandbox.command()
@_directory
@tells_errors
def down(directory: Path) -> None:
    """Stop everything; files and logs stay. May be said twice."""
    if read_record(directory) is None:
        click.echo(f"no sandbox was brought up in {directory}")
        return
    Sandbox.open(directory, progress=click.echo).down()
    click.echo("nothing of the sandbox runs any more")


@sandbox.command()
@_directory
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@tells_errors
def status(directory: Path, *, as_json: bool) -> None:
    """What runs, where it listens and logs, and the pods."""
    opened = _open(directory)
    parts, application = opened.status(), opened.application()
    if as_json:
        click.echo(json.dumps({"parts": _parts_json(parts), "pods": _pods_json(application)}, indent=2))
    else:
        _print_tables(opened, parts, application)


@sandbox.command()
@_directory
@_part
@tells_errors
def start(directory: Path, part: str) -> None:
    """Start one part, as it was when the sandbox came up."""
    _open(directory).start(part)


@sandbox.command()
@_directory
@_part
@tells_errors
def stop(directory: Path, part: str) -> None:
    """Ask one part to end."""
    _open(directory).stop(part)


@sandbox.command()
@_directory
@_part
@tells_errors
def kill(directory: Path, part: str) -> None:
    """End one part as a crash would, by SIGKILL."""
    _open(directory).kill(part)


@sandbox.command()
@_directory
@tells_errors
def env(directory: Path) -> None:
    """Settings with which `promoter` looks at it.

    For a shell: eval "$(promoter sandbox env)"
    """
    click.echo(_open(directory).shell_lines(), nl=False)


def _open(directory: Path) -> Sandbox:
    return Sandbox.open(directory, progress=click.echo)


def _next_steps(made: Sandbox, directory: Path) -> str:
    layout = made.layout
    here = "" if directory == DEFAULT_DIRECTORY else f" --directory {shlex.quote(str(directory))}"
    return f"""
The sandbox is up. A model's first version becomes stable at once; each later one becomes a canary.

  # Let `promoter` look at this sandbox, in this shell
  eval "$(promoter sandbox env{here})"
  # Drop a version, a folder with a SavedModel, into the store
  promoter publish FOLDER {layout.model_store_url}
  # Send requests through Envoy, at {layout.envoy_address}
  promoter sandbox start traffic{here}
  # See what is served and what is waited for, and then every weight as a commit
  promoter status
  git -C {layout.remote} log main
  # Stop it all
  promoter sandbox down{here}
"""


def _parts_json(parts: Iterable[PartStatus]) -> list[dict[str, object]]:
    return [
        {
            "name": part.name,
            "state": part.state,
            "pid": part.pid,
            "exit_status": part.exit_status,
            "url": part.url or None,
            "log": str(part.log),
        }
        for part in parts
    ]


def _pods_json(application: Application | None) -> list[dict[str, object]] | None:
    """The pods, None where the agent does not answer."""
    if application is None:
        return None
    return [
        {"name": pod.name, "version": deployment.version.number, "ready": pod.ready, "reason": pod.reason}
        for deployment in application.deployments
        for pod in deployment.pods
    ]


def _print_tables(opened: Sandbox, parts: Iterable[PartStatus], application: Application | None) -> None:
    console = Console()
    processes = Table("part", "state", "pid", "url", box=None)
    for part in parts:
        pid = "" if part.pid is None else str(part.pid)
        processes.add_row(part.name, _state(part), pid, part.url)
    console.print(processes)
    console.print(f"\nLogs: {opened.layout.logs}", soft_wrap=True)
    if application is None:
        console.print("\nThe agent does not answer, so the pods are not known.")
        return
    pods = Table("pod", "version", "ready", "state", box=None)
    for deployment in application.deployments:
        for pod in deployment.pods:
            pods.add_row(pod.name, str(deployment.version), "yes" if pod.ready else "no", pod.reason)
    console.print()
    console.print(pods if pods.row_count else "No pods: no version is served yet.")


def _state(part: PartStatus) -> str:
    """`running`, `stopped`, or how it died."""
    if part.exit_status is None:
        return part.state
    number = part.exit_status - 128
    if number in signal.valid_signals():
        return f"{part.state} ({signal.Signals(number).name})"
    return f"{part.state} (exit status {part.exit_status})"
