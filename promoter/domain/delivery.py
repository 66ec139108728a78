"""How delivery goes: DORA's four measures of an environment over a span of time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Spread:
    """How long something takes. median, longest: None where count is 0."""

    count: int
    median: timedelta | None
    longest: timedelta | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """The four measures. Times are those of commits, except where it is said.

    deployments: versions that became stable, from `since` until `until`. changes: those that got requests and ended, of
    which `failed` were reverted or gone back from. lead_from_publication: from the publication, by the store's clock;
    lead_from_commit: from the first commit that names the version; both until it is stable. restored: from a failed
    version's first requests until it had none.
    """

    since: datetime
    until: datetime
    deployments: int
    changes: int
    failed: int
    lead_from_publication: Spread
    lead_from_commit: Spread
    restored: Spread

    @property
    def per_week(self) -> float:
        """Deployments in a week, on average."""
        return self.deployments * timedelta(weeks=1) / (self.until - self.since)

    @property
    def failure_ratio(self) -> float | None:
        """The share of changes that failed, None where there were none."""
        return self.failed / self.changes if self.changes else None
