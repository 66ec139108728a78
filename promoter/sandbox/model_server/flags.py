"""The command line of `tensorflow_model_server` (TensorFlow Serving, model_servers/main.cc)."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace

from promoter.errors import InvalidSettings

_CPUS = len(os.sched_getaffinity(0))
_SPELLINGS = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True, slots=True)
class Flags:
    """The flags that have an effect here, with the original's defaults; 0 threads means as many as there are CPUs."""

    port: int = 8500
    rest_api_port: int = 0
    rest_api_num_threads: int = 4 * _CPUS
    rest_api_timeout_in_ms: int = 30_000
    model_config_file: str = ""
    monitoring_config_file: str = ""
    enable_grpc_healthcheck_service: bool = False
    enable_model_warmup: bool = True
    num_request_iterations_for_warmup: int = 1
    file_system_poll_wait_seconds: int = 1
    max_num_load_retries: int = 5
    load_retry_interval_micros: int = 60_000_000
    tensorflow_session_parallelism: int = 0
    tensorflow_intra_op_parallelism: int = 0
    tensorflow_inter_op_parallelism: int = 0
    grpc_max_threads: int = 4 * _CPUS
    grpc_channel_arguments: str = ""


# Flags of the original that are taken and change nothing here.
_WITHOUT_EFFECT = frozenset(
    {
        "allow_version_labels_for_unavailable_models",
        "batching_parameters_file",
        "enable_batching",
        "enable_per_model_batching_parameters",
        "enable_profiler",
        "enable_serialization_as_tensor_content",
        "enable_signature_method_name_check",
        "flush_filesystem_caches",
        "grpc_socket_path",
        "mixed_precision",
        "model_base_path",
        "model_config_file_poll_wait_seconds",
        "model_name",
        "num_load_threads",
        "num_tflite_interpreters_per_pool",
        "num_tflite_pools",
        "num_unload_threads",
        "per_process_gpu_memory_fraction",
        "platform_config_file",
        "prefer_tflite_model",
        "remove_unused_fields_from_bundle_metagraph",
        "rest_api_enable_cors_support",
        "saved_model_tags",
        "skip_initialize_tpu",
        "ssl_config_file",
        "tensorflow_session_config_file",
        "thread_pool_factory_config_file",
        "use_alts_credentials",
        "xla_cpu_compilation_enabled",
        "xla_gpu_compilation_enabled",
    }
)


def parse(arguments: Iterable[str]) -> tuple[Flags, tuple[str, ...]]:
    """The flags, and the arguments that are none; only `--name=value` is a flag, and `--name` for true.

    Raises InvalidSettings for a value that is not of its flag's type.
    """
    defaults = Flags()
    kinds = {field.name: type(getattr(defaults, field.name)) for field in fields(Flags)}
    values: dict[str, str | int | bool] = {}
    unknown = []
    for argument in arguments:
        name, equals, text = argument.removeprefix("--").partition("=")
        if not argument.startswith("--") or name not in kinds.keys() | _WITHOUT_EFFECT:
            unknown.append(argument)
        elif name in kinds:
            values[name] = _typed(kinds[name], name, text if equals else "true")
    return replace(defaults, **values), tuple(unknown)  # type: ignore[arg-type]  # each value was made by its field's type


def _typed(kind: type, name: str, text: str) -> str | int | bool:
    try:
        if kind is bool:
            return _SPELLINGS[text.lower()]
        return int(text) if kind is int else text
    except (KeyError, ValueError):
        raise InvalidSettings(f"Couldn't interpret value {text} for flag {name}.") from None


def channel_arguments(text: str) -> list[tuple[str, int | str]]:
    """`key=value,key=value` as options of a gRPC server; whole numbers become integers. Raises InvalidSettings."""
    options: list[tuple[str, int | str]] = []
    for part in filter(None, text.split(",")):
        key, equals, value = part.partition("=")
        if not equals:
            raise InvalidSettings(f"{part!r} is not a gRPC channel argument: write key=value")
        options.append((key, int(value) if value.lstrip("-").isdecimal() else value))
    return options
