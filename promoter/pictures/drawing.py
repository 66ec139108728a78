"""What all pictures have in common: one style, heads above panels, lines with gaps, names at their ends."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

# Seconds, and what was measured there; None where nothing was.
Points = Sequence[tuple[float, float | None]]

PERCENT = FuncFormatter(lambda value, _: f"{value:g} %")
SECONDS = FuncFormatter(lambda value, _: f"{value:.0f} s")

_LABELS_APART = 0.13


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours of a picture, one for each thing that is shown."""

    ink: str
    muted: str
    grid: str
    stable: str
    canary: str


# For a picture that is a file of its own.
PAPER = Palette(ink="#1d2226", muted="#69737b", grid="#e4e2dd", stable="#0067a8", canary="#c95100")


@contextmanager
def styled(palette: Palette, name: str, background: str = "none") -> Iterator[None]:
    """Everything that is drawn inside has our style; the same `name` gives the same ids inside the SVG."""
    # Its type is an enumeration of everything that matplotlib can be told.
    style: Any = {
        "svg.fonttype": "none",
        "svg.hashsalt": name,
        "font.size": 9,
        "text.color": palette.ink,
        "axes.edgecolor": palette.grid,
        "axes.linewidth": 0.8,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.spines.left": False,
        "xtick.color": palette.muted,
        "ytick.color": palette.muted,
        "ytick.left": False,
        "xtick.major.size": 3,
        "lines.linewidth": 1.8,
        "lines.solid_capstyle": "round",
        "lines.solid_joinstyle": "round",
        "figure.facecolor": background,
        "axes.facecolor": "none",
    }
    with mpl.rc_context(style):
        yield


def as_svg(figure: Figure) -> str:
    """The figure as a file's text, the same for the same figure."""
    drawn = io.StringIO()
    figure.savefig(drawn, format="svg", metadata={"Date": None, "Creator": None})
    return drawn.getvalue()


def head(axes: Axes, text: str, palette: Palette) -> None:
    """What a panel shows, above it."""
    axes.set_title(text, loc="left", fontsize=9, color=palette.muted, pad=5)
    axes.grid(axis="y", color=palette.grid, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=8)


def draw(axes: Axes, points: Points, colour: str, *, style: object = "-", width: float = 1.8) -> None:
    """A line with a gap where nothing was measured; a point that stands alone becomes a dot."""
    for run in _runs(points):
        times, values = zip(*run, strict=True)
        marker = "o" if len(run) == 1 else None
        axes.plot(times, values, color=colour, linestyle=style, linewidth=width, marker=marker, markersize=3)


def last(points: Points) -> float | None:
    """The newest value that was measured."""
    return next((value for _, value in reversed(points) if value is not None), None)


def label_lines(axes: Axes, labels: Iterable[tuple[str, str, float | None]]) -> None:
    """(text, colour, value): names at the right end of the lines, moved apart where they would touch."""
    to_axes = axes.transScale + axes.transLimits
    placed = sorted(
        (float(to_axes.transform((0, value))[1]), text, colour) for text, colour, value in labels if value is not None
    )
    lowest = -1.0
    for height, text, colour in placed:
        lowest = max(height, lowest + _LABELS_APART)
        axes.text(1.012, lowest, text, transform=axes.transAxes, color=colour, va="center", fontsize=9, weight="bold")


def _runs(points: Points) -> Iterable[Sequence[tuple[float, float]]]:
    run: list[tuple[float, float]] = []
    for at, value in points:
        if value is not None:
            run.append((at, value))
        elif run:
            yield run
            run = []
    if run:
        yield run
