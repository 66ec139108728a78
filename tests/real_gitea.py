"""A real Gitea for tests: the one that FORGE_URL and FORGE_TOKEN name, or a process of our own.

Our own is `gitea` on PATH, or what GITEA_BIN names. A binary without its web files inside takes them from GITEA_STATIC,
or from Go's folder of modules. Where there is none, tests that need one are skipped, and say so.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

PASSWORD = "a-password-of-a-test"

_SETTINGS = """\
RUN_MODE = prod
RUN_USER = {user}
[server]
HTTP_ADDR = 127.0.0.1
HTTP_PORT = {port}
ROOT_URL = {url}/
DISABLE_SSH = true
OFFLINE_MODE = true
{static}
[database]
DB_TYPE = sqlite3
PATH = {home}/gitea.db
[repository]
ROOT = {home}/repositories
[security]
INSTALL_LOCK = true
PASSWORD_HASH_ALGO = pbkdf2$1000$50
SECRET_KEY = of-a-test
[webhook]
ALLOWED_HOST_LIST = *
[log]
LEVEL = Error
[service]
DISABLE_REGISTRATION = true
"""


@dataclass
class Gitea:
    """url: its root. token: of an administrator, named `admin`, who owns every repository."""

    url: str
    token: str
    admin: str

    def api(self, method: str, path: str, said=None, token: str | None = None):
        """The answer, which has to be a good one."""
        headers = {"Authorization": f"token {token or self.token}"}
        response = requests.request(method, f"{self.url}/api/v1{path}", json=said, headers=headers, timeout=30)
        assert response.ok, (method, path, response.status_code, response.text)
        return response.json() if response.content else None

    def person(self, name: str) -> tuple[str, str]:
        """A new user, whose name is made unique, and a token of theirs."""
        name = f"{name}-{uuid.uuid4().hex[:6]}"
        account = {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
        self.api("POST", "/admin/users", account | {"must_change_password": False})
        scopes = {"name": "test", "scopes": ["write:repository", "write:issue", "write:user"]}
        response = requests.post(
            f"{self.url}/api/v1/users/{name}/tokens", json=scopes, auth=(name, PASSWORD), timeout=30
        )
        assert response.ok, response.text
        return name, response.json()["sha1"]

    def reading_token(self) -> str:
        """A token of an administrator that changes nothing."""
        # Only a password makes tokens, and of an administrator of a site that is not ours we have none.
        name, _ = self.person("auditor")
        self.api("PATCH", f"/admin/users/{name}", {"source_id": 0, "login_name": name, "admin": True})
        scopes = {"name": "reading", "scopes": ["read:repository"]}
        made = requests.post(f"{self.url}/api/v1/users/{name}/tokens", json=scopes, auth=(name, PASSWORD), timeout=30)
        assert made.ok, made.text
        return made.json()["sha1"]

    def repository(self, name: str, *writers: str) -> str:
        """The path of a new, empty repository, whose name is made unique."""
        name = f"{name}-{uuid.uuid4().hex[:6]}"
        self.api("POST", "/user/repos", {"name": name, "default_branch": "main", "private": True})
        for writer in writers:
            self.api("PUT", f"/repos/{self.admin}/{name}/collaborators/{writer}", {"permission": "write"})
        return f"{self.admin}/{name}"

    def merge(self, path: str, number: int, token: str, style: str = "merge") -> None:
        """Merge as a person does by the button; Gitea needs a moment to find that it can."""
        for _ in range(100):
            headers = {"Authorization": f"token {token}"}
            response = requests.post(
                f"{self.url}/api/v1/repos/{path}/pulls/{number}/merge", json={"Do": style}, headers=headers, timeout=30
            )
            if response.ok:
                return
            time.sleep(0.1)
        raise AssertionError(response.text)


@contextmanager
def a_gitea(folder: Path) -> Iterator[Gitea | None]:
    """One for as long as the context lasts; None where there is none to be had."""
    if url := os.environ.get("FORGE_URL"):
        token = os.environ["FORGE_TOKEN"]
        me = requests.get(f"{url}/api/v1/user", headers={"Authorization": f"token {token}"}, timeout=30).json()
        yield Gitea(url.rstrip("/"), token, me["login"])
        return
    binary = os.environ.get("GITEA_BIN") or shutil.which("gitea")
    if not binary:
        yield None
        return
    with _started(binary, folder) as gitea:
        yield gitea


@contextmanager
def _started(binary: str, home: Path) -> Iterator[Gitea]:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    static = _web_files()
    user = os.environ.get("USER") or "root"
    settings = home / "app.ini"
    settings.write_text(
        _SETTINGS.format(
            user=user, port=port, url=url, home=home, static=f"STATIC_ROOT_PATH = {static}" if static else ""
        )
    )
    words = [binary, "--work-path", str(home), "--config", str(settings)]
    env = os.environ | {"GITEA_I_AM_BEING_UNSAFE_RUNNING_AS_ROOT": "true", "USER": user, "HOME": str(home)}

    def done(*more: str) -> str:
        return subprocess.run([*words, *more], check=True, env=env, capture_output=True, text=True).stdout

    done("migrate")
    account = ("--username", "admin-of-tests", "--password", PASSWORD, "--email", "admin@example.com")
    done("admin", "user", "create", *account, "--admin", "--must-change-password=false")
    token = done(
        "admin", "user", "generate-access-token", "--username", "admin-of-tests", "--raw", "--scopes", "all"
    ).split()[-1]
    with (home / "log").open("w") as log, subprocess.Popen([*words, "web"], env=env, stdout=log, stderr=log) as process:
        try:
            _wait_for(url, process, home / "log")
            yield Gitea(url, token, "admin-of-tests")
        finally:
            process.terminate()


def _wait_for(url: str, process: subprocess.Popen, log: Path) -> None:
    for _ in range(600):
        assert process.poll() is None, log.read_text()
        try:
            if requests.get(f"{url}/api/v1/version", timeout=5).ok:
                return
        except requests.RequestException:
            time.sleep(0.1)
    raise AssertionError(log.read_text())


def _web_files() -> Path | None:
    if named := os.environ.get("GITEA_STATIC"):
        return Path(named)
    modules = Path(os.environ.get("GOMODCACHE") or Path.home() / "go" / "pkg" / "mod")
    found = sorted(modules.glob("code.gitea.io/gitea@*"))
    return found[-1] if found else None
