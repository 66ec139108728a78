"""`promoter bootstrap`: what an empty cluster with Argo CD needs, shown or applied."""

from __future__ import annotations

from pathlib import Path

import click

from promoter.bootstrap.installation import Installation
from promoter.bootstrap.kubectl import apply
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
    repository: str,
    branch: str,
    environments: tuple[str, ...],
    argocd_namespace: str,
    applies: bool,  # noqa: FBT001 - click gives options by name
    app_of_apps: bool,  # noqa: FBT001 - as above
    network_policies: bool,  # noqa: FBT001 - as above
    context: str | None,
    checkout: Path | None,
) -> None:
    """What a cluster with Argo CD needs before models can be served from Git.

    A namespace and an AppProject for each environment, the ApplicationSet that makes an Application of each model's
    folder, an application that keeps these as they are in Git, texts for Argo CD's notifications, and an account
    `promoter` that may read Applications and nothing else.

    Without --apply it is only printed, on standard output, so that it can be read, kept, or piped into
    `kubectl apply --server-side -f -`. With --apply, server-side apply sets our own keys and no others: Argo CD's
    configuration stays as it is, and a key that somebody else has set differently is a refusal, before anything is
    changed. What remains for a person to do is said on standard error.

    \b
    promoter bootstrap --repo https://git.example.com/models.git --write .
    git commit … && git push
    promoter bootstrap --repo https://git.example.com/models.git --apply
    """  # noqa: D301 - Click's mark for "leave these lines alone" is a real backspace
    installation = Installation(repository, environments or _folders(), branch, argocd_namespace)
    if checkout is not None:
        _write(installation.files(), checkout)
        return
    manifests = installation.manifests(app_of_apps=app_of_apps, network_policies=network_policies)
    if applies:
        click.echo("asking the cluster whether it would take everything …", err=True)
        apply(manifests, click.echo, context)
    else:
        click.echo(manifests, nl=False)
    click.echo(_to_do(installation, applied=applies, app_of_apps=app_of_apps), err=True)


def _folders() -> tuple[str, ...]:
    root = Path(ENVIRONMENTS)
    found = sorted(path.name for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
    if not found:
        raise InvalidInput(
            f"no environment is named, and there is no folder below {ENVIRONMENTS}/ here: give each with --environment, "
            "or run this in a checkout of the environment repository"
        )
    return tuple(found)


def _write(files: dict[str, str], checkout: Path) -> None:
    """Write what is missing. A file that says something else is somebody's work: it is named, and nothing is written."""
    differing = [
        path for path, text in files.items() if (checkout / path).exists() and (checkout / path).read_text("utf-8") != text
    ]
    if differing:
        raise InvalidInput(
            f"{', '.join(differing)} would change: nothing was written. Delete the file to have it written anew, or "
            "compare it with what this command prints without --write"
        )
    for path, text in files.items():
        file = checkout / path
        if file.exists():
            click.echo(f"{path} is there already")
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        click.echo(f"wrote {path}")


def _to_do(installation: Installation, *, applied: bool, app_of_apps: bool) -> str:
    argocd = installation.argocd_namespace
    steps = [
        f"Let Argo CD read {installation.repository}: `argocd repo add`, with a token that may only read.",
        "A token for the promoter: `argocd account generate-token --account promoter`. Put it, without showing it, "
        "into the Secret that charts/promoter names.",
        "A token for Git that may push to this one repository, into the Secret beside it.",
        f"A rule on the Git host: this account may push to {installation.branch}, and only changes of "
        f"{ENVIRONMENTS}/**/release.yaml; people come by pull request. docs/install.md says how for each host.",
        "A time-out for syncs, which Argo CD has not by default: controller.sync.timeout.seconds in "
        f"ConfigMap argocd-cmd-params-cm of {argocd}; then restart the application controller.",
        "`promoter doctor`, with the promoter's own settings: it checks all of this.",
    ]
    if app_of_apps:
        steps.insert(
            3,
            f"Whoever can change {ENVIRONMENTS}/applicationset.yaml and {ENVIRONMENTS}/*/project.yaml decides what Argo "
            "CD may do: make platform engineers their code owners, and have their approval required.",
        )
    heading = "Done. What remains for a person:" if applied else "Nothing was applied. Beside this, a person has to do:"
    return "\n".join(["", heading, *(f"  {number}. {step}" for number, step in enumerate(steps, 1))])
