"""Pictures that stand in a page, as SVG.

Colours are those of the page (`var(--canary)` and so on), and so are the letters: a picture follows the page from
light to dark.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from html import escape
from typing import Any

from matplotlib.axes import Axes

from promoter.pictures.drawing import Palette

# Colours that stand for the page's own until the picture is done; no other part of it uses them.
PAGE = Palette(ink="#010101", muted="#020202", grid="#030303", stable="#040404", canary="#050505")

# A label is about so wide, as a share of an axis of this many inches for each letter, and never nearer to the next.
_LETTER = 0.0095
_GAP = 0.012
_AXIS_INCHES = 8.19

_MARK: Any = {"color": PAGE.muted, "linewidth": 0.7, "alpha": 0.55, "zorder": 0}

# Where the words for decisions stand above the first panel: inches above it, and inches between rows.
_FIRST_ROW, _ROW = 0.05, 0.165


@dataclass(frozen=True, slots=True)
class Mark:
    """A decision, in a word, at a time on the axis."""

    at: float
    label: str


def draw_marks(axes: Axes, marks: Sequence[Mark]) -> None:
    """A thin line at each decision."""
    for mark in marks:
        axes.axvline(mark.at, **_MARK)


def rows_of_marks(marks: Sequence[Mark], length: float, inches: float = _AXIS_INCHES) -> tuple[int, ...]:
    """The row of each label above an axis of `length` that is so many inches wide: higher where it would touch."""
    ends: list[float] = []
    rows = []
    for mark in marks:
        begin = mark.at / length
        row = next((number for number, end in enumerate(ends) if end <= begin), len(ends))
        ends[row : row + 1] = [begin + (len(mark.label) * _LETTER + _GAP) * _AXIS_INCHES / inches]
        rows.append(row)
    return tuple(rows)


def label_marks(axes: Axes, marks: Sequence[Mark], length: float) -> None:
    """Each decision in a word above its line; the panel's head above all."""
    size = axes.get_figure(root=True).get_size_inches()  # type: ignore[union-attr]
    box = axes.get_position()
    width, height = box.width * size[0], box.height * size[1]
    first, higher = 1 + _FIRST_ROW / height, _ROW / height
    rows = rows_of_marks(marks, length, width)
    for mark, row in zip(marks, rows, strict=True):
        begin, foot = mark.at / length, first + higher * row
        axes.text(begin, foot, mark.label, transform=axes.transAxes, fontsize=8, color=PAGE.ink, va="bottom")
        axes.plot((begin, begin), (1, foot - 0.01), transform=axes.transAxes, clip_on=False, **_MARK)
    top = first + higher * (max(rows, default=-1) + 1)
    axes.set_title(axes.get_title(loc="left"), loc="left", fontsize=9, color=PAGE.muted, y=top)


def as_element(svg: str, alternative: str, name: str) -> str:
    """The bare element: it scales with the page, has a title, and no ids that another picture has too."""
    element = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    element = re.sub(r'<g id="[^"]*"', "<g", element)
    # The letters are the page's: of `font: bold 9px 'DejaVu Sans', …` only weight and size are kept.
    element = re.sub(r"font: (?:(\w+) )?([\d.]+px) [^;\"]*", _letters, element)
    element = re.sub(r" font-family: [^;\"]*;?", "", element)
    for role, colour in asdict(PAGE).items():
        element = element.replace(colour, f"var(--{role})")
    box = re.search(r'viewBox="[^"]*"', element)
    body = element[element.index(">") + 1 :].strip()
    # Width, height and namespaces are left out: the first two are the page's to say, HTML knows the others.
    opening = f'<svg {box[0] if box else ""} role="img" aria-labelledby="title-{name}">'
    return f'{opening}<title id="title-{name}">{escape(alternative)}</title>{body}'


def _letters(found: re.Match[str]) -> str:
    weight = f"font-weight: {found[1]}; " if found[1] else ""
    return f"{weight}font-size: {found[2]}"
