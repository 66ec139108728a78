"""The files of a version that lies in a bucket: this server's stand-in for the original's Cloud Storage file system.

The original reads gs:// itself, file by file. Here they are brought into a folder first, by a process of its own, so
that the cloud's library takes no memory while the model is served:

    python -m promoter.sandbox.model_server.bucket_files gs://bucket/resnet50/43 FOLDER
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

from promoter.adapters.stores.bucket import Bucket
from promoter.adapters.stores.download import DownloadLimits, NoSuchVersion, download_version
from promoter.domain.store_address import StoreAddress
from promoter.errors import PromoterError
from promoter.saved_model.statuses import Code, ServingError

_NOT_THERE = 3

_PATIENCE = 600.0


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


def download(bucket: Bucket, address: str, folder: Path) -> None:
    """What `bring` does, in this process. Raises StoreUnavailable, and InvalidInput, of which NoSuchVersion is one."""
    draft = folder.with_name(f".{folder.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    limits = DownloadLimits(shutil.disk_usage(draft).total, time.monotonic() + _PATIENCE)
    try:
        download_version(bucket, address, draft, limits, progress=lambda *_: None)
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _main(address: str, folder: Path) -> int:
    from promoter.adapters.stores.gs import GsBucket  # noqa: PLC0415 - a third of a second that the server does not need

    try:
        download(GsBucket(StoreAddress.from_text(address).host), address, folder)
    except NoSuchVersion:
        return _NOT_THERE
    except (PromoterError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1], Path(sys.argv[2])))
