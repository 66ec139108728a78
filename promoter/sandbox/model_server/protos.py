"""TensorFlow's and TensorFlow Serving's protocol buffers, without TensorFlow.

`tensorflow_serving.apis.predict_pb2` imports `tensorflow.core…_pb2`, and with it the `tensorflow` package, which costs
many seconds and hundreds of megabytes. The generated modules themselves need nothing but protobuf, so they are
imported here while a bare package of the same name and path stands in for `tensorflow`. It is taken away afterwards:
who imports `tensorflow` later gets the real one.

The monitoring configuration is not among the published modules, so its few fields are declared here
(TensorFlow Serving, config/monitoring_config.proto).
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from promoter.errors import InvalidSettings


def tensorflow_folder() -> Path:
    """Where TensorFlow is installed; imports nothing of it. Raises InvalidSettings."""
    spec = importlib.util.find_spec("tensorflow")
    if spec is None or not spec.submodule_search_locations:
        raise InvalidSettings("TensorFlow is not installed: install the promoter with its `sandbox` extra")
    return Path(spec.submodule_search_locations[0])


@contextmanager
def _bare_tensorflow() -> Iterator[None]:
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


def _monitoring_config() -> type:
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="tensorflow_serving/config/monitoring_config.proto", package="tensorflow.serving", syntax="proto3"
    )
    prometheus = file.message_type.add(name="PrometheusConfig")
    prometheus.field.add(name="enable", number=1, type=field.TYPE_BOOL, label=field.LABEL_OPTIONAL)
    prometheus.field.add(name="path", number=2, type=field.TYPE_STRING, label=field.LABEL_OPTIONAL)
    monitoring = file.message_type.add(name="MonitoringConfig")
    monitoring.field.add(
        name="prometheus_config",
        number=1,
        type=field.TYPE_MESSAGE,
        type_name=".tensorflow.serving.PrometheusConfig",
        label=field.LABEL_OPTIONAL,
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    made: type = message_factory.GetMessageClass(pool.FindMessageTypeByName("tensorflow.serving.MonitoringConfig"))
    return made


with _bare_tensorflow():
    config_pb2 = importlib.import_module("tensorflow.core.protobuf.config_pb2")
    meta_graph_pb2 = importlib.import_module("tensorflow.core.protobuf.meta_graph_pb2")
    types_pb2 = importlib.import_module("tensorflow.core.framework.types_pb2")
    tensor_pb2 = importlib.import_module("tensorflow.core.framework.tensor_pb2")
    get_model_metadata_pb2 = importlib.import_module("tensorflow_serving.apis.get_model_metadata_pb2")
    get_model_status_pb2 = importlib.import_module("tensorflow_serving.apis.get_model_status_pb2")
    model_server_config_pb2 = importlib.import_module("tensorflow_serving.config.model_server_config_pb2")
    model_service_pb2_grpc = importlib.import_module("tensorflow_serving.apis.model_service_pb2_grpc")
    predict_pb2 = importlib.import_module("tensorflow_serving.apis.predict_pb2")
    prediction_log_pb2 = importlib.import_module("tensorflow_serving.apis.prediction_log_pb2")
    prediction_service_pb2_grpc = importlib.import_module("tensorflow_serving.apis.prediction_service_pb2_grpc")

MonitoringConfig = _monitoring_config()
