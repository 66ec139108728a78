"""kubectl, git and promoter as a person calls them."""

from __future__ import annotations

import base64
import json
import subprocess
import sys


def run(*words, text="", cwd=None, check=True, timeout=120, environment=None):
    done = subprocess.run(
        [str(word) for word in words],
        input=text,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
        cwd=cwd,
        env=environment,
    )
    if check:
        assert done.returncode == 0, f"{words[:4]}: {done.stdout}{done.stderr}"
    return done


def kubectl(*words, text="", check=True):
    return run("kubectl", *words, text=text, check=check).stdout


def got(*words):
    """Objects as they are in the cluster; None where there is none."""
    text = kubectl("get", *words, "--output=json", "--ignore-not-found")
    return json.loads(text) if text.strip() else None


def applied(*manifests):
    kubectl("apply", "--filename=-", text=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(manifests)}))


def promoter(*words, environment=None, cwd=None, check=True):
    return run(sys.executable, "-m", "promoter", *words, environment=environment, cwd=cwd, check=check)


class Checkout:
    """A person's checkout of the environment repository, on a branch of its own."""

    def __init__(self, folder, url, token, branch):
        self.folder, self.branch = folder, branch
        self._url = url
        basic = base64.b64encode(f"git:{token}".encode()).decode()
        self._git = ("git", "-c", f"http.extraHeader=Authorization: Basic {basic}", "-c", "credential.helper=")
        folder.mkdir()
        self.git("init", "--quiet", f"--initial-branch={branch}")
        self.git("config", "user.name", "Robin Operator")
        self.git("config", "user.email", "robin@example.com")
        self.git("remote", "add", "origin", url)

    def git(self, *words, check=True):
        return run(*self._git, *words, cwd=self.folder, check=check).stdout

    def begin(self, subject):
        """The first commit, in place of whatever the branch held."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", subject)
        self.git("push", "--quiet", "--force", "origin", f"HEAD:refs/heads/{self.branch}")

    def pull(self):
        self.git("fetch", "--quiet", "origin", self.branch)
        self.git("reset", "--quiet", "--hard", "FETCH_HEAD")

    def change(self, path, edit, subject):
        """Commit what `edit` makes of a file's text and push it, again where somebody was quicker."""
        for _ in range(10):
            revision = self.commit(path, edit, subject)
            if self.push():
                return revision
        raise AssertionError(f"{subject!r} could not be pushed in ten tries")

    def commit(self, path, edit, subject):
        """Commit, on the newest head, what `edit` makes of a file's text; it is here alone until it is pushed."""
        self.pull()
        file = self.folder / path
        file.write_text(edit(file.read_text(encoding="utf-8")), encoding="utf-8")
        self.git("commit", "--quiet", "--all", "--message", subject)
        return self.git("rev-parse", "HEAD").strip()

    def push(self):
        """Whether nobody was quicker."""
        words = (*self._git, "push", "--quiet", "origin", f"HEAD:{self.branch}")
        return run(*words, cwd=self.folder, check=False).returncode == 0

    def commits(self, path):
        """(revision, author's e-mail, subject) of each commit that changed `path`, the oldest first."""
        self.pull()
        text = self.git("log", "--reverse", "--format=%H%x09%ae%x09%s", "--", path)
        return [tuple(line.split("\t")) for line in text.splitlines()]

    def drop_branch(self):
        self.git("push", "--quiet", "origin", f":refs/heads/{self.branch}", check=False)
