"""`python -m workflows.render`: the YAML of every workflow, as it stands beside its module."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import click

from workflows import pods, retrain, train, verify

HERE = Path(__file__).parent

_HEADER = "# Rendered from {module}.py: change that, then `python -m workflows.render`.\n"


def rendered(image: str = pods.IMAGE) -> Mapping[str, str]:
    """The text of each file, by its name. image: of every step."""
    made = {"train": train.template(), "verify": verify.template(), "retrain": retrain.workflow()}
    texts = {name: _HEADER.format(module=name) + workflow.to_yaml() for name, workflow in made.items()}
    return {f"{name}.yaml": text.replace(f"image: {pods.IMAGE}\n", f"image: {image}\n") for name, text in texts.items()}


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--image", default=pods.IMAGE, show_default=True, metavar="IMAGE", help="The image of every step.")
@click.option(
    "--output",
    default=HERE,
    show_default="beside the modules",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    help="The folder to write to.",
)
@click.option("--check", is_flag=True, help="Write nothing; exit status 1 where a file is not what it would be.")
def main(*, image: str, output: Path, check: bool) -> None:
    """Write the WorkflowTemplates and the CronWorkflow as YAML.

    \b
    For a cluster of your own, beside access.yaml, which has the accounts they run as:
      python -m workflows.render --image registry.example.com/promoter-workflows:1 --output cluster/
      kubectl apply --namespace workflows --server-side --filename cluster/ --filename workflows/access.yaml
    """  # noqa: D301 - click reads \b
    stale = []
    for name, text in rendered(image).items():
        path = output / name
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if not check:
            path.write_text(text, encoding="utf-8")
            click.echo(f"{path} is written")
    if check and stale:
        click.echo(f"{', '.join(stale)}: not what the modules say. Render anew: python -m workflows.render", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
