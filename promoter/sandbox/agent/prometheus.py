"""The real Prometheus: its files are written here, and it is told when its configuration has changed."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from concurrent.futures import Executor, Future
from http import HTTPStatus
from pathlib import Path

import httpx
import yaml

from promoter.sandbox.agent.files import write_atomically
from promoter.sandbox.agent.monitors import PodMonitor
from promoter.sandbox.agent.scrape import ScrapedPod, prometheus_configuration, targets, targets_name

log = logging.getLogger(__name__)

_RELOAD_TIMEOUT_SECONDS = 2.0
_RETRY_SECONDS = 1.0


class PrometheusFiles:
    """`prometheus.yml` and the lists of targets in `directory`. `step` is called from one thread.

    Prometheus watches the targets itself. A reload is asked for in the background and repeated until
    it was answered: Prometheus may be away for a while.
    """

    def __init__(self, directory: Path, url: str, envoy_admin: str, background: Executor) -> None:
        self._directory = directory
        self._reload_url = f"{url.rstrip('/')}/-/reload"
        self._envoy_admin = envoy_admin
        self._background = background
        self._written: dict[Path, str] = {}
        self._seen: tuple[Sequence[PodMonitor], Sequence[ScrapedPod]] = ((), ())
        self._reload_due = False
        self._next_try = 0.0
        self._asked: Future[int | None] | None = None
        self._write(directory / "prometheus.yml", self._configuration(()))

    def step(self, monitors: Sequence[PodMonitor], pods: Sequence[ScrapedPod], now: float) -> None:
        """Write what has changed, and see to it that Prometheus learns of it."""
        if (monitors, pods) != self._seen:
            self._seen = (monitors, pods)
            self._write_all(monitors, pods, now)
        self._see_to_reload(now)

    def _write_all(self, monitors: Sequence[PodMonitor], pods: Sequence[ScrapedPod], now: float) -> None:
        for monitor in monitors:
            for index, endpoint in enumerate(monitor.endpoints):
                path = self._directory / "targets" / targets_name(monitor, index)
                self._write(path, json.dumps(targets(monitor, endpoint, pods), indent=1))
        if self._write(self._directory / "prometheus.yml", self._configuration(monitors)):
            self._reload_due = True
            self._next_try = now

    def _configuration(self, monitors: Sequence[PodMonitor]) -> str:
        configuration = prometheus_configuration(monitors, self._directory, self._envoy_admin)
        return yaml.safe_dump(configuration, sort_keys=False)

    def _write(self, path: Path, text: str) -> bool:
        if self._written.get(path) == text:
            return False
        write_atomically(path, text)
        self._written[path] = text
        return True

    def _see_to_reload(self, now: float) -> None:
        if self._asked is not None and self._asked.done():
            status = self._asked.result()
            self._asked = None
            if status is None:
                self._reload_due = True
                self._next_try = now + _RETRY_SECONDS
            elif status != HTTPStatus.OK:
                # Asking again would not help: the file has to change first.
                log.error("prometheus.refused_configuration status=%d", status)
            else:
                log.info("prometheus.reloaded")
        if self._reload_due and self._asked is None and now >= self._next_try:
            self._reload_due = False
            self._asked = self._background.submit(_reload, self._reload_url)


def _reload(url: str) -> int | None:
    """The status of Prometheus' answer, None where there was none."""
    try:
        return httpx.post(url, timeout=_RELOAD_TIMEOUT_SECONDS, trust_env=False).status_code
    except httpx.HTTPError:
        return None
