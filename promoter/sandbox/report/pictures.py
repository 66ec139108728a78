"""One picture of a course, as SVG to stand in a page: three panels over one axis of time, decisions marked on all."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from promoter.pictures.drawing import PERCENT, SECONDS, as_svg, draw, head, label_lines, last, styled
from promoter.pictures.in_page import PAGE, as_element, draw_marks, label_marks
from promoter.sandbox.report.data import Arm, Story

_SIZE = (9.6, 5.1)


def picture(story: Story) -> str:
    """The SVG element of a course."""
    with styled(PAGE, f"version-{story.canary.version}"):
        figure = Figure(figsize=_SIZE)
        weight, errors, latency = figure.subplots(3, 1, sharex=True, height_ratios=(1.15, 1, 1))
        figure.subplots_adjust(left=0.052, right=0.905, top=0.875, bottom=0.06, hspace=0.4)
        _draw_weight(weight, story)
        _draw_errors(errors, story)
        _draw_latency(latency, story)
        for axes in (weight, errors, latency):
            draw_marks(axes, story.marks)
        label_marks(weight, story.marks, story.length)
        latency.set_xlim(0, story.length)
        latency.xaxis.set_major_locator(MaxNLocator(9, integer=True, steps=(1, 2, 3, 6, 10)))
        latency.xaxis.set_major_formatter(SECONDS)
        drawn = as_svg(figure)
    return as_element(drawn, title(story), str(story.canary.version))


def title(story: Story) -> str:
    """What the picture shows, for those who do not see it."""
    course = story.course
    decisions = ", ".join(f"{mark.label} after {mark.at:.0f} s" for mark in story.marks)
    return (
        f"Course of version {story.canary.version}, beside version {story.stable.version}: weight, failed requests and "
        f"latency over {story.length:.0f} seconds. Decisions: {decisions}. It ended {course.outcome}."
    )


def _draw_weight(axes: Axes, story: Story) -> None:
    head(axes, "Share of requests, by Envoy", PAGE)
    times = [at for at, _ in story.weights] + [story.length]
    weights = [weight for _, weight in story.weights]
    weights = [*weights, weights[-1]]
    axes.fill_between(times, weights, step="post", color=PAGE.canary, alpha=0.16, linewidth=0)
    axes.step(times, weights, where="post", color=PAGE.canary)
    axes.set_ylim(0, max(weights) * 1.08 if max(weights) else 10)
    axes.yaxis.set_major_locator(MaxNLocator(3, integer=True, steps=(1, 2, 5, 10)))
    axes.yaxis.set_major_formatter(PERCENT)
    label_lines(axes, [(_name(story.canary), PAGE.canary, weights[-1])])


def _draw_errors(axes: Axes, story: Story) -> None:
    head(axes, "Failed requests", PAGE)
    arms = {PAGE.stable: story.stable, PAGE.canary: story.canary}
    for colour, arm in arms.items():
        draw(axes, arm.errors, colour)
    highest = max((value for arm in arms.values() for _, value in arm.errors if value is not None), default=0.0)
    axes.set_ylim(-0.04 * max(highest, 5), max(highest, 5) * 1.1)
    axes.yaxis.set_major_locator(MaxNLocator(3, integer=True, steps=(1, 2, 5, 10)))
    axes.yaxis.set_major_formatter(PERCENT)
    label_lines(axes, [(_name(arm), colour, last(arm.errors)) for colour, arm in arms.items()])


def _draw_latency(axes: Axes, story: Story) -> None:
    head(axes, "Latency: median, and dotted the 99th percentile", PAGE)
    arms = {PAGE.stable: story.stable, PAGE.canary: story.canary}
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
