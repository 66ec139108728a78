"""A forecast: the weights of a good version and of bad ones over time, and what the bad ones would cost."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from promoter.domain.figures import grouped, per_second, percent
from promoter.domain.forecast import Ending, ExpectedCourse, Forecast
from promoter.pictures.drawing import PAPER, PERCENT, SECONDS, as_svg, head, label_lines, styled

_SIZE = (9.6, 5.6)

# From the mildest to the worst.
_FADES = (0.3, 0.45, 0.6, 0.8, 1.0)

# Times begin here on an axis that has no zero.
_SOONEST = 1.0


def picture(name: str, told: Forecast) -> str:
    """The SVG file of the forecast for the model called `name`."""
    with styled(PAPER, f"forecast-{name}", background="white"):
        figure = Figure(figsize=_SIZE)
        weights, losses = figure.subplots(2, 1, sharex=True)
        figure.subplots_adjust(left=0.07, right=0.86, top=0.86, bottom=0.09, hspace=0.4)
        title = (
            f"{name}: what to expect at {per_second(told.rate)} requests a second, {percent(told.base)} of which "
            "fail on stable"
        )
        figure.suptitle(title, x=0.07, ha="left", fontsize=11, weight="bold")
        longest = max(course.weights[-1][0] for course in (told.good, *told.bad))
        _draw_weights(weights, told, longest)
        _draw_losses(losses, told)
        losses.set_xscale("log")
        losses.set_xlim(_SOONEST, max(longest, told.good.seconds) * 1.3)
        losses.xaxis.set_major_locator(LogLocator(subs=(1, 3), numticks=12))
        losses.xaxis.set_major_formatter(SECONDS)
        losses.xaxis.set_minor_locator(NullLocator())
        losses.set_xlabel("since the first weight", color=PAPER.muted, fontsize=8)
        return as_svg(figure)


def _draw_weights(axes: Axes, told: Forecast, longest: float) -> None:
    head(axes, "Weight: blue of a version that fails as often as stable, orange of those below", PAPER)
    for course, fade in zip(told.bad, _FADES, strict=True):
        _draw_course(axes, course, PAPER.canary, fade, longest)
    _draw_course(axes, told.good, PAPER.stable, 1.0, longest)
    axes.set_ylim(0, 108)
    axes.yaxis.set_major_locator(MaxNLocator(4, steps=(1, 2, 5, 10)))
    axes.yaxis.set_major_formatter(PERCENT)
    label_lines(axes, [("as stable", PAPER.stable, told.good.weights[-1][1])])


def _draw_course(axes: Axes, course: ExpectedCourse, colour: str, fade: float, longest: float) -> None:
    times = [max(_SOONEST, at) for at, _ in course.weights]
    weights = [weight for _, weight in course.weights]
    # A version that has all requests keeps them; a reverted one is gone.
    if course.ending is not Ending.REVERTED:
        times, weights = [*times, max(longest, times[-1]) * 1.3], [*weights, weights[-1]]
    axes.step(times, weights, where="post", color=colour, alpha=fade, linewidth=1.6)
    if course.ending is Ending.REVERTED:
        axes.plot([times[-1]], [0], marker="x", color=colour, alpha=fade, markersize=5, clip_on=False)


def _draw_losses(axes: Axes, told: Forecast) -> None:
    head(axes, "Failed requests beyond what stable would have failed, of a version that fails so many", PAPER)
    axes.set_yscale("symlog", linthresh=1)
    highest = 1.0
    for course, fade in zip(told.bad, _FADES, strict=True):
        times = [max(_SOONEST, at) for at, _ in course.losses]
        extra = [max(0.0, lost) for _, lost in course.losses]
        axes.plot(times, extra, color=PAPER.canary, alpha=fade, linewidth=1.6)
        marker = "x" if course.ending is Ending.REVERTED else "o"
        axes.plot(times[-1:], extra[-1:], marker=marker, color=PAPER.canary, alpha=fade, markersize=5)
        end = (times[-1], extra[-1])
        axes.annotate(percent(course.ratio), end, (7, 3), textcoords="offset points", color=PAPER.canary, weight="bold")
        highest = max(highest, *extra)
    axes.set_ylim(0, highest * 3)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: grouped(round(value))))
    axes.yaxis.set_minor_locator(NullLocator())
