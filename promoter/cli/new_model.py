"""`promoter new-model`: the three files of a model, in a checkout."""

from __future__ import annotations

from pathlib import Path

import click

from promoter.cli.check import clashes, too_long
from promoter.cli.wiring import tells_errors
from promoter.documents.policy_file import parse_policy
from promoter.documents.release_file import HEADER, parse_release
from promoter.documents.yaml_text import parse
from promoter.domain.names import ENVIRONMENTS, RELEASE_FILE, ServedModel
from promoter.domain.store_address import StoreAddress
from promoter.errors import InvalidInput


@click.command("new-model")
@click.argument("name")
@click.option("--environment", required=True, metavar="NAME", help="The environment that will serve it.")
@click.option("--group", metavar="NAME", help="A team's folder between environment and model.")
@click.option("--store", required=True, metavar="ADDRESS", help="Where its versions are: gs://bucket/path, s3://…")
@click.option(
    "--upstream", metavar="ENVIRONMENT", help="Take only what is stable there; without it, all that is in the store."
)
@click.option(
    "--host", "hosts", multiple=True, required=True, metavar="HOST", help="Where callers reach it; repeatable."
)
@click.option(
    "--gateway", "gateways", multiple=True, metavar="NAMESPACE/NAME", help="Through which gateway; repeatable."
)
@click.option(
    "--replicas", default=1, show_default=True, type=click.IntRange(min=1), help="Pods of the stable version."
)
@click.option(
    "--root",
    default=".",
    show_default=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The checkout of the environment repository.",
)
@click.option("--dry-run", is_flag=True, help="Show the files, and write nothing.")
@tells_errors
def new_model(
    *,
    name: str,
    environment: str,
    group: str | None,
    store: str,
    upstream: str | None,
    hosts: tuple[str, ...],
    gateways: tuple[str, ...],
    replicas: int,
    root: Path,
    dry_run: bool,
) -> None:
    """Write values.yaml, policy.yaml and release.yaml of model NAME into a checkout.

    Nothing is overwritten, and nothing is committed: look, change what you want, `promoter check`, and open a pull
    request. Once it is merged, Argo CD makes an Application of the folder; the first complete version in the store
    becomes stable at once, and each later one starts as a canary.

    \b
    promoter new-model ranker --environment staging --store gs://shop/ranker --host ranker.staging.example.com
    promoter new-model ranker --environment production --store gs://shop/ranker --upstream staging --host …
    """  # noqa: D301 - Click's mark for "leave these lines alone" is a real backspace
    served = ServedModel(environment, name, group)
    _check(served, root, store, upstream)
    files = {
        served.values_path: _values(served, store, hosts, gateways, replicas),
        served.policy_path: _policy(served, store, upstream),
        served.release_path: f"{HEADER}release: {{}}\n",
    }
    for path, read in zip(files, (parse, parse_policy, parse_release), strict=True):
        read(files[path], path)
    there = [path for path in files if (root / path).exists() or (root / path).is_symlink()]
    if there:
        raise InvalidInput(f"{', '.join(there)}: there already; nothing was written")
    for path, text in files.items():
        if dry_run:
            click.echo(f"# {path}\n{text}")
            continue
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        # "x": whoever made the file since we looked keeps it.
        with (root / path).open("x", encoding="utf-8") as file:
            file.write(text)
        click.echo(f"wrote {path}")


def _check(served: ServedModel, root: Path, store: str, upstream: str | None) -> None:
    """Raises InvalidInput for all that `promoter check` would find, before anything is written."""
    environments = root / ENVIRONMENTS
    if not environments.is_dir():
        raise InvalidInput(f"{environments} does not exist: run this in a checkout of the environment repository")
    for fault in too_long(served):
        raise fault
    StoreAddress.from_text(store)
    known = sorted({*environments.rglob(RELEASE_FILE), root / served.release_path})
    for clash in clashes(root, known):
        if served.folder in clash:
            raise InvalidInput(clash)
    if upstream is not None:
        path = ServedModel(upstream, served.model, served.group).release_path
        if upstream == served.environment:
            raise InvalidInput("an environment cannot be its own upstream: name another one")
        if not (root / path).is_file():
            raise InvalidInput(f"there is no {path}: make the model in {upstream} first")


def _values(served: ServedModel, store: str, hosts: tuple[str, ...], gateways: tuple[str, ...], replicas: int) -> str:
    lines = [
        f"# {served.model} in {served.environment}. All keys: charts/model-serving/README.md",
        "model:",
        f"  name: {served.model}",
        f"  storageUri: {_quoted(store)}",
        f"replicaCount: {replicas}",
        "# The server sizes its thread pools from limits.cpu.",
        "resources:",
        "  requests:",
        '    cpu: "1"',
        "    memory: 2Gi",
        "  limits:",
        '    cpu: "2"',
        "    memory: 2Gi",
        "route:",
        f"  hosts: [{', '.join(_quoted(host) for host in hosts)}]",
        *([f"  gateways: [{', '.join(_quoted(gateway) for gateway in gateways)}]"] if gateways else []),
    ]
    return "\n".join(lines) + "\n"


def _policy(served: ServedModel, store: str, upstream: str | None) -> str:
    head = (
        f"# How a version of {served.model} becomes stable in {served.environment}. All keys: docs/reference/files.md\n"
    )
    if upstream is None:
        return f"{head}candidates:\n  # Every complete version there is a candidate.\n  store: {_quoted(store)}\n"
    return f"{head}candidates:\n  # Only what {upstream} has made its stable version.\n  upstream: {upstream}\n"


def _quoted(text: str) -> str:
    """In single quotes, in which YAML knows nothing but the quote itself."""
    return "'" + text.replace("'", "''") + "'"
