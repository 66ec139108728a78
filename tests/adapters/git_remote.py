"""A bare repository and the people who change it, with the real `git`; and promoters that follow it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pygit2

from promoter.adapters.git import GitRepository, GitSettings

JANE = "Jane Doe <jane@shop.example>"
PROMOTER = "promoter@shop.example"
NOON = 1_795_000_000
RESNET = "environments/production/resnet50/release.yaml"
RANKER = "environments/production/shop/ranker/release.yaml"
FIRST_FILES = {
    RESNET: "release: {}\n",
    "environments/production/resnet50/values.yaml": "replicaCount: 2\n",
    "environments/production/resnet50/policy.yaml": "soak: 5m\n",
    RANKER: "release: {}\n",
    "environments/staging/resnet50/release.yaml": "release: {}\n",
    "charts/model-serving/Chart.yaml": "name: model-serving\n",
    "README.md": "models\n",
}
# What a machine's or a person's own Git configuration says must not change a test.
ENVIRONMENT = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}


def git(folder: Path, *arguments: str, text: str = "") -> str:
    """What `git` prints, without the line feed at its end."""
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], input=text, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.rstrip("\n")


class BareRemote:
    """The repository that everybody pushes to; `commit` is what a person does to it."""

    def __init__(self, folder: Path, files: Mapping[str, str] = FIRST_FILES) -> None:
        self.folder = folder
        self._clock = NOON
        folder.mkdir(parents=True)
        git(folder, "init", "--quiet", "--bare", "--initial-branch=main", "--template=", ".")
        (folder / "hooks").mkdir()
        self.first = self.commit(files, "First files")

    @property
    def url(self) -> str:
        return f"file://{self.folder}"

    @property
    def head(self) -> str:
        return self._tip("main") or ""

    def commit(
        self,
        files: Mapping[str, str | None],
        message: str,
        *,
        by: str = JANE,
        author: str | None = None,
        modes: Mapping[str, str] | None = None,
        on: str = "main",
        merging: str = "",
    ) -> str:
        """A commit on branch `on` with `files` changed; None deletes. Its time is a minute after the last one's."""
        self._clock += 60
        lines = [f"commit refs/heads/{on}", f"author {author or by} {self._clock} +0000"]
        lines += [f"committer {by} {self._clock} +0000", _data(message)]
        lines += [f"from refs/heads/{on}^0"] if self._tip(on) else []
        lines += [f"merge {merging}"] if merging else []
        for path, content in files.items():
            if content is None:
                lines.append(f"D {path}")
            elif (mode := (modes or {}).get(path, "100644")) == "160000":
                lines.append(f"M 160000 {content} {path}")
            else:
                lines += [f"M {mode} inline {path}", _data(content)]
        git(self.folder, "fast-import", "--quiet", "--force", text="\n".join(lines) + "\n")
        return self._tip(on) or ""

    def rewind(self, revision: str) -> None:
        git(self.folder, "update-ref", "refs/heads/main", revision)

    def _tip(self, branch: str) -> str | None:
        reference = pygit2.Repository(str(self.folder)).references.get(f"refs/heads/{branch}")
        return None if reference is None else str(reference.target)

    def show(self, path: str, revision: str = "main") -> str:
        return git(self.folder, "show", f"{revision}:{path}")

    def log(self) -> list[str]:
        return git(self.folder, "log", "--format=%s", "main").splitlines()

    def changed_by(self, revision: str) -> list[str]:
        return git(self.folder, "diff-tree", "-r", "--no-commit-id", "--name-only", revision).splitlines()

    def hook(self, name: str, script: str) -> None:
        path = self.folder / "hooks" / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)


def promoter_of(url: str, clone: Path, **changes: object) -> GitRepository:
    """A promoter that loses patience soon."""
    settings = {
        "url": url,
        "branch": "main",
        "clone": clone,
        "author_name": "promoter",
        "author_email": PROMOTER,
        "connect_timeout": timedelta(seconds=1),
        "timeout": timedelta(seconds=5),
    }
    return GitRepository(GitSettings(**{**settings, **changes}))


def _data(text: str) -> str:
    return f"data {len(text.encode())}\n{text}"
