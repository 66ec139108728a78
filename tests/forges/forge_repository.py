"""A repository on a real Gitea, with a protected branch: the promoter's clone of it, and what people do to it."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from urllib.parse import urlsplit

import requests
from builders import RANKER
from real_gitea import Gitea

from promoter.adapters.forges import ForgePlace, GiteaForge
from promoter.adapters.git import GitRepository, GitSettings
from promoter.tokens import TokenFile

_ENVIRONMENT = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}


class ProtectedRepository:
    """`promoter.ports.Repository` by the real adapter, and the head as the fakes of a cluster read it.

    The promoter's account may write; the branch takes no push but of release.yaml files, and a merge needs a review.
    """

    def __init__(self, gitea: Gitea, folder: Path) -> None:
        self._gitea = gitea
        self._folder = folder
        self.promoter, token = gitea.person("promoter")
        self.ada, self._adas_token = gitea.person("ada")
        self.path = gitea.repository("models", self.promoter, self.ada)
        self.token_file = folder / "token"
        self.token_file.write_text(token)
        self.tokens = TokenFile(self.token_file)
        self.url = f"{gitea.url}/{self.path}"
        # Of an administrator, but for reading alone: with it the promoter asks who may write.
        self.rights_file = folder / "rights-token"
        self.rights_file.write_text(gitea.reading_token())
        self.forge = GiteaForge(ForgePlace(self.url, "main", self.tokens, rights=TokenFile(self.rights_file)))
        self._repository = GitRepository(
            GitSettings(
                url=f"{self.url}.git",
                branch="main",
                clone=folder / "clone.git",
                author_name="promoter",
                author_email="promoter@example.com",
                tokens=self.tokens,
            )
        )
        self._trees: dict[str, dict[str, bytes]] = {}

    def __getattr__(self, name):
        return getattr(self._repository, name)

    def person(self, files, message="First files"):
        """The first commit of all, and the rules of the branch after it."""
        work = self._folder / "work"
        self._git(self._folder, "init", "--quiet", "--initial-branch=main", str(work))
        for path, content in files.items():
            (work / path).parent.mkdir(parents=True, exist_ok=True)
            (work / path).write_text(content)
        self._git(work, "add", ".")
        self._git(work, "commit", "--quiet", "--message", message)
        self._git(work, "push", "--quiet", self._address(self._adas_token), "main")
        # Gitea takes note of a push after it has answered.
        for _ in range(300):
            if not self._gitea.api("GET", f"/repos/{self.path}")["empty"]:
                break
            time.sleep(0.1)
        rules = {"rule_name": "main", "enable_push": False, "block_admin_merge_override": True} | self.rules()
        self._gitea.api("POST", f"/repos/{self.path}/branch_protections", rules)
        self._repository.fetch()

    def rules(self):
        """What the branch asks besides."""
        return {"required_approvals": 1, "unprotected_file_patterns": "environments/**/release.yaml"}

    def push_refused(self, path: str) -> str:
        """What the server says to a push of another file by the promoter's account."""
        work = self._folder / "forbidden"
        self._git(self._folder, "clone", "--quiet", self._address(self.token_file.read_text()), str(work))
        (work / path).write_text("something else\n")
        self._git(work, "add", ".")
        self._git(work, "commit", "--quiet", "--message", "What is forbidden")
        words = ("git", "-C", str(work), "push", "origin", "main")
        pushed = subprocess.run(words, env=_ENVIRONMENT, capture_output=True, text=True, check=False)
        assert pushed.returncode != 0
        return pushed.stderr

    def agree(self, number: int, style: str) -> None:
        """Ada reviews a pull request and merges it."""
        review = {"event": "APPROVED", "body": "I agree"}
        self._gitea.api("POST", f"/repos/{self.path}/pulls/{number}/reviews", review, self._adas_token)
        self._gitea.merge(self.path, number, self._adas_token, style)

    def pull_requests(self):
        """All there are, the oldest first: (title, merged, state)."""
        found = self._gitea.api("GET", f"/repos/{self.path}/pulls?state=all")
        return [(one["title"], one["merged"], one["state"]) for one in sorted(found, key=lambda one: one["number"])]

    def comment(self, number: int, text: str, *, writer: bool) -> None:
        """Ada comments, who may write; or somebody who may only read."""
        token = self._adas_token
        if not writer:
            eve, token = self._gitea.person("eve")
            self._gitea.api("PUT", f"/repos/{self.path}/collaborators/{eve}", {"permission": "read"})
        self._gitea.api("POST", f"/repos/{self.path}/issues/{number}/comments", {"body": text}, token)

    def label(self, number: int, name: str, *, leaves: bool = False) -> None:
        """Ada sets a label; or somebody who may write no more by the time anybody looks."""
        token = self._adas_token
        if leaves:
            grace, token = self._gitea.person("grace")
            self._gitea.api("PUT", f"/repos/{self.path}/collaborators/{grace}", {"permission": "write"})
        made = self._gitea.api("POST", f"/repos/{self.path}/labels", {"name": name, "color": "#00aabb"})
        self._gitea.api("POST", f"/repos/{self.path}/issues/{number}/labels", {"labels": [made["id"]]}, token)
        if leaves:
            self._gitea.api("PUT", f"/repos/{self.path}/collaborators/{grace}", {"permission": "read"})

    def labels(self, number: int):
        return [one["name"] for one in self._gitea.api("GET", f"/repos/{self.path}/issues/{number}/labels")]

    def comments(self, number: int):
        return [one["body"] for one in self._gitea.api("GET", f"/repos/{self.path}/issues/{number}/comments")]

    def page(self, number: int) -> str:
        """The body of a pull request as the forge shows it to people."""
        text = self._gitea.api("GET", f"/repos/{self.path}/pulls/{number}")["body"]
        asked = {"Text": text, "Mode": "comment", "Context": self.path}
        headers = {"Authorization": f"token {self._gitea.token}"}
        return requests.post(f"{self._gitea.url}/api/v1/markdown", json=asked, headers=headers, timeout=30).text

    def statuses(self):
        """(subject, state of `promoter/rollout`) of each commit of the promoter's, the oldest first."""
        told = []
        for commit in reversed(self._repository.log(self._repository.fetch())):
            if commit.ours:
                found = self._gitea.api("GET", f"/repos/{self.path}/commits/{commit.revision}/status")
                told.append((commit.subject, found["state"]))
        return told

    def send_webhooks_to(self, url: str, secret: str) -> None:
        config = {"url": url, "content_type": "json", "secret": secret}
        asked = {"type": "gitea", "active": True, "events": ["push", "pull_request"], "config": config}
        self._gitea.api("POST", f"/repos/{self.path}/hooks", asked)

    @property
    def head(self):
        revision = self._repository.last_known_head()
        if revision not in self._trees:
            paths = (RANKER.release_path, RANKER.policy_path)
            self._trees[revision] = {path: self._repository.read(revision, path) for path in paths}
        return {"id": revision, "tree": self._trees[revision]}

    def _address(self, token: str) -> str:
        parts = urlsplit(f"{self.url}.git")
        return parts._replace(netloc=f"x-access-token:{token}@{parts.netloc}").geturl()

    def _git(self, folder: Path, *words: str) -> None:
        who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")
        words = ("git", *who, *words)
        done = subprocess.run(words, cwd=folder, env=_ENVIRONMENT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


class SealedRepository(ProtectedRepository):
    """Nobody at all may push to the branch, and what is merged has passed `ci/test`, which `run_checks` is."""

    def rules(self):
        return {"enable_status_check": True, "status_check_contexts": ["ci/test"]}

    def run_checks(self, state="success"):
        """What a CI would find of every open pull request's newest commit."""
        for one in self._gitea.api("GET", f"/repos/{self.path}/pulls?state=open"):
            said = {"state": state, "context": "ci/test", "description": "by a test"}
            self._gitea.api("POST", f"/repos/{self.path}/statuses/{one['head']['sha']}", said)

    def merge_by_hand(self, number):
        """Ada merges, by a merge commit, as the button does if nobody chose another way."""
        self._gitea.merge(self.path, number, self._adas_token, "merge")

    def merged(self):
        """The newest commits of the pull requests that were merged, the oldest first."""
        found = self._gitea.api("GET", f"/repos/{self.path}/pulls?state=closed&limit=50")
        return [one["head"]["sha"] for one in sorted(found, key=lambda one: one["number"]) if one["merged"]]

    def on_branch(self):
        """Every commit after the first one, the oldest first, as the promoter reads them; and their hashes by Git."""
        commits = self._repository.log(self._repository.fetch(), None, 100)[:-1][::-1]
        by_git = self._git_says("rev-list", "--reverse", "main").split()[1:]
        return commits, by_git

    def _git_says(self, *words):
        where = self._folder / "looked-at.git"
        if not where.exists():
            self._git(self._folder, "clone", "--quiet", "--bare", self._address(self._adas_token), str(where))
        self._git(where, "fetch", "--quiet", self._address(self._adas_token), "+main:main")
        words = ("git", "-C", str(where), *words)
        return subprocess.run(words, env=_ENVIRONMENT, capture_output=True, text=True, check=True).stdout
