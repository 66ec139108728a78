"""Processes that leave no orphans, and addresses that no two pods share."""

import json
import signal
import socket
import subprocess
import sys
from ipaddress import IPv4Network

import psutil
import pytest
from agent_world import PROJECT, eventually

from promoter.errors import ClusterUnavailable
from promoter.sandbox.agent.addresses import PodNetwork
from promoter.sandbox.agent.processes import ProcessTable
from promoter.sandbox.processes import start_ticks

SLEEPER = (sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)")
PARENT = """
import sys, time
from pathlib import Path
from promoter.sandbox.agent.processes import ProcessTable
directory = Path(sys.argv[1])
process = ProcessTable(directory).start("pod", tuple(sys.argv[2:]), {}, directory / "log")
print(process.pid, flush=True)
time.sleep(60)
"""


def test_a_pod_dies_with_its_parent_even_by_sigkill(tmp_path):
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path), *SLEEPER], stdout=subprocess.PIPE, cwd=PROJECT
    )
    pod = psutil.Process(int(parent.stdout.readline()))
    assert eventually(lambda: "up" in (tmp_path / "log").read_text())
    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    gone, _ = psutil.wait_procs([pod], timeout=5)
    assert gone


def orphan(tmp_path):
    """A process that outlived the agent which recorded it."""
    process = subprocess.Popen(SLEEPER, stdout=subprocess.DEVNULL)
    assert eventually(lambda: psutil.Process(process.pid).cmdline()[1:2] == ["-c"])
    record = {"pid": process.pid, "started": start_ticks(process.pid), "command": list(SLEEPER)}
    (tmp_path / "pod.json").write_text(json.dumps(record))
    return process, record


def test_the_sweep_kills_a_recorded_process_and_forgets_it(tmp_path):
    process, _ = orphan(tmp_path)
    assert ProcessTable(tmp_path).sweep() == 1
    assert eventually(lambda: process.poll() is not None)
    assert list(tmp_path.glob("*.json")) == []
    assert ProcessTable(tmp_path).sweep() == 0


@pytest.mark.parametrize("change", [{"started": 1}, {"command": ["another", "program"]}, {"pid": "nonsense"}])
def test_a_process_that_only_shares_the_number_is_left_alone(tmp_path, change):
    process, record = orphan(tmp_path)
    (tmp_path / "pod.json").write_text(json.dumps(record | change))
    assert ProcessTable(tmp_path).sweep() == 0
    assert process.poll() is None
    process.kill()
    process.wait()


def test_a_started_process_is_on_record_until_it_is_forgotten(tmp_path):
    table = ProcessTable(tmp_path)
    process = table.start("pod", (*SLEEPER,), {"NAME": "value"}, tmp_path / "log")
    assert json.loads((tmp_path / "pod.json").read_text())["pid"] == process.pid
    assert eventually(lambda: psutil.Process(process.pid).environ().get("NAME") == "value")
    process.kill()
    process.wait()
    table.forget("pod")
    assert list(tmp_path.glob("*.json")) == []


def test_no_two_pods_share_an_address_and_one_in_use_is_passed_over():
    network = PodNetwork(IPv4Network("127.91.7.0/29"))
    first = [network.take([]) for _ in range(7)]
    assert len(set(first)) == 7
    assert "127.91.7.0" not in first
    with pytest.raises(ClusterUnavailable, match="no free address"):
        network.take([])
    network.release(first[3])
    assert network.take([]) == first[3]


def test_an_address_on_which_somebody_listens_is_passed_over():
    network = PodNetwork(IPv4Network("127.91.9.0/29"))
    with socket.socket() as taken:
        taken.bind(("127.91.9.3", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert "127.91.9.3" not in {network.take([port]) for _ in range(6)}
