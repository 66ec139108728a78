"""A GitHub App's tokens: one for its installation on one repository, good for an hour, renewed before it ends.

https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app: a JSON Web Token that is signed
with the App's private key asks for them. They serve the forge's API and Git by HTTPS alike.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from promoter.adapters.forges.place import ForgePlace, github_api
from promoter.adapters.forges.rest import ForgeApi, as_documented
from promoter.errors import ForgeUnavailable
from promoter.token_file import NoToken

_LARGEST_KEY = 16 * 2**10
# GitHub takes no signature that holds for more than ten minutes; a minute of them is for clocks that differ.
_BACKDATED, _HOLDS = timedelta(minutes=1), timedelta(minutes=9)
# A way back must not begin with a token that ends while it is pushed.
_RENEWED_BEFORE_END = timedelta(minutes=5)
_PAUSE_AFTER_FAILURE = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class AppIdentity:
    """Which App, and where it is installed.

    app: its client id, or its id. key_file: a private key of it, RSA in PEM, read at each signature. url: the page of
    the repository. installation: its number there, None to ask for it. permissions: what tokens may do, by GitHub's
    names; they may do it in this repository alone.
    """

    app: str
    key_file: Path
    url: str
    installation: int | None
    permissions: Mapping[str, str]


class AppTokens:
    """`promoter.tokens.Tokens` of a GitHub App. One for all threads: whoever finds the token old renews it for all."""

    def __init__(
        self,
        identity: AppIdentity,
        *,
        timeout: timedelta = timedelta(seconds=10),
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._identity = identity
        self._now = now
        self._place = ForgePlace(identity.url, "", _Signature(identity, now), timeout)
        self._api = ForgeApi(
            self._place,
            github_api(self._place),
            scheme="Bearer ",
            accept="application/vnd.github+json",
            remedies=self._remedies(),
        )
        self._lock = threading.Lock()
        self._token: _Token | None = None
        self._installation = identity.installation
        self._tries = 0
        self._failure = ""
        self._not_before: datetime | None = None

    @property
    def remedy(self) -> str:
        return f"look whether the GitHub App {self._identity.app} is still installed on {self._place.path}"

    def current(self) -> str:
        before = self._tries
        with self._lock:
            return self._usable(before)

    def instead_of(self, refused: str) -> str | None:
        before = self._tries
        with self._lock:
            if self._token is not None and self._token.text == refused:
                self._token = None
            return self._usable(before)

    def _usable(self, before: int) -> str:
        """A token that holds for a while. before: the tries of which the caller knew when it began to wait."""
        now = self._now()
        left = timedelta() if self._token is None else self._token.ends - now
        if self._token is not None and left > _RENEWED_BEFORE_END:
            return self._token.text
        if self._token is not None and left > timedelta() and self._not_before is not None and now < self._not_before:
            return self._token.text
        if self._failure and self._tries != before and self._token is None:
            # Another thread has asked while this one waited, and the answer is ours as well.
            raise NoToken(self._failure)
        try:
            self._token = self._asked()
        except ForgeUnavailable as error:
            self._failure = str(error)
            if self._token is None or left <= timedelta():
                self._token = None
                raise NoToken(self._failure) from error
            self._not_before = now + _PAUSE_AFTER_FAILURE
        else:
            self._failure, self._not_before = "", None
        finally:
            self._tries += 1
        return self._token.text

    def _asked(self) -> _Token:
        """A new token. Raises ForgeUnavailable."""
        answer = self._of_installation()
        if answer is None and self._identity.installation is None:
            # It was installed anew since, and has another number.
            self._installation = None
            answer = self._of_installation()
        if answer is None:
            raise ForgeUnavailable(
                f"{self._place.url}: the GitHub App {self._identity.app} has no installation {self._installation}: "
                "correct PROMOTER_GITHUB_APP_INSTALLATION, or leave it out"
            )
        with as_documented(self._place):
            ends = datetime.fromisoformat(str(answer["expires_at"]))
            if ends.tzinfo is None:
                raise ValueError("a time without its zone")
            return _Token(str(answer["token"]), ends)

    def _of_installation(self) -> Any:
        if self._installation is None:
            self._installation = self._found()
        said = {
            "repositories": [self._place.path.rpartition("/")[2]],
            "permissions": dict(self._identity.permissions),
        }
        path = f"/app/installations/{self._installation}/access_tokens"
        return self._api.send("POST", path, said, gone=HTTPStatus.NOT_FOUND)

    def _found(self) -> int:
        found = self._api.get(f"/repos/{self._place.path}/installation", none=(HTTPStatus.NOT_FOUND,))
        if found is None:
            raise ForgeUnavailable(
                f"{self._place.url}: the GitHub App {self._identity.app} is not installed on {self._place.path}: "
                "whoever owns the repository installs it, from the App's page"
            )
        with as_documented(self._place):
            return int(found["id"])

    def _remedies(self) -> dict[int, str]:
        identity, path = self._identity, self._place.path
        wanted = ", ".join(f"{name} ({right})" for name, right in sorted(identity.permissions.items()))
        return {
            HTTPStatus.UNAUTHORIZED: (
                f"does not take our signature for the GitHub App {identity.app}: PROMOTER_GITHUB_APP has to be its id "
                f"or client id, {identity.key_file} a private key that its settings still list, and our clock right "
                "to a minute"
            ),
            HTTPStatus.FORBIDDEN: (
                f"gives the GitHub App {identity.app} no token: whoever owns {path} may have suspended its installation"
            ),
            HTTPStatus.UNPROCESSABLE_ENTITY: (
                f"gives the GitHub App {identity.app} no such token: its settings have to ask for {wanted}, and "
                f"whoever owns {path} has to accept that and to let the installation see this repository"
            ),
        }


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    ends: datetime

    def __repr__(self) -> str:
        return f"_Token(ends={self.ends})"


class _Signature:
    """`promoter.tokens.Tokens` that are signed by ourselves, each for its one use."""

    def __init__(self, identity: AppIdentity, now: Callable[[], datetime]) -> None:
        self._identity = identity
        self._now = now

    @property
    def remedy(self) -> str:
        return f"put a private key of the App into {self._identity.key_file}"

    def current(self) -> str:
        key, now = self._key(), self._now()
        claims = {
            "iat": int((now - _BACKDATED).timestamp()),
            "exp": int((now + _HOLDS).timestamp()),
            "iss": self._identity.app,
        }
        signed = f"{_segment({'alg': 'RS256', 'typ': 'JWT'})}.{_segment(claims)}"
        return f"{signed}.{_base64(key.sign(signed.encode('ascii'), PKCS1v15(), SHA256()))}"

    def _key(self) -> RSAPrivateKey:
        file = self._identity.key_file
        try:
            with file.open("rb") as opened:
                content = opened.read(_LARGEST_KEY)
        except OSError as error:
            raise NoToken(f"the GitHub App's private key cannot be read from {file}: {error.strerror}") from error
        try:
            key = load_pem_private_key(content, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            # Without the cause: nobody knows how much of the file its text quotes.
            key = None
        if not isinstance(key, RSAPrivateKey):
            raise NoToken(
                f"{file} holds no private RSA key in PEM without a passphrase: put one there that the settings of the "
                f"GitHub App {self._identity.app} made"
            )
        return key

    def instead_of(self, refused: str) -> str | None:
        del refused
        return None


def _segment(said: Mapping[str, Any]) -> str:
    return _base64(json.dumps(said, separators=(",", ":")).encode("utf-8"))


def _base64(content: bytes) -> str:
    """As RFC 7515 has it, without padding."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode("ascii")
