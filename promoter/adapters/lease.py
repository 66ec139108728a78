"""Leadership by a Kubernetes Lease, as client-go's leader election does it: one of several promoters makes the passes.

It saves work and is no fence: a process that is paused for long enough believes for a moment that it still leads. What
keeps two promoters from harm is that a push compares heads. Times are compared on this machine's steady clock only:
whoever waits takes over once it has seen the Lease unchanged for as long as it lasts, whatever the times in it say.
"""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
import structlog

from promoter.bounded_body import TooLarge, TooSlow, gathered
from promoter.errors import ClusterUnavailable
from promoter.token_file import NoToken, read_token

# client-go's defaults, which controllers everywhere run with.
_DURATION = timedelta(seconds=15)
_RENEW_WITHIN = timedelta(seconds=10)
_EVERY = timedelta(seconds=2)

_TIMEOUT = 5.0
_LARGEST_ANSWER = 2**20

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class LeaseSettings:
    """Which Lease, at which API server, and as whom.

    url: the API server's root. token_file: the ServiceAccount's token; ca_file: the authorities to trust, None for the
    system's. Both are read when they are used, because the kubelet replaces them. identity: ours, unlike any other.
    """

    url: str
    namespace: str
    name: str
    identity: str
    token_file: Path
    ca_file: Path | None


def steady_clock() -> float:
    """Seconds that also pass while this machine is suspended, where the system can tell."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)


class LeaseLeadership:
    """`promoter.ports.Leadership` by one Lease. A thread of its own keeps it, inside of `kept`.

    duration: how long the Lease lasts without being renewed. renew_within: how long before the answer is missed we stop
    leading, less than duration. every: between two looks. clock: steady, in seconds.
    """

    def __init__(
        self,
        settings: LeaseSettings,
        *,
        duration: timedelta = _DURATION,
        renew_within: timedelta = _RENEW_WITHIN,
        every: timedelta = _EVERY,
        clock: Callable[[], float] = steady_clock,
    ) -> None:
        self._settings = settings
        self._duration = duration
        self._renew_within = renew_within.total_seconds()
        self._every = every
        self._clock = clock
        self._server = _ApiServer(settings)
        # Until when we lead, by the steady clock; written by the keeping thread, read by any.
        self._leads_until = -1.0
        self._heard_at = clock()
        self._problem: str | None = None
        self._said_leading = False
        # What ended the keeping thread, which nothing should.
        self._broken: Exception | None = None
        # Our own last Lease, which a renewal begins from; None where the server has to be asked.
        self._ours: dict[str, Any] | None = None
        # What somebody else's Lease was when it last changed, and when we saw that.
        self._theirs: tuple[str, float] = ("", 0.0)

    def held(self) -> bool:
        """As the port says. A fault of the keeping thread is raised here, so that it does not end in silence."""
        if self._broken is not None:
            raise self._broken
        return self._clock() < self._leads_until

    def unreachable(self) -> str | None:
        """Why we could not take over, None where we could: the API server answers about the Lease."""
        silent = self._clock() - self._heard_at
        if silent <= self._duration.total_seconds():
            return None
        lease = f"{self._settings.namespace}/{self._settings.name}"
        return f"the Lease {lease} is out of reach: {self._problem or 'no answer yet'}"

    @contextmanager
    def kept(self) -> Iterator[LeaseLeadership]:
        """Strive for the Lease, renew it, and give it back at the end."""
        stop = threading.Event()
        thread = threading.Thread(target=self._keep, args=(stop,), name="lease", daemon=True)
        thread.start()
        try:
            yield self
        finally:
            stop.set()
            thread.join()
            self._release()

    def _keep(self, stop: threading.Event) -> None:
        try:
            while True:
                self.strive()
                if stop.wait(self._every.total_seconds()):
                    return
        except Exception as error:  # noqa: BLE001 - it is raised again where somebody hears it
            self._broken = error

    def strive(self) -> None:
        """One attempt to get or to renew it. Raises nothing: whoever cannot renew stops leading by the clock."""
        # Before the question: the answer may be slow, and its time is nobody's gain.
        began = self._clock()
        try:
            leads = self._renewed() if self._ours is not None else self._acquired()
        except ClusterUnavailable as error:
            self._ours = None
            if self._problem is None:
                log.warning("lease.unreachable", detail=str(error))
            self._problem = str(error)
        else:
            self._problem, self._heard_at = None, self._clock()
            self._leads_until = began + self._renew_within if leads else -1.0
        self._say()

    def _say(self) -> None:
        leads = self.held()
        if leads != self._said_leading:
            log.info("lease.acquired" if leads else "lease.lost", identity=self._settings.identity)
        self._said_leading = leads

    def _acquired(self) -> bool:
        """Take the Lease where it is free, or ours already."""
        found = self._server.get()
        if found is None:
            made = {
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": {"name": self._settings.name, "namespace": self._settings.namespace},
                "spec": self._spec({}),
            }
            self._ours = self._server.create(made)
            return self._ours is not None
        spec = found.get("spec") or {}
        if spec.get("holderIdentity") not in (None, "", self._settings.identity) and not self._has_run_out(found):
            return False
        return self._written(found)

    def _has_run_out(self, found: dict[str, Any]) -> bool:
        """Whether somebody else's Lease has not changed for as long as it says that it lasts."""
        version, now = str(found["metadata"].get("resourceVersion")), self._clock()
        if self._theirs[0] != version:
            self._theirs = (version, now)
        lasts = found["spec"].get("leaseDurationSeconds")
        # A number of somebody else's that makes no sense is not waited for.
        sane = isinstance(lasts, int) and 0 < lasts <= 3600
        return now - self._theirs[1] > (lasts if sane else self._duration.total_seconds())

    def _renewed(self) -> bool:
        """Write the Lease anew without asking first: where somebody changed it, the server says so."""
        ours = self._ours
        return ours is not None and self._written(ours)

    def _written(self, found: dict[str, Any]) -> bool:
        self._ours = self._server.replace({**found, "spec": self._spec(found.get("spec") or {})})
        return self._ours is not None

    def _spec(self, before: dict[str, Any]) -> dict[str, Any]:
        now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        stays = before.get("holderIdentity") == self._settings.identity
        return {
            **before,
            "holderIdentity": self._settings.identity,
            "leaseDurationSeconds": round(self._duration.total_seconds()) or 1,
            "acquireTime": before.get("acquireTime") if stays else now,
            "renewTime": now,
            "leaseTransitions": int(before.get("leaseTransitions") or 0) + (0 if stays or not before else 1),
        }

    def _release(self) -> None:
        """Let the next one begin at once. Where that fails it waits until the Lease has run out."""
        leads, ours = self._clock() < self._leads_until, self._ours
        self._leads_until = -1.0
        if not leads or ours is None:
            return
        try:
            self._server.replace({**ours, "spec": {**ours["spec"], "holderIdentity": "", "leaseDurationSeconds": 1}})
        except ClusterUnavailable as error:
            log.warning("lease.not_released", detail=str(error))
        else:
            log.info("lease.released", identity=self._settings.identity)


class _ApiServer:
    """The three requests that a Lease needs."""

    def __init__(self, settings: LeaseSettings) -> None:
        self._settings = settings
        self._all = f"{settings.url.rstrip('/')}/apis/coordination.k8s.io/v1/namespaces/{settings.namespace}/leases"
        self._one = f"{self._all}/{settings.name}"
        self._trusted: bytes | None = None
        self._client: httpx.Client | None = None

    def get(self) -> dict[str, Any] | None:
        """The Lease, None where there is none."""
        return self._ask("GET", self._one, None, {HTTPStatus.NOT_FOUND})

    def create(self, lease: dict[str, Any]) -> dict[str, Any] | None:
        """The Lease as it was made, None where somebody was faster."""
        return self._ask("POST", self._all, lease, {HTTPStatus.CONFLICT})

    def replace(self, lease: dict[str, Any]) -> dict[str, Any] | None:
        """The Lease as it is now, None where it is no longer what `lease` was read from."""
        return self._ask("PUT", self._one, lease, {HTTPStatus.CONFLICT, HTTPStatus.NOT_FOUND})

    def _ask(self, method: str, url: str, body: dict[str, Any] | None, lost: set[int]) -> dict[str, Any] | None:
        """The object in the answer, None for a status in `lost`. Raises ClusterUnavailable for anything else."""
        headers = {"Authorization": f"Bearer {self._token()}", "Accept": "application/json"}
        try:
            with self._connected().stream(method, url, json=body, headers=headers) as response:
                text = gathered(response.iter_bytes(), largest=_LARGEST_ANSWER, seconds=_TIMEOUT)
        except TooLarge as error:
            raise ClusterUnavailable("the Kubernetes API server sent more than a Lease can be") from error
        except TooSlow as error:
            raise ClusterUnavailable(f"the Kubernetes API server took more than {_TIMEOUT:g} s to answer") from error
        except httpx.HTTPError as error:
            raise ClusterUnavailable(f"the Kubernetes API server does not answer: {error}") from error
        if response.status_code in lost:
            return None
        if response.status_code not in (HTTPStatus.OK, HTTPStatus.CREATED):
            raise ClusterUnavailable(self._refused(response.status_code))
        try:
            answer = json.loads(text)
        except ValueError:
            answer = None
        if not isinstance(answer, dict) or not isinstance(answer.get("metadata"), dict):
            raise ClusterUnavailable("the Kubernetes API server answered with something that is no Lease")
        if not isinstance(answer.get("spec", {}), dict):
            raise ClusterUnavailable("the Kubernetes API server answered with something that is no Lease")
        return answer

    def _refused(self, status: int) -> str:
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            return (
                f"the Kubernetes API server refuses us ({status}): the ServiceAccount needs `get` and `update` on the "
                f"Lease {self._settings.name}, and `create` on leases, in the namespace {self._settings.namespace}"
            )
        return f"the Kubernetes API server answered with status {status}"

    def _connected(self) -> httpx.Client:
        """A client that trusts what the file of authorities says now."""
        file = self._settings.ca_file
        try:
            trusted = b"" if file is None else file.read_bytes()
            if self._client is None or trusted != self._trusted:
                verify = ssl.create_default_context(cadata=trusted.decode()) if trusted else True
                if self._client is not None:
                    self._client.close()
                # Not through a proxy that the environment names: the API server is a neighbour.
                self._client = httpx.Client(verify=verify, timeout=_TIMEOUT, trust_env=False)
                self._trusted = trusted
        except (OSError, ValueError) as error:
            raise ClusterUnavailable(f"the API server's authorities cannot be read from {file}: {error}") from error
        return self._client

    def _token(self) -> str:
        try:
            return read_token(self._settings.token_file)
        except NoToken as error:
            raise ClusterUnavailable(f"the API server is not asked: {error}") from error
