"""The steps that people refused by closing their pull request."""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from promoter.control.act import Draft
from promoter.documents.step_text import read_keys
from promoter.domain.pull_request import PullRequest, PullRequestState

log = structlog.get_logger()


class RefusedSteps:
    """By their names, which are other ones for another deed and for another file before it.

    A fresh one knows what the newest closed pull request tells it.
    """

    def __init__(self) -> None:
        self._keys: set[str] = set()

    def learn(self, last: PullRequest) -> None:
        """What became of the one before. The promoter takes the names away from what it closes itself."""
        if last.state is not PullRequestState.CLOSED:
            return
        keys = read_keys(last.body)
        if keys - self._keys:
            log.warning("step.declined", number=last.number, url=last.url, title=last.title)
        self._keys |= keys

    def is_open(self, pull: PullRequest) -> None:
        """Whoever opened it again has thought again."""
        self._keys -= read_keys(pull.body)

    def left_of(self, commit: Draft, keys: Mapping[str, str]) -> Draft | None:
        """What of `commit` nobody refused, None for nothing. keys: its steps' names, by path."""
        left = [path for path, key in keys.items() if key not in self._keys]
        return commit.only(left) if left else None
