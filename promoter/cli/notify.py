"""`promoter notify test`: does a message get to where the routes lead?"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from promoter.cli.options import content_of
from promoter.cli.wiring import messenger, tells_errors
from promoter.documents.notify_file import parse_routes
from promoter.domain.notice import Route, Severity
from promoter.errors import InvalidInput, MessageFailed
from promoter.settings import PREFIX, notify_file

_TITLE = "A trial message of the promoter"


@click.group()
def notify() -> None:
    """Notifications: what `promoter run` tells people without being asked."""


@notify.command()
@click.option("--route", "name", help="Only this route.")
@click.option("--file", type=click.Path(dir_okay=False, path_type=Path), help="Routes; PROMOTER_NOTIFY otherwise.")
@click.option("--dry-run", is_flag=True, help="Show what would be sent on which route, and send nothing.")
@tells_errors
def test(*, name: str | None, file: Path | None, dry_run: bool) -> None:
    """Send a trial message on each route, once, and say what became of it. Where a route leads is not shown.

    Exit status 1 where a message was not taken.
    """
    path = file or notify_file(os.environ)
    if path is None:
        raise InvalidInput(f"there are no routes: set {PREFIX}NOTIFY to the file of routes, or name it with --file")
    found = parse_routes(content_of(path, "Write it as docs/notifications.md says"), str(path)).routes
    routes = [route for route in found if name in (None, route.name)]
    if not routes:
        known = ", ".join(route.name for route in found) or "none"
        raise InvalidInput(f"{path} has no route {name}; there is {known}" if name else f"{path} has no routes")
    carrier = None if dry_run else messenger()
    failed = False
    for route in routes:
        text = f"Route {route.name} works. It takes notices of {_what(route)}."
        if carrier is None:
            click.echo(f"{route.name}: would send {_TITLE!r}: {text}")
            continue
        try:
            carrier.send(route, _TITLE, text, route.severity)
        except MessageFailed as error:
            failed = True
            click.echo(f"error: {error}", err=True)
        else:
            click.echo(f"{route.name}: sent")
    if failed:
        sys.exit(1)


def _what(route: Route) -> str:
    where = ", ".join(sorted(route.environments)) or "every environment"
    least = "any severity" if route.severity is Severity.INFO else f"severity {route.severity.name.lower()} or more"
    return f"{least} in {where}"
