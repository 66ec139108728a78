"""The JSON of REST predict in rows (`instances`) and columns (`inputs`) (TensorFlow Serving, util/json_tensor.cc)."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from promoter.saved_model.statuses import Code, ServingError
from promoter.saved_model.tensors import Array, is_float, is_half, numpy_type, type_number

DEFAULT_SIGNATURE = "serving_default"

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
    """The request in `body`. Raises ServingError (INVALID_ARGUMENT, UNIMPLEMENTED).

    TensorFlow Serving takes and gives numbers of half precision by gRPC only.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _invalid(f"JSON Parse error: {error}") from error

    def served(name: str) -> Mapping[str, Any]:
        expected = signature_inputs(name)
        for alias, info in expected.items():
            _check_served(alias, info.dtype)
        return expected

    return read_request(document, served)


def read_request(document: Any, signature_inputs: SignatureInputs) -> RestRequest:
    """The request that a parsed body is, in half precision too. Raises ServingError (INVALID_ARGUMENT)."""
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
        columns = {name: _listed(name, array) for name, array in outputs.items()}
        return _dump({"outputs": next(iter(columns.values())) if len(columns) == 1 else columns})
    sizes = {array.shape[0] if array.ndim else 0 for array in outputs.values()}
    if sizes == {0} or len(sizes) > 1:
        raise _invalid("The outputs differ in batch size or have none, so they have no rows: ask with 'inputs'")
    lists = {name: _listed(name, array) for name, array in outputs.items()}
    if len(lists) == 1:
        return _dump({"predictions": next(iter(lists.values()))})
    rows = [dict(zip(lists, values, strict=True)) for values in zip(*lists.values(), strict=True)]
    return _dump({"predictions": rows})


def _from_rows(instances: Any, expected: Mapping[str, Any]) -> dict[str, Array]:
    if not isinstance(instances, list) or not instances:
        raise _invalid("'instances' must be a list with at least one value")
    if not isinstance(instances[0], dict) or _is_encoded(instances[0]):
        return _only_input(instances, expected)
    for row in instances:
        if not isinstance(row, dict) or row.keys() != expected.keys():
            raise _invalid(f"Every instance must be an object with the keys {', '.join(sorted(expected))}")
    return {alias: _array(alias, [row[alias] for row in instances], info) for alias, info in expected.items()}


def _from_columns(inputs: Any, expected: Mapping[str, Any]) -> dict[str, Array]:
    if not isinstance(inputs, dict) or _is_encoded(inputs):
        return _only_input(inputs, expected)
    if inputs.keys() != expected.keys():
        raise _invalid(f"'inputs' must have the keys {', '.join(sorted(expected))}")
    return {alias: _array(alias, inputs[alias], info) for alias, info in expected.items()}


def _is_encoded(value: Mapping[str, Any]) -> bool:
    """Whether an object is one string rather than named inputs."""
    return value.keys() == {"b64"}


def _only_input(values: Any, expected: Mapping[str, Any]) -> dict[str, Array]:
    if len(expected) != 1:
        raise _invalid(f"The model has {len(expected)} inputs: name each of {', '.join(sorted(expected))}")
    [(alias, info)] = expected.items()
    return {alias: _array(alias, values, info)}


def _array(alias: str, values: Any, info: Any) -> Array:
    dtype = numpy_type(info.dtype)
    if dtype.hasobject:
        return _texts(alias, values)
    try:
        array = np.array(values)
    except ValueError as error:
        raise _invalid(f"input {alias}: the lists in it differ in length") from error
    if array.dtype.kind not in _ACCEPTED["f" if is_float(dtype) else dtype.kind]:
        raise _invalid(f"input {alias}: a value is not of type {dtype}")
    with np.errstate(over="ignore"):
        found = array.astype(dtype)
    if is_float(dtype) and np.any(np.isinf(found) & np.isfinite(array)):
        raise _invalid(f"input {alias}: a value is too large for type {dtype}")
    return found


def _texts(alias: str, values: Any) -> Array:
    """Strings in nested lists: text, or `{"b64": …}` for any bytes."""
    flat: list[bytes] = []

    def shape(value: Any) -> tuple[int, ...]:
        if not isinstance(value, list):
            flat.append(_text(alias, value))
            return ()
        shapes = {shape(item) for item in value}
        if len(shapes) > 1:
            raise _invalid(f"input {alias}: the lists in it differ in length")
        return (len(value), *(shapes.pop() if shapes else ()))

    whole = shape(values)
    array = np.empty(len(flat), np.object_)
    array[:] = flat
    return array.reshape(whole)


def _text(alias: str, value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    if isinstance(value, dict) and value.keys() == {"b64"} and isinstance(value["b64"], str):
        try:
            return base64.b64decode(value["b64"], validate=True)
        except ValueError as error:
            raise _invalid(f"input {alias}: a value is not base64") from error
    raise _invalid(f'input {alias}: a value is neither text nor {{"b64": …}}')


def _listed(name: str, array: Array) -> Any:
    """An output as lists; strings as text, or in base64 where the output's name ends with `_bytes`."""
    if not array.dtype.hasobject:
        _check_served(name, type_number(array.dtype))
        return array.tolist()
    as_bytes = name.endswith("_bytes")

    def written(text: bytes) -> Any:
        return {"b64": base64.b64encode(text).decode()} if as_bytes else text.decode("utf-8", "replace")

    return np.frompyfunc(written, 1, 1)(array).tolist() if array.size else array.tolist()


def _check_served(name: str, number: int) -> None:
    if is_half(number):
        raise ServingError(
            Code.UNIMPLEMENTED,
            f"tensor {name}: numbers of half precision have no JSON: ask by gRPC, or cast in the model",
        )


def _dump(document: Any) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def _invalid(message: str) -> ServingError:
    return ServingError(Code.INVALID_ARGUMENT, message)
