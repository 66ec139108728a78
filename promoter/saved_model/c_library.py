"""A SavedModel run through TensorFlow's C library (tensorflow/c/c_api.h), by ctypes.

The model server of TensorFlow Serving runs models by the same `Session::Run`. The library is ready in half a second
where `import tensorflow` takes many, a pod holds a fraction of the memory, and a run holds no lock of Python's.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from promoter.saved_model.protos import config_pb2, meta_graph_pb2, tensorflow_folder
from promoter.saved_model.statuses import Code, ServingError
from promoter.saved_model.tensors import Array, numpy_type, type_number

_SERVE_TAG = b"serve"

# sizeof(TF_TString) (tensorflow/c/tf_tensor.h, core/platform/ctstring_internal.h).
_STRING_BYTES = 24


class _Buffer(ctypes.Structure):
    """TF_Buffer."""

    _fields_ = (("data", ctypes.c_void_p), ("length", ctypes.c_size_t), ("deallocator", ctypes.c_void_p))


class _Output(ctypes.Structure):
    """TF_Output: one result of one operation."""

    _fields_ = (("operation", ctypes.c_void_p), ("index", ctypes.c_int))


_POINTER, _INT, _SIZE, _TEXT = ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t, ctypes.c_char_p
_BUFFER, _POINTERS, _DIMENSIONS = (ctypes.POINTER(kind) for kind in (_Buffer, ctypes.c_void_p, ctypes.c_int64))
_OUTPUTS, _TEXTS = ctypes.POINTER(_Output), ctypes.POINTER(_TEXT)

# Functions that may take long run without Python's lock; for the others, giving it up and waiting for it again
# would cost more than they do.
_LONG_CALLS = {
    "TF_LoadSessionFromSavedModel": (
        _POINTER,
        (_POINTER, _BUFFER, _TEXT, _TEXTS, _INT, _POINTER, _BUFFER, _POINTER),
    ),
    "TF_SessionRun": (
        None,
        (
            *(_POINTER, _BUFFER, _OUTPUTS, _POINTERS, _INT),
            *(_OUTPUTS, _POINTERS, _INT, _POINTERS, _INT, _BUFFER, _POINTER),
        ),
    ),
}
_SHORT_CALLS = {
    "TF_NewStatus": (_POINTER, ()),
    "TF_DeleteStatus": (None, (_POINTER,)),
    "TF_GetCode": (_INT, (_POINTER,)),
    "TF_Message": (_TEXT, (_POINTER,)),
    "TF_NewSessionOptions": (_POINTER, ()),
    "TF_DeleteSessionOptions": (None, (_POINTER,)),
    "TF_SetConfig": (None, (_POINTER, _TEXT, _SIZE, _POINTER)),
    "TF_NewGraph": (_POINTER, ()),
    "TF_DeleteGraph": (None, (_POINTER,)),
    "TF_GraphOperationByName": (_POINTER, (_POINTER, _TEXT)),
    "TF_NewBuffer": (_BUFFER, ()),
    "TF_NewBufferFromString": (_BUFFER, (_TEXT, _SIZE)),
    "TF_DeleteBuffer": (None, (_BUFFER,)),
    "TF_AllocateTensor": (_POINTER, (_INT, _DIMENSIONS, _INT, _SIZE)),
    "TF_DeleteTensor": (None, (_POINTER,)),
    "TF_TensorData": (_POINTER, (_POINTER,)),
    "TF_TensorByteSize": (_SIZE, (_POINTER,)),
    "TF_TensorType": (_INT, (_POINTER,)),
    "TF_NumDims": (_INT, (_POINTER,)),
    "TF_Dim": (ctypes.c_int64, (_POINTER, _INT)),
    "TF_Version": (_TEXT, ()),
    "TF_StringInit": (None, (_POINTER,)),
    "TF_StringCopy": (None, (_POINTER, _TEXT, _SIZE)),
    "TF_StringDealloc": (None, (_POINTER,)),
    "TF_StringGetDataPointer": (_POINTER, (_POINTER,)),
    "TF_StringGetSize": (_SIZE, (_POINTER,)),
}


@cache
def _library() -> Any:
    """The functions above as attributes, with their types set."""
    folder = tensorflow_folder()
    # The framework holds what the other library's symbols refer to, so it must be there first.
    ctypes.CDLL(str(folder / "libtensorflow_framework.so.2"), mode=ctypes.RTLD_GLOBAL)
    path = str(folder / "libtensorflow_cc.so.2")
    functions = SimpleNamespace()
    for handle, calls in ((ctypes.CDLL(path), _LONG_CALLS), (ctypes.PyDLL(path), _SHORT_CALLS)):
        for name, (result, arguments) in calls.items():
            function = getattr(handle, name)
            function.restype, function.argtypes = result, arguments
            setattr(functions, name, function)
    return functions


def version() -> str:
    """TensorFlow's own, as in `2.20.0`."""
    found: bytes = _library().TF_Version()
    return found.decode()


class _Status:
    """TF_Status, in a with statement; leaving it raises what the calls reported."""

    def __enter__(self) -> Any:
        self._pointer = _library().TF_NewStatus()
        return self._pointer

    def __exit__(self, kind: object, *_: object) -> None:
        tf = _library()
        code, message = tf.TF_GetCode(self._pointer), tf.TF_Message(self._pointer)
        tf.TF_DeleteStatus(self._pointer)
        if code and kind is None:
            raise ServingError(Code(code), message.decode(errors="replace"))


class Session:
    """A SavedModel, loaded. `meta_graph` is its MetaGraphDef, which holds the signatures."""

    def __init__(self, directory: Path, intra_op_threads: int = 0, inter_op_threads: int = 0) -> None:
        """Load `directory`; 0 threads leave the number to TensorFlow. Raises ServingError."""
        tf = _library()
        config = config_pb2.ConfigProto(
            intra_op_parallelism_threads=intra_op_threads, inter_op_parallelism_threads=inter_op_threads
        ).SerializeToString()
        options, meta_graph = tf.TF_NewSessionOptions(), tf.TF_NewBuffer()
        self._graph = tf.TF_NewGraph()
        self._outputs: dict[str, _Output] = {}
        try:
            with _Status() as status:
                tf.TF_SetConfig(options, config, len(config), status)
            with _Status() as status:
                tags = (_TEXT * 1)(_SERVE_TAG)
                self._session = tf.TF_LoadSessionFromSavedModel(
                    options, None, bytes(directory), tags, 1, self._graph, meta_graph, status
                )
            content = ctypes.string_at(meta_graph.contents.data, meta_graph.contents.length)
            self.meta_graph = meta_graph_pb2.MetaGraphDef.FromString(content)
        except ServingError:
            tf.TF_DeleteGraph(self._graph)
            raise
        finally:
            tf.TF_DeleteBuffer(meta_graph)
            tf.TF_DeleteSessionOptions(options)

    def run(self, feeds: Mapping[str, Array], fetches: Sequence[str], timeout_ms: int) -> list[Array]:
        """The tensors named by `fetches`; names are the graph's (`StatefulPartitionedCall:0`).

        timeout_ms: 0 for none. Raises ServingError with the code that TensorFlow's runtime gave.
        """
        tf = _library()
        inputs = (_Output * len(feeds))(*map(self._output, feeds))
        outputs = (_Output * len(fetches))(*map(self._output, fetches))
        results = (_POINTER * len(fetches))()
        tensors: list[int] = []
        options = config_pb2.RunOptions(timeout_in_ms=timeout_ms).SerializeToString()
        run_options = tf.TF_NewBufferFromString(options, len(options))
        try:
            tensors.extend(map(_allocated, feeds.values()))
            values = (_POINTER * len(feeds))(*tensors)
            with _Status() as status:
                tf.TF_SessionRun(
                    self._session,
                    run_options,
                    *(inputs, values, len(feeds)),
                    *(outputs, results, len(fetches)),
                    *(None, 0, None, status),
                )
            return [_copied(result) for result in results if result]
        finally:
            tf.TF_DeleteBuffer(run_options)
            for tensor, array in zip(tensors, feeds.values(), strict=False):
                _delete_strings(tensor, array)
            for tensor in filter(None, (*tensors, *results)):
                tf.TF_DeleteTensor(tensor)

    def _output(self, name: str) -> _Output:
        if name not in self._outputs:
            operation, _, index = name.partition(":")
            pointer = _library().TF_GraphOperationByName(self._graph, operation.encode())
            if not pointer:
                raise ServingError(Code.NOT_FOUND, f"Tensor {name} is not in the graph")
            self._outputs[name] = _Output(pointer, int(index or 0))
        return self._outputs[name]


def _allocated(array: Array) -> int:
    """A new TF_Tensor with a copy of `array`, to be deleted by the caller."""
    tf = _library()
    contiguous = np.ascontiguousarray(array)
    shape = (ctypes.c_int64 * array.ndim)(*array.shape)
    size = array.size * _STRING_BYTES if array.dtype.hasobject else contiguous.nbytes
    tensor: int | None = tf.TF_AllocateTensor(type_number(array.dtype), shape, array.ndim, size)
    if tensor is None:
        raise ServingError(Code.RESOURCE_EXHAUSTED, f"no memory for a tensor of {size} bytes")
    if array.dtype.hasobject:
        for place, text in zip(_places(tensor, array.size), contiguous.ravel(), strict=True):
            tf.TF_StringInit(place)
            tf.TF_StringCopy(place, text, len(text))
    else:
        ctypes.memmove(tf.TF_TensorData(tensor), contiguous.ctypes.data, size)
    return tensor


def _places(tensor: int, count: int) -> range:
    """The addresses of a tensor's strings."""
    first = _library().TF_TensorData(tensor) if count else 0
    return range(first, first + count * _STRING_BYTES, _STRING_BYTES)


def _delete_strings(tensor: int, array: Array) -> None:
    # TF_DeleteTensor gives back the memory of a tensor that was allocated here, and not what its strings hold.
    if array.dtype.hasobject:
        for place in _places(tensor, array.size):
            _library().TF_StringDealloc(place)


def _copied(tensor: int) -> Array:
    tf = _library()
    dtype = numpy_type(tf.TF_TensorType(tensor))
    shape = tuple(tf.TF_Dim(tensor, axis) for axis in range(tf.TF_NumDims(tensor)))
    if dtype.hasobject:
        texts = np.empty(math.prod(shape), dtype)
        for index, place in enumerate(_places(tensor, texts.size)):
            texts[index] = ctypes.string_at(tf.TF_StringGetDataPointer(place), tf.TF_StringGetSize(place))
        return texts.reshape(shape)
    content = ctypes.string_at(tf.TF_TensorData(tensor), tf.TF_TensorByteSize(tensor))
    return np.frombuffer(content, dtype).reshape(shape)
