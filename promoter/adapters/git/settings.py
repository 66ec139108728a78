"""Where the repository is, as whom the promoter writes to it, and for which models."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

import pygit2

from promoter.adapters.git.scope import Scope
from promoter.errors import InvalidSettings
from promoter.tokens import Tokens

_SCHEMES = ("file", "http", "https", "ssh")
# `git@host:path`, the short form of an SSH address.
_SHORT_SSH = re.compile(r"[^/:@\s]+@[^/:@\s]+:(?!//)\S+")


@dataclass(frozen=True, slots=True)
class GitSettings:
    """One branch of one remote. Secrets are read from their files when they are needed and never kept.

    url: `file://`, `https://`, `http://`, `ssh://` or `git@host:path`. HTTPS trusts the system's authorities, or those
    in the file that SSL_CERT_FILE names.
    clone: folder of the bare clone. It is a cache: it belongs to one process at a time, and is deleted and made
    anew when it is damaged.
    author_name, author_email: who writes the promoter's commits. The e-mail is how it recognises them later.
    scope: patterns of folders below `environments/` (`production`, `production/team-*`, `*/resnet50`); empty
    means every folder. The promoter neither lists nor writes anything else.
    username, tokens: for HTTP. The default name is what GitHub expects beside a token; others ignore it.
    ssh_key: private key for SSH, without a passphrase. Host keys are checked against `~/.ssh/known_hosts`.
    signing_key: private SSH key for commit signatures; None means unsigned. With an Ed25519 key the same commit has
    the same signature.
    allowed_signers: file of the keys that sign for author_email, in the form of ssh-keygen(1), "ALLOWED SIGNERS".
    Where it is set, a commit counts as the promoter's only with a valid signature.
    connect_timeout, timeout: longest silence of the server while connecting and afterwards.
    transfer_timeout, transfer_limit: longest duration and most bytes of one download.
    """

    url: str = field(repr=False)
    branch: str
    clone: Path
    author_name: str
    author_email: str
    scope: tuple[str, ...] = ()
    username: str = "x-access-token"
    tokens: Tokens | None = None
    ssh_key: Path | None = None
    signing_key: Path | None = None
    allowed_signers: Path | None = None
    connect_timeout: timedelta = timedelta(seconds=5)
    timeout: timedelta = timedelta(seconds=20)
    transfer_timeout: timedelta = timedelta(minutes=10)
    transfer_limit: int = 4 * 2**30

    def __post_init__(self) -> None:
        if not _SHORT_SSH.fullmatch(self.url) and _split(self.url).scheme not in _SCHEMES:
            raise InvalidSettings(
                "the repository's address must begin with file://, https://, http:// or ssh://, or be git@host:path"
            )
        if not pygit2.reference_is_valid_name(self.branch_ref):
            raise InvalidSettings(f"{self.branch!r} is not a branch name")
        for what, text in (("name", self.author_name), ("e-mail", self.author_email)):
            if not text.strip() or re.search(r"[<>\x00-\x1f]", text):
                raise InvalidSettings(f"{text!r} is no author's {what}: it must not be empty or hold < > or line ends")
        for limit in (self.connect_timeout, self.timeout, self.transfer_timeout):
            if limit < timedelta(milliseconds=1):
                raise InvalidSettings("a timeout of the repository must be longer than zero")
        Scope(self.scope)

    @property
    def branch_ref(self) -> str:
        return f"refs/heads/{self.branch}"

    @property
    def address(self) -> str:
        """The URL without a user's name and password: what errors show, and what libgit2 is given for HTTP."""
        if _SHORT_SSH.fullmatch(self.url):
            return self.url
        parts = _split(self.url)
        host = parts.netloc.rpartition("@")[2]
        if parts.scheme == "ssh" and parts.username:
            host = f"{parts.username}@{host}"
        return parts._replace(netloc=host, query="", fragment="").geturl()

    @property
    def local_path(self) -> Path | None:
        """The remote's folder where it is on this machine, None otherwise."""
        if _SHORT_SSH.fullmatch(self.url):
            return None
        parts = _split(self.url)
        return Path(unquote(parts.path)) if parts.scheme == "file" else None

    @property
    def user_and_password(self) -> tuple[str, str] | None:
        """What the URL carries for HTTP, None where it carries nothing."""
        parts = _split(self.url)
        if parts.scheme not in ("http", "https") or parts.password is None:
            return None
        return unquote(parts.username or self.username), unquote(parts.password)


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port  # read here, because only reading it checks it
    except ValueError as error:
        # Without the cause: its text may quote the address, and with it a password.
        raise InvalidSettings("the repository's address is not a URL") from (None if "@" in url else error)
    return parts
