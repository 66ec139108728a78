"""What the verbs share: who speaks, and how a commit comes of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import wraps

import click

from promoter.cli.drafts import show_draft
from promoter.cli.git_person import author, with_password
from promoter.cli.wiring import peoples_repository
from promoter.control.act import Draft
from promoter.control.verbs import Verbs, Word, carry_out
from promoter.domain.repository import Revision
from promoter.errors import InvalidInput
from promoter.settings import git_remote


@dataclass(frozen=True, slots=True)
class Spoken:
    """The options that every verb has. author: `Ada <ada@example.com>`, None for whom Git knows."""

    reason: str
    author: str | None
    url: str | None
    dry_run: bool

    def commit(self, plan: Callable[[Verbs, Revision], Draft]) -> Draft | None:
        """Make and push the commit that `plan` drafts, and return it; or show it, for None.

        Raises what `carry_out` raises.
        """
        told = dict(os.environ) | ({} if self.url is None else {"PROMOTER_REPOSITORY": self.url})
        remote = git_remote(told)
        name, email = author(self.author)
        if email == remote.author_email:
            raise InvalidInput(f"{email} is the promoter's own address: a person's commit needs a person's")
        word = Word(name, self.reason, datetime.now(UTC).replace(microsecond=0))
        git = peoples_repository(replace(remote, url=with_password(remote), author_name=name, author_email=email))
        verbs = Verbs(git, word)
        if self.dry_run:
            show_draft(git, plan(verbs, git.fetch()))
            return None
        draft, revision = carry_out(git, lambda head: plan(verbs, head))
        click.echo(draft.message.splitlines()[0])
        click.echo(f"pushed {revision}")
        return draft


def verb_options(command: Callable[..., None]) -> Callable[..., None]:
    """`--reason`, `--author`, `--repository` and `--dry-run`, given to the command as `spoken`."""

    @click.option("--reason", required=True, metavar="SENTENCE", help="Why; it stands in the commit.")
    @click.option("--author", metavar="'NAME <E-MAIL>'", help="Who says it; without it, whom `git config` names.")
    @click.option("--repository", "url", metavar="URL", help="The environment repository; else PROMOTER_REPOSITORY.")
    @click.option("--dry-run", is_flag=True, help="Show the commit, and make none.")
    @wraps(command)
    def speaking(*, reason: str, author: str | None, url: str | None, dry_run: bool, **others: object) -> None:
        command(spoken=Spoken(reason, author, url, dry_run), **others)

    return speaking


def environment_option(command: Callable[..., None]) -> Callable[..., None]:
    """`--environment NAME`."""
    return click.option(
        "--environment", metavar="NAME", help="Where; may be left away where only one environment serves the model."
    )(command)
