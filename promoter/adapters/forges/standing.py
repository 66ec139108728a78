"""What a forge tells of our own tokens: whose they are, what they may do, and what they must not.

Nothing is changed. Where only a try can tell whether a token writes, what is tried is to delete a branch whose name no
branch can have.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import quote

from promoter.adapters.forges.place import ForgePlace, github_api
from promoter.adapters.forges.rest import ForgeApi, as_documented

# git-check-ref-format(1): no two consecutive dots.
_NO_BRANCH = "promoter..doctor"
_UNTOLD = (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND)
_DEVELOPER, _MAINTAINER = 30, 40
_WRITING_SCOPES = frozenset({"api", "write_repository", "sudo", "admin_mode"})


@dataclass(frozen=True, slots=True)
class Standing:
    """The account of a token, with its rights; each is None where the forge does not tell.

    account: its login. may_write: to the repository. administers: what it administers, in words, empty for nothing.
    """

    account: str | None
    may_write: bool | None
    administers: str | None


class ForgeStanding(Protocol):
    """How our tokens stand at one forge. Each call raises ForgeUnavailable."""

    def own(self) -> Standing:
        """Of the token that opens pull requests. The repository is read for it."""

    def tells_rights(self) -> bool | None:
        """Whether the token that asks for people's rights is told them; None where that shows only when it is due."""

    def rights_token_writes(self) -> bool | None:
        """Whether that token could change something, where it is another one; None where the forge does not tell."""


class GitHubStanding:
    """`ForgeStanding` on GitHub."""

    def __init__(self, place: ForgePlace) -> None:
        self._place = place
        accept = "application/vnd.github+json"
        self._api = ForgeApi(place, github_api(place), scheme="Bearer ", accept=accept)
        self._rights = ForgeApi(place.for_rights, github_api(place), scheme="Bearer ", accept=accept)
        self._path = f"/repos/{place.path}"

    def own(self) -> Standing:
        repository, user = self._api.get(self._path), self._api.get("/user", none=_UNTOLD)
        with as_documented(self._place):
            if user is None:
                # An App: what is said of an account's role is not about it.
                return Standing(None, None, None)
            return _standing(user, repository["permissions"], bool(user.get("site_admin")))

    def tells_rights(self) -> bool | None:
        user = self._rights.get("/user", none=_UNTOLD)
        if user is None:
            return None
        with as_documented(self._place):
            login = quote(str(user["login"]), safe="")
        return self._rights.get(f"{self._path}/collaborators/{login}/permission", none=_UNTOLD) is not None

    def rights_token_writes(self) -> bool | None:
        return None


class GiteaStanding:
    """`ForgeStanding` on Gitea or Forgejo."""

    def __init__(self, place: ForgePlace) -> None:
        self._place = place
        root = f"{place.host}/api/v1"
        self._api = ForgeApi(place, root, scheme="token ")
        self._rights = ForgeApi(place.for_rights, root, scheme="token ")
        self._path = f"/repos/{place.path}"

    def own(self) -> Standing:
        # Who it is takes the scope read:user, which nothing else needs.
        repository, user = self._api.get(self._path), self._api.get("/user", none=_UNTOLD)
        with as_documented(self._place):
            return _standing(user or {}, repository["permissions"], bool((user or {}).get("is_admin")))

    def tells_rights(self) -> bool | None:
        # Anybody would do; the repository's owner is somebody.
        owner = quote(self._place.path.split("/", maxsplit=1)[0], safe="")
        return self._rights.get(f"{self._path}/collaborators/{owner}/permission", none=_UNTOLD) is not None

    def rights_token_writes(self) -> bool | None:
        if self._place.rights is None:
            return None
        # Its scopes are looked at first, and what it wants to delete last.
        status = self._rights.status("DELETE", f"{self._path}/branches/{_NO_BRANCH}")
        writes: dict[int, bool] = {HTTPStatus.FORBIDDEN: False, HTTPStatus.NOT_FOUND: True}
        return writes.get(status)


class GitLabStanding:
    """`ForgeStanding` on GitLab."""

    def __init__(self, place: ForgePlace) -> None:
        self._place = place
        root = f"{place.host}/api/v4"
        self._api = ForgeApi(place, root, header="PRIVATE-TOKEN")
        self._rights = ForgeApi(place.for_rights, root, header="PRIVATE-TOKEN")
        self._path = f"/projects/{place.quoted}"

    def own(self) -> Standing:
        project, user = self._api.get(self._path), self._api.get("/user", none=_UNTOLD)
        with as_documented(self._place):
            granted = [found["access_level"] for found in project["permissions"].values() if found is not None]
            level = max(map(int, granted), default=0)
            administers = ["the forge"] if user is not None and user.get("is_admin") else []
            administers += ["the project"] if level >= _MAINTAINER else []
            return Standing(
                None if user is None else str(user["username"]), level >= _DEVELOPER, " and ".join(administers)
            )

    def tells_rights(self) -> bool | None:
        user = self._rights.get("/user", none=_UNTOLD)
        if user is None:
            return None
        with as_documented(self._place):
            account = int(user["id"])
        found = self._rights.get(f"{self._path}/members/all/{account}", none=(HTTPStatus.NOT_FOUND,))
        # Who reads as an administrator of the forge need not be a member.
        return True if found is not None else None

    def rights_token_writes(self) -> bool | None:
        if self._place.rights is None:
            return None
        token = self._rights.get("/personal_access_tokens/self", none=(*_UNTOLD, HTTPStatus.UNAUTHORIZED))
        if token is None:
            return None
        with as_documented(self._place):
            return not _WRITING_SCOPES.isdisjoint(token["scopes"])


def _standing(user: Mapping[str, Any], permissions: Mapping[str, Any], administers_forge: bool) -> Standing:  # noqa: FBT001 - the third fact of three
    administers = ["the forge"] if administers_forge else []
    administers += ["the repository"] if permissions["admin"] else []
    login = user.get("login")
    return Standing(None if login is None else str(login), bool(permissions["push"]), " and ".join(administers))
