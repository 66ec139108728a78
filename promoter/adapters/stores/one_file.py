"""One small file of a version, without the rest of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from promoter.adapters.stores.bucket import Bucket, Part, pages
from promoter.domain.store_address import StoreAddress
from promoter.errors import InvalidInput, StoreUnavailable


def file_of_version(
    address: str, path: str, *, largest: int, buckets: Mapping[str, Callable[[str], Bucket]]
) -> bytes | None:
    """The file `path` of the version at `address` (`gs://models/resnet50/42`); None where it has none.

    largest: bytes. buckets: what opens the buckets of a scheme; of `file://` it is a folder of this machine. Raises
    InvalidInput, and StoreUnavailable where the store does not answer.
    """
    place = StoreAddress.from_text(address)
    if place.scheme == "file":
        return _in_folder(Path("/", *place.segments) / path, largest)
    opened = buckets.get(place.scheme)
    if opened is None:
        raise InvalidInput(f"{address} is in no store: use file://, {'://, '.join(buckets)}://")
    bucket, name = opened(place.host), "/".join((*place.segments, path))
    found = next((item for page in pages(bucket, Part(name)) for item in page.objects if item.name == name), None)
    if found is None:
        return None
    if found.size > largest:
        raise _too_large(name, largest)
    return b"".join(bucket.chunks(found))


def _in_folder(file: Path, largest: int) -> bytes | None:
    try:
        with file.open("rb") as content:
            read = content.read(largest + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreUnavailable(f"{file} cannot be read: {error.strerror}") from error
    if len(read) > largest:
        raise _too_large(str(file), largest)
    return read


def _too_large(name: str, largest: int) -> InvalidInput:
    return InvalidInput(f"{name} is larger than {largest >> 20} MiB")
