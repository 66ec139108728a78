"""The series of a model server and the page that Prometheus scrapes, letter for letter as TensorFlow Serving prints it.

Names and labels: servables/tensorflow/util.cc and cc/saved_model/loader.cc; the page: util/prometheus_exporter.cc. The
leading colon, the missing HELP lines and numbers of six significant digits are its ways. A metric without an event
prints its TYPE line only.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from itertools import accumulate

# Bounds of every latency histogram, in microseconds: 33 from 10, each 1.8 times the one before.
LATENCY_BOUNDS_US = tuple(10 * 1.8**power for power in range(33))


class Counter:
    """A number per combination of label values that only grows."""

    def __init__(self, name: str, *labels: str) -> None:
        self.name = name
        self._labels = labels
        self._lock = threading.Lock()
        self._values: dict[tuple[str, ...], int] = {}

    def add(self, *values: str, amount: int = 1) -> None:
        """Grow the series with these label values by `amount`."""
        with self._lock:
            self._values[values] = self._values.get(values, 0) + amount

    def lines(self) -> list[str]:
        """Its part of the page."""
        with self._lock:
            cells = sorted(self._values.items())
        series = [f"{self.name}{{{_labelled(self._labels, values)}}} {value}" for values, value in cells]
        return [f"# TYPE {self.name} counter", *series]


class Histogram:
    """Durations in microseconds, per combination of label values."""

    def __init__(self, name: str, *labels: str) -> None:
        self.name = name
        self._labels = labels
        self._lock = threading.Lock()
        self._cells: dict[tuple[str, ...], _Cell] = {}

    def observe(self, microseconds: float, *values: str) -> None:
        """Count one duration in the series with these label values."""
        # The original counts a value that equals a bound above it (core/lib/histogram/histogram.cc).
        bucket = bisect_right(LATENCY_BOUNDS_US, microseconds)
        with self._lock:
            cell = self._cells.setdefault(values, _Cell())
            cell.buckets[bucket] += 1
            cell.total += microseconds

    def lines(self) -> list[str]:
        """Its part of the page."""
        with self._lock:
            cells = sorted((values, tuple(cell.buckets), cell.total) for values, cell in self._cells.items())
        page = [f"# TYPE {self.name} histogram"]
        for values, buckets, total in cells:
            labels = _labelled(self._labels, values)
            counts = list(accumulate(buckets))
            page.extend(
                f'{self.name}_bucket{{{labels},le="{bound}"}} {count}'
                for bound, count in zip(_BOUND_TEXTS, counts, strict=True)
            )
            page.append(f"{self.name}_sum{{{labels}}} {_number(total)}")
            page.append(f"{self.name}_count{{{labels}}} {counts[-1]}")
        return page


@dataclass(slots=True)
class _Cell:
    buckets: list[int] = field(default_factory=lambda: [0] * (len(LATENCY_BOUNDS_US) + 1))
    total: float = 0.0


@dataclass(frozen=True, slots=True)
class ServingMetrics:
    """Every metric of one server, in the order of the page (by name)."""

    load_attempts: Counter = field(
        default_factory=lambda: Counter(":tensorflow:cc:saved_model:load_attempt_count", "model_path", "status")
    )
    load_latency: Counter = field(
        default_factory=lambda: Counter(":tensorflow:cc:saved_model:load_latency", "model_path")
    )
    warmup_latency: Histogram = field(
        default_factory=lambda: Histogram(":tensorflow:serving:model_warmup_latency", "model_path", "status")
    )
    warmup_records: Counter = field(
        default_factory=lambda: Counter(":tensorflow:serving:model_warmup_records_read", "model_path", "status")
    )
    requests: Counter = field(
        default_factory=lambda: Counter(":tensorflow:serving:request_count", "model_name", "status")
    )
    request_latency: Histogram = field(
        default_factory=lambda: Histogram(":tensorflow:serving:request_latency", "model_name", "API", "entrypoint")
    )
    runtime_latency: Histogram = field(
        default_factory=lambda: Histogram(":tensorflow:serving:runtime_latency", "model_name", "API", "runtime")
    )

    def page(self) -> str:
        """The whole page."""
        metrics = (getattr(self, entry.name) for entry in fields(self))
        return "\n".join(line for metric in metrics for line in metric.lines()) + "\n"


def _labelled(names: Sequence[str], values: Sequence[str]) -> str:
    pairs = zip(names, values, strict=True)
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in pairs)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')


def _number(value: float) -> str:
    return format(value, ".6g")


_BOUND_TEXTS = (*map(_number, LATENCY_BOUNDS_US), "+Inf")
