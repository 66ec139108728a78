"""What parent and child say to each other through pipes: a line of JSON, then the bytes of the arrays it names."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np

from promoter.saved_model.tensors import BFLOAT16, Array

_LONGEST_LINE = 64 * 2**20
_MOST_BYTES = 2 * 2**30
_STRINGS = "string"

Message = tuple[dict[str, Any], dict[str, Array]]


class Garbled(Exception):
    """What came is no message; whoever sent it is not to be trusted any more."""


def send(stream: BinaryIO, header: Mapping[str, Any], arrays: Mapping[str, Array] | None = None) -> None:
    """Write one message. Raises OSError where nobody reads."""
    listed, contents = [], []
    for name, array in (arrays or {}).items():
        entry: dict[str, Any] = {"name": name, "shape": array.shape}
        if array.dtype.hasobject:
            entry |= {"dtype": _STRINGS, "values": [base64.b64encode(text).decode() for text in array.ravel()]}
        else:
            entry["dtype"] = BFLOAT16.name if array.dtype == BFLOAT16 else array.dtype.str
            contents.append(np.ascontiguousarray(array).tobytes())
        listed.append(entry)
    stream.write(json.dumps({**header, "arrays": listed}).encode() + b"\n")
    stream.writelines(contents)
    stream.flush()


def receive(stream: BinaryIO) -> Message | None:
    """The next message, None at the end of the stream. Raises Garbled."""
    line = stream.readline(_LONGEST_LINE)
    if not line:
        return None
    try:
        header = json.loads(line)
        arrays = {str(entry["name"]): _array(stream, entry) for entry in header.pop("arrays")}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Garbled(f"not a message: {type(error).__name__}") from error
    return header, arrays


def _array(stream: BinaryIO, entry: Mapping[str, Any]) -> Array:
    shape = tuple(int(size) for size in entry["shape"])
    if entry["dtype"] == _STRINGS:
        texts = np.empty(math.prod(shape), np.object_)
        texts[:] = [base64.b64decode(text) for text in entry["values"]]
        return texts.reshape(shape)
    dtype = BFLOAT16 if entry["dtype"] == BFLOAT16.name else np.dtype(entry["dtype"])
    size = math.prod(shape) * dtype.itemsize
    if dtype.hasobject or any(length < 0 for length in shape) or size > _MOST_BYTES:
        raise Garbled("not an array")
    content = stream.read(size)
    if len(content) != size:
        raise Garbled("the array ends early")
    return np.frombuffer(content, dtype).reshape(shape)
