"""Where the end-to-end tests run: what the environment has to name, and why."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass

from e2e_routes import GATEWAY_API, ISTIO, ROUTES

NEEDED = {
    "KUBECONFIG": "the cluster, with Argo CD, the Prometheus operator, and a Gateway API implementation or Istio",
    "ARGOCD_URL": "Argo CD's API server",
    "ARGOCD_TOKEN": "the token of an account that may `get` applications, and nothing else",
    "PROMETHEUS_URL": "the Prometheus that takes every PodMonitor of the cluster",
    "E2E_REPOSITORY": "a Git repository that Argo CD and this machine reach; each run makes a branch of its own in it",
    "E2E_REPOSITORY_TOKEN": "a token that may push to it",
    "E2E_MODEL_SERVER_IMAGE": "NAME:TAG of tensorflow/serving or of the sandbox's (docker build --target model-server)",
    "E2E_STORE": "a folder that the nodes have under the same path and every user may read",
}
PROGRAMS = ("kubectl", "git")


@dataclass(frozen=True, slots=True)
class Place:
    """What the environment named.

    route_kind: the chart's `route.kind`, gateway-api or istio. gateway_class: for the former, whose Gateways split the
    traffic. gateway_target: HOST:PORT at which this machine reaches the gateway, None for the address in the status of
    the Gateway; Istio's own kind has none.
    """

    argocd_url: str
    argocd_token: str
    prometheus_url: str
    repository: str
    repository_token: str
    image: str
    store: str
    route_kind: str
    gateway_class: str
    gateway_target: str | None
    argocd_namespace: str

    @classmethod
    def from_environment(cls) -> Place:
        """Call it where `missing` finds nothing."""
        read = os.environ
        return cls(
            argocd_url=read["ARGOCD_URL"],
            argocd_token=read["ARGOCD_TOKEN"],
            prometheus_url=read["PROMETHEUS_URL"],
            repository=read["E2E_REPOSITORY"],
            repository_token=read["E2E_REPOSITORY_TOKEN"],
            image=read["E2E_MODEL_SERVER_IMAGE"],
            store=read["E2E_STORE"],
            route_kind=read.get("E2E_ROUTE_KIND", GATEWAY_API),
            gateway_class=read.get("E2E_GATEWAY_CLASS", "envoy"),
            gateway_target=read.get("E2E_GATEWAY_TARGET"),
            argocd_namespace=read.get("E2E_ARGOCD_NAMESPACE", "argocd"),
        )


def missing() -> list[str]:
    """What is not there, a line each, with what it is for."""
    variables = [f"{name}: {what}" for name, what in NEEDED.items() if not os.environ.get(name)]
    route_kind = os.environ.get("E2E_ROUTE_KIND", GATEWAY_API)
    if route_kind not in ROUTES:
        variables.append(f"E2E_ROUTE_KIND: one of {', '.join(ROUTES)}, and not {route_kind}")
    if route_kind == ISTIO and not os.environ.get("E2E_GATEWAY_TARGET"):
        variables.append("E2E_GATEWAY_TARGET: HOST:PORT of Istio's ingress gateway, as this machine reaches it")
    return variables + [f"{program}: on PATH" for program in PROGRAMS if shutil.which(program) is None]


if __name__ == "__main__":
    raise SystemExit("\n  ".join(["the end-to-end tests need, and do not find:", *missing()]) if missing() else 0)
