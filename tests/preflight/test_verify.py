"""Real versions, loaded and asked, beside the version that is stable."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from promoter.adapters.publishing import publish
from promoter.domain.preflight import CheckName, Outcome, PreflightPolicy, Tolerance
from promoter.domain.version import ModelVersion
from promoter.errors import BrokenVersion
from promoter.preflight import checks
from promoter.preflight.version_files import NotSigned

pytestmark = pytest.mark.sandbox

COMMAND = [sys.executable, "-m", "promoter", "verify"]
# The difference that counts, which most tests here switch off.
LEAST_SECONDS = checks._LEAST_SECONDS


def failed(found):
    return [check.name.value for check in found.checks if check.outcome is Outcome.FAIL]


def test_a_good_version_passes_with_figures(verified):
    found, by_name = verified("good", "stable", PreflightPolicy(max_batch_size=4))
    assert found.passed
    assert [check.name.value for check in found.checks if check.outcome is not Outcome.PASS] == ["warmup"]
    assert by_name["signatures"].reason == "the same as stable's"
    assert by_name["batch"].reason == "batches of 1 and 4 answered"
    assert by_name["drift"].figures["top1_agreement"] == 1
    assert 0 <= by_name["drift"].figures["divergence_nats"] < 0.01
    assert 0 < by_name["drift"].figures["largest_difference"] < 0.01
    assert by_name["memory"].figures["peak_bytes"] > 0
    assert found.candidate.digest.startswith("sha256:")
    assert found.tensorflow.count(".") == 2


def test_without_a_stable_version_nothing_is_compared(verified):
    found, by_name = verified("vocabulary")
    assert found.passed
    skipped = {name for name, check in by_name.items() if check.outcome is Outcome.SKIPPED}
    assert skipped == {"signatures", "drift", "memory", "latency"}
    assert by_name["latency"].figures["median_ms"] > 0


@pytest.mark.parametrize(
    ("candidate", "stable", "reason"),
    [
        ("stable", "two-inputs", "serving_default: input bias (float32[?, 1]) is gone"),
        ("two-inputs", "stable", "serving_default: input, without a default, bias (float32[?, 1]) is new"),
        ("other-type", "stable", "serving_default: input x was float32[?, 8] and is float64[?, 8]"),
        ("other-rank", "stable", "serving_default: input x was float32[?, 8] and is float32[?, 1, 8]"),
        ("fixed-batch", "stable", "serving_default: input x was float32[?, 8] and is float32[1, 8]"),
        ("stable", "more-outputs", "serving_default: output best (int64[?]) is gone"),
    ],
)
def test_what_stables_callers_cannot_ask_fails(verified, candidate, stable, reason):
    found, by_name = verified(candidate, stable)
    assert failed(found) == ["signatures"]
    assert reason in by_name["signatures"].reason


def test_a_further_output_is_allowed_and_said(verified):
    found, by_name = verified("more-outputs", "stable")
    assert found.passed
    assert by_name["signatures"].details == ("+ serving_default: output best (int64[?]) is new",)


# Loading


def test_missing_variables_are_told(edited, verified):
    folder = edited("stable")
    shutil.rmtree(folder / "variables")
    found, by_name = verified(folder)
    assert failed(found) == ["load"]
    assert by_name["load"].reason == "variables are missing: variables/variables.index is not there"


def test_an_upload_that_lost_a_shard_is_told(edited, verified):
    folder = edited("stable")
    (folder / "variables/variables.data-00000-of-00001").unlink()
    assert verified(folder)[1]["load"].reason.startswith("variables are missing: variables/variables.data-")


def test_variables_that_were_never_saved_are_told(edited, verified):
    def rename(meta):
        for function in meta.graph_def.library.function:
            for node in function.node_def:
                if node.name == "RestoreV2/tensor_names":
                    node.attr["value"].tensor.string_val[0] = b"another/.ATTRIBUTES/VARIABLE_VALUE"

    found, by_name = verified(edited("stable", rename))
    assert failed(found) == ["load"]
    assert by_name["load"].reason.startswith("variables are missing: another/.ATTRIBUTES/VARIABLE_VALUE is not")


def test_truncated_variables_are_told(edited, verified):
    folder = edited("memory-1")
    with (folder / "variables/variables.data-00000-of-00001").open("r+b") as file:
        file.truncate(2**20)
    assert verified(folder)[1]["load"].reason == "its variables are damaged, or their upload broke off"


def test_an_operation_that_the_server_does_not_have_is_told(edited, verified):
    folder = edited("stable", lambda meta: meta.graph_def.node.add(name="own", op="Frobnicate"))
    found, by_name = verified(folder, policy=PreflightPolicy(operations=frozenset({"Frobnicate"})))
    assert failed(found) == ["load"]
    assert by_name["load"].reason == ("the operation Frobnicate is not registered in the TensorFlow that loads it")


def test_a_format_that_is_too_new_is_told(edited, verified):
    def change(meta):
        meta.graph_def.versions.min_consumer = 10**6
        meta.graph_def.versions.producer = 10**6

    assert verified(edited("stable", change))[1]["load"].reason == (
        "its format is too new: it asks for a TensorFlow that reads graphs of version 1000000"
    )


def test_a_stable_version_that_cannot_be_loaded_is_no_reason_to_pass(edited, verified):
    folder = edited("stable")
    shutil.rmtree(folder / "variables")
    found, by_name = verified("good", folder)
    assert failed(found) == ["stable"]
    assert by_name["golden"].outcome is Outcome.SKIPPED


# Golden requests


def test_answers_that_are_no_numbers_fail(verified):
    found, by_name = verified("nan", "stable")
    assert failed(found)[0] == "golden"
    assert "output probabilities is not finite in 8 of 8 values" in by_name["golden"].reason


def test_a_request_that_the_model_refuses_fails(verified):
    found, by_name = verified("fails", "stable")
    assert failed(found)[0] == "golden"
    assert "request 1: INVALID_ARGUMENT: assertion failed: [too bright]" in by_name["golden"].reason


def test_other_answers_are_a_figure_and_fail_only_where_the_policy_says(verified):
    found, by_name = verified("reversed", "stable")
    assert found.passed
    assert by_name["drift"].figures["top1_agreement"] == 0
    assert by_name["drift"].figures["divergence_nats"] > 0.1
    policy = PreflightPolicy(tolerance=Tolerance(absolute=0.05), agreement=0.9)
    assert failed(verified("reversed", "stable", policy)[0]) == ["drift"]
    assert verified("good", "stable", policy)[0].passed


def test_golden_requests_are_given_or_the_versions_own(tmp_path, verified):
    given = tmp_path / "golden.json"
    given.write_text(json.dumps([{"inputs": {"x": [[1] * 8]}}, {"instances": [{"x": [0] * 8}, {"x": [2] * 8}]}]))
    assert verified("good", "stable", golden=given)[1]["golden"].reason.startswith("2 requests answered")
    given.write_text(json.dumps({"instances": [[1, 2]]}))
    assert failed(verified("good", "stable", golden=given)[0]) == ["golden", "batch"]
    given.write_text("{")
    found, by_name = verified("good", "stable", golden=given)
    assert failed(found) == ["golden"]
    assert f"{given} is not JSON" in by_name["golden"].reason


def test_half_precision_is_asked_and_compared_like_other_numbers(edited, verified):
    found, by_name = verified("halves", "halves", PreflightPolicy(tolerance=Tolerance(absolute=1e-6)))
    assert found.passed
    assert by_name["drift"].figures["values_compared"] == 2 * (4 + 8)
    assert by_name["drift"].figures["top1_agreement"] == 1
    folder = edited("halves")
    (folder / "assets.extra/golden_requests.json").write_text('{"instances": [[Infinity, 0, 0, 0, 0, 0, 0, 0]]}')
    found, by_name = verified(folder)
    assert failed(found)[0] == "golden"
    assert "request 1: output x is not finite in 1 of 8 values" in by_name["golden"].details
    (folder / "assets.extra/golden_requests.json").write_text('{"instances": [[1e39, 0, 0, 0, 0, 0, 0, 0]]}')
    assert "input x: a value is too large for type bfloat16" in verified(folder)[1]["golden"].reason
    (folder / "assets.extra/golden_requests.json").unlink()
    assert verified(folder)[0].passed


def test_a_policy_turns_a_check_into_a_warning(verified):
    found, by_name = verified("other-type", "stable", PreflightPolicy(warn=frozenset({CheckName.SIGNATURES})))
    assert found.passed
    assert by_name["signatures"].outcome is Outcome.WARN


# Size and speed


def test_three_times_slower_is_told(verified, monkeypatch):
    monkeypatch.setattr(checks, "_LEAST_SECONDS", LEAST_SECONDS)
    monkeypatch.setattr(checks, "_MOST_TURNS", 20)
    found, by_name = verified("work-3", "work-1")
    assert failed(found) == ["latency"]
    assert 2 < by_name["latency"].figures["ratio"] < 5


def test_four_times_the_memory_is_told(verified):
    found, by_name = verified("memory-4", "memory-1")
    assert failed(found) == ["memory"]
    assert 2 < by_name["memory"].figures["ratio"] < 5


def test_a_version_without_a_batch_dimension_cannot_be_batched(verified):
    found, _ = verified("fixed-batch", policy=PreflightPolicy(max_batch_size=8))
    assert failed(found) == ["batch"]


def test_a_version_that_never_answers_fails_when_the_time_is_over(verified):
    # Enough to load it even where the machine is busy, and never enough for an answer.
    found, by_name = verified("never-ends", seconds=10.0)
    assert failed(found) == ["golden"]
    assert "took longer than the time limit" in by_name["golden"].reason


# Files


def test_the_digest_is_the_one_that_it_is_published_with(versions, tmp_path, verified):
    stored = publish(versions / "good", f"file://{tmp_path}", ModelVersion(43), lambda done, total: None)
    assert verified("good")[0].candidate.digest == str(stored.digest)
    found, by_name = verified(tmp_path / "43")
    assert (found.passed, found.candidate.digest) == (True, str(stored.digest))
    assert by_name["files"].reason == "its files are those of its manifest"
    (tmp_path / "43/assets.extra/golden_requests.json").write_text("{}")
    found, by_name = verified(tmp_path / "43")
    assert failed(found) == ["files"]
    assert "golden_requests.json is not the file that the manifest says" in by_name["files"].reason
    (tmp_path / "43/saved_model.cpb").write_text("")
    assert failed(verified(tmp_path / "43")[0]) == ["files"]


def test_files_that_change_meanwhile_fail(edited, verified, monkeypatch):
    folder = edited("good")
    warmup = checks.warmup

    def change(*arguments, **named):
        (folder / "late").write_text("x")
        return warmup(*arguments, **named)

    monkeypatch.setattr(checks, "warmup", change)
    found, by_name = verified(folder)
    assert failed(found) == ["files"]
    assert "changed while it was looked at" in by_name["files"].reason


def test_nothing_of_a_version_is_parsed_that_is_not_signed(verified):
    def refused(files):
        assert "saved_model.pb" in files.files
        raise NotSigned("there is no model.sig")

    found, by_name = verified("good", "stable", PreflightPolicy(warn=frozenset({CheckName.SIGNED})), signed=refused)
    assert failed(found) == ["signed"]
    assert by_name["operations"].outcome is by_name["load"].outcome is Outcome.SKIPPED
    found, by_name = verified("good", signed=lambda files: 5)
    assert found.passed
    assert by_name["signed"].reason == "all of its 5 files are signed with the key that is asked for"


def test_a_version_that_is_brought_here_is_verified_and_gone(versions, verified_from):
    brought = []

    def fetch(address, folder):
        shutil.copytree(versions / "stable", folder, dirs_exist_ok=True)
        brought.append((address, folder))

    found = verified_from(fetch, "s3://models/m/43", "gs://models/m/42")
    assert found.passed
    assert [address for address, _ in brought] == ["s3://models/m/43", "gs://models/m/42"]
    assert not any(folder.exists() for _, folder in brought)
    assert [found.candidate.address, found.stable.address] == ["s3://models/m/43", "gs://models/m/42"]
    assert found.candidate.digest == found.stable.digest is not None


def test_a_stable_version_whose_files_are_broken_in_the_store_is_no_reason_to_pass(versions, verified_from):
    def fetch(address, folder):
        raise BrokenVersion("saved_model.pb is missing")

    found = verified_from(fetch, str(versions / "good"), "gs://models/m/42")
    assert failed(found) == ["stable"]
    assert next(check for check in found.checks if check.name is CheckName.STABLE).reason == (
        "the stable version: saved_model.pb is missing"
    )


# The command


def run(*arguments, **environment):
    return subprocess.run(
        [*COMMAND, *map(str, arguments)], check=False, capture_output=True, text=True, env=os.environ | environment
    )


def test_the_command_says_all_of_it_and_exits_by_the_verdict(versions, tmp_path):
    policy = tmp_path / "policy.yaml"
    policy.write_text("candidates: {upstream: staging}\npreflight: {agreement: 0.9, warn: [latency]}\n")
    values = tmp_path / "values.yaml"
    values.write_text("batching: {enabled: true, maxBatchSize: 4}\n")
    pages = ("--markdown", tmp_path / "page.md", "--html", tmp_path / "page.html")
    told = run(versions / "reversed", "--stable", versions / "stable", "--policy", policy, "--json", *pages)
    assert told.returncode == 1
    found = json.loads(told.stdout)
    assert found["verdict"] == "fail"
    assert [check["name"] for check in found["checks"] if check["outcome"] == "fail"] == ["drift"]
    assert (tmp_path / "page.md").read_text().startswith("# Preflight: fail\n")
    assert found["candidate"]["digest"] in (tmp_path / "page.html").read_text()
    address = f"file://{versions / 'good'}"
    told = run(address, "--stable", versions / "stable", "--policy", policy, "--values", values)
    assert told.returncode == 0
    assert "batches of 1 and 4 answered" in told.stdout
    assert told.stdout.splitlines()[-1].startswith(f"pass: {address} sha256:")


@pytest.mark.parametrize(
    ("options", "environment", "words"),
    [
        ((), {}, "is not the folder of a version"),
        (("--policy", "{}/wrong"), {}, "wrong:1: "),
        (("--values", "{}/wrong"), {}, "wrong:1: batching must be a mapping"),
        (("--golden", "{}/none"), {}, "does not exist"),
        ((), {"PROMOTER_MODEL_PUBLIC_KEY": "/nowhere.pub"}, "the public key /nowhere.pub cannot be read"),
    ],
)
def test_what_keeps_it_from_a_verdict_is_exit_status_2(tmp_path, options, environment, words):
    (tmp_path / "wrong").write_text("batching: 8\n")
    told = run(tmp_path / "nothing", *(option.format(tmp_path) for option in options), **environment)
    assert (told.returncode, told.stdout) == (2, "")
    assert words in told.stderr


SECRETS = dict.fromkeys(
    ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "GOOGLE_APPLICATION_CREDENTIALS", "PROMOTER_GIT_TOKEN_FILE"),
    "SECRET",
)


def children(pid):
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_gone(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_ending_it_leaves_nothing_behind(versions, tmp_path, end):
    # A shell lets what runs in its background ignore SIGINT, these tests perhaps among it; at a terminal it counts.
    command = ["env", "--default-signal=INT", *COMMAND, str(versions / "never-ends")]
    environment = os.environ | SECRETS | {"TMPDIR": str(tmp_path)}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 30
    while not (asked := [child for child in children(process.pid) if "runner" in command_of(child)]):
        assert time.monotonic() < until
        time.sleep(0.05)
    assert all(b"SECRET" not in Path(f"/proc/{child}/environ").read_bytes() for child in children(process.pid))
    process.send_signal(end)
    process.wait(10)
    until = time.monotonic() + 10
    while not all(map(is_gone, asked)):
        assert time.monotonic() < until
        time.sleep(0.05)
    assert list(tmp_path.iterdir()) == []


def command_of(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
