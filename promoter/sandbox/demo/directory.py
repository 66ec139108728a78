"""The demo's folder: made, and cleaned of what an earlier demo left, and of nothing else."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from promoter.errors import InvalidSettings
from promoter.sandbox import processes

# Without this file nothing in a folder is taken to be ours.
_MARK = "demo.mark"

_OURS = (
    "clone.git",
    "logs",
    "models",
    "promoter.env",
    "remote.draft",
    "remote.git",
    "report.html",
    "run",
    "sandbox.json",
    "sandbox.lock",
    "store",
    "summary.json",
    "traffic.jsonl",
)


@dataclass(frozen=True, slots=True)
class DemoDirectory:
    """The files of the demo beside those of its sandbox. `path` is absolute."""

    path: Path

    @classmethod
    def begin(cls, path: Path) -> DemoDirectory:
        """The folder at `path`, as good as new.

        Processes and files of an earlier demo are ended and removed. Raises InvalidSettings where the
        folder holds other things, a sandbox that somebody brought up by hand among them.
        """
        path = path.resolve()
        if path.exists() and not path.is_dir():
            raise InvalidSettings(f"{path} is a file: name a folder with --directory")
        if path.exists() and any(path.iterdir()) and not (path / _MARK).exists():
            raise InvalidSettings(
                f"{path} is not empty, and no demo made it: name another folder with --directory, or empty this one"
            )
        if path.exists():
            processes.sweep(path)
        for name in _OURS:
            _remove(path / name)
        path.mkdir(parents=True, exist_ok=True)
        (path / _MARK).write_text("The demo made this folder, and cleans it when it begins again.\n", encoding="ascii")
        return cls(path)

    @property
    def models(self) -> Path:
        """Where the versions are built."""
        return self.path / "models"

    @property
    def summary(self) -> Path:
        return self.path / "summary.json"

    @property
    def report(self) -> Path:
        return self.path / "report.html"


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
