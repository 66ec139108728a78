"""A sandbox of small stand-in programs: real processes, real ports, real signals."""

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from contextlib import suppress

import psutil
import pytest

from promoter.errors import InvalidDocument, InvalidSettings, Unavailable
from promoter.sandbox import processes
from promoter.sandbox.layout import Layout
from promoter.sandbox.parts import Part
from promoter.sandbox.ports import Claim, free_port_base
from promoter.sandbox.supervisor import PartState, Sandbox

# -S and -E: nothing but the interpreter, so that a part is up in a few hundredths of a second.
PYTHON = (sys.executable, "-S", "-E", "-c")

SLEEPER = "import time; time.sleep(60)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('set', flush=True); time.sleep(60)"
)
PARENT = f"""
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-S", "-E", "-c", {SLEEPER!r}])
print(child.pid, flush=True)
time.sleep(60)
"""
TOUCHER = """
import pathlib, sys, time
time.sleep(0.3)
pathlib.Path(sys.argv[1]).touch()
time.sleep(60)
"""
NEEDY = """
import pathlib, sys, time
assert pathlib.Path(sys.argv[1]).exists()
time.sleep(60)
"""
LISTENER = """
import socket, sys, time
listening = socket.create_server(("127.0.0.1", int(sys.argv[1])))
time.sleep(60)
"""


def part(name, program=SLEEPER, *arguments, **changes):
    return Part(name, (*PYTHON, program, *map(str, arguments)), **{"patience": 10, "grace": 5, **changes})


@pytest.fixture
def layout(tmp_path):
    layout = Layout.at(tmp_path / "sandbox", free_port_base())
    yield layout
    processes.sweep(layout.directory)


def listening(directory):
    layout = Layout.at(directory, free_port_base())
    claims = (Claim("part", "127.0.0.1", layout.envoy_port),)
    return Sandbox(layout, [part("part", LISTENER, layout.envoy_port, claims=claims)])


def alive(pid):
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


def states(sandbox):
    return {status.name: status.state for status in sandbox.status()}


def test_parts_start_in_order_and_each_waits_for_the_one_before(layout):
    mark = layout.directory / "first-is-ready"
    first = part("first", TOUCHER, mark, ready=mark.exists)
    second = part("second", NEEDY, mark, settle=0.3)
    said = []
    with Sandbox(layout, [first, second], progress=said.append) as sandbox:
        sandbox.up()
        assert states(sandbox) == {"first": PartState.RUNNING, "second": PartState.RUNNING}
    assert [line.split(" after")[0] for line in said[:2]] == ["first: ready", "second: ready"]


def test_only_the_parts_that_are_named_start(layout):
    with Sandbox(layout, [part("one"), part("other")]) as sandbox:
        sandbox.up(["other"])
        assert states(sandbox) == {"one": PartState.STOPPED, "other": PartState.RUNNING}
        sandbox.start("one")
        assert states(sandbox)["one"] is PartState.RUNNING


def test_a_file_of_an_earlier_start_does_not_pass_for_this_one(layout):
    written = layout.directory / "configuration"
    layout.directory.mkdir(parents=True)
    written.write_text("of yesterday")
    sandbox = Sandbox(layout, [part("part", writes=(written,), patience=0.3)])
    with pytest.raises(Unavailable, match=r"part was not ready after 0\.3 s"):
        sandbox.up()


def test_a_taken_port_is_an_error_that_names_port_part_and_holder_and_leaves_nothing_started(layout):
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        claiming = part("second", LISTENER, port, claims=(Claim("second", "127.0.0.1", port),))
        with Sandbox(layout, [part("first"), claiming]) as sandbox:
            with pytest.raises(InvalidSettings) as refusal:
                sandbox.up()
            assert not processes.marked(layout.directory)
    assert f"Port {port} on 127.0.0.1, which second needs, is held by process {os.getpid()}" in str(refusal.value)
    assert "--port-base" in str(refusal.value)


def test_a_port_held_on_every_address_is_taken_too(layout):
    with socket.create_server(("0.0.0.0", 0)) as held:
        port = held.getsockname()[1]
        claiming = part("pods", claims=(Claim("pods", "127.99.0.1", port),))
        with pytest.raises(InvalidSettings, match=f"Port {port} on 127.99.0.1"):
            Sandbox(layout, [claiming]).up()


def test_the_ports_of_an_earlier_sandbox_are_free_again(layout):
    claiming = part("part", LISTENER, layout.envoy_port, claims=(Claim("part", "127.0.0.1", layout.envoy_port),))
    with Sandbox(layout, [claiming]) as sandbox:
        sandbox.up()
        first = sandbox.status()[0].pid
        sandbox.up()
        assert sandbox.status()[0].pid != first
        assert not alive(first)


def test_a_part_that_dies_at_its_start_is_an_error_with_the_end_of_its_log_and_ends_the_others(layout):
    dying = part("dying", "import sys; print('no such configuration'); sys.exit(3)", settle=5)
    with Sandbox(layout, [part("first"), dying]) as sandbox:
        with pytest.raises(Unavailable) as failure:
            sandbox.up()
        assert not processes.marked(layout.directory)
    assert "dying ended with exit status 3 while it started" in str(failure.value)
    assert str(layout.log("dying")) in str(failure.value)
    assert "no such configuration" in str(failure.value)


def test_a_program_that_is_not_installed_is_an_error_with_its_remedy(layout):
    absent = Part("part", ("no-such-program",), remedy="Install it.")
    with pytest.raises(InvalidSettings, match=r"part needs the program 'no-such-program'\. Install it\."):
        Sandbox(layout, [part("first"), absent]).up()
    assert not processes.marked(layout.directory)


def test_down_ends_everything_keeps_the_logs_and_may_be_said_twice(layout):
    sandbox = Sandbox(layout, [part("part", "print('hello', flush=True); import time; time.sleep(60)", settle=0.3)])
    sandbox.up()
    pid = sandbox.status()[0].pid
    sandbox.down()
    sandbox.down()
    assert not alive(pid)
    assert states(sandbox) == {"part": PartState.STOPPED}
    assert layout.log("part").read_text().startswith("hello\n")


def test_down_before_any_up_does_nothing(layout):
    Sandbox(layout, [part("part")]).down()
    assert not layout.record.exists()


def test_a_part_that_ignores_sigterm_is_killed_after_its_grace(layout):
    stubborn = part("part", STUBBORN, grace=0.2, ready=lambda: "set" in layout.log("part").read_text())
    with Sandbox(layout, [stubborn]) as sandbox:
        sandbox.up()
        pid = sandbox.status()[0].pid
        sandbox.stop("part")
        assert not alive(pid)


def test_a_killed_part_died_of_sigkill_and_starts_again(layout):
    with Sandbox(layout, [part("part")]) as sandbox:
        sandbox.up()
        sandbox.kill("part")
        (dead,) = sandbox.status()
        assert (dead.state, dead.pid, dead.exit_status) == (PartState.DIED, None, 128 + signal.SIGKILL)
        sandbox.start("part")
        assert states(sandbox) == {"part": PartState.RUNNING}


def test_a_part_that_ended_by_itself_died_with_its_exit_status(layout):
    with Sandbox(layout, [part("part", "import sys, time; time.sleep(0.2); sys.exit(7)")]) as sandbox:
        sandbox.up()
        deadline = time.monotonic() + 5
        while states(sandbox)["part"] is PartState.RUNNING and time.monotonic() < deadline:
            time.sleep(0.05)
        (dead,) = sandbox.status()
        assert (dead.state, dead.exit_status) == (PartState.DIED, 7)


def test_starting_what_runs_and_stopping_what_does_not_changes_nothing(layout):
    with Sandbox(layout, [part("part")]) as sandbox:
        sandbox.up()
        pid = sandbox.status()[0].pid
        sandbox.start("part")
        assert sandbox.status()[0].pid == pid
        sandbox.stop("part")
        sandbox.stop("part")
        sandbox.kill("part")
        assert states(sandbox) == {"part": PartState.STOPPED}


def test_a_part_that_does_not_exist_is_refused_by_name(layout):
    with pytest.raises(InvalidSettings, match="no part 'nginx': it has part"):
        Sandbox(layout, [part("part")]).start("nginx")


def test_children_of_a_killed_part_go_with_the_sandbox(layout):
    with Sandbox(layout, [part("part", PARENT, ready=lambda: layout.log("part").read_text().strip() != "")]) as sandbox:
        sandbox.up()
        child = int(layout.log("part").read_text())
        sandbox.kill("part")
        assert alive(child)
    assert not alive(child)


def test_a_stranger_with_a_recorded_pid_is_left_alone(layout):
    with Sandbox(layout, [part("part")]) as sandbox:
        sandbox.up()
        sandbox.kill("part")
        with subprocess.Popen([*PYTHON, SLEEPER]) as stranger:
            record = json.loads(layout.record.read_text())
            record["processes"]["part"] = {"pid": stranger.pid, "started": psutil.Process(stranger.pid).create_time()}
            layout.record.write_text(json.dumps(record))
            assert states(sandbox) == {"part": PartState.DIED}
            sandbox.down()
            assert stranger.poll() is None
            stranger.kill()


def test_a_supervisor_that_was_killed_leaves_no_orphan_that_the_next_up_does_not_clean_away(layout):
    supervisor = textwrap.dedent(f"""
        import pathlib, sys
        from promoter.sandbox.layout import Layout
        from promoter.sandbox.parts import Part
        from promoter.sandbox.supervisor import Sandbox

        python = [sys.executable, "-S", "-E", "-c"]
        layout = Layout(pathlib.Path({str(layout.directory)!r}), {layout.port_base})
        ready = lambda: layout.log("parent").read_text().strip() != ""
        parts = [Part("parent", (*python, {PARENT!r}), ready=ready),
                 Part("never", (*python, {SLEEPER!r}), ready=lambda: print("waiting", flush=True))]
        Sandbox(layout, parts).up()
    """)
    with subprocess.Popen([sys.executable, "-c", supervisor], stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdout.readline() == "waiting\n"
        killed.kill()
    orphans = processes.marked(layout.directory)
    assert len(orphans) == 5, "parent, its child, never, and a keeper for each part"
    said = []
    with Sandbox(layout, [part("part")], progress=said.append) as sandbox:
        sandbox.up()
        assert not any(alive(orphan.pid) for orphan in orphans)
        assert states(sandbox) == {"part": PartState.RUNNING}
    assert said[0] == "ended 5 processes of an earlier sandbox"


def test_two_sandboxes_run_side_by_side_and_end_apart(tmp_path):
    one = listening(tmp_path / "one")
    with one:
        one.up()
        with listening(tmp_path / "other") as other:
            other.up()
            assert states(one) == states(other) == {"part": PartState.RUNNING}
        assert states(one) == {"part": PartState.RUNNING}
        assert states(other) == {"part": PartState.STOPPED}


def test_a_part_gets_neither_our_promoter_settings_nor_our_proxy(layout, monkeypatch):
    monkeypatch.setenv("PROMOTER_REPOSITORY", "file:///elsewhere")
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example.com")
    show = "import os, time; print(dict(os.environ), flush=True); time.sleep(60)"
    with Sandbox(layout, [part("part", show, environment={"PROMOTER_BRANCH": "main"}, settle=0.3)]) as sandbox:
        sandbox.up()
        shown = layout.log("part").read_text()
    assert "elsewhere" not in shown
    assert "'PROMOTER_BRANCH': 'main'" in shown
    assert "127.0.0.1" in shown.split("'NO_PROXY': ")[1].split("'")[1]


def test_settings_are_left_for_a_shell(layout):
    with Sandbox(layout, [part("part")], settings={"PROMOTER_PASS_INTERVAL": "2s"}) as sandbox:
        sandbox.up()
        shown = subprocess.run(
            ["/bin/sh", "-c", f'. "{layout.environment_file}"; echo "$PROMOTER_PASS_INTERVAL $PROMOTER_REPOSITORY"'],
            capture_output=True,
            text=True,
            check=True,
        )
        token = layout.token_file
        assert token.stat().st_mode & 0o777 == 0o600
        assert len(token.read_text().strip()) == 32
    assert shown.stdout == f"2s {layout.remote_url}\n"


def test_a_sandbox_that_was_never_up_cannot_be_opened(tmp_path):
    with pytest.raises(InvalidSettings, match=r"No sandbox was brought up in .*: `promoter sandbox up` does it"):
        Sandbox.open(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"port_base": "many"}', "no json"])
def test_a_damaged_record_is_an_error_that_names_the_file(tmp_path, text):
    (tmp_path / "sandbox.json").write_text(text)
    with pytest.raises(InvalidDocument, match=r"sandbox\.json: this is no record of a sandbox\. Remove the file"):
        Sandbox.open(tmp_path)


def test_another_process_finds_the_sandbox_as_it_was_brought_up(layout):
    with Sandbox(layout, [part("promoter")], rate=7.5, settings={"PROMOTER_PASS_INTERVAL": "2s"}) as sandbox:
        sandbox.up()
        opened = Sandbox.open(layout.directory)
        assert opened.layout == layout
        assert opened.environment()["PROMOTER_PASS_INTERVAL"] == "2s"
        assert states(opened)["promoter"] is PartState.RUNNING
        assert opened.application() is None
