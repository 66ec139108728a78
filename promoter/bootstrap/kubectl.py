"""An installation to a cluster by `kubectl`, with the kubeconfig and the rights of whoever runs it.

kubectl, because people's kubeconfigs name programs and logins that it knows (cloud accounts, single sign-on), and
because what it was given can be run again by hand.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from typing import Any

from promoter.bootstrap.installation import Installation
from promoter.errors import ClusterUnavailable, InvalidInput

_MANAGER = "promoter-bootstrap"
_TIMEOUT_S = 60.0
# What Argo CD finds its own configuration by.
_LABELS = {"app.kubernetes.io/part-of": "argocd"}


class Kubectl:
    """One cluster. context: of the kubeconfig, None for the current one.

    Raises InvalidInput where kubectl is missing; every call raises ClusterUnavailable with kubectl's own words.
    """

    def __init__(self, context: str | None = None) -> None:
        program = shutil.which("kubectl")
        if program is None:
            raise InvalidInput("kubectl is not on PATH: install it, or apply what this command prints without --apply")
        self._command = [program, *([] if context is None else ["--context", context]), "--request-timeout=30s"]

    def install(self, installation: Installation, objects: str, say: Callable[[str], None]) -> None:
        """Make the namespaces, set our keys, apply `objects`; `say` gets a line for each.

        Everything is tried first without writing, so that a cluster that would refuse one thing gets none.
        """
        for dry in (("--dry-run=server",), ()):
            done = [
                *self._namespaces(installation.environments, dry),
                *self._keys(installation, dry),
                *self._apply(objects, dry),
            ]
        for line in done:
            say(line)

    def _namespaces(self, names: tuple[str, ...], dry: tuple[str, ...]) -> list[str]:
        """Only what is missing: namespaces have owners, whose labels (a mesh's, say) must stay."""
        known = {item["metadata"]["name"] for item in self._got("namespaces")["items"]}
        missing = [name for name in names if name not in known]
        return [self._run(["create", "namespace", name, *dry]).strip() for name in missing]

    def _keys(self, installation: Installation, dry: tuple[str, ...]) -> list[str]:
        """Merge patches of those of our keys that are missing; refused where the object has changed meanwhile.

        Not by apply: the first `kubectl apply --server-side` on an object that was made by `kubectl apply` takes over
        all of its fields, and removes those that are not given (kubernetes/kubernetes#112905).
        """
        namespace = ["--namespace", installation.argocd_namespace]
        maps = {item["metadata"]["name"]: item for item in self._got("configmaps", *namespace)["items"]}
        lines = []
        for name, keys in installation.keys().items():
            there = maps.get(name)
            if there is None:
                made = {
                    "apiVersion": "v1",
                    "kind": "ConfigMap",
                    "metadata": {"name": name, "labels": _LABELS},
                    "data": keys,
                }
                lines.append(self._run(["create", *namespace, "--filename=-", *dry], json.dumps(made)).strip())
                continue
            data = there.get("data") or {}
            lines += [f"configmap/{name} keeps its own {key}" for key in keys if data.get(key, keys[key]) != keys[key]]
            missing = {key: value for key, value in keys.items() if key not in data}
            if missing:
                version = {"resourceVersion": there["metadata"]["resourceVersion"]}
                patch = ["--type=merge", "--patch", json.dumps({"metadata": version, "data": missing})]
                lines.append(self._run(["patch", "configmap", name, *namespace, *patch, *dry]).strip())
        return lines

    def _apply(self, objects: str, dry: tuple[str, ...]) -> list[str]:
        command = ["apply", "--server-side", f"--field-manager={_MANAGER}", "--filename=-", *dry]
        return self._run(command, objects).splitlines()

    def _got(self, kind: str, *arguments: str) -> Any:
        return json.loads(self._run(["get", kind, *arguments, "--output=json"]))

    def _run(self, arguments: list[str], text: str = "") -> str:
        try:
            done = subprocess.run(
                [*self._command, *arguments],
                input=text,
                capture_output=True,
                text=True,
                check=False,
                timeout=_TIMEOUT_S,
            )
        except subprocess.TimeoutExpired as error:
            raise ClusterUnavailable(f"the cluster did not answer within {_TIMEOUT_S:g} s") from error
        if done.returncode != 0:
            raise ClusterUnavailable(f"kubectl says: {done.stderr.strip()}{_remedy(done.stderr)}")
        return done.stdout


def _remedy(complaint: str) -> str:
    """What to do about the refusals that are common, empty for others."""
    remedies = {
        "no matches for kind": "install Argo CD first: this cluster does not know its kinds",
        "conflict": "somebody else keeps this field, with another value: agree on one, then apply by hand what this "
        "command prints without --apply, with `kubectl apply --server-side --force-conflicts`",
        "forbidden": "ask for an account that may administer Argo CD's namespace and make namespaces",
        'namespaces "': "name the namespace of Argo CD with --argocd-namespace",
    }
    return next((f"\nRemedy: {remedy}" for word, remedy in remedies.items() if word in complaint.lower()), "")
