"""Probes: when the next one is due and what the answers amount to (pure), and the gRPC health check itself."""

from __future__ import annotations

from dataclasses import dataclass

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from promoter.sandbox.agent.pod_template import Probe


@dataclass(slots=True)
class ProbeRecord:
    """The course of one probe of one container. Times in seconds of one monotonic clock.

    passing is None until a threshold was reached for the first time.
    """

    probe: Probe
    due: float
    passing: bool | None = None
    successes: int = 0
    failures: int = 0

    @classmethod
    def begin(cls, probe: Probe, now: float) -> ProbeRecord:
        """A probe of a container that started `now`."""
        return cls(probe, due=now + probe.initial_delay)

    def record(self, *, success: bool, now: float) -> None:
        """Count one answer: consecutive ones only, as the kubelet does."""
        self.due = now + self.probe.period
        self.successes = self.successes + 1 if success else 0
        self.failures = 0 if success else self.failures + 1
        if self.successes >= self.probe.success_threshold:
            self.passing = True
        if self.failures >= self.probe.failure_threshold:
            self.passing = False


def grpc_health(address: str, probe: Probe) -> bool:
    """Whether `address` answers SERVING within the probe's timeout."""
    with grpc.insecure_channel(f"{address}:{probe.port}") as channel:
        request = health_pb2.HealthCheckRequest(service=probe.service)
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(request, timeout=probe.timeout)
        except grpc.RpcError:
            return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)
