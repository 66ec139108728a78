"""Ask the ports, return an Observation: raw facts of one pass, nothing judged."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from promoter.control.arrivals import Arrivals
from promoter.control.backwards import looked_for
from promoter.control.latest_changes import change_of_weight, last_change, taken_out_of_service
from promoter.control.looks import Looks
from promoter.control.past import LEAD, SETTLE, stables_past
from promoter.control.upstream import upstream_of
from promoter.decisions.candidate import candidate
from promoter.decisions.counting import seen_until
from promoter.decisions.halt import halted
from promoter.decisions.rollback import was_stable_lately
from promoter.decisions.upstreams import soaks_until, way_to_store
from promoter.documents.freeze_file import parse_freezes
from promoter.documents.holidays_file import parse_holidays
from promoter.documents.limits_file import parse_limits
from promoter.documents.policy_file import parse_policy
from promoter.documents.release_file import parse_release
from promoter.documents.values_file import max_batch_size
from promoter.domain.calibration import Calibration
from promoter.domain.completeness import Completeness
from promoter.domain.freeze import Freeze, Unreadable
from promoter.domain.names import FREEZE_PATH, LIMITS_PATH, ServedModel
from promoter.domain.observation import ClusterTraits, Observation
from promoter.domain.policy import RolloutPolicy
from promoter.domain.preflight import Pending, PreflightPolicy, PreflightRequest, PreflightState, Waived
from promoter.domain.release import Release
from promoter.domain.repository import Change, Lineage, Revision
from promoter.domain.shared_limits import SharedLimits
from promoter.domain.upstream import Upstream
from promoter.domain.version import Listing, ModelVersion, StoredVersion, Wanted
from promoter.domain.window import Holiday
from promoter.errors import InvalidDocument, InvalidInput, PromoterError
from promoter.ports import Cluster, Metrics, ModelStore, Preflights, Repository

CHART = "charts/model-serving"

_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class Ports:
    """The worlds outside. preflights: None where the settings ask for none."""

    repository: Repository
    store: ModelStore
    metrics: Metrics
    cluster: Cluster
    preflights: Preflights | None


class Observer:
    """Looks at models. Between passes it keeps only what spares questions, and what it could ask for again.

    All but the newest sample times and the arrivals, which a fresh process does without. tells_halves: as `Looks`
    takes it. arrivals: where commits wait before they get onto the branch; None where their own time says when they
    did.
    """

    def __init__(
        self,
        ports: Ports,
        traits: ClusterTraits,
        listing_interval: timedelta,
        *,
        tells_halves: bool = False,
        arrivals: Arrivals | None = None,
    ) -> None:
        self._ports = ports
        self._arrivals = arrivals
        self._weighted: dict[ServedModel, Change] = {}
        self._traits = traits
        self._looks = Looks(ports.store, listing_interval, tells_halves=tells_halves)
        # Git serves one thread at a time, and passes ask for several models at once.
        self._git = threading.Lock()
        self._freezes: tuple[Revision, tuple[Freeze, ...] | Unreadable] | None = None
        self._holidays: dict[str, tuple[tuple[str | None, int], tuple[Holiday, ...] | Unreadable]] = {}
        self._read: dict[ServedModel, Observation] = {}
        self._newest: dict[ServedModel, datetime] = {}
        self._calibrations: dict[ServedModel, tuple[tuple[object, ...], Calibration]] = {}

    def read(self, served: ServedModel, head: Revision) -> Observation:
        """What Git says of a model at `head`. Raises InvalidInput where a file does not parse."""
        known = self._read.get(served)
        if known is None or known.head != head:
            known = self._read[served] = self._read_anew(served, head)
        return known

    def limits(self, head: Revision) -> Mapping[str, SharedLimits] | Unreadable:
        """What limits.yaml states at `head`, by environment; without the file, nothing."""
        return _or_fault(lambda: parse_limits(self._ports.repository.read(head, LIMITS_PATH) or b"", LIMITS_PATH))

    def release(self, served: ServedModel, head: Revision) -> Release | None:
        """What release.yaml alone says, for a model that `read` cannot read; None where it is at fault itself."""
        try:
            return self._release(served, head)
        except InvalidInput:
            return None

    def _read_anew(self, served: ServedModel, head: Revision) -> Observation:
        repository = self._ports.repository
        release = self._release(served, head)
        policy = self._policy(served, head)
        changed = last_change(repository, head, served)
        withheld = taken_out_of_service(repository, served, release, changed)
        upstream = self._upstream(served, head, release) if policy.candidates.upstream else None
        weighted = self._weighted[served] = change_of_weight(repository, served, release, changed)
        wanted = release.sought
        sought = looked_for(repository, served, head, release, wanted) if wanted else None
        return Observation(
            served,
            head,
            release,
            policy,
            changed,
            weighted.at,
            self._traits,
            withheld=withheld,
            sought=sought,
            freezes=self._frozen(head),
            upstream=upstream,
            listing=_offer(upstream) if isinstance(upstream, Upstream) else None,
        )

    def _with_arrival(self, seen: Observation, now: datetime) -> Observation:
        arrivals = self._arrivals
        if arrivals is None:
            return seen
        arrivals.saw(seen.served, seen.changed, now)
        return replace(seen, weight_since=arrivals.of(seen.served, self._weighted[seen.served], now))

    def begin_pass(self, read: Sequence[Observation], now: datetime) -> None:
        """A pass over these models begins; each will be asked about once."""
        self._looks.begin_pass(dict(source for seen in read if (source := _source(seen)) is not None), now)

    def ask(self, seen: Observation, now: datetime) -> Observation:
        """The same with the answers of the model store, Argo CD and Prometheus; a silent peer becomes a problem.

        A model without a canary and without a candidate costs a look at its store and nothing else. May run
        beside itself for other models.
        """
        seen = self._with_pinned(self._with_holidays(self._with_arrival(seen, now), now), now)
        if seen.release.canary is None:
            seen, offered = self._offered(seen, now)
            if offered is None:
                return seen
            known = was_stable_lately(seen, now)
            seen = self._with_offered(seen, offered, now)
            seen = replace(seen, preflight=Waived() if known else self._preflight(seen, offered, now))
            if seen.release.stable is None:
                return seen
        seen = self._with_application(seen)
        return self._with_measurements(seen, now)

    def trace(self, seen: Observation) -> Observation:
        """The same with how the revision that Argo CD synced relates to ours, which Git knows."""
        synced = seen.application.revision if seen.application else None
        if synced is None:
            return seen
        repository = self._ports.repository
        with self._git:
            unchanged = all(
                repository.object_id(synced, path) == repository.object_id(seen.head, path)
                for path in (seen.served.folder, CHART)
            )
            contains = repository.contains(synced, seen.changed.revision)
        return replace(seen, lineage=Lineage(contains=contains, unchanged=unchanged))

    def with_sync_windows(self, seen: Observation) -> Observation:
        """The same with Argo CD's sync windows, or why nobody can tell them."""
        try:
            return replace(seen, sync_windows=self._ports.cluster.sync_windows(seen.served))
        except PromoterError as error:
            return replace(seen, sync_windows=Unreadable(str(error)))

    def recall(self, seen: Observation, now: datetime) -> Observation:
        """The same with what Prometheus says today of a pass at `now`, long ago; nobody else is asked.

        Which pods Argo CD called Ready then is not recorded, so the newest sample is that of any pod. Raises
        MetricsUnavailable.
        """
        measured = self._measure(self._with_holidays(seen, now), now)
        return replace(measured, newest_sample=_newest_sample(measured))

    def _release(self, served: ServedModel, revision: Revision) -> Release:
        return parse_release(self._text(served.release_path, revision), served.release_path)

    def _policy(self, served: ServedModel, revision: Revision) -> RolloutPolicy:
        return parse_policy(self._text(served.policy_path, revision), served.policy_path)

    def _frozen(self, head: Revision) -> tuple[Freeze, ...] | Unreadable:
        """What freeze.yaml states, read once for all models; without the file, nothing."""
        if self._freezes is None or self._freezes[0] != head:
            content = self._ports.repository.read(head, FREEZE_PATH) or b""
            self._freezes = (head, _or_fault(lambda: parse_freezes(content, FREEZE_PATH)))
        return self._freezes[1]

    def _with_holidays(self, seen: Observation, now: datetime) -> Observation:
        """The same with the holidays of this year and the next, where its policy names some."""
        path = seen.policy.holidays
        if path is None:
            return seen
        with self._git:
            # One file serves many models, and most commits do not touch it.
            key = (self._ports.repository.object_id(seen.head, path), now.year)
            known = self._holidays.get(path)
            if known is None or known[0] != key:
                read = partial(self._holidays_of, path, seen.head, now.year)
                known = self._holidays[path] = (key, _or_fault(read))
        return replace(seen, holidays=known[1])

    def _holidays_of(self, path: str, head: Revision, year: int) -> tuple[Holiday, ...]:
        return parse_holidays(self._text(path, head), path, year)

    def _text(self, path: str, revision: Revision) -> bytes:
        content = self._ports.repository.read(revision, path)
        if content is None:
            raise InvalidDocument(
                path, None, "the file is missing", "Add it; docs/reference/files.md shows what it holds"
            )
        return content

    def _upstream(self, served: ServedModel, head: Revision, release: Release) -> Upstream | Unreadable:
        """What upstream serves. A fault there bars steps forward and no way back, so it is told and not raised."""
        try:
            way, root = way_to_store(served, lambda one: self._policy(one, head).candidates)
            theirs = self._release(way[1], head)
        except InvalidInput as error:
            return Unreadable(str(error))
        return upstream_of(self._ports.repository, head, way[1], theirs, root=root, ours=release)

    def _filled_in(self, served: ServedModel, head: Revision, policy: PreflightPolicy) -> PreflightPolicy:
        """The policy with the size of the batches that the chart makes, unless it states one."""
        if policy.max_batch_size is not None:
            return policy
        paths = (f"{CHART}/values.yaml", f"{served.folder}/values.yaml")
        values = [(content, path) for path in paths if (content := self._ports.repository.read(head, path)) is not None]
        return replace(policy, max_batch_size=max_batch_size(values))

    def _preflight(self, seen: Observation, offered: StoredVersion, now: datetime) -> PreflightState:
        """Where the preflight of `offered` stands; one that is not begun yet is begun, unless nothing may start."""
        if self._ports.preflights is None:
            return Waived()
        halt = halted(seen, now)
        if halt is not None:
            return Pending(halt.reason, halt.alarm)
        try:
            found = self._ports.preflights.ask(self._request(seen, offered))
        except PromoterError as error:
            return Pending(str(error), alarm=True)
        return Pending(found) if isinstance(found, str) else found

    def _request(self, seen: Observation, offered: StoredVersion) -> PreflightRequest:
        """What a preflight of `offered` is asked. Raises InvalidInput where the files in Git do not tell."""
        source = _source(seen)
        if source is None:
            # Nothing is offered without a source.
            raise AssertionError("no store, and no way to one")
        store, complete = source
        with self._git:
            policy = self._filled_in(seen.served, seen.head, seen.policy.preflight)
        stable = seen.release.stable
        return PreflightRequest(
            candidate=f"{store}/{offered.version}",
            digest=offered.digest,
            stable=f"{store}/{stable.version}" if stable else None,
            stable_digest=stable.digest if stable else None,
            complete=complete,
            policy=policy,
        )

    def _offered(self, seen: Observation, now: datetime) -> tuple[Observation, StoredVersion | None]:
        """What may start: a version that a person wants back, else the candidate, for which the store is listed."""
        sought = seen.release.sought
        if sought is not None:
            return seen, sought
        seen = self._with_listing(seen, now)
        return seen, candidate(seen.release, seen.listing, seen.withheld) if seen.listing else None

    def _with_listing(self, seen: Observation, now: datetime) -> Observation:
        address = seen.policy.candidates.store
        if address is None:
            return seen
        seen, listing = _answered(seen, lambda: self._looks.listing(address, _wanted(seen), now))
        return replace(seen, listing=listing)

    def _with_pinned(self, seen: Observation, now: datetime) -> Observation:
        """The same with what the store holds under the versions that are served, or wanted back."""
        sought = seen.release.sought
        in_flight = seen.release.canary is not None or sought is not None
        for pin in (*seen.release.pinned, *([sought] if sought else [])):
            seen = self._checked(seen, pin.version, now, in_flight=in_flight)
        return seen

    def _with_offered(self, seen: Observation, offered: StoredVersion, now: datetime) -> Observation:
        """The same with what the store holds under what upstream offers, once that has soaked there."""
        until = soaks_until(seen)
        if until is None or now < until:
            return seen
        # About to be in flight: nothing starts on what the store said a while ago.
        return self._checked(seen, offered.version, now, in_flight=True)

    def _checked(self, seen: Observation, version: ModelVersion, now: datetime, *, in_flight: bool) -> Observation:
        source = _source(seen)
        if source is None:
            return seen
        address, complete = source
        look = partial(self._looks.check, address, version, complete, now, in_flight=in_flight)
        seen, found = _answered(seen, look)
        return seen if found is None else replace(seen, in_store=(*seen.in_store, found))

    def _with_application(self, seen: Observation) -> Observation:
        seen, application = _answered(seen, lambda: self._ports.cluster.application(seen.served))
        return replace(seen, application=application)

    def _with_measurements(self, seen: Observation, now: datetime) -> Observation:
        seen, measured = _answered(seen, lambda: self._measure(seen, now))
        if measured is not None:
            seen = measured
            newest = _newest_sample(seen)
            if newest is not None:
                self._newest[seen.served] = max(newest, self._newest.get(seen.served, newest))
        return replace(seen, newest_sample=self._newest.get(seen.served))

    def _measure(self, seen: Observation, now: datetime) -> Observation:
        canary, at = seen.release.canary, now - SETTLE
        calibration = self._calibration(seen, canary.since if canary else now)
        start = (canary.since if canary else at) - LEAD
        measured = self._ports.metrics.measurements(seen.served, start, at, calibration.bounds_us)
        return replace(seen, calibration=calibration, measurements=measured)

    def _calibration(self, seen: Observation, begin: datetime) -> Calibration:
        """The choices for a rollout that begins, or began, at `begin`: the same for all its passes."""
        stable = seen.release.stable
        if stable is None:
            raise AssertionError("only a stable version has a past to learn from")
        key = (begin, stable.version, seen.policy)
        known = self._calibrations.get(seen.served)
        if known is not None and known[0] == key:
            return known[1]
        _, calibration = stables_past(
            self._ports.metrics, seen.served, stable.version, seen.policy, traits=self._traits, before=begin - SETTLE
        )
        self._calibrations[seen.served] = (key, calibration)
        return calibration


def _wanted(seen: Observation) -> Wanted:
    """What may become the candidate, and no more: versions at or below stable never do."""
    stable, withheld = seen.release.stable, seen.withheld
    passed_over = frozenset(entry.version for entry in seen.release.rejected)
    return Wanted(
        above=stable.version if stable else None,
        newest=True,
        passed_over=passed_over | (withheld.versions if withheld else frozenset()),
        complete=seen.policy.candidates.complete,
    )


def _source(seen: Observation) -> tuple[str, Completeness] | None:
    """The store in which the versions lie, and which files there are a version's; None where nobody can tell."""
    own, upstream = seen.policy.candidates, seen.upstream
    if own.store is not None:
        return own.store, own.complete
    return (upstream.store, upstream.complete) if isinstance(upstream, Upstream) else None


def _offer(upstream: Upstream) -> Listing:
    """The one version that is stable upstream, if any."""
    stable = upstream.release.stable
    return Listing((stable.pin,)) if stable else Listing()


def _or_fault(read: Callable[[], _Answer]) -> _Answer | Unreadable:
    """What people's file says, or why it says nothing: its fault bars steps forward, and no way back."""
    try:
        return read()
    except InvalidInput as error:
        return Unreadable(str(error))


def _answered(seen: Observation, ask: Callable[[], _Answer]) -> tuple[Observation, _Answer | None]:
    """The answer, or the observation with the problem and no answer."""
    try:
        return seen, ask()
    except PromoterError as error:
        # One peer may be asked twice, and be silent twice for the same reason.
        return replace(seen, problems=tuple(dict.fromkeys((*seen.problems, str(error))))), None


def _newest_sample(seen: Observation) -> datetime | None:
    """Until when every Ready pod of every live version was scraped."""
    measured = seen.measurements
    if measured is None:
        return None
    times = []
    for pin in seen.release.pinned:
        ready = _ready_pods(seen, pin)
        if ready is not None:
            times.append(seen_until(measured.targets, pin.version, ready))
    known = [at for at in times if at is not None]
    if not times or len(known) < len(times):
        return None
    return datetime.fromtimestamp(min(known), seen.changed.at.tzinfo)


def _ready_pods(seen: Observation, pin: StoredVersion) -> frozenset[str] | None:
    """The pods that ought to be visible; None where a version has none yet. Without Argo CD's word, any pod will do."""
    if seen.application is None:
        return frozenset()
    deployment = seen.application.deployment(pin.version)
    names = frozenset(pod.name for pod in deployment.pods if pod.ready) if deployment else frozenset[str]()
    return names or None
