"""Where the bearer tokens of Git and of the forge come from: asked at each use, kept by nobody else."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from promoter.token_file import read_token


class Tokens(Protocol):
    """One account's token at one server. Several threads may ask.

    remedy: what a person has to do where the server takes none of them.
    """

    @property
    def remedy(self) -> str: ...

    def current(self) -> str:
        """The token to send now. Raises NoToken."""

    def instead_of(self, refused: str) -> str | None:
        """Another one, now that the server does not take `refused`; None where there is none. Raises NoToken."""


class TokenFile:
    """`Tokens` in a file that others write: it may be replaced while we run."""

    def __init__(self, file: Path) -> None:
        self._file = file

    @property
    def remedy(self) -> str:
        return f"put a valid one into {self._file}"

    def current(self) -> str:
        return read_token(self._file)

    def instead_of(self, refused: str) -> str | None:
        found = read_token(self._file)
        return None if found == refused else found
