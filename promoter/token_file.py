"""Bearer tokens in files: read when they are used, so that they can be replaced while we run."""

from __future__ import annotations

from pathlib import Path

_LARGEST = 16 * 2**10


class NoToken(Exception):
    """A file holds no token; the text says which, and why."""


def read_token(file: Path) -> str:
    """The token in a file, on one line of printable ASCII. Raises NoToken."""
    try:
        with file.open("rb") as opened:
            content = opened.read(_LARGEST + 1)
    except OSError as error:
        raise NoToken(f"the token cannot be read from {file}: {error.strerror}") from error
    token = content.strip()
    # Anything else would be refused further down, by an error that shows it.
    if not token or len(content) > _LARGEST or not all(33 <= byte <= 126 for byte in token):
        raise NoToken(f"{file} holds no token, which is one line of printable ASCII")
    return token.decode("ascii")
