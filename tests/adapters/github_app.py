"""What GitHub does for an App: it checks the App's signature, and gives tokens that end.

https://docs.github.com/en/rest/apps/apps, version 2022-11-28, as an Enterprise Server has it below /api/v3.
"""

from __future__ import annotations

import base64
import json
import re
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from promoter.adapters.forges.github_app import AppIdentity, AppTokens

APP, CLIENT = "123456", "Iv23liAbCdEf"
NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
PERMISSIONS = {"contents": "write", "pull_requests": "write", "statuses": "write"}
# It takes a while to make one, and every test may have the same.
_KEY = generate_private_key(public_exponent=65537, key_size=2048)


def pem(key=_KEY, encryption=None, form=PrivateFormat.TraditionalOpenSSL):
    """As GitHub hands it out: PKCS #1."""
    return key.private_bytes(Encoding.PEM, form, encryption or NoEncryption())


class Clock:
    """The time of both sides, which passes where a test says so."""

    def __init__(self):
        self.now = NOON

    def __call__(self):
        return self.now


class GitHubApps:
    """The App is installed on shop/models until a test changes that. issued: every token, oldest first."""

    def __init__(self):
        self.clock = Clock()
        self.installation = 4711
        self.granted = {**PERMISSIONS, "metadata": "read"}
        self.repositories = {"models", "another"}
        self.is_suspended = False
        self.issued = []
        self.when_issued = lambda token: None
        self.before_answering = lambda: None
        self.fault = None
        self._ends = {}

    def takes(self, headers):
        """Whether this request has a token that still holds."""
        scheme, _, token = headers["Authorization"].partition(" ")
        ends = self._ends.get(token)
        return scheme == "Bearer" and ends is not None and self.clock() < ends

    def revoke(self):
        self._ends.clear()

    def answer(self, method, path, said, headers):
        """Status and content for what Apps are asked; None for other requests."""
        if not (path == "/repos/shop/models/installation" or path.startswith("/app/")):
            return None
        self.before_answering()
        if self.fault is not None:
            return self.fault, {"message": "scripted"}
        if (problem := self._problem(headers)) is not None:
            return HTTPStatus.UNAUTHORIZED, {"message": problem}
        if (method, path) == ("GET", "/repos/shop/models/installation"):
            if self.installation is None:
                return HTTPStatus.NOT_FOUND, {"message": "Not Found"}
            return 200, {"id": self.installation, "app_id": int(APP), "account": {"login": "shop"}}
        match = re.fullmatch(r"/app/installations/(\d+)/access_tokens", path)
        assert method == "POST"
        if match is None or int(match[1]) != self.installation:
            return HTTPStatus.NOT_FOUND, {"message": "Not Found"}
        return self._token(said)

    def _token(self, said):
        assert said.keys() == {"repositories", "permissions"}
        if self.is_suspended:
            return HTTPStatus.FORBIDDEN, {"message": "This installation has been suspended"}
        if not set(said["repositories"]) <= self.repositories:
            return 422, {"message": "There is at least one repository that does not exist or is not accessible"}
        if not said["permissions"].items() <= self.granted.items():
            return 422, {"message": "The permissions requested are not granted to this installation."}
        # Of the form of 2026: stateless, and longer than forty characters.
        token = f"ghs_{APP}_{'e' * 300}.{len(self.issued)}"
        self.issued.append(token)
        ends = self.clock() + timedelta(hours=1)
        self._ends[token] = ends
        self.when_issued(token)
        return 201, {
            "token": token,
            "expires_at": f"{ends:%Y-%m-%dT%H:%M:%SZ}",
            "permissions": said["permissions"] | {"metadata": "read"},
            "repository_selection": "selected",
            "repositories": [{"id": 7, "full_name": f"shop/{name}"} for name in said["repositories"]],
        }

    def _problem(self, headers):
        """What is wrong with the App's signature, in GitHub's words."""
        scheme, _, token = headers["Authorization"].partition(" ")
        assert scheme == "Bearer"
        signed, _, signature = token.rpartition(".")
        head, claims = (json.loads(_unpadded(part)) for part in signed.split("."))
        if head != {"alg": "RS256", "typ": "JWT"}:
            return "A JSON web token could not be decoded"
        try:
            _KEY.public_key().verify(_unpadded(signature), signed.encode(), PKCS1v15(), SHA256())
        except InvalidSignature:
            return "A JSON web token could not be decoded"
        if claims["iss"] not in (APP, CLIENT):
            return "Integration not found"
        now = self.clock().timestamp()
        assert type(claims["iat"]) is type(claims["exp"]) is int
        if claims["iat"] > now:
            return "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued"
        if not now < claims["exp"] <= now + 600 or claims["exp"] - claims["iat"] > 600:
            return "'Expiration time' claim ('exp') is too far in the future"
        return None


def _unpadded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def tokens_of(apps, server, folder, **changes):
    """The promoter's side, on the same clock."""
    key = folder / "app.pem"
    if not key.exists():
        key.write_bytes(pem())
    identity = {
        "app": CLIENT,
        "key_file": key,
        "url": f"{server.url}/shop/models",
        "installation": None,
        "permissions": PERMISSIONS,
    }
    return AppTokens(AppIdentity(**identity | changes), timeout=timedelta(seconds=20), now=apps.clock)
