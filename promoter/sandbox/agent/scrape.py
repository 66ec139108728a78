"""Prometheus' configuration from PodMonitors, as the Prometheus operator would write it (promcfg.go). Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from promoter.sandbox.agent.monitors import Endpoint, PodMonitor
from promoter.sandbox.agent.pod_template import PodTemplate

DEFAULT_INTERVAL = "5s"
# As often as any pod in a sandbox: the two kinds of counters are compared.
GATEWAY_INTERVAL = "1s"
_NOT_IN_A_LABEL = re.compile(r"[^a-zA-Z0-9_]")


@dataclass(frozen=True, slots=True)
class ScrapedPod:
    """A pod that has a process, ready or not."""

    namespace: str
    name: str
    address: str
    template: PodTemplate


def targets_name(monitor: PodMonitor, index: int) -> str:
    """The file that lists the pods of one endpoint of a monitor."""
    return f"{monitor.namespace}_{monitor.name}_{index}.json"


def prometheus_configuration(monitors: Iterable[PodMonitor], directory: Path, envoy_admin: str) -> dict[str, Any]:
    """`prometheus.yml`: a job for each endpoint of each monitor, and one for Envoy's own statistics."""
    ordered = sorted(monitors, key=lambda monitor: (monitor.namespace, monitor.name))
    jobs = [
        _job(monitor, index, endpoint, directory)
        for monitor in ordered
        for index, endpoint in enumerate(monitor.endpoints)
    ]
    gateway = {
        "job_name": "envoy",
        "metrics_path": "/stats/prometheus",
        "scrape_interval": GATEWAY_INTERVAL,
        "static_configs": [{"targets": [envoy_admin]}],
    }
    return {"global": {"scrape_interval": DEFAULT_INTERVAL}, "scrape_configs": [*jobs, gateway]}


def targets(monitor: PodMonitor, endpoint: Endpoint, pods: Sequence[ScrapedPod]) -> list[dict[str, Any]]:
    """The pods that an endpoint reads, with the labels that the operator gives their series, `up` included."""
    return [
        {"targets": [f"{pod.address}:{port}"], "labels": _labels(monitor, endpoint, pod)}
        for pod in sorted(pods, key=lambda pod: pod.name)
        if pod.namespace == monitor.namespace and monitor.selector.items() <= pod.template.labels.items()
        if (port := pod.template.ports.get(endpoint.port)) is not None
    ]


def _labels(monitor: PodMonitor, endpoint: Endpoint, pod: ScrapedPod) -> Mapping[str, str]:
    carried = {
        _NOT_IN_A_LABEL.sub("_", name): pod.template.labels[name]
        for name in monitor.pod_target_labels
        if name in pod.template.labels
    }
    return {
        "namespace": pod.namespace,
        "pod": pod.name,
        "job": f"{monitor.namespace}/{monitor.name}",
        "endpoint": endpoint.port,
        **carried,
    }


def _job(monitor: PodMonitor, index: int, endpoint: Endpoint, directory: Path) -> dict[str, Any]:
    return {
        "job_name": f"podMonitor/{monitor.namespace}/{monitor.name}/{index}",
        "metrics_path": endpoint.path,
        "scrape_interval": endpoint.interval or DEFAULT_INTERVAL,
        "honor_labels": endpoint.honor_labels,
        "file_sd_configs": [{"files": [str(directory / "targets" / targets_name(monitor, index))]}],
        "relabel_configs": [dict(item) for item in endpoint.relabelings],
        "metric_relabel_configs": [dict(item) for item in endpoint.metric_relabelings],
    } | ({} if endpoint.timeout is None else {"scrape_timeout": endpoint.timeout})
