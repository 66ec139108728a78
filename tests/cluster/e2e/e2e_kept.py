"""Argo CD's configuration as it was found."""

from __future__ import annotations

import json

from e2e_commands import got, kubectl


class Kept:
    """Remembers the keys of the ConfigMaps that `promoter bootstrap` adds to."""

    def __init__(self, argocd_namespace):
        self._namespace = ("--namespace", argocd_namespace)
        names = ("argocd-cm", "argocd-rbac-cm", "argocd-notifications-cm")
        self._before = {name: self._data(name) for name in names}

    def restore(self):
        """Takes away what was added since; what was there stays as it is."""
        for name, before in self._before.items():
            if added := [key for key in self._data(name) if key not in before]:
                patch = json.dumps({"data": dict.fromkeys(added)})
                kubectl("patch", "configmap", name, *self._namespace, "--type=merge", "--patch", patch, check=False)

    def _data(self, name):
        return (got("configmap", name, *self._namespace) or {}).get("data") or {}
