"""`promoter verify`: what can be known about a version before it serves anybody."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import click
from rich.console import Console

from promoter.cli.options import Duration, content_of, policy_at
from promoter.cli.verifying import Wanted, verified
from promoter.cli.wiring import tells_no_verdict
from promoter.documents.preflight_report import preflight_html, preflight_json, preflight_markdown, preflight_text
from promoter.documents.values_file import max_batch_size
from promoter.domain.completeness import ByManifest, Completeness
from promoter.domain.preflight import PreflightPolicy
from promoter.errors import InvalidInput
from promoter.settings import model_public_key

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_PAGE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("candidate")
@click.option("--stable", metavar="VERSION", help="The version to compare it with, as a folder or an address.")
@click.option(
    "--policy",
    "policy_file",
    type=_FILE,
    help="A policy.yaml; its `preflight` and `candidates.complete` are what counts here.",
)
@click.option(
    "--values",
    "values_files",
    type=_FILE,
    multiple=True,
    help="The model's values.yaml: its `batching` says how large batches are, unless the policy does. May be repeated "
    "as with Helm, the chart's own first.",
)
@click.option("--golden", type=_FILE, help="Golden requests, instead of the version's own.")
@click.option(
    "--public-key",
    type=_FILE,
    help="The key that the version has to be signed with. Without it, PROMOTER_MODEL_PUBLIC_KEY.",
)
@click.option(
    "--time-limit",
    default="5m",
    show_default=True,
    type=Duration(),
    help="For the checks together; and as long for the downloads before them.",
)
@click.option(
    "--memory-limit",
    default=8192,
    show_default=True,
    metavar="MIB",
    type=click.IntRange(256),
    help="For the process of each version.",
)
@click.option(
    "--download-limit",
    default=16,
    show_default=True,
    metavar="GIB",
    type=click.IntRange(1),
    help="For the files of each version that comes from a bucket. They lie in TMPDIR until the end.",
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option("--markdown", type=_PAGE, help="Write a page in Markdown as well.")
@click.option("--html", type=_PAGE, help="Write a page in HTML as well.")
@tells_no_verdict
def verify(
    *,
    candidate: str,
    stable: str | None,
    policy_file: Path | None,
    values_files: tuple[Path, ...],
    golden: Path | None,
    public_key: Path | None,
    time_limit: timedelta,
    memory_limit: int,
    download_limit: int,
    as_json: bool,
    markdown: Path | None,
    html: Path | None,
) -> None:
    """What can be known about a version before it serves anybody.

    CANDIDATE is the folder of one version, or its address: gs://models/resnet50/43, s3://models/resnet50/43 or
    file:///models/resnet50/43. From a bucket it is downloaded into a private folder, which is gone afterwards. Its
    graph is looked through before anything is loaded; then it is loaded and asked in a process of its own, beside the
    stable version.

    Exit status 0: every check passed, or only warned. 1: one failed, and the version should not start a rollout. 2:
    there is no verdict, because an option is wrong, a file or a store cannot be read, or something is not installed.
    """
    policy, complete = _policy(policy_file, values_files)
    wanted = Wanted(
        time_limit.total_seconds(),
        memory_limit << 20,
        download_limit << 30,
        policy,
        complete,
        public_key or model_public_key(os.environ),
        golden,
    )
    with Console(stderr=True).status(f"verifying {candidate}") as status:
        found = verified(candidate, stable, wanted, status.update)
    for path, page in ((markdown, preflight_markdown), (html, preflight_html)):
        if path is not None:
            _write(path, page(found))
    click.echo(preflight_json(found) if as_json else preflight_text(found), nl=False)
    sys.exit(0 if found.passed else 1)


def _policy(policy_file: Path | None, values_files: tuple[Path, ...]) -> tuple[PreflightPolicy, Completeness]:
    """What the policy asks for, and which files it takes for a version's.

    Where it says nothing of batches, what the chart's values make of them.
    """
    policy = PreflightPolicy()
    complete: Completeness = ByManifest()
    if policy_file is not None:
        whole = policy_at(policy_file)
        policy, complete = whole.preflight, whole.candidates.complete
    if policy.max_batch_size is None and values_files:
        values = [(content_of(path, "Name a values.yaml"), str(path)) for path in values_files]
        policy = replace(policy, max_batch_size=max_batch_size(values))
    return policy, complete


def _write(path: Path, page: str) -> None:
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise InvalidInput(f"{path} cannot be written ({error.strerror}): name another file") from error
