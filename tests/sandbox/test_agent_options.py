"""The agent's command line: every mistake is a sentence."""

import subprocess
import sys
from datetime import timedelta

import pytest

from promoter.errors import InvalidInput
from promoter.sandbox.agent.options import parse_options


@pytest.fixture
def given(tmp_path):
    (tmp_path / "token").write_text("secret\n")
    return {
        "--repository": str(tmp_path / "remote.git"),
        "--run-directory": str(tmp_path / "run"),
        "--listen": "127.0.0.1:0",
        "--token-file": str(tmp_path / "token"),
        "--envoy-directory": str(tmp_path / "envoy"),
        "--envoy-listen": "127.0.0.1:0",
        "--envoy-admin": "127.0.0.1:0",
        "--prometheus-directory": str(tmp_path / "prometheus"),
        "--prometheus-url": "http://127.0.0.1:9",
        "--pod-network": "127.90.0.0/16",
    }


def arguments(given):
    return [part for option in given.items() for part in option]


def test_options_become_values(given):
    options = parse_options([*arguments(given), "--poll", "2s", "--program", "server=/bin/stand-in --flag 'a b'"])
    assert options.listen == ("127.0.0.1", 0)
    assert options.token == "secret"
    assert options.poll == timedelta(seconds=2)
    assert options.programs["server"] == ("/bin/stand-in", "--flag", "a b")
    assert options.programs["tensorflow_model_server"][-1] == "promoter.sandbox.model_server"


@pytest.mark.parametrize(
    ("option", "value", "problem"),
    [
        ("--listen", "nowhere", "not an address"),
        ("--envoy-admin", "127.0.0.1:70000", "not an address"),
        ("--pod-network", "10.0.0.0/8", r"not within 127\.0\.0\.0/8"),
        ("--pod-network", "here", "not a network"),
        ("--poll", "soon", "not a duration"),
        ("--token-file", "/nonexistent", "cannot be read"),
        ("--program", "server", "NAME=COMMAND"),
    ],
)
def test_a_wrong_option_is_refused_with_a_sentence(given, option, value, problem):
    with pytest.raises(InvalidInput, match=problem):
        parse_options(arguments(given | {option: value}))


def test_the_program_ends_with_status_2_and_a_sentence(given):
    command = [sys.executable, "-m", "promoter.sandbox.agent"]
    elsewhere = arguments(given | {"--repository": "https://git.example.com/x"})
    ended = subprocess.run([*command, *elsewhere], capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "not on this machine" in ended.stderr
    assert "Traceback" not in ended.stderr
