"""Which folders below `environments/` are this promoter's, and which paths it, or a person, may write there."""

from __future__ import annotations

from fnmatch import fnmatchcase

from promoter.domain.names import ENVIRONMENTS, FREEZE_PATH, POLICY_FILE, RELEASE_FILE, ServedModel
from promoter.errors import InvalidName, InvalidSettings


class Scope:
    """Patterns of folders, matched segment by segment from `environments/` down.

    A pattern covers what it matches and everything below: `production`, `production/team-*` and
    `environments/production/team-a/**` are patterns. `*`, `?` and `[…]` match within one segment. No
    pattern at all covers everything. Raises InvalidSettings for a pattern that is empty or climbs.

    for_a_person: a person's verbs write what is people's as well: `policy.yaml` and `environments/freeze.yaml`.
    """

    def __init__(self, patterns: tuple[str, ...], *, for_a_person: bool = False) -> None:
        self._for_a_person = for_a_person
        self._patterns = tuple(_segments(pattern) for pattern in patterns)

    def covers(self, folder: str) -> bool:
        """Whether `folder`, which begins with `environments/`, is in scope."""
        names = folder.split("/")[1:]
        return not self._patterns or any(
            len(names) >= len(pattern) and all(map(fnmatchcase, names, pattern)) for pattern in self._patterns
        )

    def why_not(self, path: str) -> str | None:
        """Why nobody may write `path` from here, None where it may be written."""
        folder, _, name = path.rpartition("/")
        if self._for_a_person and path == FREEZE_PATH:
            return None
        if name != RELEASE_FILE and not (self._for_a_person and name == POLICY_FILE):
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
