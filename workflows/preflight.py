"""`promoter verify` as a function of Python: for a version that lies here, or in a store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from promoter.cli.verifying import Wanted, verified
from promoter.documents.policy_file import parse_policy
from promoter.domain.preflight import Preflight

# Below the limits of a pod: an end that is told is better than one by the kernel. The first two hold for each version.
MEMORY_LIMIT = 6 * 2**30
_DOWNLOAD_LIMIT = 16 * 2**30
_TIME_LIMIT = timedelta(minutes=10)


def preflight(
    candidate: str, stable: str | None, policy: str, *, public_key: Path | None, told: Callable[[str], None]
) -> Preflight:
    """What is found out about the version at the address `candidate`, compared with the one at `stable`.

    policy: the text of a policy.yaml, empty for what `promoter verify` asks for by itself. public_key: that the
    candidate has to be signed with, None for no signature. told: gets a line for each check. Raises PromoterError
    where there is no verdict.
    """
    wanted = Wanted(_TIME_LIMIT.total_seconds(), MEMORY_LIMIT, _DOWNLOAD_LIMIT, public_key=public_key)
    if policy:
        whole = parse_policy(policy.encode(), "the policy")
        wanted = replace(wanted, policy=whole.preflight, complete=whole.candidates.complete)
    return verified(candidate, stable, wanted, told)
