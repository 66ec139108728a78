"""Argo CD: a version without known holes, a token that may read and nothing else, an Application for every model."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlsplit

from promoter.adapters.argocd import token_in
from promoter.adapters.http_probe import Answer, get
from promoter.doctor.finding import Check, Finding, failure, ok, untold, warning
from promoter.doctor.known_holes import OLDEST, holes_of, parsed
from promoter.doctor.patient import Patient
from promoter.domain.names import ServedModel
from promoter.errors import ClusterUnavailable

# What the token must not do, as Argo CD's own names of resources and actions; what nobody lets it read either.
_CHANGES: Mapping[str, tuple[str, ...]] = {
    "applications": ("create", "update", "delete", "sync", "override", "action"),
    "applicationsets": ("create", "update", "delete"),
    "projects": ("create", "update", "delete"),
    "clusters": ("create", "update", "delete"),
    "repositories": ("create", "update", "delete"),
    "certificates": ("create", "delete"),
    "accounts": ("update",),
    "gpgkeys": ("create", "delete"),
    "exec": ("create",),
}
_READS: Mapping[str, tuple[str, ...]] = {"clusters": ("get",), "repositories": ("get",), "logs": ("get",)}
_PROJECT_SCOPED = ("applications", "applicationsets", "exec", "logs")
_LONGEST_SYNC = timedelta(minutes=10)
_REPO_SERVER_PORT = 8081
_CONNECT_TIMEOUT_S = 3.0


def reachable(patient: Patient) -> Iterator[Finding]:
    """The API server answers, with a version that has no known hole."""
    url = patient.settings.argocd_url
    answer = get(url, "/api/version", timeout=patient.timeout)
    told = answer.content.get("Version") if isinstance(answer.content, dict) else None
    version = parsed(told) if isinstance(told, str) else None
    if answer.status != HTTPStatus.OK or version is None:
        yield failure(
            f"{answer.server} is no Argo CD: it answered its version with status {answer.status}",
            "Set PROMOTER_ARGOCD_URL to the API server's root, with https:// where it speaks TLS",
        )
        return
    yield ok(f"{answer.server} is Argo CD {told}")
    if urlsplit(url).scheme == "http" and not _is_local(url):
        yield warning("the token goes there unencrypted", "Use https://, or keep the way inside a mesh that encrypts")
    if version[:2] < OLDEST:
        yield failure(
            f"Argo CD {told} is too old", f"Upgrade to {OLDEST[0]}.{OLDEST[1]} or newer: retries must follow Git"
        )
    for hole in holes_of(version):
        yield failure(
            f"Argo CD {told} has {hole.name}: {hole.what}",
            f"Upgrade: mended in {', '.join(f'{a}.{b}.{c}' for (a, b), c in hole.mended.items())} ({hole.source})",
        )


def token(patient: Patient) -> Iterator[Finding]:
    """The token is one."""
    answer = _asked(patient, "/api/v1/session/userinfo")
    content = answer.content if isinstance(answer.content, dict) else {}
    if answer.status != HTTPStatus.OK or not content.get("loggedIn"):
        yield failure(
            f"Argo CD does not take the token in {patient.settings.argocd_token_file} (status {answer.status})",
            "Make a new one: argocd account generate-token --account promoter",
        )
        return
    yield ok(f"Argo CD knows the token as {content.get('username', 'an account')}")


def not_more(patient: Patient) -> Iterator[Finding]:
    """What must be refused is refused."""
    projects = sorted({f"models-{served.environment}" for served in patient.inventory.models})
    allowed = sorted(set(_allowed(patient, _CHANGES, projects)))
    if allowed:
        yield failure(
            f"the token may do more than read Applications: {', '.join(allowed)}",
            "Give the account role:promoter alone (promoter bootstrap), and see policy.default in argocd-rbac-cm",
        )
    readable = sorted(set(_allowed(patient, _READS, projects)))
    if readable:
        yield warning(
            f"the token may read more than Applications: {', '.join(readable)}",
            "Have policy.default in argocd-rbac-cm empty, or the account without further roles",
        )
    if not allowed and not readable:
        yield ok("the token may read Applications, and nothing that was tried beside: changes, clusters, logs, exec")


def _allowed(patient: Patient, asked: Mapping[str, tuple[str, ...]], projects: list[str]) -> Iterator[str]:
    for resource, actions in asked.items():
        scoped = resource in _PROJECT_SCOPED
        for subject in ("*/*", *(f"{project}/*" for project in projects)) if scoped else ("*",):
            for action in actions:
                if _may(patient, resource, action, subject):
                    yield f"{action} {resource}"


def _may(patient: Patient, resource: str, action: str, subject: str) -> bool:
    answer = _asked(patient, f"/api/v1/account/can-i/{resource}/{action}/{quote(subject, safe='/*')}")
    # A version that does not know a resource or an action does not allow it either.
    if answer.status in (HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN):
        return False
    value = answer.content.get("value") if isinstance(answer.content, dict) else None
    if answer.status != HTTPStatus.OK or value not in ("yes", "no"):
        raise ClusterUnavailable(f"Argo CD does not say whether the token may {action} {resource} ({answer.status})")
    return bool(value == "yes")


def applications(patient: Patient) -> Iterator[Finding]:
    """There is an Application for every model, it follows Git, and no sync hangs."""
    found = 0
    for served in patient.inventory.models:
        answer = _asked(patient, f"/api/v1/applications/{served.application}")
        if answer.status != HTTPStatus.OK or not isinstance(answer.content, dict):
            yield _missing(served, answer)
            continue
        found += 1
        yield from _judged(patient, served, answer.content)
        yield from _shown(served, _asked(patient, f"/api/v1/applications/{served.application}/resource-tree"))
    if found:
        yield ok(f"{found} of {len(patient.inventory.models)} models have an Application that can be read")


def _missing(served: ServedModel, answer: Answer) -> Finding:
    if answer.status == HTTPStatus.FORBIDDEN:
        return failure(
            f"{served.application} cannot be read: there is no such Application, or the token may not (Argo CD "
            "does not say which)",
            "See whether the ApplicationSet makes it, and grant `applications, get` in its project",
        )
    return failure(
        f"{served.application} cannot be read: status {answer.status}",
        f"See why the ApplicationSet makes no Application of {served.folder}",
    )


def _judged(patient: Patient, served: ServedModel, application: Mapping[str, Any]) -> Iterator[Finding]:
    name, spec, status = served.application, application.get("spec") or {}, application.get("status") or {}
    yield from _policy(name, spec.get("syncPolicy") or {})
    yield from _source(name, spec, patient.settings.git.branch)
    for condition in status.get("conditions") or []:
        if str(condition.get("type", "")).endswith("Error"):
            yield failure(f"{name}: {condition['type']}: {str(condition.get('message', ''))[:200]}", "Argo CD says why")
    running = _running_for(status, patient.now())
    if running is not None and running > _LONGEST_SYNC:
        yield failure(
            f"{name}: a sync has been running for {int(running.total_seconds() // 60)} minutes: no commit gets past it",
            "Terminate it (argocd app terminate-op), and set controller.sync.timeout.seconds in argocd-cmd-params-cm",
        )


def _shown(served: ServedModel, tree: Answer) -> Iterator[Finding]:
    """Argo CD leaves out of the tree what the project does not permit: ReplicaSets and pods, too."""
    if tree.status != HTTPStatus.OK or not isinstance(tree.content, dict):
        return
    kinds = {node.get("kind") for node in tree.content.get("nodes") or []}
    if "Deployment" in kinds and "ReplicaSet" not in kinds:
        yield failure(
            f"{served.application}: Argo CD shows no pods, so the promoter sees none and starts no version",
            f"Permit Pod and ReplicaSet in AppProject models-{served.environment}: `promoter bootstrap` writes it so",
        )


def _policy(name: str, policy: Mapping[str, Any]) -> Iterator[Finding]:
    """What Argo CD does by itself."""
    automated = policy.get("automated")
    if automated is None or automated.get("enabled") is False:
        yield warning(
            f"{name}: automated sync is off: commits have no effect", "Switch it on when the emergency is over"
        )
    else:
        for key, what in (("selfHeal", "what is changed by hand stays"), ("prune", "what leaves Git stays")):
            if not automated.get(key):
                yield warning(f"{name}: automated.{key} is off: {what}", "Set it in the ApplicationSet")
    if not (policy.get("retry") or {}).get("refresh"):
        yield failure(
            f"{name}: retry.refresh is off: a revert waits behind the retries of what it reverts",
            "Set it in the ApplicationSet",
        )


def _source(name: str, spec: Mapping[str, Any], branch: str) -> Iterator[Finding]:
    """What Argo CD reads, and whether it takes it as it is."""
    source = spec.get("source")
    if spec.get("sources") or not isinstance(source, dict):
        yield failure(
            f"{name} has several sources: Argo CD has reported such as Synced at a wrong revision",
            "Use one source, as promoter bootstrap writes it",
        )
    elif source.get("targetRevision") not in (branch, f"refs/heads/{branch}"):
        yield failure(
            f"{name} follows {source.get('targetRevision')}, and the promoter writes to {branch}",
            "Name the same branch in the ApplicationSet and in PROMOTER_BRANCH",
        )
    if spec.get("ignoreDifferences"):
        yield warning(f"{name} ignores differences: what is live need not be what Git says", "Remove ignoreDifferences")


def _running_for(status: Mapping[str, Any], now: datetime) -> timedelta | None:
    operation = status.get("operationState") or {}
    if operation.get("phase") != "Running":
        return None
    try:
        return now - datetime.fromisoformat(str(operation.get("startedAt"))).astimezone(UTC)
    except ValueError:
        return None


def closed(patient: Patient) -> Iterator[Finding]:
    """The repo server, which asks for no credentials, takes no connection from this pod."""
    host = urlsplit(patient.settings.argocd_url).hostname or ""
    service, dot, domain = host.partition(".")
    if not service.endswith("-server") or _is_local(patient.settings.argocd_url):
        yield untold(
            "whether Argo CD's repo server is closed cannot be seen from outside its cluster",
            "Run promoter doctor in the promoter's pod, with the Service's name as PROMOTER_ARGOCD_URL",
        )
        return
    repo_server = f"{service.removesuffix('-server')}-repo-server{dot}{domain}"
    try:
        socket.create_connection((repo_server, _REPO_SERVER_PORT), timeout=_CONNECT_TIMEOUT_S).close()
    except socket.gaierror:
        yield untold(f"there is no name {repo_server} here, so whether it is closed is not known")
    except OSError:
        # The promoter's own NetworkPolicy may be all that keeps us from it.
        yield ok(f"{repo_server}:{_REPO_SERVER_PORT} takes no connection from here; other pods were not tried")
    else:
        yield failure(
            f"{repo_server}:{_REPO_SERVER_PORT} takes connections from here, and asks nobody for credentials "
            "(GHSA-47m3-95c7-g2g8)",
            "Close it with NetworkPolicies: promoter bootstrap --network-policies",
        )


def sync_timeout(_: Patient) -> Iterator[Finding]:
    """Said, because it cannot be seen."""
    yield untold(
        "Argo CD's time-out for syncs cannot be read with this token; by default there is none",
        "See controller.sync.timeout.seconds in ConfigMap argocd-cmd-params-cm",
    )


def _asked(patient: Patient, path: str) -> Answer:
    settings = patient.settings
    return get(settings.argocd_url, path, token=token_in(settings.argocd_token_file), timeout=patient.timeout)


def _is_local(url: str) -> bool:
    return urlsplit(url).hostname in ("localhost", "127.0.0.1", "::1")


CHECKS = (
    Check("Argo CD", "argocd", reachable),
    Check("Argo CD", "token", token, ("argocd",)),
    Check("Argo CD", "token's limits", not_more, ("token", "repository")),
    Check("Argo CD", "applications", applications, ("token", "repository")),
    Check("Argo CD", "sync time-out", sync_timeout, ("argocd",)),
    Check("Argo CD", "repo server", closed, ("argocd",)),
)
