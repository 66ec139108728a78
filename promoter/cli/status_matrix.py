"""`promoter status --all` as a matrix for people and as data for programs: rows are models, columns environments."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from promoter.control.across import Across, Cell, Lag, State
from promoter.control.reconcile import Survey
from promoter.domain.duration import format_duration

_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

_LEGEND = "\nbehind: how many newer versions became stable in the first environment of its row, and since when"

# Words that stand for themselves, in the order in which they matter.
_PLAIN = {State.HELD: "bold red", State.UNREADABLE: "bold red", State.FROZEN: "cyan", State.PAUSED: "cyan"}


def print_matrix(found: Across, survey: Survey, screen: Console) -> None:
    """The matrix, and a sentence for each cell that a person has to look at."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("model", overflow="fold")
    for environment in found.environments:
        table.add_column(environment, overflow="fold")
    for name, cells in found.models.items():
        table.add_row(
            Text(name, "bold"),
            *(
                _text(cells[environment], survey.at) if environment in cells else Text("–", "dim")
                for environment in found.environments
            ),
        )
    screen.print(table)
    if any(cell.root for cells in found.models.values() for cell in cells.values()):
        screen.print(Text(_LEGEND, "dim"))
    held = [cell for cells in found.models.values() for cell in cells.values() if State.HELD in cell.states]
    for cell in sorted(held, key=lambda cell: cell.served):
        screen.print(Text(f"\n{cell.served}: {cell.reason}", "red"))
    for folder in survey.misnamed:
        screen.print(Text(f"\n{folder.folder}: {folder.reason}", "red"))


def matrix_data(found: Across, survey: Survey) -> dict[str, Any]:
    """The same for programs."""
    return {
        "head": survey.head,
        "time": survey.at.isoformat(),
        "problem": survey.stale,
        "environments": list(found.environments),
        "models": [
            {"model": name, "environments": {environment: _cell_data(cell) for environment, cell in cells.items()}}
            for name, cells in found.models.items()
        ],
        "misnamed": [{"folder": entry.folder, "reason": entry.reason} for entry in survey.misnamed],
    }


def _text(cell: Cell, at: datetime) -> Text:
    """The versions, and below them whatever else there is to say."""
    versions = Text(str(cell.stable) if cell.stable else "–")
    canary = cell.canary
    if canary is not None:
        style = "red" if State.REVERTING in cell.states else "yellow"
        versions.append(" → ").append(f"{canary.version} at {canary.weight} %", style)
    notes = list(_notes(cell, at))
    if cell.root is not None:
        lag = f"{cell.root.versions} behind, {_coarse(at - cell.root.since)}"
        if canary is None:
            versions.append(f"  {lag}", "dim")
        else:
            notes.append(Text(lag, "dim"))
    return Text("\n").join([versions, Text(", ").join(notes)]) if notes else versions


def _notes(cell: Cell, at: datetime) -> Iterator[Text]:
    for state, style in _PLAIN.items():
        if state in cell.states:
            yield Text(state.value, style)
    if cell.canary is not None and State.CANARY not in cell.states:
        yield Text("reverting" if State.REVERTING in cell.states else "withdrawn", "red")
    if cell.offered is not None:
        if cell.until is None:
            yield Text(f"{cell.offered} waits", "yellow")
        else:
            yield Text(f"{cell.offered} soaks {_coarse(cell.until - at)}", "cyan")
    above = [version for version in cell.rejected if cell.canary is None or version != cell.canary.version]
    if above:
        more = f" and {len(above) - 1} more" if above[1:] else ""
        yield Text(f"{above[-1]} rejected{more}", "red")


def _coarse(length: timedelta) -> str:
    """A duration to the unit that matters: 3d, 5h, 12m, 40s."""
    length = max(length, timedelta(0))
    unit = next((unit for unit in (_DAY, _HOUR, _MINUTE) if length >= unit), timedelta(seconds=1))
    return format_duration(length // unit * unit)


def _cell_data(cell: Cell) -> dict[str, Any]:
    canary = cell.canary
    return {
        "stable": cell.stable.number if cell.stable else None,
        "canary": None if canary is None else {"version": canary.version.number, "weight": canary.weight},
        "states": [state.value for state in cell.states],
        "offered": cell.offered.number if cell.offered else None,
        "soaks_until": cell.until.isoformat() if cell.until else None,
        "rejected": [version.number for version in cell.rejected],
        "behind_upstream": _lag_data(cell.upstream),
        "behind_root": _lag_data(cell.root),
        "reason": cell.reason,
    }


def _lag_data(lag: Lag | None) -> dict[str, Any] | None:
    if lag is None:
        return None
    return {"environment": lag.environment, "versions": lag.versions, "since": lag.since.isoformat()}
