"""Who a person is to Git, and with which password: asked of the person's own `git`."""

from __future__ import annotations

import os
import re
import subprocess
from urllib.parse import quote, urlsplit

from promoter.errors import InvalidInput
from promoter.settings import GitRemote

_AUTHOR = re.compile(r"\s*([^<>]+?)\s*<\s*([^<>\s]+)\s*>\s*")
_LONGEST_WAIT_S = 30


def author(given: str | None) -> tuple[str, str]:
    """Name and e-mail of whoever speaks: `Ada <ada@example.com>`, or with None whom Git knows. Raises InvalidInput."""
    if given is not None:
        match = _AUTHOR.fullmatch(given)
        if match is None:
            raise InvalidInput(f"--author is {given!r}: write it like 'Ada Lovelace <ada@example.com>'")
        return match[1], match[2]
    name, email = _git("config", "--get", "user.name").strip(), _git("config", "--get", "user.email").strip()
    if not name or not email:
        raise InvalidInput("Git does not know who you are: set user.name and user.email with `git config`, or --author")
    return name, email


def with_password(remote: GitRemote) -> str:
    """The address, for HTTP with what Git's credential helpers know for it, unless a token or password is set already.

    Nobody is prompted: a server that asks for nothing must not make a person type something.
    """
    if not remote.url.startswith(("https://", "http://")) or remote.token_from is not None:
        return remote.url
    parts = urlsplit(remote.url)
    if parts.password is not None:
        return remote.url
    host = parts.netloc.rpartition("@")[2]
    asked = [f"protocol={parts.scheme}", f"host={host}", f"path={parts.path.lstrip('/')}"]
    asked += [f"username={parts.username}"] if parts.username else []
    answer = dict(
        line.partition("=")[::2] for line in _git("credential", "fill", text="\n".join(asked) + "\n\n").splitlines()
    )
    if not answer.get("password"):
        return remote.url
    user, password = quote(answer.get("username", ""), safe=""), quote(answer["password"], safe="")
    return parts._replace(netloc=f"{user}:{password}@{host}").geturl()


def _git(*words: str, text: str = "") -> str:
    """What `git` prints; nothing where it fails or is not there."""
    silent = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": ""}
    try:
        done = subprocess.run(
            ["git", *words],
            input=text,
            env=silent,
            capture_output=True,
            text=True,
            check=False,
            timeout=_LONGEST_WAIT_S,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""
