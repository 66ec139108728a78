"""What Prometheus is told, over rollouts of the small world."""

from __future__ import annotations

import subprocess
from datetime import timedelta

import pytest
from builders import NOON
from fakes import Behaviour, FakePreflights, World
from preflights import passed
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from promoter.control.loop import Loop
from promoter.control.observe import Observer, Ports
from promoter.control.reconcile import Reconciler, Survey, Verdict
from promoter.domain.action import Hold
from promoter.domain.completeness import ByManifest
from promoter.domain.names import FREEZE_PATH, ServedModel
from promoter.domain.preflight import PreflightPolicy, PreflightRequest
from promoter.domain.sync_windows import SyncWindow, SyncWindowKind, SyncWindows
from promoter.errors import PreflightUnavailable
from promoter.telemetry import MeasuredPreflights, PassMetrics, measured
from promoter.telemetry.models import MOST_MODELS, ModelFigures

FROZEN = "freezes: [{scope: all, reason: the night}]\n"
MODEL = {"environment": "production", "group": "", "model": "ranker"}


@pytest.fixture
def metrics():
    return PassMetrics(CollectorRegistry())


class Told:
    """What a scrape says now."""

    def __init__(self, metrics):
        self.text = generate_latest(metrics.registry).decode()
        self._samples = {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(self.text)
            for sample in family.samples
        }

    def __getitem__(self, name):
        return self.of(name)

    def of(self, name, **labels):
        return self._samples.get((f"promoter_{name}", tuple(sorted(labels.items()))))

    def model(self, name, **labels):
        return self.of(name, **MODEL, **labels)


def watched(world, metrics):
    """The world's loop, with every pass told to `metrics`."""
    world.loop = Loop(world.reconciler, timedelta(seconds=5), lambda: world.now, audiences=[metrics])
    return world


def test_a_rollout_is_told_from_its_start_to_its_end(metrics):
    world = watched(World(versions=[42, 43]), metrics)
    assert world.run(300, until=lambda: world.weight > 0)
    world.run(10)
    told = Told(metrics)
    assert told["models"] == told["rollouts_in_flight"] == 1
    assert told.model("canary_weight_ratio") == world.weight / 100
    assert told.model("canary_version") == 43
    assert told.model("stable_version") == 42
    assert told.model("canary_blind_seconds") < 15
    assert told.model("canary_log_odds") < 1
    assert 0 < told.model("canary_excess_bound_ratio") <= 1
    assert told.model("canary_weight_since_timestamp_seconds") > NOON.timestamp()
    assert world.run(600, until=lambda: world.release.stable.version.number == 43)
    world.run(10)
    told = Told(metrics)
    assert told["rollouts_in_flight"] == 0
    assert told.model("canary_version") is None
    assert told.of("pushed_actions_total", action="promote") == 1
    assert told["pushed_commits_total"] == len(world.subjects())
    assert told.of("passes_total", result="completed") == told["pass_seconds_count"]
    assert told["last_completed_pass_timestamp_seconds"] > 1.7e9


def test_a_barred_way_back_is_told_while_it_is_barred_and_not_before(metrics):
    world = watched(World(versions=[42, 43]), metrics)
    assert world.run(300, until=lambda: world.weight > 0)
    world.repository.refusal = "protected branch"
    assert Told(metrics)["way_back_barred"] == 0
    world.behaviour[43] = Behaviour(bad=1.0)
    world.run(40)
    told = Told(metrics)
    assert told["way_back_barred"] == 1
    assert told.of("passes_total", result="push_refused") > 0
    world.repository.refusal = None
    assert world.run(10, until=lambda: world.weight == 0)
    assert Told(metrics)["way_back_barred"] == 0


def test_a_way_back_that_a_sync_window_bars_is_told_too(metrics):
    world = watched(World(versions=[42, 43]), metrics)
    assert world.run(300, until=lambda: world.weight > 0)
    world.run(10)
    window = SyncWindow(SyncWindowKind.DENY, "* * * * *", "1h", lets_people_sync=False)
    world.cluster.windows = SyncWindows((window,), (window,))
    world.behaviour[43] = Behaviour(bad=1.0)
    assert world.run(60, until=lambda: world.weight == 0)
    assert Told(metrics)["way_back_barred"] == 0
    world.run(20)
    told = Told(metrics)
    assert told["way_back_barred"] == 1
    assert told.of("passes_total", result="completed") == told["pass_seconds_count"]
    world.cluster.windows = SyncWindows((window,))
    world.run(20)
    assert Told(metrics)["way_back_barred"] == 0


def test_an_unreachable_remote_completes_no_pass(metrics):
    world = watched(World(versions=[42, 43]), metrics)
    world.run(5)
    before = Told(metrics)
    world.repository.unreachable = True
    world.run(20)
    told = Told(metrics)
    assert told.of("passes_total", result="repository_unavailable") > 0
    assert told["last_completed_pass_timestamp_seconds"] == before["last_completed_pass_timestamp_seconds"]


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (lambda world: setattr(world.metrics, "down", "Prometheus is down"), "metrics"),
        (lambda world: setattr(world.cluster, "broken", "Argo CD is down"), "sync"),
        (lambda world: world.repository.person({FREEZE_PATH: FROZEN}), "freeze"),
    ],
)
def test_what_a_rollout_waits_for_is_told_with_the_time_since_when(metrics, harm, reason):
    world = watched(World(versions=[42, 43]), metrics)
    assert world.run(300, until=lambda: world.weight > 0)
    world.run(10)
    assert Told(metrics).model("waiting_since_timestamp_seconds", reason="evidence") is not None
    harm(world)
    world.run(10)
    began = Told(metrics).model("waiting_since_timestamp_seconds", reason=reason)
    assert began is not None
    world.run(20)
    assert Told(metrics).model("waiting_since_timestamp_seconds", reason=reason) == began
    assert Told(metrics).model("waiting_since_timestamp_seconds", reason="evidence") is None


def test_a_file_that_does_not_parse_is_an_alarm(metrics):
    world = watched(World(versions=[42]), metrics)
    world.run(5)
    assert Told(metrics).model("alarm", reason="file") is None
    world.repository.person({"environments/production/ranker/policy.yaml": "candidates: ["})
    world.run(5)
    assert Told(metrics).model("alarm", reason="file") == 1
    assert Told(metrics)["models_broken"] == 1


def test_who_stands_by_tells_of_no_model(metrics):
    world = watched(World(versions=[42, 43]), metrics)
    assert world.run(300, until=lambda: world.weight > 0)
    assert Told(metrics)["leader"] == 1
    metrics.stood_by()
    told = Told(metrics)
    assert told["leader"] == 0
    assert told["models"] is None
    assert told.model("canary_weight_ratio") is None


def test_models_at_rest_have_no_series_and_others_no_more_than_there_is_room_for():
    held = [Verdict(ServedModel("production", f"m{number}"), Hold("broken", alarm=True)) for number in range(1200)]
    figures = ModelFigures()
    figures.saw(Survey("head", NOON, tuple(held), (), None))
    families = {family.name: family for family in figures.collect()}
    assert len(families["promoter_alarm"].samples) == MOST_MODELS
    assert families["promoter_models_left_out"].samples[0].value == 200
    assert families["promoter_models"].samples[0].value == 1200


def test_peers_are_timed_and_what_they_do_not_answer_is_counted(metrics):
    world = World(versions=[42, 43])
    timed = measured(world.repository, "git", frozenset({"fetch"}), metrics)
    ports = Ports(timed, world.store, world.metrics, world.cluster, None)
    world.reconciler = Reconciler(ports, Observer(ports, world.traits, timedelta(seconds=5)))
    watched(world, metrics).run(10)
    told = Told(metrics)
    assert told.of("peer_call_seconds_count", peer="git", call="fetch") == told.of("passes_total", result="completed")
    assert told.of("peer_failures_total", peer="git") == 0
    world.repository.unreachable = True
    world.run(5)
    assert Told(metrics).of("peer_failures_total", peer="git") > 0


def request(number):
    return PreflightRequest(
        f"file:///models/{number}", f"sha256:{number:064}", None, None, ByManifest(), PreflightPolicy()
    )


def test_a_preflight_is_counted_once_with_the_seconds_that_it_took(metrics):
    now = [0.0]
    inner = FakePreflights()
    preflights = MeasuredPreflights(inner, metrics, lambda: now[0])
    for _ in range(3):
        assert isinstance(preflights.ask(request(43)), str)
        now[0] += 20
    inner.results[43] = passed(43)
    for _ in range(3):
        preflights.ask(request(43))
    told = Told(metrics)
    assert told.of("preflights_total", outcome="passed") == 1
    assert told["preflight_seconds_sum"] == 60


def test_a_preflight_without_a_result_is_counted_each_time_that_it_ran(metrics):
    inner = FakePreflights(results={43: PreflightUnavailable("no TensorFlow")})
    preflights = MeasuredPreflights(inner, metrics, lambda: 0.0)
    for _ in range(3):
        with pytest.raises(PreflightUnavailable):
            preflights.ask(request(43))
    assert Told(metrics).of("preflights_total", outcome="no_result") == 1
    inner.results[43] = "it runs since noon"
    preflights.ask(request(43))
    inner.results[43] = PreflightUnavailable("no TensorFlow")
    with pytest.raises(PreflightUnavailable):
        preflights.ask(request(43))
    assert Told(metrics).of("preflights_total", outcome="no_result") == 2


def test_promtool_finds_nothing_to_say_of_the_metrics(metrics):
    world = watched(World(versions=[42, 43]), metrics)
    assert world.run(300, until=lambda: world.weight > 0)
    measured(world.cluster, "argocd", frozenset({"application"}), metrics)
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=Told(metrics).text, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
