"""Warm-up requests for a version that is about to be published, made of its golden requests."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

from promoter.documents.golden_file import GOLDEN_FILE, LARGEST_BYTES
from promoter.documents.manifest import MANIFEST_FILE
from promoter.errors import InvalidInput
from promoter.preflight.child import Limits
from promoter.preflight.facts import Unreadable, scanned
from promoter.preflight.golden import Request, golden_requests
from promoter.preflight.version_files import SIGNATURE_FILE
from promoter.saved_model.warmup import WARMUP_FILE, warmup_records

_SECONDS = 30


def add_warmup(directory: Path, model: str) -> int | None:
    """Put warm-up requests into the SavedModel in `directory`, which is served as `model`; how many.

    None where it has some already: they are left as they are. A server answers them before it is ready, so each must be
    one that the version answers: `promoter verify` tries them. Raises InvalidInput.
    """
    if (directory / WARMUP_FILE).exists():
        return None
    if (directory / MANIFEST_FILE).exists():
        raise InvalidInput(
            f"{directory} was published before, and versions never change: name the folder of its export"
        )
    if (directory / SIGNATURE_FILE).exists():
        raise InvalidInput(
            f"{directory} is signed, and another file would not be: remove {SIGNATURE_FILE}, and sign it again after"
        )
    requests = _golden(directory)
    content = warmup_records(model, ((request.signature, request.inputs) for request in requests))
    _write(directory / WARMUP_FILE, content)
    return len(requests)


def _golden(directory: Path) -> tuple[Request, ...]:
    path = directory / GOLDEN_FILE
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise InvalidInput(
            f"{path} cannot be read ({error.strerror}): warm-up requests are made of golden requests. "
            "Record some with `promoter golden record`"
        ) from error
    limits = Limits(2**31, time.monotonic() + _SECONDS, cpu=_SECONDS, files=64)
    try:
        facts = scanned(directory, limits)
    except Unreadable as error:
        raise InvalidInput(f"{directory} is {error}") from error
    return golden_requests(content, facts.signatures, str(path))


def _write(path: Path, content: bytes) -> None:
    """In one step: half a warm-up file would keep every server from becoming ready."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        unfinished.write_bytes(content)
        unfinished.rename(path)
    except OSError as error:
        raise InvalidInput(f"{path} cannot be written: {error.strerror}") from error
    finally:
        with suppress(OSError):
            unfinished.unlink()
