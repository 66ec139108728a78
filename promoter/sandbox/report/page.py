"""The page: pictures, tables and the log in one file that asks no network for anything."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from markupsafe import Markup

from promoter.pictures.page import page_environment
from promoter.sandbox.demo.commits import RecordedCommit, split
from promoter.sandbox.demo.record import Record
from promoter.sandbox.demo.summary import LONGEST_TO_LIVE, Summary, VersionSummary, shortcomings
from promoter.sandbox.report.data import stories
from promoter.sandbox.report.pictures import picture

_TEMPLATE = "template.html.j2"


@dataclass(frozen=True, slots=True)
class Chapter:
    """One version's part of the page. svg: None for a version with which nothing happened."""

    summary: VersionSummary
    svg: Markup | None


def write_report(path: Path, record: Record, summary: Summary) -> None:
    """Write the page to `path`."""
    path.write_text(page(record, summary), encoding="utf-8")


def page(record: Record, summary: Summary) -> str:
    """The page's text."""
    environment = page_environment(Path(__file__).parent)
    environment.filters |= {"clock_time": _clock_time, "shares": _shares}
    return environment.get_template(_TEMPLATE).render(
        summary=summary,
        chapters=_chapters(record, summary),
        commits=record.commits[::-1],
        problems=shortcomings(summary),
        begun=datetime.fromtimestamp(record.commits[0].at, UTC),
        aim=LONGEST_TO_LIVE,
    )


def _chapters(record: Record, summary: Summary) -> list[Chapter]:
    told = stories(record)
    chapters = []
    for version in summary.versions:
        story = told.get(version.character.version)
        # The picture is our own text, escaped where it is made.
        chapters.append(Chapter(version, None if story is None else Markup(picture(story))))  # noqa: S704
    return chapters


def _clock_time(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%H:%M:%S}"


def _shares(commit: RecordedCommit) -> list[tuple[str, int]]:
    """Who gets how much from a commit on, as words for a row of the log."""
    return [(str(version), share) for version, share in split(commit.release).items()]
