"""The last page of the demo in the terminal: the table, the log, the figures, and what to try next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from promoter.domain.figures import grouped, percent
from promoter.sandbox.demo.cast import Outcome
from promoter.sandbox.demo.commits import RecordedCommit, split
from promoter.sandbox.demo.fixed_schedule import FixedScheduleCost
from promoter.sandbox.demo.summary import LONGEST_TO_LIVE, Summary, VersionSummary

_STYLES = {
    Outcome.PROMOTED: "green",
    Outcome.REVERTED: "yellow",
    Outcome.REFUSED: "yellow",
    Outcome.UNFINISHED: "bold red",
}


def print_closing(console: Console, summary: Summary, commits: Sequence[RecordedCommit]) -> None:
    """Everything that was learned."""
    console.print(Rule("What became of each version", align="left", style="dim"))
    console.print(_versions(summary.versions))
    console.print(Rule("The Git log: every weight is a commit", align="left", style="dim"))
    console.print(_log(commits))
    console.print(Rule("What it took", align="left", style="dim"))
    console.print(_figures(summary))


def _versions(versions: Sequence[VersionSummary]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 1, 0))
    for name in ("version", "ended", "seconds", "requests", "failed", "on it", "commits"):
        table.add_column(name, justify="left" if name == "ended" else "right", no_wrap=True, header_style="dim")
    table.add_column("why", header_style="dim", ratio=1)
    for version in versions:
        table.add_row(
            Text(str(version.character.version), "bold"),
            Text(version.outcome, _STYLES.get(version.outcome, "")),
            f"{version.seconds:.0f}",
            grouped(version.requests),
            grouped(version.failed_requests),
            grouped(version.failed_on_canary),
            str(version.commits),
            Text(f"{version.character.title}. {version.reason}"),
        )
    return table


def _log(commits: Sequence[RecordedCommit]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True, style="yellow")
    table.add_column(no_wrap=True, style="dim")
    table.add_column(ratio=1)
    for commit in reversed(commits):
        shares = ", ".join(f"{share} % to {version}" for version, share in split(commit.release).items())
        table.add_row(commit.revision[:7], shares, Text(commit.what))
    return table


def _figures(summary: Summary) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, justify="right")
    table.add_column(ratio=1)
    for figure, meaning in figures(summary):
        table.add_row(Text(figure, "bold"), meaning)
    return table


def figures(summary: Summary) -> Iterator[tuple[str, str]]:
    """The figures of the whole, each with what it means."""
    yield (
        grouped(summary.transition_failures),
        "requests failed because of a transition (answered by no faulty version)",
    )
    yield f"{summary.rate:.0f} a second", f"requests really sent, {grouped(summary.requests)} in all"
    if summary.median_to_live is not None and summary.longest_to_live is not None:
        meaning = (
            f"from a verdict to the new weight in Envoy (median of {len(summary.changes)}; the longest took "
            f"{summary.longest_to_live:.1f} s, the aim is {LONGEST_TO_LIVE:.0f} s). From the promoter's line on its "
            "decision, before the push, to the first look at Envoy's admin page that shows the weight"
        )
        yield f"{summary.median_to_live:.1f} s", meaning
    yield (
        f"{summary.reproduced} of {len(summary.explained)}",
        "decisions were computed again, from Git and Prometheus alone, and came out the same",
    )
    yield f"{summary.peak_rss / 1e6:.0f} MB", "was the most memory that the promoter's process held"
    for version in summary.versions:
        if version.outcome is Outcome.REVERTED and version.failed_on_canary and version.fixed_schedule:
            yield f"{grouped(version.failed_on_canary)} failed", _comparison(version, version.fixed_schedule)


def _comparison(version: VersionSummary, fixed: FixedScheduleCost) -> str:
    """What a version cost, beside what it would have cost under a fixed schedule."""
    ending = f"until it ends the rollout after {fixed.seconds // 60} minutes" if fixed.stopped else "and be promoted"
    return (
        f"requests was the cost of version {version.character.version}, which failed {percent(version.failure_ratio)} "
        f"of those it got. Under a fixed schedule of 20, 40, 60, 80 % for ten minutes each, with a success threshold "
        f"of 95 %, it would fail {grouped(fixed.failed_requests)} {ending}"
    )
