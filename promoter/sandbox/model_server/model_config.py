"""The two files a model server reads: which version to serve, and where its metrics page is."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf import text_format

from promoter.errors import InvalidDocument
from promoter.sandbox.model_server.protos import MonitoringConfig, model_server_config_pb2

# The original reads other clouds too; what is not named here is refused.
BUCKETS = "gs://"

DEFAULT_METRICS_PATH = "/monitoring/prometheus/metrics"


@dataclass(frozen=True, slots=True)
class PinnedModel:
    """One version of one model.

    base_path: the folder that holds the version's folder. bucket: where the version has to be brought from first, as
    gs://bucket/path; None where it is in its folder.
    """

    name: str
    base_path: Path
    version: int
    bucket: str | None = None

    @property
    def directory(self) -> Path:
        """The SavedModel's folder."""
        return self.base_path / str(self.version)


def read_model_config(path: Path) -> PinnedModel:
    """The one pinned version of a text-format ModelServerConfig. Raises InvalidDocument."""
    models = _parsed(path, model_server_config_pb2.ModelServerConfig()).model_config_list.config
    if len(models) != 1:
        raise InvalidDocument(str(path), None, f"{len(models)} models are configured", "Serve one model per pod")
    [model] = models
    if not model.name:
        raise InvalidDocument(str(path), None, "the model has no name", "Set `name`")
    version = _pinned_version(path, model)
    if model.base_path.startswith(BUCKETS):
        # A pod's folder for temporary files is its own and goes with it.
        folder = Path(tempfile.gettempdir(), "versions", model.name)
        return PinnedModel(model.name, folder, version, model.base_path)
    return PinnedModel(model.name, _folder(path, model.base_path), version)


def read_metrics_path(path: Path) -> str | None:
    """Where a text-format MonitoringConfig puts the metrics page, None where it is off. Raises InvalidDocument."""
    prometheus = _parsed(path, MonitoringConfig()).prometheus_config
    return (prometheus.path or DEFAULT_METRICS_PATH) if prometheus.enable else None


def _pinned_version(path: Path, model: Any) -> int:
    versions = model.model_version_policy.specific.versions
    if model.model_version_policy.WhichOneof("policy_choice") != "specific" or len(versions) != 1:
        raise InvalidDocument(
            str(path),
            None,
            f"model {model.name} is not pinned to one version",
            "Write `model_version_policy { specific { versions: V } }`: any other policy lets a new version take "
            "traffic by itself",
        )
    return int(versions[0])


def _folder(path: Path, base_path: str) -> Path:
    folder = base_path.removeprefix("file://")
    if not folder.startswith("/"):
        raise InvalidDocument(
            str(path), None, f"base_path {base_path!r} is no folder of this machine", "Name an absolute path"
        )
    return Path(folder)


def _parsed(path: Path, message: Any) -> Any:
    try:
        return text_format.Parse(path.read_text(encoding="utf-8"), message)
    except OSError as error:
        raise InvalidDocument(str(path), None, f"cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise InvalidDocument(str(path), None, "is not UTF-8 text") from error
    except text_format.ParseError as error:
        line = error.GetLine()
        name = message.DESCRIPTOR.name
        raise InvalidDocument(str(path), line, f"is not a text-format {name} ({error})") from error
