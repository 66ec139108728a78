"""The manifests of one installation, from the templates beside this module."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import resources
from string import Template
from urllib.parse import urlsplit

import yaml

from promoter.domain.names import ENVIRONMENTS, checked_name
from promoter.errors import InvalidInput

# What stands in YAML without quotes and means itself: no blank, quote, bracket or mark of a comment.
_PLAIN_URL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~:/@%+=-]*", re.ASCII)
_BRANCH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Installation:
    """Where the environments are in Git, which there are, and where Argo CD lives.

    repository: as Argo CD fetches it, without credentials. Raises InvalidInput for what is no address, branch or name.
    """

    repository: str
    environments: tuple[str, ...]
    branch: str = "main"
    argocd_namespace: str = "argocd"

    def __post_init__(self) -> None:
        if not _PLAIN_URL.fullmatch(self.repository) or ":" not in self.repository:
            raise InvalidInput(
                "the repository's address cannot be used: write it like https://git.example.com/models.git "
                "or git@git.example.com:models.git"
            )
        if urlsplit(self.repository).scheme in ("http", "https") and "@" in urlsplit(self.repository).netloc:
            raise InvalidInput(
                "the repository's address holds a user or a password: these manifests are for everybody to read. "
                "Give Argo CD its credentials with `argocd repo add`"
            )
        if not _BRANCH.fullmatch(self.branch) or self.branch.isdecimal():
            raise InvalidInput(f"{self.branch!r} cannot be used as a branch's name here: use letters, digits and ._/-")
        if not self.environments:
            raise InvalidInput("no environment is named: give each with --environment")
        if repeated := {name for name in self.environments if self.environments.count(name) > 1}:
            raise InvalidInput(f"{min(repeated)!r} is named twice")
        for name in self.environments:
            checked_name(name, "environment")
        checked_name(self.argocd_namespace, "namespace")

    def files(self) -> dict[str, str]:
        """What the repository holds of it, by path: Argo CD keeps the cluster so."""
        projects = {
            f"{ENVIRONMENTS}/{name}/project.yaml": self._filled("project", environment=name)
            for name in self.environments
        }
        return {f"{ENVIRONMENTS}/applicationset.yaml": self._filled("applicationset"), **projects}

    def app_of_apps(self) -> str:
        return self._filled("app-of-apps")

    def objects(self, *, app_of_apps: bool = True, network_policies: bool = False) -> str:
        """The objects that are ours alone: YAML documents in the order in which they can be applied."""
        files = self.files()
        projects = [text for path, text in files.items() if path.endswith("/project.yaml")]
        parts = [
            *([self._filled("network")] if network_policies else []),
            *projects,
            files[f"{ENVIRONMENTS}/applicationset.yaml"],
            *([self._filled("app-of-apps")] if app_of_apps else []),
        ]
        return "---\n".join(parts)

    def keys(self) -> dict[str, dict[str, str]]:
        """Our keys in Argo CD's ConfigMaps, by the ConfigMap's name: the account, its policy, the notifications."""
        texts = (self._filled("account"), self._filled("notifications"))
        maps = [document for text in texts for document in yaml.safe_load_all(text)]
        return {document["metadata"]["name"]: document["data"] for document in maps}

    def _filled(self, name: str, **more: str) -> str:
        text = resources.files("promoter.bootstrap").joinpath("manifests", f"{name}.yaml").read_text(encoding="utf-8")
        return Template(text).substitute(
            repository=self.repository, branch=self.branch, argocd=self.argocd_namespace, **more
        )
