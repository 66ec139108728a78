"""One loaded version: which requests are for it, what it answers, and with which errors it refuses."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from promoter.sandbox.model_server.metrics import ServingMetrics
from promoter.sandbox.model_server.model_config import PinnedModel
from promoter.saved_model.c_library import Session
from promoter.saved_model.rest_json import DEFAULT_SIGNATURE
from promoter.saved_model.statuses import Code, ServingError
from promoter.saved_model.tensors import Array


@dataclass(frozen=True, slots=True)
class Servable:
    """A version that answers. Messages are TensorFlow Serving's (servables/tensorflow/predict_util.cc)."""

    model: PinnedModel
    session: Session
    metrics: ServingMetrics

    @property
    def signatures(self) -> Mapping[str, Any]:
        """The model's SignatureDefs by name."""
        signatures: Mapping[str, Any] = self.session.meta_graph.signature_def
        return signatures

    def check(self, model_spec: Any) -> None:
        """Raise the ServingError of a ModelSpec that does not mean this version."""
        choice = model_spec.WhichOneof("version_choice")
        if not model_spec.name:
            raise ServingError(Code.INVALID_ARGUMENT, "ModelSpec has no model name specified.")
        if choice == "version_label":
            label = model_spec.version_label
            raise ServingError(Code.INVALID_ARGUMENT, f"Unrecognized servable version label: {label}")
        if choice == "version" and (model_spec.name, model_spec.version.value) != (self.model.name, self.model.version):
            wanted = f"Specific({model_spec.name}, {model_spec.version.value})"
            raise ServingError(Code.NOT_FOUND, f"Servable not found for request: {wanted}")
        if model_spec.name != self.model.name:
            raise ServingError(Code.NOT_FOUND, f"Servable not found for request: Latest({model_spec.name})")

    def predict(
        self,
        model_spec: Any,
        inputs: Mapping[str, Array],
        output_filter: Sequence[str],
        timeout_ms: int,
    ) -> dict[str, Array]:
        """The outputs by name, all of them where `output_filter` is empty. timeout_ms: 0 for none.

        Raises ServingError for anything that is wrong with the request, and what the model itself raises.
        """
        self.check(model_spec)
        name = model_spec.signature_name or DEFAULT_SIGNATURE
        if name not in self.signatures:
            raise ServingError(Code.FAILED_PRECONDITION, f'Serving signature key "{name}" not found.')
        signature = self.signatures[name]
        _check_inputs(inputs.keys(), signature.inputs.keys())
        aliases = _checked_outputs(output_filter, signature.outputs.keys())
        feeds = {signature.inputs[alias].name: array for alias, array in inputs.items()}
        began = time.perf_counter()
        outputs = self.session.run(feeds, [signature.outputs[alias].name for alias in aliases], timeout_ms)
        self.metrics.runtime_latency.observe((time.perf_counter() - began) * 1e6, model_spec.name, "Predict", "TF1")
        return dict(zip(aliases, outputs, strict=True))


def _check_inputs(sent: Collection[str], expected: Collection[str]) -> None:
    if len(sent) != len(expected):
        raise ServingError(
            Code.INVALID_ARGUMENT,
            f"input size does not match signature: {len(sent)}!={len(expected)} len({_set(sent)}) != "
            f"len({_set(expected)}). Sent extra: {_set(set(sent) - set(expected))}. "
            f"Missing but required: {_set(set(expected) - set(sent))}.",
        )
    for alias in sorted(set(sent) - set(expected)):
        raise ServingError(
            Code.INVALID_ARGUMENT,
            f"input tensor alias not found in signature: {alias}. Inputs expected to be in the set {_set(expected)}.",
        )


def _checked_outputs(wanted: Sequence[str], offered: Collection[str]) -> list[str]:
    for position, alias in enumerate(wanted):
        if alias not in offered:
            raise ServingError(
                Code.INVALID_ARGUMENT,
                f"output tensor alias not found in signature: {alias} Outputs expected to be in the set "
                f"{_set(offered)}.",
            )
        if alias in wanted[:position]:
            raise ServingError(Code.INVALID_ARGUMENT, f"duplicate output tensor alias: {alias}")
    return list(wanted or sorted(offered))


def _set(names: Collection[str]) -> str:
    return "{" + ",".join(sorted(names)) + "}"
