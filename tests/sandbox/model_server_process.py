"""A model server as a process of its own on a loopback address of its own, and the usual requests to it."""

from __future__ import annotations

import itertools
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import grpc
import httpx
import numpy as np

from promoter.saved_model.protos import predict_pb2
from promoter.saved_model.tensors import fill_proto, from_proto

METRICS = "/monitoring/prometheus/metrics"
STARTED_WITHIN = 60.0

_addresses = itertools.count(77)

# One process for all of it: importing TensorFlow takes longer than building everything.
_BUILD = """
import sys
from pathlib import Path
from promoter.sandbox.model_zoo import VersionKind, build_version
from promoter.sandbox.model_zoo.__main__ import main

main(["--output", sys.argv[1]], standalone_mode=False)
build_version(VersionKind.GOOD, Path(sys.argv[1]) / "good-5", seed=5)
"""


@cache
def built_zoo(folder: Path) -> Path:
    """All versions of the demo, and `good-5`, which has the weights of 5 and nothing wrong; built once per folder."""
    zoo = folder / "zoo"
    subprocess.run([sys.executable, "-c", _BUILD, str(zoo)], check=True, capture_output=True)
    return zoo


def own_address() -> str:
    """A loopback address that no other test session uses at this moment."""
    pid = os.getpid()
    return f"127.{next(_addresses)}.{pid >> 8 & 255}.{pid & 255}"


@dataclass
class Server:
    address: str
    process: subprocess.Popen[bytes]
    log: Path

    def url(self, path: str) -> str:
        return f"http://{self.address}:8501{path}"

    def listens(self, port: int) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((self.address, port)) == 0

    def wait_until_ready(self) -> None:
        until = time.monotonic() + STARTED_WITHIN
        # The REST port is the last to open.
        while not self.listens(8501):
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < until, self.log.read_text()
            time.sleep(0.02)

    def wait_for_log(self, text: str) -> None:
        until = time.monotonic() + STARTED_WITHIN
        while text not in self.log.read_text():
            assert time.monotonic() < until, self.log.read_text()
            time.sleep(0.02)

    def status_of_exit(self) -> int:
        return self.process.wait(STARTED_WITHIN)


@contextmanager
def running(folder: Path, store: Path, version: int, *flags: str, address: str | None = None) -> Iterator[Server]:
    """A server for `version` of resnet50, not waited for; killed at the end. Its files and log go to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "models.config").write_text(
        f'model_config_list {{ config {{ name: "resnet50" base_path: "{store}" model_platform: "tensorflow" '
        f"model_version_policy {{ specific {{ versions: {version} }} }} }} }}"
    )
    (folder / "monitoring.config").write_text(f'prometheus_config: {{ enable: true path: "{METRICS}" }}')
    log, address = folder / "log", address or own_address()
    with log.open("wb") as out:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "promoter.sandbox.model_server"),
                *("--port=8500", "--rest_api_port=8501", "--enable_grpc_healthcheck_service=true"),
                f"--model_config_file={folder}/models.config",
                f"--monitoring_config_file={folder}/monitoring.config",
                *("--tensorflow_intra_op_parallelism=1", "--tensorflow_inter_op_parallelism=1"),
                *("--grpc_max_threads=4", "--rest_api_num_threads=4", "--file_system_poll_wait_seconds=1"),
                *("--max_num_load_retries=1", "--load_retry_interval_micros=100000"),
                *flags,
            ],
            env=os.environ | {"SANDBOX_POD_IP": address},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        yield Server(address, process, log)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def image(brightness: float = 0.5) -> np.ndarray:
    return np.full((1, 32, 32, 3), brightness, np.float32)


def predict_request(name="resnet50", version=None, label=None, signature="", **inputs):
    """The usual request, with what differs."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name = name
    request.model_spec.signature_name = signature
    if version is not None:
        request.model_spec.version.value = version
    if label is not None:
        request.model_spec.version_label = label
    for alias, array in (inputs or {"input_1": image()}).items():
        fill_proto(array, request.inputs[alias])
    return request


def predict(server: Server, request) -> dict:
    """The answer's outputs as arrays; raises grpc.RpcError."""
    response = raw_predict(server, request)
    return {name: from_proto(name, proto) for name, proto in response.outputs.items()}


def raw_predict(server: Server, request):
    with grpc.insecure_channel(f"{server.address}:8500") as channel:
        call = channel.unary_unary(
            "/tensorflow.serving.PredictionService/Predict",
            request_serializer=predict_pb2.PredictRequest.SerializeToString,
            response_deserializer=predict_pb2.PredictResponse.FromString,
        )
        return call(request, timeout=10)


def rest_predict(server: Server, body: dict, path: str = "/v1/models/resnet50:predict") -> httpx.Response:
    return httpx.post(server.url(path), json=body, trust_env=False)


def get(server: Server, path: str) -> httpx.Response:
    return httpx.get(server.url(path), trust_env=False)
