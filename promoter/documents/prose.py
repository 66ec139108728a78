"""Sentences and paragraphs of commit messages."""

from __future__ import annotations

import textwrap

WIDTH = 72
_NO_BREAK_SPACE = "\u00a0"


def sentence(text: str) -> str:
    """`text` with a capital letter and an end."""
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?", "…")) else ".")


def wrapped(text: str) -> str:
    """`text` in lines of 72 characters, a number and its percent sign on one of them."""
    kept_together = text.replace(" %", _NO_BREAK_SPACE + "%")
    lines = textwrap.wrap(kept_together, WIDTH, break_long_words=False, break_on_hyphens=False)
    # A line of dashes ends the message for `git am` and `git interpret-trailers`.
    return "\n".join(f" {line}" if line.startswith("---") else line for line in lines).replace(
        _NO_BREAK_SPACE + "%", " %"
    )
