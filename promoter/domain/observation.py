"""Everything one pass has seen of one model: raw facts, nothing judged."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from promoter.domain.application import Application
from promoter.domain.calibration import Calibration
from promoter.domain.freeze import Freeze, Unreadable
from promoter.domain.measurements import Measurements
from promoter.domain.names import ServedModel
from promoter.domain.policy import RolloutPolicy
from promoter.domain.preflight import Pending, PreflightState
from promoter.domain.release import Rejection, Release
from promoter.domain.repository import Change, Lineage, Revision
from promoter.domain.sync_windows import SyncWindows
from promoter.domain.upstream import Upstream
from promoter.domain.version import IncompleteVersion, Listing, ModelVersion, StoredVersion
from promoter.domain.window import Holiday


@dataclass(frozen=True, slots=True)
class ClusterTraits:
    """What the promoter's own settings say about the cluster.

    scrape_interval: how often Prometheus reads the pods. reaction_time: from a fault to the moment
    when a new weight is live (scrape, query, push, sync). ready_deadline: how long a canary's pods may
    take to become Ready. restart_pause: first pause after a withdrawal; it doubles each time.
    """

    scrape_interval: timedelta = timedelta(seconds=5)
    reaction_time: timedelta = timedelta(seconds=10)
    ready_deadline: timedelta = timedelta(minutes=15)
    restart_pause: timedelta = timedelta(minutes=1)

    @property
    def stale_after(self) -> timedelta:
        """Samples older than three scrapes are not fresh."""
        return 3 * self.scrape_interval


@dataclass(frozen=True, slots=True)
class Withheld:
    """Versions that people took out of service since the promoter's last commit, and the newest commit that did it."""

    versions: frozenset[ModelVersion]
    change: Change


@dataclass(frozen=True, slots=True)
class Sought:
    """What the history of release.yaml tells of the version that a person wants back.

    said: the commit that asks for it. until: when it stopped being stable with these files; None where it never was,
    as far as was looked back. passed: versions that were rejected since, each by its reason, or served, by none.
    pods: the highest floor that carried all requests since; 0 where none is recorded.
    """

    said: Change
    until: datetime | None
    passed: tuple[Rejection, ...] = ()
    pods: int = 0


NOT_ASKED = Pending("it was not asked for")


@dataclass(frozen=True, slots=True)
class Observation:
    """One model, as one pass saw it.

    changed: the last commit that changed what release.yaml says of versions; a pause there changes nothing of them.
    weight_since: when the canary's weight became what it is.
    withheld: what people took away since the promoter's last commit, None where nobody did.
    sought: of the version that a person wants back, None where nobody does.
    freezes: all that freeze.yaml states, about other models too.
    holidays: of this year and the next, from the file that the policy names.
    upstream: what the environment upstream serves of the model, None where the policy names none.
    listing: the candidates' source, None where it did not answer.
    preflight: where the candidate's stands.
    in_store: what the model store holds under the versions that are pinned, and under the one that upstream offers, as
    far as it was asked for.
    application: Argo CD's answer, None where it did not give one. lineage goes with it.
    sync_windows: of that application, None where they were not asked for.
    measurements: Prometheus' answer, None where it did not give one.
    calibration: what was chosen from stable's hour before the rollout (before now, where there is no
    canary yet); goes with measurements.
    newest_sample: until when all Ready pods of every live version were scraped, as far as this
    process ever saw; None where it never did.
    problems: a sentence for each peer that did not answer.
    """

    served: ServedModel
    head: Revision
    release: Release
    policy: RolloutPolicy
    changed: Change
    weight_since: datetime
    traits: ClusterTraits
    withheld: Withheld | None = None
    sought: Sought | None = None
    freezes: tuple[Freeze, ...] | Unreadable = ()
    holidays: tuple[Holiday, ...] | Unreadable = ()
    upstream: Upstream | Unreadable | None = None
    listing: Listing | None = None
    preflight: PreflightState = NOT_ASKED
    in_store: tuple[StoredVersion | IncompleteVersion, ...] = ()
    application: Application | None = None
    lineage: Lineage | None = None
    sync_windows: SyncWindows | Unreadable | None = None
    measurements: Measurements | None = None
    calibration: Calibration | None = None
    newest_sample: datetime | None = None
    problems: tuple[str, ...] = ()

    @property
    def paused(self) -> bool:
        """Whether a person paused it, in policy.yaml or in release.yaml."""
        return self.policy.paused or self.release.paused is not None

    def blind_for(self, now: datetime) -> timedelta:
        """How long nobody has seen the pods of both versions.

        Counted from the newest sample. Where none is known, from the last commit: that one was made by
        somebody who could see. A commit's date that is still to come is of a clock that is wrong, and puts nothing off;
        with nothing else to go by, it is counted from the rollout's beginning.
        """
        canary = self.release.canary
        known = [at for at in (self.newest_sample, self.changed.at) if at is not None and at <= now]
        return now - max(known, default=min(canary.since, now) if canary else now)
