"""The picture of a rollout, as SVG to stand in its page: weight, odds and failed requests over one axis of time."""

from __future__ import annotations

from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from promoter.domain.figures import grouped
from promoter.pictures.drawing import PERCENT, as_svg, draw, head, label_lines, last, styled
from promoter.pictures.in_page import PAGE, as_element, draw_marks, label_marks, rows_of_marks
from promoter.report.curves import Curves, Points


@dataclass(frozen=True, slots=True)
class Form:
    """One shape of the picture. Sizes and margins in inches; ticks: how many on the axis of time."""

    name: str
    width: float
    panel: float
    left: float
    right: float
    ticks: int


WIDE = Form("wide", 9.6, 1.12, 0.62, 0.98, 9)
NARROW = Form("narrow", 4.5, 1.05, 0.58, 0.86, 4)

_TOP, _GAP, _BOTTOM, _ROW = 0.42, 0.48, 0.34, 0.165

# Where an axis of time changes its unit: (from so many seconds on, seconds of the unit, its name).
_UNITS = ((172_800, 86_400, "d"), (7_200, 3_600, "h"), (180, 60, "min"), (0, 1, "s"))


def picture(shown: Curves, form: Form) -> str:
    """The SVG element, in that form."""
    inner = form.width - form.left - form.right
    rows = max(rows_of_marks(shown.marks, shown.length, inner), default=-1) + 1
    top = _TOP + rows * _ROW
    height = top + 3 * form.panel + 2 * _GAP + _BOTTOM
    with styled(PAGE, f"rollout-{shown.canary}-{form.name}"):
        figure = Figure(figsize=(form.width, height))
        panels = figure.subplots(3, 1, sharex=True)
        figure.subplots_adjust(
            left=form.left / form.width,
            right=1 - form.right / form.width,
            top=1 - top / height,
            bottom=_BOTTOM / height,
            hspace=_GAP / form.panel,
        )
        _draw_weight(panels[0], shown)
        _draw_odds(panels[1], shown)
        _draw_failed(panels[2], shown)
        for axes in panels:
            draw_marks(axes, shown.marks)
        label_marks(panels[0], shown.marks, shown.length)
        _, unit, name = next(entry for entry in _UNITS if shown.length >= entry[0])
        panels[2].set_xlim(0, shown.length)
        panels[2].xaxis.set_major_locator(_EveryUnit(form.ticks, unit))
        panels[2].xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / unit:g} {name}"))
        drawn = as_svg(figure)
    return as_element(drawn, title(shown), f"{shown.canary}-{form.name}")


def title(shown: Curves) -> str:
    """What the picture shows, for those who do not see it."""
    decisions = ", ".join(f"{mark.label} after {mark.at:.0f} s" for mark in shown.marks)
    beside = f", beside version {shown.stable}" if shown.stable else ""
    return (
        f"Rollout of version {shown.canary}{beside}: weight, odds and failed requests over {shown.length:.0f} seconds. "
        f"Commits: {decisions}."
    )


class _EveryUnit(MaxNLocator):
    """Ticks at round numbers of seconds, minutes, hours or days."""

    def __init__(self, most: int, unit: float) -> None:
        super().__init__(most, steps=(1, 2, 3, 6, 10) if unit in (1, 60) else (1, 2, 3, 4, 6, 10))
        self._unit = unit

    def tick_values(self, vmin: float, vmax: float) -> list[float]:
        return [value * self._unit for value in super().tick_values(vmin / self._unit, vmax / self._unit)]


def _draw_weight(axes: Axes, shown: Curves) -> None:
    head(axes, "Weight, by the commits", PAGE)
    times = [*(at for at, _ in shown.weights), shown.length]
    weights = [weight for _, weight in shown.weights] or [0.0]
    weights = [*weights, weights[-1]]
    if shown.weights:
        axes.fill_between(times, weights, step="post", color=PAGE.canary, alpha=0.16, linewidth=0)
        axes.step(times, weights, where="post", color=PAGE.canary)
    axes.set_ylim(0, max(weights) * 1.08 if max(weights) else 10)
    axes.yaxis.set_major_locator(MaxNLocator(3, integer=True, steps=(1, 2, 5, 10)))
    axes.yaxis.set_major_formatter(PERCENT)
    label_lines(axes, [(f"version {shown.canary}", PAGE.canary, weights[-1])])


def _draw_odds(axes: Axes, shown: Curves) -> None:
    head(axes, f"Odds against {shown.canary}, to 1", PAGE)
    axes.set_yscale("log")
    _line(axes, shown.odds, PAGE.canary, whole=shown.whole)
    values = [value for _, value in shown.odds if value is not None]
    limit = shown.reverts_at
    highest = max([*values, limit or 1.0, 1.0])
    axes.set_ylim(min([*values, 0.5]) / 1.6, highest * 2.5)
    labels = [("odds", PAGE.canary, last(shown.odds))]
    if limit is not None:
        axes.axhline(limit, color=PAGE.ink, linewidth=0.9, linestyle=(0, (4, 3)))
        labels.append(("reverts", PAGE.ink, limit))
    axes.yaxis.set_major_locator(LogLocator(numticks=5))
    axes.yaxis.set_major_formatter(FuncFormatter(_to_one))
    axes.yaxis.set_minor_locator(NullLocator())
    label_lines(axes, labels)


def _to_one(odds: float, _: object) -> str:
    return grouped(round(odds)) if odds >= 1 else f"{odds:g}"


def _draw_failed(axes: Axes, shown: Curves) -> None:
    head(axes, "Failed requests" + ("" if shown.whole else ", from commit to commit"), PAGE)
    arms = ((PAGE.stable, shown.stable, shown.stable_failed), (PAGE.canary, shown.canary, shown.canary_failed))
    for colour, _, points in arms:
        _line(axes, points, colour, whole=shown.whole)
    highest = max((value for _, _, points in arms for _, value in points if value is not None), default=0.0)
    room = max(highest, 0.1)
    axes.set_ylim(-0.04 * room, room * 1.15)
    axes.yaxis.set_major_locator(MaxNLocator(3, steps=(1, 2, 5, 10)))
    axes.yaxis.set_major_formatter(PERCENT)
    label_lines(axes, [(f"version {version}", colour, last(points)) for colour, version, points in arms])


def _line(axes: Axes, points: Points, colour: str, *, whole: bool) -> None:
    """A line; where there is a look for each commit only, the looks are seen as dots."""
    draw(axes, points, colour, width=1.8 if whole else 1.0)
    if not whole:
        there = [(at, value) for at, value in points if value is not None]
        axes.plot([at for at, _ in there], [value for _, value in there], "o", color=colour, markersize=4)
