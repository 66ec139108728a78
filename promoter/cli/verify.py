"""`promoter verify`: what can be known about a version before it serves anybody."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import click
from rich.console import Console

from promoter.cli.options import Duration, needs_tensorflow, policy_at
from promoter.cli.wiring import tells_errors
from promoter.documents.preflight_report import preflight_html, preflight_json, preflight_markdown, preflight_text
from promoter.domain.preflight import CheckName, PreflightPolicy
from promoter.errors import InvalidInput

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_PAGE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("candidate")
@click.option("--stable", metavar="VERSION", help="The version to compare it with, as a folder or an address.")
@click.option("--policy", "policy_file", type=_FILE, help="A policy.yaml; its `preflight` is what counts here.")
@click.option("--golden", type=_FILE, help="Golden requests, instead of the version's own.")
@click.option("--time-limit", default="5m", show_default=True, type=Duration(), help="For everything together.")
@click.option(
    "--memory-limit",
    default=8192,
    show_default=True,
    metavar="MIB",
    type=click.IntRange(256),
    help="For the process of each version.",
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option("--markdown", type=_PAGE, help="Write a page in Markdown as well.")
@click.option("--html", type=_PAGE, help="Write a page in HTML as well.")
@tells_errors
def verify(
    *,
    candidate: str,
    stable: str | None,
    policy_file: Path | None,
    golden: Path | None,
    time_limit: timedelta,
    memory_limit: int,
    as_json: bool,
    markdown: Path | None,
    html: Path | None,
) -> None:
    """What can be known about a version before it serves anybody.

    CANDIDATE is the folder of one version, or its address (file:///models/resnet50/43). Its graph is looked through
    before anything is loaded; then it is loaded and asked in a process of its own, beside the stable version. Exit
    status 0: every check passed, or only warned. 1: one failed, and the version should not start a rollout.
    """
    needs_tensorflow()
    # They need packages that are not there for everybody.
    from promoter.preflight.verify import Budget  # noqa: PLC0415 - as above
    from promoter.preflight.verify import verify as verified  # noqa: PLC0415 - as above

    policy = PreflightPolicy() if policy_file is None else policy_at(policy_file).preflight
    budget = Budget(time_limit.total_seconds(), memory_limit << 20)
    console = Console(stderr=True)
    with console.status(f"verifying {candidate}") as status:
        found = verified(candidate, stable, policy, golden=golden, budget=budget, told=_teller(status.update))
    for path, page in ((markdown, preflight_markdown), (html, preflight_html)):
        if path is not None:
            _write(path, page(found))
    click.echo(preflight_json(found) if as_json else preflight_text(found), nl=False)
    sys.exit(0 if found.passed else 1)


def _teller(update: Callable[[str], None]) -> Callable[[CheckName], None]:
    return lambda name: update(f"checking {name}")


def _write(path: Path, page: str) -> None:
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise InvalidInput(f"{path} cannot be written ({error.strerror}): name another file") from error
