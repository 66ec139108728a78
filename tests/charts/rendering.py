"""The chart as Argo CD renders it: Helm's own code over values files. What must follow from it is for the tests.

`python tests/charts/rendering.py --write` writes `golden/` and the table in the chart's README anew; then read the
difference before committing it.
"""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import helm_python
import yaml

CHART = Path(__file__).parents[2] / "charts" / "model-serving"
GOLDEN = Path(__file__).parent / "golden"
README = CHART / "README.md"


class _Dumper(yaml.SafeDumper):
    """PyYAML's own, whatever others made of it: Hera changes how every dumper in its process writes text."""


_Dumper.add_representer(str, yaml.SafeDumper.represent_str)

SITUATIONS = {path.name.removesuffix("-values.yaml"): path for path in sorted((CHART / "ci").glob("*-values.yaml"))}

_TABLE_BEGINS = "<!-- The table is written by tests/charts/rendering.py. -->\n"
_TABLE_ENDS = "<!-- Here it ends. -->\n"


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


def described(node: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """Every key that a schema knows, as a dotted path, with its description ("" where it has none)."""
    for key, value in _resolved(node).get("properties", {}).items():
        yield f"{path}{key}", value.get("description", "")
        yield from described(value, f"{path}{key}.")


def _resolved(node: Mapping[str, Any]) -> Mapping[str, Any]:
    for part in node.get("allOf", []):
        return schema()["definitions"][part["$ref"].rpartition("/")[2]]
    return node.get("items", node)


def defaults(values: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Every key of values that holds no further keys, as a dotted path, with its value."""
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from defaults(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value


def values_table() -> str:
    """The table of the chart's values: keys and defaults from values.yaml, descriptions from the schema."""
    descriptions = dict(described(schema()))
    rows = [
        f"| `{key}` | `{json.dumps(value)}` | {descriptions[key]} |\n"
        for key, value in defaults(read_values(CHART / "values.yaml"))
    ]
    return "".join(["| Key | Default | Description |\n", "|---|---|---|\n", *rows])


def readme_with_table(readme: str) -> str:
    """The README with the table between its two marks."""
    before, _, rest = readme.partition(_TABLE_BEGINS)
    _, _, after = rest.partition(_TABLE_ENDS)
    return f"{before}{_TABLE_BEGINS}\n{values_table()}\n{_TABLE_ENDS}{after}"


def _write() -> None:
    GOLDEN.mkdir(exist_ok=True)
    for path in GOLDEN.glob("*.yaml"):
        path.unlink()
    for name in SITUATIONS:
        (GOLDEN / f"{name}.yaml").write_text(golden_text(render(situation(name))), encoding="utf-8")
    README.write_text(readme_with_table(README.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit(__doc__)
    _write()
