"""values.yaml of charts/model-serving, as far as the promoter has to know it: the server's batches, golden requests.

The chart's own schema judges the file; here only `batching` and `goldenTraffic` are read, and everything else is left
alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from promoter.documents.yaml_schema import boolean, number, refuse, whole_number
from promoter.documents.yaml_text import Block, Value, parse
from promoter.errors import InvalidDocument

MOST_ROWS = 65_536
# One sender takes some 3 ms of a CPU for a request.
_MOST_PER_SECOND = 200


def max_batch_size(files: Iterable[tuple[bytes | str, str]]) -> int:
    """`batching.maxBatchSize`, or 1 where `batching.enabled` is not true, of contents and names; later files win.

    Raises InvalidDocument where a file does not parse, or batching is enabled and its size stands in none of them.
    """
    enabled, size, where = False, None, ""
    for content, name in files:
        batching = _entries(parse(content, name)).get("batching")
        found = {} if batching is None else _entries(batching)
        if "enabled" in found:
            enabled, where = boolean(found["enabled"]), name
        if "maxBatchSize" in found:
            size = whole_number(1, MOST_ROWS)(found["maxBatchSize"])
    if not enabled:
        return 1
    if size is None:
        raise InvalidDocument(
            where,
            None,
            "batching is enabled and batching.maxBatchSize missing",
            "Name the chart's values.yaml before it",
        )
    return size


def golden_rate(content: bytes | str, where: str) -> float | None:
    """Golden requests a second, by `goldenTraffic`; None where it is not enabled. Raises InvalidDocument.

    The chart has no rate of its own.
    """
    given = _entries(parse(content, where)).get("goldenTraffic")
    found = {} if given is None else _entries(given)
    if "enabled" not in found or not boolean(found["enabled"]):
        return None
    if "requestsPerSecond" not in found:
        problem = "goldenTraffic is enabled and goldenTraffic.requestsPerSecond missing"
        raise InvalidDocument(where, None, problem, "Say how many")
    return number(above=0, at_most=_MOST_PER_SECOND)(found["requestsPerSecond"])


def _entries(value: Value) -> Mapping[str, Value]:
    """The values of a mapping; none where nothing stands there."""
    if isinstance(value, Block):
        return {key: entry.value for key, entry in value.entries.items()}
    if not value.is_empty:
        refuse(value, "must be a mapping", "Write `key: value` lines")
    return {}
