"""What libgit2 asks while it talks to a server: who we are, whom we trust, and whether to go on."""

from __future__ import annotations

import time
from collections.abc import Callable

import pygit2
from pygit2.enums import CredentialType

from promoter.adapters.git.settings import GitSettings
from promoter.errors import HeadMoved, RepositoryUnavailable
from promoter.token_file import NoToken

_LONGEST_TALK = 2000


class AlreadyPushed(Exception):
    """The remote has our commit: another try of ours got through. Never leaves the adapter."""


class Talk(pygit2.RemoteCallbacks):
    """One conversation with the server."""

    def __init__(self, settings: GitSettings) -> None:
        super().__init__()
        self._settings = settings
        self._asked = 0
        self._sent: str | None = None
        self._deadline = time.monotonic() + settings.transfer_timeout.total_seconds()

    def credentials(
        self, url: str, username_from_url: str | None, allowed_types: CredentialType
    ) -> pygit2.UserPass | pygit2.Keypair | pygit2.Username:
        del url
        if allowed_types & CredentialType.USERNAME and not allowed_types & CredentialType.SSH_KEY:
            return pygit2.Username(username_from_url or "git")
        # Asked again, the answer before was wrong, and libgit2 would go on asking.
        self._asked += 1
        if allowed_types & CredentialType.SSH_KEY and self._asked == 1:
            return self._ssh_key(username_from_url or "git")
        found = self._user_and_password() if self._asked == 1 else self._another()
        if found is None:
            raise RepositoryUnavailable(f"{self._settings.address} refuses the promoter's credentials{self._remedy()}")
        return found

    def certificate_check(self, certificate: None, valid: bool, host: bytes) -> bool:  # noqa: FBT001 - pygit2's signature
        """Trust what TLS or `known_hosts` vouches for, and nothing else.

        Without this, pygit2 accepts every SSH host key (pygit2, callbacks.py, `_certificate_check_cb`).
        """
        del certificate, host
        return valid

    def transfer_progress(self, stats: pygit2.remotes.TransferProgress) -> None:
        limit = self._settings.transfer_limit
        if stats.received_bytes > limit:
            raise RepositoryUnavailable(f"{self._settings.address} sent more than {limit} bytes at once")
        if time.monotonic() > self._deadline:
            raise RepositoryUnavailable(
                f"{self._settings.address} took longer than {self._settings.transfer_timeout} to send its commits"
            )

    def _ssh_key(self, username: str) -> pygit2.Keypair:
        key = self._settings.ssh_key
        if key is None:
            raise RepositoryUnavailable(f"{self._settings.address} asks for an SSH key, and none is set")
        if not key.is_file():
            raise RepositoryUnavailable(f"the SSH key {key} is not there")
        return pygit2.Keypair(username, None, str(key), "")

    def _user_and_password(self) -> pygit2.UserPass | None:
        tokens = self._settings.tokens
        if tokens is not None:
            return self._with_token(tokens.current)
        if self._settings.user_and_password is not None:
            return pygit2.UserPass(*self._settings.user_and_password)
        raise RepositoryUnavailable(f"{self._settings.address} asks for credentials, and no token is set")

    def _another(self) -> pygit2.UserPass | None:
        """What to send in place of a token that was refused, None where there is nothing."""
        tokens, sent = self._settings.tokens, self._sent
        if tokens is None or sent is None or self._asked > 2:
            return None
        return self._with_token(lambda: tokens.instead_of(sent))

    def _with_token(self, found: Callable[[], str | None]) -> pygit2.UserPass | None:
        try:
            self._sent = found()
        except NoToken as error:
            raise RepositoryUnavailable(f"{self._settings.address} asks for credentials: {error}") from error
        return None if self._sent is None else pygit2.UserPass(self._settings.username, self._sent)

    def _remedy(self) -> str:
        return "" if self._settings.tokens is None else f": {self._settings.tokens.remedy}"


class TryTalk(Talk):
    """A push of which only the server's answer counts."""

    def __init__(self, settings: GitSettings) -> None:
        super().__init__(settings)
        self._said = ""
        self.refusal: str | None = None

    def push_update_reference(self, refname: str, message: str | None) -> None:
        """Keep the server's refusal: libgit2 reports it here, and otherwise as a success."""
        if message is not None:
            self.refusal = f"{refname}: {message or 'refused without a reason'}"

    def sideband_progress(self, string: str) -> None:
        self._said = (self._said + string)[-_LONGEST_TALK:]

    @property
    def said(self) -> str:
        """What the server's hooks wrote for people, the newest 2 000 characters."""
        return self._said


class PushTalk(TryTalk):
    """A push that is compare-and-swap: it goes on only where the remote's branch is at `parent`.

    libgit2 alone only asks whether the remote's head is an ancestor of ours, and would put back what a person
    has taken away. What it then sends to the server carries the head that is compared here, so the
    server refuses whatever happens afterwards.
    """

    def __init__(self, settings: GitSettings, parent: pygit2.Oid, commit: pygit2.Oid) -> None:
        super().__init__(settings)
        self._parent = parent
        self._commit = commit

    def push_negotiation(self, updates: list[pygit2.remotes.PushUpdate]) -> None:
        for update in updates:
            if update.src == self._commit:
                raise AlreadyPushed
            if update.src != self._parent:
                raise HeadMoved(
                    f"{update.dst_refname} is at {update.src}, not at {self._parent}: somebody pushed first"
                )
