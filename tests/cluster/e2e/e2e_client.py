"""Callers of the model, through the gateway: one that never stops, and one that asks who answers now."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace

import numpy as np

from promoter.sandbox.traffic_requests import build_requests
from promoter.sandbox.traffic_results import read_results
from promoter.sandbox.traffic_senders import GrpcSender
from promoter.saved_model.protos import predict_pb2

RATE = 60


class Client:
    """Predictions over gRPC and REST, `RATE` a second, each counted; a process of its own."""

    def __init__(self, installation):
        self._file = installation.folder / "traffic.jsonl"
        self._log = (installation.folder / "traffic.log").open("wb")
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "promoter.sandbox.traffic"),
                *("--target", installation.target),
                *("--authority", installation.rest_host, "--grpc-authority", installation.grpc_host),
                *("--model", installation.served.model),
                *("--rate", str(RATE), "--deadline", "5"),
                *("--results", str(self._file)),
            ],
            stderr=self._log,
        )

    def stop(self):
        self._process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(10)
        self._process.kill()
        self._process.wait()
        self._log.close()

    def seconds(self, since=0.0):
        """What came of the requests from a moment of the wall clock on."""
        assert self._process.poll() is None, "the client has ended"
        return [second for second in read_results(self._file).seconds if second.time > since]


class Overexposed:
    """Whoever sends one image again and again, twice as bright as any of the client's; as a context.

    answers: (moment of the wall clock, version, code) of each.
    """

    EVERY = 0.2

    def __init__(self, installation):
        self._installation, self.answers = installation, []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._send()))

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def failed(self):
        """Those that were not answered well, in their order."""
        return [each for each in list(self.answers) if each[2] != "OK"]

    async def _send(self):
        brightest = build_requests(self._installation.served.model)[-1]
        predict = predict_pb2.PredictRequest.FromString(brightest.predict)
        [image] = predict.inputs.values()
        image.tensor_content = (2 * np.frombuffer(image.tensor_content, np.float32)).tobytes()
        request = replace(brightest, brightness=2 * brightest.brightness, predict=predict.SerializeToString())
        async with GrpcSender(self._installation.target, self._installation.grpc_host, 5) as sender:
            while not self._stop.is_set():
                answer = await sender.send(request)
                self.answers.append((time.time(), answer.version, answer.code))
                await asyncio.sleep(self.EVERY)


def first_answer_of(installation, version, seconds=60, every=0.01):
    """The moment (`time.monotonic`) at which `version` first answered a request sent through the gateway."""

    async def ask():
        request = build_requests(installation.served.model)[150]
        async with GrpcSender(installation.target, installation.grpc_host, 5) as sender:
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline:
                answer = await sender.send(request)
                if answer.version == version and answer.code == "OK":
                    return time.monotonic()
                await asyncio.sleep(every)
        raise AssertionError(f"{version} did not answer within {seconds} s; the last answer: {answer}")

    return asyncio.run(ask())
