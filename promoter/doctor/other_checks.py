"""Clocks that agree, stores that can be read, and preflights that can run."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from http import HTTPStatus
from importlib.util import find_spec
from urllib.parse import urlsplit

from promoter.adapters.http_probe import get
from promoter.doctor.finding import Check, Finding, failure, ok, untold, warning
from promoter.doctor.patient import Patient
from promoter.domain.preflight import PreflightPlace
from promoter.domain.version import Wanted
from promoter.errors import InvalidInput, StoreUnavailable, Unavailable
from promoter.token_file import NoToken, read_token

# Counters are read for whole seconds of our clock; three scrapes without a sample are an outage.
_UNEVEN, _WRONG = timedelta(seconds=2), timedelta(seconds=5)
# As workflows/verify.yaml calls it.
TEMPLATE = "verify-version"
_NEEDED_BY_PREFLIGHT = ("tensorflow", "tensorflow_serving", "numpy")


def clocks(patient: Patient) -> Iterator[Finding]:
    """Argo CD, Prometheus and the Git host tell our time."""
    settings = patient.settings
    compared = []
    for what, url in (
        ("Argo CD", settings.argocd_url),
        ("Prometheus", settings.prometheus_url),
        ("the Git host", settings.git.url),
    ):
        if urlsplit(url).scheme not in ("http", "https"):
            continue
        try:
            ahead = get(_root(url), timeout=patient.timeout).ahead
        except Unavailable:
            continue  # Another check says so.
        if ahead is None:
            continue
        compared.append(what)
        if abs(ahead) > _WRONG:
            yield failure(_told(what, ahead), "Set the clocks by NTP, on the nodes of both")
        elif abs(ahead) > _UNEVEN:
            yield warning(_told(what, ahead), "Set the clocks by NTP, on the nodes of both")
    if compared:
        yield ok(f"compared by their answers' dates: {', '.join(compared)}")
    else:
        yield untold("no server told its time")


def _told(what: str, ahead: timedelta) -> str:
    side = "ahead of" if ahead > timedelta() else "behind"
    return f"the clock of {what} is {abs(ahead).total_seconds():.0f} s {side} ours"


def _root(url: str) -> str:
    """Scheme, host and port: a date is told by every page, and a repository's address may hold a token."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def stores(patient: Patient) -> Iterator[Finding]:
    """Every store that a policy names is allowed, and can be listed."""
    named = read = 0
    for served in patient.inventory.models:
        policy = patient.policy(served)
        if policy is None or policy.candidates.store is None:
            continue
        named += 1
        source = policy.candidates
        try:
            listing = patient.stores.listing(source.store or "", Wanted(newest=True, complete=source.complete))
        except InvalidInput as error:
            yield failure(f"{served.policy_path}: {error}", "PROMOTER_STORES lists the prefixes that policies may name")
        except StoreUnavailable as error:
            yield failure(f"{served}: {error}", "Give the promoter's account the right to list and to read there")
        else:
            read += 1
            if not listing.complete:
                yield warning(f"{served}: {source.store} holds no complete version", "promoter publish, and versions")
    if read == named:
        yield ok(f"{read} store{'' if read == 1 else 's'} can be listed")


def preflights(patient: Patient) -> Iterator[Finding]:
    """Versions can be verified before they serve."""
    place = patient.settings.preflight
    if place is None:
        yield warning(
            "preflights are off: a version that cannot answer is found out by its users", "PROMOTER_PREFLIGHT"
        )
    elif place is PreflightPlace.PROCESS:
        missing = [name for name in _NEEDED_BY_PREFLIGHT if find_spec(name) is None]
        if missing:
            yield failure(
                f"preflights run beside the promoter, where {missing[0]} is not installed: no version ever starts",
                "pip install 'promoter[verify]', or have PROMOTER_PREFLIGHT name another place",
            )
        else:
            yield ok("preflights run beside the promoter, and TensorFlow is there")
    else:
        yield from _workflows(patient)


def _workflows(patient: Patient) -> Iterator[Finding]:
    """Argo Server answers, and has the template of preflights."""
    server = patient.settings.workflows
    if server is None:
        raise AssertionError("settings that ask for workflows name their server")
    try:
        token = None if server.token_file is None else read_token(server.token_file)
        path = f"/api/v1/workflow-templates/{server.namespace}/{TEMPLATE}"
        answer = get(server.url, path, token=token, timeout=patient.timeout)
    except (NoToken, Unavailable) as error:
        yield failure(
            f"preflights run as workflows, and Argo Server is not reached: {error}",
            "See PROMOTER_WORKFLOWS_URL and PROMOTER_WORKFLOWS_TOKEN_FILE; until then no version starts",
        )
        return
    if answer.status == HTTPStatus.OK:
        yield ok(f"preflights run as workflows of the template {TEMPLATE} in the namespace {server.namespace}")
    elif answer.status == HTTPStatus.NOT_FOUND:
        yield failure(
            f"the namespace {server.namespace} has no WorkflowTemplate {TEMPLATE}: no version ever starts",
            f"kubectl apply --namespace {server.namespace} --filename workflows/verify.yaml",
        )
    else:
        yield failure(
            f"Argo Server refuses to show the WorkflowTemplate {TEMPLATE} (status {answer.status})",
            "Give the account of the token the Role promoter-preflights of workflows/access.yaml",
        )


CHECKS = (
    Check("Around", "clocks", clocks),
    Check("Around", "stores", stores, ("repository",)),
    Check("Around", "preflight", preflights),
)
