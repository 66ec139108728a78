"""What Argo CD would say, as values: transitions, health, and the shapes of its answers."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from promoter.domain.application import Health, OperationPhase, SyncStatus
from promoter.domain.names import ServedModel
from promoter.sandbox.agent.answers import GitSource, Snapshot, application, managed_resources, tree
from promoter.sandbox.agent.health import (
    DeploymentFacts,
    HealthStatus,
    deployment_health,
    pod_health,
    worst,
)
from promoter.sandbox.agent.resources import parse_resources
from promoter.sandbox.agent.status import (
    ApplicationStatus,
    compared,
    comparison_failed,
    health_seen,
    operation_finished,
    operation_started,
)
from promoter.sandbox.agent.tree import DeploymentView, PodView

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
A, B = "a" * 40, "b" * 40
ROUTE = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: ranker}
spec:
  hosts: [ranker.shop]
  http:
    - name: rest
      match: [{uri: {prefix: "/v1/models/ranker:"}}]
      route:
        - {destination: {host: ranker-v1, port: {number: 8501}}, weight: 100}
        - {destination: {host: ranker-v2, port: {number: 8501}}, weight: 0}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: ranker-v1}
"""


def after(seconds):
    return NOON + timedelta(seconds=seconds)


def synced(revision=A):
    status = operation_started(compared(ApplicationStatus(), revision, in_sync=False, now=NOON), NOON)
    status = operation_finished(status, OperationPhase.SUCCEEDED, "successfully synced", after(1))
    return compared(status, revision, in_sync=True, now=after(1))


def test_a_difference_requests_a_sync_of_the_compared_commit():
    status = compared(ApplicationStatus(), A, in_sync=False, now=NOON)
    assert (status.sync, status.revision, status.requested) == (SyncStatus.OUT_OF_SYNC, A, A)


def test_a_commit_that_changes_nothing_moves_the_revision_and_starts_no_operation():
    status = compared(synced(A), B, in_sync=True, now=after(60))
    assert (status.sync, status.revision, status.requested) == (SyncStatus.SYNCED, B, None)
    assert status.operation.revision == A
    assert status.reconciled_at == after(60)


def test_the_comparison_after_an_operation_is_as_late_as_its_end():
    status = synced()
    assert status.reconciled_at >= status.operation.finished_at
    assert status.requested is None


def test_a_failed_sync_is_not_tried_again_for_the_same_commit():
    status = operation_started(compared(ApplicationStatus(), A, in_sync=False, now=NOON), NOON)
    status = operation_finished(status, OperationPhase.FAILED, "no such field", after(1))
    again = compared(status, A, in_sync=False, now=after(3))
    assert again.requested is None
    assert [condition.type for condition in again.conditions] == ["SyncError"]
    assert compared(again, B, in_sync=False, now=after(6)).requested == B


def test_a_newer_commit_waits_for_the_operation_that_runs():
    running = operation_started(compared(ApplicationStatus(), A, in_sync=False, now=NOON), NOON)
    status = compared(running, B, in_sync=False, now=after(1))
    assert (status.revision, status.requested, status.operation.revision) == (B, A, A)


def test_a_failed_comparison_is_unknown_and_shows_the_branch_instead_of_a_revision():
    status = comparison_failed(synced(), "main", "values.yaml: no such file", after(9))
    assert (status.sync, status.revision) == (SyncStatus.UNKNOWN, "main")
    assert status.health == synced().health
    (condition,) = status.conditions
    assert condition.type == "ComparisonError"
    assert "values.yaml: no such file" in condition.message
    later = comparison_failed(status, "main", "values.yaml: no such file", after(12))
    assert later.conditions == status.conditions
    assert compared(later, A, in_sync=True, now=after(15)).conditions == ()


def test_the_time_of_a_health_moves_only_when_the_word_changes():
    first = health_seen(ApplicationStatus(), HealthStatus(Health.PROGRESSING), NOON)
    same = health_seen(first, HealthStatus(Health.PROGRESSING, "1 of 2"), after(5))
    assert (first.health_since, same.health_since) == (NOON, NOON)
    assert health_seen(same, HealthStatus(Health.HEALTHY), after(9)).health_since == after(9)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, Health.HEALTHY),
        ({"wanted": 0, "updated": 0, "updated_ready": 0, "total": 0}, Health.HEALTHY),
        ({"updated": 1, "updated_ready": 1, "total": 1}, Health.PROGRESSING),
        ({"updated_ready": 1}, Health.PROGRESSING),
        ({"total": 3}, Health.PROGRESSING),
        ({"updated_ready": 1, "overdue": True}, Health.DEGRADED),
    ],
)
def test_a_deployment_is_healthy_when_exactly_its_pods_are_ready(facts, expected):
    healthy = {"name": "x", "wanted": 2, "updated": 2, "updated_ready": 2, "total": 2, "overdue": False}
    assert deployment_health(DeploymentFacts(**healthy | facts)).status == expected


def test_the_worst_health_counts_and_none_is_healthy():
    assert worst([Health.HEALTHY, Health.DEGRADED, Health.PROGRESSING]) == Health.DEGRADED
    assert worst([]) == Health.HEALTHY


@pytest.mark.parametrize(
    ("reason", "ready", "restarts", "expected"),
    [
        ("Running", True, 0, Health.HEALTHY),
        ("Running", False, 0, Health.PROGRESSING),
        ("Running", False, 1, Health.DEGRADED),
        ("CrashLoopBackOff", False, 3, Health.DEGRADED),
        ("Terminating", False, 0, Health.PROGRESSING),
    ],
)
def test_a_pod_has_the_health_that_argo_cd_gives_it(reason, ready, restarts, expected):
    assert pod_health(reason, ready=ready, restarts=restarts).status == expected


def snapshot(**changes):
    resources = parse_resources(ROUTE, "shop")
    pods = (
        PodView("ranker-v1-abc-1", "ranker-v1-abc", ready=True, reason="Running", restarts=2, created=NOON),
        PodView("ranker-v1-old-1", "ranker-v1-old", ready=False, reason="Terminating", restarts=0, created=NOON),
    )
    values = {
        "served": ServedModel("shop", "ranker"),
        "source": GitSource("file:///remote.git", "main"),
        "created": NOON,
        "status": synced(),
        "target": resources,
        "applied": {resource.key: resource for resource in resources},
        "applied_at": {resource.key: NOON for resource in resources},
        "deployments": {"ranker-v1": DeploymentView(HealthStatus(Health.HEALTHY), "ranker-v1-abc", pods)},
    }
    return Snapshot(**values | changes)


def test_a_pod_is_found_from_its_deployment_by_parents():
    nodes = {node["name"]: node for node in tree(snapshot())["nodes"]}
    pod = nodes["ranker-v1-abc-1"]
    replica_set = nodes[pod["parentRefs"][0]["name"]]
    assert pod["parentRefs"][0]["uid"] == replica_set["uid"]
    assert replica_set["parentRefs"][0]["uid"] == nodes["ranker-v1"]["uid"]
    info = {entry["name"]: entry["value"] for entry in pod["info"]}
    assert info == {"Status Reason": "Running", "Node": "localhost", "Containers": "1/1", "Restart Count": "2"}
    assert pod["createdAt"] == "2026-11-22T12:00:00Z"
    assert nodes["ranker-v1-old-1"]["health"] == {"status": "Progressing", "message": "Pending deletion"}


def test_the_refresh_annotation_and_the_operation_are_there_only_while_they_are_under_way():
    idle = application(snapshot(), refreshing=False)
    assert "operation" not in idle
    assert "annotations" not in idle["metadata"]
    requested = compared(synced(), B, in_sync=False, now=after(9))
    busy = application(snapshot(status=requested), refreshing=True)
    assert busy["operation"]["sync"]["revision"] == B
    assert busy["metadata"]["annotations"] == {"argocd.argoproj.io/refresh": "normal"}
    assert busy["status"]["operationState"]["syncResult"]["revision"] == A


def test_a_comparison_was_made_with_the_present_spec():
    answer = application(snapshot(), refreshing=False)
    compared_to = answer["status"]["sync"]["comparedTo"]
    assert compared_to == {key: answer["spec"][key] for key in compared_to}


def live(weights, **wanted):
    items = managed_resources(snapshot(), weights, {"kind": "VirtualService", **wanted})["items"]
    return [json.loads(item["liveState"]) for item in items]


def test_the_live_route_has_the_weights_that_the_proxy_reports():
    (route,) = live({("ranker.shop", "/v1/models/ranker:"): {"shop_ranker-v1_8501": 70, "shop_ranker-v2_8501": 30}})
    assert [entry["weight"] for entry in route["spec"]["http"][0]["route"]] == [70, 30]


def test_a_destination_that_the_proxy_does_not_have_has_weight_0():
    (route,) = live({("ranker.shop", "/v1/models/ranker:"): {"shop_ranker-v1_8501": 100}})
    assert [entry["weight"] for entry in route["spec"]["http"][0]["route"]] == [100, 0]


@pytest.mark.parametrize("weights", [None, {}])
def test_no_route_is_live_where_the_proxy_is_silent_or_does_not_have_it(weights):
    assert live(weights) == [None]


def test_managed_resources_are_filtered_by_what_is_asked_for():
    assert live({}, group="networking.istio.io") == [None]
    assert live({}, group="apps") == []
