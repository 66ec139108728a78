"""Deployments as values: how many pods, what runs in one, and how it is probed and stopped. Pure."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from promoter.errors import InvalidInput
from promoter.sandbox.agent.resources import Resource, reading


@dataclass(frozen=True, slots=True)
class Probe:
    """A gRPC health probe; times in seconds. The defaults are those of Kubernetes."""

    port: int
    service: str = ""
    initial_delay: float = 0.0
    period: float = 10.0
    timeout: float = 1.0
    success_threshold: int = 1
    failure_threshold: int = 3


@dataclass(frozen=True, slots=True)
class Mount:
    """A folder in the container, and the ConfigMap whose keys are its files (None: an empty folder)."""

    path: str
    config_map: str | None


@dataclass(frozen=True, slots=True)
class PodTemplate:
    """What runs in one pod. `hash` changes exactly when the manifest's template does.

    command: program and arguments. ports: by name. pre_stop, grace: seconds before SIGTERM, and
    from the beginning of the termination to SIGKILL.
    """

    hash: str
    labels: Mapping[str, str]
    command: tuple[str, ...]
    environment: Mapping[str, str]
    ports: Mapping[str, int]
    mounts: tuple[Mount, ...]
    startup: Probe | None
    readiness: Probe | None
    liveness: Probe | None
    pre_stop: float
    grace: float


@dataclass(frozen=True, slots=True)
class Deployment:
    """How many pods of which template, and how they are replaced."""

    namespace: str
    name: str
    replicas: int
    max_surge: int
    max_unavailable: int
    progress_deadline: float
    template: PodTemplate


def deployment_from(resource: Resource, floor: int | None) -> Deployment:
    """A Deployment's manifest as a value; raises InvalidInput.

    `floor` is the least number of pods its autoscaler keeps: nothing scales in the sandbox, so that is
    the number where the manifest leaves it to the autoscaler.
    """
    with reading(resource):
        spec = resource.spec
        replicas = int(spec.get("replicas", 1 if floor is None else floor))
        strategy = (spec.get("strategy") or {}).get("rollingUpdate") or {}
        return Deployment(
            namespace=resource.key.namespace,
            name=resource.key.name,
            replicas=replicas,
            max_surge=_share(strategy.get("maxSurge", "25%"), replicas, math.ceil),
            max_unavailable=_share(strategy.get("maxUnavailable", "25%"), replicas, math.floor),
            progress_deadline=float(spec.get("progressDeadlineSeconds", 600)),
            template=_template(spec["template"]),
        )


def _share(value: int | str, replicas: int, rounded: Any) -> int:
    """`maxSurge` or `maxUnavailable`: a number of pods, or a percentage of the replicas."""
    if isinstance(value, str) and value.endswith("%"):
        return int(rounded(replicas * float(value[:-1]) / 100))
    return int(value)


def _template(template: Mapping[str, Any]) -> PodTemplate:
    spec = template["spec"]
    if len(spec["containers"]) != 1:
        raise InvalidInput("the sandbox runs pods of exactly one container")
    (container,) = spec["containers"]
    if not container.get("command"):
        raise InvalidInput("the container has no command; the sandbox has no image to take it from")
    pre_stop = ((container.get("lifecycle") or {}).get("preStop") or {}).get("sleep") or {}
    return PodTemplate(
        hash=hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:10],
        labels={str(key): str(value) for key, value in (template["metadata"].get("labels") or {}).items()},
        command=tuple(str(part) for part in (*container["command"], *(container.get("args") or ()))),
        environment={entry["name"]: _environment_value(entry) for entry in container.get("env") or ()},
        ports={port["name"]: int(port["containerPort"]) for port in container.get("ports") or ()},
        mounts=_mounts(spec, container),
        startup=_probe(container.get("startupProbe")),
        readiness=_probe(container.get("readinessProbe")),
        liveness=_probe(container.get("livenessProbe")),
        pre_stop=float(pre_stop.get("seconds", 0)),
        grace=float(spec.get("terminationGracePeriodSeconds", 30)),
    )


def _environment_value(entry: Mapping[str, Any]) -> str:
    if "valueFrom" in entry:
        raise InvalidInput(f"variable {entry['name']}: the sandbox has plain values only, no references")
    return str(entry.get("value", ""))


def _mounts(spec: Mapping[str, Any], container: Mapping[str, Any]) -> tuple[Mount, ...]:
    config_maps = {volume["name"]: (volume.get("configMap") or {}).get("name") for volume in spec.get("volumes") or ()}
    return tuple(
        Mount(mount["mountPath"].rstrip("/"), config_maps[mount["name"]])
        for mount in container.get("volumeMounts") or ()
    )


def _probe(probe: Mapping[str, Any] | None) -> Probe | None:
    if probe is None:
        return None
    if "grpc" not in probe:
        raise InvalidInput("the sandbox knows gRPC probes only")
    return Probe(
        port=int(probe["grpc"]["port"]),
        service=str(probe["grpc"].get("service") or ""),
        initial_delay=float(probe.get("initialDelaySeconds", 0)),
        period=float(probe.get("periodSeconds", 10)),
        timeout=float(probe.get("timeoutSeconds", 1)),
        success_threshold=int(probe.get("successThreshold", 1)),
        failure_threshold=int(probe.get("failureThreshold", 3)),
    )
