"""A chart and values files to manifests, as Argo CD does it with `helm template`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import helm_python

from promoter.domain.names import ServedModel
from promoter.errors import InvalidInput


def rendered(chart: Path, files: Iterable[tuple[str, bytes]], served: ServedModel) -> dict[str, str]:
    """The manifests of one Application by template, in the templates' order.

    files: path (for errors) and content of the values files; the last one wins. Raises InvalidInput where a file is no
    YAML, the values do not fit the chart's schema, or a template fails.
    """
    values: dict[str, Any] = {}
    for path, content in files:
        values = merged(values, _values(path, content))
    try:
        with helm_python.Chart.load(chart) as loaded:
            manifests = loaded.render(values, name=served.application, namespace=served.environment)
    except helm_python.HelmError as error:
        raise InvalidInput(str(error)) from error
    return {template: text for template, text in manifests.items() if template.endswith((".yaml", ".yml"))}


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
