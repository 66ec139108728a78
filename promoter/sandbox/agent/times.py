"""Times as Kubernetes writes them."""

from __future__ import annotations

from datetime import UTC, datetime


def whole_seconds(moment: datetime) -> datetime:
    """`moment` in UTC, cut to whole seconds: metav1.Time has no finer ones."""
    return moment.astimezone(UTC).replace(microsecond=0)


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC, whole seconds: `2026-11-22T20:16:34Z`."""
    return whole_seconds(moment).strftime("%Y-%m-%dT%H:%M:%SZ")
