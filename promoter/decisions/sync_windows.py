"""Where an AppProject's sync windows keep Argo CD from doing what Git says: nothing starts or rises, and it is told.

A way back that is pushed meanwhile reaches nobody either, so nothing may begin that could need one.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from promoter.domain.action import Action, Hold, SetWeight, StartCanary, is_way_back
from promoter.domain.application import SyncStatus
from promoter.domain.freeze import Unreadable
from promoter.domain.observation import Observation
from promoter.domain.release import Promotion
from promoter.domain.sync_windows import SyncWindow, SyncWindowKind, SyncWindows

# Argo CD does what is pushed within seconds, and without our refresh within its polling of two to three minutes.
_USUAL = timedelta(minutes=1)


def asks_for_sync_windows(seen: Observation, action: Action, now: datetime) -> bool:
    """Whether they may be why a commit is not live, or could bar what `action` begins. Otherwise nobody need ask."""
    if _is_forward(action):
        return True
    application = seen.application
    if not isinstance(action, Hold) or application is None or application.sync is not SyncStatus.OUT_OF_SYNC:
        return False
    return now - seen.changed.at > (seen.traits.reaction_time if _goes_on(seen) else _USUAL)


def within_sync_windows(seen: Observation, action: Action) -> Action:
    """`action`, or why it waits; a hold says which window denies, and who can do what."""
    windows = seen.sync_windows
    if isinstance(windows, Unreadable) and _is_forward(action):
        return Hold(
            f"nobody can tell whether a sync window denies, so nothing starts and nothing rises: {windows.fault}; "
            f"next: {action.reason}",
            action.evidence,
        )
    if not isinstance(windows, SyncWindows) or not windows.denying:
        return action
    if _is_forward(action):
        return Hold(f"{_told(seen, windows)}; next: {action.reason}", action.evidence)
    if not isinstance(action, Hold):
        return action
    if way_back_denied(seen):
        return replace(action, reason=f"the way back is barred: {_told(seen, windows)}; {action.reason}", alarm=True)
    return replace(action, reason=f"{action.reason}; {_told(seen, windows)}")


def denied(seen: Observation) -> bool:
    """Whether sync windows deny now, as far as was asked."""
    return isinstance(seen.sync_windows, SyncWindows) and bool(seen.sync_windows.denying)


def way_back_denied(seen: Observation) -> bool:
    """Whether they keep requests where Git has taken them from."""
    return denied(seen) and _goes_on(seen)


def _is_forward(action: Action) -> bool:
    return isinstance(action, StartCanary | SetWeight) and not is_way_back(action)


def _goes_on(seen: Observation) -> bool:
    """Whether the live route still gives a version requests that Git has given to the other one, as a way back."""
    application, canary = seen.application, seen.release.canary
    if application is None or application.route is None or canary is None:
        return False
    live = application.route.get(canary.version, 0)
    return live < canary.weight if canary.promote is Promotion.BACK else live > canary.weight


def _told(seen: Observation, windows: SyncWindows) -> str:
    denying = windows.denying
    shown = ", ".join(map(_shown, denying))
    if denying[0].kind is SyncWindowKind.DENY:
        what = f"a sync window of the AppProject denies syncs now ({shown})"
    else:
        what = f"no sync window of the AppProject that allows syncs is open now ({shown})"
    if windows.let_people_sync:
        return f"{what}. People may sync all the same: `argocd app sync {seen.served.application}`"
    return f"{what}. People may not sync either: whoever owns the AppProject can change it"


def _shown(window: SyncWindow) -> str:
    return f"{window.kind} `{window.schedule}` for {window.duration}"
