"""Several models of one real Git repository share limits, through the loop."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pygit2
import pytest
from adapters.git_remote import JANE, BareRemote, promoter_of
from builders import RANKER, digest
from fakes import POLICY, Behaviour, FakeCluster, FakeMetrics, FakeStore

from promoter.cli.status import _as_data
from promoter.control.explain import Explainer, Outcome
from promoter.control.loop import Loop
from promoter.control.observe import Observer, Ports
from promoter.control.reconcile import Reconciler
from promoter.decisions.hindsight import Silence
from promoter.documents.release_file import parse_release
from promoter.domain.action import Hold
from promoter.domain.names import LIMITS_PATH, ServedModel
from promoter.domain.observation import ClusterTraits
from promoter.telemetry.standing import Waiting, waits_for

NAMES = ("alpha", "beta", "delta", "gamma")
RELEASE = f"release:\n  stable:\n    version: 42\n    digest: {digest(42)}\n"


class Corner:
    """What the fakes take for a world of one model: the town's clock, and its own release.yaml at the town's head."""

    replicas, rate = 4, 100

    def __init__(self, town, served):
        self.town, self.served, self.repository = town, served, self
        self.behaviour = {42: Behaviour(), 43: Behaviour()}
        self.cluster, self.metrics = FakeCluster(self), FakeMetrics(self)
        self._head = {"id": None}

    @property
    def now(self):
        return self.town.now

    @property
    def head(self):
        tip = self.town.tip()
        if self._head["id"] != str(tip.id):
            self._head = {"id": str(tip.id), "tree": {RANKER.release_path: tip.tree[self.served.release_path].data}}
        return self._head

    @property
    def release(self):
        return parse_release(self.head["tree"][RANKER.release_path], RANKER.release_path)


class Town:
    """Models beside each other on a real remote."""

    def __init__(self, folder, limits):
        files = {LIMITS_PATH: limits, "charts/model-serving/Chart.yaml": "name: model-serving\n"}
        models = [ServedModel("production", name) for name in NAMES]
        for served in models:
            files |= {served.release_path: RELEASE, served.policy_path: POLICY}
        self.remote = BareRemote(folder / "remote.git", files)
        self._opened = pygit2.Repository(folder / "remote.git")
        self.now = datetime.fromtimestamp(self.tip().commit_time, UTC)
        self.corners = {served: Corner(self, served) for served in models}
        store = FakeStore([42, 43])
        self.ports = ports = Ports(promoter_of(self.remote.url, folder / "clone.git"), store, self, self, None)
        traits = ClusterTraits(timedelta(seconds=5), timedelta(seconds=8), restart_pause=timedelta(seconds=20))
        self.observer = Observer(ports, traits, timedelta(seconds=5))
        self.reconciler = Reconciler(ports, self.observer)
        self.loop = Loop(self.reconciler, timedelta(seconds=5), clock=lambda: self.now)
        self.advance(130)

    def tip(self):
        return self._opened[self._opened.references["refs/heads/main"].target]

    def application(self, served, *, refresh=False):
        return self.corners[served].cluster.application(served, refresh=refresh)

    def sync_windows(self, served):
        return self.corners[served].cluster.sync_windows(served)

    def measurements(self, served, start, at, bounds_us):
        return self.corners[served].metrics.measurements(served, start, at, bounds_us)

    def latency_profile(self, served, version, at, over):
        return self.corners[served].metrics.latency_profile(served, version, at, over)

    def advance(self, seconds):
        for _ in range(seconds):
            self.now += timedelta(seconds=1)
            for corner in self.corners.values():
                corner.cluster.step()
                corner.metrics.step()

    def canaries(self):
        """Weights by name, those of all rollouts in Git."""
        releases = {served.model: corner.release for served, corner in self.corners.items()}
        return {name: release.canary.weight for name, release in releases.items() if release.canary}

    def stable(self):
        return [served.model for served, corner in self.corners.items() if corner.release.stable.version.number == 43]


@pytest.fixture
def town(tmp_path):
    return lambda limits: Town(tmp_path, limits)


def test_rollouts_take_turns_and_no_commit_takes_more_than_the_limits(town):
    place = town("limits:\n  production: {concurrent_rollouts: 2, exposure: 25}\n")
    began, most = [], 0
    for _ in range(160):
        place.loop.one_pass()
        weights = place.canaries()
        began += [name for name in weights if name not in began]
        assert len(weights) <= 2
        assert sum(weight for weight in weights.values() if weight < 100) <= 25
        most = max(most, sum(weight for weight in weights.values() if weight < 100))
        if len(place.stable()) == len(NAMES):
            break
        place.advance(5)
    assert place.stable() == list(NAMES)
    assert began == ["alpha", "beta", "delta", "gamma"]
    assert most > 15
    explained = Explainer(place.ports.repository, place.observer).explain_all(place.ports.repository.fetch(), 100)
    cut = [one for one in explained if one.outcome is not Outcome.SAME]
    assert {one.outcome for one in cut} == {Outcome.UNRECORDED}
    assert {one.conclusion for one in cut} == {f"It cannot be recomputed: {Silence.LIMITS}."}
    assert len(cut) == 2


def test_who_waits_and_behind_whom_is_in_the_status_and_a_broken_file_holds_all(town):
    place = town("limits:\n  production: {concurrent_rollouts: 1}\n")
    place.loop.one_pass()
    place.advance(5)
    survey = place.reconciler.survey(place.now)
    data = _as_data(survey)
    assert data["limits"] == {
        "production": {"concurrent_rollouts": 1, "rollouts": 1, "exposure": None, "exposed": 0},
    }
    behind = {model["model"]: model["waits_behind"] for model in data["models"]}
    assert behind == {
        "alpha": [],
        "beta": ["production/alpha"],
        "delta": ["production/alpha", "production/beta"],
        "gamma": ["production/alpha", "production/beta", "production/delta"],
    }
    assert [waits_for(verdict, place.now) for verdict in survey.verdicts][1:] == [Waiting.LIMITS] * 3
    place.remote.commit({LIMITS_PATH: "limits:\n  production: {concurrent: 1}\n"}, "More", by=JANE)
    place.advance(30)
    survey = place.reconciler.survey(place.now)
    assert _as_data(survey)["limits"] is None
    held = [verdict.action for verdict in survey.verdicts]
    assert all(isinstance(action, Hold) and action.alarm for action in held)
    assert "environments/limits.yaml:2: unknown key 'concurrent'" in held[1].reason
    assert survey.draft is None
