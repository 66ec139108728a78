"""The remote of a sandbox, as its first commit makes it."""

import pygit2
import pytest

from promoter.errors import InvalidSettings
from promoter.sandbox.layout import BRANCH, Layout
from promoter.sandbox.seed import default_policy, seed

FOLDER = "environments/production/resnet50"


@pytest.fixture
def project(tmp_path):
    chart = tmp_path / "project" / "charts" / "model-serving"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("name: model-serving\n")
    (chart / "templates" / "service.yaml").write_text("kind: Service\n")
    return tmp_path / "project"


@pytest.fixture
def layout(tmp_path):
    return Layout.at(tmp_path / "sandbox")


def files(layout):
    """Every file of the remote's head, by path."""
    tree = pygit2.Repository(layout.remote).revparse_single(BRANCH).peel(pygit2.Tree)
    index = pygit2.Index()
    index.read_tree(tree)
    repository = pygit2.Repository(layout.remote)
    return {entry.path: repository[entry.id].data.decode() for entry in index}


def test_the_first_commit_holds_the_charts_of_the_project_and_one_model(layout, project):
    seed(layout, project, default_policy(layout))
    assert set(files(layout)) == {
        "charts/model-serving/Chart.yaml",
        "charts/model-serving/templates/service.yaml",
        f"{FOLDER}/values.yaml",
        f"{FOLDER}/policy.yaml",
        f"{FOLDER}/release.yaml",
    }
    assert files(layout)["charts/model-serving/templates/service.yaml"] == "kind: Service\n"


def test_a_person_made_the_first_commit(layout, project):
    seed(layout, project, default_policy(layout))
    head = pygit2.Repository(layout.remote).revparse_single(BRANCH)
    assert head.parents == []
    assert head.author.name != "promoter"
    assert "Promoter-" not in head.message


def test_the_remote_is_bare_and_its_head_is_the_branch(layout, project):
    seed(layout, project, default_policy(layout))
    repository = pygit2.Repository(layout.remote)
    assert repository.is_bare
    assert repository.head.name == f"refs/heads/{BRANCH}"
    assert layout.model_store.is_dir()


def test_the_policy_is_the_callers(layout, project):
    seed(layout, project, "candidates: {upstream: staging}\n")
    assert files(layout)[f"{FOLDER}/policy.yaml"] == "candidates: {upstream: staging}\n"


def test_a_remote_that_is_there_keeps_its_history(layout, project):
    seed(layout, project, "paused: true\n")
    before = pygit2.Repository(layout.remote).revparse_single(BRANCH).id
    seed(layout, project, "paused: false\n")
    assert pygit2.Repository(layout.remote).revparse_single(BRANCH).id == before


def test_a_folder_without_charts_is_refused_and_leaves_no_remote(layout, tmp_path):
    with pytest.raises(InvalidSettings, match=r"holds no charts/model-serving: .* --project"):
        seed(layout, tmp_path, default_policy(layout))
    assert not layout.remote.exists()


def test_a_seed_that_was_interrupted_is_made_again(layout, project):
    draft = layout.remote.with_suffix(".draft")
    (draft / "objects").mkdir(parents=True)
    seed(layout, project, default_policy(layout))
    assert f"{FOLDER}/release.yaml" in files(layout)
    assert not draft.exists()
