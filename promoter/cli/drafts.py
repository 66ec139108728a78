"""A commit that is not made yet, shown to a person."""

from __future__ import annotations

import difflib

import click

from promoter.control.act import Draft
from promoter.ports import Repository


def show_draft(repository: Repository, draft: Draft) -> None:
    """The commit as `git show` would print it, near enough for a person."""
    click.echo(f"\nwould commit on {draft.parent[:12]}:\n")
    click.echo("\n".join(f"    {line}".rstrip() for line in draft.message.splitlines()))
    for path, content in draft.files.items():
        before = repository.read(draft.parent, path) or b""
        click.echo("\n" + _difference(path, before.decode(), content.decode()))


def _difference(path: str, before: str, after: str) -> str:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), f"a/{path}", f"b/{path}", lineterm="")
    return "\n".join(lines)
