"""Argo CD's answers over real HTTP, as they are and as they must not be."""

import json
import time
from datetime import UTC, datetime, timedelta

import pytest
from argocd_fixtures import (
    HEAD,
    application,
    gateway_route,
    managed_resources,
    node,
    tree,
    version_nodes,
    virtual_service,
)
from scripted_server import as_json, body, broken_off, dripping, endless, gzip_bomb, silent, status

from promoter.adapters.argocd import ArgoCluster
from promoter.domain.application import Health, Operation, OperationPhase, Pod, SyncStatus
from promoter.domain.names import ServedModel
from promoter.domain.sync_windows import SyncWindow, SyncWindowKind, SyncWindows
from promoter.domain.version import ModelVersion
from promoter.errors import ClusterUnavailable, InvalidSettings

SERVED = ServedModel("production", "resnet50")
TOKEN = "eyJhbGciOiJIUzI1NiJ9.promoter.c2lnbmF0dXJl"
# Deep enough for whoever walks it, and not for the parser.
NESTED = json.dumps(application()).replace(': ["ServerSideApply=true"]', f": {'[' * 700}1{']' * 700}").encode()
NESTED = NESTED.replace(b'"source": {', b'"source": {"deep": ' + b"[" * 700 + b"1" + b"]" * 700 + b", ")
PATH = "/api/v1/applications/production-resnet50"


@pytest.fixture(scope="module")
def token_file(tmp_path_factory):
    return tmp_path_factory.mktemp("secret") / "token"


@pytest.fixture(autouse=True)
def _a_good_token(token_file):
    token_file.write_text(TOKEN + "\n")


@pytest.fixture(scope="module")
def cluster(one_server, token_file):
    return ArgoCluster(one_server.url, token_file)


def answer(server, found=None, nodes=None, live=None):
    server.answers = {
        PATH: as_json(application() if found is None else found),
        f"{PATH}/resource-tree": as_json(tree(*(version_nodes(42) if nodes is None else nodes))),
        f"{PATH}/managed-resources": as_json(managed_resources(live)),
    }


def test_a_synced_and_healthy_application_is_read_letter_for_letter(server, cluster):
    answer(server, nodes=version_nodes(42, pods=2), live=virtual_service({"resnet50-v42": 100}))
    seen = cluster.application(SERVED)
    assert (seen.sync, seen.health, seen.revision) == (SyncStatus.SYNCED, Health.HEALTHY, HEAD)
    assert seen.health_since == datetime(2026, 11, 22, 20, 16, 50, tzinfo=UTC)
    assert seen.reconciled_at == datetime(2026, 11, 22, 20, 16, 41, tzinfo=UTC)
    assert seen.operation == Operation(
        OperationPhase.SUCCEEDED,
        datetime(2026, 11, 22, 20, 16, 40, tzinfo=UTC),
        "successfully synced (all tasks run)",
    )
    assert seen.compared_current_spec
    assert not seen.operation_requested
    assert not seen.refresh_pending
    assert not seen.errors
    assert seen.deployment(ModelVersion(42)).ready == 2
    assert seen.route == {ModelVersion(42): 100}


def test_one_application_is_asked_for_by_name_with_the_token_and_a_refresh_only_when_wanted(server, token_file):
    answer(server, live=virtual_service({"resnet50-v42": 100}))
    cluster = ArgoCluster(f"{server.url}/", token_file, project="serving")
    cluster.application(SERVED)
    cluster.application(SERVED, refresh=True)
    paths = [PATH, f"{PATH}/resource-tree", f"{PATH}/managed-resources"]
    assert [request.path for request in server.requests] == paths * 2
    assert [request.query.get("refresh") for request in server.requests] == [None, None, None, "normal", None, None]
    assert {request.query["project"] for request in server.requests} == {"serving"}
    assert {request.headers["Authorization"] for request in server.requests} == {f"Bearer {TOKEN}"}
    assert server.requests[2].query["kind"] == "VirtualService"
    assert server.requests[2].query["group"] == "networking.istio.io"


def test_a_server_below_a_path_is_asked_below_that_path(server, token_file):
    server.answers[""] = status(404)
    with pytest.raises(ClusterUnavailable):
        ArgoCluster(f"{server.url}/argo-cd/", token_file).application(SERVED)
    assert server.requests[0].path == f"/argo-cd{PATH}"


def test_a_replaced_token_is_used_at_once(server, token_file):
    answer(server)
    cluster = ArgoCluster(server.url, token_file)
    cluster.application(SERVED)
    token_file.write_text("the-next-token")
    cluster.application(SERVED)
    assert server.requests[-1].headers["Authorization"] == "Bearer the-next-token"


def test_an_application_that_was_never_compared_is_unknown_in_everything(server, cluster):
    fresh = application()
    fresh["status"] = {"summary": {}, "health": {}, "sync": {"status": "", "comparedTo": {"source": {}}}}
    answer(server, found=fresh, nodes=[])
    seen = cluster.application(SERVED)
    assert (seen.sync, seen.health, seen.revision) == (SyncStatus.UNKNOWN, Health.UNKNOWN, None)
    assert (seen.health_since, seen.reconciled_at, seen.operation, seen.route) == (None, None, None, None)
    assert not seen.compared_current_spec
    assert seen.deployments == ()


@pytest.mark.parametrize("revision", ["main", "HEAD", "", "v1.2", HEAD.upper(), HEAD[:12], f"{HEAD}\n"])
def test_a_revision_counts_only_as_forty_hex_digits(server, cluster, revision):
    found = application()
    found["status"]["sync"]["revision"] = revision
    answer(server, found=found)
    assert cluster.application(SERVED).revision is None


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("source", {"repoURL": "https://git.example.com/shop/other.git", "path": "charts/model-serving"}),
        ("sources", [{"repoURL": "https://git.example.com/shop/serving.git"}]),
        ("destination", {"server": "https://kubernetes.default.svc", "namespace": "staging"}),
        ("ignoreDifferences", [{"group": "apps", "kind": "Deployment", "jsonPointers": ["/spec/replicas"]}]),
    ],
)
def test_a_comparison_with_another_spec_is_told(server, cluster, key, value):
    found = application()
    found["spec"][key] = value
    answer(server, found=found)
    assert not cluster.application(SERVED).compared_current_spec


def test_empty_fields_make_no_other_spec(server, cluster):
    found = application()
    found["spec"]["ignoreDifferences"] = []
    found["spec"]["source"] = {**found["spec"]["source"], "directory": {}, "chart": ""}
    answer(server, found=found)
    assert cluster.application(SERVED).compared_current_spec


def test_a_running_operation_with_a_time_waits_for_a_retry(server, cluster):
    running = {"phase": "Running", "message": "one\n  two", "finishedAt": "2026-11-22T20:17:00Z", "retryCount": 2}
    found = application(operationState=running)
    found["operation"] = {"sync": {"revision": HEAD}, "retry": {"limit": 5}}
    answer(server, found=found)
    seen = cluster.application(SERVED)
    finished = datetime(2026, 11, 22, 20, 17, tzinfo=UTC)
    assert seen.operation == Operation(OperationPhase.RUNNING, finished, "one two")
    assert seen.operation_requested


def test_a_refresh_that_was_asked_for_is_pending_until_its_annotation_goes(server, cluster):
    found = application()
    found["metadata"]["annotations"]["argocd.argoproj.io/refresh"] = "normal"
    answer(server, found=found)
    assert cluster.application(SERVED).refresh_pending


def test_errors_are_told_and_warnings_are_not(server, cluster):
    conditions = [
        {"type": "ComparisonError", "message": "failed to render:\x1b[31m\nexecution error"},
        {"type": "OrphanedResourceWarning", "message": "1 orphaned resource"},
        {"type": "SyncError", "message": "x" * 5000},
    ]
    answer(server, found=application(conditions=conditions))
    first, second = cluster.application(SERVED).errors
    assert first == "ComparisonError: failed to render:[31m execution error"
    assert second == f"SyncError: {'x' * 499}…"


def test_an_application_that_argo_cd_skips_is_an_error(server, cluster):
    found = application()
    found["metadata"]["annotations"]["argocd.argoproj.io/skip-reconcile"] = "true"
    answer(server, found=found)
    assert "skip-reconcile" in cluster.application(SERVED).errors[0]


def test_pods_belong_to_the_version_of_their_deployment(server, cluster):
    crashing = {"containers": "0/1", "reason": "CrashLoopBackOff", "health": "Degraded", "restarts": 3}
    nodes = [*version_nodes(43, pods=({}, crashing), health="Progressing"), *version_nodes(42, pods=1)]
    answer(server, nodes=nodes)
    stable, canary = cluster.application(SERVED).deployments
    assert (stable.version, stable.health, stable.ready) == (ModelVersion(42), Health.HEALTHY, 1)
    assert (canary.version, canary.health) == (ModelVersion(43), Health.PROGRESSING)
    assert canary.pods == (
        Pod("resnet50-v43-5c7d-0", ready=True, reason="Running"),
        Pod("resnet50-v43-5c7d-1", ready=False, reason="CrashLoopBackOff", restarts=3),
    )


@pytest.mark.parametrize(
    ("traits", "ready"),
    [
        ({}, True),
        ({"containers": "2/2"}, True),
        ({"health": None}, True),
        ({"containers": "1/2"}, False),
        ({"containers": "0/0"}, False),
        ({"containers": ""}, False),
        ({"containers": "all"}, False),
        ({"containers": "0/1", "reason": "Pending", "health": "Progressing"}, False),
        ({"reason": "Terminating"}, False),
        ({"reason": "Unknown"}, False),
        ({"health": "Progressing"}, False),
    ],
)
def test_a_pod_is_ready_when_it_runs_and_nothing_says_otherwise(server, cluster, traits, ready):
    answer(server, nodes=version_nodes(42, pods=(traits,)))
    (deployment,) = cluster.application(SERVED).deployments
    assert [pod.ready for pod in deployment.pods] == [ready]


def test_a_deployment_that_is_only_in_git_is_not_in_the_cluster(server, cluster):
    only_in_git = node("Deployment", "resnet50-v43", uid=None, resourceVersion=None, createdAt=None)
    answer(server, nodes=[*version_nodes(42), only_in_git])
    assert cluster.application(SERVED).deployment(ModelVersion(43)) is None


@pytest.mark.parametrize(
    "name", ["resnet50-v", "resnet50-v042", "resnet50-v4x", "resnet50", "other-v42", "resnet50-v0"]
)
def test_a_deployment_of_another_name_is_no_version(server, cluster, name):
    answer(server, nodes=[node("Deployment", name, health={"status": "Healthy"})])
    assert cluster.application(SERVED).deployments == ()


def test_the_health_of_a_deployment_is_unknown_where_argo_cd_gives_none(server, cluster):
    answer(server, nodes=[node("Deployment", "resnet50-v42")])
    (deployment,) = cluster.application(SERVED).deployments
    assert (deployment.health, deployment.pods) == (Health.UNKNOWN, ())


@pytest.mark.parametrize(
    ("live", "route"),
    [
        (virtual_service({"resnet50-v42": 90, "resnet50-v43": 10}), {42: 90, 43: 10}),
        (virtual_service({"resnet50-v42": 100, "resnet50-v43": 0}), {42: 100, 43: 0}),
        (virtual_service({"resnet50-v42.production.svc.cluster.local": 100}), {42: 100}),
        (virtual_service({"resnet50-v42": None}), {42: 100}),
        (virtual_service({"resnet50-v42": 100, "resnet50-v43": None}), {42: 100, 43: 0}),
        (virtual_service({"resnet50-v42": 90, "resnet50-v43": 10}, {"resnet50-v42": 100}), None),
        (virtual_service({"resnet50-v42": 90, "resnet50-v43": 5}), None),
        (virtual_service({"resnet50-v42": 90, "elsewhere": 10}), None),
        (virtual_service({"resnet50-v42": 110, "resnet50-v43": -10}), None),
        (virtual_service({"resnet50-v42": "100"}), None),
        (virtual_service({}), None),
        (virtual_service({"resnet50-v42": 90, "resnet50-v43": 10}, testers="resnet50-v43"), {42: 90, 43: 10}),
        (virtual_service({"resnet50-v42": 100}, testers="elsewhere"), {42: 100}),
        ({"kind": "VirtualService", "spec": {}}, None),
        (["not", "an", "object"], None),
        (None, None),
    ],
)
def test_the_live_route_is_percent_by_version_or_nothing(server, cluster, live, route):
    answer(server, live=live)
    expected = None if route is None else {ModelVersion(version): weight for version, weight in route.items()}
    assert cluster.application(SERVED).route == expected


EVEN = {"resnet50-v42": 90, "resnet50-v43": 10}


@pytest.mark.parametrize(
    ("live", "route"),
    [
        ([gateway_route("HTTPRoute", EVEN)], {42: 90, 43: 10}),
        ([gateway_route("HTTPRoute", EVEN), gateway_route("GRPCRoute", EVEN)], {42: 90, 43: 10}),
        ([gateway_route("HTTPRoute", EVEN, testers="resnet50-v43")], {42: 90, 43: 10}),
        ([gateway_route("GRPCRoute", {"resnet50-v42": 100})], {42: 100}),
        ([gateway_route("HTTPRoute", EVEN), gateway_route("GRPCRoute", {"resnet50-v42": 100})], None),
        ([gateway_route("HTTPRoute", {"resnet50-v42": 1, "resnet50-v43": 1})], None),
        ([gateway_route("HTTPRoute", {"resnet50-v42": None})], None),
        ([gateway_route("HTTPRoute", {"elsewhere": 100})], None),
    ],
)
def test_gateway_routes_are_read_where_istio_has_none_and_must_agree(server, cluster, live, route):
    answer(server)
    items = [{**managed_resources(one)["items"][0], "kind": one["kind"]} for one in live]
    server.answers[f"{PATH}/managed-resources"] = as_json({"items": items})
    expected = None if route is None else {ModelVersion(version): weight for version, weight in route.items()}
    assert cluster.application(SERVED).route == expected


def test_the_gateway_api_is_asked_about_after_istio(server, cluster):
    answer(server)
    cluster.application(SERVED)
    groups = [request.query.get("group") for request in server.requests if "managed-resources" in request.path]
    assert groups == ["networking.istio.io", "gateway.networking.k8s.io"]


def test_the_route_of_another_model_is_not_ours(server, cluster):
    answer(server)
    others = managed_resources(virtual_service({"ranker-v1": 100}), name="ranker")
    server.answers[f"{PATH}/managed-resources"] = as_json(others)
    assert cluster.application(SERVED).route is None


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (status(401), "refuses our token"),
        (status(403), "grant the account `applications, get`"),
        (status(404), "knows no application production-resnet50"),
        (status(500), "status 500"),
        (status(503, Retry_After="3600"), "status 503"),
        (status(599), "status 599"),
        (status(307, Location="https://127.0.0.1:1/elsewhere"), "redirects are not followed"),
        (body(b"<!doctype html><title>Argo CD</title>"), "not JSON"),
        (body(b""), "not JSON"),
        (body(b"[" * 100_000), "not JSON"),
        (body(b"1" * 10_000), "not JSON"),
        (body(NESTED), "nested too deeply"),
        (body(b"null"), "not about the application"),
        (as_json({"metadata": {"name": "other"}, "spec": {"source": {}}}), "not about the application"),
        (as_json({**application(), "status": {"operationState": {"phase": "Dancing"}}}), "phase"),
        (as_json({**application(), "status": {"reconciledAt": "yesterday"}}), "time"),
        (as_json({**application(), "status": {"reconciledAt": "2026-11-22T20:16:41"}}), "zone"),
        (endless(), "more than 16 MiB"),
        (gzip_bomb(), "compressed"),
        (broken_off(), "broke off"),
    ],
)
def test_an_answer_that_cannot_be_used_is_unavailable_and_says_why(server, cluster, reply, words):
    answer(server)
    server.answers[PATH] = reply
    with pytest.raises(ClusterUnavailable, match=words) as caught:
        cluster.application(SERVED)
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("reply", [dripping(), silent()])
def test_an_answer_that_takes_too_long_is_not_waited_for(server, token_file, reply):
    server.answers[PATH] = reply
    started = time.monotonic()
    with pytest.raises(ClusterUnavailable, match=r"did not answer within 0\.4s"):
        ArgoCluster(server.url, token_file, timeout=timedelta(seconds=0.4)).application(SERVED)
    assert time.monotonic() - started < 10


# As Argo CD prints ApplicationSyncWindowsResponse (server/application/application.go, GetApplicationSyncWindows).
WINDOWS = {
    "activeWindows": [{"kind": "deny", "schedule": "0 22 * * *", "duration": "8h", "manualSync": True}],
    "assignedWindows": [
        {"kind": "allow", "schedule": "0 9 * * 1-5", "duration": "7h", "manualSync": False},
        {"kind": "deny", "schedule": "0 22 * * *", "duration": "8h", "manualSync": True},
    ],
    "canSync": True,
}


def test_sync_windows_are_asked_for_by_name_and_read_letter_for_letter(server, token_file):
    server.answers[f"{PATH}/syncwindows"] = as_json(WINDOWS)
    found = ArgoCluster(server.url, token_file, project="serving").sync_windows(SERVED)
    allow = SyncWindow(SyncWindowKind.ALLOW, "0 9 * * 1-5", "7h", lets_people_sync=False)
    deny = SyncWindow(SyncWindowKind.DENY, "0 22 * * *", "8h", lets_people_sync=True)
    assert found == SyncWindows((allow, deny), (deny,))
    # `canSync` is about syncs by hand: Argo CD itself does not sync now.
    assert found.denying == (deny,)
    [request] = server.requests
    assert (request.method, request.query) == ("GET", {"project": "serving"})


def test_a_project_without_windows_leaves_the_lists_out(server, cluster):
    server.answers[f"{PATH}/syncwindows"] = as_json({"canSync": True})
    assert cluster.sync_windows(SERVED) == SyncWindows()


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (status(403), "forbids reading production-resnet50"),
        (status(500), "status 500"),
        (body(b"<html>"), "not JSON"),
        (as_json(None), "not about sync windows"),
        (as_json({}), "not about sync windows"),
        (as_json({"canSync": False, "activeWindows": {"kind": "deny"}}), "something else than windows"),
        (as_json({"canSync": False, "activeWindows": ["deny"]}), "neither allows nor denies"),
        (as_json({"canSync": False, "activeWindows": [{"kind": "Deny"}]}), "neither allows nor denies"),
        (as_json({"canSync": False, "activeWindows": [{"kind": ["deny"]}]}), "neither allows nor denies"),
    ],
)
def test_sync_windows_that_cannot_be_told_are_unavailable(server, cluster, reply, words):
    server.answers[f"{PATH}/syncwindows"] = reply
    with pytest.raises(ClusterUnavailable, match=words):
        cluster.sync_windows(SERVED)


def test_what_people_wrote_into_a_window_stays_on_one_line(server, cluster):
    odd = {"kind": "deny", "schedule": "* *\n* * *\x1b[31m" + "9" * 500, "manualSync": "yes"}
    server.answers[f"{PATH}/syncwindows"] = as_json({"canSync": False, "activeWindows": [odd]})
    [window] = cluster.sync_windows(SERVED).active
    assert window.schedule.isprintable()
    assert len(window.schedule) <= 100
    assert (window.duration, window.lets_people_sync) == ("", False)


@pytest.mark.parametrize("value", [None, [], 7, "text", {"nodes": 3}, {"nodes": [None, {"kind": "Deployment"}]}])
def test_a_tree_of_another_shape_has_no_deployments(server, cluster, value):
    answer(server)
    server.answers[f"{PATH}/resource-tree"] = as_json(value)
    assert cluster.application(SERVED).deployments == ()


def test_a_server_that_is_not_there_is_unavailable(token_file):
    with pytest.raises(ClusterUnavailable, match="cannot be reached"):
        ArgoCluster("http://127.0.0.1:1", token_file).application(SERVED)


@pytest.mark.parametrize("content", ["", "\n", f"{TOKEN}\nX-Injected: 1", "tökén", "a" * 20_000, f"{TOKEN} {TOKEN}"])
def test_a_token_file_without_a_token_is_told_without_showing_it(server, token_file, cluster, content):
    token_file.write_text(content)
    with pytest.raises(ClusterUnavailable, match="holds no token") as caught:
        cluster.application(SERVED)
    assert TOKEN not in str(caught.value)
    assert server.requests == []


def test_a_token_file_that_is_missing_is_named(server, tmp_path):
    with pytest.raises(ClusterUnavailable, match="nowhere: No such file"):
        ArgoCluster(server.url, tmp_path / "nowhere").application(SERVED)


def test_the_token_is_in_no_representation(server, token_file):
    cluster = ArgoCluster(server.url, token_file)
    answer(server)
    cluster.application(SERVED)
    assert TOKEN not in repr(cluster)
    assert TOKEN not in json.dumps({key: repr(value) for key, value in vars(cluster).items()})


@pytest.mark.parametrize(
    "url",
    [
        "argocd.example.com",
        "ftp://argocd",
        "https://",
        "https://me:secret@argocd",
        "https://argocd/?a=b",
        "https://argocd:port",
        "",
    ],
)
def test_a_url_that_is_none_is_refused_without_showing_secrets(token_file, url):
    with pytest.raises(InvalidSettings) as caught:
        ArgoCluster(url, token_file)
    assert "secret" not in str(caught.value)
