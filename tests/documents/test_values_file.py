"""What a preflight reads of the chart's values."""

from __future__ import annotations

import pytest

from promoter.documents.values_file import golden_rate, max_batch_size
from promoter.errors import InvalidDocument

CHART = "batching: {enabled: false, maxBatchSize: 16, timeout: 1ms}\nother: [a, {b: c}]\n"


@pytest.mark.parametrize(
    ("files", "size"),
    [
        ((), 1),
        (("replicas: 3\n",), 1),
        (("batching:\n",), 1),
        ((CHART,), 1),
        (("batching: {maxBatchSize: 8}\n",), 1),
        (("batching: {enabled: true, maxBatchSize: 8}\n",), 8),
        ((CHART, "batching: {enabled: true}\n"), 16),
        ((CHART, "batching: {enabled: true, maxBatchSize: 64}\n", "replicas: 3\n"), 64),
        (("batching: {enabled: true, maxBatchSize: 8}\n", "batching: {enabled: false}\n"), 1),
    ],
)
def test_batches_are_as_large_as_the_last_file_that_says_so(files, size):
    assert max_batch_size((text, "values.yaml") for text in files) == size


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("batching: {enabled: true}\n", "batching.maxBatchSize missing. Name the chart's values.yaml before it"),
        ("batching: [8]\n", "values.yaml:1: batching must be a mapping"),
        ("batching:\n  enabled: yes\n", "values.yaml:2: batching.enabled is yes"),
        ("batching:\n  maxBatchSize: 0\n", "values.yaml:2: batching.maxBatchSize is 0"),
        ("- batching\n", "values.yaml:1: the file must be a mapping"),
    ],
)
def test_values_that_cannot_be_read_say_where(text, message):
    with pytest.raises(InvalidDocument) as told:
        max_batch_size([(text, "values.yaml")])
    assert message in str(told.value)


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("model: {name: ranker}\n", None),
        ("goldenTraffic:\n", None),
        ("goldenTraffic: {enabled: false, requestsPerSecond: 5}\n", None),
        ("goldenTraffic: {enabled: true, requestsPerSecond: 0.5, url: 'http://gateway'}\n", 0.5),
    ],
)
def test_golden_requests_are_counted_where_they_are_sent(text, rate):
    assert golden_rate(text, "values.yaml") == rate


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("goldenTraffic: {enabled: true}\n", "goldenTraffic.requestsPerSecond missing. Say how many"),
        (
            "goldenTraffic: {enabled: true, requestsPerSecond: 0}\n",
            "values.yaml:1: goldenTraffic.requestsPerSecond is 0",
        ),
        ("goldenTraffic: true\n", "values.yaml:1: goldenTraffic must be a mapping"),
    ],
)
def test_golden_requests_without_a_rate_are_refused(text, message):
    with pytest.raises(InvalidDocument) as told:
        golden_rate(text, "values.yaml")
    assert message in str(told.value)
