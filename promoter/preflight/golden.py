"""Golden requests: predict bodies of TensorFlow Serving's REST API that every version of a model should answer well."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from promoter.documents.golden_file import parse_bodies
from promoter.domain.signature import Signature, TensorSpec
from promoter.errors import InvalidInput
from promoter.saved_model.protos import types_pb2
from promoter.saved_model.rest_json import DEFAULT_SIGNATURE, read_request
from promoter.saved_model.statuses import Code, ServingError
from promoter.saved_model.tensors import Array, is_float, numpy_type

_NUMBERS = {"float16": types_pb2.DT_HALF, "float32": types_pb2.DT_FLOAT, "float64": types_pb2.DT_DOUBLE}


@dataclass(frozen=True, slots=True)
class Request:
    """signature: its name. inputs: arrays by name, in the types of the signature."""

    signature: str
    inputs: Mapping[str, Array]


def golden_requests(content: bytes, signatures: Mapping[str, Signature], where: str) -> tuple[Request, ...]:
    """The requests in `content`: one body, or a list of bodies. Raises InvalidInput, which names `where`."""
    return tuple(
        _request(body, signatures, f"{where}, request {number}")
        for number, body in enumerate(parse_bodies(content, where), start=1)
    )


def _request(body: Any, signatures: Mapping[str, Signature], where: str) -> Request:
    def inputs(name: str) -> Mapping[str, Any]:
        if name not in signatures:
            raise ServingError(Code.INVALID_ARGUMENT, f"the version has no signature {name}")
        signature, named = signatures[name], _named(body)
        return {
            alias: SimpleNamespace(dtype=_number(spec))
            for alias, spec in signature.inputs.items()
            if alias not in signature.optional or alias in named
        }

    try:
        found = read_request(body, inputs)
    except ServingError as error:
        raise InvalidInput(f"{where}: {error.message}") from error
    return Request(found.signature_name, found.inputs)


def _named(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The inputs that a body names, by the first row where it is in rows."""
    rows = body.get("instances")
    first = rows[0] if isinstance(rows, list) and rows else body.get("inputs")
    return first if isinstance(first, dict) else {}


def made_up(signatures: Mapping[str, Signature]) -> Request:
    """A request of one row that fits a signature, the default one if there is one.

    Raises ServingError (UNIMPLEMENTED, NOT_FOUND) where none can be made.
    """
    if not signatures:
        raise ServingError(Code.NOT_FOUND, "the version has no signature")
    name = DEFAULT_SIGNATURE if DEFAULT_SIGNATURE in signatures else min(signatures)
    signature = signatures[name]
    wanted = {alias: spec for alias, spec in signature.inputs.items() if alias not in signature.optional}
    return Request(name, {alias: _filled(spec) for alias, spec in wanted.items()})


def _filled(spec: TensorSpec) -> Array:
    dtype = numpy_type(_number(spec))
    shape = tuple(1 if size is None else size for size in spec.shape or ())
    if dtype.hasobject:
        return np.full(shape, b"", dtype)
    if is_float(dtype):
        return np.random.default_rng(0).random(shape).astype(dtype)
    # Zero is a valid index of everything.
    return np.zeros(shape, dtype)


def batch_of(request: Request, signature: Signature, size: int) -> Request | None:
    """The request's rows, over and over, `size` of them; None where the signature has no batch dimension."""
    for alias in request.inputs:
        shape = signature.inputs[alias].shape
        if shape is None or not shape or shape[0] is not None:
            return None
    return Request(
        request.signature,
        {alias: np.resize(array, (size, *array.shape[1:])) for alias, array in request.inputs.items()},
    )


def _number(spec: TensorSpec) -> int:
    """TensorFlow's DataType. Raises ServingError (UNIMPLEMENTED)."""
    if spec.dtype in _NUMBERS:
        return int(_NUMBERS[spec.dtype])
    name = f"DT_{spec.dtype.upper()}"
    if name not in types_pb2.DataType.keys():  # noqa: SIM118 - an enum of protobuf is no mapping
        raise ServingError(Code.UNIMPLEMENTED, f"tensors of type {spec.dtype} are not supported here")
    return int(types_pb2.DataType.Value(name))
