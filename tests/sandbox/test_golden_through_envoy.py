"""Golden requests through a real Envoy to real model servers: split by weight, and counted where evidence is."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from contextlib import ExitStack

import httpx
import pytest
from agent_world import eventually, free_ports, running_envoy
from model_server_process import METRICS, built_zoo, running

from promoter.documents.golden_file import GOLDEN_FILE
from promoter.sandbox.agent.mesh import Cluster, Mesh
from promoter.sandbox.agent.proxy import EnvoyProxy
from promoter.sandbox.agent.routes import Destination, Route, VirtualService
from promoter.sandbox.agent.services import ConnectionPolicy
from promoter.sandbox.traffic_requests import build_requests

pytestmark = pytest.mark.sandbox

HOST = "resnet50.shop"
# 3 refuses dark images.
WEIGHTS = {2: 50, 3: 50}


def mesh(servers):
    destinations = tuple(
        Destination("shop", f"resnet50-v{version}", 8501, weight, {"x-model-version": str(version)})
        for version, weight in WEIGHTS.items()
    )
    route = Route("rest", "/v1/models/resnet50:", 5.0, destinations)
    clusters = [
        Cluster(f"shop_resnet50-v{version}_8501", http2=False, policy=ConnectionPolicy(), endpoints=(endpoint,))
        for version, endpoint in servers.items()
    ]
    service = VirtualService("shop", "resnet50", (HOST,), (route,))
    return Mesh({cluster.name: cluster for cluster in clusters}, (service,))


def counted(server):
    """Predictions that the server counted, by status."""
    lines = httpx.get(server.url(METRICS), trust_env=False).text
    found = re.findall(r'request_count\{model_name="resnet50",status="(\w+)"\} (\d+)', lines)
    return {status: int(count) for status, count in found}


def test_golden_requests_are_split_by_weight_and_counted_by_the_servers(tmp_path, tmp_path_factory):
    zoo, (port, admin) = built_zoo(tmp_path_factory.getbasetemp()), free_ports(2)
    golden = tmp_path / "store" / "2" / GOLDEN_FILE
    golden.parent.mkdir(parents=True)
    golden.write_text(json.dumps([json.loads(request.rest) for request in build_requests("resnet50")[::10]]))
    with ExitStack() as stack:
        servers = {version: stack.enter_context(running(tmp_path / str(version), zoo, version)) for version in WEIGHTS}
        for server in servers.values():
            server.wait_until_ready()
        proxy = EnvoyProxy(tmp_path / "envoy", ("127.0.0.1", port), ("127.0.0.1", admin))
        stack.enter_context(running_envoy(tmp_path / "envoy"))
        known = mesh({version: (server.address, 8501) for version, server in servers.items()})

        def settled():
            proxy.step(known, 0.0)
            return proxy.settled

        assert eventually(settled, every=0.01)
        command = [sys.executable, "-m", "promoter", "golden", "send", f"file://{tmp_path}/store/2"]
        command += ["--url", f"http://127.0.0.1:{port}", "--host", HOST, "--model", "resnet50"]
        told = subprocess.run(
            [*command, "--rate", "40", "--for", "3s"], capture_output=True, text=True, check=False, timeout=60
        )
        by_version = {version: counted(server) for version, server in servers.items()}
    assert told.returncode == 0, told.stderr
    totals = re.match(r"(\d+) sent in \d+s: (\d+) answered .*, (\d+) failed", told.stdout)
    assert totals, told.stdout
    sent, answered, failed = totals.groups()
    good = re.search(r"\(version 2: (\d+), version 3: (\d+)\)", told.stdout).groups()
    assert [by_version[version]["OK"] for version in (2, 3)] == [int(count) for count in good]
    assert sum(by_version[3].values()) - by_version[3]["OK"] == int(failed) > 0
    assert sum(sum(counts.values()) for counts in by_version.values()) == int(sent) == int(answered) + int(failed)
    # Four standard deviations of a binomial.
    assert abs(sum(by_version[3].values()) - int(sent) / 2) < 2 * int(sent) ** 0.5
