"""What the promoter writes into release.yaml, and what people may, is what the chart takes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import helm_python
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rendering import of_kind, render, situation

from promoter.documents.release_file import parse_release, write_release
from promoter.domain.release import Canary, Pause, Promotion, Rejection, Release, Stable
from promoter.domain.version import Digest, ModelVersion, StoredVersion

VERSIONS = st.integers(1, 2**53 - 1).map(ModelVersion)
DIGESTS = st.integers(0, 2**256 - 1).map(lambda number: Digest(f"sha256:{number:064x}"))
REPLICAS = st.integers(1, 10_000)
TIMES = st.datetimes(datetime(2026, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  # made aware
STABLE = st.builds(Stable, VERSIONS, DIGESTS, st.none() | REPLICAS)
CANARY = st.builds(
    Canary,
    VERSIONS,
    DIGESTS,
    st.integers(0, 100),
    REPLICAS,
    TIMES,
    st.none() | st.text(),
    st.integers(0, 50),
    st.booleans(),
    st.none() | st.sampled_from(Promotion),
)
MARK = st.none() | st.builds(StoredVersion, VERSIONS, DIGESTS)
PAUSE = st.none() | st.builds(Pause, st.text(), st.text(), TIMES, st.none() | st.text())
REJECTED = st.lists(st.builds(Rejection, VERSIONS, st.text()), max_size=3, unique_by=lambda entry: entry.version)


@st.composite
def releases(draw):
    stable = draw(st.none() | STABLE)
    canary = draw(st.none() | CANARY.filter(lambda canary: canary.version != stable.version)) if stable else None
    return Release(stable, canary, tuple(draw(REJECTED)), draw(MARK), draw(MARK), draw(PAUSE))


def rendered(text):
    return render({**situation("no-release"), **helm_python.values_from_yaml(text)})


@settings(max_examples=20, deadline=None)
@given(releases())
def test_the_chart_serves_what_the_promoter_wrote(release):
    objects = rendered(write_release("", release, "release.yaml"))
    live = [f"resnet50-v{entry.version}" for entry in release.pinned]
    assert list(of_kind(objects, "Deployment")) == sorted(live)
    split = [
        [(entry["destination"]["host"], entry["weight"]) for entry in rule["route"]]
        for route in of_kind(objects, "VirtualService").values()
        for rule in route["spec"]["http"]
    ]
    weight = release.canary.weight if release.canary else 0
    assert split == [list(zip(live, [100 - weight, weight], strict=False))] * (2 if live else 0)


@settings(max_examples=10, deadline=None)
@given(releases(), PAUSE.filter(bool))
def test_a_pause_changes_nothing_that_is_rendered(release, pause):
    plain, paused = (write_release("", replace(release, paused=mark), "release.yaml") for mark in (None, pause))
    assert rendered(plain) == rendered(paused)


@pytest.mark.parametrize(
    "text", ["release: {}", "release:", "release:\n  stable:\n  canary:\n", "release: {canary: null, rejected: null}"]
)
def test_however_a_person_writes_that_there_is_no_version_both_read_it(text):
    assert parse_release(text, "release.yaml") == Release()
    assert of_kind(rendered(text), "Deployment") == {}
