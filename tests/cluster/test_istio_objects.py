"""What Istio itself makes of the chart's objects: its control plane, a gateway of its, and its analysis.

None needs a cluster. Istio's programs, and those of an empty Kubernetes API, are taken from PATH.
"""

from __future__ import annotations

import shutil
import subprocess

import pytest
import yaml
from charts.rendering import EXAMPLES, SITUATIONS, of_kind, render, served
from istio_control_plane import Refused, control_plane, key, missing

pytestmark = [
    pytest.mark.cluster,
    # Its certificate is made for it, and nobody else is on this machine's port.
    pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning"),
]

ISTIO = ("networking.istio.io", "security.istio.io")
BROKEN = {
    "a weight below 0": {"http": [{"route": [{"destination": {"host": "resnet50-v42"}, "weight": -5}]}]},
    "a rule that sends requests nowhere": {"http": [{"match": [{"uri": {"prefix": "/v1"}}]}]},
}
LABELS = {"istio": "ingressgateway"}
GATEWAYS = "istio-ingress"


def objects_of(name, **route):
    """What Istio reads of a situation, in a namespace of its own."""
    values = served(name)
    values["route"] = values.get("route", {}) | route
    ours = [each for each in render(values, namespace=name) if each["apiVersion"].split("/")[0] in ISTIO]
    for each in ours:
        each["metadata"]["namespace"] = name
    return ours


def services_of(name):
    services = of_kind(render(served(name), namespace=name), "Service").values()
    return [{**each, "metadata": {**each["metadata"], "namespace": name}} for each in services]


def gateway(name):
    """Other people's object, which the chart's route names as NAMESPACE/NAME."""
    server = {"port": {"name": "http", "number": 80, "protocol": "HTTP"}, "hosts": ["*"]}
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "Gateway",
        "metadata": dict(zip(("namespace", "name"), name.split("/"), strict=True)),
        "spec": {"selector": LABELS, "servers": [server]},
    }


@pytest.fixture
def istio(tmp_path):
    if lacking := missing():
        pytest.skip(f"not on PATH: {', '.join(lacking)}")
    with control_plane(tmp_path) as plane:
        yield plane


def test_istios_control_plane_takes_every_object_of_every_situation(istio):
    objects = [each for name in (*SITUATIONS, *EXAMPLES) for each in objects_of(name)]
    assert {each["kind"] for each in objects} >= {"VirtualService", "DestinationRule", "AuthorizationPolicy"}
    istio.start(objects)
    assert istio.taken() >= {key(each) for each in objects}


@pytest.mark.parametrize("fault", BROKEN)
def test_it_would_refuse(istio, fault):
    (route,) = (each for each in objects_of("first-step") if each["kind"] == "VirtualService")
    route["spec"] |= BROKEN[fault]
    with pytest.raises(Refused, match="configuration is invalid"):
        istio.start([route])


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("canary-zero", {"v42": 100}),
        ("first-step", {"v42": 95, "v43": 5}),
    ],
)
def test_a_gateway_of_istios_splits_requests_as_the_release_says(istio, name, split):
    istio.start([*objects_of(name, gateways=[f"{GATEWAYS}/public"]), gateway(f"{GATEWAYS}/public")], services_of(name))
    hosts = istio.gateway_routes(GATEWAYS, LABELS, 80)
    routes = [each for host in hosts for each in host["routes"]]
    assert {each["match"]["prefix"] for each in routes} >= {"/tensorflow.serving.PredictionService/"}
    for each in routes:
        assert shares(each["route"]) == split
        # None of a failed request is asked of the other version.
        assert each["route"].get("retry_policy", {}).get("num_retries", 0) == 0


def shares(action):
    """Weights by version, of Envoy's own action."""
    weighted = action.get("weighted_clusters", {}).get("clusters") or [{"name": action.get("cluster"), "weight": 100}]
    return {
        each["name"].split("|")[-1].split(".")[0].rpartition("-")[2]: each["weight"]
        for each in weighted
        if each["weight"]
    }


@pytest.fixture
def analysis(tmp_path):
    """What `istioctl analyze` says of objects, of which the chart's have no namespace yet."""
    program = shutil.which("istioctl")
    if program is None:
        pytest.skip("there is no istioctl on PATH")

    def analyse(name, objects):
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        namespace["metadata"]["labels"] = {"istio-injection": "enabled"}
        for each in objects:
            each["metadata"].setdefault("namespace", name)
        file = tmp_path / "objects.yaml"
        file.write_text(yaml.safe_dump_all([namespace, *objects]))
        command = [program, "analyze", "--use-kube=false", "--all-namespaces", "--failure-threshold=Warning"]
        # It says of each EnvoyFilter that it is one; there is no other way to a rate limit.
        command += ["--suppress=IST0133=EnvoyFilter *", str(file)]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    return analyse


@pytest.mark.parametrize("name", [*SITUATIONS, *EXAMPLES])
def test_istios_analysis_has_nothing_against_it(analysis, name):
    objects = render(served(name), namespace=name)
    routes = of_kind(objects, "VirtualService").values()
    gateways = {each for route in routes for each in route["spec"].get("gateways", ()) if each != "mesh"}
    done = analysis(name, [*objects, *map(gateway, sorted(gateways))])
    assert done.returncode == 0, done.stdout + done.stderr


def test_its_analysis_would_find_a_gateway_missing(analysis):
    values = served("first-step")
    values["route"] = values.get("route", {}) | {"gateways": [f"{GATEWAYS}/public"]}
    done = analysis("first-step", render(values, namespace="first-step"))
    assert done.returncode != 0
    assert f"{GATEWAYS}/public" in done.stdout + done.stderr
