"""A real Prometheus on the agent's files."""

import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from agent_world import eventually, free_ports, running_prometheus

from promoter.sandbox.agent.monitors import Endpoint, PodMonitor
from promoter.sandbox.agent.pod_template import PodTemplate
from promoter.sandbox.agent.prometheus import PrometheusFiles
from promoter.sandbox.agent.scrape import ScrapedPod

LABELS = {"model": "ranker", "model-version": "7"}
TEMPLATE = PodTemplate("abc", LABELS, ("server",), {}, {"http": 1}, (), None, None, None, 0, 30)


def monitor(metric_relabelings=()):
    endpoint = Endpoint(
        "http", "/metrics", "1s", "1s", honor_labels=False, relabelings=(), metric_relabelings=metric_relabelings
    )
    return PodMonitor("shop", "ranker", {"model": "ranker"}, ("model", "model-version"), (endpoint,))


@pytest.fixture
def prometheus(tmp_path):
    """The files, and the address of a Prometheus that has not been started."""
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    with ThreadPoolExecutor(1) as background:
        yield PrometheusFiles(tmp_path, url, "127.0.0.1:9", background), url


def active_targets(url):
    try:
        response = httpx.get(f"{url}/api/v1/targets", params={"state": "active"}, trust_env=False)
    except httpx.HTTPError:
        return {}
    # It listens before it can say anything.
    targets = response.json()["data"]["activeTargets"] if response.is_success else []
    return {target["scrapePool"]: target["labels"] for target in targets}


def test_prometheus_reloads_and_scrapes_each_pod_under_its_own_labels(prometheus, tmp_path):
    files, url = prometheus
    with running_prometheus(tmp_path, url):
        assert eventually(lambda: "envoy" in active_targets(url))
        pods = [ScrapedPod("shop", "ranker-v7-abc-1", "127.0.0.1", TEMPLATE)]

        def found():
            files.step([monitor()], pods, time.monotonic())
            return active_targets(url).get("podMonitor/shop/ranker/0")

        assert eventually(found) == {
            "endpoint": "http",
            "instance": "127.0.0.1:1",
            "job": "shop/ranker",
            "model": "ranker",
            "model_version": "7",
            "namespace": "shop",
            "pod": "ranker-v7-abc-1",
        }


def test_a_reload_is_asked_for_again_until_prometheus_is_there(prometheus, tmp_path):
    files, url = prometheus
    files.step([monitor()], [], 0.0)
    time.sleep(0.2)
    with running_prometheus(tmp_path, url):
        assert eventually(lambda: "envoy" in active_targets(url))
        before = _loaded(url)
        path = tmp_path / "prometheus.yml"
        # Only a reload shows what is different in the file now.
        path.write_text(path.read_text().replace("1s", "2s"))

        def reloaded():
            files.step([monitor()], [], time.monotonic())
            return _loaded(url) != before

        assert eventually(reloaded)


def _loaded(url):
    return httpx.get(f"{url}/api/v1/status/config", trust_env=False).json()["data"]["yaml"]
