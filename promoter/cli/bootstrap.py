"""`promoter bootstrap`: what an empty cluster with Argo CD needs, shown or applied."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import click

from promoter.bootstrap.installation import Installation
from promoter.bootstrap.kubectl import Kubectl
from promoter.cli.wiring import tells_errors
from promoter.domain.names import ENVIRONMENTS
from promoter.errors import InvalidInput


@click.command()
@click.option("--repo", "repository", required=True, metavar="URL", help="The environment repository, for Argo CD.")
@click.option("--branch", default="main", show_default=True, help="The branch that Argo CD follows.")
@click.option(
    "--environment",
    "environments",
    multiple=True,
    metavar="NAME",
    help="An environment, and its namespace; may be given several times. [default: the folders in ./environments]",
)
@click.option("--argocd-namespace", default="argocd", show_default=True, metavar="NAME", help="Where Argo CD lives.")
@click.option("--app-of-apps/--no-app-of-apps", default=True, help="Whether Argo CD keeps the guard rails as in Git.")
@click.option("--network-policies", is_flag=True, help="Close Argo CD's repo server and Redis to all other pods.")
@click.option("--apply", "applies", is_flag=True, help="Apply it, with kubectl and your kubeconfig.")
@click.option("--context", metavar="NAME", help="With --apply: the kubeconfig's context. [default: the current one]")
@click.option(
    "--write",
    "checkout",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Write the files that Git holds of it into this checkout instead; files that differ are left alone.",
)
@tells_errors
def bootstrap(
    *,
    repository: str,
    branch: str,
    environments: tuple[str, ...],
    argocd_namespace: str,
    applies: bool,
    app_of_apps: bool,
    network_policies: bool,
    context: str | None,
    checkout: Path | None,
) -> None:
    """What a cluster with Argo CD needs before models can be served from Git.

    A namespace and an AppProject for each environment, the ApplicationSet that makes an Application of each model's
    folder, an application that keeps these as they are in Git, texts for Argo CD's notifications, and an account
    `promoter` that may read Applications and nothing else.

    Without --apply it is only printed, on standard output: objects to read, keep, or pipe into
    `kubectl apply --server-side -f -`, and above them, as comments, the commands for what is not ours alone. With
    --apply the cluster is asked first whether it would take everything. Argo CD's own configuration gets those of our
    keys that are missing, and keeps all that are there. What remains for a person to do is said on standard error.

    \b
    promoter bootstrap --repo https://git.example.com/models.git --write .
    git commit … && git push
    promoter bootstrap --repo https://git.example.com/models.git --apply
    """  # noqa: D301 - Click's mark for "leave these lines alone" is a real backspace
    installation = Installation(repository, environments or _folders(), branch, argocd_namespace)
    if checkout is not None:
        _write(installation.files(), checkout)
        return
    objects = installation.objects(app_of_apps=app_of_apps, network_policies=network_policies)
    if applies:
        click.echo("asking the cluster first whether it would take everything …", err=True)
        Kubectl(context).install(installation, objects, click.echo)
    else:
        click.echo(_commands(installation) + objects, nl=False)
    click.echo(_to_do(installation, applied=applies, app_of_apps=app_of_apps), err=True)


def _folders() -> tuple[str, ...]:
    root = Path(ENVIRONMENTS)
    found = sorted(path.name for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
    if not found:
        raise InvalidInput(
            f"no environment is named, and there is no folder below {ENVIRONMENTS}/ here: give each with "
            "--environment, or run this in a checkout of the environment repository"
        )
    return tuple(found)


def _write(files: dict[str, str], checkout: Path) -> None:
    """Write what is missing. A file that says something else is somebody's work: then nothing is written."""
    there = {path: (checkout / path).read_text("utf-8") for path in files if (checkout / path).exists()}
    differing = [path for path, text in there.items() if text != files[path]]
    if differing:
        raise InvalidInput(
            f"{', '.join(differing)} would change: nothing was written. Delete the file to have it written anew, or "
            "compare it with what this command prints without --write"
        )
    for path, text in files.items():
        if path in there:
            click.echo(f"{path} is there already")
            continue
        (checkout / path).parent.mkdir(parents=True, exist_ok=True)
        (checkout / path).write_text(text, encoding="utf-8")
        click.echo(f"wrote {path}")


def _commands(installation: Installation) -> str:
    """What is to be done to objects that others write, too, as shell commands in comments."""
    namespaces = [f"kubectl create namespace {name}" for name in installation.environments]
    patches = [
        f"kubectl patch configmap {name} --namespace {installation.argocd_namespace} --type=merge "
        f"--patch {shlex.quote(json.dumps({'data': keys}))}"
        for name, keys in installation.keys().items()
    ]
    return "".join(f"# {command}\n" for command in (*namespaces, *patches)) + "---\n"


def _to_do(installation: Installation, *, applied: bool, app_of_apps: bool) -> str:
    argocd = installation.argocd_namespace
    read = f"Let Argo CD read {installation.repository}: `argocd repo add`, with a token that may only read."
    account = (
        "A token for the promoter: `argocd account generate-token --account promoter`. Put it, without showing it, "
        "into the Secret that charts/promoter names."
    )
    git = "A token for Git that may push to this one repository, into the Secret beside it."
    owners = (
        f"Whoever can change {ENVIRONMENTS}/applicationset.yaml and {ENVIRONMENTS}/*/project.yaml decides what "
        "Argo CD may do: make platform engineers their code owners, and have their approval required."
    )
    rule = (
        f"A rule on the Git host: this account may push to {installation.branch}, and only changes of "
        f"{ENVIRONMENTS}/**/release.yaml; people come by pull request. docs/install.md says how for each host."
    )
    timeout = (
        f"A time-out for syncs: controller.sync.timeout.seconds in ConfigMap argocd-cmd-params-cm of {argocd}. Argo CD "
        "has none by default, and a sync that hangs bars the way back. Then restart the application controller."
    )
    doctor = "`promoter doctor`, with the promoter's own settings: it checks all of this."
    steps = [read, account, git, *([owners] if app_of_apps else []), rule, timeout, doctor]
    heading = "Done. What remains for a person:" if applied else "Nothing was applied. Beside this, a person has to do:"
    return "\n".join(["", heading, *(f"  {number}. {step}" for number, step in enumerate(steps, 1))])
