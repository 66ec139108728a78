"""Argo CD's sync windows of one Application: when its AppProject lets it be synced."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class SyncWindowKind(StrEnum):
    """`kind`, letter for letter."""

    ALLOW = "allow"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class SyncWindow:
    """One of `spec.syncWindows` of an AppProject, as it stands there. lets_people_sync: its `manualSync`."""

    kind: SyncWindowKind
    schedule: str
    duration: str
    lets_people_sync: bool


@dataclass(frozen=True, slots=True)
class SyncWindows:
    """Those that match the Application, and those of them that are open now."""

    assigned: tuple[SyncWindow, ...] = ()
    active: tuple[SyncWindow, ...] = ()

    @property
    def denying(self) -> tuple[SyncWindow, ...]:
        """The windows because of which Argo CD does not sync by itself now; empty where it does.

        As argo-cd decides it (pkg/apis/application/v1alpha1/types.go, SyncWindows.CanSync): an open window that denies
        comes first; else, where any window allows, one of them has to be open.
        """
        deny = tuple(window for window in self.active if window.kind is SyncWindowKind.DENY)
        if deny or any(window.kind is SyncWindowKind.ALLOW for window in self.active):
            return deny
        return tuple(window for window in self.assigned if window.kind is SyncWindowKind.ALLOW)

    @property
    def let_people_sync(self) -> bool:
        """Whether a person may sync by hand all the same: only where every window that denies lets them."""
        return all(window.lets_people_sync for window in self.denying)
