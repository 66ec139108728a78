"""`promoter report`: the page of one rollout."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from promoter.cli.history import models_named
from promoter.cli.options import needs, traits_options
from promoter.cli.wiring import known_head, repository, tells_errors
from promoter.domain.measurements import ProxyMetrics
from promoter.domain.observation import ClusterTraits
from promoter.domain.version import ModelVersion
from promoter.errors import InvalidInput
from promoter.ports import Metrics
from promoter.settings import PREFIX, git_remote


@click.command()
@click.argument("model")
@click.option("--environment", help="Where it is served; need not be said where that is one place only.")
@click.option("--version", "number", type=click.IntRange(1), help="Which version's rollout; the newest one otherwise.")
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), help="The file; MODEL-VERSION.html here otherwise."
)
@click.option(
    "--prometheus",
    "url",
    metavar="URL",
    envvar=f"{PREFIX}PROMETHEUS_URL",
    show_envvar=True,
    help="Takes the counts from there. Without it the page shows what the commits tell, and says so.",
)
@click.option(
    "--proxy-metrics",
    type=click.Choice([kind.value for kind in ProxyMetrics]),
    envvar=f"{PREFIX}PROXY_METRICS",
    default=ProxyMetrics.NONE.value,
    show_default=True,
    help="Whose counters of requests Prometheus holds beside the servers' own.",
)
@traits_options
@tells_errors
def report(
    *,
    model: str,
    environment: str | None,
    number: int | None,
    output: Path | None,
    url: str | None,
    proxy_metrics: str,
    scrape_interval: timedelta,
    reaction_time: timedelta,
) -> None:
    """One HTML page about a rollout of MODEL (or GROUP/MODEL): what happened, why, pictures, and the commits.

    The page is one file, light or dark as its reader's screen, and asks no network for anything: it can be mailed, and
    attached to an incident. Its commits are links where the repository's host shows them.

    \b
    promoter report ranker --environment production
    promoter report ranker --environment production --version 43 --output 43.html

    Git is read, Prometheus is asked for the counts of that time, and nothing is written but the file.
    """  # noqa: D301 - Click's mark for "leave these lines alone" is a real backspace
    needs("pictures", "the report needs matplotlib and Jinja2", "matplotlib", "jinja2")
    # They take half a second, and are not there for everybody.
    from promoter.report.gather import gather  # noqa: PLC0415 - as above
    from promoter.report.links import commit_page  # noqa: PLC0415 - as above
    from promoter.report.page import page  # noqa: PLC0415 - as above

    def prometheus() -> Metrics:
        # The adapter is for those who ask a server.
        from promoter.adapters.prometheus import PrometheusMetrics  # noqa: PLC0415 - as above

        return PrometheusMetrics(url or "", proxy=ProxyMetrics(proxy_metrics))

    git = repository()
    head = known_head(git)
    found = models_named(git, head, model, environment)
    if len(found) > 1:
        where = ", ".join(map(str, found))
        raise InvalidInput(f"{model} is several: {where}: say which with --environment, or as GROUP/MODEL")
    now = datetime.now(UTC).replace(microsecond=0)
    known = gather(
        git,
        head,
        found[0],
        None if number is None else ModelVersion(number),
        prometheus if url else None,
        traits=ClusterTraits(scrape_interval=scrape_interval, reaction_time=reaction_time),
        now=now,
    )
    text = page(known, commit_page(git_remote(os.environ).url), now)
    path = output or Path(f"{found[0].model}-{known.rollout.version}.html")
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InvalidInput(f"{path} cannot be written ({error.strerror}): name another file with --output") from error
    for line in known.missing:
        click.echo(f"note: {line}", err=True)
    click.echo(f"The report of {found[0]} {known.rollout.version}: {path}")
