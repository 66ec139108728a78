"""The message of a commit that a person made by a verb of the command line.

It has none of the trailers of a decision: there is none behind it but the person's.
"""

from __future__ import annotations

from promoter.documents.one_line import LONGEST_REASON, one_line
from promoter.documents.prose import WIDTH, sentence, wrapped

_VERB = "Promoter-Verb"

# A reason, and what the verb adds to it.
_LONGEST = 2 * LONGEST_REASON


def write_verb_message(place: str, what: str, reason: str, verb: str) -> str:
    """place: a model's or an environment's name, as subjects begin; what: is true now, and by whom."""
    subject = one_line(f"{place}: {what}", WIDTH)
    # On one line it can neither end the paragraph nor begin one of trailers.
    return "\n\n".join([subject, wrapped(sentence(one_line(reason, _LONGEST))), f"{_VERB}: {verb}"]) + "\n"
