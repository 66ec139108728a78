"""sandbox.json: what runs in a sandbox, for whoever asks or cleans up later. Only read and written here."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from promoter.errors import InvalidDocument
from promoter.sandbox.cloud_storage.bucket import Bucket
from promoter.sandbox.layout import Layout
from promoter.sandbox.processes import Identity


@dataclass(frozen=True, slots=True)
class SandboxRecord:
    """One sandbox as it was brought up.

    rate: requests per second of the traffic source. settings: what differs from the sandbox's usual
    settings of the promoter. bucket: where versions are kept, None for a folder. processes: the parts that were
    started and not stopped.
    """

    port_base: int
    rate: float
    settings: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    bucket: Bucket | None = None
    processes: Mapping[str, Identity] = field(default_factory=lambda: MappingProxyType({}))

    def with_process(self, part: str, identity: Identity) -> SandboxRecord:
        return replace(self, processes={**self.processes, part: identity})

    def without_process(self, part: str) -> SandboxRecord:
        return replace(self, processes={name: kept for name, kept in self.processes.items() if name != part})


def write_record(layout: Layout, record: SandboxRecord) -> None:
    """Replace sandbox.json in one step, so that a reader never finds half of it."""
    content = {
        "port_base": record.port_base,
        "rate": record.rate,
        "settings": dict(record.settings),
        "bucket": None if record.bucket is None else {"name": record.bucket.name, "emulator": record.bucket.emulator},
        "processes": {
            part: {"pid": identity.pid, "started": identity.started} for part, identity in record.processes.items()
        },
    }
    draft = layout.record.with_suffix(f".json.{os.getpid()}")
    draft.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    draft.replace(layout.record)


def read_record(directory: Path) -> SandboxRecord | None:
    """The record of the sandbox in `directory`, None where none was ever brought up. Raises InvalidDocument."""
    path = directory / "sandbox.json"
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    try:
        return _parsed(json.loads(text))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InvalidDocument(
            str(path), None, "this is no record of a sandbox", "Remove the file and bring the sandbox up again"
        ) from error


def _parsed(content: Any) -> SandboxRecord:
    return SandboxRecord(
        port_base=int(content["port_base"]),
        rate=float(content["rate"]),
        settings={str(name): str(value) for name, value in content["settings"].items()},
        bucket=_bucket(content.get("bucket")),
        processes={
            str(part): Identity(int(entry["pid"]), int(entry["started"]))
            for part, entry in content["processes"].items()
        },
    )


def _bucket(content: Any) -> Bucket | None:
    if content is None:
        return None
    emulator = content["emulator"]
    return Bucket(str(content["name"]), None if emulator is None else str(emulator))
