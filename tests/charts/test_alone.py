"""The chart without promoter and Argo CD: one Deployment, whose versions follow each other."""

from __future__ import annotations

import os
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from rendering import example, of_kind, render


def pinned(version, **model):
    values = example("dev")
    values["model"] |= {"versionPolicy": "specific", "version": version, **model}
    return values


def deployment(values):
    (found,) = of_kind(render(values), "Deployment").values()
    return found


def config(values):
    (found,) = of_kind(render(values), "ConfigMap").values()
    return found["data"]["models.config"]


def test_the_highest_version_is_taken_up_by_the_server_itself():
    assert "latest {\n        num_versions: 1" in config(example("dev"))
    assert "specific" not in config(example("dev"))


def test_a_pinned_version_is_pinned():
    assert "specific {\n        versions: 42" in config(pinned(42))


def test_a_new_version_replaces_the_pods_of_the_same_deployment():
    before, after = deployment(pinned(42)), deployment(pinned(43))
    assert before["metadata"]["name"] == after["metadata"]["name"] == "resnet50"
    assert before["spec"]["selector"] == after["spec"]["selector"]
    assert before["spec"]["template"] != after["spec"]["template"]
    assert after["spec"]["template"]["metadata"]["labels"]["model-version"] == "43"
    assert after["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


def test_the_selector_fits_the_pods():
    for values in (example("dev"), pinned(42)):
        spec = deployment(values)["spec"]
        assert spec["selector"]["matchLabels"].items() <= spec["template"]["metadata"]["labels"].items()
        (service,) = of_kind(render(values), "Service").values()
        assert service["spec"]["selector"] == spec["selector"]["matchLabels"]


def test_a_copied_version_comes_with_its_digest():
    digest = f"sha256:{'9f' * 32}"
    values = pinned(42, storageUri="s3://shop-models/resnet50", digest=digest)
    values["storage"] = {"s3": {"fetchImage": "registry.example.com/promoter:0.1.0", "secretName": "reader"}}
    (fetch,) = deployment(values)["spec"]["template"]["spec"]["initContainers"]
    source, folder = "s3://shop-models/resnet50/42", "/models/resnet50/42"
    assert [*fetch["command"], *fetch["args"]] == ["promoter", "fetch", source, folder, f"--digest={digest}"]
    assert fetch["envFrom"] == [{"secretRef": {"name": "reader"}}]
    assert 'base_path: "/models/resnet50"' in config(values)


class Answers(BaseHTTPRequestHandler):
    """A server that answers predictions as it is told."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((self.path, body))
        status, answer = self.server.answer
        self.send_response(status)
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass

    protocol_version = "HTTP/1.1"


@pytest.fixture
def server():
    server = HTTPServer(("127.0.0.1", 0), Answers)
    server.asked = []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("answer", "passes"),
    [
        ((200, b'{"predictions": [[0.5]]}'), True),
        ((400, b'{"error": "input size does not match signature"}'), False),
        ((200, b'{"error": "of another kind"}'), False),
    ],
)
def test_the_test_of_a_release_sends_a_prediction(server, answer, passes):
    server.answer = answer
    (pod,) = of_kind(render(example("dev")), "Pod").values()
    (client,) = pod["spec"]["containers"]
    (script,) = client["args"]
    given = {entry["name"]: entry["value"] for entry in client["env"]} | {"HOST": "127.0.0.1"}
    script = script.replace("/8501", f"/{server.server_port}")
    done = subprocess.run(
        [*client["command"], script],
        env={**os.environ, **given},
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )
    assert (done.returncode == 0) is passes, done.stdout + done.stderr
    assert server.asked == [("/v1/models/resnet50:predict", b'{"instances":[[0,0,0,0]]}')]
    assert answer[1].decode() in done.stdout
