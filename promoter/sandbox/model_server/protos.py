"""The protocol buffers of a model server: its gRPC services and its configuration, without TensorFlow.

The monitoring configuration is not among the published modules, so its few fields are declared here
(TensorFlow Serving, config/monitoring_config.proto).
"""

from __future__ import annotations

import importlib

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from promoter.saved_model.protos import bare_tensorflow


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


with bare_tensorflow():
    get_model_metadata_pb2 = importlib.import_module("tensorflow_serving.apis.get_model_metadata_pb2")
    get_model_status_pb2 = importlib.import_module("tensorflow_serving.apis.get_model_status_pb2")
    model_server_config_pb2 = importlib.import_module("tensorflow_serving.config.model_server_config_pb2")
    # The services themselves, which their stubs do without: reflection reads them.
    importlib.import_module("tensorflow_serving.apis.model_service_pb2")
    importlib.import_module("tensorflow_serving.apis.prediction_service_pb2")
    model_service_pb2_grpc = importlib.import_module("tensorflow_serving.apis.model_service_pb2_grpc")
    prediction_service_pb2_grpc = importlib.import_module("tensorflow_serving.apis.prediction_service_pb2_grpc")

MonitoringConfig = _monitoring_config()
