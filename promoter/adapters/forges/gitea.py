"""Gitea and Forgejo, whose API has GitHub's shape: https://docs.gitea.com/api, version 1."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import quote

from promoter.adapters.forges.github import GitHubForge
from promoter.adapters.forges.place import ForgePlace
from promoter.adapters.forges.rest import ForgeApi, SaidNo, checks_of
from promoter.domain.pull_request import Checks
from promoter.domain.repository import Revision

# The style is not allowed, a check or a review is missing, it may not be known yet; or its head is another one.
_NOT_MERGED = (HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.CONFLICT)


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

    def checks(self, revision: Revision) -> Checks:
        return checks_of(self._statuses(revision), ("pending",))

    def merge_pull_request(self, number: int, head: Revision) -> str | None:
        said = {"Do": "fast-forward-only", "head_commit_id": head}
        try:
            self._api.attempt("POST", f"{self._path}/pulls/{number}/merge", said, _NOT_MERGED)
        except SaidNo as no:
            return str(no)
        return None
