"""Which bucket a sandbox keeps its versions in: one of its own emulator, or of a person's. Nothing is started here."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

import httpx

from promoter.errors import InvalidSettings, Unavailable

# Google's own clients read it.
EMULATOR_HOST = "STORAGE_EMULATOR_HOST"

# Holds the same where a shell has it from a sandbox: then nobody chose an emulator, and that sandbox may be gone.
EMULATOR_OF_A_SANDBOX = "SANDBOX_STORAGE_EMULATOR_HOST"

_NAME = "sandbox-models"
_TIMEOUT = 30.0


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket of a Cloud Storage emulator. emulator: a person's own, as a URL; None for the sandbox's."""

    name: str
    emulator: str | None = None

    @property
    def url(self) -> str:
        """The address of the store."""
        return f"gs://{self.name}"


def new_bucket(environment: Mapping[str, str]) -> Bucket:
    """A bucket for a sandbox that begins, in the emulator that `environment` names, if it names one.

    Raises InvalidSettings where what it names is no URL.
    """
    named = environment.get(EMULATOR_HOST, "")
    if not named or named == environment.get(EMULATOR_OF_A_SANDBOX):
        return Bucket(_NAME)
    url = named.rstrip("/") if "://" in named else f"http://{named}"
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path:
        raise InvalidSettings(
            f"{EMULATOR_HOST} is {named!r}: name an emulator as in http://127.0.0.1:4443, or unset it and the sandbox "
            "starts one"
        )
    # What others keep there stays apart.
    return Bucket(f"{_NAME}-{secrets.token_hex(4)}", url)


def make_bucket(emulator: str, name: str) -> None:
    """Make the bucket in the emulator at `emulator`, unless it is there. Raises Unavailable."""
    try:
        answer = httpx.post(
            f"{emulator}/storage/v1/b",
            params={"project": "sandbox"},
            json={"name": name},
            timeout=_TIMEOUT,
            trust_env=False,
        )
    except httpx.HTTPError as error:
        raise Unavailable(
            f"the emulator at {emulator}, which {EMULATOR_HOST} named, does not answer ({type(error).__name__}): start "
            "it, or unset the variable and the sandbox starts one of its own"
        ) from error
    if not answer.is_success and answer.status_code != httpx.codes.CONFLICT:
        raise Unavailable(f"the emulator at {emulator} refused to make the bucket {name} ({answer.status_code})")


def put_object(emulator: str, bucket: str, name: str, content: bytes) -> None:
    """Write one object as anybody's tool might: without checks, without a manifest. Raises Unavailable."""
    try:
        answer = httpx.post(
            f"{emulator}/upload/storage/v1/b/{quote(bucket)}/o",
            params={"uploadType": "media", "name": name},
            content=content,
            headers={"Content-Type": "application/octet-stream"},
            timeout=_TIMEOUT,
            trust_env=False,
        )
        answer.raise_for_status()
    except httpx.HTTPError as error:
        raise Unavailable(f"{name} could not be written into gs://{bucket}: {error}") from error
