"""Argo CD's answer on sync windows, as a value: `GET /api/v1/applications/{name}/syncwindows`.

Field names are Argo CD's (server/application/application.proto, ApplicationSyncWindowsResponse). Its `canSync` is about
syncs by hand, and is not read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from promoter.documents.one_line import one_line
from promoter.domain.sync_windows import SyncWindow, SyncWindowKind, SyncWindows
from promoter.errors import ClusterUnavailable

_LONGEST = 100
_KINDS = frozenset(SyncWindowKind)


def parse_sync_windows(answer: object) -> SyncWindows:
    """The windows of one Application. Raises ClusterUnavailable for what is no such answer."""
    if not isinstance(answer, dict) or "canSync" not in answer:
        raise ClusterUnavailable("Argo CD's answer is not about sync windows")
    return SyncWindows(tuple(_windows(answer.get("assignedWindows"))), tuple(_windows(answer.get("activeWindows"))))


def _windows(listed: Any) -> Iterator[SyncWindow]:
    # Where there are none, Argo CD leaves the list out.
    if not isinstance(listed, list | None):
        raise ClusterUnavailable("Argo CD's answer on sync windows holds something else than windows")
    for window in listed or ():
        kind = window.get("kind") if isinstance(window, dict) else None
        if not isinstance(kind, str) or kind not in _KINDS:
            raise ClusterUnavailable("Argo CD's answer holds a sync window that neither allows nor denies")
        yield SyncWindow(
            SyncWindowKind(kind),
            one_line(str(window.get("schedule", "")), _LONGEST),
            one_line(str(window.get("duration", "")), _LONGEST),
            window.get("manualSync") is True,
        )
