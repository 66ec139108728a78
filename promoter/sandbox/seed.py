"""The remote of a sandbox: a bare repository whose first commit a person made. What follows is not made here."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pygit2

from promoter.domain.names import POLICY_FILE, RELEASE_FILE, VALUES_FILE
from promoter.errors import InvalidSettings
from promoter.sandbox.layout import BRANCH, SERVED, Layout

_CHARTS = "charts"
_CHART = "charts/model-serving"
_AUTHOR = ("Robin Operator", "robin@localhost")

_SUBJECT = f"{SERVED.model}: {SERVED.environment}: served from here, no version yet"

_RELEASE = """\
# Written by the promoter. A person may change it in a pull request; the promoter respects that.
release: {}
"""


def default_policy(layout: Layout, budget: int = 20) -> str:
    """policy.yaml of a sandbox. budget: failed requests one is ready to lose in one reaction time."""
    return f"""\
# A sandbox is watched by somebody who does not want to wait. This policy asks for less proof than a
# shop would: there, leave `margin` at 0.005 and soak and guard at minutes, and let rollouts take their time.
candidates:
  store: {layout.model_store_url}
evidence:
  margin: 0.02      # four times the usual excess of failed requests is let through
  interval: 5s
ramp:
  budget: {budget}        # failed requests one is ready to lose in one reaction time
  max_weight: 50
soak: 10s
guard: 10s
max_blind: 30s
# On one machine the pods of stable are busy while a version is verified; live latency is measured anyway.
preflight: {{warn: [latency]}}
"""


def seed(layout: Layout, project: Path, policy: str) -> None:
    """Make the bare remote and an empty folder for versions, unless an earlier sandbox made them already.

    The first commit holds `charts/` as it stands in `project`, and the environment of the sandbox
    with `policy` as its policy.yaml. Raises InvalidSettings where `project` holds no chart.
    """
    if layout.bucket is None:
        layout.model_store.mkdir(parents=True, exist_ok=True)
    if layout.remote.exists():
        return
    charts = dict(_charts(project))
    draft = layout.remote.with_suffix(".draft")
    # What a seed that was interrupted has left.
    shutil.rmtree(draft, ignore_errors=True)
    repository = pygit2.init_repository(draft, bare=True, initial_head=BRANCH)
    index = pygit2.Index()
    for path, content in {**charts, **_environment(layout, policy)}.items():
        index.add(pygit2.IndexEntry(path, repository.create_blob(content), pygit2.enums.FileMode.BLOB))
    author = pygit2.Signature(*_AUTHOR)
    tree = index.write_tree(repository)
    repository.create_commit(f"refs/heads/{BRANCH}", author, author, _SUBJECT + "\n", tree, [])
    draft.rename(layout.remote)


def _charts(project: Path) -> Iterator[tuple[str, bytes]]:
    """Every file of the project's charts, by its path in the repository."""
    if not (project / _CHART / "Chart.yaml").is_file():
        raise InvalidSettings(
            f"{project.resolve()} holds no {_CHART}: run the sandbox in a checkout of the project, "
            "or name one with --project"
        )
    for path in sorted((project / _CHARTS).rglob("*")):
        if path.is_file():
            yield path.relative_to(project).as_posix(), path.read_bytes()


def _environment(layout: Layout, policy: str) -> dict[str, bytes]:
    """The three files of the model's folder."""
    files = {VALUES_FILE: _values(layout), POLICY_FILE: policy, RELEASE_FILE: _RELEASE}
    return {f"{SERVED.folder}/{name}": text.encode() for name, text in files.items()}


def _values(layout: Layout) -> str:
    return f"""\
model:
  name: {SERVED.model}
  storageUri: {layout.model_store_url}

replicaCount: 2

# Two pods of each version share one machine with everything else.
resources:
  requests:
    cpu: 100m
    memory: 256Mi
  limits:
    cpu: "1"
    memory: 1Gi

# The routes of a sandbox change within a second, so a pod that leaves need not wait long.
terminationDrainSeconds: 8

route:
  hosts: [{layout.authority}]
  timeout: 3s

monitoring:
  interval: 1s
"""
