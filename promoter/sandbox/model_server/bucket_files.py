"""The files of a version that lies in a bucket: this server's stand-in for the original's Cloud Storage file system.

The original reads gs:// itself, file by file. Here they are brought into a folder first, by a process of its own, so
that the cloud's library takes no memory while the model is served:

    python -m promoter.sandbox.model_server.bucket_files gs://bucket/resnet50/43 FOLDER
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from promoter.adapters.stores.bucket import Bucket, Part, StoredObject, pages
from promoter.adapters.stores.buckets import prefix_of
from promoter.documents.manifest import MANIFEST_FILE, Manifest, ManifestFile, parse_manifest, write_manifest
from promoter.domain.store_address import StoreAddress
from promoter.errors import InvalidInput, PromoterError
from promoter.model_folder import ContentHash
from promoter.saved_model.statuses import Code, ServingError

_NOT_THERE = 3

# A name with a dot in front, in any place of a path; `..` is for others to refuse.
_NOBODYS = re.compile(r"(^|/)\.(?!\.(/|$))")


def bring(address: str, folder: Path) -> bool:
    """Bring the version at `address` into `folder`, all of it or nothing; False where there is no such version.

    Raises ServingError where the bucket fails, or where the files are not what their manifest says.
    """
    command = [sys.executable, "-m", "promoter.sandbox.model_server.bucket_files", address, str(folder)]
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    if ended.returncode not in {0, _NOT_THERE}:
        problem = ended.stderr.strip().rpartition("\n")[2]
        raise ServingError(Code.UNAVAILABLE, f"{address} could not be read: {problem}")
    return ended.returncode == 0


def download(bucket: Bucket, address: str, folder: Path) -> bool:
    """What `bring` does, in this process. Raises StoreUnavailable and InvalidInput."""
    prefix = prefix_of(StoreAddress.from_text(address))
    found = _found(bucket, prefix)
    if not found:
        return False
    # The rules for names in a manifest keep every path below the folder.
    named = (ManifestFile(path, "0" * 64, item.size) for path, item in found.items() if path != MANIFEST_FILE)
    write_manifest(Manifest(tuple(named)))
    draft = folder.with_name(f".{folder.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    here = {path: _fetch(bucket, item, draft / path, path) for path, item in found.items()}
    if (draft / MANIFEST_FILE).exists():
        _check((draft / MANIFEST_FILE).read_bytes(), here)
    draft.rename(folder)
    return True


def _found(bucket: Bucket, prefix: str) -> Mapping[str, StoredObject]:
    """The objects of a version by their paths in it, without those with a dot in front, and those that are folders."""
    items = [item for page in pages(bucket, Part(prefix)) for item in page.objects if not item.name.endswith("/")]
    named = {item.name[len(prefix) :]: item for item in items}
    return {path: item for path, item in named.items() if not _NOBODYS.search(path)}


def _fetch(bucket: Bucket, item: StoredObject, target: Path, path: str) -> ManifestFile:
    target.parent.mkdir(parents=True, exist_ok=True)
    content = ContentHash()
    with target.open("xb") as file:
        for chunk in bucket.chunks(item):
            content.update(chunk)
            file.write(chunk)
    return content.file(path, item.size)


def _check(manifest: bytes, here: Mapping[str, ManifestFile]) -> None:
    """Raises InvalidInput unless the files that the manifest names came here as it says."""
    for named in parse_manifest(manifest, MANIFEST_FILE).files:
        came = here.get(named.path)
        if came is None or (came.size, came.sha256) != (named.size, named.sha256):
            raise InvalidInput(f"{named.path} is not the file that {MANIFEST_FILE} names")


def _main(address: str, folder: Path) -> int:
    from promoter.adapters.stores.gs import GsBucket  # noqa: PLC0415 - a third of a second that the server does not need

    try:
        return 0 if download(GsBucket(StoreAddress.from_text(address).host), address, folder) else _NOT_THERE
    except (PromoterError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1], Path(sys.argv[2])))
