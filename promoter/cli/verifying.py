"""A preflight with what this place has for it: stores, downloads, TensorFlow, and a key where one is asked for."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from rich.filesize import decimal

from promoter.adapters.stores.download import DownloadLimits
from promoter.cli.options import needs_model_signing, needs_tensorflow
from promoter.cli.wiring import download
from promoter.domain.completeness import ByManifest, Completeness
from promoter.domain.preflight import Preflight, PreflightPolicy

# What shows a person what is being done.
Show = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of a version.

    complete: which files are a version's. public_key: that the candidate has to be signed with. golden: requests
    instead of its own. seconds: for the downloads together, and once more for the checks. memory, download: bytes, for
    each version.
    """

    seconds: float
    memory: int
    download: int
    policy: PreflightPolicy = field(default_factory=PreflightPolicy)
    complete: Completeness = field(default_factory=ByManifest)
    public_key: Path | None = None
    golden: Path | None = None


def verified(candidate: str, stable: str | None, wanted: Wanted, show: Show) -> Preflight:
    """What is found out about the version at `candidate`, beside the one at `stable`.

    Both are folders, or addresses in a store of any kind. Raises PromoterError where there is no verdict.
    """
    needs_tensorflow()
    # It needs packages that are not there for everybody.
    from promoter.preflight.verify import Budget, Given, verify  # noqa: PLC0415 - as above

    signed = None
    if wanted.public_key is not None:
        needs_model_signing()
        from promoter.preflight.signed import PublicKey  # noqa: PLC0415 - as above

        signed = PublicKey(wanted.public_key).check
    limits = DownloadLimits(wanted.download, time.monotonic() + wanted.seconds)

    def fetch(address: str, folder: Path) -> None:
        show(f"looking for {address}")
        download(
            address,
            folder,
            limits,
            complete=wanted.complete,
            progress=lambda done, total: show(f"downloading {address}: {decimal(done)} of {decimal(total)}"),
        )

    return verify(
        candidate,
        stable,
        wanted.policy,
        given=Given(fetch, wanted.golden, signed, wanted.complete),
        budget=Budget(wanted.seconds, wanted.memory),
        told=lambda name: show(f"checking {name}"),
    )
