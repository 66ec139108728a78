"""`python -m promoter.preflight.runner FOLDER`: a version, loaded as a server loads it, that answers questions.

Run by TensorFlow's C library, in a process of its own, after `scan` has seen the graph. Its questions:

    load            → seconds, tensorflow; or code and message of the error
    predict         signature, arrays → arrays; or code and message
    time            runs → seconds, a list: the last request again
    warm_up         records → replayed, of
    memory          → before, after, peak: bytes of resident memory before loading, after it, and at most so far
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError

from promoter.preflight.wire import Message, receive, send
from promoter.saved_model.c_library import Session, version
from promoter.saved_model.protos import prediction_log_pb2
from promoter.saved_model.records import read_records
from promoter.saved_model.rest_json import DEFAULT_SIGNATURE
from promoter.saved_model.statuses import Code, ServingError, internal
from promoter.saved_model.tensors import Array, from_proto
from promoter.saved_model.warmup import MOST_WARMUP_RECORDS, WARMUP_FILE


class Runner:
    """One version, not loaded yet."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._session: Session | None = None
        self._last: Callable[[], list[Array]] | None = None
        # The library's own megabytes are every version's, so they count for none.
        version()
        self._memory = {"before": _resident("VmRSS")}

    def answer(self, question: Mapping[str, Any], arrays: dict[str, Array]) -> Message:
        """Header and arrays of one question's answer."""
        try:
            match question["do"]:
                case "load":
                    return self._load(), {}
                case "predict":
                    return {}, self._predict(str(question["signature"]), arrays)
                case "time":
                    return {"seconds": self._timed(int(question["runs"]))}, {}
                case "warm_up":
                    return self._warm_up(int(question["records"])), {}
                case "memory":
                    return self._memory | {"peak": _resident("VmHWM")}, {}
                case other:
                    raise ServingError(Code.UNIMPLEMENTED, f"nobody knows how to {other}")  # noqa: TRY301 - answered below
        except ServingError as error:
            return {"code": error.code.name, "message": error.message}, {}
        except Exception as error:  # noqa: BLE001 - what nobody foresaw is the version's fault as well
            return {"code": Code.INTERNAL.name, "message": internal(error).message}, {}

    def _load(self) -> dict[str, Any]:
        began = time.perf_counter()
        self._session = Session(self._folder)
        seconds = time.perf_counter() - began
        self._memory["after"] = _resident("VmRSS")
        return {"seconds": seconds, "tensorflow": version()}

    @property
    def _loaded(self) -> Session:
        if self._session is None:
            raise ServingError(Code.FAILED_PRECONDITION, "the version is not loaded")
        return self._session

    def _predict(self, name: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
        session = self._loaded
        signatures = session.meta_graph.signature_def
        if name not in signatures:
            raise ServingError(Code.FAILED_PRECONDITION, f'Serving signature key "{name}" not found.')
        signature = signatures[name]
        given = {alias: from_proto(alias, proto) for alias, proto in signature.defaults.items()} | dict(arrays)
        if given.keys() != signature.inputs.keys():
            missing, extra = signature.inputs.keys() - given.keys(), given.keys() - signature.inputs.keys()
            raise ServingError(Code.INVALID_ARGUMENT, f"inputs missing: {sorted(missing)}, unknown: {sorted(extra)}")
        feeds = {signature.inputs[alias].name: array for alias, array in given.items()}
        aliases = sorted(signature.outputs)
        fetches = [signature.outputs[alias].name for alias in aliases]
        self._last = lambda: session.run(feeds, fetches, 0)
        return dict(zip(aliases, self._last(), strict=True))

    def _timed(self, runs: int) -> list[float]:
        if self._last is None:
            raise ServingError(Code.FAILED_PRECONDITION, "nothing was asked yet")
        seconds = []
        for _ in range(runs):
            began = time.perf_counter()
            self._last()
            seconds.append(time.perf_counter() - began)
        return seconds

    def _warm_up(self, most: int) -> dict[str, Any]:
        count = 0
        for count, record in enumerate(read_records(self._folder / WARMUP_FILE), start=1):
            if count > MOST_WARMUP_RECORDS:
                raise ServingError(Code.INVALID_ARGUMENT, f"it has more than {MOST_WARMUP_RECORDS} records")
            if count > most:
                return {"replayed": most, "more": True}
            self._replay(count, record)
        return {"replayed": count, "more": False}

    def _replay(self, number: int, record: bytes) -> None:
        try:
            log = prediction_log_pb2.PredictionLog.FromString(record)
        except DecodeError as error:
            raise ServingError(Code.DATA_LOSS, f"record {number} is no PredictionLog") from error
        if (kind := log.WhichOneof("log_type")) != "predict_log":
            raise ServingError(Code.UNIMPLEMENTED, f"record {number} is a {kind}, which is not replayed here")
        request = log.predict_log.request
        inputs = {alias: from_proto(alias, proto) for alias, proto in request.inputs.items()}
        try:
            self._predict(request.model_spec.signature_name or DEFAULT_SIGNATURE, inputs)
        except ServingError as error:
            raise ServingError(error.code, f"record {number}: {error.message}") from error


def _resident(field: str) -> int:
    """Bytes of this process's memory: VmRSS is what it has, VmHWM the most it has had."""
    for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise ServingError(Code.INTERNAL, f"the kernel does not tell {field}")


def main() -> None:
    """Answer until nobody asks."""
    # A version may print; what it prints is no answer.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    runner = Runner(Path(sys.argv[1]))
    while (message := receive(sys.stdin.buffer)) is not None:
        send(answers, *runner.answer(*message))


if __name__ == "__main__":
    main()
