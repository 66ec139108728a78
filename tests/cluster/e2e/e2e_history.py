"""What the API server has shown, event by event, in the order in which it happened.

Every object carries the revision of etcd at which it was written, whatever its kind. Sorted by it, the events of three
watches are the cluster's own history, and what must hold at every moment can be asked of every moment.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from math import ceil
from typing import Any

from kubernetes import client, config, watch


@dataclass(frozen=True, slots=True)
class Event:
    """One object after it was written. gone: it was deleted. seen: when we heard of it, by the wall clock."""

    revision: int
    kind: str
    name: str
    content: Any
    gone: bool
    seen: float


@dataclass(frozen=True, slots=True)
class Moment:
    """After one event. weights: by a route's rule, then by Service. ready: pods that serve, by Service.

    seen: when we heard of it, by the wall clock.
    """

    revision: int
    seen: float
    weights: dict[str, dict[str, int]]
    ready: dict[str, int]

    def shortfalls(self, pods):
        """Who has too few pods for its share of `pods`, a sentence each."""
        return [
            f"{route} sends {weight} % to {service}, which has {self.ready.get(service, 0)} ready pods"
            for route, split in self.weights.items()
            for service, weight in split.items()
            if weight and self.ready.get(service, 0) < ceil(pods * weight / 100)
        ]


class History:
    """Watches pods and routes of a namespace, and one Application, from a moment on."""

    def __init__(self, namespace, argocd_namespace, application, routes):
        self._routes = {route.kind: route for route in routes}
        self._api = config.new_client_from_config()
        core, custom = client.CoreV1Api(self._api), client.CustomObjectsApi(self._api)
        self._events = []
        self._stop = threading.Event()
        argocd = ("argoproj.io", "v1alpha1", argocd_namespace, "applications")
        self._watches = [
            ("Pod", core.list_namespaced_pod, (namespace,), {}),
            *(
                (route.kind, custom.list_namespaced_custom_object, (route.group, "v1", namespace, route.plural), {})
                for route in routes
            ),
            (
                "Application",
                custom.list_namespaced_custom_object,
                argocd,
                {"field_selector": f"metadata.name={application}"},
            ),
        ]
        self._threads = [threading.Thread(target=self._watch, args=each, daemon=True) for each in self._watches]

    def start(self):
        for thread in self._threads:
            thread.start()

    def stop(self):
        self._stop.set()

    def _watch(self, kind, listing, arguments, options):
        while not self._stop.is_set():
            for seen in watch.Watch().stream(listing, *arguments, timeout_seconds=30, **options):
                raw = seen["raw_object"]
                if seen["type"] not in ("ADDED", "MODIFIED", "DELETED"):
                    break
                metadata = raw["metadata"]
                revision, gone = int(metadata["resourceVersion"]), seen["type"] == "DELETED"
                self._events.append(Event(revision, kind, metadata["name"], raw, gone, time.time()))

    def now(self):
        """The newest revision that was seen."""
        return max((event.revision for event in list(self._events)), default=0)

    def events(self, *kinds):
        """Each write once, in order; a watch that began anew tells of some a second time."""
        once = {}
        for event in list(self._events):
            once.setdefault((event.kind, event.name, event.revision, event.gone), event)
        return sorted(
            (event for event in once.values() if event.kind in kinds), key=lambda event: (event.revision, event.gone)
        )

    def moments(self, since=0):
        """The state after each write from `since` on."""
        pods, weights = {}, {}
        for event in self.events("Pod", *self._routes):
            if event.kind == "Pod":
                if event.gone or not _serves(event.content):
                    pods.pop(event.name, None)
                else:
                    pods[event.name] = _service(event.content)
            else:
                weights[event.kind] = {} if event.gone else self._routes[event.kind].splits(event.content)
            if event.revision >= since:
                ready = {service: list(pods.values()).count(service) for service in set(pods.values())}
                split = {rule: services for rules in weights.values() for rule, services in rules.items()}
                yield Moment(event.revision, event.seen, split, ready)

    def states(self, since=0):
        """(revision in Git, sync status, health) of the Application, each time that one of them changed."""
        last = None
        for event in self.events("Application"):
            status = event.content.get("status", {})
            sync = status.get("sync", {})
            state = (sync.get("revision"), sync.get("status"), status.get("health", {}).get("status"))
            if state != last and event.revision >= since:
                yield state
            last = state

    def is_well(self):
        """Whether the newest state of the Application is Synced and Healthy."""
        states = list(self.states())
        return bool(states) and states[-1][1:] == ("Synced", "Healthy")


def _serves(pod):
    conditions = {each["type"]: each["status"] for each in pod.get("status", {}).get("conditions", [])}
    return conditions.get("Ready") == "True" and "deletionTimestamp" not in pod["metadata"]


def _service(pod):
    labels = pod["metadata"]["labels"]
    return f"{labels['model']}-v{labels['model-version']}"
