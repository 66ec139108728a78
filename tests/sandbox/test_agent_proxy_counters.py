"""A real Envoy and a real Prometheus tell of a canary what it does not tell itself."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
import httpx
import pytest
from agent_world import eventually, free_ports, running_envoy, running_prometheus

from promoter.adapters.prometheus import PrometheusMetrics
from promoter.decisions.counting import interval_counts
from promoter.domain.measurements import ProxyMetrics
from promoter.domain.names import ServedModel
from promoter.domain.version import ModelVersion
from promoter.sandbox.agent.mesh import Cluster, Mesh, cluster_name
from promoter.sandbox.agent.prometheus import PrometheusFiles
from promoter.sandbox.agent.proxy import EnvoyProxy
from promoter.sandbox.agent.routes import Destination, Route, VirtualService
from promoter.sandbox.agent.services import ConnectionPolicy

SERVED = ServedModel("shop", "ranker")
STABLE = 42
PREDICT = "/tensorflow.serving.PredictionService/Predict"
# Shorter than a backend that hangs.
TIMEOUT_SECONDS = 0.5
HANGS = None


class Calls(grpc.GenericRpcHandler):
    """Answers every call with `status`."""

    def __init__(self, status):
        self.status = status

    def service(self, details):
        return grpc.unary_unary_rpc_method_handler(self.answer)

    def answer(self, request, context):
        if self.status is not grpc.StatusCode.OK:
            context.abort(self.status, "as told")
        return b"answer"


class Posts(BaseHTTPRequestHandler):
    """Answers every POST with the server's `status`, or not at all."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.server.status is HANGS:
            time.sleep(2 * TIMEOUT_SECONDS)
            self.close_connection = True
            return
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@contextmanager
def grpc_backend(status):
    server = grpc.server(ThreadPoolExecutor(4), handlers=[Calls(status)])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield ("127.0.0.1", port)
    server.stop(None).wait()


@contextmanager
def rest_backend(status):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Posts)
    server.daemon_threads = True
    server.status = status
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address
    server.shutdown()
    server.server_close()


def mesh(backends):
    """A host for each version, and a cluster for each of its ports.

    backends: by version, the addresses behind the ports for gRPC and REST; None for nobody.
    """
    clusters = [
        Cluster(
            cluster_name("shop", f"ranker-v{version}", port),
            http2=port == 8500,
            policy=ConnectionPolicy(),
            endpoints=() if address is None else (address,),
        )
        for version, addresses in backends.items()
        for port, address in zip((8500, 8501), addresses, strict=True)
    ]
    routes = tuple(
        VirtualService(
            "shop",
            f"ranker-{version}",
            (f"v{version}.shop",),
            tuple(
                Route("", prefix, TIMEOUT_SECONDS, (Destination("shop", f"ranker-v{version}", port, 100, {}),))
                for prefix, port in ((PREDICT, 8500), ("/v1/", 8501))
            ),
        )
        for version in backends
    )
    return Mesh({item.name: item for item in clusters}, routes)


class World:
    """Envoy in front, Prometheus beside it, and the promoter's own eyes."""

    def __init__(self, folder):
        self.port, admin, prometheus = free_ports(3)
        self.envoy_directory, self.prometheus_directory = folder / "envoy", folder / "prometheus"
        self.proxy = EnvoyProxy(self.envoy_directory, ("127.0.0.1", self.port), ("127.0.0.1", admin))
        self.prometheus_directory.mkdir()
        self.url = f"http://127.0.0.1:{prometheus}"
        with ThreadPoolExecutor(1) as background:
            PrometheusFiles(self.prometheus_directory, self.url, f"127.0.0.1:{admin}", background)
        self.metrics = PrometheusMetrics(self.url, proxy=ProxyMetrics.ENVOY)
        self.began = time.time() - 60

    def settle(self, backends):
        def settled():
            self.proxy.step(mesh(backends), 0.0)
            return self.proxy.settled

        assert eventually(settled, every=0.01)

    def measured(self):
        return self.metrics.measurements(
            SERVED, datetime.fromtimestamp(self.began, UTC), datetime.fromtimestamp(time.time(), UTC), ()
        )

    def scrapes(self):
        return max((len(proxy.times) for proxy in self.measured().proxies), default=0)

    def calls(self, version, times):
        options = [("grpc.default_authority", f"v{version}.shop"), ("grpc.enable_http_proxy", 0)]
        statuses = []
        with grpc.insecure_channel(f"127.0.0.1:{self.port}", options=options) as channel:
            for _ in range(times):
                try:
                    channel.unary_unary(PREDICT)(b"x", timeout=10)
                    statuses.append("OK")
                except grpc.RpcError as error:
                    statuses.append(error.code().name)
        return set(statuses)

    def posts(self, version, times):
        with httpx.Client(base_url=f"http://127.0.0.1:{self.port}", trust_env=False) as client:
            headers = {"Host": f"v{version}.shop"}
            return {
                client.post("/v1/models/ranker:predict", headers=headers, content=b"x").status_code
                for _ in range(times)
            }

    def counts(self, version):
        """What the proxy has counted for one version since the beginning."""
        intervals = interval_counts(
            self.measured(),
            canary=ModelVersion(version),
            stable=ModelVersion(STABLE),
            bounds_us=(),
            since=self.began,
            interval=timedelta(seconds=1),
            scrape_interval=timedelta(seconds=1),
        )
        counts = [one.proxy_canary for one in intervals if one.proxy_canary]
        return tuple(sum(getattr(one, name) for one in counts) for name in ("requests", "bad", "faults"))


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path)
    with running_envoy(world.envoy_directory), running_prometheus(world.prometheus_directory, world.url):
        yield world


def test_what_callers_see_is_counted_once_however_it_comes_about(world):
    nobody = ("127.0.0.1", free_ports(1)[0])
    with (
        grpc_backend(grpc.StatusCode.OK) as well,
        grpc_backend(grpc.StatusCode.INTERNAL) as broken,
        grpc_backend(grpc.StatusCode.INVALID_ARGUMENT) as blaming,
        rest_backend(200) as well_over_rest,
        rest_backend(503) as broken_over_rest,
        rest_backend(HANGS) as hanging_over_rest,
    ):
        world.settle(
            {
                42: (well, well_over_rest),
                43: (broken, broken_over_rest),
                44: (nobody, nobody),
                45: (None, None),
                46: (blaming, hanging_over_rest),
            }
        )
        # Envoy must have been seen before it has anything to tell: then all that follows is known to begin at 0.
        assert eventually(lambda: world.scrapes() >= 2)
        seen = {version: (world.calls(version, 7), world.posts(version, 2)) for version in range(42, 47)}
    assert seen == {
        42: ({"OK"}, {200}),
        43: ({"INTERNAL"}, {503}),
        44: ({"UNAVAILABLE"}, {503}),
        45: ({"UNAVAILABLE"}, {503}),
        46: ({"INVALID_ARGUMENT"}, {504}),
    }
    counts = {42: (9, 0, 0), 43: (9, 9, 9), 44: (9, 9, 9), 45: (9, 9, 9), 46: (9, 9, 2)}
    assert eventually(lambda: world.counts(46) == counts[46])
    assert {version: world.counts(version) for version in counts} == counts
