"""`promoter verify` as a child: what it says is believed only where it is a result about the pinned files."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest
from builders import digest
from preflights import failed, passed
from stated_clock import StatedClock

from promoter.adapters.preflight_process import ProcessPreflights
from promoter.documents.policy_file import parse_policy
from promoter.documents.preflight_report import preflight_json
from promoter.domain.completeness import ByManifest
from promoter.domain.preflight import CheckName, PreflightPolicy, PreflightRequest
from promoter.errors import PreflightUnavailable


def wanted(candidate=43, stable=42, policy=None):
    return PreflightRequest(
        f"file:///models/ranker/{candidate}",
        digest(candidate),
        None if stable is None else f"file:///models/ranker/{stable}",
        None if stable is None else digest(stable),
        ByManifest(),
        policy or PreflightPolicy(),
    )


@pytest.fixture
def verifier(tmp_path):
    """Preflights whose command is a small program; it notes its arguments and its standard input."""

    def make(body, clock=time.monotonic):
        program = tmp_path / "verify.py"
        program.write_text(
            "import json, os, sys, time\n"
            f"said = {{'arguments': sys.argv[1:], 'policy': open('/dev/stdin').read(), 'pid': os.getpid()}}\n"
            f"open({str(tmp_path / 'calls')!r}, 'a').write(json.dumps(said) + '\\n')\n" + textwrap.dedent(body)
        )
        return ProcessPreflights((sys.executable, str(program)), clock)

    return make


@pytest.fixture
def calls(tmp_path):
    return lambda: [json.loads(line) for line in (tmp_path / "calls").read_text().splitlines()]


def answering(found, status=0):
    return f"print({preflight_json(found)!r}); sys.exit({status})"


def result(preflights, request):
    assert preflights.ask(request).startswith("it runs since ")
    assert preflights.settle()
    return preflights.ask(request)


@pytest.mark.parametrize(("found", "status"), [(passed(), 0), (failed(), 1)])
def test_a_verdict_is_the_result(verifier, found, status):
    assert result(verifier(answering(found, status)), wanted()) == found


def test_the_command_is_told_both_versions_and_the_policy(verifier, calls):
    policy = PreflightPolicy(warn=frozenset({CheckName.LATENCY}), latency_ratio=2.0)
    result(verifier(answering(passed())), wanted(policy=policy))
    (call,) = calls()
    candidate, *options = call["arguments"]
    assert candidate == "file:///models/ranker/43"
    assert options == ["--policy", "/dev/stdin", "--json", "--stable", "file:///models/ranker/42"]
    assert parse_policy(call["policy"], "policy.yaml").preflight == policy


def test_a_first_version_is_compared_with_nothing(verifier, calls):
    assert result(verifier(answering(passed(43, None))), wanted(stable=None)) == passed(43, None)
    assert "--stable" not in calls()[0]["arguments"]


def test_a_result_is_remembered_and_another_request_is_another_run(verifier, calls):
    preflights = verifier(answering(passed()))
    result(preflights, wanted())
    preflights.ask(wanted())
    assert len(calls()) == 1
    assert preflights.ask(wanted(policy=PreflightPolicy(latency_ratio=3.0))).startswith("it runs")
    preflights.settle()
    assert len(calls()) == 2


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("print('error: this needs TensorFlow', file=sys.stderr); sys.exit(2)", "this needs TensorFlow"),
        ("sys.exit(3)", "ended with status 3"),
        ("os.kill(os.getpid(), 9)", "ended with status -9"),
        ("print('hello')", "this is not the result of a preflight"),
        ("print('x' * 3_000_000)", "larger than 1 MiB"),
        (answering(passed(44, 42)), "the files of file:///models/ranker/43 were not those that are pinned"),
        (answering(passed(43, 41)), "the files of file:///models/ranker/42 were not those that are pinned"),
        (answering(passed(43, None)), "the files of file:///models/ranker/42 were not those that are pinned"),
    ],
    ids=["no TensorFlow", "status", "killed", "talk", "flood", "other files", "other stable", "no stable"],
)
def test_all_else_is_no_result(verifier, body, reason):
    with pytest.raises(PreflightUnavailable, match="came to no result") as error:
        result(verifier(body), wanted())
    assert reason in str(error.value)


def test_a_command_that_is_not_there_is_no_result():
    with pytest.raises(PreflightUnavailable):
        result(ProcessPreflights(("/nowhere/promoter",)), wanted())


def test_without_a_result_it_is_tried_again_after_a_pause_that_doubles(verifier, calls):
    clock = StatedClock()
    preflights = verifier("sys.exit(3)", clock)
    pauses = []
    for _ in range(3):
        with pytest.raises(PreflightUnavailable):
            result(preflights, wanted())
        began = clock.now
        while True:
            clock.now += 30
            try:
                preflights.ask(wanted())
            except PreflightUnavailable:
                continue
            preflights.settle()
            pauses.append(clock.now - began)
            break
        clock.now += 7200
    assert pauses[0] == 60
    assert pauses == sorted(pauses)
    assert len(set(pauses)) > 1
    assert len(calls()) == 6


def test_one_runs_at_a_time_and_the_others_say_so(verifier, tmp_path, calls):
    gate = tmp_path / "gate"
    preflights = verifier(f"while not os.path.exists({str(gate)!r}): time.sleep(0.01)\n" + answering(passed()))
    told = []
    threads = [threading.Thread(target=lambda: told.append(preflights.ask(wanted()))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(told)) == 1
    assert preflights.ask(wanted(44)) == "it waits for the end of another one"
    gate.touch()
    assert preflights.settle()
    assert preflights.ask(wanted()) == passed()
    assert len(calls()) == 1
    assert preflights.ask(wanted(44)).startswith("it runs since ")


def test_nothing_was_begun_so_there_is_nothing_to_wait_for(verifier):
    assert not verifier(answering(passed())).settle()


def test_one_that_ended_before_it_was_waited_for_still_asks_for_another_pass(verifier):
    preflights = verifier(answering(passed()))
    preflights.ask(wanted())
    deadline = time.monotonic() + 10
    while isinstance(preflights.ask(wanted()), str) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert preflights.settle()
    assert not preflights.settle()


def test_a_promoter_that_is_killed_takes_its_preflight_along(tmp_path):
    note = tmp_path / "pid"
    child = f"import os, time; open({str(note)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    parent = textwrap.dedent(f"""
        import sys
        from promoter.adapters.preflight_process import ProcessPreflights
        from promoter.domain.completeness import ByManifest
        from promoter.domain.preflight import PreflightPolicy, PreflightRequest
        from promoter.domain.version import Digest
        digest = Digest("sha256:" + "0" * 64)
        preflights = ProcessPreflights((sys.executable, "-c", {child!r}))
        preflights.ask(PreflightRequest("file:///a/1", digest, None, None, ByManifest(), PreflightPolicy()))
        preflights.settle()
    """)
    process = subprocess.Popen([sys.executable, "-c", parent])
    deadline = time.monotonic() + 20
    while not (note.exists() and note.read_text()) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    pid = int(note.read_text())
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.02)
    pytest.fail("the preflight outlived its promoter")
