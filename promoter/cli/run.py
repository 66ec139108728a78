"""`promoter run` and `promoter once`."""

from __future__ import annotations

import signal
import sys
import threading
from contextlib import ExitStack
from datetime import UTC, datetime

import click
from prometheus_client import CollectorRegistry

from promoter.cli.drafts import show_draft
from promoter.cli.wiring import (
    approvals,
    comments,
    lease,
    notifier,
    reconciler,
    repository,
    statuses,
    tells_errors,
    told,
)
from promoter.control.beside import Beside
from promoter.control.loop import LONGEST_BACKOFF, Audience, Loop
from promoter.control.notifier import Notifier
from promoter.control.reconcile import Reconciler, Survey
from promoter.domain.action import Hold
from promoter.logs import set_up
from promoter.settings import Settings
from promoter.telemetry import Endpoints, Health, PassMetrics, Webhook, serve


@click.command()
@tells_errors
def run() -> None:
    """Watch and act, pass after pass, until stopped (SIGTERM, SIGINT).

    Events go to standard error, one a line. Killing it at any moment is safe: it remembers nothing
    that is not in Git.

    With PROMOTER_LISTEN it tells of itself over HTTP: /healthz, /readyz, /metrics, and /webhook with
    PROMOTER_WEBHOOK_SECRET_FILE. With PROMOTER_LEASE several of
    them may run in a cluster, and one makes the passes.
    """
    given = told()
    set_up(given.log_format)
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    with ExitStack() as open_until_the_end:
        leadership = None if given.lease is None else open_until_the_end.enter_context(lease(given.lease).kept())
        if given.listen is None:
            passes = reconciler(given)
            people = _people(given, passes, open_until_the_end)
            Loop(passes, given.pass_interval, leadership=leadership, audiences=people).run(stop)
            return
        metrics = PassMetrics(CollectorRegistry())
        health = Health(max(given.pass_interval, LONGEST_BACKOFF), given.slowest_pass)
        reachable = (lambda: None) if leadership is None else leadership.unreachable
        woken = threading.Event()
        webhook = None if given.webhook_secret_file is None else Webhook(given.webhook_secret_file, woken.set)
        endpoints = Endpoints(health.stalled, lambda: health.unready() or reachable(), metrics.registry, webhook)
        open_until_the_end.enter_context(serve(endpoints, given.listen.host, given.listen.port))
        passes = reconciler(given, metrics=metrics)
        audiences: tuple[Audience, ...] = (health, metrics, *_people(given, passes, open_until_the_end))
        Loop(passes, given.pass_interval, leadership=leadership, audiences=audiences, woken=woken).run(stop)


def _people(given: Settings, passes: Reconciler, open_until_the_end: ExitStack) -> tuple[Audience, ...]:
    """Who tells and hears people, each in a thread of its own: a forge that hangs keeps no pass waiting."""
    asking = approvals(given)
    telling = notifier(given, passes.repository, asking.address_of)
    people: tuple[Notifier | Beside, ...] = () if telling is None else (telling,)
    people = (
        *people,
        *(Beside(one, "statuses") for one in statuses(given)),
        Beside(asking, "approvals"),
        *(Beside(one, "comments") for one in comments(given)),
    )
    for one in people:
        one.start()
        open_until_the_end.callback(one.stop)
    return people


@click.command()
@click.option("--dry-run", is_flag=True, help="Show the commit that this pass would make, and make none.")
@tells_errors
def once(*, dry_run: bool) -> None:
    """One pass: observe, decide, act. Where it begins a preflight, it waits for the result and makes one more.

    Exit status 0 if the pass ended, whatever it decided; 1 if a peer that it cannot do without did not answer,
    if the push failed, or if a model's files do not parse.
    """
    given = told()
    set_up(given.log_format)
    passes = reconciler(given)
    survey = _pass(passes, dry_run=dry_run)
    # They end with this process, and what they find is what it was started for.
    while passes.settle():
        survey = _pass(passes, dry_run=dry_run)
    if not dry_run:
        approvals(given).keep(survey)
        for listening in comments(given):
            listening.keep(survey)
    if survey.misnamed or any(verdict.seen is None for verdict in survey.verdicts):
        sys.exit(1)


def _pass(passes: Reconciler, *, dry_run: bool) -> Survey:
    survey = passes.survey(datetime.now(UTC).replace(microsecond=0))
    for verdict in survey.verdicts:
        click.echo(f"{verdict.served}: {verdict.action.reason}")
    if dry_run:
        _show(survey)
    elif survey.stale is not None:
        click.echo(f"error: {survey.stale}; nothing was pushed", err=True)
        sys.exit(1)
    else:
        pushed = passes.act(survey)
        nothing = f"not on the branch yet: {passes.waiting}" if passes.waiting else "nothing to push"
        click.echo(f"pushed {pushed.revision}" if pushed else nothing)
    return survey


def _show(survey: Survey) -> None:
    """The commit that the pass would make, or that there is none."""
    if survey.draft is None:
        held = all(isinstance(verdict.action, Hold) for verdict in survey.verdicts)
        click.echo("no commit would be made" if held else "no commit would be made: the files say it already")
        return
    show_draft(repository(), survey.draft)
