"""Which repository on which forge, and with whose token."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from urllib.parse import quote, urlsplit

from promoter.errors import InvalidSettings
from promoter.tokens import Tokens


@dataclass(frozen=True, slots=True)
class ForgePlace:
    """One repository of one forge.

    url: the repository's page, `https://git.example.com/shop/models`. branch: where pull requests go. tokens: asked
    at each use. timeout: for connecting, for each wait for bytes, and for one whole answer. rights: the tokens
    with which the forge is asked what people may do; None for the same ones. Raises InvalidSettings for a url that
    names no repository.
    """

    url: str
    branch: str
    tokens: Tokens
    timeout: timedelta = timedelta(seconds=10)
    rights: Tokens | None = None

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        named = [word for word in self.path.split("/") if word not in ("", ".", "..")]
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
            raise InvalidSettings("the forge's URL must be https://<host>/<owner>/<repository>, without user or query")
        if len(named) < 2 or "/".join(named) != self.path:
            raise InvalidSettings(
                f"{self.url} names no repository of a forge: write the URL of its page, <owner>/<repository>"
            )

    @property
    def for_rights(self) -> ForgePlace:
        """The same with the token that may ask for people's rights."""
        return self if self.rights is None else replace(self, tokens=self.rights)

    @property
    def host(self) -> str:
        """The forge's root, without a slash at its end."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def path(self) -> str:
        """`owner/repository`, with GitLab's groups where there are some."""
        return urlsplit(self.url).path.strip("/").removesuffix(".git")

    @property
    def quoted(self) -> str:
        """The path as part of another one: every slash but none of its own."""
        return quote(self.path, safe="")


def github_api(place: ForgePlace) -> str:
    """The root of GitHub's API for this repository, on github.com or on a GitHub Enterprise Server."""
    return "https://api.github.com" if place.host == "https://github.com" else f"{place.host}/api/v3"
