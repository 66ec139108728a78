"""Argo CD's answers as values: one Application, its pods and its live route.

Field names and their meaning are Argo CD's (argo-cd, pkg/apis/application/v1alpha1/types.go). What they
say about a rollout is decided elsewhere; who fetched them, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
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


def parse_application(served: ServedModel, answer: object, tree: object, route: _Object | None) -> Application:
    """One Application from Argo CD's JSON, parsed.

    answer: `GET /api/v1/applications/{name}`. tree: its `/resource-tree`. route: the live route object,
    None where there is none. Raises ClusterUnavailable where `answer` is about something else or a
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
        route=None if route is None else _weights(served.model, route),
    )


def live_state_of_route(served: ServedModel, answer: object) -> str | None:
    """The live VirtualService's JSON text in `/managed-resources`, None where the cluster has none."""
    for item in _objects(_object(answer).get("items")):
        if item.get("kind") == "VirtualService" and item.get("name") == served.model:
            # Argo CD writes the word null where the object is in Git but not in the cluster.
            text = _text(item.get("liveState"))
            return text if text not in ("", "null") else None
    return None


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


def _pod(node: _Object) -> Pod:
    """A pod is Ready when it runs, each of its containers is ready and Argo CD does not say otherwise.

    "Status Reason" is the word that kubectl shows; "Containers" counts those that are ready (argo-cd,
    controller/cache/info.go). A running pod is Healthy only once its Ready condition is true, which
    readiness gates are part of (health_pod.go).
    """
    info = {_text(item.get("name")): _text(item.get("value")) for item in _objects(node.get("info"))}
    reason = info.get("Status Reason", "")
    ready, _, total = info.get("Containers", "").partition("/")
    health = _object(node.get("health")).get("status", Health.HEALTHY)
    full = total.isdecimal() and total != "0" and ready == total
    return Pod(_text(node.get("name")), full and reason == "Running" and health == Health.HEALTHY, _message(reason))


def _weights(model: str, route: _Object) -> Mapping[ModelVersion, int] | None:
    """Percentage of requests by version, None where the HTTP routes differ or one of them is not ours.

    Rules that are for the requests of some callers only, testers say, are no part of the split.
    """
    rules = [rule for rule in _objects(_object(route.get("spec")).get("http")) if not _is_for_some_callers(rule)]
    weights = [_rule_weights(model, _objects(rule.get("route"))) for rule in rules]
    return weights[0] if weights and all(other == weights[0] for other in weights) else None


def _is_for_some_callers(rule: _Object) -> bool:
    """Whether a request must have more than the right path to be matched by this rule."""
    matches = _objects(rule.get("match"))
    return bool(matches) and all(match.keys() - {"uri", "name"} for match in matches)


def _rule_weights(model: str, destinations: list[_Object]) -> Mapping[ModelVersion, int] | None:
    weights: dict[ModelVersion, int] = {}
    for entry in destinations:
        host = _text(_object(entry.get("destination")).get("host"))
        # Istio gives a single destination everything, and one of several without a weight nothing.
        weight = entry.get("weight", 100 if len(destinations) == 1 else 0)
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
