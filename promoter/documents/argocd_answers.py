"""Argo CD's answers as values: one Application, its pods and its live route.

Field names and their meaning are Argo CD's (argo-cd, pkg/apis/application/v1alpha1/types.go). What they
say about a rollout is decided elsewhere; who fetched them, too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

from promoter.documents.one_line import one_line
from promoter.domain.application import Application, Deployment, Health, Operation, OperationPhase, Pod, SyncStatus
from promoter.domain.names import ServedModel
from promoter.domain.version import ModelVersion
from promoter.errors import ClusterUnavailable, InvalidName

REFRESH_ANNOTATION = "argocd.argoproj.io/refresh"
SKIP_RECONCILE_ANNOTATION = "argocd.argoproj.io/skip-reconcile"

_REVISION = re.compile(r"[0-9a-f]{40}", re.ASCII)
_LONGEST_MESSAGE = 500

_Object = Mapping[str, Any]
_Word = TypeVar("_Word", bound=StrEnum)


def parse_application(served: ServedModel, answer: object, tree: object, routes: Sequence[object]) -> Application:
    """One Application from Argo CD's JSON, parsed.

    answer: `GET /api/v1/applications/{name}`. tree: its `/resource-tree`. routes: the live route objects,
    which must agree; empty where there is none. Raises ClusterUnavailable where `answer` is about something else or a
    time or phase in it cannot be read; what Argo CD leaves out is Unknown, None or empty.
    """
    found = _object(answer)
    metadata, spec, status = (_object(found.get(key)) for key in ("metadata", "spec", "status"))
    if metadata.get("name") != served.application or not spec:
        raise ClusterUnavailable(f"Argo CD's answer is not about the application {served.application}")
    sync, health = _object(status.get("sync")), _object(status.get("health"))
    revision = _text(sync.get("revision"))
    annotations = _object(metadata.get("annotations"))
    return Application(
        sync=_word(SyncStatus, sync.get("status"), SyncStatus.UNKNOWN),
        health=_word(Health, health.get("status"), Health.UNKNOWN),
        revision=revision if _REVISION.fullmatch(revision) else None,
        health_since=_time(health.get("lastTransitionTime")),
        reconciled_at=_time(status.get("reconciledAt")),
        operation=_operation(_object(status.get("operationState"))),
        operation_requested=bool(found.get("operation")),
        refresh_pending=REFRESH_ANNOTATION in annotations,
        compared_current_spec=_compared_current_spec(spec, _object(sync.get("comparedTo"))),
        errors=tuple(_errors(annotations, status.get("conditions"))),
        deployments=_deployments(served.model, tree),
        route=_agreed_weights(served.model, routes),
    )


def live_states_of_routes(served: ServedModel, answer: object) -> tuple[str, ...]:
    """The JSON texts of the model's live routes in `/managed-resources`, empty where the cluster has none."""
    texts = (
        _text(item.get("liveState"))
        for item in _objects(_object(answer).get("items"))
        if _text(item.get("kind")) in _RULES and item.get("name") == served.model
    )
    # Argo CD writes the word null where the object is in Git but not in the cluster.
    return tuple(text for text in texts if text not in {"", "null"})


def _operation(state: _Object) -> Operation | None:
    if not state:
        return None
    try:
        phase = OperationPhase(_text(state.get("phase")))
    except ValueError as error:
        raise ClusterUnavailable("Argo CD reports an operation in a phase that is not known here") from error
    return Operation(phase, _time(state.get("finishedAt")), _message(state.get("message")))


def _compared_current_spec(spec: _Object, compared: _Object) -> bool:
    """Whether the last comparison saw today's spec, by the fields that make Argo CD compare again."""
    keys = ("source", "sources", "destination", "ignoreDifferences")
    return all(_without_empty(spec.get(key)) == _without_empty(compared.get(key)) for key in keys)


def _without_empty(value: Any) -> Any:
    """`value` as Go's omitempty prints it, so that an absent field equals an empty one."""
    if isinstance(value, dict):
        kept = {key: _without_empty(entry) for key, entry in value.items()}
        return {key: entry for key, entry in kept.items() if entry is not None} or None
    if isinstance(value, list):
        return [_without_empty(entry) for entry in value] or None
    return value if value not in ("", 0, False) else None


def _errors(annotations: _Object, conditions: object) -> Iterator[str]:
    if annotations.get(SKIP_RECONCILE_ANNOTATION) == "true":
        yield f"the annotation {SKIP_RECONCILE_ANNOTATION} keeps Argo CD from looking at this application"
    for condition in _objects(conditions):
        kind = _text(condition.get("type"))
        # As Argo CD itself tells errors from warnings (ApplicationCondition.IsError).
        if kind.endswith("Error"):
            yield f"{kind}: {_message(condition.get('message'))}"


def _deployments(model: str, tree: object) -> tuple[Deployment, ...]:
    nodes = _objects(_object(tree).get("nodes"))
    owners = {_reference(node): _first_parent(node) for node in nodes}
    pods: dict[tuple[str, str], list[Pod]] = {}
    for node in nodes:
        if node.get("kind") == "Pod" and _is_live(node):
            replica_set = owners[_reference(node)]
            pods.setdefault(owners.get(replica_set, replica_set), []).append(_pod(node))
    deployments = [
        Deployment(version, health, message, tuple(sorted(pods.get(_reference(node), ()), key=lambda pod: pod.name)))
        for node in nodes
        if node.get("kind") == "Deployment" and _is_live(node)
        for version in _version_named(model, _text(node.get("name")))
        for health, message in [_health(node)]
    ]
    return tuple(sorted(deployments, key=lambda deployment: deployment.version))


def _is_live(node: _Object) -> bool:
    """What is in Git but not in the cluster has a node, too, and only the cluster gives a uid."""
    return bool(_text(node.get("uid")))


def _reference(node: _Object) -> tuple[str, str]:
    return _text(node.get("kind")), _text(node.get("name"))


def _first_parent(node: _Object) -> tuple[str, str]:
    parents = _objects(node.get("parentRefs"))
    return _reference(parents[0]) if parents else ("", "")


def _health(node: _Object) -> tuple[Health, str]:
    health = _object(node.get("health"))
    return _word(Health, health.get("status"), Health.UNKNOWN), _message(health.get("message"))


# Of a count that can be one.
_DIGITS = 10


def _pod(node: _Object) -> Pod:
    """A pod is Ready when it runs, each of its containers is ready and Argo CD does not say otherwise.

    "Status Reason" is the word that kubectl shows; "Containers" counts those that are ready, and "Restart Count" is
    there where something was started anew (argo-cd, controller/cache/info.go). A running pod is Healthy only once its
    Ready condition is true, which readiness gates are part of (health_pod.go).
    """
    info = {_text(item.get("name")): _text(item.get("value")) for item in _objects(node.get("info"))}
    reason = info.get("Status Reason", "")
    ready, _, total = info.get("Containers", "").partition("/")
    health = _object(node.get("health")).get("status", Health.HEALTHY)
    full = total.isdecimal() and total != "0" and ready == total
    restarts = info.get("Restart Count", "")
    return Pod(
        _text(node.get("name")),
        full and reason == "Running" and health == Health.HEALTHY,
        _message(reason),
        int(restarts) if restarts.isdecimal() and len(restarts) < _DIGITS else 0,
    )


def _agreed_weights(model: str, routes: Sequence[object]) -> Mapping[ModelVersion, int] | None:
    """Percentage of requests by version, None where there is no route or two of them, or of their rules, differ."""
    weights = [_weights(model, _object(route)) for route in routes]
    return weights[0] if weights and all(other == weights[0] for other in weights) else None


def _weights(model: str, route: _Object) -> Mapping[ModelVersion, int] | None:
    """Percentage of requests by version, None where the rules differ or one of them is not ours.

    Rules that are for the requests of some callers only, testers say, are no part of the split.
    """
    key, split = _RULES.get(_text(route.get("kind")), ("", _mesh_split))
    rules = [rule for rule in _objects(_object(route.get("spec")).get(key)) if not _is_for_some_callers(rule)]
    weights = [_by_version(model, split(rule)) for rule in rules]
    return weights[0] if weights and all(other == weights[0] for other in weights) else None


def _is_for_some_callers(rule: _Object) -> bool:
    """Whether a request must have more than the right path to be matched by this rule."""
    matches = _objects(rule.get("match")) or _objects(rule.get("matches"))
    return bool(matches) and all(match.keys() - {"uri", "name", "path", "method"} for match in matches)


def _mesh_split(rule: _Object) -> list[tuple[str, object]]:
    """Host and weight of each destination of a VirtualService's rule."""
    destinations = _objects(rule.get("route"))
    # Istio gives a single destination everything, and one of several without a weight nothing.
    unsaid = 100 if len(destinations) == 1 else 0
    return [
        (_text(_object(entry.get("destination")).get("host")), entry.get("weight", unsaid)) for entry in destinations
    ]


def _gateway_split(rule: _Object) -> list[tuple[str, object]]:
    """Service and weight of each backend of an HTTPRoute's or GRPCRoute's rule; the API server fills the weights in."""
    return [(_text(entry.get("name")), entry.get("weight")) for entry in _objects(rule.get("backendRefs"))]


# Where a kind has its rules, and how they split.
_RULES: Mapping[str, tuple[str, Callable[[_Object], list[tuple[str, object]]]]] = {
    "VirtualService": ("http", _mesh_split),
    "HTTPRoute": ("rules", _gateway_split),
    "GRPCRoute": ("rules", _gateway_split),
}


def _by_version(model: str, split: list[tuple[str, object]]) -> Mapping[ModelVersion, int] | None:
    weights: dict[ModelVersion, int] = {}
    for host, weight in split:
        versions = list(_version_named(model, host.split(".", maxsplit=1)[0]))
        if not versions or not isinstance(weight, int) or isinstance(weight, bool) or weight < 0:
            return None
        weights[versions[0]] = weights.get(versions[0], 0) + weight
    return weights if sum(weights.values()) == 100 else None


def _version_named(model: str, name: str) -> Iterator[ModelVersion]:
    """The version in `<model>-v<version>`, if it is such a name."""
    prefix = f"{model}-v"
    if name.startswith(prefix):
        try:
            yield ModelVersion.from_name(name.removeprefix(prefix))
        except InvalidName:
            return


def _word(words: type[_Word], value: object, otherwise: _Word) -> _Word:
    try:
        return words(_text(value))
    except ValueError:
        return otherwise


def _time(value: object) -> datetime | None:
    """An RFC 3339 time, None where Argo CD gives none."""
    if value is None or value == "":
        return None
    try:
        moment = datetime.fromisoformat(_text(value))
    except ValueError as error:
        raise ClusterUnavailable("Argo CD's answer holds a time that is none") from error
    if moment.tzinfo is None:
        raise ClusterUnavailable("Argo CD's answer holds a time without a zone")
    return moment


def _message(value: object) -> str:
    return one_line(" ".join(_text(value)[: 10 * _LONGEST_MESSAGE].split()), _LONGEST_MESSAGE)


def _object(value: object) -> _Object:
    return value if isinstance(value, dict) else {}


def _objects(value: object) -> list[_Object]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
