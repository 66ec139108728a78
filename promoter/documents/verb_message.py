"""The message of a commit that a person made by a verb of the command line.

It has none of the trailers of a decision: there is none behind it but the person's.
"""

from __future__ import annotations

from promoter.documents.one_line import LONGEST_REASON, one_line
from promoter.documents.prose import WIDTH, sentence, wrapped

_VERB = "Promoter-Verb"
_PERSON = "Promoter-Person"
_COMMENT = "Promoter-Comment"
_LONGEST_LINK = 500

# A reason, and what the verb adds to it.
_LONGEST = 2 * LONGEST_REASON


def write_verb_message(place: str, what: str, reason: str, verb: str) -> str:
    """place: a model's or an environment's name, as subjects begin; what: is true now, and by whom."""
    subject = one_line(f"{place}: {what}", WIDTH)
    # On one line it can neither end the paragraph nor begin one of trailers.
    return "\n\n".join([subject, wrapped(sentence(one_line(reason, _LONGEST))), f"{_VERB}: {verb}"]) + "\n"


def by_comment(message: str, person: str, url: str) -> str:
    """A verb's message with who said it, and the address of the comment in which they did."""
    return f"{message.rstrip()}\n{_PERSON}: {one_line(person)}\n{_trailer(url)}\n"


def is_by_comment(message: str, url: str) -> bool:
    """Whether it is the message of the commit that the comment at `url` asked for."""
    return _trailer(url) in message.rstrip().rpartition("\n\n")[2].split("\n")


def is_a_persons_word(message: str) -> bool:
    """Whether a commit of the promoter's with this message was asked for by a person in a comment."""
    return any(line.startswith(f"{_COMMENT}: ") for line in message.rstrip().rpartition("\n\n")[2].split("\n"))


def _trailer(url: str) -> str:
    return f"{_COMMENT}: {one_line(url, _LONGEST_LINK)}"
