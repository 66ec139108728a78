"""`promoter history`: what became of each version of a model as a story, or the decisions one by one."""

from __future__ import annotations

import json
from collections.abc import Iterator

import click
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from promoter.cli.options import console
from promoter.cli.wiring import known_head, repository, tells_errors
from promoter.control.chronicle import chronicle
from promoter.documents.commit_message import DecisionRecord, read_trailers
from promoter.documents.prose import sentence
from promoter.documents.story import account, as_data, commits_line, headline, span, what_a_person_did
from promoter.domain.names import ServedModel
from promoter.domain.past_rollout import Ended, PastRollout, Step
from promoter.domain.repository import Commit, Revision
from promoter.errors import InvalidInput
from promoter.ports import Repository

_PLAIN_WIDTH = 100
_INDENT = 2

_COLOURS = {Ended.PROMOTED: "green", Ended.REVERTED: "red", Ended.REFUSED: "red", Ended.UNDER_WAY: "yellow"}


@click.command()
@click.argument("model", required=False)
@click.option("--environment", help="Only this environment.")
@click.option("--commits", is_flag=True, help="A line for each commit instead of a story; so it is without MODEL.")
@click.option(
    "--limit",
    default=30,
    show_default=True,
    type=click.IntRange(1, 10_000),
    help="How many rollouts to tell; with --commits, how many commits to read.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for programs.")
@tells_errors
def history(*, model: str | None, environment: str | None, commits: bool, limit: int, as_json: bool) -> None:
    """What became of each version of MODEL (or GROUP/MODEL), newest first, as Git tells it.

    A paragraph for each rollout: how it ended and after how long, the weights it had, why, on what evidence, and what
    people did meanwhile. What people changed between rollouts stands where it happened.

    \b
    promoter history ranker                          every environment that serves it
    promoter history ranker --environment production --limit 3
    promoter history --commits                       every decision about any model, a line each

    Nothing is asked but Git. `promoter explain COMMIT` computes a decision again.
    """  # noqa: D301 - Click's mark for "leave these lines alone" is a real backspace
    git = repository()
    head = known_head(git)
    if model is None or commits:
        _tell_commits(git, head, model, environment, limit=limit, as_json=as_json)
        return
    found = models_named(git, head, model, environment)
    if as_json:
        for served in found:
            for rollout in _rollouts(git, head, served)[:limit]:
                click.echo(json.dumps(as_data(rollout, served), ensure_ascii=False))
        return
    screen = console(_PLAIN_WIDTH)
    for served in found:
        screen.print(Text(str(served), "bold"))
        _tell(screen, git, head, served, limit)


def models_named(git: Repository, head: Revision, model: str, environment: str | None) -> list[ServedModel]:
    """Every model in scope that is meant by MODEL or GROUP/MODEL. Raises InvalidInput where there is none."""
    models = git.inventory(head).models
    found = [served for served in models if served.is_called(model) and environment in (None, served.environment)]
    if not found:
        where = f" in {environment}" if environment else ""
        known = ", ".join(map(str, models[:20])) or "none at all"
        raise InvalidInput(f"there is no model {model}{where}; those in scope are: {known}")
    return found


def _rollouts(git: Repository, head: Revision, served: ServedModel) -> list[PastRollout]:
    return [chapter for chapter in chronicle(git, head, served)[::-1] if isinstance(chapter, PastRollout)]


def _tell(screen: Console, git: Repository, head: Revision, served: ServedModel, limit: int) -> None:
    """Chapter by chapter, the newest first."""
    told = 0
    for chapter in chronicle(git, head, served)[::-1]:
        if isinstance(chapter, Step):
            if chapter.of_people:
                screen.print(Padding(Text(what_a_person_did(chapter), "dim"), (1, 0, 0, _INDENT)))
            continue
        if told == limit:
            screen.print(Text("\nEarlier rollouts are left out: --limit tells more.", "dim"))
            break
        told += 1
        _tell_rollout(screen, chapter, served)
    if not told:
        screen.print(Padding("No version of it has been served or tried yet.", (1, 0, 0, _INDENT)))
    screen.print()


def _tell_rollout(screen: Console, rollout: PastRollout, served: ServedModel) -> None:
    head = Text(sentence(headline(rollout)), f"bold {_COLOURS.get(rollout.ended, '')}".strip())
    screen.print(Padding(head.append(f"  {span(rollout)} UTC", "not bold dim"), (1, 0, 0, _INDENT)))
    screen.print(Padding(Text(" ".join(account(rollout, served))), (0, 0, 0, _INDENT)))
    if rollout.ended is not Ended.PLACED:
        for step in rollout.of_people:
            screen.print(Padding(Text(what_a_person_did(step)), (0, 0, 0, 2 * _INDENT)))
    if line := commits_line(rollout):
        screen.print(Padding(Text(line, "dim"), (0, 0, 0, _INDENT)))


def _tell_commits(
    git: Repository, head: Revision, model: str | None, environment: str | None, *, limit: int, as_json: bool
) -> None:
    rows = [
        (commit, record)
        for commit in git.log(head, limit=limit)
        for record in _records(commit)
        if _is_asked_for(record, model, environment)
    ]
    if as_json:
        for commit, record in rows:
            click.echo(json.dumps(_as_data(commit, record), ensure_ascii=False))
    else:
        Console(highlight=False).print(_as_table(rows))


def _records(commit: Commit) -> Iterator[DecisionRecord | None]:
    """The decisions of a commit; None stands for a commit of somebody else."""
    yield from read_trailers(commit.message) or (None,)


def _is_asked_for(record: DecisionRecord | None, model: str | None, environment: str | None) -> bool:
    if record is None:
        return model is None and environment is None
    served = record.served
    return (model is None or served.is_called(model)) and environment in (None, served.environment)


def _as_data(commit: Commit, record: DecisionRecord | None) -> dict[str, object]:
    return {
        "commit": commit.revision,
        "time": commit.at.isoformat(),
        "author": commit.author,
        "promoter": commit.ours,
        "model": str(record.served) if record else None,
        "action": record.action if record else None,
        "subject": commit.subject,
    }


def _as_table(rows: list[tuple[Commit, DecisionRecord | None]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("commit", "time (UTC)", "by"):
        table.add_column(column, no_wrap=True)
    table.add_column("what is true since")
    for commit, _ in rows:
        cells = (commit.revision[:8], f"{commit.at:%m-%d %H:%M:%S}", commit.author, commit.subject)
        table.add_row(*map(Text, cells))
    return table
