"""The commands of a page of the documentation, as a person copies them from it."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path

from e2e_commands import run


@dataclass(frozen=True, slots=True)
class Block:
    """One indented block: below which heading it stands, and the how many-th of it, from 1."""

    heading: str
    number: int
    text: str

    def __str__(self):
        return f"{self.heading} ({self.number})"


def blocks(page: Path) -> list[Block]:
    """Every indented block of a page, in order."""
    found, lines, heading, number = [], [], "", 0
    for line in [*page.read_text(encoding="utf-8").splitlines(), "#"]:
        if line.startswith("    ") or (lines and not line):
            lines.append(line)
            continue
        if lines:
            number += 1
            found.append(Block(heading, number, textwrap.dedent("\n".join(lines)).strip() + "\n"))
            lines = []
        if line.startswith("#"):
            heading, number = line.lstrip("# "), 0
    return found


class Reader:
    """A person who copies the blocks of a page one after the other, each exactly once.

    instead: what stands in the page as an example, and what it is called here.
    """

    def __init__(self, page, folder, environment, instead):
        self._blocks = blocks(page)
        self._page, self._folder, self.environment, self._instead = page.name, folder, environment, instead
        self.log = []

    def next(self, heading):
        """The next block's text, which must stand below this heading."""
        block = self._blocks.pop(0)
        assert block.heading == heading, f"{self._page} goes on with {block}, and the test expects {heading!r}"
        text = block.text
        for example, ours in self._instead.items():
            text = text.replace(example, ours)
        return text

    def read(self, heading):
        """Pass over a block that is no command."""
        self.next(heading)

    def do(self, heading, timeout=120, but=lambda _: False):
        """Run the next block; `but` names lines that this place has no use for. Returns what it printed."""
        text = self.next(heading)
        left_out = [line for line in text.splitlines() if but(line)]
        text = "\n".join(line for line in text.splitlines() if line not in left_out)
        done = run(
            "bash", "-euo", "pipefail", "-c", text,
            cwd=self._folder, environment=self.environment, check=False, timeout=timeout,
        )  # fmt: skip
        said = done.stdout + done.stderr
        self.log.append(f"$ {text}\n{said}")
        assert done.returncode == 0, f"{self._page}, {heading}: exit status {done.returncode}\n{text}\n{said}"
        return said, left_out

    def at_end(self):
        assert not self._blocks, f"{self._page} has more than the test does: {[str(each) for each in self._blocks]}"
