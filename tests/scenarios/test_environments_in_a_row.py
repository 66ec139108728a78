"""dev, staging and production with real Git: each takes what has been stable for a while in the one before it."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import replace
from datetime import timedelta

import pytest
from adapters.git_remote import BareRemote, promoter_of
from builders import NOON, RANKER, digest, version
from fakes import Behaviour, FakeCluster, FakeMetrics, FakeStore

from promoter.control.loop import Loop
from promoter.control.observe import Observer, Ports
from promoter.control.reconcile import Reconciler
from promoter.documents.release_file import parse_release
from promoter.domain.observation import ClusterTraits

STORE = 'store: "file:///models/ranker"'
COMMON = "evidence: {margin: 0.02, interval: 5s}\nramp: {budget: 20}\nsoak: 1m\nguard: 30s\n"
DEV, STAGING = replace(RANKER, environment="dev"), replace(RANKER, environment="staging")
ROW = (DEV, STAGING, RANKER)
STABLE = "release:\n  stable:\n    version: {0}\n    digest: {1}\n"


class Place:
    """One environment, as the fakes of a cluster and its metrics see a world."""

    rate, replicas = 100, 4

    def __init__(self, row, served):
        self._row, self._served = row, served
        self.behaviour = defaultdict(Behaviour)
        self.repository = self
        self.cluster = FakeCluster(self)
        self.metrics = FakeMetrics(self)

    @property
    def now(self):
        return self._row.now

    @property
    def head(self):
        content = self._row.text(self._served.release_path).encode()
        return {"id": self._row.remote.head, "tree": {RANKER.release_path: content}}


class Row:
    """Three environments over one bare repository, a store, and a clock."""

    def __init__(self, folder, soak="5m"):
        self.now = NOON
        self._texts = {}
        files = {}
        for served, source in zip(
            ROW,
            (STORE, f"upstream: dev, upstream_soak: {soak}", f"upstream: staging, upstream_soak: {soak}"),
            strict=True,
        ):
            files[served.policy_path] = f"candidates: {{{source}}}\n{COMMON}"
            files[served.release_path] = STABLE.format(42, digest(42))
        self.remote = BareRemote(folder / "remote", {"README.md": "models\n"})
        self.person(files)
        self.store = FakeStore([42, 43])
        self.places = {served: Place(self, served) for served in ROW}
        self.git = promoter_of(self.remote.url, folder / "clone")
        ports = Ports(self.git, self.store, self, self, None)
        traits = ClusterTraits(timedelta(seconds=5), timedelta(seconds=8), restart_pause=timedelta(seconds=20))
        self.reconciler = Reconciler(ports, Observer(ports, traits, timedelta(seconds=5)))
        self.loop = Loop(self.reconciler, timedelta(seconds=5), clock=lambda: self.now)
        self.advance(130)

    def application(self, served, *, refresh=False):
        return self.places[served].cluster.application(served, refresh=refresh)

    def sync_windows(self, served):
        return self.places[served].cluster.sync_windows(served)

    def measurements(self, served, *arguments):
        return self.places[served].metrics.measurements(served, *arguments)

    def latency_profile(self, served, *arguments):
        return self.places[served].metrics.latency_profile(served, *arguments)

    def text(self, path):
        head = self.remote.head
        if self._texts.get(path, ("", ""))[0] != head:
            self._texts[path] = (head, self.remote.show(path))
        return self._texts[path][1]

    def person(self, files):
        # A commit of the remote's is a minute after the last one.
        self.remote._clock = int(self.now.timestamp()) - 60
        return self.remote.commit(files, "A person's commit")

    def release(self, served):
        return parse_release(self.text(served.release_path), served.release_path)

    def stable(self, served, number):
        return lambda: self.release(served).stable.version == version(number)

    def action(self, served):
        survey = self.reconciler.survey(self.now)
        return next(verdict.action for verdict in survey.verdicts if verdict.served == served)

    def advance(self, seconds):
        for _ in range(math.ceil(seconds)):
            self.now += timedelta(seconds=1)
            for place in self.places.values():
                place.cluster.step()
                place.metrics.step()

    def run(self, seconds, until):
        end = self.now + timedelta(seconds=seconds)
        while self.now < end and not until():
            self.advance(max(1.0, self.loop.one_pass().total_seconds()))
        return until()


@pytest.fixture
def row(tmp_path):
    return Row(tmp_path)


def test_a_version_goes_from_dev_to_production_and_soaks_in_each(row):
    stable_at = {}
    for served in ROW:
        assert row.run(2000, row.stable(served, 43))
        stable_at[served] = row.now
        if served != RANKER:
            reason = row.action(ROW[ROW.index(served) + 1]).reason
            assert f"43 soaks in {served.environment}, stable there since commit {row.remote.head[:12]}" in reason
    for earlier, later in ((DEV, STAGING), (STAGING, RANKER)):
        assert stable_at[later] - stable_at[earlier] > timedelta(minutes=5)
    started = [line for line in row.remote.log() if "43" in line and "canary" in line]
    assert started


def test_bytes_that_were_replaced_while_a_version_soaked_are_never_served_downstream(row):
    assert row.run(2000, row.stable(DEV, 43))
    row.store.overwritten[43] = digest(7)
    assert not row.run(600, lambda: row.release(STAGING).canary is not None)
    action = row.action(STAGING)
    assert action.alarm
    assert "the store holds other bytes under 43 than were proved upstream" in action.reason


def test_a_version_that_upstream_took_back_loses_its_weight_and_returns_when_it_is_back(row):
    assert row.run(2000, row.stable(DEV, 43))
    assert row.run(1000, lambda: (canary := row.release(STAGING).canary) is not None and canary.weight > 0)
    before = row.text(DEV.release_path)
    taken = row.person({DEV.release_path: STABLE.format(42, digest(42))})
    assert row.run(30, lambda: row.release(STAGING).canary.weight == 0)
    canary = row.release(STAGING).canary
    assert canary.withdrawn == (f"43 was taken back upstream: dev serves 42 since commit {taken[:12]} by Jane Doe")
    assert not row.release(STAGING).rejected
    assert not row.run(120, lambda: row.release(STAGING).canary.weight > 0)
    assert "`promoter revert` ends the rollout" in row.action(STAGING).reason
    row.person({DEV.release_path: before})
    assert row.run(2000, row.stable(STAGING, 43))


def test_a_version_that_a_person_started_past_upstream_is_theirs(row):
    row.store.versions = [42]
    hotfix = f"  canary:\n    version: 50\n    digest: {digest(50)}\n    weight: 5\n    replicas: 4\n"
    hotfix += f"    since: {row.now:%Y-%m-%dT%H:%M:%SZ}\n"
    row.store.versions.append(50)
    row.person({DEV.policy_path: f"candidates: {{{STORE}}}\npaused: true\n"})
    row.person({RANKER.release_path: STABLE.format(42, digest(42)) + hotfix})
    assert row.run(1500, row.stable(RANKER, 50))


def test_what_is_broken_upstream_bars_no_way_back(row):
    assert row.run(2000, row.stable(DEV, 43))
    assert row.run(1000, lambda: (canary := row.release(STAGING).canary) is not None and canary.weight > 0)
    row.person({DEV.policy_path: "candidates: {upstream: production}\n"})
    row.places[STAGING].behaviour[43].bad = 1.0
    assert row.run(60, lambda: bool(row.release(STAGING).rejected))
