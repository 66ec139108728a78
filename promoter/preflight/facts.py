"""What `scan` found out about a version, as types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from promoter.domain.signature import OperationUse, Signature, TensorSpec
from promoter.preflight.child import Child, ChildLost, Limits

_SCAN = "promoter.preflight.scan"
_NAMES = {"half": "float16", "float": "float32", "double": "float64"}


class Unreadable(Exception):
    """Nothing is known about the version's graph, and why, as a sentence without its full stop."""


@dataclass(frozen=True, slots=True)
class Facts:
    """findings: sentences on what is wrong whatever a policy says. missing_variables: a file, None if all are there."""

    uses: tuple[OperationUse, ...]
    findings: tuple[str, ...]
    signatures: Mapping[str, Signature]
    missing_variables: str | None
    nodes: int


def scanned(folder: Path, limits: Limits) -> Facts:
    """The facts about the version in `folder`. Raises Unreadable, also where the child was killed."""
    try:
        with Child(_SCAN, folder, limits) as child:
            header, _ = child.answer()
    except ChildLost as error:
        raise Unreadable(f"unreadable: the process that parsed it {error}") from error
    if "unreadable" in header:
        raise Unreadable(f"unreadable: {header['unreadable']}")
    try:
        return _facts(header["facts"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Unreadable("unreadable: the process that parsed it gave no facts") from error


def _facts(found: Mapping[str, Any]) -> Facts:
    missing = found["missing_variables"]
    return Facts(
        uses=tuple(OperationUse(str(name), str(place), str(node)) for name, place, node in found["uses"]),
        findings=tuple(map(str, found["findings"])),
        signatures={str(name): _signature(entry) for name, entry in found["signatures"].items()},
        missing_variables=None if missing is None else str(missing),
        nodes=int(found["nodes"]),
    )


def _signature(entry: Mapping[str, Any]) -> Signature:
    inputs, outputs = (
        {str(alias): _spec(*spec) for alias, spec in entry[side].items()} for side in ("inputs", "outputs")
    )
    return Signature(inputs, outputs, frozenset(map(str, entry["optional"])))


def _spec(dtype: str, shape: list[int] | None) -> TensorSpec:
    sizes = None if shape is None else tuple(None if size < 0 else int(size) for size in shape)
    return TensorSpec(_NAMES.get(dtype, dtype), sizes)
