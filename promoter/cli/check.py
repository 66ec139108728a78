"""`promoter check`: every file under environments/ parses, or where it does not."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from promoter.documents.policy_file import parse_policy
from promoter.documents.release_file import parse_release
from promoter.documents.yaml_text import parse
from promoter.domain.names import ENVIRONMENTS, RELEASE_FILE, ServedModel
from promoter.errors import InvalidDocument, InvalidInput


@click.command()
@click.argument("root", default=".", type=click.Path(exists=True, file_okay=False, path_type=Path))
def check(root: Path) -> None:
    """Every file under environments/ parses, or the file, the line and what to do.

    ROOT is the folder that holds environments/; a checkout of the environment repository.
    """
    folder = root / ENVIRONMENTS
    if not folder.is_dir():
        click.echo(f"error: {folder} does not exist: run this in a checkout of the environment repository", err=True)
        sys.exit(1)
    releases = sorted(folder.rglob(RELEASE_FILE))
    faults = [str(fault) for path in releases for fault in _faults(root, path)]
    faults += _same_names(root, releases)
    for fault in faults:
        click.echo(f"error: {fault}", err=True)
    models = f"{len(releases)} model{'' if len(releases) == 1 else 's'}"
    click.echo(f"{models} checked, {len(faults)} fault{'' if len(faults) == 1 else 's'}")
    sys.exit(1 if faults else 0)


def _faults(root: Path, release_file: Path) -> Iterator[InvalidInput]:
    try:
        served = ServedModel.from_folder(release_file.parent.relative_to(root).as_posix())
    except InvalidInput as error:
        yield error
        return
    for path, read in (
        (served.release_path, parse_release),
        (served.policy_path, parse_policy),
        (served.values_path, parse),
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


def _missing_upstream(root: Path, served: ServedModel) -> Iterator[InvalidInput]:
    try:
        upstream = parse_policy(_content(root, served.policy_path), served.policy_path).candidates.upstream
    except InvalidInput:
        return
    if upstream is None:
        return
    path = ServedModel(upstream, served.model, served.group).release_path
    if upstream == served.environment:
        yield InvalidDocument(served.policy_path, None, "an environment cannot be its own upstream", "Name another one")
    elif not (root / path).is_file():
        yield InvalidDocument(
            served.policy_path, None, f"its upstream has no {path}", "Name an environment that serves this model"
        )


def _same_names(root: Path, releases: list[Path]) -> list[str]:
    """Two groups of one environment share its namespace, so a model's name may stand there once."""
    seen: dict[tuple[str, str], str] = {}
    faults = []
    for path in releases:
        parts = path.parent.relative_to(root).as_posix().split("/")
        key = (parts[1] if len(parts) > 1 else "", parts[-1])
        folder = "/".join(parts)
        if key in seen:
            faults.append(f"{folder}: {seen[key]} has the same model name in the same environment; rename one of them")
        seen.setdefault(key, folder)
    return faults
