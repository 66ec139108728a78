"""One sandbox for the tests that need a whole one: it takes half a minute to come up."""

import io
from pathlib import Path

import pytest
from rich.console import Console
from rollout_watch import Watch

from promoter.sandbox.demo.cast import characters
from promoter.sandbox.demo.screen import PlainScreen
from promoter.sandbox.demo.stage import Stage
from promoter.sandbox.supervisor import Sandbox

PROJECT = Path(__file__).parents[2]


def quick_policy(layout):
    """As little waiting as there can be while every rule is still at work."""
    return f"""\
candidates: {{store: "{layout.model_store_url}"}}
evidence: {{margin: 0.03, interval: 3s}}
ramp: {{budget: 8, max_weight: 50}}
soak: 5s
guard: 5s
max_blind: 30s
preflight: {{warn: [latency]}}
"""


@pytest.fixture(scope="session")
def watch(tmp_path_factory):
    """A sandbox in which version 1 answers real requests, and versions 2, 3, 6 and 7 are ready to be dropped."""
    directory = tmp_path_factory.mktemp("sandbox")
    sandbox = Sandbox.create(directory, project=PROJECT, port_base=0, rate=60, policy=quick_policy)
    stage = Stage(sandbox, directory / "models", PlainScreen(Console(file=io.StringIO())))
    with sandbox:
        stage.set([entry for entry in characters(every=True) if entry.version.number in {2, 3, 6, 7}])
        yield Watch(stage)
