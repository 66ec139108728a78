"""Names of environments, groups and models, checked where text becomes a type."""

from __future__ import annotations

import re
from dataclasses import dataclass

from promoter.errors import InvalidName

# The form of a Kubernetes label (RFC 1123). Nothing that passes can carry a path, a quote or PromQL.
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", re.ASCII)

ENVIRONMENTS = "environments"
RELEASE_FILE = "release.yaml"
POLICY_FILE = "policy.yaml"
VALUES_FILE = "values.yaml"
FREEZE_PATH = f"{ENVIRONMENTS}/freeze.yaml"
LIMITS_PATH = f"{ENVIRONMENTS}/limits.yaml"


def checked_name(text: str, what: str) -> str:
    """`text` if it is a valid name; `what` ("model", "environment") goes into the InvalidName."""
    if not _NAME.fullmatch(text):
        shown = text if len(text) <= 80 else text[:80] + "…"
        article = "an" if what[0] in "aeiou" else "a"
        raise InvalidName(
            f"{shown!r} cannot name {article} {what}: use lower-case letters, digits and hyphens, "
            "63 characters at most, with a letter or digit at both ends"
        )
    return text


@dataclass(frozen=True, slots=True, order=True)
class ServedModel:
    """One model in one environment: the folder that holds its `release.yaml`.

    `group` is the optional level between environment and model (a team), None where there is none.
    """

    environment: str
    model: str
    group: str | None = None

    def __post_init__(self) -> None:
        checked_name(self.environment, "environment")
        checked_name(self.model, "model")
        if self.group is not None:
            checked_name(self.group, "group")

    @classmethod
    def from_folder(cls, folder: str) -> ServedModel:
        """The model of `environments/<environment>/[<group>/]<model>`; raises InvalidName."""
        parts = folder.split("/")
        if parts[0] != ENVIRONMENTS or len(parts) not in (3, 4):
            raise InvalidName(
                f"{folder!r} is not a model's folder: it must be "
                f"{ENVIRONMENTS}/<environment>/<model> or {ENVIRONMENTS}/<environment>/<group>/<model>"
            )
        return cls(parts[1], parts[-1], parts[2] if len(parts) == 4 else None)

    @property
    def name(self) -> str:
        """`[group/]model`, which is one model's alone in its environment."""
        return f"{self.group}/{self.model}" if self.group else self.model

    def is_called(self, text: str) -> bool:
        """Whether people mean it, among others perhaps, by `model` or `group/model`."""
        return text in (self.model, self.name)

    @property
    def folder(self) -> str:
        """The folder from the root of the repository, without a slash at its end."""
        parts = [ENVIRONMENTS, self.environment, self.group, self.model]
        return "/".join(part for part in parts if part is not None)

    @property
    def release_path(self) -> str:
        return f"{self.folder}/{RELEASE_FILE}"

    @property
    def policy_path(self) -> str:
        return f"{self.folder}/{POLICY_FILE}"

    @property
    def values_path(self) -> str:
        return f"{self.folder}/{VALUES_FILE}"

    @property
    def application(self) -> str:
        """The name of its Argo CD Application."""
        parts = [self.environment, self.group, self.model]
        return "-".join(part for part in parts if part is not None)

    def __str__(self) -> str:
        parts = [self.environment, self.group, self.model]
        return "/".join(part for part in parts if part is not None)
