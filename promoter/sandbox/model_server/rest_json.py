"""The JSON of REST predict in rows (`instances`) and columns (`inputs`) (TensorFlow Serving, util/json_tensor.cc)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from promoter.sandbox.model_server.servable import DEFAULT_SIGNATURE
from promoter.sandbox.model_server.statuses import Code, ServingError
from promoter.sandbox.model_server.tensors import Array, numpy_type

# What kinds of JSON value (as numpy sees them) a kind of tensor accepts.
_ACCEPTED = {"f": "fiu", "i": "iu", "u": "iu", "b": "b"}

# The inputs of a signature by its name: TensorInfo by alias.
SignatureInputs = Callable[[str], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class RestRequest:
    """A parsed predict request. by_row: its answer goes under `predictions`, else under `outputs`."""

    signature_name: str
    inputs: Mapping[str, Array]
    by_row: bool


def parse_request(body: bytes, signature_inputs: SignatureInputs) -> RestRequest:
    """The request in `body`. Raises ServingError (INVALID_ARGUMENT)."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _invalid(f"JSON Parse error: {error}") from error
    if not isinstance(document, dict):
        raise _invalid("Request body must be a JSON object")
    if ("instances" in document) == ("inputs" in document):
        raise _invalid("Request must have exactly one of the keys 'instances' and 'inputs'")
    name = document.get("signature_name") or DEFAULT_SIGNATURE
    if not isinstance(name, str):
        raise _invalid("'signature_name' key must be a string value.")
    expected = signature_inputs(name)
    if "instances" in document:
        return RestRequest(name, _from_rows(document["instances"], expected), by_row=True)
    return RestRequest(name, _from_columns(document["inputs"], expected), by_row=False)


def format_response(outputs: Mapping[str, Array], *, by_row: bool) -> bytes:
    """The answer as JSON. NaN and infinities are written as bare tokens, as the original does."""
    if not by_row:
        columns = {name: array.tolist() for name, array in outputs.items()}
        return _dump({"outputs": next(iter(columns.values())) if len(columns) == 1 else columns})
    sizes = {array.shape[0] if array.ndim else 0 for array in outputs.values()}
    if sizes == {0} or len(sizes) > 1:
        raise _invalid("The outputs differ in batch size or have none, so they have no rows: ask with 'inputs'")
    lists = {name: array.tolist() for name, array in outputs.items()}
    if len(lists) == 1:
        return _dump({"predictions": next(iter(lists.values()))})
    rows = [dict(zip(lists, values, strict=True)) for values in zip(*lists.values(), strict=True)]
    return _dump({"predictions": rows})


def _from_rows(instances: Any, expected: Mapping[str, Any]) -> dict[str, Array]:
    if not isinstance(instances, list) or not instances:
        raise _invalid("'instances' must be a list with at least one value")
    if not isinstance(instances[0], dict):
        return _only_input(instances, expected)
    for row in instances:
        if not isinstance(row, dict) or row.keys() != expected.keys():
            raise _invalid(f"Every instance must be an object with the keys {', '.join(sorted(expected))}")
    return {alias: _array(alias, [row[alias] for row in instances], info) for alias, info in expected.items()}


def _from_columns(inputs: Any, expected: Mapping[str, Any]) -> dict[str, Array]:
    if not isinstance(inputs, dict):
        return _only_input(inputs, expected)
    if inputs.keys() != expected.keys():
        raise _invalid(f"'inputs' must have the keys {', '.join(sorted(expected))}")
    return {alias: _array(alias, inputs[alias], info) for alias, info in expected.items()}


def _only_input(values: Any, expected: Mapping[str, Any]) -> dict[str, Array]:
    if len(expected) != 1:
        raise _invalid(f"The model has {len(expected)} inputs: name each of {', '.join(sorted(expected))}")
    [(alias, info)] = expected.items()
    return {alias: _array(alias, values, info)}


def _array(alias: str, values: Any, info: Any) -> Array:
    dtype = numpy_type(info.dtype)
    try:
        array = np.array(values)
    except ValueError as error:
        raise _invalid(f"input {alias}: the lists in it differ in length") from error
    if array.dtype.kind not in _ACCEPTED[dtype.kind]:
        raise _invalid(f"input {alias}: a value is not of type {dtype}")
    return array.astype(dtype)


def _dump(document: Any) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def _invalid(message: str) -> ServingError:
    return ServingError(Code.INVALID_ARGUMENT, message)
