"""`promoter forecast`: what to expect of the next rollout, from live traffic."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from promoter.cli.options import calibration_data, console, needs_matplotlib, write_picture
from promoter.cli.wiring import known_head, observer, ports, tells_errors, told
from promoter.control.live_forecast import live_forecast
from promoter.domain.duration import format_duration
from promoter.domain.figures import grouped, per_second, percent
from promoter.domain.forecast import Ending, ExpectedCourse, Forecast
from promoter.domain.names import ENVIRONMENTS, ServedModel
from promoter.domain.policy import RolloutPolicy, Traffic
from promoter.domain.repository import Revision
from promoter.errors import InvalidInput
from promoter.ports import Repository

_PLAIN_WIDTH = 120

# So many are told to somebody who misspelt one.
_MOST_NAMES = 20


@click.command()
@click.argument("model")
@click.option("--environment", required=True, help="Where it is served.")
@click.option("--svg", type=click.Path(dir_okay=False, path_type=Path), help="Draw a picture into this file.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object for programs.")
@tells_errors
def forecast(*, model: str, environment: str, svg: Path | None, as_json: bool) -> None:
    """What to expect of the next rollout of MODEL (or GROUP/MODEL): its weights, how long, and what a bad one costs.

    The rules that run live are walked with the traffic of the last minute and stable's last hour, for a version that
    fails as often as stable does, and for versions that fail 0.2, 0.5, 1, 5 and 50 % of their requests. Chance makes
    real rollouts somewhat faster or slower. Latency is left out: nobody knows it before.

    Looks at Git, Argo CD and Prometheus, and writes nothing.
    """
    if svg is not None:
        needs_matplotlib()
    given = told()
    real = ports(given)
    served = ServedModel.from_folder(f"{ENVIRONMENTS}/{environment}/{model}")
    head = known_head(real.repository)
    _check_there(real.repository, head, served)
    seen = observer(given, real).read(served, head)
    expected = live_forecast(real, seen, datetime.now(UTC).replace(microsecond=0))
    if svg is not None:
        from promoter.pictures.forecast import picture  # noqa: PLC0415 - half a second, for those who want one

        write_picture(svg, picture(str(served), expected))
    if as_json:
        click.echo(json.dumps(_document(served, expected, seen.policy), ensure_ascii=False))
        return
    _print(served, expected, seen.policy)
    if svg is not None:
        click.echo(f"\nThe picture: {svg}")


def _check_there(repository: Repository, head: Revision, served: ServedModel) -> None:
    models = repository.inventory(head).models
    if served not in models:
        known = ", ".join(map(str, models[:_MOST_NAMES])) or "none"
        more = ", …" if len(models) > _MOST_NAMES else ""
        raise InvalidInput(f"there is no model {served}; those in scope are: {known}{more}")


def _document(served: ServedModel, expected: Forecast, policy: RolloutPolicy) -> dict[str, Any]:
    """What --json prints: seconds, ratios from 0 to 1, weights in percent."""
    return {
        "environment": served.environment,
        "group": served.group,
        "model": served.model,
        "requests_per_second": expected.rate,
        "base_error_ratio": expected.base,
        "calibration": calibration_data(expected.calibration),
        "good": _course(expected.good) | {"seconds_to_stable": _to_stable(expected.good, policy)},
        "bad": [_course(course) for course in expected.bad],
        "need": asdict(expected.need),
        "cannot_end": expected.barred,
    }


def _course(course: ExpectedCourse) -> dict[str, Any]:
    return {
        "error_ratio": course.ratio,
        "ends": course.ending.value,
        "seconds": course.seconds,
        "failed_requests": round(course.failed, 1),
        "extra_failed_requests": round(course.extra, 1),
        "least_failed_requests": None if course.least is None else round(course.least, 2),
        "weights": [{"seconds": at, "weight": weight} for at, weight in course.weights],
    }


def _to_stable(course: ExpectedCourse, policy: RolloutPolicy) -> float | None:
    """Until the version is stable; None where it does not get there."""
    return course.seconds + policy.guard.total_seconds() if course.ending is Ending.PROMOTED else None


def _print(served: ServedModel, expected: Forecast, policy: RolloutPolicy) -> None:
    screen = console(_PLAIN_WIDTH)
    golden = "golden " if policy.traffic is Traffic.GOLDEN else ""
    screen.print(
        f"{served}: {per_second(expected.rate)} {golden}requests a second, {percent(expected.base)} of stable's fail. "
        f"Evidence: {expected.calibration.reason}.\n"
    )
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    table.add_column("a version that fails", no_wrap=True, header_style="dim")
    table.add_column("ends", no_wrap=True, header_style="dim")
    table.add_column("after", justify="right", no_wrap=True, header_style="dim")
    table.add_column("failed requests", justify="right", no_wrap=True, header_style="dim")
    table.add_column("at least", justify="right", no_wrap=True, header_style="dim")
    table.add_column("weights", header_style="dim", ratio=1)
    for course in (expected.good, *expected.bad):
        table.add_row(*_row(course, "as stable does" if course is expected.good else percent(course.ratio)))
    screen.print(table)
    screen.print(
        "\nFailed requests are those beyond what stable would have failed; at least so many any rule needs to tell. "
        "Times begin at the first weight.",
        soft_wrap=True,
    )
    if (stable_after := _to_stable(expected.good, policy)) is not None:
        screen.print(
            f"A good version is stable after {format_duration(timedelta(seconds=stable_after))}, guard included."
        )
    if expected.barred is not None:
        screen.print(Text(f"\nAs things stand {expected.barred}.", style="bold red"))


def _row(course: ExpectedCourse, name: str) -> Iterator[Text]:
    yield Text(name)
    yield Text({Ending.PROMOTED: "promoted", Ending.REVERTED: "reverted"}.get(course.ending, "undecided"))
    yield Text(format_duration(timedelta(seconds=course.seconds)))
    yield Text(grouped(max(0, round(course.extra))))
    yield Text("–" if course.least is None else f"{course.least:.1f}")
    yield Text(", ".join(f"{weight}" for _, weight in course.weights) + " %")
