"""Environment variables to one frozen Settings, or a sentence on what is wrong.

Which repository, stores and servers the promoter talks to stands here and nowhere else: never in a
file that a pull request can change. docs/reference/settings.md tells the same to people.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal, cast, get_args
from urllib.parse import urlsplit

from promoter.domain.duration import format_duration, parse_duration
from promoter.domain.measurements import ProxyMetrics
from promoter.domain.names import checked_name
from promoter.domain.observation import ClusterTraits
from promoter.domain.preflight import PreflightPlace
from promoter.errors import InvalidName, InvalidSettings

PREFIX = "PROMOTER_"
ForgeKind = Literal["gitea", "github", "gitlab"]
# How commits get onto the branch.
CommitsBy = Literal["push", "pull-request"]
_MODEL_PUBLIC_KEY = "MODEL_PUBLIC_KEY"
_NOTIFY = "NOTIFY"


@dataclass(frozen=True, slots=True)
class GitHubApp:
    """A GitHub App that is installed on the repository.

    app: its client id, or its id. url: the repository's page. installation: the number, None to ask GitHub for it.
    asks: whether its tokens have to open pull requests, beside reading and writing code. merges: whether they have to
    merge them as well, when their checks have passed.
    """

    app: str
    key_file: Path
    url: str
    installation: int | None
    asks: bool
    merges: bool


# Where a token comes from: a file, or whoever makes tokens.
TokenFrom = Path | GitHubApp


@dataclass(frozen=True, slots=True)
class GitRemote:
    """The environment repository, and who commits to it. Keys and tokens are files, read when they are used."""

    url: str
    branch: str
    clone: Path
    scope: tuple[str, ...]
    author_name: str
    author_email: str
    token_from: TokenFrom | None = None
    ssh_key: Path | None = None
    signing_key: Path | None = None
    allowed_signers: Path | None = None


@dataclass(frozen=True, slots=True)
class Listen:
    """Where a service tells of itself. host: empty for every address of this machine."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class LeaseName:
    """The Lease that decides who makes the passes. api_server: the root of the Kubernetes API that holds it."""

    namespace: str
    name: str
    api_server: str


@dataclass(frozen=True, slots=True)
class WorkflowServer:
    """Argo Server, and the namespace that holds the WorkflowTemplate of preflights. token_file: None sends none."""

    url: str
    token_file: Path | None
    namespace: str


@dataclass(frozen=True, slots=True)
class ForgeServer:
    """The repository's page on its forge, and where the token comes from that may open pull requests there.

    rights_token_file: of one that may ask what people may do, None for the same.
    """

    kind: ForgeKind
    url: str
    token_from: TokenFrom
    rights_token_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the promoter is told from outside. preflight: where, None for none at all.

    workflows: None where preflights cannot run as workflows. listen: None opens no port. lease: None makes passes
    whoever else does. notify: the file of routes for notifications, None for none. forge: None where nobody is asked by
    pull requests. webhook_secret_file: None where no webhook is listened to. commits: by pull request with a
    forge only.
    """

    git: GitRemote
    argocd_url: str
    argocd_token_file: Path
    prometheus_url: str
    proxy_metrics: ProxyMetrics
    stores: tuple[str, ...]
    preflight: PreflightPlace | None
    workflows: WorkflowServer | None
    model_public_key: Path | None
    pass_interval: timedelta
    listing_interval: timedelta
    slowest_pass: timedelta
    traits: ClusterTraits
    listen: Listen | None
    lease: LeaseName | None
    log_format: Literal["json", "text"]
    notify: Path | None
    forge: ForgeServer | None = None
    webhook_secret_file: Path | None = None
    commits: CommitsBy = "push"


def git_remote(environment: Mapping[str, str]) -> GitRemote:
    """The part that Git needs; raises InvalidSettings."""
    read = _Reader(environment)
    remote = _git_remote(read, _github_app(read))
    read.done()
    return remote


def model_public_key(environment: Mapping[str, str]) -> Path | None:
    """The part that a preflight needs: the file of the key that versions have to be signed with."""
    return _Reader(environment).path(_MODEL_PUBLIC_KEY)


def notify_file(environment: Mapping[str, str]) -> Path | None:
    """The part that a trial message needs: the file of routes."""
    return _Reader(environment).path(_NOTIFY)


def settings(environment: Mapping[str, str]) -> Settings:
    """Settings from PROMOTER_* variables. Raises InvalidSettings with every fault at once."""
    read = _Reader(environment)
    defaults = ClusterTraits()
    app = _github_app(read)
    preflight = read.choice("PREFLIGHT", (*PreflightPlace, "off"))
    traits = ClusterTraits(
        scrape_interval=read.duration("SCRAPE_INTERVAL", defaults.scrape_interval),
        reaction_time=read.duration("REACTION_TIME", defaults.reaction_time),
        ready_deadline=read.duration("READY_DEADLINE", defaults.ready_deadline),
        restart_pause=read.duration("RESTART_PAUSE", defaults.restart_pause),
    )
    built = Settings(
        git=_git_remote(read, app),
        argocd_url=read.url("ARGOCD_URL"),
        argocd_token_file=Path(read.text("ARGOCD_TOKEN_FILE")),
        prometheus_url=read.url("PROMETHEUS_URL"),
        proxy_metrics=ProxyMetrics(read.choice("PROXY_METRICS", tuple(ProxyMetrics))),
        stores=read.words("STORES", ""),
        preflight=None if preflight == "off" else PreflightPlace(preflight),
        model_public_key=read.path(_MODEL_PUBLIC_KEY),
        workflows=_workflow_server(read, needed=preflight == PreflightPlace.WORKFLOW),
        pass_interval=read.duration("PASS_INTERVAL", timedelta(seconds=5)),
        listing_interval=read.duration("LISTING_INTERVAL", timedelta(minutes=1)),
        slowest_pass=read.duration("SLOWEST_PASS", timedelta(seconds=90)),
        traits=traits,
        listen=read.listen("LISTEN"),
        lease=_lease(read),
        log_format="text" if read.choice("LOG_FORMAT", ("json", "text")) == "text" else "json",
        notify=read.path(_NOTIFY),
        forge=_forge(read, app),
        webhook_secret_file=_webhook_secret(read),
        commits=_commits(read),
    )
    read.done()
    return built


def _workflow_server(read: _Reader, *, needed: bool) -> WorkflowServer | None:
    if not needed and not read.text("WORKFLOWS_URL", ""):
        return None
    return WorkflowServer(
        url=read.url("WORKFLOWS_URL"),
        token_file=read.path("WORKFLOWS_TOKEN_FILE"),
        namespace=read.text("WORKFLOWS_NAMESPACE", "workflows"),
    )


def _git_remote(read: _Reader, app: GitHubApp | None) -> GitRemote:
    url = read.text("REPOSITORY")
    # The App's tokens are shown to no other server than its own.
    serves_git = app is not None and _origin(url) == _origin(app.url)
    return GitRemote(
        url=url,
        branch=read.text("BRANCH", "main"),
        clone=read.path("CLONE") or _default_clone(read.text("REPOSITORY", "")),
        scope=read.words("SCOPE", ""),
        author_name=read.text("AUTHOR_NAME", "promoter"),
        author_email=read.text("AUTHOR_EMAIL", "promoter@localhost"),
        token_from=read.path("GIT_TOKEN_FILE") or (app if serves_git else None),
        ssh_key=read.path("SSH_KEY"),
        signing_key=read.path("SIGNING_KEY"),
        allowed_signers=read.path("ALLOWED_SIGNERS"),
    )


def _lease(read: _Reader) -> LeaseName | None:
    text = read.text("LEASE", "")
    if not text:
        return None
    namespace, slash, name = text.partition("/")
    try:
        checked_name(namespace, "namespace")
        # The names of Leases may be longer than this and hold dots; nobody needs that here.
        checked_name(name, "Lease")
    except InvalidName as error:
        read.fault("LEASE", f"is {text!r}, and not namespace/name: {error}" if slash else "is not namespace/name")
    host, port = read.of_the_cluster("KUBERNETES_SERVICE_HOST"), read.of_the_cluster("KUBERNETES_SERVICE_PORT")
    if not host or not port:
        read.fault("LEASE", "is set, and this is no pod: Kubernetes tells pods KUBERNETES_SERVICE_HOST and …_PORT")
    bracketed = f"[{host}]" if ":" in host else host
    return LeaseName(namespace, name, f"https://{bracketed}:{port}")


def _github_app(read: _Reader) -> GitHubApp | None:
    app, key_file = read.text("GITHUB_APP", ""), read.path("GITHUB_APP_KEY_FILE")
    installation = read.text("GITHUB_APP_INSTALLATION", "")
    if not app:
        if key_file is not None or installation:
            read.fault("GITHUB_APP", "is not set, and PROMOTER_GITHUB_APP_KEY_FILE or …_INSTALLATION is: name the App")
        return None
    if key_file is None:
        read.fault("GITHUB_APP_KEY_FILE", "is not set, and PROMOTER_GITHUB_APP is: the App signs with its private key")
    if installation and not re.fullmatch(r"[0-9]{1,18}", installation, re.ASCII):
        read.fault("GITHUB_APP_INSTALLATION", f"is {installation[:50]!r}, and no number")
    if read.path("FORGE_TOKEN_FILE") is not None:
        read.fault("GITHUB_APP", "is set, and PROMOTER_FORGE_TOKEN_FILE as well: leave one of them out")
    forge = read.text("FORGE", "")
    # The URL of a clone may have a user's name before the host, and `.git` at its end; a page has neither.
    page = forge.removeprefix("github+") if forge else _without_user(read.text("REPOSITORY", "")).removesuffix(".git")
    if (forge and not forge.startswith("github+")) or urlsplit(page).scheme not in ("http", "https"):
        named = "PROMOTER_FORGE" if forge else "PROMOTER_REPOSITORY"
        read.fault("GITHUB_APP", f"is set, and {named} is no repository on GitHub by https://")
    number = int(installation) if installation.isdecimal() else None
    merges = read.text("COMMITS", "") == "pull-request"
    return GitHubApp(app, key_file or Path(), page, number, asks=bool(forge), merges=merges)


def _without_user(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.rpartition("@")[2].lower()


def _forge(read: _Reader, app: GitHubApp | None) -> ForgeServer | None:
    """`<kind>+<URL of the repository's page>`."""
    text = read.text("FORGE", "")
    if not text:
        return None
    kind, plus, url = text.partition("+")
    known = {name: name for name in get_args(ForgeKind)}
    if not plus or kind not in known or urlsplit(url).scheme not in ("http", "https"):
        read.fault(
            "FORGE",
            f"is {text[:200]!r}; write gitea+, github+ or gitlab+ and the URL of the repository's page",
        )
    token_from = app or read.path("FORGE_TOKEN_FILE") or read.path("GIT_TOKEN_FILE")
    if token_from is None:
        read.fault("FORGE_TOKEN_FILE", "is not set, and PROMOTER_FORGE needs a token")
        return None
    return ForgeServer(cast("ForgeKind", kind), url, token_from, read.path("FORGE_RIGHTS_TOKEN_FILE"))


def _commits(read: _Reader) -> CommitsBy:
    if read.choice("COMMITS", get_args(CommitsBy)) != "pull-request":
        return "push"
    if not read.text("FORGE", ""):
        read.fault("COMMITS", "is pull-request, and PROMOTER_FORGE is not set: without a forge there are none")
    return "pull-request"


def _webhook_secret(read: _Reader) -> Path | None:
    file = read.path("WEBHOOK_SECRET_FILE")
    if file is not None and not read.text("LISTEN", ""):
        read.fault("WEBHOOK_SECRET_FILE", "is set, and PROMOTER_LISTEN is not: a webhook needs a port to come to")
    return file


def _default_clone(url: str) -> Path:
    """A clone in the user's cache, one for each repository: looking by hand does not disturb a service's own."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "promoter" / f"{hashlib.sha256(url.encode()).hexdigest()[:16]}.git"


class _Reader:
    """Reads variables and gathers what is wrong with them, so that a person mends all in one go."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._faults: list[str] = []

    def fault(self, name: str, problem: str) -> None:
        self._faults.append(f"{PREFIX}{name} {problem}")

    def text(self, name: str, default: str | None = None) -> str:
        value = self._environment.get(PREFIX + name, "").strip()
        if value:
            return value
        if default is None:
            self.fault(name, "is not set")
            return ""
        return default

    def choice(self, name: str, choices: tuple[str, ...]) -> str:
        value = self.text(name, choices[0])
        if value not in choices:
            self.fault(name, f"is {value!r}; use {' or '.join(choices)}")
            return choices[0]
        return value

    def path(self, name: str) -> Path | None:
        value = self.text(name, "")
        return Path(value) if value else None

    def words(self, name: str, default: str) -> tuple[str, ...]:
        return tuple(word.strip() for word in self.text(name, default).split(",") if word.strip())

    def url(self, name: str) -> str:
        value = self.text(name)
        if value and (urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).hostname):
            self.fault(name, "is not a URL that begins with https:// or http://")
        return value

    def listen(self, name: str) -> Listen | None:
        """`host:port`, `[::1]:port` or `:port`."""
        value = self.text(name, "")
        if not value:
            return None
        host, colon, port = value.rpartition(":")
        number = int(port) if re.fullmatch(r"[0-9]{1,5}", port, re.ASCII) else -1
        unbracketed = host[1:-1] if host.startswith("[") and host.endswith("]") else host
        if not colon or not 0 <= number < 2**16 or (":" in host and host == unbracketed):
            self.fault(name, f"is {value!r}; use host:port, or :8080 for every address of this machine")
            return None
        return Listen(unbracketed, number)

    def of_the_cluster(self, name: str) -> str:
        """A variable that Kubernetes gives to its pods; empty where it is not set."""
        return self._environment.get(name, "").strip()

    def duration(self, name: str, default: timedelta) -> timedelta:
        try:
            return parse_duration(self.text(name, format_duration(default)))
        except InvalidName as error:
            self.fault(name, f"does not fit: {error}")
            return default

    def done(self) -> None:
        if self._faults:
            faults = "\n".join(f"  {fault}" for fault in self._faults)
            raise InvalidSettings(f"the settings are incomplete:\n{faults}\ndocs/reference/settings.md explains each")
