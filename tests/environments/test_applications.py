"""The ApplicationSet and its project: one Application per model's folder, within guard rails that fit the chart."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath

import helm_python
import jsonschema
import pytest
import yaml
from charts.rendering import SITUATIONS, render, situation

from promoter.domain.names import ServedModel

HERE = Path(__file__).parent
ENVIRONMENTS = HERE.parents[1] / "environments"
PROJECT = yaml.safe_load((ENVIRONMENTS / "project.yaml").read_text(encoding="utf-8"))
SET = yaml.safe_load((ENVIRONMENTS / "applicationset.yaml").read_text(encoding="utf-8"))
TEMPLATE = SET["spec"]["template"]
(GENERATOR,) = (generator["git"] for generator in SET["spec"]["generators"])
FOLDERS = ["environments/staging/resnet50", "environments/production/vision/resnet50"]


@pytest.fixture
def application(tmp_path):
    """The ApplicationSet's template for one folder, as Go's templates and sprig fill it in; Helm has both."""

    def filled(folder):
        (tmp_path / "templates").mkdir(exist_ok=True)
        (tmp_path / "Chart.yaml").write_text("apiVersion: v2\nname: template\nversion: 0.0.0\n", encoding="utf-8")
        body = "{{- with .Values }}\n" + yaml.safe_dump(TEMPLATE, width=1000) + "{{- end }}\n"
        (tmp_path / "templates" / "application.yaml").write_text(body, encoding="utf-8")
        with helm_python.Chart.load(tmp_path) as chart:
            (text,) = chart.render({"path": {"path": folder, "segments": folder.split("/")}}).values()
        return yaml.safe_load(text)

    return filled


@pytest.mark.parametrize("manifest", [PROJECT, SET], ids=lambda manifest: manifest["kind"])
def test_argo_cd_takes_the_manifest(manifest):
    schema = HERE / "custom_resources" / f"{manifest['kind'].lower()}.json"
    jsonschema.validate(manifest, json.loads(schema.read_text(encoding="utf-8")))


@pytest.mark.parametrize("folder", FOLDERS)
def test_an_application_is_named_and_placed_as_the_promoter_expects(application, folder):
    served = ServedModel.from_folder(folder)
    made = application(folder)
    assert made["metadata"]["name"] == served.application
    assert made["spec"]["destination"]["namespace"] == served.environment
    assert made["spec"]["project"] == PROJECT["metadata"]["name"]


@pytest.mark.parametrize("folder", FOLDERS)
def test_an_application_reads_the_chart_and_two_values_files_from_one_source(application, folder):
    spec = application(folder)["spec"]
    assert "sources" not in spec
    assert spec["source"]["path"] == "charts/model-serving"
    assert spec["source"]["helm"] == {"valueFiles": [f"/{folder}/values.yaml", f"/{folder}/release.yaml"]}


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_commit_for_another_model_refreshes_nothing(application, folder):
    paths = application(folder)["metadata"]["annotations"]["argocd.argoproj.io/manifest-generate-paths"]
    assert paths == f".;/{folder}"


def test_a_value_that_is_missing_fails_instead_of_rendering_nothing():
    assert SET["spec"]["goTemplate"] is True
    assert SET["spec"]["goTemplateOptions"] == ["missingkey=error"]


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("environments/staging/resnet50/release.yaml", True),
        ("environments/production/vision/resnet50/release.yaml", True),
        ("environments/production/vision/large/resnet50/release.yaml", False),
        ("environments/production/vision/policy.yaml", False),
        ("environments/release.yaml", False),
    ],
)
def test_folders_of_models_are_found_and_groups_are_not(path, found):
    matching = [entry for entry in GENERATOR["files"] if PurePosixPath(path).match(entry["path"])]
    depth = [entry for entry in matching if entry["path"].count("/") == path.count("/")]
    assert (bool(depth) and not any(entry.get("exclude") for entry in depth)) is found


def test_everything_is_read_from_one_repository_at_one_branch():
    source = TEMPLATE["spec"]["source"]
    assert {GENERATOR["repoURL"], source["repoURL"]} == set(PROJECT["spec"]["sourceRepos"])
    assert GENERATOR["revision"] == source["targetRevision"] == "main"


def test_git_is_followed_and_drift_is_undone():
    assert TEMPLATE["spec"]["syncPolicy"]["automated"] == {"prune": True, "selfHeal": True}


def test_a_retry_takes_what_git_says_now():
    retry = TEMPLATE["spec"]["syncPolicy"]["retry"]
    assert retry["refresh"] is True
    assert retry["limit"] > 0


def test_no_mistake_in_git_takes_a_model_out_of_service():
    assert SET["spec"]["syncPolicy"] == {"applicationsSync": "create-update", "preserveResourcesOnDeletion": True}
    assert "finalizers" not in TEMPLATE["metadata"]


def test_a_person_may_switch_automated_sync_off():
    (ignored,) = SET["spec"]["ignoreApplicationDifferences"]
    assert ignored["jsonPointers"] == ["/spec/syncPolicy/automated"]


def test_the_project_allows_exactly_the_kinds_of_the_chart():
    allowed = {(entry["group"], entry["kind"]) for entry in PROJECT["spec"]["namespaceResourceWhitelist"]}
    rendered = {
        (manifest["apiVersion"].rpartition("/")[0], manifest["kind"])
        for name in SITUATIONS
        for manifest in render(situation(name))
    }
    assert allowed == rendered
    assert PROJECT["spec"]["clusterResourceWhitelist"] == []


def test_the_project_allows_the_namespaces_of_the_environments():
    namespaces = {destination["namespace"] for destination in PROJECT["spec"]["destinations"]}
    assert namespaces == {path.name for path in ENVIRONMENTS.iterdir() if path.is_dir()}
    assert {destination["server"] for destination in PROJECT["spec"]["destinations"]} == {
        TEMPLATE["spec"]["destination"]["server"]
    }


def test_the_promoter_may_only_get():
    policies = [policy for role in PROJECT["spec"]["roles"] for policy in role["policies"]]
    assert policies == ["p, proj:models:promoter, applications, get, models/*, allow"]
