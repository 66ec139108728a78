"""Gitea and Forgejo, whose API has GitHub's shape: https://docs.gitea.com/api, version 1."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from promoter.adapters.forges.github import GitHubForge
from promoter.adapters.forges.place import ForgePlace
from promoter.adapters.forges.rest import MOST_PAGES, PAGE, ForgeApi, SaidNo, as_documented, checks_of
from promoter.domain.pull_request import Checks, Said
from promoter.domain.repository import Revision

# The style is not allowed, a check or a review is missing, it may not be known yet; or its head is another one.
# Gitea 1.26 calls it an error of its own where the branch has moved on, so that there is nothing to fast-forward.
_NOT_MERGED = (HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.CONFLICT, HTTPStatus.INTERNAL_SERVER_ERROR)


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

    def labelled(self, number: int, since: datetime) -> tuple[Said, ...]:
        # In Gitea's timeline a label that was set is a comment with the text "1".
        with as_documented(self._place):
            found = [
                self._read_comment(item, label=str(item["label"]["name"]))
                for item in self._timeline(number, since)
                if item["type"] == "label" and item["body"] == "1" and item.get("label")
            ]
        return tuple(sorted((one for one in found if one.at >= since), key=lambda one: one.number))

    def _timeline(self, number: int, since: datetime) -> Iterator[Any]:
        for page in range(1, MOST_PAGES + 1):
            asked = {"since": f"{since:%Y-%m-%dT%H:%M:%SZ}", "limit": str(PAGE), "page": str(page)}
            # A page that is empty is `null`; one that is not may lack entries that we may not see.
            listed = self._api.get(f"{self._path}/issues/{number}/timeline", asked)
            if not listed:
                return
            yield from (item for item in listed if item)

    def take_label_off(self, number: int, label: str) -> None:
        path = f"{self._path}/issues/{number}/labels"
        with as_documented(self._place):
            borne = [int(item["id"]) for item in self._api.get(path) or () if item["name"] == label]
        for key in borne:
            self._api.send("DELETE", f"{path}/{key}", gone=HTTPStatus.NOT_FOUND)

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
