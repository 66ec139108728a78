"""A version that is loaded in its own process, asked as its server would be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from promoter.domain.signature import Signature
from promoter.preflight.child import Child, ChildLost
from promoter.preflight.golden import Request
from promoter.preflight.wire import Message
from promoter.saved_model.tensors import Array

RUNNER = "promoter.preflight.runner"


class NotAnswered(Exception):
    """The version refused, failed or died. code: TensorFlow's, None where the process died; then it is gone."""

    def __init__(self, code: str | None, message: str) -> None:
        self.code = code
        self.message = message
        super().__init__(message if code is None else f"{code}: {message}")


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes of resident memory that the version cost: once loaded, and at most so far."""

    loaded: int
    peak: int


@dataclass(frozen=True, slots=True)
class Running:
    """A version in a child. name: what messages call it. signatures: as its graph says."""

    name: str
    child: Child
    signatures: Mapping[str, Signature]

    def load(self) -> tuple[float, str]:
        """Seconds that it took, and TensorFlow's version. Raises NotAnswered."""
        header, _ = self._ask({"do": "load"})
        return float(header["seconds"]), str(header["tensorflow"])

    def predict(self, request: Request) -> dict[str, Array]:
        """The outputs by name. Inputs that the version does not have are left out. Raises NotAnswered."""
        signature = self.signatures.get(request.signature)
        known = request.inputs if signature is None else request.inputs.keys() & signature.inputs.keys()
        arrays = {alias: array for alias, array in request.inputs.items() if alias in known}
        _, outputs = self._ask({"do": "predict", "signature": request.signature}, arrays)
        return outputs

    def seconds(self, runs: int) -> list[float]:
        """How long the last request takes, again and again. Raises NotAnswered."""
        header, _ = self._ask({"do": "time", "runs": runs})
        return [float(second) for second in header["seconds"]]

    def warm_up(self, records: int) -> tuple[int, bool]:
        """How many warm-up records it answered, up to `records`, and whether there are more. Raises NotAnswered."""
        header, _ = self._ask({"do": "warm_up", "records": records})
        return int(header["replayed"]), bool(header["more"])

    def memory(self) -> Memory:
        """What it costs. Raises NotAnswered."""
        header, _ = self._ask({"do": "memory"})
        before = int(header["before"])
        return Memory(int(header["after"]) - before, int(header["peak"]) - before)

    def _ask(self, question: Mapping[str, object], arrays: Mapping[str, Array] | None = None) -> Message:
        try:
            header, outputs = self.child.ask(question, arrays)
        except ChildLost as error:
            raise NotAnswered(None, f"the process that ran {self.name} {error}") from error
        if "code" in header:
            raise NotAnswered(str(header["code"]), str(header["message"]))
        return header, outputs
