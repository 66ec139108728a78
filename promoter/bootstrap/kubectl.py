"""Manifests to a cluster by `kubectl`, with the kubeconfig and the rights of whoever runs it.

kubectl, because people's kubeconfigs name programs and logins that it knows (cloud accounts, single sign-on), and because what
it was given can be run again by hand.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable

from promoter.errors import ClusterUnavailable, InvalidInput

_MANAGER = "promoter-bootstrap"
_TIMEOUT_S = 120.0


def apply(manifests: str, say: Callable[[str], None], context: str | None = None) -> None:
    """Apply by server-side apply; `say` gets a line for each object.

    Everything is tried first without writing, so that a cluster that would refuse one object gets none. A key that
    somebody else set to another value is a conflict, and stays. Raises InvalidInput where kubectl is missing, and
    ClusterUnavailable with kubectl's own words.
    """
    program = shutil.which("kubectl")
    if program is None:
        raise InvalidInput("kubectl is not on PATH: install it, or apply what this command prints without --apply")
    command = [
        program,
        *([] if context is None else ["--context", context]),
        "--request-timeout=30s",
        "apply",
        "--server-side",
        f"--field-manager={_MANAGER}",
        "--filename=-",
    ]
    _run([*command, "--dry-run=server"], manifests)
    for line in _run(command, manifests).splitlines():
        say(line)


def _run(command: list[str], manifests: str) -> str:
    try:
        done = subprocess.run(
            command, input=manifests, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S
        )
    except subprocess.TimeoutExpired as error:
        raise ClusterUnavailable(f"the cluster did not answer within {_TIMEOUT_S:g} s") from error
    if done.returncode != 0:
        raise ClusterUnavailable(f"kubectl says:\n{done.stderr.strip()}{_remedy(done.stderr)}")
    return done.stdout


def _remedy(complaint: str) -> str:
    """What to do about the refusals that are common, empty for others."""
    remedies = {
        "no matches for kind": "install Argo CD first: this cluster does not know its kinds",
        "conflict": "somebody else keeps this key, with another value: agree on one, and then apply by hand with "
        "`kubectl apply --server-side --force-conflicts`",
        "namespaces": "name the namespace of Argo CD with --argocd-namespace",
        "forbidden": "ask for an account that may administer Argo CD's namespace and make namespaces",
    }
    return next((f"\nRemedy: {remedy}" for word, remedy in remedies.items() if word in complaint), "")
