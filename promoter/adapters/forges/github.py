"""GitHub, by its REST API; Gitea's has the same shape, and `gitea.py` says where it differs.

https://docs.github.com/en/rest, version 2022-11-28: pulls, issues/comments, issues/timeline, issues/labels, git/refs,
commits/statuses, checks/runs, collaborators.
"""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from promoter.adapters.forges.place import ForgePlace, github_api
from promoter.adapters.forges.rest import PAGE, STATUS_CONTEXT, ForgeApi, SaidNo, as_documented, checks_of
from promoter.domain.pull_request import Checks, CommitStatus, PullRequest, PullRequestState, Said, Speaker
from promoter.domain.repository import Revision

# GitHub cuts nothing: a longer description is refused.
_LONGEST_DESCRIPTION = 140
_WRITERS = ("write", "admin", "owner")
# A required check is missing or failed, a review is missing, it is not up to date; or its head is another one.
_NOT_MERGED = (HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY)


class GitHubForge:
    """`promoter.ports.Forge` on github.com or a GitHub Enterprise Server."""

    def __init__(self, place: ForgePlace) -> None:
        self._place = place
        root = github_api(place)
        accept = "application/vnd.github+json"
        self._api = ForgeApi(place, root, scheme="Bearer ", accept=accept)
        self._rights = ForgeApi(place.for_rights, root, scheme="Bearer ", accept=accept)
        # GitHub also says 403 where it was asked too often, which says nothing of anybody's rights.
        self._unknown: tuple[int, ...] = (HTTPStatus.NOT_FOUND,)
        self._path = f"/repos/{place.path}"
        self._page_size = "per_page"

    def open_pull_requests(self, prefix: str) -> tuple[PullRequest, ...]:
        listed = self._api.whole(f"{self._path}/pulls", {"state": "open"}, self._page_size, "open pull requests")
        return tuple(self._read(item) for item in listed if self._is_wanted(item, prefix))

    def closed_pull_request(self, branch: str) -> PullRequest | None:
        # GitHub looks for the branch; Gitea does not, and lists the newest first.
        owner = self._place.path.split("/", maxsplit=1)[0]
        asked = {"state": "closed", "head": f"{owner}:{branch}", self._page_size: str(PAGE)}
        listed = self._api.listed(f"{self._path}/pulls", asked)
        found = [self._read(item) for item in listed if self._is_wanted(item, branch)]
        return max((one for one in found if one.branch == branch), key=lambda one: one.number, default=None)

    def pull_request(self, number: int) -> PullRequest:
        return self._read(self._api.get(f"{self._path}/pulls/{number}"))

    def open_pull_request(self, branch: str, title: str, body: str) -> PullRequest:
        said = {"head": branch, "base": self._place.branch, "title": title, "body": body}
        return self._read(self._api.send("POST", f"{self._path}/pulls", said))

    def change_pull_request(self, number: int, title: str, body: str) -> PullRequest:
        return self._read(self._api.send("PATCH", f"{self._path}/pulls/{number}", {"title": title, "body": body}))

    def close_pull_request(self, number: int, reason: str) -> None:
        self.comment(number, reason)
        self._api.send("PATCH", f"{self._path}/pulls/{number}", {"state": "closed"})

    def checks(self, revision: Revision) -> Checks:
        found = self._statuses(revision)
        # Without the right to see them, the rules of the branch still do.
        runs = self._api.get(
            f"{self._path}/commits/{revision}/check-runs", {"per_page": "100"}, none=(HTTPStatus.FORBIDDEN,)
        )
        with as_documented(self._place):
            found += [
                (str(run["name"]), str(run["conclusion"]) if run["status"] == "completed" else "pending")
                for run in (runs or {"check_runs": []})["check_runs"]
            ]
        return checks_of(found, ("pending",))

    def _statuses(self, revision: Revision) -> list[tuple[str, str]]:
        """The newest status of each name."""
        told = self._api.get(f"{self._path}/commits/{revision}/status", {self._page_size: "100"})
        with as_documented(self._place):
            # Gitea has other words, and null for none at all.
            return [(str(one["context"]), str(one.get("status") or one.get("state"))) for one in told["statuses"] or ()]

    def merge_pull_request(self, number: int, head: Revision) -> str | None:
        # GitHub knows no fast-forward: a rebase and a squash make another commit of ours.
        said = {"merge_method": "merge", "sha": head}
        try:
            answer = self._api.attempt("PUT", f"{self._path}/pulls/{number}/merge", said, _NOT_MERGED)
        except SaidNo as no:
            return str(no)
        with as_documented(self._place):
            return None if answer["merged"] else str(answer["message"])

    def comments(self, number: int, since: datetime) -> tuple[Said, ...]:
        found: dict[int, Said] = {}
        asked = {"since": f"{since:%Y-%m-%dT%H:%M:%SZ}"}
        for listed in self._api.pages(f"{self._path}/issues/{number}/comments", asked, self._page_size):
            # What was imported was said by nobody here. Gitea does not know pages of comments, and sends all of them.
            with as_documented(self._place):
                said = [self._read_comment(item) for item in listed if not item.get("original_author")]
            fresh = {one.number: one for one in said if one.number not in found}
            if not fresh:
                break
            found |= fresh
        # `since` is about the last edit.
        return tuple(sorted((one for one in found.values() if one.at >= since), key=lambda one: one.number))

    def labelled(self, number: int, since: datetime) -> tuple[Said, ...]:
        # The oldest come first, and none is asked for by its time. Of an account that was deleted nothing is known. The
        # list of events alone would ask for a right to issues, which a promoter needs for nothing else.
        pages = self._api.pages(f"{self._path}/issues/{number}/timeline", {}, self._page_size)
        with as_documented(self._place):
            events = [item for page in pages for item in page if item["event"] == "labeled" and item["actor"]]
            found = [self._read_event(item, number) for item in events]
        return tuple(one for one in found if one.at >= since)

    def take_label_off(self, number: int, label: str) -> None:
        path = f"{self._path}/issues/{number}/labels/{quote(label, safe='')}"
        self._api.send("DELETE", path, gone=HTTPStatus.NOT_FOUND)

    def speaker(self, said: Said) -> Speaker | None:
        path = f"{self._path}/collaborators/{quote(said.author, safe='')}/permission"
        told = self._rights.get(path, none=self._unknown)
        if told is None:
            return None
        with as_documented(self._place):
            user = told["user"]
            if int(user["id"]) != said.account:
                # The name is somebody else's by now.
                return None
            return Speaker(
                login=str(user["login"]),
                name=str(user.get("full_name") or user.get("name") or ""),
                email=str(user.get("email") or ""),
                may_write=told["permission"] in _WRITERS,
            )

    def comment(self, number: int, body: str) -> None:
        self._api.send("POST", f"{self._path}/issues/{number}/comments", {"body": body})

    def commit_url(self, revision: Revision) -> str:
        return f"{self._place.host}/{self._place.path}/commit/{revision}"

    def delete_branch(self, branch: str) -> None:
        self._api.send("DELETE", f"{self._path}/git/refs/heads/{quote(branch)}", gone=HTTPStatus.UNPROCESSABLE_ENTITY)

    def set_status(self, revision: Revision, status: CommitStatus) -> None:
        said = {"state": status.state.value, "context": STATUS_CONTEXT, "description": _cut(status.description)}
        if status.url is not None:
            said["target_url"] = status.url
        self._api.send("POST", f"{self._path}/statuses/{revision}", said)

    def _read_event(self, item: Any, number: int) -> Said:
        return Said(
            number=int(item["id"]),
            author=str(item["actor"]["login"]),
            account=int(item["actor"]["id"]),
            text="",
            at=datetime.fromisoformat(item["created_at"]),
            url=f"{self._place.host}/{self._place.path}/pull/{number}#event-{item['id']}",
            label=str(item["label"]["name"]),
        )

    def _read_comment(self, item: Any, label: str | None = None) -> Said:
        with as_documented(self._place):
            return Said(
                number=int(item["id"]),
                author=str(item["user"]["login"]),
                account=int(item["user"]["id"]),
                text="" if label else str(item["body"] or ""),
                at=datetime.fromisoformat(item["created_at"]),
                url=str(item["html_url"]),
                label=label,
            )

    def _is_wanted(self, item: Any, prefix: str) -> bool:
        """Whether it goes into our branch, from one of the promoter's; a fork's branch may have any name."""
        with as_documented(self._place):
            head, base = item["head"], item["base"]
            # A fork that was deleted has no repository any more.
            ours = head.get("repo") is not None and head["repo"]["id"] == base["repo"]["id"]
            return bool(ours and base["ref"] == self._place.branch and head["ref"].startswith(prefix))

    def _read(self, item: Any) -> PullRequest:
        with as_documented(self._place):
            state = PullRequestState.OPEN if item["state"] == "open" else PullRequestState.CLOSED
            if item.get("merged") or item.get("merged_at"):
                state = PullRequestState.MERGED
            return PullRequest(
                number=int(item["number"]),
                branch=str(item["head"]["ref"]),
                title=str(item["title"]),
                body=str(item["body"] or ""),
                state=state,
                url=str(item["html_url"]),
                head=item["head"].get("sha"),
                mergeable=item.get("mergeable"),
                labels=tuple(str(label["name"]) for label in item.get("labels") or ()),
                # An account that was deleted is none.
                author=str(item["user"]["login"]) if item.get("user") else "",
            )


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_DESCRIPTION else text[: _LONGEST_DESCRIPTION - 1] + "…"
