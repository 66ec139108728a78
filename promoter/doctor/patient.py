"""The installation that is looked at: the promoter's own adapters and settings, and what is read of Git only once."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property

from promoter.adapters.forges.standing import ForgeStanding
from promoter.adapters.git import GitRepository
from promoter.adapters.prometheus import PrometheusMetrics
from promoter.adapters.stores import AllowedStores
from promoter.documents.policy_file import parse_policy
from promoter.documents.release_file import parse_release
from promoter.domain.names import ServedModel
from promoter.domain.policy import RolloutPolicy
from promoter.domain.release import Release
from promoter.domain.repository import Inventory, Revision
from promoter.errors import InvalidInput, RepositoryUnavailable
from promoter.ports import Forge
from promoter.settings import Settings


@dataclass(frozen=True)
class Patient:
    """What is looked at. environments: those that count, empty for all. scratch_branch: where rules may be tried.

    timeout: of each question to a server. forge, standing: None where the settings name none.
    """

    settings: Settings
    repository: GitRepository
    metrics: PrometheusMetrics
    stores: AllowedStores
    environments: tuple[str, ...] = ()
    scratch_branch: str | None = None
    timeout: timedelta = field(default=timedelta(seconds=10))
    forge: Forge | None = None
    standing: ForgeStanding | None = None

    @cached_property
    def head(self) -> Revision:
        """The branch's head. Raises RepositoryUnavailable."""
        return self.repository.fetch()

    @cached_property
    def inventory(self) -> Inventory:
        """The models of the environments that count, and every folder that cannot be one."""
        found = self.repository.inventory(self.head)
        wanted = self.environments
        models = tuple(served for served in found.models if not wanted or served.environment in wanted)
        return Inventory(models, found.misnamed)

    def policy(self, served: ServedModel) -> RolloutPolicy | None:
        """The model's policy, None where it is not there or does not parse: another check says so."""
        try:
            return parse_policy(self.repository.read(self.head, served.policy_path) or b"", served.policy_path)
        except (InvalidInput, RepositoryUnavailable):
            return None

    def release(self, served: ServedModel) -> Release | None:
        """As `policy`."""
        try:
            return parse_release(self.repository.read(self.head, served.release_path) or b"", served.release_path)
        except (InvalidInput, RepositoryUnavailable):
            return None

    def now(self) -> datetime:
        """Our own clock."""
        return datetime.now(UTC)
