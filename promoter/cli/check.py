"""`promoter check`: every file under environments/ parses, or where it does not."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import click

from promoter.cli.check_golden import golden_doubts, golden_rates
from promoter.cli.check_traffic import Given, asked_of_traffic, warn
from promoter.cli.wiring import tells_errors
from promoter.decisions.upstreams import UpstreamCircle, way_to_store
from promoter.decisions.windows import least_duration, too_short
from promoter.documents.freeze_file import parse_freezes
from promoter.documents.holidays_file import parse_holidays
from promoter.documents.limits_file import parse_limits
from promoter.documents.policy_file import parse_policy
from promoter.documents.release_file import parse_release
from promoter.documents.values_file import golden_rate
from promoter.domain.duration import format_duration
from promoter.domain.freeze import EVERYTHING
from promoter.domain.names import ENVIRONMENTS, FREEZE_PATH, LIMITS_PATH, RELEASE_FILE, ServedModel
from promoter.domain.policy import CandidateSource
from promoter.errors import InvalidDocument, InvalidInput

# Longest names of a Service (63, less "-v" and any version) and of a Helm release.
_LONGEST_MODEL = 42
_LONGEST_APPLICATION = 53


@click.command()
@click.argument("root", default=".", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--prometheus",
    "url",
    metavar="URL",
    envvar="PROMOTER_PROMETHEUS_URL",
    show_envvar=True,
    help="Say as well which rollouts cannot end with the traffic that this server sees.",
)
@tells_errors
def check(root: Path, url: str | None) -> None:
    """Every file under environments/ parses, or the file, the line and what to do.

    ROOT is the folder that holds environments/; a checkout of the environment repository. What each policy asks of the
    traffic is said as well: with less, no rollout ends in the time that it gives.
    """
    folder = root / ENVIRONMENTS
    if not folder.is_dir():
        click.echo(f"error: {folder} does not exist: run this in a checkout of the environment repository", err=True)
        sys.exit(1)
    releases = sorted(folder.rglob(RELEASE_FILE))
    faults = [str(fault) for path in releases for fault in _faults(root, path)]
    faults += clashes(root, releases)
    faults += map(str, _freeze_faults(root, releases))
    faults += map(str, _limit_faults(root, releases))
    given = dict(_given(root, releases))
    faults += map(str, _window_faults(root, given))
    for fault in faults:
        click.echo(f"error: {fault}", err=True)
    for line in asked_of_traffic(given):
        click.echo(line)
    for line in golden_rates(given):
        click.echo(line)
    for warning in golden_doubts(given):
        click.echo(f"warning: {warning}", err=True)
    if url is not None:
        warn(given, url)
    models = f"{len(releases)} model{'' if len(releases) == 1 else 's'}"
    click.echo(f"{models} checked, {len(faults)} fault{'' if len(faults) == 1 else 's'}")
    sys.exit(1 if faults else 0)


def _given(root: Path, releases: list[Path]) -> Iterator[tuple[ServedModel, Given]]:
    """The models whose files say what is asked of the traffic."""
    for path in releases:
        with suppress(InvalidInput):
            served = ServedModel.from_folder(path.parent.relative_to(root).as_posix())
            policy = parse_policy(_content(root, served.policy_path), served.policy_path)
            release = parse_release(_content(root, served.release_path), served.release_path)
            yield served, Given(policy, release, golden_rate(_content(root, served.values_path), served.values_path))


def _faults(root: Path, release_file: Path) -> Iterator[InvalidInput]:
    try:
        served = ServedModel.from_folder(release_file.parent.relative_to(root).as_posix())
    except InvalidInput as error:
        yield error
        return
    yield from too_long(served)
    for path, read in (
        (served.release_path, parse_release),
        (served.policy_path, parse_policy),
        (served.values_path, golden_rate),
    ):
        try:
            read(_content(root, path), path)
        except InvalidInput as error:
            yield error
    yield from _missing_upstream(root, served)


def _content(root: Path, path: str) -> bytes:
    file = root / path
    if file.is_symlink():
        raise InvalidDocument(path, None, "is a link", "Put the file itself there")
    try:
        return file.read_bytes()
    except OSError as error:
        raise InvalidDocument(
            path, None, f"cannot be read ({error.strerror})", "Add it, or remove the folder"
        ) from error


def _freeze_faults(root: Path, releases: list[Path]) -> Iterator[InvalidInput]:
    """freeze.yaml does not parse, or freezes what is not there."""
    if not (root / FREEZE_PATH).exists():
        return
    folders = {path.parent.relative_to(root).as_posix().removeprefix(f"{ENVIRONMENTS}/") for path in releases}
    known = {EVERYTHING, *folders, *(folder.partition("/")[0] for folder in folders)}
    try:
        for freeze in parse_freezes(_content(root, FREEZE_PATH), FREEZE_PATH):
            if freeze.scope not in known:
                remedy = "Write all, an environment, or environment/model"
                yield InvalidDocument(FREEZE_PATH, None, f"it freezes {freeze.scope}, which is not there", remedy)
    except InvalidInput as error:
        yield error


def _limit_faults(root: Path, releases: list[Path]) -> Iterator[InvalidInput]:
    """limits.yaml does not parse, or limits what is not there."""
    if not (root / LIMITS_PATH).exists():
        return
    known = {path.relative_to(root).parts[1] for path in releases}
    try:
        for environment in parse_limits(_content(root, LIMITS_PATH), LIMITS_PATH):
            if environment not in known:
                remedy = f"Write one that is: {', '.join(sorted(known))}"
                yield InvalidDocument(LIMITS_PATH, None, f"it limits {environment}, which is not there", remedy)
    except InvalidInput as error:
        yield error


def _window_faults(root: Path, models: Mapping[ServedModel, Given]) -> Iterator[InvalidInput]:
    """A calendar does not parse, told once; or no rollout could end in any window of a policy."""
    now, calendars = datetime.now(UTC), {}
    for served, given in models.items():
        policy, path = given.policy, given.policy.holidays
        if not policy.windows:
            continue
        if path is not None and path not in calendars:
            try:
                calendars[path] = parse_holidays(_content(root, path), path, now.year)
            except InvalidInput as error:
                calendars[path] = ()
                yield error
        needed = least_duration(policy)
        barred = too_short(policy, calendars[path] if path else (), needed, now)
        if barred is not None:
            problem = f"windows: soak and guard are {format_duration(needed)}, and {barred}"
            yield InvalidDocument(served.policy_path, None, problem, "Until then nothing starts")


def _missing_upstream(root: Path, served: ServedModel) -> Iterator[InvalidInput]:
    """Its upstream does not serve the model, or all upstreams together lead to no store."""

    def source(one: ServedModel) -> CandidateSource:
        return parse_policy(_content(root, one.policy_path), one.policy_path).candidates

    with suppress(InvalidInput):
        upstream = source(served).upstream
        if upstream is None:
            return
        path = replace(served, environment=upstream).release_path
        if upstream == served.environment:
            problem = "an environment cannot be its own upstream"
            yield InvalidDocument(served.policy_path, None, problem, "Name another one")
        elif not (root / path).is_file():
            remedy = "Name an environment that serves this model"
            yield InvalidDocument(served.policy_path, None, f"its upstream has no {path}", remedy)
        else:
            # What else may be wrong with the files on the way is told where it is found.
            try:
                way_to_store(served, source)
            except UpstreamCircle as error:
                yield error


def too_long(served: ServedModel) -> Iterator[InvalidInput]:
    """Names that are valid here, but from which Kubernetes or Helm cannot make theirs."""
    if len(served.model) > _LONGEST_MODEL or not served.model[0].isalpha():
        problem = f"the model's name must begin with a letter and have at most {_LONGEST_MODEL} characters"
        yield InvalidDocument(
            served.folder, None, problem, "Its Services are called <model>-v<version>; rename the folder"
        )
    if len(served.application) > _LONGEST_APPLICATION:
        problem = f"its application would be called {served.application}, {len(served.application)} characters"
        yield InvalidDocument(served.folder, None, problem, f"Helm takes {_LONGEST_APPLICATION}; use shorter names")


def clashes(root: Path, releases: list[Path]) -> Iterator[str]:
    """Models that would share a namespace and a name, or an Argo CD application."""
    served = []
    for path in releases:
        with suppress(InvalidInput):
            served.append(ServedModel.from_folder(path.parent.relative_to(root).as_posix()))
    owners: dict[str, ServedModel] = {}
    for model in served:
        for key in (f"the application {model.application}", f"the name {model.model} in {model.environment}"):
            owner = owners.setdefault(key, model)
            if owner != model:
                yield f"{model.folder}: {owner.folder} has {key} already. Rename one of them"
                break
