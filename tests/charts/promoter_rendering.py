"""charts/promoter as Argo CD renders it, over the values of its `ci/`."""

from __future__ import annotations

import functools
from pathlib import Path

import helm_python
import yaml

CHART = Path(__file__).parents[2] / "charts" / "promoter"
SITUATIONS = {path.name.removesuffix("-values.yaml"): path for path in sorted((CHART / "ci").glob("*-values.yaml"))}


def situation(name):
    """The values of `ci/<name>-values.yaml`."""
    return helm_python.values_from_yaml(SITUATIONS[name].read_text(encoding="utf-8"))


def render(values):
    """The objects by kind, of which there is one each; raises helm_python.HelmError where the values are refused."""
    files = _chart().render(values, name="promoter", namespace="serving-tools")
    texts = (text for name, text in files.items() if name.endswith(".yaml"))
    objects = [made for text in texts for made in yaml.load_all(text, Loader=yaml.CSafeLoader) if made is not None]
    by_kind = {made["kind"]: made for made in objects}
    assert len(by_kind) == len(objects)
    return by_kind


@functools.cache
def _chart():
    return helm_python.Chart.load(CHART)
