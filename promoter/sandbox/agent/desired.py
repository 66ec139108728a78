"""Everything one Application asks for, read from its manifests and checked as one. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from promoter.errors import InvalidInput
from promoter.sandbox.agent.monitors import PodMonitor, pod_monitor_from
from promoter.sandbox.agent.pod_template import Deployment, deployment_from
from promoter.sandbox.agent.resources import Resource, reading
from promoter.sandbox.agent.routes import VirtualService, destination_service, virtual_service_from
from promoter.sandbox.agent.services import ConnectionPolicy, Service, connection_policy_from, service_from

# Where an autoscaler writes the least number of pods it keeps.
_FLOORS = {"HorizontalPodAutoscaler": "minReplicas", "ScaledObject": "minReplicaCount"}


@dataclass(frozen=True, slots=True)
class Desired:
    """One Application's objects as values. Services and policies by (namespace, name).

    config_maps: the files of each ConfigMap, by its name.
    """

    deployments: tuple[Deployment, ...] = ()
    config_maps: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    services: Mapping[tuple[str, str], Service] = field(default_factory=dict)
    policies: Mapping[tuple[str, str], ConnectionPolicy] = field(default_factory=dict)
    routes: tuple[VirtualService, ...] = ()
    monitors: tuple[PodMonitor, ...] = ()

    def keeping(self, former: Desired) -> Desired:
        """This, and what `former` has beyond it except for routes: what must outlive the routes that led to it."""
        names = {deployment.name for deployment in self.deployments}
        extra = tuple(deployment for deployment in former.deployments if deployment.name not in names)
        return replace(
            self,
            deployments=self.deployments + extra,
            config_maps={**former.config_maps, **self.config_maps},
            services={**former.services, **self.services},
            policies={**former.policies, **self.policies},
        )


def desired_from(resources: tuple[Resource, ...]) -> Desired:
    """The manifests as values; raises InvalidInput for the first that an API server would refuse.

    Kinds that mean nothing on one machine (accounts, disruption budgets, network policies) are left out.
    """
    for resource in _of(resources, "HTTPRoute") + _of(resources, "GRPCRoute"):
        raise InvalidInput(f"{resource.key}: the sandbox's proxy knows VirtualServices only; set route.kind to istio")
    floors = _floors(_of(resources, "HorizontalPodAutoscaler") + _of(resources, "ScaledObject"))
    desired = Desired(
        deployments=tuple(
            deployment_from(resource, floors.get(resource.key.name)) for resource in _of(resources, "Deployment")
        ),
        config_maps={resource.key.name: _files(resource) for resource in _of(resources, "ConfigMap")},
        services={
            (service.namespace, service.name): service for service in map(service_from, _of(resources, "Service"))
        },
        policies=_policies(_of(resources, "DestinationRule")),
        routes=tuple(virtual_service_from(resource) for resource in _of(resources, "VirtualService")),
        monitors=tuple(pod_monitor_from(resource) for resource in _of(resources, "PodMonitor")),
    )
    _check_mounts(desired)
    return desired


def _of(resources: tuple[Resource, ...], kind: str) -> tuple[Resource, ...]:
    return tuple(resource for resource in resources if resource.key.kind == kind)


def _files(config_map: Resource) -> dict[str, str]:
    with reading(config_map):
        return {str(name): str(text) for name, text in (config_map.body.get("data") or {}).items()}


def _floors(autoscalers: tuple[Resource, ...]) -> dict[str, int]:
    floors = {}
    for resource in autoscalers:
        with reading(resource):
            floors[str(resource.spec["scaleTargetRef"]["name"])] = int(resource.spec.get(_FLOORS[resource.key.kind], 1))
    return floors


def _policies(rules: tuple[Resource, ...]) -> dict[tuple[str, str], ConnectionPolicy]:
    policies = {}
    for resource in rules:
        host, policy = connection_policy_from(resource)
        policies[destination_service(host, resource.key.namespace)] = policy
    return policies


def _check_mounts(desired: Desired) -> None:
    for deployment in desired.deployments:
        for mount in deployment.template.mounts:
            if mount.config_map is not None and mount.config_map not in desired.config_maps:
                raise InvalidInput(
                    f"Deployment {deployment.namespace}/{deployment.name} mounts ConfigMap {mount.config_map}, "
                    "which the chart does not render"
                )
