"""One repository on each kind of forge, and what people do to it: Gitea for real, the others by their documents."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from urllib.parse import parse_qs, unquote

from adapters.github_app import GitHubApps, tokens_of

from promoter.adapters.forges import ForgePlace, GiteaForge, GitHubForge, GitLabForge
from promoter.tokens import TokenFile

FIRST = "0" * 39 + "1"


def place(url, file, token):
    """That repository, with this token in that file."""
    file.write_text(token + "\n")
    return ForgePlace(url, "main", TokenFile(file), timedelta(seconds=20))


class GiteaKind:
    """A new repository on a real Gitea; the promoter is one of its writers."""

    def __init__(self, gitea, folder):
        self._gitea = gitea
        self.bot, token = gitea.person("promoter")
        self._path = gitea.repository("contract", self.bot)
        self._write("README.md", "models\n", {})
        self._tokens = {}
        self.admins_token = folder / "admins-token"
        self.admins_token.write_text(gitea.token)
        self.token_file = folder / "forge-token"
        rights = TokenFile(self.admins_token)
        self.place = replace(place(f"{gitea.url}/{self._path}", self.token_file, token), rights=rights)
        self.forge = GiteaForge(self.place)

    def _write(self, file, text, more):
        said = {"content": base64.b64encode(text.encode()).decode(), "message": f"Add {file}"} | more
        return self._gitea.api("POST", f"/repos/{self._path}/contents/{file}", said)

    def branch(self, name):
        """A branch with a commit of its own; its revision."""
        written = self._write(f"{name.replace('/', '-')}.txt", name, {"branch": "main", "new_branch": name})
        return written["commit"]["sha"]

    def branches(self):
        return {found["name"] for found in self._gitea.api("GET", f"/repos/{self._path}/branches")}

    def from_a_fork(self, name):
        """A pull request of somebody else's, from a branch of that name."""
        who, token = self._gitea.person("eve")
        owner, repository = self._path.split("/")
        self._gitea.api("PUT", f"/repos/{self._path}/collaborators/{who}", {"permission": "read"})
        self._gitea.api("POST", f"/repos/{self._path}/forks", {}, token)
        said = {"content": "ZXZpbA==", "message": "Add evil", "branch": "main", "new_branch": name}
        self._gitea.api("POST", f"/repos/{who}/{repository}/contents/evil.txt", said, token)
        asked = {"head": f"{who}:{name}", "base": "main", "title": "From a fork", "body": ""}
        return self._gitea.api("POST", f"/repos/{owner}/{repository}/pulls", asked, token)["number"]

    def merge(self, number):
        self._gitea.merge(self._path, number, self._gitea.token)

    def somebody(self, name, right):
        """A person with that right, read or write or None; their login, which the forge chooses."""
        login, token = self._gitea.person(name)
        self._tokens[login] = token
        # Whoever may read a private repository may comment there.
        said = {"permission": right or "read"}
        self._gitea.api("PUT", f"/repos/{self._path}/collaborators/{login}", said)
        return login

    def gone(self, login):
        self._gitea.api("DELETE", f"/repos/{self._path}/collaborators/{login}")

    def speak(self, number, login, text):
        self._gitea.api("POST", f"/repos/{self._path}/issues/{number}/comments", {"body": text}, self._tokens[login])

    def label(self, number, login, name):
        known = {found["name"]: found["id"] for found in self._gitea.api("GET", f"/repos/{self._path}/labels")}
        if name not in known:
            made = self._gitea.api("POST", f"/repos/{self._path}/labels", {"name": name, "color": "#00aabb"})
            known[name] = made["id"]
        path = f"/repos/{self._path}/issues/{number}/labels"
        self._gitea.api("POST", path, {"labels": [known[name]]}, self._tokens[login])

    def unlabel(self, number, login, name):
        path = f"/repos/{self._path}/issues/{number}/labels"
        [key] = [found["id"] for found in self._gitea.api("GET", path) if found["name"] == name]
        self._gitea.api("DELETE", f"{path}/{key}", token=self._tokens[login])

    def comments(self, number):
        return [found["body"] for found in self._gitea.api("GET", f"/repos/{self._path}/issues/{number}/comments")]

    def check(self, revision, name, state):
        """What a check says of a commit: success, failure, or pending."""
        said = {"state": state, "context": name, "description": "by a test"}
        self._gitea.api("POST", f"/repos/{self._path}/statuses/{revision}", said)

    def requires(self, name):
        """Nobody pushes to the branch, and what is merged has passed this check."""
        rules = {
            "rule_name": "main",
            "enable_push": False,
            "enable_status_check": True,
            "status_check_contexts": [name],
        }
        self._gitea.api("POST", f"/repos/{self._path}/branch_protections", rules | {"block_admin_merge_override": True})

    def moves_on(self):
        """Somebody commits to the branch."""
        self._write("moved.txt", "on", {"branch": "main"})

    def main(self):
        """Where the branch is, and what is its newest change of a person's or ours."""
        return self._gitea.api("GET", f"/repos/{self._path}/branches/main")["commit"]["id"]

    def status(self, revision):
        """The newest of ours: state, description, link."""
        found = self._gitea.api("GET", f"/repos/{self._path}/commits/{revision}/status")["statuses"]
        [ours] = [one for one in found if one["context"] == "promoter/rollout"]
        return ours["status"], ours["description"], ours["target_url"]


class _Documented:
    """A repository in memory; subclasses answer as their forge's documents say, and refuse what those do not have."""

    def __init__(self, server, folder):
        self._pulls, self._comments, self._statuses = {}, {}, {}
        self._labels, self._events = {}, {}
        self._accounts = {"promoter": 1}
        self._rights = {}
        self._branches = {"main": FIRST}
        self._bases, self._checks, self._required = {}, {}, []
        server.answers[""] = self._answer
        self._server = server
        self.token_file = folder / "forge-token"
        self.place = place(f"{server.url}/shop/models", self.token_file, "the-token")

    def branch(self, name):
        self._branches[name] = f"{len(self._branches) + 1:040x}"
        self._bases[name] = self._branches["main"]
        return self._branches[name]

    def branches(self):
        return set(self._branches)

    def check(self, revision, name, state):
        self._checks.setdefault(revision, {})[name] = state

    def requires(self, name):
        self._required.append(name)

    def moves_on(self):
        self._branches["main"] = "f" * 40

    def main(self):
        return self._branches["main"]

    def _head(self, found):
        return self._branches.get(found["branch"], FIRST)

    def _lacks(self, found):
        """The required checks that its newest commit has not passed."""
        checks = self._checks.get(self._head(found), {})
        return [name for name in self._required if checks.get(name) != "success"]

    def _is_behind(self, found):
        return self._bases[found["branch"]] != self._branches["main"]

    def from_a_fork(self, name):
        return self._add(name, "From a fork", "", fork=True)

    def _add(self, branch, title, body, *, fork=False):
        number = len(self._pulls) + 1
        self._pulls[number] = {"number": number, "branch": branch, "title": title, "body": body, "fork": fork}
        self._pulls[number] |= {"state": "open", "merged": False}
        return number

    def merge(self, number):
        self._pulls[number] |= {"state": "closed", "merged": True}

    def somebody(self, name, right):
        self._accounts[name] = len(self._accounts) + 1
        self._rights[name] = right
        return name

    def gone(self, login):
        del self._rights[login]

    def speak(self, number, login, text):
        said = self._comments.setdefault(number, [])
        said.append({"id": 100 * number + len(said), "login": login, "body": text, "at": datetime.now(UTC)})
        return said[-1]

    def label(self, number, login, name):
        self._labels.setdefault(number, []).append(name)
        self._happened(number, login, name, set_=True)

    def unlabel(self, number, login, name):
        self._labels[number].remove(name)
        self._happened(number, login, name, set_=False)

    def _happened(self, number, login, name, *, set_):
        events = self._events.setdefault(number, [])
        key = 1000 * number + len(events)
        events.append({"id": key, "login": login, "label": name, "set": set_, "at": datetime.now(UTC)})

    def comments(self, number):
        return [one["body"] for one in self._comments.get(number, [])]

    def status(self, revision):
        return self._statuses[revision]

    def _about_more(self, *asked):
        """What it answers to questions that it has parts of its own for; None where it is not asked about these."""
        answers = (about(*asked) for about in (self._about_people, self._about_merges))
        return next((answer for answer in answers if answer is not None), None)

    def _answer(self, handler):
        said = json.loads(handler.body) if handler.body else {}
        path, _, query = handler.path.partition("?")
        code, answer = self._handled(handler.command, path, query, said, handler.headers)
        content = b"" if answer is None else json.dumps(answer).encode()
        handler.send_response(code)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)


_NOT_FOUND = (HTTPStatus.NOT_FOUND, {"message": "Not Found"})


class GitHubKind(_Documented):
    """https://docs.github.com/en/rest?apiVersion=2022-11-28, as an Enterprise Server has it below /api/v3."""

    hides_runs = False

    def __init__(self, server, folder):
        super().__init__(server, folder)
        self.forge = GitHubForge(self.place)

    def _takes(self, headers):
        return headers["Authorization"] == "Bearer the-token"

    def _handled(self, method, path, query, said, headers):
        assert headers["Accept"] == "application/vnd.github+json"
        if not self._takes(headers):
            return HTTPStatus.UNAUTHORIZED, {"message": "Bad credentials"}
        assert path.startswith("/api/v3/repos/shop/models/")
        return self._of_the_repository(method, path.removeprefix("/api/v3/repos/shop/models"), query, said)

    def _of_the_repository(self, method, path, query, said):
        if (method, path) == ("GET", "/pulls"):
            asked = {name: values[0] for name, values in parse_qs(query).items()}
            assert asked["per_page"] == "50"
            listed = [one for one in self._pulls.values() if one["state"] == asked["state"]]
            if "head" in asked:
                listed = [one for one in listed if asked["head"] == f"shop:{one['branch']}" and not one["fork"]]
            return 200, [self._pull(one) for one in listed] if asked.get("page", "1") == "1" else []
        if (method, path) == ("POST", "/pulls"):
            assert said.keys() == {"head", "base", "title", "body"}
            if said["head"] not in self._branches:
                return 422, {"message": "Validation Failed", "errors": [{"field": "head", "code": "invalid"}]}
            return 201, self._pull(self._pulls[self._add(said["head"], said["title"], said["body"])])
        if match := re.fullmatch(r"/pulls/(\d+)", path):
            if int(match[1]) not in self._pulls:
                return _NOT_FOUND
            found = self._pulls[int(match[1])]
            assert method in ("GET", "PATCH")
            assert said.keys() <= {"title", "body", "state"}
            found.update(said)
            # Only this call tells whether it can be merged; the list does not.
            return 200, self._pull(found) | {"merged": found["merged"], "mergeable": None}
        if (answer := self._about_more(method, path, query, said)) is not None:
            return answer
        if method == "DELETE" and (match := re.fullmatch(r"/git/refs/heads/(.+)", path)):
            gone = self._branches.pop(match[1], None)
            return (204, None) if gone else (422, {"message": "Reference does not exist"})
        if match := re.fullmatch(r"/statuses/([0-9a-f]{40})", path):
            assert said["context"] == "promoter/rollout"
            assert said["state"] in ("error", "failure", "pending", "success")
            assert len(said["description"]) <= 140
            self._statuses[match[1]] = said["state"], said["description"], said.get("target_url")
            return 201, {"id": 1, **said}
        return _NOT_FOUND

    def _about_merges(self, method, path, query, said):
        """Checks are statuses where their name has a slash, and runs otherwise."""
        if method == "GET" and (match := re.fullmatch(r"/commits/([0-9a-f]{40})/(status|check-runs)", path)):
            found = self._checks.get(match[1], {})
            if match[1] in self._statuses:
                found = found | {"promoter/rollout": self._statuses[match[1]][0]}
            assert query == "per_page=100"
            if match[2] == "status":
                listed = [{"context": name, "state": state} for name, state in found.items() if "/" in name]
                return 200, {"state": "pending", "statuses": listed, "total_count": len(listed), "sha": match[1]}
            if self.hides_runs:
                return HTTPStatus.FORBIDDEN, {"message": "Resource not accessible by personal access token"}
            runs = [
                {"name": name, "status": "in_progress", "conclusion": None}
                if state == "pending"
                else {"name": name, "status": "completed", "conclusion": state}
                for name, state in found.items()
                if "/" not in name
            ]
            return 200, {"total_count": len(runs), "check_runs": runs}
        if method == "PUT" and (match := re.fullmatch(r"/pulls/(\d+)/merge", path)):
            assert said.keys() == {"merge_method", "sha"}
            assert said["merge_method"] == "merge"
            found = self._pulls[int(match[1])]
            if said["sha"] != self._head(found):
                return HTTPStatus.CONFLICT, {"message": "Head branch was modified. Review and try the merge again."}
            if lacking := self._lacks(found):
                return HTTPStatus.METHOD_NOT_ALLOWED, {"message": f'Required status check "{lacking[0]}" is expected.'}
            if self._is_behind(found):
                return HTTPStatus.METHOD_NOT_ALLOWED, {"message": "The head branch is not up to date."}
            self.merge(int(match[1]))
            self._branches["main"] = "a" * 40
            return 200, {"sha": "a" * 40, "merged": True, "message": "Pull Request successfully merged"}
        return None

    def _about_people(self, method, path, query, said):
        """What it answers to questions about comments and people; None where it is not asked about these."""
        if match := re.fullmatch(r"/issues/(\d+)/comments", path):
            if method == "POST":
                return 201, self._said(int(match[1]), self.speak(int(match[1]), "promoter", said["body"]))
            asked = {name: values[0] for name, values in parse_qs(query).items()}
            assert asked.keys() == {"since", "per_page", "page"}
            since, first = datetime.fromisoformat(asked["since"]), 50 * (int(asked["page"]) - 1)
            listed = [one for one in self._comments.get(int(match[1]), []) if one["at"] >= since]
            return 200, [self._said(int(match[1]), one) for one in listed[first : first + 50]]
        if method == "GET" and (match := re.fullmatch(r"/issues/(\d+)/timeline", path)):
            asked = {name: values[0] for name, values in parse_qs(query).items()}
            assert asked.keys() == {"per_page", "page"}
            size = int(asked["per_page"])
            first = size * (int(asked["page"]) - 1)
            first_of_all = {"login": "promoter", "id": 2, "label": "old", "set": True, "at": datetime.now(UTC)}
            listed = [self._event(one) for one in (first_of_all, *self._events.get(int(match[1]), []))]
            # An account that was deleted is nobody.
            listed[0]["actor"] = None
            # A commit in a timeline is nobody's deed, and of no time but its own.
            listed.insert(0, {"event": "committed", "sha": "1" * 40, "author": {"name": "promoter"}})
            return 200, listed[first : first + size]
        if method == "DELETE" and (match := re.fullmatch(r"/issues/(\d+)/labels/([^/]+)", path)):
            if unquote(match[2]) not in self._labels.get(int(match[1]), []):
                return HTTPStatus.NOT_FOUND, {"message": "Label does not exist"}
            self.unlabel(int(match[1]), "promoter", unquote(match[2]))
            return 200, [{"name": name} for name in self._labels[int(match[1])]]
        if method == "GET" and (match := re.fullmatch(r"/collaborators/([^/]+)/permission", path)):
            if match[1] not in self._accounts:
                return _NOT_FOUND
            user = {"login": match[1], "id": self._accounts[match[1]], "name": None, "email": None}
            right = self._rights.get(match[1]) or "none"
            return 200, {"permission": right, "role_name": right, "user": user}
        return None

    def _event(self, one):
        return {
            "id": one["id"],
            "url": f"{self._server.url}/api/v3/repos/shop/models/issues/events/{one['id']}",
            "event": "labeled" if one["set"] else "unlabeled",
            "actor": {"login": one["login"], "id": self._accounts[one["login"]]},
            "label": {"name": one["label"], "color": "00aabb"},
            "commit_id": None,
            "commit_url": None,
            "created_at": f"{one['at']:%Y-%m-%dT%H:%M:%SZ}",
            "performed_via_github_app": None,
        }

    def _said(self, number, one):
        return {
            "id": one["id"],
            "html_url": f"{self._server.url}/shop/models/pull/{number}#issuecomment-{one['id']}",
            "body": one["body"],
            "user": {"login": one["login"], "id": self._accounts[one["login"]]},
            "created_at": f"{one['at']:%Y-%m-%dT%H:%M:%SZ}",
        }

    def _pull(self, found):
        ours = {"id": 7, "full_name": "shop/models"}
        theirs = {"id": 8, "full_name": "eve/models"}
        return {
            "number": found["number"],
            "state": found["state"],
            "title": found["title"],
            "body": found["body"] or None,
            "html_url": f"{self._server.url}/shop/models/pull/{found['number']}",
            "merged_at": "2026-11-22T20:16:34Z" if found["merged"] else None,
            "labels": [{"id": 1, "name": name} for name in self._labels.get(found["number"], [])],
            "user": {"login": "promoter", "id": 1},
            "head": {"ref": found["branch"], "sha": self._head(found), "repo": theirs if found["fork"] else ours},
            "base": {"ref": "main", "sha": FIRST, "repo": ours},
        }


class GitHubAppKind(GitHubKind):
    """The same, and the promoter is an App that is installed there."""

    def __init__(self, server, folder):
        self.apps = GitHubApps()
        super().__init__(server, folder)
        self.tokens = tokens_of(self.apps, server, folder)
        self.place = replace(self.place, tokens=self.tokens)
        self.forge = GitHubForge(self.place)

    def _takes(self, headers):
        return self.apps.takes(headers)

    def _handled(self, method, path, query, said, headers):
        answer = self.apps.answer(method, path.removeprefix("/api/v3"), said, headers)
        return super()._handled(method, path, query, said, headers) if answer is None else answer


class GitLabKind(_Documented):
    """https://docs.gitlab.com/api, version 4."""

    def __init__(self, server, folder):
        super().__init__(server, folder)
        self.forge = GitLabForge(self.place)

    def _handled(self, method, path, query, said, headers):
        assert headers["PRIVATE-TOKEN"] == "the-token"
        assert path.startswith("/api/v4/projects/shop%2Fmodels/")
        path = path.removeprefix("/api/v4/projects/shop%2Fmodels")
        if (method, path) == ("GET", "/merge_requests"):
            asked = {name: values[0] for name, values in parse_qs(query).items()}
            assert asked["target_branch"] == "main"
            listed = [self._request(one) for one in self._pulls.values()]
            for name, key in (("state", "state"), ("source_branch", "source_branch")):
                listed = [one for one in listed if name not in asked or one[key] == asked[name]]
            return 200, listed if asked.get("page", "1") == "1" else []
        if (method, path) == ("POST", "/merge_requests"):
            assert said.keys() == {"source_branch", "target_branch", "title", "description"}
            return 201, self._request(self._pulls[self._add(said["source_branch"], said["title"], said["description"])])
        if match := re.fullmatch(r"/merge_requests/(\d+)", path):
            if int(match[1]) not in self._pulls:
                return HTTPStatus.NOT_FOUND, {"message": "404 Not found"}
            found = self._pulls[int(match[1])]
            assert method in ("GET", "PUT")
            assert said.keys() <= {"title", "description", "state_event", "remove_labels"}
            self._without(int(match[1]), said.get("remove_labels", "").split(","))
            found["title"] = said.get("title", found["title"])
            found["body"] = said.get("description", found["body"])
            if said.get("state_event") == "close":
                found["state"] = "closed"
            return 200, self._request(found)
        if (answer := self._about_more(method, path, query, said)) is not None:
            return answer
        if method == "DELETE" and (match := re.fullmatch(r"/repository/branches/([^/]+)", path)):
            gone = self._branches.pop(unquote(match[1]), None)
            return (204, None) if gone else (404, {"message": "404 Branch Not Found"})
        if match := re.fullmatch(r"/statuses/([0-9a-f]{40})", path):
            assert said["name"] == "promoter/rollout"
            assert said["state"] in ("pending", "running", "success", "failed", "canceled")
            assert len(said["description"]) <= 255
            state = "failure" if said["state"] == "failed" else said["state"]
            self._statuses[match[1]] = state, said["description"], said.get("target_url")
            return 201, {"id": 1, "status": said["state"]}
        return HTTPStatus.NOT_FOUND, {"error": "404 Not Found"}

    def _about_merges(self, method, path, query, said):
        """A project whose merge method is fast-forward."""
        if method == "GET" and (match := re.fullmatch(r"/repository/commits/([0-9a-f]{40})/statuses", path)):
            assert query == "per_page=100"
            words = {"failure": "failed", "pending": "running"}
            found = dict(self._checks.get(match[1], {}))
            if match[1] in self._statuses:
                found["promoter/rollout"] = self._statuses[match[1]][0]
            listed = [
                {"name": name, "status": words.get(state, state), "allow_failure": False}
                for name, state in found.items()
            ]
            optional = {"name": "lint", "status": "failed", "allow_failure": True}
            by_hand = {"name": "deploy", "status": "manual", "allow_failure": False}
            return 200, [*listed, optional, by_hand]
        if method == "PUT" and (match := re.fullmatch(r"/merge_requests/(\d+)/merge", path)):
            assert said.keys() == {"sha", "squash"}
            assert said["squash"] is False
            found = self._pulls[int(match[1])]
            if said["sha"] != self._head(found):
                return HTTPStatus.CONFLICT, {"message": "SHA does not match HEAD of source branch"}
            if self._lacks(found):
                return HTTPStatus.METHOD_NOT_ALLOWED, {"message": "405 Method Not Allowed"}
            if self._is_behind(found):
                # The check of whether it can be merged may be late, and then it is said afterwards.
                late = {"merge_error": "9:not fast forward. Please try again."}
                return 200, self._request(found) | late
            self.merge(int(match[1]))
            self._branches["main"] = self._head(found)
            return 200, self._request(found) | {"merge_error": None}
        return None

    def _about_people(self, method, path, query, said):
        """What it answers to questions about comments and people; None where it is not asked about these."""
        if match := re.fullmatch(r"/merge_requests/(\d+)/notes", path):
            if method == "POST":
                return 201, self._note(self.speak(int(match[1]), "promoter", said["body"]))
            asked = {name: values[0] for name, values in parse_qs(query).items()}
            assert asked == {"sort": "desc", "order_by": "created_at", "per_page": "100"}
            listed = [self._note(one) for one in reversed(self._comments.get(int(match[1]), []))]
            approved = {"login": "promoter", "id": 1, "body": "/revert", "at": datetime.now(UTC)}
            return 200, [*listed, self._note(approved) | {"system": True}][:100]
        if method == "GET" and (match := re.fullmatch(r"/merge_requests/(\d+)/resource_label_events", path)):
            asked = {name: int(values[0]) for name, values in parse_qs(query).items()}
            first = asked["per_page"] * (asked["page"] - 1)
            deleted = {"id": 9, "login": "promoter", "label": "old", "set": True, "at": datetime.now(UTC)}
            listed = [self._event(int(match[1]), one) for one in (deleted, *self._events.get(int(match[1]), []))]
            # A label that was deleted has no name any more.
            listed[0]["label"] = None
            return 200, listed[first : first + asked["per_page"]]
        if method == "GET" and (match := re.fullmatch(r"/members/all/(\d+)", path)):
            for name, number in self._accounts.items():
                if number == int(match[1]) and self._rights.get(name):
                    level = {"read": 20, "write": 30}[self._rights[name]]
                    member = {"id": number, "username": name, "name": "Somebody", "state": "active"}
                    return 200, member | {"access_level": level}
            return HTTPStatus.NOT_FOUND, {"message": "404 Not found"}
        return None

    def _without(self, number, labels):
        for name in labels:
            if name in self._labels.get(number, []):
                self.unlabel(number, "promoter", name)

    def _event(self, number, one):
        user = {"id": self._accounts[one["login"]], "username": one["login"], "name": "Somebody", "state": "active"}
        return {
            "id": one["id"],
            "user": user,
            "created_at": f"{one['at']:%Y-%m-%dT%H:%M:%S}.123Z",
            "resource_type": "MergeRequest",
            "resource_id": 1000 + number,
            "label": {"id": 73, "name": one["label"], "color": "#00aabb", "description": ""},
            "action": "add" if one["set"] else "remove",
        }

    def _note(self, one):
        author = {"id": self._accounts[one["login"]], "username": one["login"], "name": "Somebody", "state": "active"}
        at = f"{one['at']:%Y-%m-%dT%H:%M:%S}.123Z"
        return {"id": one["id"], "body": one["body"], "author": author, "created_at": at, "system": False}

    def _request(self, found):
        state = "merged" if found["merged"] else "opened" if found["state"] == "open" else "closed"
        return {
            "iid": found["number"],
            "id": 1000 + found["number"],
            "state": state,
            "title": found["title"],
            "description": found["body"] or None,
            "source_branch": found["branch"],
            "target_branch": "main",
            "source_project_id": 8 if found["fork"] else 7,
            "target_project_id": 7,
            "sha": self._head(found),
            "labels": self._labels.get(found["number"], []),
            "author": {"id": 1, "username": "promoter", "name": "Promoter", "state": "active"},
            "detailed_merge_status": "checking",
            "web_url": f"{self._server.url}/shop/models/-/merge_requests/{found['number']}",
        }
