"""A replayed rollout: weight, failures, odds and bound over time, with the decisions marked."""

from __future__ import annotations

import math
from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from promoter.decisions.progress import HOLD_AT_ODDS
from promoter.decisions.recorded import Case
from promoter.decisions.replay import Judgement, Replay
from promoter.domain.action import Promote, Revert
from promoter.domain.evidence import ArmCounts
from promoter.domain.figures import percent
from promoter.pictures.drawing import PAPER, PERCENT, SECONDS, Points, as_svg, draw, head, label_lines, last, styled

_SIZE = (9.6, 7.0)

# Odds beyond these are as good as certain, either way.
_LEAST_ODDS, _MOST_ODDS = 1e-3, 1e9

_LEAST_BOUND = 1e-5


def picture(case: Case, replayed: Replay, *, as_recorded: bool) -> str:
    """The SVG file of a replay that has intervals."""
    start = replayed.intervals[0].counts.end - case.calibration.interval.total_seconds()
    times = [interval.counts.end - start for interval in replayed.intervals]
    with styled(PAPER, "backtest", background="white"):
        figure = Figure(figsize=_SIZE)
        weight, errors, odds, bound = figure.subplots(4, 1, sharex=True)
        figure.subplots_adjust(left=0.08, right=0.87, top=0.88, bottom=0.05, hspace=0.5)
        figure.suptitle(_title(case, replayed), x=0.08, ha="left", fontsize=11, weight="bold")
        _draw_weight(weight, times, replayed, as_recorded=as_recorded)
        _draw_errors(errors, times, case, replayed)
        _draw_odds(odds, times, case, replayed)
        _draw_bound(bound, times, case, replayed)
        bound.set_xlim(0, times[-1])
        bound.xaxis.set_major_locator(MaxNLocator(9, integer=True, steps=(1, 2, 3, 6, 10)))
        bound.xaxis.set_major_formatter(SECONDS)
        for axes in (weight, errors, odds, bound):
            _draw_end(axes, times, replayed)
        return as_svg(figure)


def _title(case: Case, replayed: Replay) -> str:
    endings = {
        Judgement.PROMOTE: "would be promoted",
        Judgement.REVERT: "would be reverted",
        Judgement.UNDECIDED: "stays undecided",
    }
    return f"{case.canary} against {case.stable}: {endings[replayed.judgement]}"


def _draw_weight(axes: Axes, times: list[float], replayed: Replay, *, as_recorded: bool) -> None:
    head(axes, "Weight" + (", as recorded" if as_recorded else "; dotted: the share that was measured"), PAPER)
    weights = [interval.weight for interval in replayed.intervals]
    steps, edges = [replayed.first_weight, *weights], [0.0, *times]
    axes.fill_between(edges, steps, step="post", color=PAPER.canary, alpha=0.16, linewidth=0)
    axes.step(edges, steps, where="post", color=PAPER.canary)
    measured = [
        (at, 100 * canary.requests / both if (both := canary.requests + stable.requests) else None)
        for at, canary, stable in (
            (at, interval.counts.canary, interval.counts.stable)
            for at, interval in zip(times, replayed.intervals, strict=True)
        )
    ]
    draw(axes, measured, PAPER.canary, style=(0, (1, 1.6)), width=1.2)
    axes.set_ylim(0, max([*steps, *(share or 0.0 for _, share in measured), 1]) * 1.08)
    axes.yaxis.set_major_locator(MaxNLocator(3, steps=(1, 2, 5, 10)))
    axes.yaxis.set_major_formatter(PERCENT)
    label_lines(axes, [("canary", PAPER.canary, weights[-1])])


def _draw_errors(axes: Axes, times: list[float], case: Case, replayed: Replay) -> None:
    head(axes, "Bad requests", PAPER)
    arms: list[tuple[str, str, Points]] = [
        (
            f"stable {case.stable}",
            PAPER.stable,
            [(at, _ratio(i.counts.stable)) for at, i in zip(times, replayed.intervals, strict=True)],
        ),
        (
            f"canary {case.canary}",
            PAPER.canary,
            [(at, _ratio(i.counts.canary)) for at, i in zip(times, replayed.intervals, strict=True)],
        ),
    ]
    for _, colour, points in arms:
        draw(axes, points, colour)
    highest = max((value for _, _, points in arms for _, value in points if value is not None), default=0.0)
    axes.set_ylim(-0.04 * max(highest, 0.1), max(highest, 0.1) * 1.1)
    axes.yaxis.set_major_locator(MaxNLocator(3, steps=(1, 2, 5, 10)))
    axes.yaxis.set_major_formatter(PERCENT)
    label_lines(axes, [(name, colour, last(points)) for name, colour, points in arms])


def _ratio(arm: ArmCounts) -> float | None:
    return 100 * arm.bad / arm.requests if arm.requests else None


def _draw_odds(axes: Axes, times: list[float], case: Case, replayed: Replay) -> None:
    head(axes, "Odds against the canary", PAPER)
    axes.set_yscale("log")
    proof = 1 / case.policy.evidence.false_revert
    odds = [
        math.exp(min(math.log(_MOST_ODDS), max(math.log(_LEAST_ODDS), interval.evidence.log_odds)))
        for interval in replayed.intervals
    ]
    draw(axes, list(zip(times, odds, strict=True)), PAPER.canary)
    axes.set_ylim(min([*odds, 0.3]) / 1.5, max([*odds, proof]) * 3)
    axes.yaxis.set_major_locator(LogLocator(numticks=5))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_locator(NullLocator())
    _line(axes, proof, f"revert at {proof:g}")
    _line(axes, HOLD_AT_ODDS, f"hold at {HOLD_AT_ODDS:g}")


def _draw_bound(axes: Axes, times: list[float], case: Case, replayed: Replay) -> None:
    head(axes, "Upper bound of the excess error ratio", PAPER)
    axes.set_yscale("log")
    margin = 100 * case.policy.evidence.margin
    bounds = [100 * max(_LEAST_BOUND, interval.evidence.upper_bound) for interval in replayed.intervals]
    draw(axes, list(zip(times, bounds, strict=True)), PAPER.canary)
    axes.set_ylim(min([*bounds, margin]) / 2, 140)
    axes.yaxis.set_major_locator(LogLocator(numticks=5))
    axes.yaxis.set_major_formatter(PERCENT)
    axes.yaxis.set_minor_locator(NullLocator())
    _line(axes, margin, f"margin {percent(case.policy.evidence.margin)}")


def _line(axes: Axes, value: float, text: str) -> None:
    """A value that decides something, with its name at the right end."""
    axes.axhline(value, color=PAPER.muted, linewidth=0.9, linestyle=(0, (4, 3)))
    axes.annotate(
        text,
        (1.012, value),
        xycoords=("axes fraction", "data"),
        color=PAPER.muted,
        va="center",
        fontsize=8,
        annotation_clip=False,
    )


def _draw_end(axes: Axes, times: list[float], replayed: Replay) -> None:
    """The changes of weight as thin lines, and the end as a strong one."""
    weights = [replayed.first_weight, *(interval.weight for interval in replayed.intervals)]
    for at, (before, after) in zip(times, pairwise(weights), strict=True):
        if before != after:
            axes.axvline(at, color=PAPER.muted, linewidth=0.7, alpha=0.55, zorder=0)
    for at, interval in zip(times, replayed.intervals, strict=True):
        if isinstance(interval.action, Revert | Promote):
            axes.axvline(at, color=PAPER.ink, linewidth=1.1, zorder=0)
            break
