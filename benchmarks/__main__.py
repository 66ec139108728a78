"""Speed of the promoter: every figure, its bar, and whether it is held. Exit status 1 where one is not."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pygit2
from rich.console import Console

from benchmarks.figures import Figure, show
from benchmarks.preflight import resnet50
from benchmarks.stores import looks
from promoter.adapters.git import GitRepository, GitSettings
from promoter.adapters.stores import AllowedStores, FileStore
from promoter.control.observe import CHART, Observer, Ports
from promoter.control.preflights import UnaskedPreflights
from promoter.control.reconcile import Reconciler
from promoter.decisions.calibration import chosen
from promoter.decisions.evidence import weigh
from promoter.decisions.forecast import in_short
from promoter.documents.policy_file import parse_policy
from promoter.documents.release_file import parse_release
from promoter.domain.application import Application
from promoter.domain.evidence import ArmCounts, IntervalCounts
from promoter.domain.measurements import LatencyProfile, Measurements
from promoter.domain.names import ServedModel
from promoter.domain.observation import ClusterTraits
from promoter.domain.policy import CandidateSource, RolloutPolicy
from promoter.domain.sync_windows import SyncWindows
from promoter.domain.version import ModelVersion
from promoter.errors import ClusterUnavailable, MetricsUnavailable

RELEASE = f"release:\n  stable:\n    version: 42\n    digest: sha256:{42:064x}\n"
POLICY = "candidates: {{store: file://{store}}}\nevidence: {{false_revert: 0.01, false_promote: 0.05, margin: 0.005}}\n"
VALUES = "model: {name: ranker, storageUri: gs://models/ranker}\nbatching: {enabled: true}\n"
MODELS = 1000


def main() -> int:
    """Measure everything and print it."""
    return 0 if show([*command_line(), *core(), *passes(), *looks(), *resnet50()], Console()) else 1


def command_line() -> list[Figure]:
    """What a person waits for, by the clock on the wall."""
    command = [sys.executable, "-m", "promoter", "--help"]
    seconds = median(lambda: subprocess.run(command, check=True, capture_output=True), 7, time.perf_counter)
    return [Figure("promoter --help", seconds, 0.3, "s")]


def core() -> list[Figure]:
    """The pure part: reading files, weighing counts."""
    policy = RolloutPolicy(CandidateSource(store="file:///models"))
    arm = ArmCounts(5000, 5, 5, (900, 50, 5))
    intervals = [IntervalCounts(15.0 * index, ArmCounts(500, index % 2, 0, (90, 5, 1)), arm) for index in range(1, 181)]
    bounds = (6426.84, 11568.3, 20823.0)
    calibration = chosen({}, LatencyProfile(tuple((bound, 0.1) for bound in bounds)), policy, timedelta(seconds=5))
    began = datetime.fromtimestamp(0, UTC)
    weighed = median(lambda: weigh(intervals, policy, calibration, start=began, weight_since=began), runs=15)
    # A service with little traffic has the longest way to the end.
    thin = replace(calibration, base=0.001)
    told = median(lambda: in_short(policy, thin, ClusterTraits(), rate=5, full=3), runs=5)
    text = POLICY.format(store="/models")
    read = median(lambda: (parse_release(RELEASE, "release.yaml"), parse_policy(text, "policy.yaml")), runs=51)
    return [
        Figure("evidence of a rollout of 45 minutes, per interval", weighed / len(intervals) * 1e6, 100, "µs"),
        Figure("what a start commit says of a rollout at 5 requests a second", told * 1e3, 250, "ms"),
        Figure("release.yaml and policy.yaml of one model", read * 1e3, 1.5, "ms"),
    ]


def passes() -> list[Figure]:
    """Passes over a repository of many models at rest, on a real Git remote."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        url = _remote(root)
        git = GitRepository(GitSettings(url, "main", root / "clone.git", "promoter", "promoter@localhost"))
        ports = Ports(
            git, AllowedStores([f"file://{root}"], {"file": FileStore()}), _Silent(), _Silent(), UnaskedPreflights()
        )
        reconciler = Reconciler(ports, Observer(ports, ClusterTraits(), timedelta(hours=1)))
        noon = datetime(2026, 11, 22, 12, tzinfo=UTC)
        began = time.process_time()
        reconciler.survey(noon)
        cold = time.process_time() - began
        idle = median(lambda: reconciler.survey(noon), runs=5)
    return [
        Figure(f"first pass over {MODELS} models at rest", cold, 10, "s"),
        Figure(f"a later pass over {MODELS} models at rest", idle, 2, "s"),
    ]


def median(work: Callable[[], object], runs: int, clock: Callable[[], float] = time.process_time) -> float:
    """Median seconds of `runs` calls, after one that does not count.

    By default seconds of processor time, because other programs share the machine.
    """
    work()
    taken = []
    for _ in range(runs):
        began = clock()
        work()
        taken.append(clock() - began)
    return statistics.median(taken)


class _Silent:
    """Peers that a model at rest must not need."""

    def application(self, served: ServedModel, *, refresh: bool = False) -> Application:
        raise ClusterUnavailable(f"{served} asked with refresh={refresh}")

    def sync_windows(self, served: ServedModel) -> SyncWindows:
        raise ClusterUnavailable(f"{served} asked for its sync windows")

    def measurements(
        self, served: ServedModel, start: datetime, at: datetime, bounds_us: tuple[float, ...]
    ) -> Measurements:
        raise MetricsUnavailable(f"{served} asked for {start} to {at} at {bounds_us}")

    def latency_profile(
        self, served: ServedModel, version: ModelVersion, at: datetime, over: timedelta
    ) -> LatencyProfile:
        raise MetricsUnavailable(f"{served} {version} asked for {over} before {at}")


def _remote(root: Path) -> str:
    """A bare repository with MODELS models in groups of a hundred, all served from one empty store."""
    (root / "store").mkdir()
    repository = pygit2.init_repository(str(root / "remote.git"), bare=True, initial_head="main")
    index = pygit2.Index()
    policy = repository.create_blob(POLICY.format(store=root / "store").encode())
    release = repository.create_blob(RELEASE.encode())
    values = repository.create_blob(VALUES.encode())
    chart = repository.create_blob(Path(CHART, "values.yaml").read_bytes())
    index.add(pygit2.IndexEntry(f"{CHART}/values.yaml", chart, pygit2.enums.FileMode.BLOB))
    for number in range(MODELS):
        path = f"environments/production/team-{number // 100}/model-{number}"
        index.add(pygit2.IndexEntry(f"{path}/policy.yaml", policy, pygit2.enums.FileMode.BLOB))
        index.add(pygit2.IndexEntry(f"{path}/release.yaml", release, pygit2.enums.FileMode.BLOB))
        index.add(pygit2.IndexEntry(f"{path}/values.yaml", values, pygit2.enums.FileMode.BLOB))
    person = pygit2.Signature("Ada", "ada@example.com", 1_790_000_000, 0)
    tree = index.write_tree(repository)
    repository.create_commit("refs/heads/main", person, person, "Serve many models\n", tree, [])
    return f"file://{root}/remote.git"


if __name__ == "__main__":
    sys.exit(main())
