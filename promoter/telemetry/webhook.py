"""A forge's word that something was pushed or merged. Nothing in it is believed: it makes the next look come sooner.

The signature is compared before anything else is done with the body, and the body is read under a limit of size and
time. What it says is never parsed.
"""

from __future__ import annotations

import hashlib
import hmac
import threading
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, Protocol

from promoter.token_file import NoToken, read_token

LARGEST_BODY = 2**20
_LONGEST_READING_S = 10.0
_PIECE = 64 * 1024
# Each holds a body in memory; a forge sends one after another.
_AT_ONCE = 4

# Gitea, Forgejo and Gogs; GitHub, and Gitea as well.
_HEX_SIGNATURES = ("HTTP_X_GITEA_SIGNATURE", "HTTP_X_FORGEJO_SIGNATURE")
_HUB_SIGNATURE = "HTTP_X_HUB_SIGNATURE_256"
# GitLab signs nothing, and sends the secret itself.
_GITLAB_TOKEN = "HTTP_X_GITLAB_TOKEN"  # noqa: S105 - the name of a header


class _Readable(Protocol):
    def read1(self, size: int, /) -> bytes:
        """What is there, at most `size` bytes; empty at the end."""


class Webhook:
    """Takes what a forge sends. secret_file: read each time. wake: called for each that is signed with the secret."""

    def __init__(self, secret_file: Path, wake: Callable[[], object]) -> None:
        self._secret_file = secret_file
        self._wake = wake
        self._free = threading.Semaphore(_AT_ONCE)

    def take(self, environ: Mapping[str, Any]) -> tuple[HTTPStatus, str]:
        """The answer to one request, by its WSGI environment."""
        try:
            length = int(environ.get("CONTENT_LENGTH") or "")
        except ValueError:
            return HTTPStatus.LENGTH_REQUIRED, "say how long it is"
        if not 0 <= length <= LARGEST_BODY:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"{LARGEST_BODY} bytes are the most"
        if not self._free.acquire(blocking=False):
            return HTTPStatus.SERVICE_UNAVAILABLE, "too many at once; the next look comes by itself"
        try:
            return self._taken(environ, length)
        finally:
            self._free.release()

    def _taken(self, environ: Mapping[str, Any], length: int) -> tuple[HTTPStatus, str]:
        try:
            secret = read_token(self._secret_file).encode()
        except NoToken:
            return HTTPStatus.SERVICE_UNAVAILABLE, "the promoter cannot read its secret"
        body = _read(environ["wsgi.input"], length)
        if body is None:
            return HTTPStatus.REQUEST_TIMEOUT, "it did not come to an end"
        if not is_signed(environ, body, secret):
            return HTTPStatus.UNAUTHORIZED, "no signature with the promoter's secret"
        self._wake()
        return HTTPStatus.ACCEPTED, "the promoter looks"


def is_signed(environ: Mapping[str, Any], body: bytes, secret: bytes) -> bool:
    """Whether a header of the forge's vouches for `body`; one that is wrong is not mended by another."""
    wanted = hmac.new(secret, body, hashlib.sha256).hexdigest()
    claims = [(environ[name], wanted) for name in _HEX_SIGNATURES if name in environ]
    if _HUB_SIGNATURE in environ:
        claims.append((environ[_HUB_SIGNATURE], f"sha256={wanted}"))
    if _GITLAB_TOKEN in environ:
        claims.append((environ[_GITLAB_TOKEN], secret.decode()))
    matches = [hmac.compare_digest(str(claim).encode(errors="replace"), true.encode()) for claim, true in claims]
    return bool(matches) and all(matches)


def _read(source: _Readable, length: int) -> bytes | None:
    """So many bytes, None where they do not come, or not in time."""
    deadline = time.monotonic() + _LONGEST_READING_S
    body = bytearray()
    while len(body) < length:
        try:
            piece = source.read1(min(_PIECE, length - len(body)))
        except OSError:
            return None
        if not piece or time.monotonic() > deadline:
            return None
        body += piece
    return bytes(body)
