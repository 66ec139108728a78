"""The real chart, rendered in-process by Helm's own code, as Argo CD does with `helm template`."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from promoter.domain.names import ServedModel
from promoter.errors import InvalidInput
from promoter.rendering.chart import rendered
from promoter.sandbox.agent.repository import CHART, BareRemote, Sources
from promoter.sandbox.agent.resources import Resource, parse_resources


class Renderer:
    """Renders Applications. Charts are exported once per tree, results are kept per Application."""

    def __init__(self, remote: BareRemote, directory: Path) -> None:
        self._remote = remote
        self._directory = directory
        self._results: dict[str, tuple[Sources, tuple[Resource, ...]]] = {}

    def render(self, served: ServedModel, sources: Sources) -> tuple[Resource, ...]:
        """The objects of one Application, in order of their keys.

        Raises InvalidInput where a file is missing, the values do not fit the chart's schema or a
        template fails, and RepositoryUnavailable.
        """
        known = self._results.get(served.application)
        if known is not None and known[0] == sources:
            return known[1]
        resources = self._render(served, sources)
        self._results[served.application] = (sources, resources)
        return resources

    def _render(self, served: ServedModel, sources: Sources) -> tuple[Resource, ...]:
        if sources.chart is None:
            raise InvalidInput(f"{CHART}: app path does not exist")
        files = []
        for path, blob in sources.values:
            if blob is None:
                raise InvalidInput(f"{path}: no such file")
            files.append((path, self._remote.blob(blob)))
        manifests = rendered(self._exported(sources.chart), files, served)
        resources = (resource for text in manifests.values() for resource in parse_resources(text, served.environment))
        return tuple(sorted(resources, key=lambda resource: resource.key))

    def _exported(self, tree_id: str) -> Path:
        folder = self._directory / tree_id
        if not folder.exists():
            partial = folder.with_suffix(f".{os.getpid()}")
            shutil.rmtree(partial, ignore_errors=True)
            self._remote.export(tree_id, partial)
            partial.rename(folder)
        return folder
