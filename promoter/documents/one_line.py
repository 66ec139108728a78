"""Reasons and names from outside as one printable line, so that they can forge neither YAML, a trailer nor a screen."""

from __future__ import annotations

import re
import unicodedata

LONGEST_REASON = 300

# What ends a line in some program: ASCII controls from tab to carriage return and from FS to US, NEL, LS, PS.
_BREAKS = re.compile("[\t-\r\x1c-\x1f\x85\u2028\u2029]+")


def one_line(text: str, longest: int = LONGEST_REASON) -> str:
    """`text` on one line, without control, format (bidi) and unassigned characters, cut to `longest` characters."""
    kept = "".join(filter(_is_printable, _BREAKS.sub(" ", text))).strip()
    return kept if len(kept) <= longest else kept[: longest - 1].rstrip() + "…"


def is_one_line(text: str) -> bool:
    """Whether `one_line` would drop or replace nothing inside `text`."""
    # What Python calls printable has no character of these categories, and is told at once.
    return text.isprintable() or all(map(_is_printable, text))


def _is_printable(character: str) -> bool:
    # Other (Cc, Cf, Cs, Co, Cn) and the two separators that are no spaces; Unicode, chapter 4.5.
    category = unicodedata.category(character)
    return category[0] != "C" and category not in ("Zl", "Zp")
