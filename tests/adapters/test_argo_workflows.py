"""Preflights as workflows, over real HTTP: Argo Server as it answers, and as it must not."""

import json
import time
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from builders import digest
from hera.workflows import models as m
from preflights import failed, passed
from scripted_server import as_json, body, broken_off, dripping, endless, gzip_bomb, silent, status

from promoter.adapters.argo_workflows import WorkflowPreflights
from promoter.documents.policy_file import parse_policy
from promoter.documents.preflight_report import preflight_json
from promoter.domain.completeness import ByManifest
from promoter.domain.preflight import Check, CheckName, Outcome, PreflightPolicy, PreflightRequest
from promoter.errors import InvalidName, InvalidSettings, PreflightUnavailable

# Hera's own, about pydantic's.
pytestmark = pytest.mark.filterwarnings("ignore:The `json` method is deprecated")

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
TOKEN = "eyJhbGciOiJSUzI1NiJ9.promoter-preflights.c2lnbmF0dXJl"
STORE = "gs://shop-models/ranker"
WANTED = PreflightRequest(
    f"{STORE}/43", digest(43), f"{STORE}/42", digest(42), ByManifest(), PreflightPolicy(agreement=0.9)
)


class Argo:
    """What Argo Server's REST does for this client (server/workflow/workflow_server.go), on Hera's own schema."""

    def __init__(self):
        self.workflows = {}
        self.templates = {"verify-version": {"candidate", "stable", "policy", "digest"}}
        self.now = NOON

    def __call__(self, handler):
        path = urlsplit(handler.path).path.removesuffix("/")
        if handler.command == "POST" and path.endswith("/api/v1/workflows/workflows"):
            self.create(handler)
        elif handler.command == "GET" and "/api/v1/workflows/workflows/" in path:
            found = self.workflows.get(path.rsplit("/", 1)[-1])
            (as_json(found) if found else self.refusal(404, 5, "workflows.argoproj.io not found"))(handler)
        else:
            self.refusal(404, 5, "Not Found")(handler)

    def create(self, handler):
        asked = m.WorkflowCreateRequest.model_validate_json(handler.body).workflow
        template = asked.spec.workflow_template_ref.name
        given = {parameter.name: parameter.value for parameter in asked.spec.arguments.parameters}
        if template not in self.templates:
            self.refusal(404, 5, f'workflowtemplates.argoproj.io "{template}" not found')(handler)
        elif given.keys() != self.templates[template]:
            self.refusal(400, 3, "spec.arguments: parameters differ")(handler)
        elif asked.metadata.name in self.workflows:
            self.refusal(409, 6, f'workflows.argoproj.io "{asked.metadata.name}" already exists')(handler)
        else:
            made = json.loads(handler.body)["workflow"]
            made["metadata"]["creationTimestamp"] = f"{self.now:%Y-%m-%dT%H:%M:%SZ}"
            self.workflows[asked.metadata.name] = {**made, "status": {"startedAt": None, "finishedAt": None}}
            as_json(self.workflows[asked.metadata.name])(handler)

    @staticmethod
    def refusal(code, grpc, message):
        return as_json({"code": grpc, "message": message}, code)

    def become(self, phase, report=None, *, in_node=False, message=None, at=NOON + timedelta(seconds=40)):
        """The newest workflow ends, or runs."""
        outputs = {"parameters": [{"name": "report", "value": report, "globalName": "report"}]} if report else {}
        nodes = {"n-1": {"id": "n-1", "name": "n", "type": "Pod", "phase": phase, "outputs": outputs}}
        found = {"phase": phase, "startedAt": "2026-11-24T12:00:01Z", "nodes": nodes if in_node else {}}
        if phase != "Running":
            found["finishedAt"] = f"{at:%Y-%m-%dT%H:%M:%SZ}"
        if message:
            found["message"] = message
        if not in_node:
            found["outputs"] = outputs
        self.workflows[list(self.workflows)[-1]]["status"] = found

    @property
    def only(self):
        (one,) = self.workflows.values()
        return one


@pytest.fixture
def argo(server):
    made = server.answers[""] = Argo()
    return made


@pytest.fixture
def token_file(tmp_path):
    path = tmp_path / "token"
    path.write_text(TOKEN + "\n")
    return path


@pytest.fixture
def client(server, token_file):
    def made(**changes):
        clock = changes.pop("clock", lambda: NOON + timedelta(seconds=50))
        arguments = {"timeout": timedelta(seconds=1), "clock": clock, **changes}
        return WorkflowPreflights(server.url, token_file, "workflows", **arguments)

    return made


def asked(client, wanted=WANTED):
    with pytest.raises(PreflightUnavailable) as failure:
        client.ask(wanted)
    assert TOKEN not in str(failure.value)
    assert TOKEN not in repr(failure.value.__cause__)
    return str(failure.value)


def test_the_first_question_makes_a_workflow_of_the_template_with_everything_that_is_to_be_verified(
    client, argo, server
):
    assert "waits to be run" in client().ask(WANTED)
    spec = argo.only["spec"]
    assert spec["workflowTemplateRef"] == {"name": "verify-version"}
    given = {entry["name"]: entry["value"] for entry in spec["arguments"]["parameters"]}
    assert (given["candidate"], given["stable"]) == (f"{STORE}/43", f"{STORE}/42")
    assert given["digest"] == str(digest(43))
    assert parse_policy(given["policy"].encode(), "policy").preflight == WANTED.policy
    assert {request.headers["Authorization"] for request in server.requests} == {f"Bearer {TOKEN}"}


def test_while_it_waits_and_runs_the_sentence_stays_the_same(client, argo):
    preflights = client()
    waiting = {preflights.ask(WANTED) for _ in range(3)}
    argo.become("Running")
    running = {preflights.ask(WANTED) for _ in range(3)}
    assert (len(waiting), len(running), len(argo.workflows)) == (1, 1, 1)
    assert "is running since 12:00:01 UTC" in running.pop()


@pytest.mark.parametrize(("phase", "result"), [("Succeeded", passed()), ("Failed", failed())])
@pytest.mark.parametrize("in_node", [False, True])
def test_a_report_is_the_result_whether_its_verdict_is_pass_or_fail(client, argo, phase, result, in_node):
    preflights = client()
    preflights.ask(WANTED)
    argo.become(phase, preflight_json(result), in_node=in_node)
    assert preflights.ask(WANTED) == result


def test_another_promoter_finds_the_result_of_the_first_one_and_makes_nothing(client, argo, server):
    client().ask(WANTED)
    argo.become("Succeeded", preflight_json(passed()))
    assert client().ask(WANTED) == passed()
    assert [request.method for request in server.requests].count("POST") == 1


def test_a_result_that_is_known_is_not_asked_for_again(client, argo, server):
    preflights = client()
    preflights.ask(WANTED)
    argo.become("Succeeded", preflight_json(passed()))
    preflights.ask(WANTED)
    count = len(server.requests)
    assert preflights.ask(WANTED) == passed()
    assert len(server.requests) == count
    assert preflights.settle() is False


@pytest.mark.parametrize(
    "changes",
    [
        {"digest": digest(44)},
        {"stable_digest": digest(41)},
        {"stable": None, "stable_digest": None},
        {"candidate": "gs://other/ranker/43"},
        {"policy": PreflightPolicy(agreement=0.8)},
    ],
)
def test_whatever_differs_is_another_workflow(client, argo, changes):
    parts = {name: getattr(WANTED, name) for name in WANTED.__dataclass_fields__}
    client().ask(WANTED)
    client().ask(PreflightRequest(**{**parts, **changes}))
    assert len(argo.workflows) == 2
    assert all(len(name) < 63 and name.replace("-", "").isalnum() for name in argo.workflows)


def test_somebody_who_makes_the_same_workflow_between_our_look_and_ours_is_no_fault(client, argo, server):
    client().ask(WANTED)
    (name,) = argo.workflows
    server.answers[f"/api/v1/workflows/workflows/{name}"] = Argo.refusal(404, 5, "not found")
    assert "waits to be run" in client().ask(WANTED)
    assert len(argo.workflows) == 1


@pytest.mark.parametrize(
    ("phase", "message"), [("Failed", "Error (exit code 2)"), ("Error", "pod deleted"), ("Succeeded", None)]
)
def test_without_a_report_it_is_unavailable_says_why_and_is_tried_again_after_a_pause(client, argo, phase, message):
    now = NOON + timedelta(seconds=50)
    preflights = client(clock=lambda: now)
    preflights.ask(WANTED)
    argo.become(phase, message=message)
    said = asked(preflights)
    assert f"ended as {phase} without a result" in said
    assert (message or "") in said
    assert len(argo.workflows) == 1
    now += timedelta(minutes=1)
    assert "waits to be run" in preflights.ask(WANTED)
    first, second = argo.workflows
    assert (first[:-1], first[-1], second[-1]) == (second[:-1], "0", "1")
    argo.become("Failed", at=now)
    now += timedelta(minutes=1)
    asked(preflights)
    argo.become("Succeeded", preflight_json(passed()))
    assert client(clock=lambda: now).ask(WANTED) == passed()


@pytest.mark.parametrize(
    ("report", "said"),
    [
        (preflight_json(passed(44)), "were not those that are pinned"),
        (preflight_json(passed(43, 41)), "were not those that are pinned"),
        (preflight_json(passed(43, None)), "were not those that are pinned"),
        ("no JSON", "not the result of a preflight"),
        ('{"verdict": "pass"}', "not the result of a preflight"),
        (preflight_json(failed()).replace('"verdict": "fail"', '"verdict": "pass"'), "the verdict is not the one"),
    ],
)
def test_a_report_about_other_files_or_of_another_form_is_no_result(client, argo, report, said):
    preflights = client()
    preflights.ask(WANTED)
    argo.become("Succeeded", report)
    assert said in asked(preflights)


def test_where_versions_must_be_signed_a_report_that_does_not_tell_is_no_result(client, argo):
    preflights = client(signed=True)
    preflights.ask(WANTED)
    argo.become("Succeeded", preflight_json(passed()))
    assert "did not look for a signature" in asked(preflights)
    told = passed()
    told = type(told)(
        told.candidate, told.stable, told.tensorflow, (*told.checks, Check(CheckName.SIGNED, Outcome.PASS, "by us"))
    )
    argo.become("Succeeded", preflight_json(told))
    assert preflights.ask(WANTED).passed


@pytest.mark.parametrize("phase", [None, "Running"])
def test_a_workflow_that_nobody_looks_after_is_an_alarm(client, argo, phase):
    client().ask(WANTED)
    if phase:
        argo.become(phase)
    assert "controller runs" in asked(client(clock=lambda: NOON + timedelta(hours=4)))


def test_text_that_argo_would_fill_in_is_never_sent(client, argo):
    odd = "gs://shop-models/{{workflow.uid}}/43"
    assert "{{" in asked(client(), PreflightRequest(odd, digest(43), None, None, ByManifest(), PreflightPolicy()))
    assert not argo.workflows


def test_a_template_that_is_missing_or_another_one_is_said_with_what_to_do(client, argo):
    argo.templates = {}
    assert "knows no WorkflowTemplate verify-version" in asked(client())
    argo.templates = {"verify-version": {"candidate"}}
    assert "is the WorkflowTemplate verify-version the promoter's own?" in asked(client())


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("code", "said"),
    [(401, "refuses our token"), (403, "promoter-preflights"), (429, "too much"), (500, "status 500"), (503, "ready")],
)
def test_what_the_server_refuses_is_said_and_tried_again_by_itself(client, server, argo, method, code, said):
    def refusing(handler):
        (status(code) if handler.command == method else argo)(handler)

    server.answers[""] = refusing
    preflights = client()
    assert said in asked(preflights)
    server.answers[""] = argo
    assert "waits to be run" in preflights.ask(WANTED)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (silent(), "did not answer within 1s"),
        (dripping(), "did not answer within 1s"),
        (endless(), "more than 8 MiB"),
        (endless(500), "more than 8 MiB"),
        (broken_off(), "broke off"),
        (gzip_bomb(), "compressed"),
        (body(b"<html>sign in</html>"), "none of its API"),
        (body(b"null"), "none of its API"),
        (body(b"[1]"), "none of its API"),
        (as_json({"metadata": {}, "spec": {}, "status": {"phase": 7, "nodes": []}}), "none of its API"),
        (body(b'{"metadata":' + b"[" * 100_000), "none of its API"),
        (status(302, Location="http://127.0.0.1:9/"), "redirects are not followed"),
        (body(b"<html>no such page</html>", 418), "status 418"),
    ],
)
def test_an_answer_that_is_none_is_unavailable_and_soon(client, server, answer, said):
    server.answers[""] = answer
    begun = time.monotonic()
    assert said in asked(client())
    assert time.monotonic() - begun < 5


def test_a_server_that_is_not_there_is_unavailable(token_file):
    assert "cannot be reached" in asked(WorkflowPreflights("http://127.0.0.1:9", token_file, "workflows"))


def test_a_token_is_read_when_it_is_sent_and_one_that_is_none_is_never_shown(client, argo, server, token_file):
    preflights = client()
    token_file.write_text("first")
    preflights.ask(WANTED)
    token_file.write_text("second")
    preflights.ask(WANTED)
    assert server.requests[-1].headers["Authorization"] == "Bearer second"
    token_file.write_text(f"{TOKEN}\nline: two")
    assert "holds no token" in asked(preflights)
    token_file.unlink()
    assert str(token_file) in asked(preflights)


def test_credentials_of_a_netrc_file_are_not_sent_in_place_of_the_token(client, argo, server, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login robin password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    client().ask(WANTED)
    assert {request.headers["Authorization"] for request in server.requests} == {f"Bearer {TOKEN}"}


def test_a_server_below_a_path_is_asked_below_that_path(argo, server, token_file):
    WorkflowPreflights(f"{server.url}/argo/", token_file, "workflows").ask(WANTED)
    assert {request.path.split("/api/")[0] for request in server.requests} == {"/argo"}


@pytest.mark.parametrize(
    "url", ["argo:2746", "ftp://argo", "https://robin:secret@argo", "https://argo/?a=b", "https://{a}"]
)
def test_a_url_that_is_none_is_refused_without_showing_it(url, token_file):
    with pytest.raises(InvalidSettings) as refusal:
        WorkflowPreflights(url, token_file, "workflows")
    assert "secret" not in str(refusal.value)


def test_a_namespace_that_is_none_is_refused(token_file):
    with pytest.raises(InvalidName):
        WorkflowPreflights("https://argo", token_file, "a/b")
