"""The courses in the terminal: a table that moves, or a line for each change where there is no terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from promoter.domain.figures import grouped, odds_text, percent
from promoter.sandbox.demo.cast import Outcome
from promoter.sandbox.demo.standing import Standing

_BAR_WIDTH = 10

_STYLES = {
    Outcome.PROMOTED: "bold green",
    Outcome.REVERTED: "bold yellow",
    Outcome.REFUSED: "bold yellow",
    Outcome.NOT_A_VERSION: "bold",
    Outcome.UNFINISHED: "bold red",
}


class Screen(Protocol):
    """Shows what happens. As a context manager it gives the terminal back at the end."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def say(self, text: str) -> None:
        """A line that stays."""

    def wait(self, text: str) -> None:
        """What is being waited for until the next call."""

    def show(self, standings: Sequence[Standing]) -> None:
        """Every version that was dropped so far, the present one last."""


class LiveScreen:
    """For a terminal: a table that is drawn anew, with what stays scrolling by above it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, refresh_per_second=4, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def say(self, text: str) -> None:
        self._console.print(Text(text))

    def wait(self, text: str) -> None:
        self._live.update(Spinner("dots", Text(text)))

    def show(self, standings: Sequence[Standing]) -> None:
        self._live.update(_table(standings))


class PlainScreen:
    """For a file or a pipe: no control characters, and a line only where something changed."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last: tuple[object, ...] = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def say(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def wait(self, text: str) -> None:
        self.say(text)

    def show(self, standings: Sequence[Standing]) -> None:
        current = standings[-1]
        change = (current.character, *current.change)
        if current.says and change != self._last:
            self._last = change
            self.say(plain_line(current))


def screen_for(console: Console) -> Screen:
    """The screen that fits."""
    return LiveScreen(console) if console.is_terminal else PlainScreen(console)


def plain_line(standing: Standing) -> str:
    """One line for a version, as it stands."""
    words = [f"{clock(standing.seconds):>6}  version {standing.character.version}:"]
    if standing.weight is not None:
        words.append(f"weight {standing.weight} %,")
    if standing.log_odds is not None and standing.upper_bound is not None:
        words.append(f"odds {odds_text(standing.log_odds)} against it, excess below {percent(standing.upper_bound)},")
    words.append(f"failed: {standing.failed_on_canary} on it, {standing.failed_elsewhere} elsewhere;")
    words.append(f"{standing.outcome}: {standing.says}" if standing.outcome else standing.says)
    return " ".join(words)


def clock(seconds: float) -> str:
    """`1:04`."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def _table(standings: Sequence[Standing]) -> RenderableType:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name, right in (
        ("version", True),
        ("weight", False),
        ("odds against", True),
        ("excess below", True),
        ("failed on it", True),
        ("elsewhere", True),
        ("time", True),
        ("", False),
    ):
        table.add_column(name, justify="right" if right else "left", no_wrap=True, header_style="dim")
    for standing in standings:
        table.add_row(*_cells(standing))
    current = standings[-1]
    now = Text.assemble((f"\n{current.character.version}, {current.character.title}: ", "bold"), current.says)
    return Group(Text(), table, now)


def _cells(standing: Standing) -> list[Text]:
    outcome = standing.outcome
    return [
        Text(str(standing.character.version), "bold"),
        _weight(standing.weight) if outcome is None else Text(),
        Text("" if standing.log_odds is None else odds_text(standing.log_odds)),
        Text("" if standing.upper_bound is None else percent(standing.upper_bound)),
        Text(grouped(standing.failed_on_canary)),
        Text(grouped(standing.failed_elsewhere)),
        Text(clock(standing.seconds), "dim"),
        Text(outcome or "", _STYLES[outcome] if outcome else ""),
    ]


def _weight(weight: int | None) -> Text:
    """A bar and the percentage."""
    if weight is None:
        return Text("–", "dim")
    filled = round(weight / 100 * _BAR_WIDTH)
    return Text.assemble(
        ("━" * filled, "bold dark_orange"), ("━" * (_BAR_WIDTH - filled), "bright_black"), f" {weight:3d} %"
    )
