"""`promoter sandbox` as a person types it."""

import io
import json
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner
from rich.console import Console

from promoter.cli.sandbox import sandbox
from promoter.domain.version import ModelVersion
from promoter.sandbox import processes
from promoter.sandbox.demo.screen import PlainScreen
from promoter.sandbox.demo.stage import ModelBuild
from promoter.sandbox.layout import Layout
from promoter.sandbox.model_zoo import half_upload
from promoter.sandbox.parts import clean_environment
from promoter.sandbox.ports import free_port_base
from promoter.sandbox.records import SandboxRecord, write_record
from promoter.sandbox.supervisor import Sandbox, StoreKind

V1 = ModelVersion(1)
PROMOTER = (sys.executable, "-m", "promoter")
ROOT = Path(__file__).resolve().parents[2]


def say(*arguments):
    return CliRunner().invoke(sandbox, [str(argument) for argument in arguments])


@pytest.fixture
def layout(tmp_path):
    layout = Layout.at(tmp_path / "sandbox", free_port_base())
    yield layout
    processes.sweep(layout.directory)


@pytest.mark.parametrize("command", ["status", "env"])
def test_a_folder_without_a_sandbox_is_an_error_and_is_not_made(tmp_path, command):
    result = say(command, "--directory", tmp_path / "none")
    assert result.exit_code == 1
    assert "No sandbox was brought up in" in result.stderr
    assert not (tmp_path / "none").exists()


def test_down_where_nothing_was_up_is_no_error(tmp_path):
    result = say("down", "--directory", tmp_path / "none")
    assert (result.exit_code, "no sandbox was brought up" in result.output) == (0, True)
    assert not (tmp_path / "none").exists()


def test_up_names_the_port_that_is_taken_and_starts_nothing(layout):
    with socket.create_server(("127.0.0.1", layout.prometheus_port)):
        result = say("up", "--directory", layout.directory, "--project", ROOT, "--port-base", layout.port_base)
    assert result.exit_code == 1
    assert f"error: Port {layout.prometheus_port} on 127.0.0.1, which prometheus needs, is held by" in result.stderr
    assert not processes.marked(layout.directory)


def test_up_outside_a_checkout_says_where_to_run_it(tmp_path):
    result = say("up", "--directory", tmp_path / "sandbox", "--project", tmp_path, "--port-base", 0)
    assert result.exit_code == 1
    assert "--project" in result.stderr


def test_status_for_programs_lists_every_part_and_says_when_pods_are_not_known(layout):
    layout.directory.mkdir()
    write_record(layout, SandboxRecord(layout.port_base, 50))
    shown = json.loads(say("status", "--json", "--directory", layout.directory).stdout)
    assert [part["name"] for part in shown["parts"]] == ["agent", "envoy", "prometheus", "promoter", "traffic"]
    assert {part["state"] for part in shown["parts"]} == {"stopped"}
    assert shown["pods"] is None


def test_env_prints_what_a_shell_can_read(layout):
    layout.directory.mkdir()
    write_record(layout, SandboxRecord(layout.port_base, 50, {"PROMOTER_PASS_INTERVAL": "7s"}))
    lines = say("env", "--directory", layout.directory).stdout.splitlines()
    assert f"export PROMOTER_REPOSITORY={layout.remote_url}" in lines
    assert "export PROMOTER_PASS_INTERVAL=7s" in lines


def test_after_env_a_shell_finds_the_programs_wherever_they_came_from(layout):
    layout.directory.mkdir()
    write_record(layout, SandboxRecord(layout.port_base, 50))
    printed = say("env", "--directory", layout.directory).stdout
    script = f"{printed}\ncommand -v promoter && command -v prometheus"
    # A shell of somebody who has neither on PATH.
    found = subprocess.run(["/bin/sh", "-c", script], env={"PATH": "/bin"}, capture_output=True, text=True, check=True)
    assert [Path(line).name for line in found.stdout.splitlines()] == ["promoter", "prometheus"]


def test_a_sandbox_keeps_the_store_that_it_began_with(layout, monkeypatch):
    monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)
    Sandbox.create(layout.directory, project=ROOT, port_base=layout.port_base, store=StoreKind.GS)
    again = Sandbox.create(layout.directory, project=ROOT, port_base=layout.port_base)
    assert again.layout.store_url == "gs://sandbox-models"
    assert next(part.name for part in again.status()) == "storage"
    refused = say("up", "--directory", layout.directory, "--project", ROOT, "--store", "file")
    assert refused.exit_code == 1
    assert "keeps its versions with --store gs" in refused.stderr


def test_with_an_emulator_that_a_person_chose_none_is_started_and_a_shell_learns_of_it(layout, monkeypatch):
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:9")
    made = Sandbox.create(layout.directory, project=ROOT, port_base=layout.port_base, store=StoreKind.GS)
    assert "storage" not in [part.name for part in made.status()]
    lines = say("env", "--directory", layout.directory).stdout.splitlines()
    assert "export STORAGE_EMULATOR_HOST=http://127.0.0.1:9" in lines
    refused = say("up", "--directory", layout.directory, "--project", ROOT, "--port-base", layout.port_base)
    assert refused.exit_code == 1
    assert "the emulator at http://127.0.0.1:9, which STORAGE_EMULATOR_HOST named, does not answer" in refused.stderr
    assert not processes.marked(layout.directory)


def until(holds, patience=300):
    deadline = time.monotonic() + patience
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.2)


@pytest.mark.sandbox
def test_the_whole_sandbox_serves_from_a_bucket_survives_a_crash_of_a_part_and_goes_down(layout, monkeypatch):
    monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)
    models = layout.directory.parent / "models"
    with ModelBuild(models, [V1], layout.directory.parent / "models.log") as build:
        place = ("--directory", layout.directory, "--project", ROOT, "--port-base", layout.port_base)
        up = say("up", "--store", "gs", *place)
        assert up.exit_code == 0, up.output
        assert "storage: ready after" in up.stdout
        assert "promoter publish FOLDER gs://sandbox-models/resnet50" in up.stdout
        build.wait_for([V1], PlainScreen(Console(file=io.StringIO())))
    opened = Sandbox.open(layout.directory)
    by_hand = {"env": {**clean_environment(), **opened.environment()}, "capture_output": True, "text": True}
    address = opened.layout.model_store_url
    half_upload(models / "1", opened.layout, ModelVersion(2))
    published = subprocess.run([*PROMOTER, "publish", models / "1", address, "--version", "1"], **by_hand, check=False)
    assert f"{address}/1 is complete: sha256:" in published.stdout, published.stderr
    until(lambda: (found := opened.application()) and (served := found.deployment(V1)) and served.ready == 2)
    status = json.loads(subprocess.run([*PROMOTER, "status", "--json"], **by_hand, check=True).stdout)
    assert status["models"][0]["stable"] == 1
    assert "no manifest.json" in status["models"][0]["incomplete"]["2"]
    assert httpx.get(f"{layout.prometheus_url}/-/ready", trust_env=False).is_success
    say("kill", "prometheus", "--directory", layout.directory)
    table = say("status", "--directory", layout.directory).stdout
    assert "died (SIGKILL)" in table
    started = say("start", "prometheus", "--directory", layout.directory)
    assert "prometheus: ready after" in started.stdout
    assert say("down", "--directory", layout.directory).exit_code == 0
    assert not processes.marked(layout.directory)
