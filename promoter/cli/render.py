"""`promoter render` and `promoter diff`: what Argo CD would apply, and what a change makes of it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from promoter.cli.options import needs
from promoter.cli.wiring import tells_errors
from promoter.domain.names import ServedModel
from promoter.errors import InvalidInput

if TYPE_CHECKING:
    from promoter.rendering.difference import ModelChange

# GitHub takes 65 536 characters for a comment, GitLab and Gitea more.
_LARGEST_COMMENT = 60_000
_root_option = click.option(
    "--root",
    default=".",
    show_default=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The checkout of the environment repository.",
)


@click.command()
@click.argument("model")
@click.option("--environment", required=True, metavar="NAME", help="The environment.")
@_root_option
@tells_errors
def render(*, model: str, environment: str, root: Path) -> None:
    """What Argo CD would apply for MODEL, from the files of a checkout.

    MODEL is its name, with its group where it is in one: `vision/resnet50`. The chart is rendered by Helm's own code,
    as Argo CD does it. The content of Secrets is not shown. Needs the extra `render`.
    """
    _needs_helm()
    from promoter.rendering.checkout import Checkout  # noqa: PLC0415 - what needs the extra
    from promoter.rendering.difference import as_yaml, documents  # noqa: PLC0415 - as above

    group, _, name = model.rpartition("/")
    served = ServedModel(environment, name, group or None)
    checkout = Checkout(root)
    if served not in checkout.models():
        known = ", ".join(str(other) for other in checkout.models()[:20]) or "none"
        raise InvalidInput(f"{served.folder} holds no release.yaml; there are: {known}")
    click.echo("---\n".join(as_yaml(part) for part in documents(checkout.manifests(served))), nl=False)


@click.command()
@click.argument("ref")
@click.option("--markdown", is_flag=True, help="For a comment on a pull request, of 60 kB at most.")
@_root_option
@tells_errors
def diff(*, ref: str, markdown: bool, root: Path) -> None:
    """What a change does to each environment: the manifests where HEAD left REF, against those of the checkout.

    Only models whose files or chart changed are rendered, by Helm's own code. The content of Secrets is not shown. The
    exit status is 1 where a model can no longer be rendered. Needs the extra `render`.

    \b
    promoter diff origin/main
    promoter diff origin/main --markdown > comment.md
    """  # noqa: D301 - Click's mark for "leave these lines alone" is a real backspace
    _needs_helm()
    from promoter.rendering.checkout import Checkout, merge_base  # noqa: PLC0415 - what needs the extra
    from promoter.rendering.difference import changes  # noqa: PLC0415 - as above

    with merge_base(root, ref) as before:
        found = list(changes(before, Checkout(root)))
    click.echo(_comment(found) if markdown else _plain(found), nl=False)
    sys.exit(1 if any(change.fault for change in found) else 0)


def _needs_helm() -> None:
    needs("render", "charts are rendered by Helm's own code, which is not installed", "helm_python")


def _plain(found: Sequence[ModelChange]) -> str:
    lines = [_summary(found)]
    for change in found:
        lines += ["", f"=== {change.served}"]
        if change.fault:
            lines.append(f"cannot be rendered: {change.fault}")
        for part in change.objects:
            lines += [f"--- {part.name}: {part.what}", *part.lines]
    return "\n".join(lines) + "\n"


def _summary(found: Sequence[ModelChange]) -> str:
    if not found:
        return "No manifest changes in any environment."
    by_environment: dict[str, int] = {}
    for change in found:
        by_environment[change.served.environment] = by_environment.get(change.served.environment, 0) + 1
    told = ", ".join(
        f"{count} model{'' if count == 1 else 's'} in {environment}" for environment, count in by_environment.items()
    )
    return f"Manifests change for {told}."


def _comment(found: Sequence[ModelChange]) -> str:
    """Markdown: a list of all that changes first, then as many differences as there is room for."""
    head = [_summary(found), ""]
    for change in found:
        told = f"**cannot be rendered**: {_inline(change.fault)}" if change.fault else _counts(change)
        head.append(f"- `{change.served}`: {told}")
    text = _cut("\n".join(head) + "\n", _LARGEST_COMMENT)
    for change in found:
        for part in change.objects:
            # A fence longer than any in it: what a chart renders cannot end it.
            fence = "`" * (3 + max((line.count("`") for line in part.lines), default=0))
            body = "\n".join(part.lines)
            block = (
                f"\n<details><summary>{change.served}: {_html(part.name)} {part.what}</summary>\n\n"
                f"{fence}diff\n{body}\n{fence}\n\n</details>\n"
            )
            if len((text + block).encode()) > _LARGEST_COMMENT - 200:
                return text + "\nThe rest has no room here: `promoter diff` shows it.\n"
            text += block
    return text


def _counts(change: ModelChange) -> str:
    return "; ".join(
        f"{what} {', '.join(f'`{_inline(part.name)}`' for part in change.objects if part.what == what)}"
        for what in ("added", "changed", "removed")
        if any(part.what == what for part in change.objects)
    )


def _inline(text: str | None) -> str:
    """On one line, and no markup: it comes from whoever opened the pull request."""
    return _html(" ".join((text or "").split())).replace("`", "'").replace("@", "@\u200b")


def _html(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _cut(text: str, size: int) -> str:
    encoded = text.encode()
    return text if len(encoded) <= size - 200 else encoded[: size - 200].decode(errors="ignore") + " …\n"
