"""Every file under environments/ parses, agrees with its neighbours, and renders."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import yaml
from charts.rendering import of_kind, read_values, render

from promoter.documents.policy_file import parse_policy
from promoter.documents.release_file import parse_release
from promoter.domain.names import POLICY_FILE, RELEASE_FILE, VALUES_FILE, ServedModel

ROOT = Path(__file__).parents[2]
ENVIRONMENTS = ROOT / "environments"
MODELS = {
    served: ROOT / served.folder
    for served in (
        ServedModel.from_folder(str(path.parent.relative_to(ROOT))) for path in sorted(ENVIRONMENTS.rglob(RELEASE_FILE))
    )
}

every_model = pytest.mark.parametrize("served", MODELS, ids=str)


def text(served, name):
    return (MODELS[served] / name).read_text(encoding="utf-8")


def policy(served):
    return parse_policy(text(served, POLICY_FILE), served.policy_path)


def values(served):
    return read_values(MODELS[served] / VALUES_FILE, MODELS[served] / RELEASE_FILE)


def repeated(names):
    return [name for name, count in Counter(names).items() if count > 1]


def test_there_are_models_to_look_at():
    assert {str(served) for served in MODELS} >= {"staging/resnet50", "production/resnet50"}


@every_model
def test_a_model_has_its_three_files_and_no_other(served):
    assert {path.name for path in MODELS[served].iterdir()} == {VALUES_FILE, POLICY_FILE, RELEASE_FILE}


@every_model
def test_the_promoter_reads_release_and_policy(served):
    release = parse_release(text(served, RELEASE_FILE), served.release_path)
    assert release.canary is None or release.stable is not None
    assert policy(served).candidates is not None


@every_model
def test_people_and_the_promoter_write_different_keys(served):
    assert set(yaml.safe_load(text(served, RELEASE_FILE))) == {"release"}
    assert "release" not in yaml.safe_load(text(served, VALUES_FILE))


@every_model
def test_the_release_tells_people_who_writes_it(served):
    assert text(served, RELEASE_FILE).startswith("# Written by the promoter.")


@every_model
def test_a_model_is_named_like_its_folder(served):
    assert values(served)["model"]["name"] == served.model


@every_model
def test_the_chart_renders_a_model_before_and_with_a_version(served):
    assert of_kind(render(values(served), served.application, served.environment), "PodMonitor")
    stable = {"version": 1, "digest": f"sha256:{1:064x}"}
    objects = render({**values(served), "release": {"stable": stable}}, served.application, served.environment)
    assert list(of_kind(objects, "Deployment")) == [f"{served.model}-v1"]


@every_model
def test_candidates_come_from_where_the_pods_read_or_from_an_environment_that_has_the_model(served):
    candidates = policy(served).candidates
    if candidates.upstream is None:
        assert candidates.store == values(served)["model"]["storageUri"]
    else:
        upstream = ServedModel(candidates.upstream, served.model, served.group)
        assert upstream in MODELS
        assert values(upstream)["model"]["storageUri"] == values(served)["model"]["storageUri"]


@every_model
def test_helm_takes_the_name_of_an_application(served):
    assert len(served.application) <= 53


def test_no_two_models_share_an_application_an_object_or_a_host():
    assert repeated(served.application for served in MODELS) == []
    assert repeated((served.environment, served.model) for served in MODELS) == []
    assert repeated(host for served in MODELS for host in values(served)["route"]["hosts"]) == []
