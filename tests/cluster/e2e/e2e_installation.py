"""The product, installed on a cluster by its own commands: repository, guard rails, gateway, model, promoter."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import yaml
from e2e_commands import Checkout, applied, got, kubectl, promoter
from e2e_kept import Kept
from e2e_routes import ISTIO

from promoter.domain.names import ServedModel

PROJECT = Path(__file__).parents[3]
MODEL = "resnet50"
PODS = 3

# Less proof than a shop would ask for: a rollout ends in minutes at 60 requests a second.
POLICY = """\
candidates:
  store: {store}
evidence: {{margin: 0.02, interval: 5s}}
ramp: {{budget: 20, max_weight: 50}}
soak: 10s
guard: 10s
max_blind: 30s
# The verification shares its CPUs with the pods here.
preflight: {{warn: [latency, memory]}}
"""


class Installation:
    """Everything that one run makes, and its end."""

    def __init__(self, place, folder):
        self.place = place
        self.folder = folder
        self.name = f"e2e-{secrets.token_hex(3)}"
        self.served = ServedModel(self.name, MODEL)
        self.store_folder = Path(place.store) / self.name / MODEL
        self.store = f"file://{self.store_folder}"
        self.rest_host = f"{MODEL}.{self.name}.example.com"
        # A VirtualService takes both protocols at its hosts.
        self.grpc_host = self.rest_host if place.route_kind == ISTIO else f"grpc.{self.rest_host}"
        self.target = place.gateway_target
        self.checkout = None
        self._promoter = None
        self._kept = None
        self.argocd_token_file = folder / "argocd-token"
        self.argocd_token_file.write_text(place.argocd_token, encoding="utf-8")
        self.git_token_file = folder / "git-token"
        self.git_token_file.write_text(place.repository_token, encoding="utf-8")
        self.promoter_log = folder / "promoter.log"

    def up(self):
        if (there := got("applicationset", "models", "--namespace", self.place.argocd_namespace)) is not None:
            raise AssertionError(
                f"the cluster serves models already: ApplicationSet models of {there['metadata']['namespace']}"
            )
        self._kept = Kept(self.place.argocd_namespace)
        self.store_folder.mkdir(parents=True)
        for made in (self.store_folder.parent, self.store_folder):
            made.chmod(0o755)
        self._write_repository()
        self._let_argocd_read()
        promoter("bootstrap", *self._told(), "--argocd-namespace", self.place.argocd_namespace, "--apply")
        if self.place.route_kind == ISTIO:
            # Before the first pod, as docs/install.md says.
            kubectl("label", "namespace", self.name, "istio-injection=enabled")
        self._make_gateway()

    def down(self):
        self.stop_promoter()
        argocd = ("--namespace", self.place.argocd_namespace, "--ignore-not-found")
        kubectl("delete", "application", "environments", *argocd, check=False)
        kubectl("delete", "applicationset", "models", "--cascade=orphan", *argocd, check=False)
        for application in (got("applications", "--namespace", self.place.argocd_namespace) or {"items": []})["items"]:
            if application["spec"]["project"] == f"models-{self.name}":
                kubectl("delete", "application", application["metadata"]["name"], *argocd, check=False)
        kubectl("delete", "appproject", f"models-{self.name}", "models-environments", *argocd, check=False)
        kubectl("delete", "secret", self.name, *argocd, check=False)
        kubectl(
            "delete", "namespace", self.name, f"{self.name}-gateway", "--ignore-not-found", "--wait=false", check=False
        )
        if self._kept is not None:
            self._kept.restore()
        if self.checkout is not None:
            self.checkout.drop_branch()
        shutil.rmtree(self.store_folder.parent, ignore_errors=True)

    def _told(self):
        return ("--repo", self.place.repository, "--branch", self.name, "--environment", self.name)

    def _write_repository(self):
        self.checkout = Checkout(
            self.folder / "checkout", self.place.repository, self.place.repository_token, self.name
        )
        root = self.checkout.folder
        shutil.copytree(PROJECT / "charts", root / "charts")
        (root / "environments").mkdir()
        promoter("bootstrap", *self._told(), "--argocd-namespace", self.place.argocd_namespace, "--write", root)
        self.add_model(MODEL)
        promoter("check", root)
        self.checkout.begin(f"Environment {self.name}, with a model that has no version yet")

    def add_model(self, model):
        """The three files by `promoter new-model`, and what is of this place in its values."""
        root = self.checkout.folder
        promoter(
            "new-model", model, "--environment", self.name, "--store", self.store, "--host", self.rest_host,
            "--gateway", f"{self.name}-gateway/public", "--replicas", PODS, "--root", root,
        )  # fmt: skip
        folder = root / ServedModel(self.name, model).folder
        values = yaml.safe_load((folder / "values.yaml").read_text(encoding="utf-8"))
        repository, _, tag = self.place.image.rpartition(":")
        values["model"]["volume"] = {"hostPath": {"path": str(self.store_folder)}}
        values["image"] = {"repository": repository, "tag": tag}
        # Some six pods, and everything else, share one small node.
        values["resources"] = {
            "requests": {"cpu": "30m", "memory": "128Mi"},
            "limits": {"cpu": "1", "memory": "1Gi"},
        }
        values["route"] |= {"kind": self.place.route_kind}
        if self.place.route_kind != ISTIO:
            values["route"] |= {"grpcHosts": [self.grpc_host]}
        values["networkPolicy"] = {"callers": [{"namespaceSelector": {}}]}
        values["monitoring"] = {"interval": "2s"}
        (folder / "values.yaml").write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
        (folder / "policy.yaml").write_text(POLICY.format(store=self.store), encoding="utf-8")

    def _let_argocd_read(self):
        data = {"type": "git", "url": self.place.repository, "username": "git", "password": self.place.repository_token}
        labels = {"argocd.argoproj.io/secret-type": "repository"}
        metadata = {"name": self.name, "namespace": self.place.argocd_namespace, "labels": labels}
        applied({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": data})

    def _make_gateway(self):
        namespace = f"{self.name}-gateway"
        made = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
        metadata = {"name": "public", "namespace": namespace}
        if self.place.route_kind == ISTIO:
            server = {"port": {"name": "http", "number": 80, "protocol": "HTTP"}, "hosts": ["*"]}
            spec = {"selector": {"istio": "ingressgateway"}, "servers": [server]}
            applied(
                made, {"apiVersion": "networking.istio.io/v1", "kind": "Gateway", "metadata": metadata, "spec": spec}
            )
            return
        listener = {"name": "http", "port": 80, "protocol": "HTTP", "allowedRoutes": {"namespaces": {"from": "All"}}}
        applied(
            made,
            {
                "apiVersion": "gateway.networking.k8s.io/v1",
                "kind": "Gateway",
                "metadata": metadata,
                "spec": {"gatewayClassName": self.place.gateway_class, "listeners": [listener]},
            },
        )
        kubectl("wait", "gateway/public", "--namespace", namespace, "--for=condition=Programmed", "--timeout=100s")
        if self.target is None:
            status = got("gateway", "public", "--namespace", namespace)["status"]
            self.target = f"{status['addresses'][0]['value']}:80"

    def settings(self):
        """The promoter's environment: what a person would set, and nothing for tests."""
        ours = {
            "PROMOTER_REPOSITORY": self.place.repository,
            "PROMOTER_BRANCH": self.name,
            "PROMOTER_CLONE": str(self.folder / "clone.git"),
            "PROMOTER_SCOPE": self.name,
            "PROMOTER_GIT_TOKEN_FILE": str(self.git_token_file),
            "PROMOTER_ARGOCD_URL": self.place.argocd_url,
            "PROMOTER_ARGOCD_TOKEN_FILE": str(self.argocd_token_file),
            "PROMOTER_PROMETHEUS_URL": self.place.prometheus_url,
            "PROMOTER_STORES": f"file://{Path(self.place.store) / self.name}/",
            "PROMOTER_PREFLIGHT": "process",
            "PROMOTER_PASS_INTERVAL": "2s",
            "PROMOTER_LISTING_INTERVAL": "5s",
            "PROMOTER_SCRAPE_INTERVAL": "2s",
            "PROMOTER_REACTION_TIME": "5s",
            "PROMOTER_RESTART_PAUSE": "10s",
            "PROMOTER_READY_DEADLINE": "90s",
        }
        return {**{name: value for name, value in os.environ.items() if not name.startswith("PROMOTER_")}, **ours}

    def start_promoter(self, **settings):
        """settings: what is to be otherwise than `settings` says."""
        assert self._promoter is None
        log = self.promoter_log.open("ab")
        with log:
            command = [sys.executable, "-m", "promoter", "run"]
            self._promoter = subprocess.Popen(command, env=self.settings() | settings, stderr=log, stdout=log)

    def stop_promoter(self):
        process, self._promoter = self._promoter, None
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
        process.kill()
        process.wait()

    def refresh(self):
        """Argo CD looks at Git now: until it is asked to, it passes over errors for minutes."""
        argocd = ("--namespace", self.place.argocd_namespace, "--overwrite")
        kubectl("annotate", "application", self.served.application, "argocd.argoproj.io/refresh=normal", *argocd)

    def publish(self, directory, number):
        promoter("publish", directory, self.store, "--version", number)

    def release(self):
        self.checkout.pull()
        text = (self.checkout.folder / self.served.release_path).read_text(encoding="utf-8")
        return yaml.safe_load(text)["release"]

    def said(self):
        """The promoter's last lines, for messages of failures."""
        if not self.promoter_log.exists():
            return ""
        return "\n".join(self.promoter_log.read_text(encoding="utf-8").splitlines()[-4:])

    def until_scraped(self):
        """Wait until Prometheus sees stable's pods: the operator's reloader looks at a new PodMonitor in minutes."""
        query = {"query": f'sum(up{{namespace="{self.name}"}})'}

        def seen():
            # It may begin anew just now.
            try:
                answer = httpx.get(f"{self.place.prometheus_url}/api/v1/query", params=query, timeout=10).json()
            except httpx.TransportError:
                return 0
            return sum(float(each["value"][1]) for each in answer["data"]["result"])

        self.until(seen, lambda pods: pods >= PODS, 240, "Prometheus scrapes the pods")

    def until(self, look, good, seconds, what):
        """What `look` sees once it is good."""
        deadline = time.monotonic() + seconds
        while not good(seen := look()):
            if time.monotonic() > deadline:
                raise AssertionError(f"{what}: not within {seconds} s; last seen: {seen}\n{self.said()}")
            time.sleep(0.5)
        return seen
