"""TensorFlow's and TensorFlow Serving's protocol buffers, without TensorFlow.

`tensorflow_serving.apis.predict_pb2` imports `tensorflow.core…_pb2`, and with it the `tensorflow` package, which costs
many seconds and hundreds of megabytes. The generated modules themselves need nothing but protobuf, so they are
imported here while a bare package of the same name and path stands in for `tensorflow`. It is taken away afterwards:
who imports `tensorflow` later gets the real one.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from promoter.errors import InvalidSettings


def tensorflow_folder() -> Path:
    """Where TensorFlow is installed; imports nothing of it. Raises InvalidSettings."""
    spec = importlib.util.find_spec("tensorflow")
    if spec is None or not spec.submodule_search_locations:
        raise InvalidSettings("TensorFlow is not installed: install the promoter with its extra `verify`")
    return Path(spec.submodule_search_locations[0])


@contextmanager
def bare_tensorflow() -> Iterator[None]:
    """While it lasts, `tensorflow` is a package of that path and nothing else; unless it was imported before."""
    if "tensorflow" in sys.modules:
        yield
        return
    package = ModuleType("tensorflow")
    package.__path__ = [str(tensorflow_folder())]
    sys.modules["tensorflow"] = package
    try:
        yield
    finally:
        del sys.modules["tensorflow"]


with bare_tensorflow():
    config_pb2 = importlib.import_module("tensorflow.core.protobuf.config_pb2")
    meta_graph_pb2 = importlib.import_module("tensorflow.core.protobuf.meta_graph_pb2")
    saved_model_pb2 = importlib.import_module("tensorflow.core.protobuf.saved_model_pb2")
    tensor_pb2 = importlib.import_module("tensorflow.core.framework.tensor_pb2")
    types_pb2 = importlib.import_module("tensorflow.core.framework.types_pb2")
    predict_pb2 = importlib.import_module("tensorflow_serving.apis.predict_pb2")
    prediction_log_pb2 = importlib.import_module("tensorflow_serving.apis.prediction_log_pb2")
