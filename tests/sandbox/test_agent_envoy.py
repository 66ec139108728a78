"""A real Envoy, fed by files, with tiny HTTP servers as pods."""

import json
import threading
import time
from collections import Counter
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from agent_world import eventually, free_ports, running_envoy

from promoter.sandbox.agent.envoy import cluster_configuration, route_configuration
from promoter.sandbox.agent.mesh import Cluster, Mesh
from promoter.sandbox.agent.proxy import LINGER_SECONDS, EnvoyProxy
from promoter.sandbox.agent.routes import Destination, Route, VirtualService
from promoter.sandbox.agent.services import ConnectionPolicy

PREFIX = "/v1/models/ranker:"


def service(weights, name="ranker", host="ranker.shop"):
    destinations = tuple(
        Destination("shop", f"ranker-v{version}", 8501, weight, {"x-model-version": str(version)})
        for version, weight in weights.items()
    )
    return VirtualService("shop", name, (host,), (Route("rest", PREFIX, 5.0, destinations),))


def cluster(version, *endpoints):
    return Cluster(f"shop_ranker-v{version}_8501", http2=False, policy=ConnectionPolicy(), endpoints=endpoints)


def test_a_destination_of_weight_0_is_left_out_and_weights_are_passed_on():
    (host,) = route_configuration([service({1: 93, 2: 7, 3: 0})])["virtual_hosts"]
    assert host["domains"] == ["ranker.shop", "ranker.shop:*"]
    clusters = host["routes"][0]["route"]["weighted_clusters"]["clusters"]
    assert {item["name"]: item["weight"] for item in clusters} == {"shop_ranker-v1_8501": 93, "shop_ranker-v2_8501": 7}


def test_two_routes_of_one_host_share_its_virtual_host_so_envoy_refuses_neither():
    (host,) = route_configuration([service({1: 100}, "a"), service({2: 100}, "b")])["virtual_hosts"]
    assert [route["name"] for route in host["routes"]] == ["shop/a/rest", "shop/b/rest"]


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (ConnectionPolicy(ejects=True, consecutive_errors=0), {"enforcing_consecutive_5xx": 0}),
        (
            ConnectionPolicy(ejects=True, consecutive_gateway_errors=5),
            {"enforcing_consecutive_gateway_failure": 100, "consecutive_gateway_failure": 5},
        ),
    ],
)
def test_outlier_detection_is_what_istiod_makes_of_it(policy, expected, tmp_path):
    detection = cluster_configuration(Cluster("c", http2=False, policy=policy, endpoints=()), tmp_path)[
        "outlier_detection"
    ]
    assert {key: value for key, value in detection.items() if "consecutive" in key} == expected
    assert detection["enforcing_success_rate"] == 0


class Pod(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_GET(self):
        body = self.server.server_address[0].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def backends():
    """The addresses of three pods."""
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), Pod) for _ in range(3)]
    for server in servers:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
    yield [server.server_address for server in servers]
    for server in servers:
        server.shutdown()
        server.server_close()


class Gateway:
    """An Envoy with its files."""

    def __init__(self, directory, port, admin):
        self.proxy = EnvoyProxy(directory, ("127.0.0.1", port), ("127.0.0.1", admin))
        self.client = httpx.Client(
            base_url=f"http://127.0.0.1:{port}", headers={"host": "ranker.shop"}, timeout=5, trust_env=False
        )

    def settle(self, mesh, moment=0.0):
        def settled():
            self.proxy.step(mesh, moment)
            return self.proxy.settled

        assert eventually(settled, every=0.005)

    def ask(self):
        return self.client.get(f"{PREFIX}predict")

    def versions(self, requests):
        return Counter(self.ask().headers.get("x-model-version") for _ in range(requests))


@pytest.fixture
def gateway(tmp_path):
    directory = tmp_path / "envoy"
    port, admin = free_ports(2)
    gateway = Gateway(directory, port, admin)
    with running_envoy(directory):
        yield gateway
    gateway.client.close()


def mesh(backends, weights, *versions):
    clusters = [cluster(version, backends[version - 1]) for version in versions or weights]
    return Mesh({item.name: item for item in clusters}, (service(weights),))


def test_requests_are_split_by_weight_and_0_is_0_and_100_is_100(gateway, backends):
    gateway.settle(mesh(backends, {1: 100, 2: 0}))
    assert gateway.versions(200) == {"1": 200}
    gateway.settle(mesh(backends, {1: 70, 2: 30}))
    split = gateway.versions(1000)
    # Four standard deviations of a binomial with 1000 trials.
    assert split["1"] + split["2"] == 1000
    assert 242 <= split["2"] <= 358
    assert gateway.proxy.live_weights()[("ranker.shop", PREFIX)] == {
        "shop_ranker-v1_8501": 70,
        "shop_ranker-v2_8501": 30,
    }
    gateway.settle(mesh(backends, {1: 0, 2: 100}))
    assert gateway.versions(200) == {"2": 200}


@contextmanager
def load(gateway):
    """Requests from four threads for as long as the block lasts; yields the list of answers."""
    answers, stop = [], threading.Event()

    def send():
        while not stop.is_set():
            answer = gateway.ask()
            answers.append((answer.status_code, answer.headers.get("x-model-version")))

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    yield answers
    stop.set()
    for thread in threads:
        thread.join()


def test_a_version_comes_and_another_goes_under_load_without_a_failed_request(gateway, backends):
    gateway.settle(mesh(backends, {1: 100}))
    with load(gateway) as answers:
        assert eventually(lambda: len(answers) > 50)
        for step in ({1: 100, 2: 0}, {1: 50, 2: 50}, {1: 0, 2: 100}, {2: 100}, {2: 50, 3: 50}, {3: 100}):
            # The clock runs ahead, so that clusters that linger go while requests are under way.
            for moment in (0, LINGER_SECONDS, 2 * LINGER_SECONDS):
                gateway.settle(mesh(backends, step), moment)
            time.sleep(0.1)
    assert Counter(status for status, _ in answers) == {200: len(answers)}
    assert {version for _, version in answers} == {"1", "2", "3"}
    assert answers[-1][1] == "3"


def test_a_cluster_outlives_the_last_route_to_it_by_some_seconds(gateway, backends, tmp_path):
    gateway.settle(mesh(backends, {1: 50, 2: 50}))
    gateway.settle(mesh(backends, {1: 100}), 100.0)
    gateway.proxy.step(mesh(backends, {1: 100}), 100.0)

    def known():
        resources = json.loads((tmp_path / "envoy" / "cds.json").read_text())["resources"]
        return {item["name"] for item in resources}

    gateway.proxy.step(mesh(backends, {1: 100}), 100.0 + LINGER_SECONDS - 1)
    assert known() == {"shop_ranker-v1_8501", "shop_ranker-v2_8501"}
    gateway.proxy.step(mesh(backends, {1: 100}), 101.0 + LINGER_SECONDS)
    assert known() == {"shop_ranker-v1_8501"}
    assert not (tmp_path / "envoy" / "eds" / "shop_ranker-v2_8501.json").exists()


def test_a_service_without_ready_pods_answers_503_for_its_share_only(gateway, backends):
    clusters = [cluster(1, backends[0]), cluster(2)]
    gateway.settle(Mesh({item.name: item for item in clusters}, (service({1: 50, 2: 50}),)))
    answers = Counter(gateway.ask().status_code for _ in range(200))
    assert set(answers) == {200, 503}


def test_routes_are_not_settled_while_envoy_is_away(tmp_path, backends):
    port, admin = free_ports(2)
    proxy = EnvoyProxy(tmp_path, ("127.0.0.1", port), ("127.0.0.1", admin))
    for moment in range(3):
        proxy.step(mesh(backends, {1: 100}), float(moment))
    assert not proxy.settled
    assert proxy.live_weights() is None
