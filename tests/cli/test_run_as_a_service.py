"""`promoter run` as a process that is asked how it is, over HTTP, with a repository and no other peer."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import closing

import pytest

FOLDER = "environments/production/ranker"
FILES = {
    f"{FOLDER}/policy.yaml": "candidates: {store: file:///nowhere/ranker}\n",
    f"{FOLDER}/release.yaml": "release: {}\n",
}


@pytest.fixture
def remote(tmp_path):
    work, bare = tmp_path / "work", tmp_path / "remote.git"
    for path, text in FILES.items():
        (work / path).parent.mkdir(parents=True, exist_ok=True)
        (work / path).write_text(text, encoding="utf-8")
    git = ["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-C", str(work)]
    for command in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "Serve ranker"]):
        subprocess.run([*git, *command], check=True)
    subprocess.run(["git", "clone", "-q", "--bare", str(work), str(bare)], check=True)
    return bare


def free_port():
    with closing(socket.create_server(("127.0.0.1", 0))) as found:
        return found.getsockname()[1]


def ask(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)


def eventually(question, holds, seconds=30):
    end = time.monotonic() + seconds
    while not holds(answer := question()):
        assert time.monotonic() < end, answer
        time.sleep(0.1)
    return answer


def test_it_tells_of_its_passes_until_it_is_told_to_stop(remote, tmp_path):
    port = free_port()
    (tmp_path / "token").write_text("secret", encoding="utf-8")
    (tmp_path / "routes.yaml").write_text(f"routes: [{{name: chat, url_file: {tmp_path}/token}}]\n", encoding="utf-8")
    told = {
        "PROMOTER_REPOSITORY": remote.as_uri(),
        "PROMOTER_CLONE": str(tmp_path / "clone.git"),
        "PROMOTER_ARGOCD_URL": "http://127.0.0.1:9",
        "PROMOTER_ARGOCD_TOKEN_FILE": str(tmp_path / "token"),
        "PROMOTER_PROMETHEUS_URL": "http://127.0.0.1:9",
        "PROMOTER_PREFLIGHT": "off",
        "PROMOTER_PASS_INTERVAL": "1s",
        "PROMOTER_LISTEN": f"127.0.0.1:{port}",
        "PROMOTER_NOTIFY": str(tmp_path / "routes.yaml"),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "promoter", "run"], env=os.environ | told, stderr=subprocess.PIPE, text=True
    )
    try:
        eventually(lambda: ask(port, "/readyz"), lambda answer: answer == (200, "ok\n"))
        assert ask(port, "/healthz") == (200, "ok\n")
        metrics = ask(port, "/metrics")[1]
        assert "promoter_models 1.0" in metrics
        assert "promoter_leader 1.0" in metrics
        assert 'promoter_peer_call_seconds_count{call="fetch",peer="git"}' in metrics
        notified = remote / "refs" / "promoter" / "notified"
        eventually(notified.exists, bool)
        remote.rename(tmp_path / "gone.git")
        gone = 'promoter_passes_total{result="repository_unavailable"} 1.0'
        eventually(lambda: ask(port, "/metrics")[1], lambda text: gone in text)
        # A restart would not bring the repository back.
        assert ask(port, "/healthz") == (200, "ok\n")
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
    finally:
        process.kill()
        _, log = process.communicate()
    assert "repository.unavailable" in log


def test_a_lease_outside_of_a_pod_is_refused_in_a_sentence(tmp_path):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KUBERNETES_")}
    done = subprocess.run(
        [sys.executable, "-m", "promoter", "run"],
        env=environment | {"PROMOTER_LEASE": "tools/promoter"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "PROMOTER_LEASE is set, and this is no pod" in done.stderr
