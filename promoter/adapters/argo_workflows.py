"""Preflights as workflows in a cluster, by Argo Server's REST API and Hera's client.

A workflow is named after what it verifies, so that it is found again by whoever asks for the same: nothing has to be
remembered, and a promoter that was deleted meanwhile reads the result as if it had been there.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from hera.exceptions import AlreadyExists, HeraException, NotFound
from hera.workflows import WorkflowsService
from hera.workflows import models as m

from promoter.bounded_body import TooLarge
from promoter.bounded_session import BoundedSession, Compressed
from promoter.documents.one_line import one_line
from promoter.documents.policy_preflight import preflight_policy_text
from promoter.documents.preflight_answer import preflight_about
from promoter.domain.duration import format_duration
from promoter.domain.names import checked_name
from promoter.domain.preflight import CheckName, Outcome, Preflight, PreflightRequest
from promoter.errors import InvalidSettings, PreflightUnavailable
from promoter.token_file import NoToken, read_token

TEMPLATE = "verify-version"
REPORT = "report"

# A workflow with its template and the results of a handful of pods is some tens of kilobytes.
_LARGEST_ANSWER = 8 * 2**20
_MOST_REMEMBERED = 1000

# The first is made at once; each that comes to no result is followed by another one, after a longer pause.
_FIRST_PAUSE = timedelta(minutes=1)
_LONGEST_PAUSE = timedelta(hours=1)

# The template ends every workflow before this (its activeDeadlineSeconds); beyond it nobody looks after it.
_PATIENCE = timedelta(hours=3)

_RESULT_PHASES = frozenset({"Succeeded", "Failed"})
_ENDED_PHASES = _RESULT_PHASES | {"Error"}


@dataclass(slots=True)
class _Asked:
    """What is known of one request: the number of its newest workflow, and the result."""

    attempt: int = 0
    found: Preflight | None = None


@dataclass(frozen=True, slots=True)
class _Seen:
    """A workflow as it is. reports: every output parameter `report` in it, the workflow's own first."""

    phase: str
    message: str
    created: datetime | None
    started: datetime | None
    finished: datetime | None
    reports: tuple[str, ...]


class WorkflowPreflights:
    """`promoter.ports.Preflights` by workflows of the WorkflowTemplate `verify-version`.

    url: Argo Server's root, with its path where it has one. token_file: holds the bearer token of an account that may
    create and get workflows; read at each use, so that it can be replaced while we run; None where a proxy sees to
    that. namespace: of the template. signed: whether versions must be signed; a result that does not tell is none.
    timeout: for connecting, for each wait for bytes, and for one whole answer. May be asked by several threads. Raises
    InvalidSettings, and InvalidName for the namespace.
    """

    def __init__(
        self,
        url: str,
        token_file: Path | None,
        namespace: str,
        *,
        signed: bool = False,
        timeout: timedelta = timedelta(seconds=10),
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._server = _checked_url(url)
        self._namespace = checked_name(namespace, "namespace of workflows")
        self._signed = signed
        self._timeout = timeout
        self._clock = clock
        self._asked: OrderedDict[PreflightRequest, _Asked] = OrderedDict()
        self._lock = threading.Lock()
        session = _ArgoSession(timeout, _LARGEST_ANSWER)
        session.auth = _Bearer(token_file)
        # Hera joins paths to the last slash.
        self._service = WorkflowsService(
            host=f"{self._server}/", verify_ssl=True, namespace=self._namespace, session=session
        )

    def ask(self, wanted: PreflightRequest) -> Preflight | str:
        parameters = _parameters(wanted)
        asked = self._remembered(wanted)
        while asked.found is None:
            name = _name(wanted, asked.attempt)
            seen = self._seen(name)
            if seen is None:
                return self._created(name, parameters)
            if seen.phase not in _ENDED_PHASES:
                return self._awaited(name, seen)
            try:
                asked.found = self._result(wanted, name, seen)
            except PreflightUnavailable:
                if self._clock() < _next_attempt(seen, asked.attempt):
                    raise
                asked.attempt += 1
        return asked.found

    def settle(self) -> bool:
        """Nothing ends with this process: False."""
        return False

    def _remembered(self, wanted: PreflightRequest) -> _Asked:
        with self._lock:
            asked = self._asked.setdefault(wanted, _Asked())
            self._asked.move_to_end(wanted)
            while len(self._asked) > _MOST_REMEMBERED:
                self._asked.popitem(last=False)
            return asked

    def _created(self, name: str, parameters: Mapping[str, str]) -> str:
        workflow = m.Workflow(
            metadata=m.ObjectMeta(name=name, labels={"app.kubernetes.io/part-of": "promoter"}),
            spec=m.WorkflowSpec(
                workflow_template_ref=m.WorkflowTemplateRef(name=TEMPLATE),
                arguments=m.Arguments(
                    parameters=[m.Parameter(name=key, value=value) for key, value in parameters.items()]
                ),
            ),
        )
        # Somebody may have asked for the same since we looked: it is the same workflow.
        what = f"create the workflow {name} from the WorkflowTemplate {TEMPLATE}"
        with self._trusted(what), suppress(AlreadyExists):
            self._service.create_workflow(m.WorkflowCreateRequest(workflow=workflow))
        return self._waits(name)

    def _waits(self, name: str) -> str:
        return f"its workflow {name} waits to be run"

    def _awaited(self, name: str, seen: _Seen) -> str:
        since = seen.started or seen.created
        if seen.created is not None and self._clock() > seen.created + _PATIENCE:
            raise PreflightUnavailable(
                f"the workflow {name} was made at {seen.created:%Y-%m-%d %H:%M} UTC and has not ended: look whether "
                "Argo Workflows' controller runs"
            )
        if seen.phase != "Running" or since is None:
            return self._waits(name)
        return f"its workflow {name} is running since {since:%H:%M:%S} UTC"

    def _seen(self, name: str) -> _Seen | None:
        """The workflow of this name, None where there is none."""
        with self._trusted(f"get the workflow {name}"):
            try:
                return _read(self._service.get_workflow(name))
            except NotFound:
                return None

    def _result(self, wanted: PreflightRequest, name: str, seen: _Seen) -> Preflight:
        """Raises PreflightUnavailable where the workflow came to none, or to one that is about something else."""
        if seen.phase not in _RESULT_PHASES or not seen.reports:
            said = f": {one_line(seen.message)}" if seen.message else ""
            raise PreflightUnavailable(f"the workflow {name} ended as {seen.phase} without a result{said}")
        found = preflight_about(wanted, seen.reports[0], f"the report of the workflow {name}")
        if self._signed and not any(
            check.name is CheckName.SIGNED and check.outcome is not Outcome.SKIPPED for check in found.checks
        ):
            raise PreflightUnavailable(
                f"the workflow {name} did not look for a signature, which the settings ask for: put the key into the "
                "ConfigMap model-public-key in its namespace, as key.pem"
            )
        return found

    @contextmanager
    def _trusted(self, what: str) -> Iterator[None]:
        """Every way in which a call can fail, as PreflightUnavailable; `what` is what was wanted of the server."""
        asked = f"Argo Server at {self._server}, asked to {what},"
        try:
            yield
        except PreflightUnavailable as error:
            raise PreflightUnavailable(f"{asked} {error}") from error
        except TooLarge as error:
            raise PreflightUnavailable(f"{asked} sent more than {_LARGEST_ANSWER >> 20} MiB") from error
        except Compressed as error:
            raise PreflightUnavailable(f"{asked} sent a compressed answer that was not asked for") from error
        except (requests.Timeout, urllib3.exceptions.TimeoutError) as error:
            raise PreflightUnavailable(f"{asked} did not answer within {format_duration(self._timeout)}") from error
        except (
            requests.JSONDecodeError,
            HeraException,
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
            RecursionError,
        ) as error:
            # Hera reads answers into models of its own, and some errors too; what it cannot read is no workflow.
            raise PreflightUnavailable(f"{asked} gave an answer that is none of its API") from error
        except requests.exceptions.SSLError as error:
            raise PreflightUnavailable(
                f"{asked} has a certificate that is not trusted: name its authority in REQUESTS_CA_BUNDLE"
            ) from error
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise PreflightUnavailable(f"{asked} cannot be reached, or broke off its answer") from error


class _Bearer(requests.auth.AuthBase):
    """The token, read when it is sent, and written nowhere but into its header."""

    def __init__(self, token_file: Path | None) -> None:
        self._token_file = token_file

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token_file is not None:
            try:
                request.headers["Authorization"] = f"Bearer {read_token(self._token_file)}"
            except NoToken as error:
                raise PreflightUnavailable(f"is not reached: {error}") from error
        return request


class _ArgoSession(BoundedSession):
    """A session that raises PreflightUnavailable for what Hera would not tell apart."""

    def check(self, response: requests.Response) -> None:
        if response.is_redirect:
            raise PreflightUnavailable(
                "sends us elsewhere, and redirects are not followed: set its URL to what answers"
            )

    def request(self, method: str | bytes, url: str | bytes, *positional: Any, **options: Any) -> requests.Response:
        """As any session's, with its status looked at once it is whole."""
        response = super().request(method, url, *positional, **options)
        _check_status(str(method).upper(), response)
        return response


def _check_status(method: str, response: requests.Response) -> None:
    """Raises PreflightUnavailable for what neither is an answer nor one of the refusals that Hera tells apart."""
    creating = method == "POST"
    meanings: dict[int, str] = {
        HTTPStatus.UNAUTHORIZED: "refuses our token: put a valid one into the token file",
        HTTPStatus.FORBIDDEN: "forbids it: bind the account to the Role promoter-preflights (workflows/access.yaml)",
        HTTPStatus.TOO_MANY_REQUESTS: "has too much to do",
        HTTPStatus.SERVICE_UNAVAILABLE: "is not ready",
    }
    if creating:
        meanings[HTTPStatus.NOT_FOUND] = (
            f"knows no WorkflowTemplate {TEMPLATE} in that namespace, or the URL's path is not the API's: apply "
            "workflows/verify.yaml"
        )
        meanings[HTTPStatus.BAD_REQUEST] = f"does not take it: is the WorkflowTemplate {TEMPLATE} the promoter's own?"
    understood = {HTTPStatus.CONFLICT} if creating else {HTTPStatus.NOT_FOUND}
    status = response.status_code
    if response.ok or status in understood:
        return
    raise PreflightUnavailable(f"{meanings.get(status, 'answered')} (status {status})")


def _read(workflow: m.Workflow) -> _Seen:
    status = workflow.status or m.WorkflowStatus()
    outputs = [status.outputs, *(node.outputs for node in (status.nodes or {}).values())]
    return _Seen(
        phase=status.phase or "",
        message=status.message or "",
        created=_moment(workflow.metadata.creation_timestamp),
        started=_moment(status.started_at),
        finished=_moment(status.finished_at),
        reports=tuple(
            str(parameter.value)
            for given in outputs
            for parameter in (given.parameters if given and given.parameters else ())
            if parameter.name == REPORT and parameter.value
        ),
    )


def _moment(time: m.Time | None) -> datetime | None:
    """A time of Kubernetes', None where there is none."""
    if time is None:
        return None
    return datetime.fromisoformat(time.root.isoformat()).astimezone(UTC)


def _next_attempt(seen: _Seen, attempt: int) -> datetime:
    """When a workflow that came to no result is followed by another one."""
    ended = seen.finished or seen.created or datetime.min.replace(tzinfo=UTC)
    return ended + min(_LONGEST_PAUSE, _FIRST_PAUSE * (1 << min(attempt, 10)))


def _parameters(wanted: PreflightRequest) -> dict[str, str]:
    """What the template is asked with. Raises PreflightUnavailable where Argo would read something else in it."""
    found = {
        "candidate": wanted.candidate,
        "stable": wanted.stable or "",
        "policy": preflight_policy_text(wanted.policy, wanted.complete),
        "digest": str(wanted.digest),
    }
    for name, value in found.items():
        if "{{" in value:
            raise PreflightUnavailable(
                f"the {name} has {{{{ in it, which means something else in a workflow: rename it"
            )
    return found


def _name(wanted: PreflightRequest, attempt: int) -> str:
    """The same for the same request, and another one where anything in it differs."""
    what = json.dumps([_parameters(wanted), str(wanted.stable_digest)], sort_keys=True)
    return f"verify-{hashlib.sha256(what.encode()).hexdigest()[:24]}-{attempt}"


def _checked_url(url: str) -> str:
    """`url` without a slash at its end."""
    try:
        parts = urlsplit(url)
        port = "" if parts.port is None else f":{parts.port}"
    except ValueError:
        parts, port = urlsplit(""), ""
    odd = parts.query or parts.fragment or parts.username or parts.password or set("{}") & set(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or odd:
        raise InvalidSettings(
            "Argo Server's URL must be https://<host>[:<port>][/<path>], without user, password or query: the token is "
            "read from a file"
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}{port}{parts.path.rstrip('/')}"
