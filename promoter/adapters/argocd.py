"""Argo CD over its REST API: one Application by name, never a list, and never a change.

What the answers mean is `promoter.documents.argocd_answers`' part.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx

from promoter.bounded_body import TooLarge, TooSlow, gathered
from promoter.documents.argocd_answers import live_states_of_routes, parse_application
from promoter.documents.sync_windows_answer import parse_sync_windows
from promoter.domain.application import Application
from promoter.domain.duration import format_duration
from promoter.domain.names import ServedModel
from promoter.domain.sync_windows import SyncWindows
from promoter.errors import ClusterUnavailable, InvalidSettings
from promoter.token_file import NoToken, read_token

# One application with its tree is some ten kilobytes; the largest seen in the field some hundreds.
_LARGEST_ANSWER = 16 * 2**20
# Where routes are looked for, one question each.
_ROUTES = (
    {"kind": "VirtualService", "group": "networking.istio.io"},
    {"group": "gateway.networking.k8s.io"},
)


class ArgoCluster:
    """`promoter.ports.Cluster` by Argo CD's API server.

    url: the server's root, `https://argocd.example.com`, with its path where it has one. token_file: holds
    the bearer token of an account that may `get` applications; read at each use, so that it can be
    replaced while we run. project: the AppProject; with it Argo CD tells an application that does
    not exist from one that is not ours. timeout: for connecting, for each wait for bytes, and for
    one whole answer from its first byte. Raises InvalidSettings for a url that is none.
    """

    def __init__(
        self, url: str, token_file: Path, project: str | None = None, timeout: timedelta = timedelta(seconds=10)
    ) -> None:
        self._server = _checked_url(url)
        self._token_file = token_file
        self._project = project
        self._timeout = timeout
        self._client = httpx.Client(
            base_url=self._server,
            timeout=timeout.total_seconds(),
            follow_redirects=False,
            # Uncompressed, so that the bytes that are counted are the bytes that are kept.
            headers={"Accept": "application/json", "Accept-Encoding": "identity"},
        )

    def application(self, served: ServedModel, *, refresh: bool = False) -> Application:
        """One Application with its pods and live routes; `refresh` makes Argo CD look at Git first.

        The answers it is made of are taken one after another. Raises ClusterUnavailable.
        """
        path = f"/api/v1/applications/{served.application}"
        found = self._get(served, path, {"refresh": "normal"} if refresh else {})
        tree = self._get(served, f"{path}/resource-tree", {})
        routes = [self._parsed(live) for live in self._live_routes(served, path)]
        try:
            return parse_application(served, found, tree, routes)
        except RecursionError as error:
            raise ClusterUnavailable(f"Argo CD at {self._server} sent an answer that is nested too deeply") from error

    def sync_windows(self, served: ServedModel) -> SyncWindows:
        return parse_sync_windows(self._get(served, f"/api/v1/applications/{served.application}/syncwindows", {}))

    def _live_routes(self, served: ServedModel, path: str) -> tuple[str, ...]:
        """The texts of the live routes: of Istio's, or, where there is none, of the Gateway API's."""
        for wanted in _ROUTES:
            if live := live_states_of_routes(served, self._get(served, f"{path}/managed-resources", wanted)):
                return live
        return ()

    def _get(self, served: ServedModel, path: str, params: Mapping[str, str]) -> Any:
        if self._project is not None:
            params = {**params, "project": self._project}
        authorization = {"Authorization": f"Bearer {token_in(self._token_file)}"}
        try:
            with self._client.stream("GET", path, params=params, headers=authorization) as response:
                self._check_status(served, response)
                return self._parsed(self._body(response))
        except httpx.TimeoutException as error:
            raise self._late() from error
        except httpx.ConnectError as error:
            raise ClusterUnavailable(f"Argo CD at {self._server} cannot be reached: {error}") from error
        except httpx.HTTPError as error:
            raise ClusterUnavailable(f"Argo CD at {self._server} broke off or garbled its answer") from error

    def _check_status(self, served: ServedModel, response: httpx.Response) -> None:
        if response.status_code == HTTPStatus.OK:
            return
        name, server = served.application, self._server
        if response.is_redirect:
            raise ClusterUnavailable(
                f"Argo CD at {server} sends us elsewhere, and redirects are not followed: "
                "set its URL to the address that answers (https instead of http, most often)"
            )
        problems: dict[int, str] = {
            HTTPStatus.UNAUTHORIZED: f"refuses our token: put a valid one into {self._token_file}",
            HTTPStatus.FORBIDDEN: f"forbids reading {name}: grant the account `applications, get` in its project, "
            "and check that the application exists (Argo CD may not say which of the two it is)",
            HTTPStatus.NOT_FOUND: f"knows no application {name}: "
            f"check that the ApplicationSet makes one of the folder {served.folder}",
        }
        problem = problems.get(response.status_code, f"answered with status {response.status_code}")
        raise ClusterUnavailable(f"Argo CD at {server} {problem}")

    def _body(self, response: httpx.Response) -> bytes:
        """The body, under the limits of size and time."""
        if response.headers.get("content-encoding", "identity") != "identity":
            raise ClusterUnavailable(f"Argo CD at {self._server} sent a compressed answer that was not asked for")
        try:
            return gathered(response.iter_raw(), largest=_LARGEST_ANSWER, seconds=self._timeout.total_seconds())
        except TooLarge as error:
            raise ClusterUnavailable(f"Argo CD at {self._server} sent more than {_LARGEST_ANSWER >> 20} MiB") from error
        except TooSlow as error:
            raise self._late() from error

    def _parsed(self, text: str | bytes) -> Any:
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ClusterUnavailable(
                f"Argo CD at {self._server} answered with something that is not JSON: check that the URL is the API's"
            ) from error

    def _late(self) -> ClusterUnavailable:
        return ClusterUnavailable(f"Argo CD at {self._server} did not answer within {format_duration(self._timeout)}")


def token_in(file: Path) -> str:
    """The bearer token that a file holds, on one line. Raises ClusterUnavailable."""
    try:
        return read_token(file)
    except NoToken as error:
        raise ClusterUnavailable(f"Argo CD is not asked: {error}") from error


def _checked_url(url: str) -> str:
    """`url` without a slash at its end."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise InvalidSettings(f"Argo CD's URL is not one: {error}") from error
    if parsed.scheme not in ("http", "https") or not parsed.host or parsed.userinfo or parsed.query or parsed.fragment:
        raise InvalidSettings(
            "Argo CD's URL must be https://<host>[:<port>][/<path>], without user, password or query: "
            "the token is read from a file"
        )
    return str(parsed).rstrip("/")
