"""A measured figure beside its bar, and how a list of them is shown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured value beside the most it may be."""

    name: str
    value: float
    bar: float
    unit: str

    @property
    def is_held(self) -> bool:
        return self.value <= self.bar


def show(figures: Iterable[Figure], console: Console) -> bool:
    """Print the figures; False where one of them is over its bar."""
    table = Table(box=None, pad_edge=False)
    for column in ("figure", "measured", "bar", ""):
        table.add_column(column, justify="left" if column in ("figure", "") else "right")
    all_held = True
    for figure in figures:
        all_held = all_held and figure.is_held
        value, bar = f"{figure.value:.3g} {figure.unit}", f"{figure.bar:g} {figure.unit}"
        table.add_row(figure.name, value, bar, "" if figure.is_held else "[red]over its bar[/]")
    console.print(table)
    return all_held
