"""One pod: a process with an address and a folder of its own, started, probed, restarted and stopped."""

from __future__ import annotations

import logging
import signal
import subprocess
from collections.abc import Mapping
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from promoter.sandbox.agent.pod_folder import mounted
from promoter.sandbox.agent.pod_template import PodTemplate
from promoter.sandbox.agent.probes import ProbeRecord, grpc_health
from promoter.sandbox.agent.processes import ProcessTable

log = logging.getLogger(__name__)

# The kubelet restarts a container at once the first time, then after 10 s, 20 s, … 5 minutes; a run
# of ten minutes clears the account.
FIRST_PAUSE_SECONDS = 10.0
LONGEST_PAUSE_SECONDS = 300.0
CLEARED_AFTER_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class PodIdentity:
    """What a pod keeps for life. `folder` holds its mounts, `output` is its log."""

    namespace: str
    deployment: str
    name: str
    address: str
    folder: Path
    output: Path
    template: PodTemplate
    created: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(frozen=True, slots=True)
class Tools:
    """What pods share: where processes are started, where probes run, and what stands for a container's program."""

    processes: ProcessTable
    probing: Executor
    programs: Mapping[str, tuple[str, ...]]


def pause_before_restart(crashes_in_a_row: int) -> float:
    """Seconds until a container that ended for the n-th time in a row is started again."""
    if crashes_in_a_row <= 1:
        return 0.0
    # The exponent is bounded before it is used: 2.0 ** 1100 is no float.
    return float(min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** min(crashes_in_a_row - 2, 10)))


class Pod:
    """A pod's life. `step` is called often from one thread; every time is of that thread's monotonic clock."""

    def __init__(self, identity: PodIdentity, command: tuple[str, ...], tools: Tools) -> None:
        self.identity = identity
        self.restarts = 0
        self.ready = False
        self._command = command
        self._tools = tools
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._start_due = 0.0
        self._crashes_in_a_row = 0
        self._probes: dict[str, ProbeRecord] = {}
        self._checks: dict[str, Future[bool]] = {}
        self._terminating_since: float | None = None
        self._asked_to_end = False

    @property
    def terminating(self) -> bool:
        return self._terminating_since is not None

    @property
    def gone(self) -> bool:
        """Whether a terminating pod's process has ended."""
        return self.terminating and self._process is None

    @property
    def reason(self) -> str:
        """Kubernetes' word for the pod's state."""
        if self.terminating:
            return "Terminating"
        if self._process is not None:
            return "Running"
        return "CrashLoopBackOff" if self._crashes_in_a_row else "ContainerCreating"

    def step(self, now: float) -> None:
        """Look at the process, and do what is due: start, probe, end."""
        if self._process is not None and self._process.poll() is not None:
            self._ended(now, self._process.returncode)
        if self._terminating_since is not None:
            self._step_termination(now, self._terminating_since)
        elif self._process is None:
            if now >= self._start_due:
                self._start(now)
        else:
            self._step_probes(now)

    def terminate(self, now: float) -> None:
        """Begin the end: not ready from now on; preStop, SIGTERM and SIGKILL follow in later steps."""
        if self._terminating_since is None:
            log.info("pod.terminating pod=%s", self.identity.name)
            self._terminating_since = now
            self.ready = False

    def kill(self) -> None:
        """End the process now and wait for it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        self._tools.processes.forget(self.identity.name)

    def _start(self, now: float) -> None:
        identity = self.identity
        own = {"SANDBOX_POD_IP": identity.address}
        for mount in identity.template.mounts:
            if mount.path == "/tmp":  # noqa: S108 - as the pod calls it
                own["TMPDIR"] = str(mounted(identity.folder, mount))
        environment = {**identity.template.environment, **own}
        self._process = self._tools.processes.start(identity.name, self._command, environment, identity.output)
        self._started_at = now
        template = identity.template
        kinds = {"startup": template.startup, "readiness": template.readiness, "liveness": template.liveness}
        self._probes = {kind: ProbeRecord.begin(probe, now) for kind, probe in kinds.items() if probe is not None}
        self._checks = {}
        self.ready = not self._probes
        log.info("pod.started pod=%s address=%s pid=%d", identity.name, identity.address, self._process.pid)

    def _ended(self, now: float, status: int) -> None:
        self._process = None
        self.ready = False
        self._tools.processes.forget(self.identity.name)
        if self.terminating:
            log.info("pod.gone pod=%s status=%d", self.identity.name, status)
            return
        if now - self._started_at > CLEARED_AFTER_SECONDS:
            self._crashes_in_a_row = 0
        self._crashes_in_a_row += 1
        self.restarts += 1
        pause = pause_before_restart(self._crashes_in_a_row)
        self._start_due = now + pause
        log.warning("pod.crashed pod=%s status=%d pause_s=%g", self.identity.name, status, pause)

    def _step_termination(self, now: float, since: float) -> None:
        if self._process is None:
            return
        if now - since >= self.identity.template.grace:
            self._process.kill()
        elif now - since >= self.identity.template.pre_stop and not self._asked_to_end:
            self._asked_to_end = True
            self._process.send_signal(signal.SIGTERM)

    def _step_probes(self, now: float) -> None:
        """Collect answers and ask again where due. The other probes begin once the startup probe has passed."""
        for kind, check in list(self._checks.items()):
            if check.done():
                del self._checks[kind]
                self._probes[kind].record(success=check.result(), now=now)
        startup = self._probes.get("startup")
        started = startup is None or startup.passing is True
        kinds = [kind for kind in self._probes if (kind == "startup") != started]
        for kind in kinds:
            record = self._probes[kind]
            if kind not in self._checks and now >= record.due:
                self._checks[kind] = self._tools.probing.submit(grpc_health, self.identity.address, record.probe)
        readiness = self._probes.get("readiness")
        self._set_ready(ready=started and (readiness is None or readiness.passing is True))
        if any(self._probes[kind].passing is False for kind in kinds if kind != "readiness"):
            log.warning("pod.unhealthy pod=%s: its startup or liveness probe failed", self.identity.name)
            if self._process is not None:
                # The next step counts it as a crash and starts it again.
                self._process.kill()

    def _set_ready(self, *, ready: bool) -> None:
        if ready != self.ready:
            log.info("pod.%s pod=%s", "ready" if ready else "not_ready", self.identity.name)
            self.ready = ready
