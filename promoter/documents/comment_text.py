"""Commands in comments of pull requests, and the promoter's answers to them, in Markdown.

An answer begins with a comment that no page shows, which names the comment that it answers: so none is answered twice.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from promoter.documents.one_line import one_line
from promoter.documents.pull_request_text import shown
from promoter.domain.names import ServedModel
from promoter.domain.pull_request import Comment, Commenter

COMMANDS = ("promote", "pause", "revert", "retry")

_COMMAND = re.compile(r"/(promote|pause|revert|retry)(?![\w/-])[ \t]*(.*)", re.ASCII | re.IGNORECASE)
_MARKER = re.compile(r"<!-- promoter: answers ([0-9]{1,20}) -->", re.ASCII)
_SHOWN_DIGITS = 8
_LONGEST_NAME = 60


@dataclass(frozen=True, slots=True)
class Command:
    """verb: one of COMMANDS. alone: nothing else stands on its line. reason: the lines below it; empty for none."""

    verb: str
    alone: bool
    reason: str


def read_command(text: str) -> Command | None:
    """What a comment's first line asks for, None where it begins with no command. Raises nothing."""
    first, _, rest = text.strip().partition("\n")
    found = _COMMAND.fullmatch(first.rstrip())
    return None if found is None else Command(found[1].lower(), not found[2], one_line(rest))


def name_of(who: Commenter) -> str:
    """`Ada Lovelace (ada)`: the login is the forge's word, and the name is the person's own."""
    login, name = one_line(who.login, _LONGEST_NAME), one_line(who.name, _LONGEST_NAME)
    return f"{name} ({login})" if name and name != login else login


def answer(comment: Comment, text: str) -> str:
    """The body of the comment that answers `comment`."""
    return f"<!-- promoter: answers {comment.number} -->\n{text}\n"


def read_answer(text: str) -> int | None:
    """The number of the comment that this one answers, None where it is no answer."""
    found = _MARKER.match(text)
    return None if found is None else int(found[1])


def done(subject: str, revision: str, url: str, *, already: bool) -> str:
    """subject: of the commit at `url`. already: it was made before, and only its answer was missing."""
    return f"{'Done already' if already else 'Done'}, in [`{revision[:_SHOWN_DIGITS]}`]({url}): {shown(subject)}."


def refused(problem: str) -> str:
    """Why nothing came of it."""
    return f"Nothing was changed. {shown(problem[:1].upper() + problem[1:])}."


def not_alone(command: Command) -> str:
    """What is said to a command with more on its line."""
    return (
        f"Nothing was changed: so that nobody says it in passing, `/{command.verb}` has to stand on a line of its own, "
        "the comment's first. A reason goes on the lines below it."
    )


def not_a_writer(command: Command) -> str:
    """What is said to people with a lesser right."""
    return (
        f"Nothing was changed: `/{command.verb}` is for people who may write to this repository, and the forge does "
        "not count you among them. Please ask one of them."
    )


def nobody_knows(command: Command) -> str:
    """What is said where the forge does not tell somebody's right."""
    return (
        "Nothing was changed: the forge does not tell me whether you may write to this repository, which "
        f"`/{command.verb}` asks for. If you may, whoever runs the promoter finds in `docs/forges.md`, *Commands*, "
        f"what its token lacks. `promoter {command.verb}{' --full' * (command.verb == 'promote')}` does the same from "
        "a shell."
    )


def no_pause(served: ServedModel) -> str:
    """What is said to `/pause`, which would change a file that is not the promoter's."""
    where = f"{served.name} --environment {served.environment}"
    return (
        "Nothing was changed: a pause stands in `policy.yaml`, and the promoter's account may write `release.yaml` "
        f"only. Run `promoter pause {where} --reason '…'`, or set `paused: true` in `{served.policy_path}`. "
        "To take the canary's requests back now, comment `/revert`."
    )
