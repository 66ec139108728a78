"""The real chart's manifests as values, and the manifests that are refused."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from agent_world import FOLDER, VALUES, release, remote_with_model

from promoter.domain.names import ServedModel
from promoter.errors import InvalidInput, InvalidSettings, RepositoryUnavailable
from promoter.rendering.chart import merged
from promoter.sandbox.agent.desired import desired_from
from promoter.sandbox.agent.pod_folder import pod_command, write_mounts
from promoter.sandbox.agent.render import Renderer
from promoter.sandbox.agent.repository import BareRemote
from promoter.sandbox.agent.resources import parse_resources
from promoter.sandbox.agent.scrape import ScrapedPod, prometheus_configuration, targets

SERVED = ServedModel("production", "resnet50")


@pytest.fixture
def remote(tmp_path):
    return remote_with_model(tmp_path / "remote.git", text=release(1, 2, weight=5, replicas=2, stable_replicas=3))


def rendered(remote, tmp_path):
    bare = BareRemote(str(remote.path), "main")
    return Renderer(bare, tmp_path / "charts").render(SERVED, bare.sources(bare.resolve(), SERVED))


def test_the_chart_becomes_pods_services_and_a_route(remote, tmp_path):
    desired = desired_from(rendered(remote, tmp_path))
    assert {item.name: item.replicas for item in desired.deployments} == {"resnet50-v1": 3, "resnet50-v2": 2}
    assert {item.max_unavailable for item in desired.deployments} == {0}
    (route,) = desired.routes
    assert route.hosts == ("resnet50.production",)
    for each in route.routes:
        assert {item.service: item.weight for item in each.destinations} == {"resnet50-v1": 95, "resnet50-v2": 5}
        assert each.timeout == 5.0
        assert [item.headers for item in each.destinations] == [{"x-model-version": "1"}, {"x-model-version": "2"}]
    assert [each.prefix for each in route.routes] == ["/tensorflow.serving.PredictionService/", "/v1/models/resnet50:"]
    for service in desired.services.values():
        assert [(port.number, port.target, port.http2) for port in service.ports] == [
            (8500, "grpc", True),
            (8501, "http", False),
        ]
    template = desired.deployments[0].template
    assert template.startup.port == template.readiness.port == 8500
    assert template.pre_stop == 1.0
    assert template.grace == 6.0


def test_a_weight_or_a_promotion_does_not_touch_the_pods_of_a_version(remote, tmp_path):
    before = {item.name: item.template for item in desired_from(rendered(remote, tmp_path)).deployments}
    remote.push_release(2)
    after = {item.name: item.template for item in desired_from(rendered(remote, tmp_path)).deployments}
    assert after == {"resnet50-v2": before["resnet50-v2"]}


def test_the_servers_files_lie_in_the_pods_folder_and_its_flags_point_there(remote, tmp_path):
    desired = desired_from(rendered(remote, tmp_path))
    template = desired.deployments[1].template
    folder = tmp_path / "pod"
    write_mounts(folder, template.mounts, desired.config_maps)
    command = pod_command(template, folder, {"tensorflow_model_server": ("python", "-m", "server")})
    assert command[:3] == ("python", "-m", "server")
    flags = dict(part.removeprefix("--").split("=", 1) for part in command[3:])
    assert flags["port"] == "8500"
    assert Path(flags["model_config_file"]).is_relative_to(folder)
    assert "versions: 2" in Path(flags["model_config_file"]).read_text()
    assert Path(flags["monitoring_config_file"]).exists()


def test_a_release_without_versions_asks_for_nothing_that_runs(remote, tmp_path):
    remote.push({f"{FOLDER}/release.yaml": "release: {}\n"})
    desired = desired_from(rendered(remote, tmp_path))
    assert desired.deployments == ()
    assert desired.routes == ()


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        (VALUES.replace("timeout: 5s", "timeout: 5s, typo: 1"), "typo"),
        ("a: [", "values.yaml"),
        (VALUES.replace("name: resnet50,", ""), "name"),
    ],
)
def test_values_that_do_not_fit_the_chart_are_refused_by_name(remote, tmp_path, values, problem):
    remote.push({f"{FOLDER}/values.yaml": values})
    with pytest.raises(InvalidInput, match=problem):
        rendered(remote, tmp_path)


def test_a_missing_values_file_is_named(remote, tmp_path):
    remote.push({f"{FOLDER}/values.yaml": None})
    with pytest.raises(InvalidInput, match=r"environments/production/resnet50/values\.yaml: no such file"):
        rendered(remote, tmp_path)


def test_later_values_win_key_by_key_and_lists_whole():
    base = {"a": {"x": 1, "y": 2}, "list": [1, 2], "gone": 1}
    assert merged(base, {"a": {"y": 3}, "list": [9], "gone": None}) == {
        "a": {"x": 1, "y": 3},
        "list": [9],
        "gone": None,
    }
    assert base["a"] == {"x": 1, "y": 2}


def test_models_are_found_with_and_without_groups_and_bad_names_are_left_out(remote):
    remote.push(
        {
            "environments/staging/team/ranker/release.yaml": "release: {}",
            "environments/staging/Bad_Name/release.yaml": "release: {}",
            "environments/project.yaml": "x",
        }
    )
    bare = BareRemote(remote.path.as_uri(), "main")
    assert bare.models(bare.resolve()) == (SERVED, ServedModel("staging", "ranker", "team"))


def test_a_remote_that_is_away_is_unavailable_and_comes_back(remote, tmp_path):
    bare = BareRemote(str(remote.path), "main")
    revision = bare.resolve()
    away = remote.path.rename(tmp_path / "away.git")
    with pytest.raises(RepositoryUnavailable):
        bare.resolve()
    away.rename(remote.path)
    assert bare.resolve() == revision


def test_a_remote_elsewhere_is_refused():
    with pytest.raises(InvalidSettings, match="not on this machine"):
        BareRemote("https://git.example.com/models.git", "main")


ROUTE = {
    "apiVersion": "networking.istio.io/v1",
    "kind": "VirtualService",
    "metadata": {"name": "ranker"},
    "spec": {
        "hosts": ["ranker.shop"],
        "http": [{"route": [{"destination": {"host": "ranker-v1", "port": {"number": 8501}}, "weight": 100}]}],
    },
}


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        (("hosts",), ["a*b"], "not a host name"),
        (("http", 0, "retries"), {"attempts": 2}, "retries"),
        (("http", 0, "timeout"), "soon", "not a duration"),
        (("http", 0, "match"), [{"headers": {}}], "uri prefix only"),
        (("http", 0, "route", 0, "destination"), {"host": "x"}, "field 'port' is missing"),
        (("http", 0, "route"), [], "add up to 0"),
        (("http", 0, "mirrors"), [{"destination": {"host": "ranker-v2"}}], "copies no requests"),
    ],
)
def test_a_route_that_the_proxy_could_not_follow_is_refused_with_its_name(path, value, problem):
    body = yaml.safe_load(yaml.safe_dump(ROUTE))
    place = body["spec"]
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(InvalidInput, match=problem) as refused:
        desired_from(parse_resources(yaml.safe_dump(body), "shop"))
    assert "VirtualService shop/ranker" in str(refused.value)


@pytest.mark.parametrize("kind", ["HTTPRoute", "GRPCRoute"])
def test_a_gateway_s_route_is_refused_with_the_remedy(kind):
    route = {**ROUTE, "apiVersion": "gateway.networking.k8s.io/v1", "kind": kind}
    with pytest.raises(InvalidInput, match=rf"{kind} shop/ranker.*set route\.kind to istio"):
        desired_from(parse_resources(yaml.safe_dump(route), "shop"))


def test_prometheus_takes_the_configuration_and_labels_say_who_a_pod_is(remote, tmp_path):
    desired = desired_from(rendered(remote, tmp_path))
    (monitor,) = desired.monitors
    pods = [
        ScrapedPod(item.namespace, f"{item.name}-pod", f"127.0.0.{place}", item.template)
        for place, item in enumerate(desired.deployments, 2)
    ]
    listed = targets(
        monitor, monitor.endpoints[0], [*pods, ScrapedPod("elsewhere", "x", "127.0.0.9", pods[0].template)]
    )
    assert listed == [
        {
            "targets": [f"127.0.0.{version + 1}:8501"],
            "labels": {
                "namespace": "production",
                "pod": f"resnet50-v{version}-pod",
                "job": "production/resnet50",
                "endpoint": "http",
                "model": "resnet50",
                "model_version": str(version),
            },
        }
        for version in (1, 2)
    ]
    configuration = prometheus_configuration([monitor], tmp_path, "127.0.0.1:9901")
    path = tmp_path / "prometheus.yml"
    path.write_text(yaml.safe_dump(configuration))
    assert configuration["scrape_configs"][0]["scrape_interval"] == "1s"
    subprocess.run([shutil.which("promtool"), "check", "config", path], check=True, capture_output=True)
