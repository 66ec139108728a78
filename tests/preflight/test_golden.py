"""Golden requests, from a running server to a version that warms itself up."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from click.testing import CliRunner

from promoter.adapters.golden_recorder import recording
from promoter.cli import main
from promoter.documents.golden_file import GOLDEN_FILE
from promoter.domain.preflight import Outcome
from promoter.errors import InvalidInput, Unavailable
from promoter.saved_model.protos import prediction_log_pb2
from promoter.saved_model.records import read_records
from promoter.saved_model.warmup import WARMUP_FILE

pytestmark = pytest.mark.sandbox

PREDICT = "/v1/models/resnet50:predict"


class Model(BaseHTTPRequestHandler):
    """Answers like a model server: refuses zero, and has no number for one."""

    def do_GET(self):
        self._answer(200 if self.path == "/v1/models/resnet50" else 404, {"state": "AVAILABLE"})

    def do_POST(self):
        (value,) = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["instances"]
        found = float("nan") if value == 1 else value
        self._answer(400 if value == 0 else 200, {"predictions": [found], "token": self.headers["Authorization"]})

    def _answer(self, status, document):
        content = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Model) as serving:
        threading.Thread(target=serving.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{serving.server_address[1]}"
        serving.shutdown()


def ask(address, value, path=PREDICT):
    return httpx.post(address + path, json={"instances": [value]}, headers={"Authorization": "mine"}, trust_env=False)


def test_requests_that_were_answered_with_numbers_are_kept_once(server):
    with recording(server, "resnet50", ("127.0.0.1", 0), 3) as (kept, address):
        answers = [ask(address, value) for value in (0, 1, 2, 2, 3)]
        assert [answer.status_code for answer in answers] == [400, 200, 200, 200, 200]
        assert answers[2].json() == {"predictions": [2], "token": "mine"}
        assert ask(address, 7, "/v1/models/other:predict").status_code == 200
        assert ask(address, 8, "/v1/models/resnet50:classify").status_code == 200
        assert not kept.wait_until_full(0)
        assert ask(address, 4, "/v1/models/resnet50/versions/43:predict").status_code == 200
        assert kept.wait_until_full(5)
        ask(address, 5)
        assert [body["instances"] for body in kept.bodies] == [[2], [3], [4]]
        assert httpx.get(f"{address}/v1/models/resnet50", trust_env=False).json() == {"state": "AVAILABLE"}


def test_a_server_that_is_not_there_or_serves_another_model_is_said(server):
    with (
        pytest.raises(Unavailable, match="does not serve resnet51: it answers 404"),
        recording(server, "resnet51", ("127.0.0.1", 0), 1),
    ):
        pass
    with (
        pytest.raises(Unavailable, match=r"http://127\.0\.0\.1:1 does not answer"),
        recording("http://127.0.0.1:1", "resnet50", ("127.0.0.1", 0), 1),
    ):
        pass


def test_a_port_that_is_taken_is_said(server):
    port = int(server.rsplit(":", 1)[1])
    with (
        pytest.raises(InvalidInput, match=f"cannot listen on 127.0.0.1:{port}"),
        recording(server, "resnet50", ("127.0.0.1", port), 1),
    ):
        pass


def test_a_body_without_a_length_is_refused(server):
    with recording(server, "resnet50", ("127.0.0.1", 0), 1) as (_, address):
        answer = httpx.post(address + PREDICT, content=iter([b"{}"]), trust_env=False)
    assert answer.status_code == 413


def test_the_command_writes_what_it_kept(server, tmp_path):
    output = tmp_path / "golden.json"
    command = [sys.executable, "-m", "promoter", "golden", "record", str(output), "--server", server]
    command += ["--model", "resnet50", "--port", "0", "--count", "2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        address = process.stderr.readline().split()[-1].removesuffix(PREDICT)
        ask(address, 2)
        ask(address, 3)
        told, _ = process.communicate(timeout=20)
    assert (process.returncode, told) == (0, f"{output} holds 2 golden requests\n")
    assert json.loads(output.read_text()) == [{"instances": [2]}, {"instances": [3]}]


def test_no_request_is_no_file(server, tmp_path):
    output = tmp_path / "golden.json"
    arguments = ["golden", "record", str(output), "--server", server, "--model", "resnet50", "--port", "0"]
    told = CliRunner().invoke(main, [*arguments, "--within", "0s"])
    assert told.exit_code == 1
    assert "no request was answered" in told.stderr
    assert not output.exists()


# Warm-up


def test_a_version_is_published_with_warm_up_requests_that_it_answers(edited, tmp_path, verified):
    folder, store = edited("good"), tmp_path / "resnet50"
    store.mkdir()
    told = CliRunner().invoke(main, ["publish", str(folder), f"file://{store}", "--version", "43", "--warmup"])
    assert told.exit_code == 0, told.output
    assert f"{folder} has 1 warm-up request now" in told.stderr
    (record,) = read_records(store / "43" / WARMUP_FILE)
    request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
    assert request.model_spec.name == "resnet50"
    assert [dimension.size for dimension in request.inputs["x"].tensor_shape.dim] == [2, 8]
    found, by_name = verified(store / "43")
    assert found.passed
    assert by_name["warmup"].reason == "1 warm-up record answered"
    told = CliRunner().invoke(main, ["publish", str(folder), f"file://{store}", "--warmup"])
    assert "has warm-up requests of its own: they are kept" in told.stderr


def test_warm_up_requests_are_made_before_a_version_is_signed(edited):
    folder = edited("stable")
    command = ["golden", "warmup", str(folder), "--model", "ranker"]
    (folder / "model.sig").touch()
    told = CliRunner().invoke(main, command)
    assert (told.exit_code, (folder / WARMUP_FILE).exists()) == (1, False)
    assert "remove model.sig, and sign it again after" in told.stderr
    (folder / "model.sig").unlink()
    assert CliRunner().invoke(main, command).exit_code == 0
    assert b"ranker" in (folder / WARMUP_FILE).read_bytes()


def test_without_golden_requests_there_are_no_warm_up_requests(edited, tmp_path):
    folder = edited("good")
    (folder / GOLDEN_FILE).unlink()
    told = CliRunner().invoke(main, ["publish", str(folder), f"file://{tmp_path}", "--warmup"])
    assert told.exit_code == 1
    assert "Record some with `promoter golden record`" in told.stderr
    assert not (tmp_path / "1").exists()


def test_warm_up_requests_that_are_not_answered_fail(edited, verified):
    folder = edited("good")
    (folder / WARMUP_FILE).write_bytes(b"no record")
    found, by_name = verified(folder)
    assert not found.passed
    assert by_name["warmup"].outcome is Outcome.FAIL
    assert "so no server would become ready" in by_name["warmup"].reason
