"""What it costs to watch many models in Cloud Storage: by the clock on the wall, and in calls, which are paid for.

The emulator runs in a process of its own and is part of every figure: it takes about as long to write a page of a
listing as the client to read it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from benchmarks.figures import Figure
from promoter.adapters.stores import AllowedStores, BucketStore
from promoter.adapters.stores.bucket import Bucket
from promoter.adapters.stores.gs import GsBucket
from promoter.control.looks import Looks
from promoter.documents.manifest import Manifest, write_manifest
from promoter.domain.completeness import ByManifest, Completeness
from promoter.domain.version import Listing, ModelVersion, Wanted
from promoter.model_folder import ContentHash

MODELS = 10_000
VERSIONS = 3
NEW = 10
_INTERVAL = timedelta(minutes=1)
_EMULATOR = Path(__file__).parents[1] / "tests/adapters/cloud_storage.py"


@dataclass(frozen=True, slots=True)
class _Look:
    """What one look over all models found, in seconds on the wall and in calls."""

    found: Mapping[str, Listing]
    seconds: float
    calls: int


def looks() -> list[Figure]:
    """A first look over many models, one with nothing new, and one with a few new versions."""
    with _emulator() as url:
        addresses = {f"gs://models/team/m{number}": ByManifest() for number in range(MODELS)}
        watched = Looks(AllowedStores(["gs://models"], {"gs": BucketStore(GsBucket)}), _INTERVAL)
        noon = datetime(2026, 11, 22, 12, tzinfo=UTC)
        first = _look(watched, addresses, noon, url)
        idle = _look(watched, addresses, noon + _INTERVAL, url)
        new = _publish(list(addresses)[:: MODELS // NEW])
        fresh = _look(watched, addresses, noon + 2 * _INTERVAL, url)
    found = {address for address, listing in fresh.found.items() if listing.complete}
    what = f"{MODELS} models x {VERSIONS} versions"
    return [
        Figure(f"first look at {what}", first.seconds, 30, "s"),
        Figure("  calls to the store", first.calls, MODELS / 100, "calls"),
        Figure(f"a look at {what}, nothing new", idle.seconds, 2, "s"),
        Figure("  calls to the store", idle.calls, MODELS / 100, "calls"),
        Figure(f"the same with {NEW} new: versions missed or made up", len(found ^ new), 0, "versions"),
        Figure("  calls to the store", fresh.calls, MODELS / 100, "calls"),
    ]


def _look(looks: Looks, addresses: Mapping[str, Completeness], now: datetime, url: str) -> _Look:
    """Every model, as one pass asks for it."""
    wanted = Wanted(above=ModelVersion(VERSIONS), newest=True)
    before, began = _calls(url), time.perf_counter()
    looks.begin_pass(addresses, now)
    looks.settle()
    with ThreadPoolExecutor(8) as pool:
        found = dict(
            zip(addresses, pool.map(lambda address: looks.listing(address, wanted, now), addresses), strict=True)
        )
    return _Look(found, time.perf_counter() - began, _calls(url) - before)


def _publish(addresses: list[str]) -> set[str]:
    """One more version for each, by the same calls that `promoter publish` makes."""
    bucket: Bucket = GsBucket("models")
    content = ContentHash()
    content.update(b"graph")
    manifest = write_manifest(Manifest((content.file("saved_model.pb", 5),)))
    for address in addresses:
        folder = f"{address.removeprefix('gs://models/')}/{VERSIONS + 1}"
        bucket.create(f"{folder}/saved_model.pb", b"graph")
        bucket.create(f"{folder}/manifest.json", manifest)
    return set(addresses)


def _calls(url: str) -> int:
    return len(httpx.get(f"{url}/requests").json())


@contextmanager
def _emulator() -> Iterator[str]:
    command = [sys.executable, str(_EMULATOR), "models", str(MODELS), str(VERSIONS)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None  # noqa: S101 - for the types: it is a pipe
        url = process.stdout.readline().strip()
        os.environ["STORAGE_EMULATOR_HOST"] = url
        try:
            yield url
        finally:
            del os.environ["STORAGE_EMULATOR_HOST"]
            process.terminate()
