"""From a push, through Argo CD, to the first answer of the other version at the gateway: where a cluster is given.

There is one measurement, tests/cluster/e2e/test_verdict_to_traffic.py, which `make e2e` runs among the other tests.
Here it runs alone, and a figure over its bar is an error. Where the environment names no cluster, that is said.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

from rich.console import Console

from benchmarks.figures import Figure, show

PROJECT = Path(__file__).parents[1]
PLACE = PROJECT / "tests/cluster/e2e/e2e_place.py"
MEASUREMENT = (
    f"{PROJECT}/tests/cluster/e2e/test_verdict_to_traffic.py::test_a_verdict_reaches_the_traffic_and_costs_no_request"
)

# The property of the test's result that holds what it measured.
SECONDS = "seconds"

LONGEST_MEDIAN, LONGEST_P95 = 2.0, 5.0


def main() -> int:
    """Measure, and print it beside the bars."""
    console = Console()
    place = subprocess.run([sys.executable, str(PLACE)], check=False, capture_output=True, text=True)
    if place.returncode != 0:
        console.print(f"\n[bold red]VERDICT TO TRAFFIC WAS NOT MEASURED[/] (bars: {_bars()})")
        console.print(place.stderr.strip(), markup=False, soft_wrap=True)
        return 0
    console.print("\nVerdict to traffic: an installation, and its commits one by one (10 minutes)")
    seconds = measured(MEASUREMENT)
    if seconds is None:
        console.print(f"\n[bold red]VERDICT TO TRAFFIC: the measurement failed[/] (bars: {_bars()})")
        return 1
    return 0 if show(figures(seconds), console) else 1


def measured(test: str) -> list[float] | None:
    """What pytest's test `test` records as SECONDS, one number a commit; None where it fails or does not run."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.xml"
        command = [sys.executable, "-m", "pytest", f"--config-file={PROJECT / 'pyproject.toml'}", "-m", "e2e"]
        options = ["--override-ini=junit_family=xunit1", f"--junit-xml={result}"]
        done = subprocess.run([*command, *options, test], check=False, cwd=PROJECT)
        if done.returncode != 0:
            return None
        recorded = ET.parse(result).find(f".//property[@name='{SECONDS}']")  # noqa: S314 - pytest wrote it
    return None if recorded is None else json.loads(recorded.attrib["value"])


def figures(seconds: Sequence[float]) -> list[Figure]:
    """What `seconds`, one number a commit, come to."""
    hundredths = statistics.quantiles(seconds, n=100, method="inclusive")
    return [
        Figure(f"push to other version at the gateway, median of {len(seconds)}", hundredths[49], LONGEST_MEDIAN, "s"),
        Figure("the same, 95th percentile", hundredths[94], LONGEST_P95, "s"),
    ]


def _bars() -> str:
    return f"median {LONGEST_MEDIAN:g} s, 95th percentile {LONGEST_P95:g} s"


if __name__ == "__main__":
    sys.exit(main())
