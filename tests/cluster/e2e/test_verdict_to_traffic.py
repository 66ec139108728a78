"""How long it takes from a push, through Argo CD, until the other version answers at the gateway; over many commits.

The promoter is at rest, and its own adapter asks Argo CD to look at Git, with the token that may `get` and nothing
else. Afterwards a weight is changed by hand, in the cluster.
"""

from __future__ import annotations

import json
import os
import re
import threading
import time
from datetime import UTC, datetime

import pytest
from e2e_client import first_answer_of
from e2e_commands import got, kubectl, promoter
from e2e_installation import PODS
from e2e_routes import ROUTES
from rich.console import Console

from benchmarks import verdict_to_traffic
from benchmarks.figures import show
from promoter.adapters.argocd import ArgoCluster
from promoter.domain.version import ModelVersion

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

COMMITS = int(os.environ.get("E2E_COMMITS", "50"))
HEALED_WITHIN = 30.0
OTHER = 2


@pytest.fixture(scope="module")
def by_hand(serving, versions):
    """Version 2 beside stable, both with all pods, and the promoter at rest; two commits end it."""
    serving.stop_promoter()
    published = promoter("publish", versions[OTHER], serving.store, "--version", OTHER).stdout
    digest = re.search(r"sha256:[0-9a-f]{64}", published).group()
    hand = Hand(serving)
    hand.commit(hand.canary(digest), f"canary {OTHER} by hand")
    serving.until(hand.ready, lambda ready: ready == PODS, 170, f"{PODS} pods of {OTHER} are ready")
    yield hand
    hand.rest()
    hand.commit(hand.without_canary, "the pods go")
    serving.start_promoter()


class Hand:
    """A person's commits, and what comes of them."""

    def __init__(self, installation):
        self.installation = installation
        self.stable = ModelVersion(installation.release()["stable"]["version"])
        self._cluster = ArgoCluster(installation.place.argocd_url, installation.argocd_token_file)

    def canary(self, digest):
        since = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        lines = f"version: {OTHER}\n    digest: {digest}\n    weight: 0\n    replicas: {PODS}\n    since: {since}\n"
        return lambda text: re.sub(r"(?m)^(release:\n)", rf"\1  canary:\n    {lines}", text)

    @staticmethod
    def at(weight):
        return lambda text: re.sub(r"weight: \d+", f"weight: {weight}", text)

    @staticmethod
    def without_canary(text):
        return re.sub(r"(?m)^  canary:\n(    .*\n)+", "", text)

    def commit(self, edit, subject):
        """Commit it, push it, and have Argo CD look. Returns when the push began (`time.monotonic`)."""
        served, checkout = self.installation.served, self.installation.checkout
        checkout.commit(served.release_path, edit, f"{served}: {subject}")
        began = time.monotonic()
        assert checkout.push(), "nobody else commits here"
        self._cluster.application(served, refresh=True)
        return began

    def rest(self):
        """Everything goes to stable."""
        path = self.installation.checkout.folder / self.installation.served.release_path
        self.installation.checkout.pull()
        if "weight: 0" not in path.read_text(encoding="utf-8"):
            self.commit(self.at(0), "the weight is taken back")
        first_answer_of(self.installation, self.stable)

    def ready(self):
        found = got("deployment", f"{self.installation.served.model}-v{OTHER}", "--namespace", self.installation.name)
        return ((found or {}).get("status") or {}).get("readyReplicas", 0)

    def seconds_to(self, weight):
        """From the beginning of the push to the first answer of the version that gets everything now."""
        wanted = ModelVersion(OTHER) if weight == 100 else self.stable
        answered = []
        looking = threading.Thread(target=lambda: answered.append(first_answer_of(self.installation, wanted)))
        looking.start()
        time.sleep(0.3)
        began = self.commit(self.at(weight), f"canary {OTHER} at {weight} %")
        looking.join()
        return answered[0] - began


def test_a_verdict_reaches_the_traffic_and_costs_no_request(by_hand, client, record_property, capsys):
    began, taken = time.time(), []
    for number in range(COMMITS):
        taken.append(by_hand.seconds_to(100 if number % 2 == 0 else 0))
        # Every worker of the proxy has the route by then, so that no late answer counts for the next commit.
        time.sleep(0.7)
    record_property(verdict_to_traffic.SECONDS, json.dumps(taken))
    failed = {
        (str(version), code): count
        for second in client.seconds(began)
        for version, codes in second.answered.items()
        for code, count in codes.items()
        if code != "OK"
    }
    with capsys.disabled():
        print()  # noqa: T201 - the figures are what the test is for
        # Beside their bars, and no more: how fast a machine is that others use is no fault of a commit's. `make bench`
        # holds them.
        show(verdict_to_traffic.figures(taken), Console())
    assert failed == {}


def test_a_weight_that_a_person_changes_in_the_cluster_is_healed(by_hand, client, capsys):
    serving = by_hand.installation
    by_hand.rest()
    namespace = ("--namespace", serving.name)
    kind = ROUTES[serving.place.route_kind][0]
    resource = (f"{kind.plural}.{kind.group}", serving.served.model, *namespace)
    route = got(*resource)
    kind.set_weights(route, 50)
    began = time.monotonic()
    patch = json.dumps({"spec": {kind.rules: kind.rules_of(route)}})
    kubectl("patch", *resource, "--type=merge", "--patch", patch)

    def weights():
        return sorted(kind.split(kind.rules_of(got(*resource))[0]).values())

    assert weights() in ([50, 50], [0, 100])
    serving.until(weights, lambda seen: seen == [0, 100], HEALED_WITHIN, "the weight is Git's again")
    with capsys.disabled():
        print(f"\na weight changed by hand was Git's again after {time.monotonic() - began:.1f} s")  # noqa: T201 - as above
