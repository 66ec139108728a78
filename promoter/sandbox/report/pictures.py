"""One picture of a course, as SVG to stand in a page: three panels over one axis of time, decisions marked on all.

Colours are those of the page (`var(--canary)` and so on), and so are the letters: a picture follows the page from
light to dark.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict
from html import escape
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from promoter.pictures.drawing import PERCENT, SECONDS, Palette, as_svg, draw, head, label_lines, last, styled
from promoter.sandbox.report.data import Arm, Mark, Story

# Colours that stand for the page's own until the picture is done; no other part of it uses them.
_PAGE = Palette(ink="#010101", muted="#020202", grid="#030303", stable="#040404", canary="#050505")

_SIZE = (9.6, 5.1)

# A label is about so wide, as a share of the axis for each letter, and never nearer to the next.
_LETTER = 0.0095
_GAP = 0.012

_MARK: Any = {"color": _PAGE.muted, "linewidth": 0.7, "alpha": 0.55, "zorder": 0}

# Where the words for decisions stand above the first panel, in heights of it.
_FIRST_ROW, _ROW = 1.04, 0.135


def picture(story: Story) -> str:
    """The SVG element of a course."""
    with styled(_PAGE, f"version-{story.canary.version}"):
        figure = Figure(figsize=_SIZE)
        weight, errors, latency = figure.subplots(3, 1, sharex=True, height_ratios=(1.15, 1, 1))
        figure.subplots_adjust(left=0.052, right=0.905, top=0.875, bottom=0.06, hspace=0.4)
        _draw_weight(weight, story)
        _draw_errors(errors, story)
        _draw_latency(latency, story)
        for axes in (weight, errors, latency):
            _draw_marks(axes, story.marks)
        _label_marks(weight, story)
        latency.set_xlim(0, story.length)
        latency.xaxis.set_major_locator(MaxNLocator(9, integer=True, steps=(1, 2, 3, 6, 10)))
        latency.xaxis.set_major_formatter(SECONDS)
        drawn = as_svg(figure)
    return _as_element(drawn, title(story), str(story.canary.version))


def title(story: Story) -> str:
    """What the picture shows, for those who do not see it."""
    course = story.course
    decisions = ", ".join(f"{mark.label} after {mark.at:.0f} s" for mark in story.marks)
    return (
        f"Course of version {story.canary.version}, beside version {story.stable.version}: weight, failed requests and "
        f"latency over {story.length:.0f} seconds. Decisions: {decisions}. It ended {course.outcome}."
    )


def _draw_weight(axes: Axes, story: Story) -> None:
    head(axes, "Share of requests, by Envoy", _PAGE)
    times = [at for at, _ in story.weights] + [story.length]
    weights = [weight for _, weight in story.weights]
    weights = [*weights, weights[-1]]
    axes.fill_between(times, weights, step="post", color=_PAGE.canary, alpha=0.16, linewidth=0)
    axes.step(times, weights, where="post", color=_PAGE.canary)
    axes.set_ylim(0, max(weights) * 1.08 if max(weights) else 10)
    axes.yaxis.set_major_locator(MaxNLocator(3, integer=True, steps=(1, 2, 5, 10)))
    axes.yaxis.set_major_formatter(PERCENT)
    label_lines(axes, [(_name(story.canary), _PAGE.canary, weights[-1])])


def _draw_errors(axes: Axes, story: Story) -> None:
    head(axes, "Failed requests", _PAGE)
    arms = {_PAGE.stable: story.stable, _PAGE.canary: story.canary}
    for colour, arm in arms.items():
        draw(axes, arm.errors, colour)
    highest = max((value for arm in arms.values() for _, value in arm.errors if value is not None), default=0.0)
    axes.set_ylim(-0.04 * max(highest, 5), max(highest, 5) * 1.1)
    axes.yaxis.set_major_locator(MaxNLocator(3, integer=True, steps=(1, 2, 5, 10)))
    axes.yaxis.set_major_formatter(PERCENT)
    label_lines(axes, [(_name(arm), colour, last(arm.errors)) for colour, arm in arms.items()])


def _draw_latency(axes: Axes, story: Story) -> None:
    head(axes, "Latency: median, and dotted the 99th percentile", _PAGE)
    arms = {_PAGE.stable: story.stable, _PAGE.canary: story.canary}
    axes.set_yscale("log")
    for colour, arm in arms.items():
        draw(axes, arm.p99, colour, style=(0, (1, 1.6)), width=1.3)
        draw(axes, arm.p50, colour)
    measured = [value for arm in arms.values() for _, value in (*arm.p50, *arm.p99) if value is not None]
    if measured:
        axes.set_ylim(min(measured) * 0.8, max(measured) * 1.2)
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=6))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g} ms"))
    axes.yaxis.set_minor_locator(NullLocator())
    label_lines(axes, [(_name(arm), colour, last(arm.p50)) for colour, arm in arms.items()])


def _name(arm: Arm) -> str:
    return f"version {arm.version}"


def _draw_marks(axes: Axes, marks: Sequence[Mark]) -> None:
    for mark in marks:
        axes.axvline(mark.at, **_MARK)


def _label_marks(axes: Axes, story: Story) -> None:
    """Each decision in a word above its line, a row higher where it would touch its neighbour; the head above all."""
    ends: list[float] = []
    for mark in story.marks:
        begin = mark.at / story.length
        row = next((number for number, end in enumerate(ends) if end <= begin), len(ends))
        ends[row : row + 1] = [begin + len(mark.label) * _LETTER + _GAP]
        foot = _FIRST_ROW + _ROW * row
        axes.text(begin, foot, mark.label, transform=axes.transAxes, fontsize=8, color=_PAGE.ink, va="bottom")
        axes.plot((begin, begin), (1, foot - 0.01), transform=axes.transAxes, clip_on=False, **_MARK)
    axes.set_title(
        axes.get_title(loc="left"), loc="left", fontsize=9, color=_PAGE.muted, y=_FIRST_ROW + _ROW * len(ends)
    )


def _as_element(svg: str, alternative: str, name: str) -> str:
    """The bare element: it scales with the page, has a title, and no ids that another picture has too."""
    element = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    element = re.sub(r'<g id="[^"]*"', "<g", element)
    # The letters are the page's: of `font: bold 9px 'DejaVu Sans', …` only weight and size are kept.
    element = re.sub(r"font: (?:(\w+) )?([\d.]+px) [^;\"]*", _letters, element)
    element = re.sub(r" font-family: [^;\"]*;?", "", element)
    for role, colour in asdict(_PAGE).items():
        element = element.replace(colour, f"var(--{role})")
    box = re.search(r'viewBox="[^"]*"', element)
    body = element[element.index(">") + 1 :].strip()
    # Width, height and namespaces are left out: the first two are the page's to say, HTML knows the others.
    opening = f'<svg {box[0] if box else ""} role="img" aria-labelledby="title-{name}">'
    return f'{opening}<title id="title-{name}">{escape(alternative)}</title>{body}'


def _letters(found: re.Match[str]) -> str:
    weight = f"font-weight: {found[1]}; " if found[1] else ""
    return f"{weight}font-size: {found[2]}"
