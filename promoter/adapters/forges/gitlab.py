"""GitLab, by its REST API: https://docs.gitlab.com/api, version 4.

merge_requests, notes, resource_label_events, branches, commits (statuses), members.
"""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from promoter.adapters.forges.place import ForgePlace
from promoter.adapters.forges.rest import PAGE, STATUS_CONTEXT, ForgeApi, SaidNo, as_documented, checks_of
from promoter.domain.pull_request import (
    Checks,
    CommitState,
    CommitStatus,
    PullRequest,
    PullRequestState,
    Said,
    Speaker,
)
from promoter.domain.repository import Revision

_LONGEST_DESCRIPTION = 255
_DEVELOPER = 30
_LARGEST_PAGE = 100
# The right is missing; it is a draft, or its pipeline is not over; it cannot be merged; its head is another one.
_NOT_MERGED = (
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.METHOD_NOT_ALLOWED,
    HTTPStatus.NOT_ACCEPTABLE,
    HTTPStatus.CONFLICT,
    HTTPStatus.UNPROCESSABLE_ENTITY,
)
_PENDING = ("created", "pending", "preparing", "running", "scheduled", "waiting_for_resource", "waiting_for_callback")
_STATES = {"opened": PullRequestState.OPEN, "locked": PullRequestState.OPEN, "merged": PullRequestState.MERGED}
_COMMIT_STATES = {CommitState.PENDING: "pending", CommitState.SUCCESS: "success", CommitState.FAILURE: "failed"}


class GitLabForge:
    """`promoter.ports.Forge` on gitlab.com or a GitLab of one's own."""

    def __init__(self, place: ForgePlace) -> None:
        self._place = place
        root = f"{place.host}/api/v4"
        self._api = ForgeApi(place, root, header="PRIVATE-TOKEN")
        self._rights = ForgeApi(place.for_rights, root, header="PRIVATE-TOKEN")
        self._path = f"/projects/{place.quoted}"

    def open_pull_requests(self, prefix: str) -> tuple[PullRequest, ...]:
        asked = {"state": "opened", "target_branch": self._place.branch}
        listed = self._api.whole(f"{self._path}/merge_requests", asked, "per_page", "open merge requests")
        return tuple(self._read(item) for item in listed if self._is_wanted(item, prefix))

    def closed_pull_request(self, branch: str) -> PullRequest | None:
        asked = {"target_branch": self._place.branch, "source_branch": branch, "per_page": str(PAGE)}
        listed = self._api.listed(f"{self._path}/merge_requests", asked)
        found = [self._read(item) for item in listed if self._is_wanted(item, branch)]
        ended = [one for one in found if one.branch == branch and one.state is not PullRequestState.OPEN]
        return max(ended, key=lambda one: one.number, default=None)

    def pull_request(self, number: int) -> PullRequest:
        return self._read(self._api.get(f"{self._path}/merge_requests/{number}"))

    def open_pull_request(self, branch: str, title: str, body: str) -> PullRequest:
        said = {"source_branch": branch, "target_branch": self._place.branch, "title": title, "description": body}
        return self._read(self._api.send("POST", f"{self._path}/merge_requests", said))

    def change_pull_request(self, number: int, title: str, body: str) -> PullRequest:
        said = {"title": title, "description": body}
        return self._read(self._api.send("PUT", f"{self._path}/merge_requests/{number}", said))

    def close_pull_request(self, number: int, reason: str) -> None:
        self.comment(number, reason)
        self._api.send("PUT", f"{self._path}/merge_requests/{number}", {"state_event": "close"})

    def checks(self, revision: Revision) -> Checks:
        asked = {"per_page": str(_LARGEST_PAGE)}
        listed = self._api.listed(f"{self._path}/repository/commits/{revision}/statuses", asked)
        with as_documented(self._place):
            # A job that somebody has to start by hand is waited for by the rules of the project, or by nobody.
            counted = [one for one in listed if not one.get("allow_failure") and one["status"] != "manual"]
            return checks_of([(str(one["name"]), str(one["status"])) for one in counted], _PENDING)

    def merge_pull_request(self, number: int, head: Revision) -> str | None:
        said = {"sha": head, "squash": False}
        try:
            answer = self._api.attempt("PUT", f"{self._path}/merge_requests/{number}/merge", said, _NOT_MERGED)
        except SaidNo as no:
            return str(no)
        with as_documented(self._place):
            # It may also say yes and then find that it cannot: "9:not fast forward".
            merged = answer["state"] == "merged"
            return None if merged else str(answer.get("merge_error") or f"it is {answer['state']}")

    def comments(self, number: int, since: datetime) -> tuple[Said, ...]:
        asked = {"sort": "desc", "order_by": "created_at", "per_page": str(_LARGEST_PAGE)}
        listed = self._api.listed(f"{self._path}/merge_requests/{number}/notes", asked)
        with as_documented(self._place):
            found = [self._read_comment(item, number) for item in listed if not item["system"]]
        return tuple(sorted((one for one in found if one.at >= since), key=lambda one: one.number))

    def labelled(self, number: int, since: datetime) -> tuple[Said, ...]:
        pages = self._api.pages(f"{self._path}/merge_requests/{number}/resource_label_events", {}, "per_page")
        with as_documented(self._place):
            # A label that was deleted is none, and neither is an account.
            events = [item for page in pages for item in page if item["label"] and item["user"]]
            found = [self._read_event(item, number) for item in events if item["action"] == "add"]
        return tuple(sorted((one for one in found if one.at >= since), key=lambda one: one.number))

    def take_label_off(self, number: int, label: str) -> None:
        self._api.send("PUT", f"{self._path}/merge_requests/{number}", {"remove_labels": label})

    def speaker(self, said: Said) -> Speaker | None:
        told = self._rights.get(f"{self._path}/members/all/{said.account}", none=(HTTPStatus.NOT_FOUND,))
        if told is None:
            return None
        with as_documented(self._place):
            return Speaker(
                login=str(told["username"]),
                name=str(told["name"] or ""),
                email=str(told.get("email") or ""),
                may_write=told["state"] == "active" and int(told["access_level"]) >= _DEVELOPER,
            )

    def comment(self, number: int, body: str) -> None:
        self._api.send("POST", f"{self._path}/merge_requests/{number}/notes", {"body": body})

    def commit_url(self, revision: Revision) -> str:
        return f"{self._place.host}/{self._place.path}/-/commit/{revision}"

    def delete_branch(self, branch: str) -> None:
        self._api.send(
            "DELETE", f"{self._path}/repository/branches/{quote(branch, safe='')}", gone=HTTPStatus.NOT_FOUND
        )

    def set_status(self, revision: Revision, status: CommitStatus) -> None:
        said = {
            "state": _COMMIT_STATES[status.state],
            "name": STATUS_CONTEXT,
            "description": status.description[:_LONGEST_DESCRIPTION],
            "ref": self._place.branch,
        }
        if status.url is not None:
            said["target_url"] = status.url
        self._api.send("POST", f"{self._path}/statuses/{revision}", said)

    def _read_event(self, item: Any, number: int) -> Said:
        # The page has no place of its own for an event; the number makes the address one of this event alone.
        return Said(
            number=int(item["id"]),
            author=str(item["user"]["username"]),
            account=int(item["user"]["id"]),
            text="",
            at=datetime.fromisoformat(item["created_at"]),
            url=f"{self._place.host}/{self._place.path}/-/merge_requests/{number}#label_event_{item['id']}",
            label=str(item["label"]["name"]),
        )

    def _read_comment(self, item: Any, number: int) -> Said:
        return Said(
            number=int(item["id"]),
            author=str(item["author"]["username"]),
            account=int(item["author"]["id"]),
            text=str(item["body"] or ""),
            at=datetime.fromisoformat(item["created_at"]),
            url=f"{self._place.host}/{self._place.path}/-/merge_requests/{number}#note_{item['id']}",
        )

    def _is_wanted(self, item: Any, prefix: str) -> bool:
        with as_documented(self._place):
            ours = item["source_project_id"] == item["target_project_id"]
            return bool(ours and str(item["source_branch"]).startswith(prefix))

    def _read(self, item: Any) -> PullRequest:
        with as_documented(self._place):
            found_out = item.get("detailed_merge_status") not in (None, "unchecked", "checking", "preparing")
            return PullRequest(
                number=int(item["iid"]),
                branch=str(item["source_branch"]),
                title=str(item["title"]),
                body=str(item["description"] or ""),
                state=_STATES.get(item["state"], PullRequestState.CLOSED),
                url=str(item["web_url"]),
                head=item.get("sha"),
                mergeable=item["detailed_merge_status"] == "mergeable" if found_out else None,
                labels=tuple(map(str, item.get("labels") or ())),
                author=str(item["author"]["username"]) if item.get("author") else "",
            )
