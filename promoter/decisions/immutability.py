"""A version never changes: what to say where the store holds other bytes than those that are pinned."""

from __future__ import annotations

from promoter.domain.observation import Observation
from promoter.domain.version import IncompleteVersion, StoredVersion


def changed_in_store(seen: Observation) -> str | None:
    """What changed under a version that is served, and what to do; None where nothing did, as far as is known."""
    found = {_name(entry): entry for entry in seen.in_store}
    for pin in seen.release.pinned:
        entry = found.get(str(pin.version))
        if isinstance(entry, StoredVersion) and entry.digest != pin.digest:
            return _alarm(pin, f"the store holds other bytes under {pin.version} than were pinned")
        if isinstance(entry, IncompleteVersion) and entry.settled:
            return _alarm(pin, f"{pin.version} is no longer whole in the store ({entry.reason})")
    return None


def _name(entry: StoredVersion | IncompleteVersion) -> str:
    return str(entry.version) if isinstance(entry, StoredVersion) else entry.name


def _alarm(pin: StoredVersion, what: str) -> str:
    return (
        f"{what}, and every pod that starts now loads what is there: put the files of {pin.digest} back, or publish "
        "them as a new version"
    )
