"""The chart as Argo CD renders it: Helm's own code over values files. What must follow from it is for the tests.

`python tests/charts/rendering.py --write` writes `golden/` anew; then read the difference before committing it.
"""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import helm_python
import yaml

CHART = Path(__file__).parents[2] / "charts" / "model-serving"
GOLDEN = Path(__file__).parent / "golden"


class _Dumper(yaml.SafeDumper):
    """PyYAML's own, whatever others made of it: Hera changes how every dumper in its process writes text."""


_Dumper.add_representer(str, yaml.SafeDumper.represent_str)

SITUATIONS = {path.name.removesuffix("-values.yaml"): path for path in sorted((CHART / "ci").glob("*-values.yaml"))}
# What people start from; the one for development stands alone.
EXAMPLES = {path.stem.removeprefix("values-"): path for path in sorted(CHART.glob("values-*.yaml"))}


def read_values(*paths: Path) -> dict[str, Any]:
    """Values files as Helm reads them; their top-level keys must differ."""
    values: dict[str, Any] = {}
    for path in paths:
        read = helm_python.values_from_yaml(path.read_text(encoding="utf-8"))
        if values.keys() & read.keys():
            raise ValueError(f"{path}: {', '.join(values.keys() & read.keys())} stands in two files")
        values |= read
    return values


def situation(name: str) -> dict[str, Any]:
    """The values of `ci/<name>-values.yaml`."""
    return read_values(SITUATIONS[name])


def example(name: str) -> dict[str, Any]:
    """The values of `values-<name>.yaml`."""
    return read_values(EXAMPLES[name])


def served(name: str) -> dict[str, Any]:
    """The values of a situation or of an example; where the promoter has its say, with a rollout under way."""
    if name in SITUATIONS:
        return situation(name)
    values = example(name)
    if values["model"].get("versionPolicy") is None:
        values["release"] = situation("first-step")["release"]
    return values


def render(
    values: Mapping[str, Any], application="production-resnet50", namespace="production"
) -> list[dict[str, Any]]:
    """The objects, by kind and name; raises helm_python.HelmError where the values are refused."""
    files = _chart().render(dict(values), name=application, namespace=namespace)
    objects = [
        manifest
        for name, text in files.items()
        if name.endswith(".yaml")
        for manifest in yaml.load_all(text, Loader=yaml.CSafeLoader)
        if manifest is not None
    ]
    return sorted(objects, key=lambda manifest: (manifest["kind"], manifest["metadata"]["name"]))


@functools.cache
def _chart() -> helm_python.Chart:
    return helm_python.Chart.load(CHART)


def of_kind(objects: list[dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    """The objects of one kind, by name."""
    return {manifest["metadata"]["name"]: manifest for manifest in objects if manifest["kind"] == kind}


def golden_text(objects: list[dict[str, Any]]) -> str:
    """The objects as one YAML stream, without comments and in a fixed order."""
    return yaml.dump_all(objects, Dumper=_Dumper, sort_keys=False, explicit_start=True, width=120)


def schema() -> dict[str, Any]:
    """`values.schema.json`."""
    return json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))


def _write() -> None:
    GOLDEN.mkdir(exist_ok=True)
    for path in GOLDEN.glob("*.yaml"):
        path.unlink()
    for name in SITUATIONS:
        (GOLDEN / f"{name}.yaml").write_text(golden_text(render(situation(name))), encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit(__doc__)
    _write()
