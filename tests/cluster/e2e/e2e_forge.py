"""A forge beside the cluster: a repository with a protected branch, people who merge, and what its webhook brought."""

from __future__ import annotations

import base64
import http.client
import http.server
import json
import os
import secrets
import socket
import threading
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from e2e_commands import got, kubectl
from real_gitea import Gitea, a_gitea

NEEDED = {
    "FORGE_URL": "a Gitea that Argo CD reaches, and that reaches this machine",
    "FORGE_TOKEN": "an administrator's token for it",
}
# Where Argo CD looks for the secret of Gogs, whose headers Gitea sends, too.
SECRET_KEY = "webhook.gogs.secret"


def missing() -> list[str]:
    """What is not in the environment."""
    return [name for name in NEEDED if not os.environ.get(name)]


class Forge:
    """One repository: the promoter may push release.yaml files, and people come by pull request."""

    def __init__(self, folder):
        with a_gitea(folder) as gitea:
            self.gitea: Gitea = gitea
        self.promoter, promoters_token = self.gitea.person("promoter")
        self.robin, self.robins_token = self.gitea.person("robin")
        self.ada, self._adas_token = self.gitea.person("ada")
        self.path = self.gitea.repository("models", self.promoter, self.robin, self.ada)
        self.page = f"{self.gitea.url}/{self.path}"
        self.url = f"{self.page}.git"
        self.promoters_token_file = folder / "promoters-token"
        self.promoters_token_file.write_text(promoters_token)
        self.rights_file = folder / "rights-token"
        self.rights_file.write_text(self.gitea.reading_token())

    def protect(self, branch):
        rules = {
            "rule_name": branch,
            "enable_push": False,
            "required_approvals": 1,
            "unprotected_file_patterns": "environments/**/release.yaml",
            "block_admin_merge_override": True,
        }
        self._api("POST", "branch_protections", rules)

    def open_pull_request(self, title):
        """The number of the open one with this title; None where there is none."""
        found = [one for one in self._api("GET", "pulls?state=open") if one["title"] == title]
        return found[0]["number"] if found else None

    def pull_requests(self):
        """All there are, the oldest first: (title, merged)."""
        found = self._api("GET", "pulls?state=all")
        return [(one["title"], one["merged"]) for one in sorted(found, key=lambda one: one["number"])]

    def agree(self, number):
        """Ada reviews a pull request and merges it. Returns the revision that the branch has then."""
        self._api("POST", f"pulls/{number}/reviews", {"event": "APPROVED", "body": "I agree"}, self._adas_token)
        self.gitea.merge(self.path, number, self._adas_token)
        return self._api("GET", f"pulls/{number}")["merge_commit_sha"]

    def propose(self, branch, path, edit, title):
        """Robin's pull request, which changes one file. Returns its number."""
        there = self._api("GET", f"contents/{path}?ref={branch}")
        text = edit(base64.b64decode(there["content"]).decode())
        topic = f"robin-{secrets.token_hex(3)}"
        change = {
            "branch": branch,
            "new_branch": topic,
            "sha": there["sha"],
            "message": title,
            "content": base64.b64encode(text.encode()).decode(),
        }
        self._api("PUT", f"contents/{path}", change, self.robins_token)
        asked = {"head": topic, "base": branch, "title": title}
        return self._api("POST", "pulls", asked, self.robins_token)["number"]

    def call(self, url, secret):
        """One webhook, for pushes: at this address, signed with this secret."""
        for hook in self._api("GET", "hooks"):
            self._api("DELETE", f"hooks/{hook['id']}")
        config = {"url": url, "content_type": "json", "secret": secret}
        self._api("POST", "hooks", {"type": "gitea", "active": True, "events": ["push"], "config": config})

    def remove(self):
        self.gitea.api("DELETE", f"/repos/{self.path}")

    def _api(self, method, path, said=None, token=None):
        return self.gitea.api(method, f"/repos/{self.path}/{path}", said, token)


@dataclass(frozen=True, slots=True)
class Delivery:
    """A push that the forge told of. status: Argo CD's answer. at: of the wall clock, when that was there."""

    ref: str
    revision: str
    status: int
    at: float


class Hearer:
    """Stands between the forge and Argo CD: passes on each webhook as it came, and remembers the answer."""

    def __init__(self, argocd_url, forge_url):
        self.deliveries = []
        argocd, forge = urlsplit(argocd_url), urlsplit(forge_url)
        connection = http.client.HTTPSConnection if argocd.scheme == "https" else http.client.HTTPConnection
        deliveries = self.deliveries

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
                server = connection(argocd.netloc, timeout=20)
                server.request("POST", self.path, body, headers)
                answer = server.getresponse()
                answer.read()
                push = json.loads(body)
                deliveries.append(Delivery(push["ref"], push["after"], answer.status, time.time()))
                self.send_response(answer.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        # The address by which this machine goes to the forge is one at which the forge finds it.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as way:
            way.connect((forge.hostname, forge.port or 80))
            address = way.getsockname()[0]
        self._server = http.server.ThreadingHTTPServer((address, 0), Handler)
        self.url = f"http://{address}:{self._server.server_port}/api/webhook"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def of(self, revision):
        """Argo CD's answers to what the forge told of a revision."""
        return [each.status for each in list(self.deliveries) if each.revision == revision]

    def close(self):
        self._server.shutdown()
        self._server.server_close()


class ArgoSecret:
    """The secret with which Argo CD wants webhooks signed; at the end it is what it was."""

    def __init__(self, place):
        self.value = secrets.token_hex(16)
        self._url = f"{place.argocd_url}/api/webhook"
        self._secret = ("secret", "argocd-secret", "--namespace", place.argocd_namespace)
        self._before = (got(*self._secret).get("data") or {}).get(SECRET_KEY)

    def set(self):
        self._patch(base64.b64encode(self.value.encode()).decode())
        # Argo CD's server begins anew, and then refuses what is not signed.
        for _ in range(300):
            if self._unsigned() == http.client.BAD_REQUEST:
                return
            time.sleep(0.2)
        raise AssertionError("Argo CD takes webhooks that nobody has signed")

    def restore(self):
        self._patch(self._before)
        for _ in range(300):
            if self._before is not None or self._unsigned() == http.client.OK:
                return
            time.sleep(0.2)

    def _patch(self, value):
        kubectl("patch", *self._secret, "--type=merge", "--patch", json.dumps({"data": {SECRET_KEY: value}}))

    def _unsigned(self):
        address = urlsplit(self._url)
        connection = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
        try:
            server = connection(address.netloc, timeout=10)
            server.request("POST", address.path, b"{}", {"X-Gogs-Event": "push", "Content-Type": "application/json"})
            return server.getresponse().status
        except OSError:
            return None
