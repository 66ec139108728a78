"""The table of a chart's values, from values.yaml (defaults) and values.schema.json (what each key means).

    scripts/chart_readme.py [--check] CHART…

It stands in README.md of each chart between two marks. With --check nothing is written, and a table that is not up to
date fails.
"""

from __future__ import annotations

import difflib
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

BEGINS = "<!-- The table is written by scripts/chart_readme.py. -->\n"
ENDS = "<!-- Here it ends. -->\n"


def described(schema: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Every key that a schema knows, as a dotted path (`a.b`, `list[].c`), with its description ("" for none)."""
    yield from _described(schema, schema.get("definitions", {}), "")


def _described(node: Mapping[str, Any], definitions: Mapping[str, Any], path: str) -> Iterator[tuple[str, str]]:
    for part in node.get("allOf", ()):
        if "$ref" in part:
            node = definitions[part["$ref"].rpartition("/")[2]]
    if "items" in node:
        node, path = node["items"], f"{path.removesuffix('.')}[]."
    for key, value in node.get("properties", {}).items():
        yield f"{path}{key}", value.get("description", "")
        yield from _described(value, definitions, f"{path}{key}.")


def defaults(values: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Every key of values that holds no further keys, as a dotted path, with its value."""
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from defaults(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value


def table(chart: Path) -> str:
    """The rows, in the schema's order. What has no default of its own is below a key whose default is empty."""
    schema = json.loads((chart / "values.schema.json").read_text(encoding="utf-8"))
    known = dict(defaults(yaml.safe_load((chart / "values.yaml").read_text(encoding="utf-8"))))
    branches = {path.rpartition(".")[0] for path, _ in described(schema)} | {
        path.rpartition("[].")[0] for path, _ in described(schema) if "[]." in path
    }
    rows = [
        f"| `{path}` | {f'`{json.dumps(known[path])}`' if path in known else ''} | {description} |\n"
        for path, description in described(schema)
        if path in known or path not in branches
    ]
    return "".join(["| Key | Default | Description |\n", "|---|---|---|\n", *rows])


def with_table(readme: str, chart: Path) -> str:
    """The README with the chart's table between the marks; raises ValueError where they are not there."""
    before, begins, rest = readme.partition(BEGINS)
    _, ends, after = rest.partition(ENDS)
    if not begins or not ends:
        raise ValueError(f"README.md needs the lines {BEGINS.strip()} and {ENDS.strip()}")
    return f"{before}{BEGINS}\n{table(chart)}\n{ENDS}{after}"


def main(arguments: list[str]) -> int:
    """Write or check; the exit status."""
    stale = False
    for chart in [Path(argument) for argument in arguments if argument != "--check"]:
        readme = chart / "README.md"
        before = readme.read_text(encoding="utf-8")
        after = with_table(before, chart)
        if "--check" not in arguments:
            readme.write_text(after, encoding="utf-8")
        elif before != after:
            stale = True
            difference = difflib.unified_diff(
                before.splitlines(), after.splitlines(), str(readme), "as generated", "", "", 0
            )
            sys.stderr.write("\n".join(difference) + f"\nrun: scripts/chart_readme.py {chart}\n")
    return int(stale)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
