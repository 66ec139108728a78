"""`promoter doctor`: an installation from end to end, and the remedy for each thing that is wrong."""

from __future__ import annotations

import json
import sys
from collections import Counter

import click
from rich.table import Table
from rich.text import Text

from promoter.cli.options import console
from promoter.cli.wiring import patient, tells_errors, told
from promoter.doctor import argocd_checks, forge_checks, git_checks, metrics_checks, other_checks
from promoter.doctor.finding import Result, Status, examine

_CHECKS = (
    *git_checks.CHECKS,
    *forge_checks.CHECKS,
    *argocd_checks.CHECKS,
    *metrics_checks.CHECKS,
    *other_checks.CHECKS,
)
_MARKS = {Status.OK: ("ok", "green"), Status.UNTOLD: ("–", "dim"), Status.WARNING: ("warning", "yellow")}
_WIDTH = 140


@click.command()
@click.option(
    "--environment", "environments", multiple=True, metavar="NAME", help="Only this one; may be given several times."
)
@click.option("--json", "as_json", is_flag=True, help="For programs: one object on standard output.")
@click.option(
    "--try-rules",
    "scratch_branch",
    metavar="BRANCH",
    help="Push a forbidden change to this new branch, to see that the Git host refuses it; deleted again if not.",
)
@tells_errors
def doctor(*, environments: tuple[str, ...], as_json: bool, scratch_branch: str | None) -> None:
    """Check an installation from end to end, with the promoter's own settings.

    Git: it can be read, and a push can begin; commits are signed; every file parses. Argo CD: it has no known hole, the
    token may read Applications and nothing else, every model has one that follows Git. Prometheus: every served
    version's series are there, as often as the promoter is told. The forge: our account may write and administers
    nothing, and people's rights are told. Clocks, stores and preflights.

    Nothing is changed, except with --try-rules, which says itself what it pushes. What is found is said with a remedy.
    The exit status is 1 where anything has failed; warnings do not count. `–` is what cannot be told from here.

    \b
    In the cluster:  kubectl exec deploy/promoter -- promoter doctor
    """  # noqa: D301 - Click's mark for "leave these lines alone" is a real backspace
    looked_at = patient(told(), environments, scratch_branch)
    results = []
    for result in examine(_CHECKS, looked_at):
        if not as_json:
            _progress(result)
        results.append(result)
    if as_json:
        click.echo(json.dumps(_data(results), indent=2))
    else:
        _show(results)
    sys.exit(1 if any(result.status is Status.FAILURE for result in results) else 0)


def _progress(result: Result) -> None:
    """What is looked at, for a person who waits; not in a file or a pipe."""
    if sys.stderr.isatty():
        click.echo(f"\r{result.check.area}: {result.check.name} …\x1b[K", nl=False, err=True)


def _show(results: list[Result]) -> None:
    if sys.stderr.isatty():
        click.echo("\r\x1b[K", nl=False, err=True)
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    area = ""
    for result in results:
        for number, finding in enumerate(result.findings):
            mark, style = _MARKS.get(finding.status, ("FAILURE", "bold red"))
            text = Text(finding.what)
            if finding.remedy:
                text.append(f"\n→ {finding.remedy}", style="italic")
            check = result.check
            table.add_row(
                check.area if check.area != area else "", check.name if not number else "", Text(mark, style), text
            )
            area = check.area
    console(_WIDTH).print(table)
    counts = Counter(finding.status for result in results for finding in result.findings)
    click.echo(f"\n{counts[Status.FAILURE]} failed, {counts[Status.WARNING]} warnings, {counts[Status.OK]} ok")


def _data(results: list[Result]) -> dict[str, object]:
    return {
        "ok": all(result.status is not Status.FAILURE for result in results),
        "findings": [
            {
                "area": result.check.area,
                "check": result.check.name,
                "status": finding.status.value,
                "what": finding.what,
                "remedy": finding.remedy,
            }
            for result in results
            for finding in result.findings
        ],
    }
