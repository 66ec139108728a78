"""The real Envoy: its files are written here, and its admin page tells what it has taken.

Make before break: a route is written once Envoy has the clusters that it leads to, and a cluster goes a few seconds
after the last route that led to it, so no request meets a hole in between.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from promoter.sandbox.agent.envoy import (
    RouteWeights,
    bootstrap,
    cluster_configuration,
    discovery_response,
    endpoints_file,
    listener,
    load_assignment,
    route_configuration,
    route_weights,
)
from promoter.sandbox.agent.files import write_atomically
from promoter.sandbox.agent.mesh import Cluster, Mesh

log = logging.getLogger(__name__)

LINGER_SECONDS = 5.0
_ADMIN_TIMEOUT_SECONDS = 0.5


class EnvoyProxy:
    """Envoy's configuration in `directory`. `step` is called from one thread, `live_weights` from any."""

    def __init__(self, directory: Path, listen: tuple[str, int], admin: tuple[str, int]) -> None:
        self._directory = directory
        self._admin = httpx.Client(
            base_url=f"http://{admin[0]}:{admin[1]}", timeout=_ADMIN_TIMEOUT_SECONDS, trust_env=False
        )
        self._written: dict[Path, str] = {}
        self._clusters: dict[str, Cluster] = {}
        self._leaving: dict[str, float] = {}
        self._settled = False
        self._mesh = Mesh()
        directory.mkdir(parents=True, exist_ok=True)
        for former in (directory / "eds").glob("*.json"):
            former.unlink()
        self._write(directory / "cds.json", discovery_response([]))
        self._write(directory / "rds.json", discovery_response([route_configuration(())]))
        self._write(directory / "lds.json", discovery_response([listener(directory, listen)]))
        # JSON is YAML, too; Envoy goes by the name.
        self._write(directory / "bootstrap.yaml", json.dumps(bootstrap(directory, admin), indent=1))

    @property
    def settled(self) -> bool:
        """Whether Envoy has taken the routes of the last step. Stays False while Envoy does not answer."""
        return self._settled

    def step(self, mesh: Mesh, now: float) -> None:
        """Take the next step towards `mesh`; to be called again and again."""
        if mesh == self._mesh and self._settled and not self._leaving:
            return
        self._mesh = mesh
        self._write_clusters(mesh, now)
        wanted = discovery_response([route_configuration(mesh.routes)])
        routes = self._directory / "rds.json"
        if self._written[routes] != wanted:
            self._settled = False
            if self._has_clusters(mesh):
                self._write(routes, wanted)
                log.info("routes.written version=%s", _version(wanted))
        elif not self._settled:
            self._settled = self._taken("dynamic_route_configs") == {_version(wanted)}
            if self._settled:
                log.info("routes.live version=%s", _version(wanted))

    def live_weights(self) -> RouteWeights | None:
        """The weights that Envoy itself reports, None where it does not answer."""
        dump = self._dump("dynamic_route_configs")
        return None if dump is None else route_weights(dump)

    def _write_clusters(self, mesh: Mesh, now: float) -> None:
        """Write what is new or changed; what left goes once it has lingered and the routes are settled."""
        for name in [name for name in self._clusters if name not in mesh.clusters]:
            if not self._settled:
                self._leaving[name] = now + LINGER_SECONDS
            elif now >= self._leaving.setdefault(name, now + LINGER_SECONDS):
                del self._clusters[name]
        for name in [name for name in self._leaving if name in mesh.clusters or name not in self._clusters]:
            del self._leaving[name]
        for name, cluster in mesh.clusters.items():
            self._clusters[name] = cluster
            # Endpoints first: a cluster waits for its own before it is used.
            self._write(endpoints_file(self._directory, name), discovery_response([load_assignment(cluster)]))
        ordered = [self._clusters[name] for name in sorted(self._clusters)]
        self._write(
            self._directory / "cds.json",
            discovery_response([cluster_configuration(cluster, self._directory) for cluster in ordered]),
        )
        for path in [path for path in self._written if path.parent.name == "eds" and path.stem not in self._clusters]:
            path.unlink(missing_ok=True)
            del self._written[path]

    def _has_clusters(self, mesh: Mesh) -> bool:
        """Whether Envoy uses every cluster of the mesh; True where it is away: when it comes, it reads them first."""
        dump = self._dump("dynamic_active_clusters", mask="cluster.name")
        if dump is None:
            return True
        active = {entry["cluster"]["name"] for entry in dump.get("configs") or ()}
        return mesh.clusters.keys() <= active

    def _taken(self, resource: str) -> set[str]:
        dump = self._dump(resource) or {}
        return {entry.get("version_info", "") for entry in dump.get("configs") or ()}

    def _dump(self, resource: str, mask: str | None = None) -> Mapping[str, Any] | None:
        params = {"resource": resource} | ({} if mask is None else {"mask": mask})
        try:
            answer = self._admin.get("/config_dump", params=params)
            answer.raise_for_status()
            dump: Mapping[str, Any] = answer.json()
        except (httpx.HTTPError, ValueError):
            return None
        return dump

    def _write(self, path: Path, text: str) -> None:
        if self._written.get(path) != text:
            write_atomically(path, text)
            self._written[path] = text


def _version(response: str) -> str:
    version: str = json.loads(response)["version_info"]
    return version
