"""`promoter render`, `promoter diff` and `promoter new-model` on a checkout with the real chart."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from promoter.cli import main
from promoter.rendering.difference import masked

ROOT = Path(__file__).parents[2]
RELEASE = "environments/production/resnet50/release.yaml"


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments], env={"PROMOTER_PROMETHEUS_URL": None})


def git(folder, *arguments):
    identity = ["-c", "user.name=Jane", "-c", "user.email=jane@shop.example"]
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)


@pytest.fixture
def checkout(tmp_path):
    root = tmp_path / "checkout"
    for part in ("environments", "charts"):
        shutil.copytree(ROOT / part, root / part)
    git(tmp_path, "init", "--quiet", "--initial-branch=main", str(root))
    git(root, "add", ".")
    git(root, "commit", "--quiet", "--message", "First files")
    git(root, "switch", "--quiet", "--create", "change")
    return root


def release(version):
    return f"release:\n  stable: {{version: {version}, digest: 'sha256:{version:064x}'}}\n"


def test_what_is_rendered_is_what_would_be_applied(checkout):
    (checkout / RELEASE).write_text(release(42))
    result = run("render", "resnet50", "--environment", "production", "--root", checkout)
    objects = {(part["kind"], part["metadata"]["name"]) for part in yaml.safe_load_all(result.stdout)}
    assert ("Deployment", "resnet50-v42") in objects


def test_a_model_that_is_not_there_is_answered_with_those_that_are(checkout):
    result = run("render", "ranker", "--environment", "production", "--root", checkout)
    assert result.exit_code == 1
    assert "staging/resnet50" in result.stderr


def test_a_branch_without_a_change_changes_nothing(checkout):
    assert run("diff", "main", "--root", checkout).stdout == "No manifest changes in any environment.\n"


def test_a_change_of_one_model_shows_its_objects_and_no_others(checkout):
    (checkout / RELEASE).write_text(release(42))
    result = run("diff", "main", "--root", checkout)
    assert result.exit_code == 0
    assert "Manifests change for 1 model in production." in result.stdout
    assert "--- Deployment resnet50-v42: added" in result.stdout
    assert "staging" not in result.stdout


def test_only_what_was_changed_since_the_branch_was_left_counts(checkout):
    git(checkout, "switch", "--quiet", "main")
    (checkout / RELEASE).write_text(release(42))
    git(checkout, "commit", "--quiet", "--all", "--message", "Somebody else's")
    git(checkout, "switch", "--quiet", "change")
    assert "No manifest changes" in run("diff", "main", "--root", checkout).stdout


def test_a_change_of_the_chart_is_shown_for_every_model(checkout):
    template = checkout / "charts/model-serving/templates/podmonitor.yaml"
    template.write_text(template.read_text().replace("  selector:\n", "  sampleLimit: 1000\n  selector:\n", 1))
    result = run("diff", "main", "--root", checkout)
    assert "1 model in production, 1 model in staging" in result.stdout
    assert "+  sampleLimit: 1000" in result.stdout


def test_a_model_that_is_taken_away_and_one_that_comes_are_shown(checkout):
    shutil.rmtree(checkout / "environments/staging/resnet50")
    shutil.copytree(checkout / "environments/production/resnet50", checkout / "environments/production/vision/resnet50")
    result = run("diff", "main", "--root", checkout)
    _, come, gone = result.stdout.split("=== ")
    assert come.startswith("production/vision/resnet50\n")
    assert "--- PodMonitor resnet50: added" in come
    assert gone.startswith("staging/resnet50\n")
    assert "--- PodMonitor resnet50: removed" in gone


def test_a_model_that_can_no_longer_be_rendered_fails_and_the_others_are_shown(checkout):
    (checkout / RELEASE).write_text("release: {weight: <b>@all</b>}\n")
    values = checkout / "environments/staging/resnet50/values.yaml"
    values.write_text(values.read_text() + "monitoring: {interval: 15s}\n")
    result = run("diff", "main", "--markdown", "--root", checkout)
    assert result.exit_code == 1
    assert "- `production/resnet50`: **cannot be rendered**" in result.stdout
    assert "<b>" not in result.stdout
    assert "+  - port: http" in result.stdout or "interval: 15s" in result.stdout


def test_a_comment_has_room_for_a_host_to_take_it_whatever_changes(checkout):
    (checkout / RELEASE).write_text(release(42))
    for number in range(60):
        shutil.copytree(checkout / "environments/production/resnet50", checkout / f"environments/staging/r{number}")
    result = run("diff", "main", "--markdown", "--root", checkout)
    assert len(result.stdout.encode()) <= 60_000
    assert "- `staging/r59`: added" in result.stdout
    assert result.stdout.endswith("The rest has no room here: `promoter diff` shows it.\n")


def test_links_are_refused_so_that_nothing_outside_is_shown(checkout, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("kind: PASSWORD\n")
    (checkout / "charts/model-serving/templates/stolen.yaml").symlink_to(secret)
    result = run("diff", "main", "--root", checkout)
    assert result.exit_code == 1
    assert "is a link" in result.stdout
    assert "PASSWORD" not in result.stdout


@pytest.mark.parametrize("ref", ["nowhere", "--", "HEAD~40"])
def test_a_commit_that_is_not_there_is_said(checkout, ref):
    result = run("diff", "--root", checkout, "--", ref)
    assert result.exit_code == 1
    assert "fetch it first" in result.stderr


def test_what_is_in_a_secret_is_not_shown():
    secret = {"kind": "Secret", "metadata": {"name": "key"}, "data": {"key": "cGFzcw=="}, "stringData": {"a": "b"}}
    assert masked(secret) == {
        "kind": "Secret",
        "metadata": {"name": "key"},
        "data": {"key": "(secret)"},
        "stringData": {"a": "(secret)"},
    }


def new_model(checkout, *arguments, name="ranker", environment="staging"):
    common = ["--environment", environment, "--store", "gs://shop/ranker", "--host", f"{name}.shop.example"]
    return run("new-model", name, *common, "--root", checkout, *arguments)


def test_what_is_written_passes_the_check_and_renders(checkout):
    assert new_model(checkout).exit_code == 0
    assert new_model(checkout, "--group", "shop", "--gateway", "istio-ingress/public", name="sorter").exit_code == 0
    assert new_model(checkout, "--upstream", "staging", environment="production").exit_code == 0
    checked = run("check", checkout)
    assert checked.exit_code == 0, checked.output
    for model, environment in (("ranker", "staging"), ("shop/sorter", "staging"), ("ranker", "production")):
        assert run("render", model, "--environment", environment, "--root", checkout).exit_code == 0


def test_a_dry_run_shows_all_three_files_and_writes_none(checkout):
    result = new_model(checkout, "--dry-run")
    assert [line for line in result.stdout.splitlines() if line.startswith("# environments/")] == [
        f"# environments/staging/ranker/{name}.yaml" for name in ("values", "policy", "release")
    ]
    assert not (checkout / "environments/staging/ranker").exists()


def test_nothing_is_overwritten_and_nothing_is_half_written(checkout):
    folder = checkout / "environments/staging/ranker"
    folder.mkdir()
    (folder / "policy.yaml").write_text("mine\n")
    result = new_model(checkout)
    assert result.exit_code == 1
    assert "there already; nothing was written" in result.stderr
    assert [path.name for path in folder.iterdir()] == ["policy.yaml"]


@pytest.mark.parametrize(
    ("arguments", "changes", "said"),
    [
        ([], {"name": "Ranker"}, "cannot name a model"),
        ([], {"name": "r" * 43}, "at most 42 characters"),
        ([], {"name": "resnet50"}, "there already"),
        (["--group", "vision"], {"name": "resnet50"}, "resnet50 in staging already"),
        (["--upstream", "staging"], {}, "cannot be its own upstream"),
        (["--upstream", "canada"], {}, "make the model in canada first"),
        (["--store", "ranker"], {}, "is not a store's address"),
    ],
)
def test_a_model_that_would_not_work_is_refused_before_anything_is_written(checkout, arguments, changes, said):
    before = sorted(checkout.rglob("*.yaml"))
    result = new_model(checkout, *arguments, **changes)
    assert result.exit_code == 1
    assert said in result.stderr
    assert sorted(checkout.rglob("*.yaml")) == before
