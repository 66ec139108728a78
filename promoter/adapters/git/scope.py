"""Which folders below `environments/` are this promoter's, and which paths it may write there."""

from __future__ import annotations

from fnmatch import fnmatchcase

from promoter.domain.names import ENVIRONMENTS, RELEASE_FILE, ServedModel
from promoter.errors import InvalidName, InvalidSettings


class Scope:
    """Patterns of folders, matched segment by segment from `environments/` down.

    A pattern covers what it matches and everything below: `production`, `production/team-*` and
    `environments/production/team-a/**` are patterns. `*`, `?` and `[…]` match within one segment. No
    pattern at all covers everything. Raises InvalidSettings for a pattern that is empty or climbs.
    """

    def __init__(self, patterns: tuple[str, ...]) -> None:
        self._patterns = tuple(_segments(pattern) for pattern in patterns)

    def covers(self, folder: str) -> bool:
        """Whether `folder`, which begins with `environments/`, is in scope."""
        names = folder.split("/")[1:]
        return not self._patterns or any(
            len(names) >= len(pattern) and all(map(fnmatchcase, names, pattern)) for pattern in self._patterns
        )

    def why_not(self, path: str) -> str | None:
        """Why the promoter may not write `path`, None where it may."""
        folder, _, name = path.rpartition("/")
        if name != RELEASE_FILE:
            return f"it is no {RELEASE_FILE}"
        try:
            ServedModel.from_folder(folder)
        except InvalidName as error:
            return str(error)
        return None if self.covers(folder) else "it is out of scope"


def _segments(pattern: str) -> tuple[str, ...]:
    text = pattern.removeprefix(f"{ENVIRONMENTS}/").removesuffix("/**").removesuffix("/")
    segments = tuple(text.split("/"))
    if any(segment in ("", ".", "..", "**") for segment in segments) or len(segments) > 3:
        raise InvalidSettings(
            f"{pattern!r} is not a scope: write up to three names or patterns, as in production/team-*/resnet50"
        )
    return segments
