"""Parameters that several commands share: how they are written, and what is wrong with others."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

import click
from rich.console import Console

from promoter.documents.policy_file import parse_policy
from promoter.domain.calibration import Calibration
from promoter.domain.duration import format_duration, parse_duration
from promoter.domain.observation import ClusterTraits
from promoter.domain.policy import RolloutPolicy
from promoter.errors import InvalidDocument, InvalidInput

_Command = TypeVar("_Command", bound=Callable[..., object])


class Ratio(click.ParamType[float]):
    """A share of requests: `0.001` or `0.1%`."""

    name = "ratio"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        text = str(value).strip()
        try:
            ratio = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        except ValueError:
            ratio = -1.0
        if not 0 <= ratio <= 1:
            self.fail(f"{text!r} is no share of requests: write it like 0.001 or 0.1%", param, ctx)
        return ratio


class Duration(click.ParamType[timedelta]):
    """A duration as policies write it: `5s`, `1m`."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        if isinstance(value, timedelta):
            return value
        try:
            return parse_duration(str(value))
        except InvalidInput as error:
            self.fail(str(error), param, ctx)


class Moment(click.ParamType[datetime]):
    """A moment: seconds since the epoch, or `2026-11-24T12:00:00Z`; UTC where it names no zone."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        text = str(value).strip()
        try:
            if text.replace(".", "", 1).isdecimal() and text.isascii():
                return datetime.fromtimestamp(float(text), UTC)
            moment = datetime.fromisoformat(text)
        except (ValueError, OverflowError, OSError):
            self.fail(f"{text[:40]!r} is no time: write it like 2026-11-24T12:00:00Z or 1795521600", param, ctx)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def policy_option(command: _Command) -> _Command:
    """`--policy FILE`, given to the command as `policy_file`."""
    return click.option(
        "--policy",
        "policy_file",
        required=True,
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="A policy.yaml.",
    )(command)


def traits_options(command: _Command) -> _Command:
    """`--scrape-interval` and `--reaction-time`, which elsewhere the promoter's settings say."""
    usual = ClusterTraits()
    scrape = click.option(
        "--scrape-interval",
        type=Duration(),
        default=format_duration(usual.scrape_interval),
        show_default=True,
        help="How often Prometheus reads the pods.",
    )
    reaction = click.option(
        "--reaction-time",
        type=Duration(),
        default=format_duration(usual.reaction_time),
        show_default=True,
        help="From a fault to the moment when a new weight is live; goes into the ramp.",
    )
    return scrape(reaction(command))


def policy_at(path: Path) -> RolloutPolicy:
    """The policy in a file. Raises InvalidDocument."""
    return parse_policy(content_of(path, "Name a policy.yaml"), str(path))


def content_of(path: Path, remedy: str) -> bytes:
    """A file's bytes. Raises InvalidDocument, with what to do, where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidDocument(str(path), None, f"cannot be read ({error.strerror})", remedy) from error


def needs(extra: str, what: str, *packages: str) -> None:
    """Raises InvalidInput, with what to install, where one of `packages` is not there. what: needs them, for people."""
    if any(find_spec(name) is None for name in packages):
        raise InvalidInput(f"{what}: pip install 'promoter[{extra}]'")


def needs_tensorflow() -> None:
    """Raises InvalidInput where the extra `verify` is not installed."""
    needs("verify", "this needs TensorFlow", "tensorflow", "tensorflow_serving", "numpy", "ml_dtypes")


def warm_up(directory: Path, model: str) -> None:
    """Put warm-up requests made of the golden ones into the version in `directory`, and say so. Raises InvalidInput."""
    needs_tensorflow()
    # It needs packages that are not there for everybody.
    from promoter.preflight.warmup import add_warmup  # noqa: PLC0415 - as above

    count = add_warmup(directory, model)
    if count is None:
        click.echo(f"{directory} has warm-up requests of its own: they are kept", err=True)
    else:
        click.echo(f"{directory} has {count} warm-up request{'' if count == 1 else 's'} now", err=True)


def needs_model_signing() -> None:
    """Raises InvalidInput where the extra `signing` is not installed."""
    needs("signing", "signatures need model-signing", "model_signing", "OpenSSL")


def needs_hera() -> None:
    """Raises InvalidInput where the extra `workflows` is not installed."""
    needs("workflows", "preflights as workflows need Hera", "hera")


def needs_matplotlib() -> None:
    """Raises InvalidInput where the extra `pictures` is not installed."""
    needs("pictures", "pictures need matplotlib", "matplotlib")


def console(width: int) -> Console:
    """Standard output, `width` letters wide where it is no terminal: what a file or a pipe gets must have room."""
    return Console(highlight=False, width=None if Console().is_terminal else width)


def calibration_data(calibration: Calibration) -> dict[str, object]:
    """How the counts are weighed, for programs: `interval` in seconds, bounds in microseconds."""
    return {
        "bet": calibration.bet.value,
        "kappa": calibration.kappa,
        "phi": calibration.phi,
        "interval": calibration.interval.total_seconds(),
        "bounds_us": list(calibration.bounds_us),
        "reason": calibration.reason,
    }


def write_picture(path: Path, svg: str) -> None:
    """Put an SVG into a file. Raises InvalidInput where that cannot be."""
    try:
        path.write_text(svg, encoding="utf-8")
    except OSError as error:
        raise InvalidInput(f"{path} cannot be written ({error.strerror}): name another file with --svg") from error
