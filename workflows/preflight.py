"""`promoter verify` as a function of Python: for a version that lies here, or in a store."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from promoter.adapters.stores.download import DownloadLimits
from promoter.cli import wiring
from promoter.cli.options import needs_model_signing, needs_tensorflow
from promoter.documents.policy_file import parse_policy
from promoter.domain.completeness import ByManifest, Completeness
from promoter.domain.preflight import Preflight, PreflightPolicy

# Below the limits of a pod: an end that is told is better than one by the kernel. The first two hold for each version.
MEMORY_LIMIT = 6 * 2**30
_DOWNLOAD_LIMIT = 16 * 2**30
_TIME_LIMIT = timedelta(minutes=10)


_BY_MANIFEST: Completeness = ByManifest()


def preflight(
    candidate: str, stable: str | None, policy: str, *, public_key: Path | None, told: Callable[[str], None]
) -> Preflight:
    """What is found out about the version at the address `candidate`, compared with the one at `stable`.

    policy: the text of a policy.yaml, empty for what `promoter verify` asks for by itself. public_key: that the
    candidate has to be signed with, None for no signature. told: gets a line for each check. Raises PromoterError
    where there is no verdict.
    """
    needs_tensorflow()
    from promoter.preflight.verify import Budget, Given, verify  # noqa: PLC0415 - it needs what is not always there

    signed = None
    if public_key is not None:
        needs_model_signing()
        from promoter.preflight.signed import PublicKey  # noqa: PLC0415 - as above

        signed = PublicKey(public_key).check
    asked, complete = PreflightPolicy(), _BY_MANIFEST
    if policy:
        whole = parse_policy(policy.encode(), "the policy")
        asked, complete = whole.preflight, whole.candidates.complete
    limits = DownloadLimits(_DOWNLOAD_LIMIT, time.monotonic() + _TIME_LIMIT.total_seconds())

    def fetch(address: str, folder: Path) -> None:
        told(f"downloading {address}")
        wiring.download(address, folder, limits, progress=lambda _done, _total: None, complete=complete)

    given = Given(fetch, signed=signed, complete=complete)
    budget = Budget(_TIME_LIMIT.total_seconds(), MEMORY_LIMIT)
    return verify(candidate, stable, asked, given=given, budget=budget, told=lambda name: told(f"checking {name}"))
