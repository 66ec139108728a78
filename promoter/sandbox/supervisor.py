"""A sandbox, brought up, taken down, and broken on purpose: the order of events, and what is left behind.

What the parts are stands in `parts`; how a process is told apart from a stranger's, in `processes`. This module
keeps nothing in memory: it can be killed at any moment, and the next one finds everything again.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from promoter.adapters.argocd import ArgoCluster
from promoter.domain.application import Application
from promoter.errors import ClusterUnavailable, InvalidSettings, Unavailable
from promoter.sandbox import processes
from promoter.sandbox.cloud_storage.bucket import (
    EMULATOR_HOST,
    EMULATOR_OF_A_SANDBOX,
    Bucket,
    make_bucket,
    new_bucket,
)
from promoter.sandbox.layout import DEFAULT_PORT_BASE, SERVED, Layout
from promoter.sandbox.parts import (
    AGENT,
    ENVOY,
    PROMETHEUS,
    PROMOTER,
    STORAGE,
    TRAFFIC,
    Part,
    clean_environment,
    promoter_settings,
    standard_parts,
)
from promoter.sandbox.ports import free_port_base, refuse_taken
from promoter.sandbox.records import SandboxRecord, read_record, write_record
from promoter.sandbox.seed import default_policy, seed

DEFAULT_RATE = 50.0

# Who sends goes before who answers; the pods go with the agent, when no request can reach them any more.
_STOP_ORDER = (TRAFFIC, PROMOTER, ENVOY, AGENT, PROMETHEUS, STORAGE)

_POLL_SECONDS = 0.05
_TAIL_LINES = 15

Progress = Callable[[str], None]


class StoreKind(StrEnum):
    """Where a sandbox keeps versions."""

    FILE = "file"
    GS = "gs"


class PartState(StrEnum):
    """What became of a part."""

    RUNNING = "running"
    STOPPED = "stopped"
    DIED = "died"


@dataclass(frozen=True, slots=True)
class PartStatus:
    """One part as it is now.

    pid: None unless it runs. exit_status: as a shell tells it (128 + n for signal n), None unless it
    died and that could be written down.
    """

    name: str
    state: PartState
    pid: int | None
    exit_status: int | None
    url: str
    log: Path


class Sandbox:
    """A cluster on one machine. As a context manager it is taken down at the end."""

    def __init__(
        self,
        layout: Layout,
        parts: Sequence[Part],
        *,
        rate: float = DEFAULT_RATE,
        settings: Mapping[str, str] | None = None,
        progress: Progress = lambda _: None,
    ) -> None:
        self.layout = layout
        self._parts = {part.name: part for part in parts}
        self._rate = rate
        self._settings = dict(settings or {})
        self._progress = progress

    @classmethod
    def create(
        cls,
        directory: Path,
        *,
        project: Path,
        port_base: int = DEFAULT_PORT_BASE,
        rate: float = DEFAULT_RATE,
        settings: Mapping[str, str] | None = None,
        policy: Callable[[Layout], str] = default_policy,
        store: StoreKind | None = None,
        progress: Progress = lambda _: None,
    ) -> Self:
        """A sandbox in `directory`, with its remote and its model store; nothing runs yet.

        project: the checkout whose charts it uses. port_base: the first of its ten ports, 0 for free
        ones. rate: requests per second. settings: environment variables of the promoter that differ
        from `promoter_settings`. policy: the text of policy.yaml. store: None takes the store that is
        there, and a folder where none is. A remote that is there already is kept as it is. Raises InvalidSettings.
        """
        layout = Layout.at(directory, port_base or free_port_base(), _bucket(directory, store))
        parts = standard_parts(layout, rate=rate, settings=settings or {})
        seed(layout, project, policy(layout))
        made = cls(layout, parts, rate=rate, settings=settings, progress=progress)
        if read_record(layout.directory) is None:
            # The remote names the store from now on, whether or not anything ever runs.
            write_record(layout, made._new_record())
        return made

    @classmethod
    def open(cls, directory: Path, *, progress: Progress = lambda _: None) -> Self:
        """The sandbox that was brought up in `directory` before, by whomever. Raises InvalidSettings where none was."""
        record = read_record(directory)
        if record is None:
            raise InvalidSettings(f"No sandbox was brought up in {directory}: `promoter sandbox up` does it")
        layout = Layout.at(directory, record.port_base, record.bucket)
        parts = standard_parts(layout, rate=record.rate, settings=record.settings)
        return cls(layout, parts, rate=record.rate, settings=record.settings, progress=progress)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.down()

    def up(self, parts: Sequence[str] | None = None) -> None:
        """Start `parts` (all, where none are named) one after another, each when the one before is ready.

        What an earlier sandbox in this directory left behind is ended first. Raises InvalidSettings
        where a port is taken, and Unavailable where a part does not become ready; then nothing is
        left running.
        """
        chosen = [part for name, part in self._parts.items() if parts is None or name in parts]
        with self._alone():
            if swept := processes.sweep(self.layout.directory):
                self._progress(f"ended {_count(swept, 'process', 'processes')} of an earlier sandbox")
            # All claims, so that a part that is started later finds its ports too.
            refuse_taken(claim for part in self._parts.values() for claim in part.claims)
            _refuse_missing(chosen)
            self._prepare()
            if self.layout.bucket is not None and self.layout.bucket.emulator is not None:
                make_bucket(self.layout.bucket.emulator, self.layout.bucket.name)
            try:
                for part in chosen:
                    self._start(part)
            except BaseException:
                self._end_all()
                raise

    def down(self) -> None:
        """End every process of this sandbox; files and logs stay. Does nothing where nothing runs."""
        with self._alone():
            self._end_all()

    def start(self, name: str) -> None:
        """Start one part and wait until it is ready; does nothing where it runs. Raises Unavailable."""
        part = self._part(name)
        with self._alone():
            if self._process(name) is None:
                refuse_taken(claim for claim in part.claims if claim.part == name)
                _refuse_missing([part])
                self._start(part)

    def stop(self, name: str) -> None:
        """Ask one part to end, and see to it that it does; does nothing where it does not run."""
        self._part(name)
        with self._alone():
            self._stop(name)

    def kill(self, name: str) -> None:
        """End one part by SIGKILL, as a crash would; does nothing where it does not run."""
        self._part(name)
        with self._alone():
            if (process := self._process(name)) is not None:
                processes.kill([process])

    def status(self) -> tuple[PartStatus, ...]:
        """Every part as it is now."""
        return tuple(self._status(part) for part in self._parts.values())

    def application(self) -> Application | None:
        """What the agent says of the model that is served here, its pods among it; None where it says nothing."""
        agent = ArgoCluster(self.layout.agent_url, self.layout.token_file, timeout=timedelta(seconds=5))
        try:
            return agent.application(SERVED)
        except ClusterUnavailable:
            return None

    def environment(self) -> dict[str, str]:
        """The promoter's environment variables here, for whoever runs it by hand.

        With a clone of its own: a clone belongs to one process at a time, and the sandbox's promoter has one.
        """
        clone = {"PROMOTER_CLONE": str(self.layout.clone_by_hand)}
        return {**promoter_settings(self.layout), **self._settings, **clone}

    def shell_lines(self) -> str:
        """What a shell reads to look at this sandbox: the variables, and PATH with the programs that it needs."""
        named = {str(part.command[0]) for part in self._parts.values()}
        paths = [shutil.which(name) for name in sorted(named) if "/" not in name]
        found = [Path(path).parent for path in paths if path is not None]
        folders = dict.fromkeys(map(str, (Path(sys.executable).parent, *found)))
        environment = self.environment()
        if self.layout.bucket is not None and self.layout.bucket.emulator is None:
            environment[EMULATOR_OF_A_SANDBOX] = environment[EMULATOR_HOST]
        return f'export PATH={shlex.quote(":".join(folders))}:"$PATH"\n{_export_lines(environment)}'

    def _prepare(self) -> None:
        """Folders, the agent's token, and the settings as a file; sandbox.json begins anew."""
        layout = self.layout
        for folder in (layout.logs, layout.agent_directory, layout.envoy_directory, layout.prometheus_directory):
            folder.mkdir(parents=True, exist_ok=True)
        layout.token_file.unlink(missing_ok=True)
        layout.token_file.touch(mode=0o600)
        layout.token_file.write_text(secrets.token_hex(16) + "\n", encoding="ascii")
        layout.environment_file.write_text(self.shell_lines(), encoding="utf-8")
        write_record(layout, self._new_record())

    def _start(self, part: Part) -> None:
        layout = self.layout
        for path in part.writes:
            # Otherwise what an earlier one wrote would pass for this one's.
            path.unlink(missing_ok=True)
        begun = time.monotonic()
        identity = processes.start(
            part.command,
            directory=layout.directory,
            environment={**clean_environment(), **part.environment},
            log=layout.log(part.name),
            exit_status=layout.exit_status(part.name),
        )
        write_record(layout, self._record().with_process(part.name, identity))
        self._wait_until_ready(part, identity, begun)
        self._progress(f"{part.name}: ready after {time.monotonic() - begun:.1f} s{part.url and ', ' + part.url}")

    def _wait_until_ready(self, part: Part, identity: processes.Identity, begun: float) -> None:
        while True:
            age = time.monotonic() - begun
            if processes.find(identity, self.layout.directory) is None:
                raise Unavailable(f"{part.name} {self._ending(part.name)} while it started{self._tail(part.name)}")
            if age >= part.settle and all(path.exists() for path in part.writes) and part.ready():
                return
            if age > part.patience:
                raise Unavailable(f"{part.name} was not ready after {part.patience:g} s{self._tail(part.name)}")
            time.sleep(_POLL_SECONDS)

    def _stop(self, name: str) -> None:
        if (process := self._process(name)) is not None:
            processes.terminate([process], self._parts[name].grace)
            self._progress(f"{name}: stopped")
        if (record := read_record(self.layout.directory)) is not None:
            write_record(self.layout, record.without_process(name))

    def _end_all(self) -> None:
        for name in sorted(self._parts, key=_stop_rank):
            self._stop(name)
        # Pods whose agent was killed, and parts whose start was cut off before it was written down.
        if swept := processes.sweep(self.layout.directory):
            self._progress(f"ended {_count(swept, 'process', 'processes')} more")

    def _status(self, part: Part) -> PartStatus:
        layout = self.layout
        process = self._process(part.name)
        state = PartState.RUNNING
        if process is None:
            state = PartState.DIED if part.name in self._record().processes else PartState.STOPPED
        return PartStatus(
            name=part.name,
            state=state,
            pid=None if process is None else process.pid,
            exit_status=processes.exit_status(layout.exit_status(part.name)) if state is PartState.DIED else None,
            url=part.url,
            log=layout.log(part.name),
        )

    def _record(self) -> SandboxRecord:
        return read_record(self.layout.directory) or self._new_record()

    def _new_record(self) -> SandboxRecord:
        return SandboxRecord(self.layout.port_base, self._rate, self._settings, self.layout.bucket)

    def _process(self, name: str) -> psutil.Process | None:
        identity = self._record().processes.get(name)
        return None if identity is None else processes.find(identity, self.layout.directory)

    def _part(self, name: str) -> Part:
        if name not in self._parts:
            raise InvalidSettings(f"A sandbox has no part {name!r}: it has {', '.join(self._parts)}")
        return self._parts[name]

    def _ending(self, name: str) -> str:
        status = processes.exit_status(self.layout.exit_status(name))
        return "ended" if status is None else f"ended with exit status {status}"

    def _tail(self, name: str) -> str:
        """The end of a part's log, to be put behind the sentence on what went wrong."""
        path = self.layout.log(name)
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()[-_TAIL_LINES:]
        return f". The end of its log, {path}:\n" + "\n".join(f"  {line}" for line in lines)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Nobody else starts or ends anything in this directory meanwhile. The lock goes with its holder."""
        self.layout.directory.mkdir(parents=True, exist_ok=True)
        with self.layout.lock.open("a", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _bucket(directory: Path, store: StoreKind | None) -> Bucket | None:
    """The bucket of the sandbox in `directory`, None for a folder. Raises InvalidSettings."""
    record = read_record(directory)
    if record is None or not Layout.at(directory).remote.exists():
        return new_bucket(os.environ) if store is StoreKind.GS else None
    kept = StoreKind.FILE if record.bucket is None else StoreKind.GS
    if store not in {None, kept}:
        raise InvalidSettings(
            f"The sandbox in {directory} keeps its versions with --store {kept}, and its policy says so: leave --store "
            "away, or name another folder with --directory"
        )
    return record.bucket


def _export_lines(environment: Mapping[str, str]) -> str:
    """`export NAME=value` for a shell, a line each."""
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in environment.items())


def _refuse_missing(parts: Iterable[Part]) -> None:
    """Raises InvalidSettings where a part's program is not installed."""
    for part in parts:
        if shutil.which(part.command[0]) is None:
            raise InvalidSettings(f"{part.name} needs the program {part.command[0]!r}. {part.remedy}".rstrip())


def _stop_rank(name: str) -> int:
    return _STOP_ORDER.index(name) if name in _STOP_ORDER else len(_STOP_ORDER)


def _count(number: int, singular: str, plural: str) -> str:
    return f"{number} {singular if number == 1 else plural}"
