"""What a version takes and answers, and what its graph is made of, as far as a preflight asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """dtype: `float32`, `string`. shape: sizes from the outside in, None for any size; as a whole None for any rank."""

    dtype: str
    shape: tuple[int | None, ...] | None

    def __str__(self) -> str:
        if self.shape is None:
            return f"{self.dtype} of any shape"
        return f"{self.dtype}[{', '.join('?' if size is None else str(size) for size in self.shape)}]"


@dataclass(frozen=True, slots=True)
class Signature:
    """Inputs and outputs by name. optional: the inputs that have a default value."""

    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]
    optional: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class OperationUse:
    """An operation in a graph. place: `the graph`, `function f`, `the initializer`. node: the first there."""

    operation: str
    place: str
    node: str
