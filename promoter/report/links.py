"""Where a Git host shows a commit to people."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

# `git@host:path`, the short form of an SSH address.
_SHORT_SSH = re.compile(r"(?:[^/:@\s]+@)?([^/:@\s]+):(?!//)(\S+)")


def commit_page(repository: str) -> str | None:
    """The address of a commit's page, up to its hash; None where the repository is on no host that has pages.

    GitHub, Gitea and Forgejo have `…/commit/<hash>`, and GitLab leads from there to its own. Names and passwords in
    the repository's address are left out, and so is a port of SSH.
    """
    short = _SHORT_SSH.fullmatch(repository)
    if short is not None and "://" not in repository:
        return _page("https", short[1], short[2])
    try:
        parts = urlsplit(repository)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if host is None or parts.scheme not in ("http", "https", "ssh"):
        return None
    if parts.scheme == "ssh":
        return _page("https", host, parts.path)
    return _page(parts.scheme, f"{host}:{port}" if port else host, parts.path)


def _page(scheme: str, host: str, path: str) -> str:
    return f"{scheme}://{host}/{path.strip('/').removesuffix('.git')}/commit/"
