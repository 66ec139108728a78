"""What Hera renders, as it is committed, and what an operator expects of it."""

import pytest
import yaml
from click.testing import CliRunner
from hera.workflows import models as m

from workflows import pods
from workflows.render import HERE, main, rendered
from workflows.step import REFUSED

MODELS = {"train.yaml": m.WorkflowTemplate, "verify.yaml": m.WorkflowTemplate, "retrain.yaml": m.CronWorkflow}
MANIFESTS = {name: yaml.safe_load(text) for name, text in rendered().items()}
TEMPLATES = {
    f"{name}, {template['name']}": (manifest["spec"], template)
    for name, manifest in MANIFESTS.items()
    for template in manifest["spec"].get("templates", ())
}
STEPS = {name: (spec, template) for name, (spec, template) in TEMPLATES.items() if "script" in template}


@pytest.mark.parametrize("name", MODELS)
def test_the_committed_yaml_is_what_the_modules_say(name):
    assert (HERE / name).read_text() == rendered()[name], "render anew: python -m workflows.render"


@pytest.mark.parametrize("name", MODELS)
def test_heras_schema_of_argo_knows_every_field(name):
    read = MODELS[name].model_validate(MANIFESTS[name])
    assert read.model_dump(mode="json", by_alias=True, exclude_none=True) == MANIFESTS[name]


def test_a_file_that_is_not_what_the_modules_say_is_found_and_named(tmp_path):
    runner = CliRunner()
    assert runner.invoke(main, ["--output", str(tmp_path)]).exit_code == 0
    assert runner.invoke(main, ["--output", str(tmp_path), "--check"]).exit_code == 0
    changed = tmp_path / "train.yaml"
    changed.write_text(changed.read_text().replace("limit: 2", "limit: 3", 1))
    found = runner.invoke(main, ["--output", str(tmp_path), "--check"])
    assert found.exit_code == 1
    assert "train.yaml: not what the modules say. Render anew: python -m workflows.render" in found.stderr
    assert "limit: 3" in changed.read_text()


def test_another_image_is_that_of_every_step():
    text = "".join(rendered("registry.example.com/models:7").values())
    assert text.count("image: registry.example.com/models:7\n") == len(STEPS)
    assert pods.IMAGE not in text


@pytest.mark.parametrize("name", STEPS)
def test_a_step_has_no_rights_and_an_end(name):
    spec, template = STEPS[name]
    container = template["script"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert spec["securityContext"]["runAsNonRoot"]
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    assert spec["executor"]["serviceAccountName"] != spec["serviceAccountName"]
    assert container["resources"]["limits"] == container["resources"]["requests"]
    assert {"mountPath": "/tmp", "name": "tmp"} in container["volumeMounts"]
    assert template["activeDeadlineSeconds"] < spec["activeDeadlineSeconds"]
    assert template["retryStrategy"]["expression"].endswith(f"!= {REFUSED}")
    assert template["retryStrategy"]["backoff"]["factor"] > 1


@pytest.mark.parametrize("name", STEPS)
def test_a_step_gets_secrets_by_reference_and_only_where_it_opens_the_store(name):
    _, template = STEPS[name]
    secret = [entry for entry in template["script"]["env"] if "secretKeyRef" in entry.get("valueFrom", {})]
    opens = {"verify", "publish"}
    assert bool(secret) is (template["name"] in opens)
    assert all(entry["valueFrom"]["secretKeyRef"]["optional"] for entry in secret)


@pytest.mark.parametrize("name", STEPS)
def test_a_step_is_the_function_of_that_name_with_its_parameters(name):
    _, template = STEPS[name]
    module, function = template["script"]["args"][-1].split(":")
    assert template["script"]["args"][:-1] == ["-m", "workflows.step", "-e"]
    assert function == template["name"]
    found = getattr(__import__(module, fromlist=[function]), function)
    taken = {entry["name"] for entry in template["inputs"].get("parameters", ())}
    assert taken < set(found.wrapped_function.__annotations__)


def test_retraining_never_overlaps_and_is_made_up_for_after_a_short_outage():
    spec = MANIFESTS["retrain.yaml"]["spec"]
    assert (spec["concurrencyPolicy"], spec["timezone"], spec["startingDeadlineSeconds"]) == ("Forbid", "Etc/UTC", 3600)
    assert spec["workflowSpec"]["workflowTemplateRef"] == {"name": MANIFESTS["train.yaml"]["metadata"]["name"]}


def test_the_accounts_and_the_template_are_those_that_access_grants():
    documents = list(yaml.safe_load_all((HERE / "access.yaml").read_text()))
    names = {(document["kind"], document["metadata"]["name"]) for document in documents}
    assert ("ServiceAccount", pods.ACCOUNT) in names
    assert ("ServiceAccount", pods.EXECUTOR_ACCOUNT) in names
    assert ("Secret", f"{pods.EXECUTOR_ACCOUNT}.service-account-token") in names
    granted = [rule for document in documents for rule in document.get("rules", ())]
    assert not any("*" in rule["verbs"] + rule["resources"] for rule in granted)
    (template,) = [name for rule in granted for name in rule.get("resourceNames", ())]
    assert template == MANIFESTS["verify.yaml"]["metadata"]["name"]
