"""PodMonitors as values. Pure. Their meaning is the Prometheus operator's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from promoter.sandbox.agent.resources import Resource, reading


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What is scraped of each pod: a port by its name, and a path.

    interval, timeout: Prometheus' durations, None for its default. Relabelings have Prometheus' own keys.
    """

    port: str
    path: str
    interval: str | None
    timeout: str | None
    honor_labels: bool
    relabelings: tuple[Mapping[str, Any], ...]
    metric_relabelings: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class PodMonitor:
    """The pods that carry all of `selector`, ready or not, and the pod labels that their series get."""

    namespace: str
    name: str
    selector: Mapping[str, str]
    pod_target_labels: tuple[str, ...]
    endpoints: tuple[Endpoint, ...]


# The operator's spelling of a relabelling, and Prometheus'.
_RELABELING = {
    "sourceLabels": "source_labels",
    "separator": "separator",
    "targetLabel": "target_label",
    "regex": "regex",
    "modulus": "modulus",
    "replacement": "replacement",
    "action": "action",
}


def pod_monitor_from(resource: Resource) -> PodMonitor:
    """A PodMonitor's manifest as a value; raises InvalidInput."""
    with reading(resource):
        return PodMonitor(
            namespace=resource.key.namespace,
            name=resource.key.name,
            selector=dict(resource.spec["selector"]["matchLabels"]),
            pod_target_labels=tuple(resource.spec.get("podTargetLabels") or ()),
            endpoints=tuple(_endpoint(entry) for entry in resource.spec["podMetricsEndpoints"]),
        )


def _endpoint(entry: Mapping[str, Any]) -> Endpoint:
    return Endpoint(
        port=str(entry["port"]),
        path=str(entry.get("path", "/metrics")),
        interval=entry.get("interval"),
        timeout=entry.get("scrapeTimeout"),
        honor_labels=bool(entry.get("honorLabels", False)),
        relabelings=tuple(_relabeling(item) for item in entry.get("relabelings") or ()),
        metric_relabelings=tuple(_relabeling(item) for item in entry.get("metricRelabelings") or ()),
    )


def _relabeling(item: Mapping[str, Any]) -> Mapping[str, Any]:
    return {_RELABELING[key]: value.lower() if key == "action" else value for key, value in item.items()}
