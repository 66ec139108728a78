"""The ApplicationSet and its project: one Application per model's folder, within guard rails that fit the chart."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath

import helm_python
import jsonschema
import kubernetes_validate
import pytest
import yaml
from charts.rendering import SITUATIONS, render, situation

from promoter.bootstrap.installation import Installation
from promoter.domain.names import ServedModel

HERE = Path(__file__).parent
ENVIRONMENTS = HERE.parents[1] / "environments"
NAMES = sorted(path.name for path in ENVIRONMENTS.iterdir() if path.is_dir())
PROJECTS = {name: yaml.safe_load((ENVIRONMENTS / name / "project.yaml").read_text(encoding="utf-8")) for name in NAMES}
SET = yaml.safe_load((ENVIRONMENTS / "applicationset.yaml").read_text(encoding="utf-8"))
TEMPLATE = SET["spec"]["template"]
(GENERATOR,) = (generator["git"] for generator in SET["spec"]["generators"])
FOLDERS = ["environments/staging/resnet50", "environments/production/vision/resnet50"]
INSTALLATION = Installation(GENERATOR["repoURL"], tuple(NAMES))
OBJECTS = [document for document in yaml.safe_load_all(INSTALLATION.objects(network_policies=True)) if document]
(ROOT_APPLICATION,) = (document for document in OBJECTS if document["kind"] == "Application")


@pytest.fixture
def application(tmp_path):
    """The ApplicationSet's template for one folder, as Go's templates and sprig fill it in; Helm has both."""

    def filled(folder, release=None):
        (tmp_path / "templates").mkdir(exist_ok=True)
        (tmp_path / "Chart.yaml").write_text("apiVersion: v2\nname: template\nversion: 0.0.0\n", encoding="utf-8")
        body = "{{- with .Values }}\n" + yaml.safe_dump(TEMPLATE, width=1000) + "{{- end }}\n"
        (tmp_path / "templates" / "application.yaml").write_text(body, encoding="utf-8")
        with helm_python.Chart.load(tmp_path) as chart:
            (text,) = chart.render(
                {"path": {"path": folder, "segments": folder.split("/")}, **(release or {})}
            ).values()
        return yaml.safe_load(text)

    return filled


def test_the_files_are_what_bootstrap_writes():
    assert {path: (HERE.parents[1] / path).read_text(encoding="utf-8") for path in INSTALLATION.files()} == (
        INSTALLATION.files()
    )


@pytest.mark.parametrize("manifest", OBJECTS, ids=lambda manifest: f"{manifest['kind']}-{manifest['metadata']['name']}")
def test_the_api_server_takes_the_manifest(manifest):
    schema = HERE / "custom_resources" / f"{manifest['kind'].lower()}.json"
    if schema.is_file():
        jsonschema.validate(manifest, json.loads(schema.read_text(encoding="utf-8")))
    else:
        kubernetes_validate.validate(manifest, "1.35", strict=True)


@pytest.mark.parametrize("folder", FOLDERS)
def test_an_application_is_named_and_placed_as_the_promoter_expects(application, folder):
    served = ServedModel.from_folder(folder)
    made = application(folder)
    assert made["metadata"]["name"] == served.application
    assert made["spec"]["destination"]["namespace"] == served.environment
    assert made["spec"]["project"] == PROJECTS[served.environment]["metadata"]["name"]


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


def test_a_folder_reaches_no_project_but_its_environments_own(application):
    # Argo CD's own project `default` allows everything.
    assert application("environments/default/resnet50")["spec"]["project"] == "models-default"


RELEASES = {
    "nothing": ({}, ["none", "none", "none", "no", "none"]),
    "an empty release": ({"release": {}}, ["none", "none", "none", "no", "none"]),
    "empty keys": (
        {"release": {"stable": None, "canary": None, "rejected": []}},
        ["none", "none", "none", "no", "none"],
    ),
    "a stable version": ({"release": {"stable": {"version": 20261122201634.0}}}, ["20261122201634", "none"]),
    "a canary": (
        {"release": {"stable": {"version": 42}, "canary": {"version": 43, "weight": 5}}},
        ["42", "43", "5 %", "no", "none"],
    ),
    "a withdrawn one": (
        {"release": {"stable": {"version": 42}, "canary": {"version": 43, "weight": 0, "withdrawn": "{{ blind }}"}}},
        ["42", "43", "0 %", "{{ blind }}"],
    ),
    "rejected ones": (
        {"release": {"rejected": [{"version": 40, "reason": "slow"}, {"version": 41, "reason": "3 % failed"}]}},
        ["none", "none", "none", "no", "41: 3 % failed"],
    ),
}


@pytest.mark.parametrize(("release", "told"), RELEASES.values(), ids=RELEASES)
def test_argo_cds_page_tells_versions_weight_and_reasons(application, release, told):
    info = application(FOLDERS[0], release)["spec"]["info"]
    assert [entry["value"] for entry in info][: len(told)] == told


def test_everything_is_read_from_one_repository_at_one_branch():
    source = TEMPLATE["spec"]["source"]
    allowed = {url for project in OBJECTS if project["kind"] == "AppProject" for url in project["spec"]["sourceRepos"]}
    assert {GENERATOR["repoURL"], source["repoURL"], ROOT_APPLICATION["spec"]["source"]["repoURL"]} == allowed
    assert GENERATOR["revision"] == source["targetRevision"] == "main"


def test_pods_go_after_the_route_has_left_them():
    assert "PruneLast=true" in TEMPLATE["spec"]["syncPolicy"]["syncOptions"]


def test_the_app_of_apps_keeps_the_guard_rails_and_nothing_else():
    include = ROOT_APPLICATION["spec"]["source"]["directory"]["include"]
    files = [path.relative_to(ENVIRONMENTS) for path in ENVIRONMENTS.rglob("*.yaml")]
    patterns = include.strip("{}").split(",")
    kept = {f"environments/{path}" for path in files if any(path.match(pattern) for pattern in patterns)}
    assert kept == set(INSTALLATION.files())
    assert ROOT_APPLICATION["spec"]["syncPolicy"]["automated"]["prune"] is False


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


@pytest.mark.parametrize("project", PROJECTS.values(), ids=PROJECTS)
def test_a_project_allows_exactly_the_kinds_of_the_chart_and_the_pods_that_come_of_them(project):
    allowed = {(entry["group"], entry["kind"]) for entry in project["spec"]["namespaceResourceWhitelist"]}
    rendered = {
        (manifest["apiVersion"].rpartition("/")[0], manifest["kind"])
        for name in SITUATIONS
        for manifest in render(situation(name))
    }
    # Argo CD shows in an Application's tree only what its project permits.
    assert allowed == rendered | {("apps", "ReplicaSet"), ("", "Pod")}
    assert project["spec"]["clusterResourceWhitelist"] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_project_allows_its_environments_namespace_alone(name):
    (destination,) = PROJECTS[name]["spec"]["destinations"]
    assert destination == {"server": TEMPLATE["spec"]["destination"]["server"], "namespace": name}


def test_the_promoter_may_only_get():
    policy = INSTALLATION.keys()["argocd-rbac-cm"]["policy.promoter.csv"]
    assert policy.splitlines() == [
        "p, role:promoter, applications, get, models-*/*, allow",
        "g, promoter, role:promoter",
    ]
