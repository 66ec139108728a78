"""The real chart, rendered in-process by Helm's own code, as Argo CD does with `helm template`."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import helm_python

from promoter.domain.names import ServedModel
from promoter.errors import InvalidInput
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
        values: dict[str, Any] = {}
        for path, blob in sources.values:
            if blob is None:
                raise InvalidInput(f"{path}: no such file")
            values = merged(values, _values(path, self._remote.blob(blob)))
        manifests = _rendered(self._exported(sources.chart), values, served)
        resources = (
            resource
            for template, text in manifests.items()
            if template.endswith((".yaml", ".yml"))
            for resource in parse_resources(text, served.environment)
        )
        return tuple(sorted(resources, key=lambda resource: resource.key))

    def _exported(self, tree_id: str) -> Path:
        folder = self._directory / tree_id
        if not folder.exists():
            partial = folder.with_suffix(f".{os.getpid()}")
            shutil.rmtree(partial, ignore_errors=True)
            self._remote.export(tree_id, partial)
            partial.rename(folder)
        return folder


def merged(base: Mapping[str, Any], override: Mapping[str, Any]) -> dict[str, Any]:
    """`override` over `base`, as Helm merges values files: maps key by key, anything else whole.

    A null stays: it takes the chart's default away later.
    """
    result = dict(base)
    for key, value in override.items():
        before = result.get(key)
        result[key] = merged(before, value) if isinstance(before, Mapping) and isinstance(value, Mapping) else value
    return result


def _values(path: str, content: bytes) -> dict[str, Any]:
    try:
        return helm_python.values_from_yaml(content.decode())
    except (helm_python.HelmError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path}: {error}") from error


def _rendered(chart: Path, values: Mapping[str, Any], served: ServedModel) -> dict[str, str]:
    try:
        with helm_python.Chart.load(chart) as loaded:
            return loaded.render(dict(values), name=served.application, namespace=served.environment)
    except helm_python.HelmError as error:
        raise InvalidInput(str(error)) from error
