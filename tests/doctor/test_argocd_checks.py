"""What doctor says of Argo CD, by answers as a real one gave them (tests/cluster asks a real one)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from scripted_server import as_json, body, silent, status

from promoter.doctor import argocd_checks, git_checks
from promoter.doctor.finding import Status, examine
from promoter.doctor.known_holes import holes_of, parsed

APPLICATION = {
    "spec": {
        "source": {"targetRevision": "main"},
        "syncPolicy": {"automated": {"selfHeal": True, "prune": True}, "retry": {"refresh": True}},
    },
    "status": {},
}


@pytest.fixture
def argocd(server):
    """Argo CD as it should be: everything that is not scripted is refused."""
    server.answers = {
        "": as_json({"value": "no"}),
        "/api/version": as_json({"Version": "v3.6.1+f3cbe9b"}),
        "/api/v1/session/userinfo": as_json({"loggedIn": True, "username": "promoter"}),
        "/api/v1/applications/production-ranker": as_json(APPLICATION),
        "/api/v1/applications/staging-ranker": as_json(APPLICATION),
    }
    return server


def look(patient):
    return {result.check.name: result for result in examine((*git_checks.CHECKS, *argocd_checks.CHECKS), patient)}


def test_an_argo_cd_in_order_is_said_to_be(patient, argocd):
    results = look(patient())
    names = ("argocd", "token", "token's limits", "applications")
    assert {name: results[name].status for name in names} == dict.fromkeys(names, Status.OK)
    assert all(request.headers["Authorization"] == "Bearer TOKEN-OF-ARGO-CD" for request in argocd.requests[1:])
    assert "Authorization" not in argocd.requests[0].headers


@pytest.mark.parametrize(
    ("version", "holes"),
    [
        ("v3.6.1+f3cbe9b", 0),
        ("v3.5.4", 0),
        ("v3.5.3", 1),
        ("v3.4.10", 0),
        ("v3.4.9", 2),
        ("v3.4.1", 3),
        ("v3.1.0", 3),
        ("v2.14.22", 3),
        ("v4.0.0-rc1", 0),
    ],
)
def test_a_version_is_known_by_its_holes(version, holes):
    assert len(holes_of(parsed(version))) == holes


def test_a_version_with_a_hole_is_a_failure_that_says_where_it_is_mended(patient, argocd):
    argocd.answers["/api/version"] = as_json({"Version": "v3.5.2+abc"})
    result = look(patient())["argocd"]
    assert result.status is Status.FAILURE
    assert "3.5.4" in result.findings[0].remedy


def test_something_else_at_the_address_is_no_argo_cd(patient, argocd):
    argocd.answers["/api/version"] = body(b"<html>")
    results = look(patient())
    assert results["argocd"].status is Status.FAILURE
    assert results["token"].status is Status.UNTOLD


def test_a_token_that_argo_cd_does_not_take_is_a_failure(patient, argocd):
    argocd.answers["/api/v1/session/userinfo"] = as_json({"loggedIn": False})
    assert look(patient())["token"].status is Status.FAILURE


@pytest.mark.parametrize(
    ("path", "said", "expected"),
    [
        ("applications/sync/models-production/*", "sync applications", Status.FAILURE),
        ("applications/sync/*/*", "sync applications", Status.FAILURE),
        ("clusters/update/*", "update clusters", Status.FAILURE),
        ("clusters/get/*", "get clusters", Status.WARNING),
    ],
)
def test_a_token_that_may_do_more_is_found_out_by_what_it_may(patient, argocd, path, said, expected):
    argocd.answers[f"/api/v1/account/can-i/{path}"] = as_json({"value": "yes"})
    result = look(patient())["token's limits"]
    assert result.status is expected
    assert said in result.findings[0].what


def test_a_right_that_this_version_does_not_know_is_none(patient, argocd):
    argocd.answers["/api/v1/account/can-i/gpgkeys/create/*"] = status(400)
    assert look(patient())["token's limits"].status is Status.OK


def test_no_answer_about_a_right_is_not_taken_for_a_no(patient, argocd):
    argocd.answers["/api/v1/account/can-i/exec/create/*/*"] = status(500)
    assert look(patient())["token's limits"].status is Status.FAILURE


@pytest.mark.parametrize("code", [403, 404])
def test_a_model_without_an_application_is_named(patient, argocd, code):
    argocd.answers["/api/v1/applications/production-ranker"] = status(code)
    result = look(patient())["applications"]
    assert result.status is Status.FAILURE
    assert "production-ranker" in result.findings[0].what


OLD_OPERATION = {"operationState": {"phase": "Running", "startedAt": "2026-11-01T00:00:00Z"}}
MISTAKES = {
    "automated sync is off": ({"syncPolicy": {"retry": {"refresh": True}}}, {}, Status.WARNING),
    "automated.selfHeal is off": (
        {"syncPolicy": {"automated": {"prune": True}, "retry": {"refresh": True}}},
        {},
        Status.WARNING,
    ),
    "retry.refresh is off": ({"syncPolicy": {"automated": {"prune": True, "selfHeal": True}}}, {}, Status.FAILURE),
    "several sources": ({"source": None, "sources": [{}, {}]}, {}, Status.FAILURE),
    "follows HEAD": ({"source": {"targetRevision": "HEAD"}}, {}, Status.FAILURE),
    "ignores differences": ({"ignoreDifferences": [{"kind": "VirtualService"}]}, {}, Status.WARNING),
    "ComparisonError: no chart": (
        {},
        {"conditions": [{"type": "ComparisonError", "message": "no chart"}]},
        Status.FAILURE,
    ),
    "a sync has been running for": ({}, OLD_OPERATION, Status.FAILURE),
}


@pytest.mark.parametrize(("said", "spec", "state", "expected"), [(said, *case) for said, case in MISTAKES.items()])
def test_an_application_that_would_not_follow_git_is_named(patient, argocd, said, spec, state, expected):
    made = {"spec": {**APPLICATION["spec"], **spec}, "status": state}
    argocd.answers["/api/v1/applications/staging-ranker"] = as_json(made)
    result = look(patient())["applications"]
    assert result.status is expected
    assert said in result.findings[0].what
    assert "staging-ranker" in result.findings[0].what


@pytest.mark.parametrize(("shown", "expected"), [(("ReplicaSet", "Pod"), Status.OK), ((), Status.FAILURE)])
def test_pods_that_the_project_hides_are_told(patient, argocd, shown, expected):
    tree = {"nodes": [{"kind": kind} for kind in ("Deployment", *shown)]}
    argocd.answers["/api/v1/applications/staging-ranker/resource-tree"] = as_json(tree)
    result = look(patient())["applications"]
    assert result.status is expected
    assert ("Permit Pod and ReplicaSet" in result.findings[0].remedy) == (expected is Status.FAILURE)


def test_an_answer_that_nobody_thought_of_ends_no_other_check(patient, argocd):
    argocd.answers["/api/v1/applications/staging-ranker"] = as_json({"spec": [], "status": {"conditions": 7}})
    results = look(patient())
    assert results["applications"].status is Status.FAILURE
    assert results["repo server"].status is Status.UNTOLD


def test_an_argo_cd_that_hangs_is_given_up(patient, argocd):
    argocd.answers["/api/version"] = silent()
    result = look(replace(patient(), timeout=timedelta(milliseconds=200)))["argocd"]
    assert "did not answer within 0.2 s" in result.findings[0].what
