"""Commands in comments and labels of pull requests, and the promoter's answers to them, in Markdown.

An answer begins with a comment that no page shows, which names what it answers: so nothing is answered twice.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from promoter.documents.one_line import one_line
from promoter.documents.pull_request_text import shown
from promoter.domain.names import ServedModel
from promoter.domain.pull_request import Said, Speaker

COMMANDS = ("promote", "pause", "resume", "revert", "retry")
# Each label says one of them, without a reason.
LABELS = {f"promoter/{verb}": verb for verb in COMMANDS}

_COMMAND = re.compile(rf"/({'|'.join(COMMANDS)})(?![\w/-])[ \t]*(.*)", re.ASCII | re.IGNORECASE)
_MARKER = re.compile(r"<!-- promoter: answers ((?:label )?[0-9]{1,20}) -->", re.ASCII)
_SHOWN_DIGITS = 8
_LONGEST_NAME = 60


@dataclass(frozen=True, slots=True)
class Command:
    """verb: one of COMMANDS. alone: nothing else stands on its line. reason: the lines below it; empty for none."""

    verb: str
    alone: bool
    reason: str


def read_command(said: Said) -> Command | None:
    """What a label or a comment's first line asks for, None where that is no command. Raises nothing."""
    if said.label is not None:
        verb = LABELS.get(said.label)
        return None if verb is None else Command(verb, alone=True, reason="")
    first, _, rest = said.text.strip().partition("\n")
    found = _COMMAND.fullmatch(first.rstrip())
    return None if found is None else Command(found[1].lower(), not found[2], one_line(rest))


def name_of(who: Speaker) -> str:
    """`Ada Lovelace (ada)`: the login is the forge's word, and the name is the person's own."""
    login, name = one_line(who.login, _LONGEST_NAME), one_line(who.name, _LONGEST_NAME)
    return f"{name} ({login})" if name and name != login else login


def key_of(said: Said) -> str:
    """By what its answer names it: comments and labels are numbered each by themselves."""
    return str(said.number) if said.label is None else f"label {said.number}"


def answer(said: Said, text: str) -> str:
    """The body of the comment that answers it."""
    about = "" if said.label is None else f"`{said.label}`: "
    return f"<!-- promoter: answers {key_of(said)} -->\n{about}{text}\n"


def read_answer(text: str) -> str | None:
    """The key of what this comment answers, None where it is no answer."""
    found = _MARKER.match(text)
    return None if found is None else found[1]


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


def still_paused(served: ServedModel) -> str:
    """What is added where a pause of policy.yaml outlasts the one that was lifted."""
    return (
        f"`{served.policy_path}` says `paused: true` as well, and the promoter's account may not write it. Run "
        f"`promoter resume {served.name} --environment {served.environment} --reason '…'`."
    )
