"""Files that others watch: they appear whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path


def write_atomically(path: Path, text: str) -> None:
    """Write beside `path` and rename over it: watchers see one move, readers never half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # A hidden name: Prometheus' patterns and Envoy's watches must not take it for the file.
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(text)
    partial.replace(path)
