"""Tensors as numpy arrays: from and to TensorProto. Numbers, booleans, and strings as arrays of `bytes` objects."""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt

from promoter.saved_model.protos import types_pb2
from promoter.saved_model.statuses import Code, ServingError

Array = npt.NDArray[Any]

# numpy does not count it among its floating-point types, nor among any others.
BFLOAT16 = np.dtype(ml_dtypes.bfloat16)

# TensorFlow's number of a type, numpy's, and the field of TensorProto that holds its values one by one
# (TensorFlow, core/framework/tensor.proto).
_TYPES = (
    (types_pb2.DT_FLOAT, np.dtype(np.float32), "float_val"),
    (types_pb2.DT_DOUBLE, np.dtype(np.float64), "double_val"),
    (types_pb2.DT_INT32, np.dtype(np.int32), "int_val"),
    (types_pb2.DT_UINT8, np.dtype(np.uint8), "int_val"),
    (types_pb2.DT_INT16, np.dtype(np.int16), "int_val"),
    (types_pb2.DT_INT8, np.dtype(np.int8), "int_val"),
    (types_pb2.DT_INT64, np.dtype(np.int64), "int64_val"),
    (types_pb2.DT_BOOL, np.dtype(np.bool_), "bool_val"),
    (types_pb2.DT_UINT16, np.dtype(np.uint16), "int_val"),
    (types_pb2.DT_UINT32, np.dtype(np.uint32), "uint32_val"),
    (types_pb2.DT_UINT64, np.dtype(np.uint64), "uint64_val"),
    (types_pb2.DT_HALF, np.dtype(np.float16), "half_val"),
    (types_pb2.DT_BFLOAT16, BFLOAT16, "half_val"),
    (types_pb2.DT_STRING, np.dtype(np.object_), "string_val"),
)
# Fields that hold the bits of a value, as a whole number.
_BITS = "half_val"
_EMPTY = b""
_NUMPY = MappingProxyType({number: dtype for number, dtype, _ in _TYPES})
_NUMBER = MappingProxyType({dtype: number for number, dtype, _ in _TYPES})
_FIELD = MappingProxyType({number: field for number, _, field in _TYPES})


def numpy_type(number: int) -> np.dtype[Any]:
    """The numpy type of a TensorFlow DataType. Raises ServingError (UNIMPLEMENTED) for complex numbers and the like."""
    if number not in _NUMPY:
        name = types_pb2.DataType.Name(number) if number in types_pb2.DataType.values() else str(number)
        raise ServingError(Code.UNIMPLEMENTED, f"tensors of type {name} are not supported here")
    return _NUMPY[number]


def is_float(dtype: np.dtype[Any]) -> bool:
    """Whether values of this type are real numbers, of which some are not finite."""
    return dtype.kind == "f" or dtype == BFLOAT16


def is_half(number: int) -> bool:
    """Whether a TensorFlow DataType is a float of two bytes."""
    return _FIELD.get(number) == _BITS


def type_number(dtype: np.dtype[Any]) -> int:
    """TensorFlow's DataType of an array that came from here."""
    return int(_NUMBER[dtype])


def from_proto(name: str, proto: Any) -> Array:
    """The array in a TensorProto. Raises ServingError (INVALID_ARGUMENT) where shape and values disagree."""
    dtype = numpy_type(proto.dtype)
    shape = tuple(dimension.size for dimension in proto.tensor_shape.dim)
    malformed = ServingError(Code.INVALID_ARGUMENT, f"tensor parsing error: {name}")
    if proto.tensor_shape.unknown_rank or any(size < 0 for size in shape):
        raise malformed
    count = math.prod(shape)
    if proto.tensor_content:
        if dtype.hasobject or len(proto.tensor_content) != count * dtype.itemsize:
            raise malformed
        return np.frombuffer(proto.tensor_content, dtype).reshape(shape)
    listed = getattr(proto, _FIELD[proto.dtype])
    values = np.asarray(listed, np.uint16).view(dtype) if is_half(proto.dtype) else np.asarray(listed, dtype)
    if values.size == count:
        return values.reshape(shape)
    if values.size > 1:
        raise malformed
    # A single value stands for all of them, and none for zeros.
    alone = values[0] if values.size else _EMPTY if dtype.hasobject else dtype.type(0)
    return np.full(shape, alone, dtype)


def fill_proto(array: Array, proto: Any) -> None:
    """Write `array` into an empty TensorProto, value by value as TensorFlow Serving does."""
    proto.dtype = type_number(array.dtype)
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    values = array.ravel().view(np.uint16) if is_half(proto.dtype) else array.ravel()
    getattr(proto, _FIELD[proto.dtype]).extend(values.tolist())
