"""Model stores that are buckets, `gs://` and `s3://`: a look costs calls for what is new, not for what is there."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from threading import Lock

from promoter.adapters.stores.bucket import Bucket, Checksums, Page, Part, StoredObject, pages
from promoter.adapters.stores.judging import Judge, Watch, check_patience, judged, listed, versions_among
from promoter.documents.manifest import LARGEST_BYTES, MANIFEST_FILE, ManifestFile
from promoter.domain.completeness import ByMarker, ByQuiet, Completeness
from promoter.domain.store_address import StoreAddress
from promoter.domain.version import (
    Digest,
    Holding,
    IncompleteVersion,
    Listing,
    Mark,
    ModelVersion,
    StoredVersion,
    Sweep,
    Wanted,
)
from promoter.errors import InvalidInput, InvalidName, PromoterError

_MOST_NAMES = 100_000
_MOST_FILES = 10_000
_MOST_HASHED = 100_000
_EVERYTHING = Wanted()

# For fewer models side by side a call each is little, and tells more.
WORTH_A_SWEEP = 20

# Names are kept in the order of text, where 100 comes before 42. So a look from the version that is served onwards
# misses numbers with more digits, and everything is looked at this often.
_WHOLE_EVERY = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class _Whole:
    """When all names were last listed, by the steady clock, in how many calls, and the highest version then."""

    at: float
    calls: int
    highest: ModelVersion | None


class BucketStore:
    """`promoter.ports.ModelStore` on the buckets that `opened` opens.

    patience: how long one listing may go on asking and reading; what it leaves is "not verified yet", and the next
    listing goes on there. clock: steady, in seconds.
    """

    def __init__(
        self,
        opened: Callable[[str], Bucket],
        patience: timedelta = timedelta(seconds=20),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._patience = patience
        self._clock = clock
        self._watch = Watch(clock)
        self._opened = opened
        self._buckets: dict[str, Bucket] = {}
        self._lock = Lock()
        self._wholes: dict[str, _Whole] = {}
        # Places whose sweep took more calls than there are models, and how many models would be worth another try.
        self._too_large: dict[tuple[str, tuple[str, ...]], int] = {}
        self.content = lru_cache(maxsize=10_000)(self._content)
        self.checksums = lru_cache(maxsize=100_000)(self._checksums)
        self._hashed: dict[tuple[str, StoredObject], str] = {}

    def listing(self, address: str, wanted: Wanted = _EVERYTHING) -> Listing:
        place = StoreAddress.from_text(address)
        deadline = time.monotonic() + self._patience.total_seconds()
        names = self._names(address, place, wanted.above, deadline)
        return listed(names, wanted, lambda version: self._judged(place, version, wanted.complete, deadline))

    def version(self, address: str, version: ModelVersion, complete: Completeness) -> StoredVersion | IncompleteVersion:
        deadline = time.monotonic() + self._patience.total_seconds()
        return self._judged(StoreAddress.from_text(address), version, complete, deadline)

    def sweep(self, addresses: Mapping[str, Completeness]) -> Sweep:
        asked: dict[tuple[str, tuple[str, ...]], dict[str, tuple[str, str]]] = {}
        for address, complete in addresses.items():
            place = StoreAddress.from_text(address)
            # A time of quiet is about every file, and a sweep looks for those that are written last.
            if place.segments and not isinstance(complete, ByQuiet):
                last = complete.file if isinstance(complete, ByMarker) else MANIFEST_FILE
                asked.setdefault((place.host, place.segments[:-1]), {})[place.segments[-1]] = (address, last)
        marks: dict[str, Mark] = {}
        calls = 0
        for (host, parent), models in asked.items():
            if len(models) >= max(WORTH_A_SWEEP, self._too_large.get((host, parent), 0)):
                found, count = self._swept(host, parent, models)
                marks |= found
                calls += count
        return Sweep(marks, calls)

    def _swept(
        self, host: str, parent: tuple[str, ...], models: Mapping[str, tuple[str, str]]
    ) -> tuple[Mapping[str, Mark], int]:
        """The marks of models that lie side by side, by address, and the calls that it took; none where it failed."""
        prefix = "".join(f"{segment}/" for segment in parent)
        last = tuple(sorted({name for _, name in models.values()}))
        notes = {model: _Note(name) for model, (_, name) in models.items()}
        page, calls = Page(), 0
        try:
            # More calls than models would be more than asking for each of them.
            for page in pages(self._bucket(host), Part(prefix, suffixes=last), most=len(models)):
                calls += 1
                for item in page.objects:
                    model, _, path = item.name[len(prefix) :].partition("/")
                    if model in notes:
                        notes[model].add(path, item.identity)
        except PromoterError:
            # Each of the models is asked by itself then, and says what is wrong with its own store.
            return {}, calls
        if page.following is not None:
            self._too_large[host, parent] = 2 * len(models)
            return {}, calls
        return {models[model][0]: note.mark() for model, note in notes.items()}, calls

    def names(self, address: str) -> tuple[str, ...]:
        """The names of everything that could be a version; raises StoreUnavailable."""
        place = StoreAddress.from_text(address)
        deadline = time.monotonic() + self._patience.total_seconds()
        return tuple(self._names(address, place, None, deadline))

    def holding(self, address: str, name: str) -> Holding:
        """What there is under one name; raises StoreUnavailable, and InvalidInput where there is too much."""
        files = self._found(StoreAddress.from_text(address), name).values()
        return Holding(
            len(files), sum(file.size for file in files), max((file.modified for file in files), default=None)
        )

    def _names(self, address: str, place: StoreAddress, above: ModelVersion | None, deadline: float) -> list[str]:
        """The names that may be new: all of them now and then, and else those after the version that is served."""
        bucket, prefix = self._bucket(place.host), prefix_of(place)
        whole = self._wholes.get(address)
        if above is not None and whole is not None and self._suffices_from(above, whole):
            return _folders(bucket, Part(prefix, after=f"{prefix}{above}/", folders=True), address, deadline)[0]
        names, calls = _folders(bucket, Part(prefix, folders=True), address, deadline)
        self._wholes[address] = _Whole(self._clock(), calls, max(versions_among(names)[0], default=None))
        return names

    def _suffices_from(self, above: ModelVersion, whole: _Whole) -> bool:
        """Whether a look from `above` on is cheaper, and the next version is sure to be in it, short of a leap."""
        if whole.calls == 1 or self._clock() - whole.at > _WHOLE_EVERY.total_seconds():
            return False
        highest = str(max(above, whole.highest or above))
        # From 9… on the next number may have a digit more, and then begins with a 1.
        return len(highest) == len(str(above)) and not highest.startswith("9")

    def _judged(
        self, place: StoreAddress, version: ModelVersion, complete: Completeness, deadline: float
    ) -> StoredVersion | IncompleteVersion:
        return judged(version, lambda: self._digest(place, version, complete, deadline))

    def _digest(self, place: StoreAddress, version: ModelVersion, complete: Completeness, deadline: float) -> Digest:
        check_patience(deadline)
        found = self._found(place, str(version))
        if not found:
            raise InvalidInput("it is not there")
        spot = f"{place.scheme}://{place.host}/{prefix_of(place)}{version}"
        return Judge[StoredObject](complete, self._watch, spot).digest(found, _Objects(self, place.host, deadline))

    def _found(self, place: StoreAddress, name: str) -> Mapping[str, StoredObject]:
        """The version's objects by their paths in it, without the empty ones that stand for folders."""
        folder = f"{prefix_of(place)}{name}/"
        found: dict[str, StoredObject] = {}
        for page in pages(self._bucket(place.host), Part(folder)):
            found |= {item.name[len(folder) :]: item for item in page.objects if not is_folder(item)}
            if len(found) > _MOST_FILES:
                raise InvalidInput(f"there are more than {_MOST_FILES} files in it")
        return found

    def _bucket(self, name: str) -> Bucket:
        with self._lock:
            if name not in self._buckets:
                self._buckets[name] = self._opened(name)
            return self._buckets[name]

    def _content(self, bucket: str, found: StoredObject) -> bytes:
        if found.size > LARGEST_BYTES:
            raise InvalidInput(f"{found.name} is larger than {LARGEST_BYTES >> 20} MiB")
        return b"".join(self._bucket(bucket).chunks(found))

    def _checksums(self, bucket: str, found: StoredObject) -> Checksums:
        return self._bucket(bucket).checksums(found)

    def sha256(self, bucket: str, found: StoredObject, deadline: float) -> str:
        """The content's SHA-256 as hex, downloaded once; raises InvalidInput where that takes until `deadline`."""
        known = self._hashed.get((bucket, found))
        if known is not None:
            return known
        content = hashlib.sha256()
        for chunk in self._bucket(bucket).chunks(found):
            check_patience(deadline)
            content.update(chunk)
        with self._lock:
            if len(self._hashed) >= _MOST_HASHED:
                self._hashed.pop(next(iter(self._hashed)))
            self._hashed[bucket, found] = content.hexdigest()
        return content.hexdigest()


class _Note:
    """What a sweep has seen of one model so far. last: the name of the file that makes a version complete."""

    def __init__(self, last: str) -> None:
        self._last = last
        self._content = hashlib.sha256()
        self._newest: ModelVersion | None = None

    def add(self, path: str, identity: str) -> None:
        """One more object; `path` begins with the version's name."""
        self._content.update(f"{path}\0{identity}\0".encode())
        name, _, file = path.partition("/")
        if file == self._last:
            with suppress(InvalidName):
                version = ModelVersion.from_name(name)
                self._newest = max(version, self._newest or version)

    def mark(self) -> Mark:
        """What was seen."""
        return Mark(self._content.hexdigest(), self._newest)


class _Objects:
    """`judging.Contents` of a bucket, until `deadline`."""

    def __init__(self, store: BucketStore, bucket: str, deadline: float) -> None:
        self._store = store
        self._bucket = bucket
        self._deadline = deadline

    def read(self, path: str, found: StoredObject) -> bytes:  # noqa: ARG002 - an object knows its own name
        return self._store.content(self._bucket, found)

    def agrees(self, file: ManifestFile, found: StoredObject) -> bool:
        check_patience(self._deadline)
        known = self._store.checksums(self._bucket, found)
        if known.sha256 is not None:
            return known.sha256 == file.sha256
        if known.crc32c is not None and file.crc32c is not None:
            return known.crc32c == file.crc32c
        return self.sha256(file.path, found) == file.sha256

    def sha256(self, path: str, found: StoredObject) -> str:  # noqa: ARG002 - as above
        check_patience(self._deadline)
        return self._store.sha256(self._bucket, found, self._deadline)


def prefix_of(place: StoreAddress) -> str:
    """How the names of everything at `place` begin; empty for a whole bucket."""
    return "".join(f"{segment}/" for segment in place.segments)


def is_folder(found: StoredObject) -> bool:
    """Consoles make an empty object where a person makes a folder."""
    return found.name.endswith("/") and found.size == 0


def _folders(bucket: Bucket, part: Part, address: str, deadline: float) -> tuple[list[str], int]:
    """The names of the folders directly below the part's prefix, and how many calls it took to learn them."""
    names: list[str] = []
    calls = 0
    for page in pages(bucket, part):
        calls += 1
        names += [folder[len(part.prefix) : -1] for folder in page.folders]
        if len(names) > _MOST_NAMES:
            raise InvalidInput(f"the store {address} holds more than {_MOST_NAMES} names: remove old versions")
        if time.monotonic() > deadline:
            raise InvalidInput(f"the store {address} takes too long to list: remove old versions")
    return names, calls
