"""Gitea and Forgejo, whose API has GitHub's shape: https://docs.gitea.com/api, version 1."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import quote

from promoter.adapters.forges.github import GitHubForge
from promoter.adapters.forges.place import ForgePlace
from promoter.adapters.forges.rest import ForgeApi


class GiteaForge(GitHubForge):
    """`promoter.ports.Forge` on Gitea or Forgejo: another root, another word before the token, other branches."""

    def __init__(self, place: ForgePlace) -> None:
        super().__init__(place)
        root = f"{place.host}/api/v1"
        self._api = ForgeApi(place, root, scheme="token ")
        self._rights = ForgeApi(place.for_rights, root, scheme="token ")
        # Only administrators of the repository are told of others' rights.
        self._unknown = (HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN)
        self._page_size = "limit"

    def delete_branch(self, branch: str) -> None:
        self._api.send("DELETE", f"{self._path}/branches/{quote(branch, safe='')}", gone=HTTPStatus.NOT_FOUND)
