"""`promoter golden send`: on schedule, in turn, counted, and ended cleanly, against a real server."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler

import pytest
from scripted_server import QueueingServer

from promoter.documents.golden_file import GOLDEN_FILE

BODIES = [{"instances": [number]} for number in range(3)]


class Model(BaseHTTPRequestHandler):
    """Answers 1 slowly and 2 with an error, and says which version it is."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, self.headers["Host"], body, time.monotonic()))
        time.sleep(self.server.seconds)
        self.send_response(500 if body["instances"] == [2] else 200)
        self.send_header("x-model-version", "42")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with QueueingServer(("127.0.0.1", 0), Model) as serving:
        serving.asked, serving.seconds = [], 0.0
        threading.Thread(target=serving.serve_forever, args=(0.02,), daemon=True).start()
        yield serving
        serving.shutdown()


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "golden.json"
    path.write_text(json.dumps(BODIES))
    return path


def command(source, server, *more, rate=50):
    url = server if isinstance(server, str) else f"http://127.0.0.1:{server.server_address[1]}"
    arguments = [str(source), "--url", url, "--model", "ranker", "--rate", str(rate), *more]
    return [sys.executable, "-m", "promoter", "golden", "send", *arguments]


def run(*arguments, **options):
    return subprocess.run(command(*arguments, **options), capture_output=True, text=True, check=False, timeout=30)


def test_golden_requests_are_sent_in_turn_and_told_by_version_and_error(server, file):
    told = run(file, server, "--for", "1s", "--host", "ranker.example.com")
    assert told.returncode == 0, told.stderr
    assert {(path, host) for path, host, _, _ in server.asked} == {("/v1/models/ranker:predict", "ranker.example.com")}
    sent = len(server.asked)
    assert re.match(rf"{sent} sent in \d+s: ", told.stdout), told.stdout
    failed = sum(body == BODIES[2] for _, _, body, _ in server.asked)
    answered = sent - failed
    assert f"{answered} answered (version 42: {answered}), {failed} failed (500: {failed})" in told.stdout
    assert abs(failed - sent / 3) <= 1


def test_a_slow_server_gets_as_many_as_a_fast_one(server, file):
    server.seconds = 0.5
    told = run(file, server, "--for", "1s", rate=20)
    # Answered one after another it would be two or three.
    assert len(server.asked) > 10
    assert told.returncode == 0


def test_requests_for_which_no_connection_is_free_are_counted_and_not_sent(server, file):
    server.seconds = 0.5
    told = run(file, server, "--for", "1s", "--connections", "2")
    assert len(server.asked) <= 6
    assert "not sent (every connection waited; raise --connections)" in told.stdout


def test_a_version_in_a_store_brings_its_own(server, tmp_path):
    path = tmp_path / "42" / GOLDEN_FILE
    told = run(f"file://{tmp_path}/42", server, "--for", "1s")
    assert told.returncode == 1
    assert f"error: file://{tmp_path}/42 has no {GOLDEN_FILE}: publish versions with golden requests" in told.stderr
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(BODIES[0]))
    told = run(f"file://{tmp_path}/42", server, "--for", "1s")
    assert (told.returncode, server.asked[0][2]) == (0, BODIES[0]), told.stderr
    assert f"1 golden request of file://{tmp_path}/42 in turn, 50 a second, to http://127.0.0.1:" in told.stderr


def test_sigterm_ends_it_with_what_was_sent(server, file):
    with subprocess.Popen(command(file, server), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        until = time.monotonic() + 60
        while len(server.asked) < 5 and time.monotonic() < until:
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        told, said = process.communicate(timeout=20)
    assert process.returncode == 0, said
    assert told.startswith(f"{len(server.asked)} sent in ")


def test_if_not_one_is_answered_it_fails_and_says_why(file):
    told = run(file, "http://127.0.0.1:1", "--for", "1s", rate=5)
    assert (told.returncode, told.stdout) == (1, "")
    assert "error: not one request was answered well: " in told.stderr
    assert "(ConnectError: " in told.stderr


@pytest.mark.parametrize(
    ("content", "url", "said"),
    [
        ("[]", "http://x", "holds 0 requests: 1 to 1000 are asked"),
        ("{", "http://x", "is not JSON"),
        ("[{}]", "gateway:80", "is not where requests go: write it like http://"),
        (None, "http://x", "cannot be read (No such file or directory): name a file, or a version like gs://"),
    ],
)
def test_what_cannot_be_sent_is_said_before_anything_is(tmp_path, content, url, said):
    path = tmp_path / "golden.json"
    if content is not None:
        path.write_text(content)
    told = run(path, url)
    assert told.returncode == 1
    assert said in told.stderr
