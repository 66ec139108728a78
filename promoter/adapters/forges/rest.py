"""JSON over HTTP to a forge: our token, our limits, and errors that say who can mend what."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

import requests
import urllib3

from promoter.adapters.forges.place import ForgePlace
from promoter.bounded_body import TooLarge
from promoter.bounded_session import BoundedSession, Compressed
from promoter.domain.duration import format_duration
from promoter.domain.pull_request import Checks
from promoter.errors import ForgeUnavailable
from promoter.token_file import NoToken

# A page of fifty pull requests whose bodies are full.
_LARGEST_ANSWER = 16 * 2**20
_LONGEST_COMPLAINT = 200

PAGE = 50
MOST_PAGES = 20

# What our statuses on commits are called.
STATUS_CONTEXT = "promoter/rollout"

# A warning is for people to read; where it must keep a commit out, the rules of the branch say so.
_PASSED = ("success", "neutral", "skipped", "warning")


class ForgeApi:
    """The API at `root`.

    scheme: the words before the token in the header `header`. remedies: what statuses mean, and who can mend what,
    where that is not what it is elsewhere.
    """

    def __init__(
        self,
        place: ForgePlace,
        root: str,
        *,
        header: str = "Authorization",
        scheme: str = "",
        accept: str = "",
        remedies: Mapping[int, str] | None = None,
    ) -> None:
        self._place = place
        self._root = root
        self._header = header
        self._scheme = scheme
        self._remedies = remedies or {}
        self._session = BoundedSession(place.timeout, _LARGEST_ANSWER)
        if accept:
            self._session.headers["Accept"] = accept

    def get(self, path: str, params: Mapping[str, str] | None = None, *, none: Collection[int] = ()) -> Any:
        """What is there, as parsed JSON. none: statuses that stand for None. Raises ForgeUnavailable."""
        return self._asked("GET", path, params=params, none=none)

    def listed(self, path: str, params: Mapping[str, str]) -> list[Any]:
        """The same, where it is a list. Raises ForgeUnavailable."""
        found = self.get(path, params)
        with as_documented(self._place):
            if not isinstance(found, list):
                raise TypeError("no list")
        return found

    def pages(self, path: str, params: Mapping[str, str], page_size: str) -> Iterator[list[Any]]:
        """A list page by page, up to its end or the most pages that are read. page_size: its parameter's name."""
        for page in range(1, MOST_PAGES + 1):
            found = self.listed(path, {**params, page_size: str(PAGE), "page": str(page)})
            yield found
            if len(found) < PAGE:
                return

    def whole(self, path: str, params: Mapping[str, str], page_size: str, what: str) -> list[Any]:
        """All pages of a list of `what`. Raises ForgeUnavailable where there are more than are read."""
        found: list[Any] = []
        for page in self.pages(path, params, page_size):
            found += page
        if len(found) == PAGE * MOST_PAGES:
            raise ForgeUnavailable(f"{self._place.url} has more than {PAGE * MOST_PAGES} {what}")
        return found

    def send(self, method: str, path: str, said: Mapping[str, Any] | None = None, *, gone: int | None = None) -> Any:
        """The answer to a change, None for an empty one. gone: the status by which the forge says that it is done."""
        return self._asked(method, path, said=said, none=() if gone is None else (gone,))

    def attempt(self, method: str, path: str, said: Mapping[str, Any], no: Collection[int]) -> Any:
        """As `send`, for what the forge may have reasons not to do. Raises SaidNo for the statuses `no`."""
        return self._asked(method, path, said=said, no=no)

    def status(self, method: str, path: str) -> int:
        """The status of an answer of which nothing else counts. Raises ForgeUnavailable where there is no answer."""
        return self._response(method, path, None, None).status_code

    def _asked(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        said: Mapping[str, Any] | None = None,
        none: Collection[int] = (),
        no: Collection[int] = (),
    ) -> Any:
        response = self._response(method, path, params, said)
        if response.status_code in none:
            return None
        if response.status_code in no:
            raise SaidNo(_words(response) or f"the forge answered with status {response.status_code}")
        if not response.ok or response.is_redirect:
            raise ForgeUnavailable(self._refusal(method, path, response))
        if not response.content:
            return None
        try:
            return json.loads(response.content)
        except (ValueError, RecursionError) as error:
            raise ForgeUnavailable(
                f"{self._place.url}: the forge answered with something that is not JSON: is this its address?"
            ) from error

    def _response(
        self, method: str, path: str, params: Mapping[str, str] | None, said: Mapping[str, Any] | None
    ) -> requests.Response:
        """The answer to our token, or to another one where the first is refused and there is another."""
        try:
            token = self._place.tokens.current()
            response = self._answered(method, path, params, said, token)
            if response.status_code == HTTPStatus.UNAUTHORIZED:
                another = self._place.tokens.instead_of(token)
                if another is not None:
                    response = self._answered(method, path, params, said, another)
        except NoToken as error:
            raise ForgeUnavailable(f"the forge is not asked: {error}") from error
        return response

    def _answered(
        self, method: str, path: str, params: Mapping[str, str] | None, said: Mapping[str, Any] | None, token: str
    ) -> requests.Response:
        try:
            return self._session.request(
                method,
                f"{self._root}{path}",
                params=params,
                json=said,
                auth=_Token(self._header, self._scheme + token),
            )
        except requests.Timeout as error:
            raise ForgeUnavailable(
                f"{self._place.url} did not answer within {format_duration(self._place.timeout)}"
            ) from error
        except (requests.RequestException, urllib3.exceptions.HTTPError, Compressed, TooLarge) as error:
            # Without the cause's text: it may quote an address.
            raise ForgeUnavailable(f"{self._place.url}: the forge cannot be reached, or broke off") from error

    def _refusal(self, method: str, path: str, response: requests.Response) -> str:
        remedies: dict[int, str] = {
            HTTPStatus.UNAUTHORIZED: f"refuses our token: {self._place.tokens.remedy}",
            HTTPStatus.FORBIDDEN: "forbids it: the token has to read and write code, pull requests and statuses",
            HTTPStatus.NOT_FOUND: "knows no such thing: does the repository exist, and may the token see it?",
            **self._remedies,
        }
        what = remedies.get(response.status_code, f"answered with status {response.status_code}")
        if response.is_redirect:
            what = "sends us elsewhere, and redirects are not followed: was the repository renamed?"
        words = _words(response)
        return f"{self._place.url}: the forge {what} ({method} {path}{f': {words}' if words else ''})"


class SaidNo(Exception):
    """The forge has a reason not to do what it was asked, and says so. Never leaves the adapters of forges."""


class _Token(requests.auth.AuthBase):
    """Our token in its header. As an authentication it also keeps requests from sending what a .netrc says."""

    def __init__(self, header: str, value: str) -> None:
        self._header = header
        self._value = value

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers[self._header] = self._value
        return request


def _words(response: requests.Response) -> str:
    """The forge's own words, where it has some."""
    try:
        said = json.loads(response.content)
        text = said.get("message") or said.get("error") or ""
    except (ValueError, RecursionError, AttributeError):
        return ""
    return " ".join("".join(filter(str.isprintable, str(text))).split())[:_LONGEST_COMPLAINT]


@contextmanager
def as_documented(place: ForgePlace) -> Iterator[None]:
    """Answers are taken apart within; one that has not the form of its documentation is ForgeUnavailable."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ForgeUnavailable(
            f"{place.url}: the forge answered in a form that its API does not have: {error!r}"
        ) from error


def checks_of(found: Iterable[tuple[str, str]], pending: Collection[str]) -> Checks:
    """Names and states, as forges give them, but for our own status. What is neither pending nor passed has failed."""
    others = sorted({(name, state) for name, state in found if name != STATUS_CONTEXT})
    return Checks(
        pending=tuple(name for name, state in others if state in pending),
        failed=tuple(name for name, state in others if state not in (*pending, *_PASSED)),
    )
