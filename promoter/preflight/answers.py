"""Answers judged: whether they are well-formed, and how far a candidate's are from stable's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from promoter.domain.preflight import Tolerance
from promoter.domain.signature import Signature, TensorSpec
from promoter.saved_model.tensors import Array, is_float

Outputs = Mapping[str, Array]

# Below this a probability counts as this, so that one zero does not make the divergence infinite.
_SMALLEST_PROBABILITY = 1e-9
_SUM_OF_PROBABILITIES = 1e-2


def faults(outputs: Outputs, signature: Signature, rows: int | None) -> Iterator[str]:
    """What is wrong with one answer. rows: of the request, where its signature is in rows; else None."""
    for name, spec in sorted(signature.outputs.items()):
        if name not in outputs:
            yield f"output {name} is missing"
            continue
        answer = outputs[name]
        if (wrong := _wrong_shape(answer, spec, rows)) is not None:
            yield f"output {name} {wrong}"
        if is_float(answer.dtype) and (bad := int(np.count_nonzero(~np.isfinite(answer)))):
            yield f"output {name} is not finite in {bad} of {answer.size} values"


def _wrong_shape(answer: Array, spec: TensorSpec, rows: int | None) -> str | None:
    shape = spec.shape
    if shape is None:
        return None
    fits = len(shape) == answer.ndim and all(
        size in (None, found) for size, found in zip(shape, answer.shape, strict=True)
    )
    if not fits:
        return f"has the shape {list(answer.shape)}, and its signature says {spec}"
    if rows is not None and shape and shape[0] is None and answer.shape[0] != rows:
        return f"has {answer.shape[0]} rows for a request of {rows}"
    return None


@dataclass(slots=True)
class Drift:
    """How far the candidate's answers are from stable's, added up over requests.

    compared, beyond: values, and those of them outside the tolerance. largest: greatest absolute difference.
    rows, agreeing: rows of scores, and those with the same best class; whole numbers and texts count each for
    itself. divergences: of each row of probabilities, from stable's to the candidate's, in nats (Kullback-Leibler).
    """

    tolerance: Tolerance | None
    compared: int = 0
    beyond: int = 0
    largest: float = 0.0
    rows: int = 0
    agreeing: int = 0
    divergences: list[float] = field(default_factory=list)
    beyond_in: dict[str, int] = field(default_factory=dict)

    def add(self, stable: Outputs, candidate: Outputs) -> None:
        """Compare the outputs that both have; another shape or type is beyond every tolerance."""
        for name in sorted(stable.keys() & candidate.keys()):
            before, after = stable[name], candidate[name]
            if before.shape != after.shape or before.dtype != after.dtype:
                self._beyond(name, max(before.size, after.size), max(before.size, after.size))
            elif not is_float(before.dtype):
                # Classes, flags and texts have no distance: they are the same, or they are not.
                self.compared += before.size
                self.rows += before.size
                self.agreeing += int(np.count_nonzero(before == after))
            else:
                self._numbers(name, before.astype(np.float64), after.astype(np.float64))

    @property
    def agreement(self) -> float | None:
        """Share of rows with the same best class; None where no output has such rows."""
        return self.agreeing / self.rows if self.rows else None

    @property
    def divergence(self) -> float | None:
        """Mean divergence of the rows of probabilities; None where there are none."""
        return float(np.mean(self.divergences)) if self.divergences else None

    def _beyond(self, name: str, count: int, of: int) -> None:
        self.compared += of
        self.beyond += count
        if count:
            self.beyond_in[name] = self.beyond_in.get(name, 0) + count

    def _numbers(self, name: str, before: Array, after: Array) -> None:
        with np.errstate(invalid="ignore"):
            distance = np.abs(after - before)
        # Equal infinities are no distance apart; what is no number is beyond everything.
        distance = np.where(before == after, 0.0, np.where(np.isnan(distance), np.inf, distance))
        allowed = self.tolerance or Tolerance()
        most = allowed.absolute + allowed.relative * np.abs(before)
        self._beyond(name, int(np.count_nonzero(distance > most)), before.size)
        self.largest = max(self.largest, float(distance.max(initial=0.0)))
        if before.ndim >= 2 and before.shape[-1] >= 2 and before.size:
            self._scores(before.reshape(-1, before.shape[-1]), after.reshape(-1, after.shape[-1]))

    def _scores(self, before: Array, after: Array) -> None:
        self.rows += len(before)
        self.agreeing += int(np.count_nonzero(before.argmax(axis=1) == after.argmax(axis=1)))
        if _are_probabilities(before) and _are_probabilities(after):
            first, second = (np.clip(rows, _SMALLEST_PROBABILITY, None) for rows in (before, after))
            self.divergences.extend((first * np.log(first / second)).sum(axis=1).tolist())


def _are_probabilities(rows: Array) -> bool:
    return bool(np.all(rows >= 0) and np.all(np.abs(rows.sum(axis=1) - 1) < _SUM_OF_PROBABILITIES))


def latency_ratio(candidate: Sequence[float], stable: Sequence[float]) -> float:
    """How many times stable's time the candidate takes, from times measured by turns.

    The smaller of the ratios of medians and of lower quartiles: what else runs on the machine makes times longer and
    never shorter, so a burst of it must not condemn a version.
    """
    levels = (25, 50)
    return float(min(np.percentile(candidate, levels) / np.percentile(stable, levels)))
