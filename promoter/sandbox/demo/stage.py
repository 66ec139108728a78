"""The stage: a sandbox in which version 1 answers real requests, and the other versions wait to be dropped."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from promoter.domain.application import Health
from promoter.domain.version import ModelVersion
from promoter.errors import InvalidDocument, Unavailable
from promoter.sandbox.demo.cast import FIRST, Character
from promoter.sandbox.demo.screen import Screen
from promoter.sandbox.layout import Layout
from promoter.sandbox.model_zoo import half_upload
from promoter.sandbox.parts import AGENT, ENVOY, PROMETHEUS, PROMOTER, STORAGE, TRAFFIC, clean_environment
from promoter.sandbox.seed import default_policy
from promoter.sandbox.supervisor import PartState, Sandbox
from promoter.sandbox.traffic_results import OK, TrafficSecond, read_results

_POLL_SECONDS = 0.2
_BUILD_PATIENCE = 180.0
_READY_PATIENCE = 120.0
_PUBLISH_PATIENCE = 60.0

# So many seconds in a row without a failure, and the stage is set.
_STEADY_SECONDS = 5


def demo_policy(layout: Layout) -> str:
    """policy.yaml of the demo: the sandbox's, at half the risk, so that a bad version is seen to cost little."""
    return default_policy(layout, budget=10)


class ModelBuild:
    """Builds versions in a process of its own, because TensorFlow is heavy; ended with the context manager."""

    def __init__(self, output: Path, versions: Iterable[ModelVersion], log: Path) -> None:
        self._output = output
        self._versions = tuple(versions)
        self._log = log

    def __enter__(self) -> Self:
        chosen = [word for version in self._versions for word in ("--version", str(version))]
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "promoter.sandbox.model_zoo", "--output", str(self._output), *chosen],
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=clean_environment(),
                # An interrupt at the keyboard is for the demo, which ends this process in its turn.
                start_new_session=True,
            )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def wait_for(self, versions: Iterable[ModelVersion], screen: Screen) -> None:
        """Until the folders of `versions` are there. Raises Unavailable."""
        deadline = time.monotonic() + _BUILD_PATIENCE
        for version in versions:
            built = self._output / str(version)
            if not built.exists():
                screen.wait(f"Building version {version}, a real SavedModel")
            while not built.exists():
                if self._process.poll() not in {None, 0}:
                    raise Unavailable(f"the versions could not be built; {self._log} says why")
                if time.monotonic() > deadline:
                    raise Unavailable(f"building the versions took more than {_BUILD_PATIENCE:g} s: see {self._log}")
                time.sleep(_POLL_SECONDS)


class Stage:
    """A sandbox, and the folder with the versions to drop into its store."""

    def __init__(self, sandbox: Sandbox, models: Path, screen: Screen) -> None:
        self.sandbox = sandbox
        self._models = models
        self._screen = screen

    @property
    def layout(self) -> Layout:
        return self.sandbox.layout

    def set(self, cast: Sequence[Character]) -> None:
        """Until version 1 answers real requests, and every other version is built. Raises Unavailable."""
        versions = [FIRST, *(character.version for character in cast if not character.half)]
        with ModelBuild(self._models, versions, self.layout.log("models")) as build:
            self._screen.wait("Bringing up the sandbox: sync agent, Envoy, Prometheus")
            self.sandbox.up([STORAGE, AGENT, ENVOY, PROMETHEUS])
            build.wait_for([FIRST], self._screen)
            self._publish(FIRST)
            self._screen.wait("Starting the promoter; it finds version 1")
            self.sandbox.start(PROMOTER)
            self._wait_until_ready()
            # Building takes every core there is, and would slow down the first requests.
            build.wait_for(versions, self._screen)
        self._screen.wait("Sending requests through Envoy")
        self.sandbox.start(TRAFFIC)
        self._wait_until_answered()

    def drop(self, character: Character) -> None:
        """Put a version into the store: all of it, or half."""
        if character.half:
            half_upload(self._models / str(FIRST), self.layout, character.version)
        else:
            self._publish(character.version)

    def traffic(self) -> tuple[TrafficSecond, ...]:
        """What became of the requests so far."""
        return read_results(self.layout.traffic_results).seconds

    def promoter_peak_rss(self) -> int:
        """The most memory that the promoter's process ever held, in bytes; 0 where it does not run."""
        pid = next((part.pid for part in self.sandbox.status() if part.name == PROMOTER), None)
        with suppress(OSError):
            for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
        return 0

    def check(self) -> None:
        """Raises Unavailable where a part of the sandbox has died."""
        for part in self.sandbox.status():
            if part.state is PartState.DIED:
                raise Unavailable(f"{part.name} died; {part.log} says why")

    def _publish(self, version: ModelVersion) -> None:
        """As a person does, by `promoter publish`."""
        address = self.layout.model_store_url
        ended = subprocess.run(
            [
                *(sys.executable, "-m", "promoter", "publish"),
                *(str(self._models / str(version)), address, "--version", str(version)),
            ],
            env={**clean_environment(), **self.sandbox.environment()},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PUBLISH_PATIENCE,
            check=False,
        )
        if ended.returncode != 0:
            raise Unavailable(f"version {version} could not be published to {address}: {ended.stderr.strip()}")

    def _wait_until_ready(self) -> None:
        self._screen.wait("Waiting for the pods of version 1")
        deadline = time.monotonic() + _READY_PATIENCE
        while not self._first_is_ready():
            self.check()
            if time.monotonic() > deadline:
                raise Unavailable(
                    f"version 1 was not ready within {_READY_PATIENCE:g} s; the logs are in {self.layout.logs}"
                )
            time.sleep(_POLL_SECONDS)

    def _first_is_ready(self) -> bool:
        application = self.sandbox.application()
        deployment = application.deployment(FIRST) if application else None
        return deployment is not None and deployment.health is Health.HEALTHY and deployment.ready > 0

    def _wait_until_answered(self) -> None:
        deadline = time.monotonic() + _READY_PATIENCE
        while not self._is_steady():
            self.check()
            if time.monotonic() > deadline:
                raise Unavailable(f"requests are not answered; the logs are in {self.layout.logs}")
            time.sleep(_POLL_SECONDS)

    def _is_steady(self) -> bool:
        with suppress(InvalidDocument):
            last = self.traffic()[-_STEADY_SECONDS:]
            return len(last) == _STEADY_SECONDS and all(_only_first(second) for second in last)
        return False


def _only_first(second: TrafficSecond) -> bool:
    """Whether every answer of a second was an OK of version 1."""
    return set(second.answered) == {FIRST} and set(second.answered[FIRST]) == {OK}
