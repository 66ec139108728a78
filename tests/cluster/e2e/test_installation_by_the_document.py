"""docs/install.md, followed to the letter: from a cluster without models and an empty bucket to version 2 promoted.

The page's own commands are run, one block after the other; a block more or a block less in the page fails here. The
promoter is a pod of charts/promoter, installed by the commands and the values of docs/promoter-service.md.

What this place adds is what a shop adds, too: the addresses, the images, less proof than new-model's policy asks for.
Preflights are off, because Argo Workflows is no part of the page.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import sys
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
import yaml
from e2e_client import Client, first_answer_of
from e2e_commands import applied, got, kubectl, run
from e2e_document import Reader
from e2e_door import Door, certificate
from e2e_kept import Kept
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage

from promoter.domain.names import ServedModel
from promoter.domain.version import ModelVersion

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

PROJECT = Path(__file__).parents[3]
STAGING = ServedModel("staging", "ranker")
NAMESPACES = ("staging", "production", "promoter")
GATEWAY = ("models-gateway", "public")
NEEDED = {
    "E2E_EMPTY_REPOSITORY": "a Git repository whose `main` is overwritten; E2E_REPOSITORY_TOKEN may push to it",
    "E2E_PROMOTER_IMAGE": "NAME@sha256:DIGEST of the promoter: `docker build --target promoter .`",
    "ARGOCD_ADMIN_TOKEN": "an administrator's token for Argo CD",
    "STORAGE_EMULATOR_HOST": "a Cloud Storage emulator that pods reach, with an empty bucket `shop-models`",
}


@pytest.fixture(scope="module")
def shop(place, tmp_path_factory):
    """The cluster as the page expects it, and a person at a desk; everything is taken away at the end."""
    if missing := [name for name in NEEDED if not os.environ.get(name)]:
        pytest.skip(f"not in the environment: {', '.join(missing)}")
    if missing := [program for program in ("helm", "argocd") if shutil.which(program) is None]:
        pytest.skip(f"not on PATH: {', '.join(missing)}")
    there = [name for name in NAMESPACES if got("namespace", name) is not None]
    assert not there, f"the cluster is not empty: it has namespaces {there}"
    made = Shop(place, tmp_path_factory.mktemp("shop"))
    try:
        made.begin()
        yield made
    finally:
        made.end()


class Shop:
    """A person, a desk, and what is called otherwise here than in the page."""

    def __init__(self, place, folder):
        self.place, self.folder, self.desk = place, folder, folder / "models"
        self.target = place.gateway_target
        self.repository = os.environ["E2E_EMPTY_REPOSITORY"]
        self._kept, self._door, self._began = Kept(place.argocd_namespace), None, False
        argocd = urlsplit(place.argocd_url)
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PROMOTER_")},
            "HOME": str(folder),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "ARGOCD_SERVER": argocd.netloc,
            "ARGOCD_AUTH_TOKEN": os.environ["ARGOCD_ADMIN_TOKEN"],
            "ARGOCD_OPTS": "--grpc-web --plaintext" if argocd.scheme == "http" else "--grpc-web --insecure",
            "READ_TOKEN": place.repository_token,
            "PROMOTER_REPOSITORY": self.repository,
            "PROMOTER_GIT_TOKEN_FILE": str(folder / "token"),
            "PROMOTER_ARGOCD_URL": place.argocd_url,
            "PROMOTER_ARGOCD_TOKEN_FILE": str(folder / "argocd-token"),
            "PROMOTER_PROMETHEUS_URL": place.prometheus_url,
            "PROMOTER_STORES": "gs://shop-models/",
            "PROMOTER_PREFLIGHT": "off",
            "PROMOTER_CLONE": str(folder / "clone.git"),
        }
        instead = {
            "https://git.example.com/shop/models.git": self.repository,
            "istio-ingress/public": "/".join(GATEWAY),
            " -n argocd ": f" -n {place.argocd_namespace} ",
        }
        self.page = Reader(PROJECT / "docs/install.md", self.desk, self.environment, instead)
        self.service = Reader(PROJECT / "docs/promoter-service.md", self.desk, self.environment, instead)

    # What the client of the other tests asks an installation.
    served = STAGING
    rest_host, grpc_host = "ranker.staging.example.com", "grpc.ranker.staging.example.com"

    def begin(self):
        there = [blob.name for blob in self._objects()]
        assert not there, f"the bucket is not empty: {there[:3]}"
        self._began = True
        self.git_host()
        namespace, name = GATEWAY
        listener = {"name": "http", "port": 80, "protocol": "HTTP", "allowedRoutes": {"namespaces": {"from": "All"}}}
        applied(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
            {
                "apiVersion": "gateway.networking.k8s.io/v1",
                "kind": "Gateway",
                "metadata": {"name": name, "namespace": namespace},
                "spec": {"gatewayClassName": self.place.gateway_class, "listeners": [listener]},
            },
        )
        kubectl("wait", f"gateway/{name}", "--namespace", namespace, "--for=condition=Programmed", "--timeout=100s")
        if self.target is None:
            self.target = f"{got('gateway', name, '--namespace', namespace)['status']['addresses'][0]['value']}:80"

    def git_host(self):
        """A repository with a copy of this project, and a person whom the host knows."""
        url = urlsplit(self.repository)
        token = self.place.repository_token
        (self.folder / "token").write_text(token, encoding="utf-8")
        (self.folder / ".git-credentials").write_text(f"{url.scheme}://git:{token}@{url.netloc}\n", encoding="utf-8")
        (self.folder / ".gitconfig").write_text(
            "[user]\nname = Robin Operator\nemail = robin@example.com\n[credential]\nhelper = store\n"
            "[init]\ndefaultBranch = main\n[pull]\nff = only\n",
            encoding="utf-8",
        )
        self.desk.mkdir()
        for name in ("environments", "charts", ".github"):
            shutil.copytree(PROJECT / name, self.desk / name)
        self.git("init", "--quiet")
        self.git("remote", "add", "origin", self.repository)
        self.commit("A copy of the project", "--force", "--set-upstream", "origin", "main")

    def git(self, *words):
        return run("git", *words, cwd=self.desk, environment=self.environment).stdout

    def commit(self, subject, *push):
        self.git("add", "--all", "environments", "charts", ".github")
        self.git("commit", "--quiet", "--message", subject)
        self.git("push", "--quiet", *push)

    def _objects(self):
        anonymous = storage.Client(project="shop", credentials=AnonymousCredentials())
        return list(anonymous.bucket("shop-models").list_blobs())

    def end(self):
        if not self._began:
            return
        for blob in self._objects():
            blob.delete()
        with suppress(AssertionError):
            run("helm", "uninstall", "promoter", "--namespace", "promoter", "--wait", check=False)
        argocd = ("--namespace", self.place.argocd_namespace, "--ignore-not-found")
        kubectl("delete", "application", "environments", *argocd, check=False)
        kubectl("delete", "applicationset", "models", "--cascade=orphan", *argocd, check=False)
        kubectl("delete", "application", "staging-ranker", "production-ranker", *argocd, check=False)
        projects = ("models-staging", "models-production", "models-environments")
        kubectl("delete", "appproject", *projects, *argocd, check=False)
        argo = ("argocd", "repo", "rm", self.repository)
        run(*argo, environment=self.environment, check=False)
        kubectl("delete", "namespace", *NAMESPACES, GATEWAY[0], "--ignore-not-found", "--timeout=100s", check=False)
        self._kept.restore()
        if self._door is not None:
            self._door.close()

    def release(self, environment="staging"):
        self.git("pull", "--quiet")
        text = (self.desk / ServedModel(environment, "ranker").release_path).read_text(encoding="utf-8")
        return yaml.safe_load(text)["release"]

    def until(self, look, good, seconds, what):
        deadline = time.monotonic() + seconds
        while not good(seen := look()):
            if time.monotonic() > deadline:
                said = kubectl("logs", "deployment/promoter", "--namespace", "promoter", "--tail=6", check=False)
                raise AssertionError(f"{what}: not within {seconds} s; last seen: {seen}\n{said}")
            time.sleep(1)
        return seen

    def git_host_calls(self):
        """As the Git host's webhook does: the ApplicationSet controller looks at the repository now."""
        argocd = ("--namespace", self.place.argocd_namespace, "--overwrite")
        kubectl("annotate", "applicationset", "models", "argocd.argoproj.io/application-set-refresh=true", *argocd)

    def git_over_tls(self):
        """The address of the repository for the pod, which sends its token over TLS and in no other way.

        Where the host speaks HTTP alone it gets a door with a certificate of the place's own, as in a shop.
        """
        url = urlsplit(self.repository)
        if url.scheme == "https":
            return self.repository
        files = certificate(self.folder, url.hostname)
        self._door = Door(self.repository, url.hostname, tls=files)
        authorities = {"ca.crt": files[0].read_text(encoding="utf-8")}
        metadata = {"name": "authorities", "namespace": "promoter"}
        applied({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": authorities})
        return self._door.url

    def promoter_values(self, least):
        """The least values that docs/promoter-service.md shows, and this place's addresses."""
        values = yaml.safe_load(least)
        name, _, digest = os.environ["E2E_PROMOTER_IMAGE"].partition("@")
        values["image"] = {"repository": name, "digest": digest}
        values["serviceAccount"] = {}
        values["git"]["repository"] = self.git_over_tls()
        values |= {
            "argocd": {"url": self.place.argocd_url},
            "prometheus": {"url": self.place.prometheus_url},
            "preflight": "off",
            "timing": {"listingInterval": "10s", "restartPause": "10s"},
            "extraEnv": [{"name": "STORAGE_EMULATOR_HOST", "value": os.environ["STORAGE_EMULATOR_HOST"]}],
            "resources": {"requests": {"cpu": "30m", "memory": "128Mi"}},
            "authorities": {"configMapName": "authorities" if self._door else ""},
            "networkPolicy": {
                "git": {"ports": [_port(values["git"]["repository"])]},
                "stores": {"ports": [_port(os.environ["STORAGE_EMULATOR_HOST"])]},
                "argocd": {"namespace": ""},
                "prometheus": {"namespace": ""},
                "kubernetes": {"ports": [443, 6443, _port(_api_server())]},
                "extraEgress": [{"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}],
            },
        }
        (self.desk / "my-values.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")

    def fit(self, environment):
        """What a person changes in the files of new-model: images, sizes, the way in, the proof."""
        folder = self.desk / ServedModel(environment, "ranker").folder
        values = yaml.safe_load((folder / "values.yaml").read_text(encoding="utf-8"))
        repository, _, tag = self.place.image.rpartition(":")
        emulator = os.environ["STORAGE_EMULATOR_HOST"]
        values["image"] = {"repository": repository, "tag": tag}
        values["resources"] = {"requests": {"cpu": "30m", "memory": "128Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}}
        values["extraEnv"] = [{"name": "STORAGE_EMULATOR_HOST", "value": emulator}]
        grpc = [f"grpc.{host}" for host in values["route"]["hosts"]]
        values["route"] |= {"kind": "gateway-api", "gateways": ["/".join(GATEWAY)], "grpcHosts": grpc}
        values["networkPolicy"] = {"callers": [{"namespaceSelector": {}}], "store": {"ports": [_port(emulator)]}}
        (folder / "values.yaml").write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
        policy = (folder / "policy.yaml").read_text(encoding="utf-8")
        less = "evidence: {margin: 0.02, interval: 5s}\nramp: {budget: 20, max_weight: 50}\nsoak: 10s\nguard: 10s\n"
        (folder / "policy.yaml").write_text(policy + less, encoding="utf-8")


def _port(url):
    address = urlsplit(url)
    return address.port or {"http": 80, "https": 443}[address.scheme]


def _api_server():
    config = json.loads(kubectl("config", "view", "--minify", "--output=json"))
    return config["clusters"][0]["cluster"]["server"]


def _no_such_statefulset(namespace):
    """Where Argo CD's controller is not the StatefulSet that the page restarts."""
    gone = got("statefulset", "argocd-application-controller", "--namespace", namespace) is None
    return lambda line: gone and "rollout restart statefulset argocd-application-controller" in line


def _environments(namespace):
    status = (got("application", "environments", "--namespace", namespace) or {}).get("status", {})
    return status.get("sync", {}).get("status"), status.get("health", {}).get("status")


def _scraped(shop, namespace):
    """How many pods of the namespace Prometheus has seen answer."""
    query = {"query": f'sum(up{{namespace="{namespace}"}})'}
    answer = httpx.get(f"{shop.place.prometheus_url}/api/v1/query", params=query, timeout=10).json()
    return sum(float(each["value"][1]) for each in answer["data"]["result"])


def _install_the_promoter(shop):
    page = shop.service
    page.read("Install it")  # the image is there
    page.read("Install it")  # the Secrets too: the first page makes them
    page.read("Install it")  # a key for SSH, instead of a token
    shop.promoter_values(page.next("Install it"))
    page.do("Install it", timeout=200)
    page.read("One of two makes the passes")
    page.at_end()


def test_version_1_serves_and_version_2_is_promoted(shop, versions, capsys):
    began = time.monotonic()
    left_out = _from_an_empty_cluster_to_the_promoter(shop)
    _a_model_and_its_first_version(shop, versions)
    first_answer_of(shop, ModelVersion(1), seconds=120)
    serving_after = time.monotonic() - began
    _the_second_version(shop)
    promoted_after = time.monotonic() - began
    left_out += _afterwards(shop)
    with capsys.disabled():
        print(  # noqa: T201 - the figures are what the test is for
            f"\ndocs/install.md: version 1 served after {serving_after:.0f} s, version 2 was stable after "
            f"{promoted_after:.0f} s; lines left out here: {left_out or 'none'}"
        )


def _from_an_empty_cluster_to_the_promoter(shop):
    page, argocd = shop.page, shop.place.argocd_namespace
    page.do("1. The repository")
    page.do("1. The repository")

    page.do("2. What the cluster needs")
    left_out = page.do("2. What the cluster needs", but=_no_such_statefulset(argocd))[1]
    well = ("Synced", "Healthy")
    shop.until(lambda: _environments(argocd), lambda seen: seen == well, 170, "Application `environments` is well")
    assert "Synced" in page.do("2. What the cluster needs")[0]

    page.read("3. Who may change what")  # a hook for a Git server of one's own
    page.read("3. Who may change what")  # code owners

    (shop.desk / "git-token").write_text(shop.place.repository_token, encoding="utf-8")
    page.do("5. The promoter")
    token = got("secret", "promoter-argocd", "--namespace", "promoter")["data"]["token"]
    (shop.folder / "argocd-token").write_bytes(base64.b64decode(token))
    _install_the_promoter(shop)
    return left_out


def _a_model_and_its_first_version(shop, versions):
    """The folders are committed while Argo CD runs: they become Applications."""
    page = shop.page
    page.do("6. A model, and its first version")
    for environment in ("staging", "production"):
        shop.fit(environment)
    run("promoter", "check", cwd=shop.desk, environment=shop.environment)
    shop.commit("ranker")
    shop.git_host_calls()
    (shop.desk / "exported-model").symlink_to(versions[1])
    (shop.desk / "exported-model-2").symlink_to(versions[7])
    page.do("6. A model, and its first version")
    shop.until(shop.release, lambda release: "stable" in release, 120, "version 1 is stable")
    v1 = ("deployment", "ranker-v1", "--namespace", "staging")
    shop.until(lambda: got(*v1), bool, 200, "Argo CD applies version 1")


def _the_second_version(shop):
    page, traffic = shop.page, Client(shop)
    try:
        # Until the operator's reloader has told Prometheus of a new PodMonitor, which takes minutes, doctor misses it.
        shop.until(lambda: _scraped(shop, "staging"), bool, 240, "Prometheus scrapes the pods")
        time.sleep(15)
        page.do("6. A model, and its first version")
        page.do("7. The second version")
        shop.until(shop.release, lambda release: release["stable"]["version"] == 2, 400, "version 2 is promoted")
        first_answer_of(shop, ModelVersion(2), seconds=30)
        codes = {code for second in traffic.seconds() for codes in second.answered.values() for code in codes}
    finally:
        traffic.stop()
    assert codes == {"OK"}
    log = shop.git("log", "--oneline", "environments/staging/ranker").splitlines()
    assert log[0].endswith("ranker: staging: 2 is stable")


def _afterwards(shop):
    page, in_production = shop.page, lambda: shop.release("production")
    release = shop.until(in_production, lambda release: "canary" in release, 120, "production takes it up")
    assert (release["stable"]["version"], release["canary"]["version"]) == (1, 2)
    v2 = ("deployment", "ranker-v2", "--namespace", "production")
    shop.until(lambda: got(*v2), bool, 200, "Argo CD applies it there")
    kubectl("wait", *v2, "--for=condition=Available", "--timeout=110s")
    shop.until(lambda: _scraped(shop, "production"), bool, 240, "Prometheus scrapes production's pods")
    time.sleep(15)

    page.do("See it in Argo CD")
    left_out = page.do("Is it in order?", but=lambda line: "--try-rules" in line)[1]  # this host has no rules
    page.do("Take it away")
    page.at_end()
    assert got("applicationset", "models", "--namespace", shop.place.argocd_namespace) is None
    first_answer_of(shop, ModelVersion(2), seconds=5)
    return left_out
