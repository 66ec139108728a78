"""The only place that knows concrete adapters: settings to ports."""

from __future__ import annotations

import os
import signal
import socket
import sys
import traceback
import uuid
from collections.abc import Callable
from dataclasses import replace
from functools import cache, wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

import click

from promoter.adapters.argocd import ArgoCluster
from promoter.adapters.forges import ForgePlace, GiteaForge, GitHubForge, GitLabForge
from promoter.adapters.forges.standing import ForgeStanding, GiteaStanding, GitHubStanding, GitLabStanding
from promoter.adapters.git import GitJournal, GitRepository, GitSettings
from promoter.adapters.lease import LeaseLeadership, LeaseSettings
from promoter.adapters.preflight_process import ProcessPreflights
from promoter.adapters.prometheus import PrometheusMetrics
from promoter.adapters.publishing import Progress
from promoter.adapters.publishing import publish as publish_to_folder
from promoter.adapters.stores import AllowedStores, BucketStore, FileStore, one_file
from promoter.adapters.stores.bucket import Bucket
from promoter.adapters.stores.download import DownloadLimits, download_version
from promoter.adapters.stores.publication import publish_to_bucket
from promoter.cli.options import content_of, needs, needs_hera
from promoter.control.approvals import Approvals, NobodyAsks
from promoter.control.arrivals import Arrivals
from promoter.control.comments import Comments
from promoter.control.explain import Explainer
from promoter.control.notifier import Notifier
from promoter.control.observe import Observer, Ports
from promoter.control.open_steps import OpenStep, steps_that_wait
from promoter.control.preflights import ChosenPreflights, UnaskedPreflights
from promoter.control.publisher import ByPush, Publisher
from promoter.control.pull_request_steps import ByPullRequest
from promoter.control.reconcile import Reconciler
from promoter.control.statuses import Statuses
from promoter.decisions import steps
from promoter.doctor.patient import Patient
from promoter.documents.notify_file import parse_routes
from promoter.domain.completeness import Completeness
from promoter.domain.names import ServedModel
from promoter.domain.preflight import PreflightPlace
from promoter.domain.repository import Revision
from promoter.domain.store_address import StoreAddress
from promoter.domain.version import ModelVersion, StoredVersion
from promoter.errors import ForgeUnavailable, InvalidInput, PromoterError, RepositoryUnavailable
from promoter.ports import Forge, Messenger, Preflights, Repository
from promoter.settings import ForgeKind, ForgeServer, GitRemote, LeaseName, Settings, TokenFrom, git_remote, settings
from promoter.telemetry import MeasuredPreflights, PassMetrics, measured
from promoter.tokens import TokenFile, Tokens

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


def told() -> Settings:
    """The settings of this process. Raises InvalidSettings."""
    return settings(os.environ)


def repository(remote: GitRemote | None = None) -> GitRepository:
    """The environment repository; with no argument, the one that the environment variables name."""
    return GitRepository(_git_settings(remote or git_remote(os.environ)))


def peoples_repository(remote: GitRemote) -> GitRepository:
    """The environment repository for a commit of the person that `remote` names; its clone is not the promoter's.

    Such a commit is not signed: the key in the settings is the promoter's.
    """
    apart = remote.clone.with_name(f"{remote.clone.stem}-people.git")
    given = replace(remote, clone=apart, signing_key=None, allowed_signers=None)
    return GitRepository(_git_settings(given), for_a_person=True)


def _git_settings(remote: GitRemote) -> GitSettings:
    return GitSettings(
        url=remote.url,
        branch=remote.branch,
        clone=remote.clone,
        scope=remote.scope,
        author_name=remote.author_name,
        author_email=remote.author_email,
        tokens=None if remote.token_from is None else _tokens(remote.token_from),
        ssh_key=remote.ssh_key,
        signing_key=remote.signing_key,
        allowed_signers=remote.allowed_signers,
    )


@cache
def _tokens(token_from: TokenFrom) -> Tokens:
    """Whoever has the tokens: one in a process for each place they come from, so that all threads share a renewal."""
    if isinstance(token_from, Path):
        return TokenFile(token_from)
    from promoter.adapters.forges.github_app import AppIdentity, AppTokens  # noqa: PLC0415 - cryptography, which few need

    # Pull requests, comments on them, and `promoter/rollout`: GitHub's names for what the forge's port does.
    asks = {"pull_requests": "write", "statuses": "write"} if token_from.asks else {}
    merges = {"checks": "read"} if token_from.merges else {}
    return AppTokens(
        AppIdentity(
            app=token_from.app,
            key_file=token_from.key_file,
            url=token_from.url,
            installation=token_from.installation,
            permissions={"contents": "write", **asks, **merges},
        )
    )


def _gs_bucket(name: str) -> Bucket:
    from promoter.adapters.stores.gs import GsBucket  # noqa: PLC0415 - a third of a second that few commands need

    return GsBucket(name)


def _s3_bucket(name: str) -> Bucket:
    from promoter.adapters.stores.s3 import S3Bucket  # noqa: PLC0415 - as above

    return S3Bucket(name)


_BUCKETS: dict[str, Callable[[str], Bucket]] = {"gs": _gs_bucket, "s3": _s3_bucket}


def stores() -> dict[str, FileStore | BucketStore]:
    """A store for each scheme. A cloud's library is loaded when the first of its buckets is asked."""
    return {"file": FileStore(), **{scheme: BucketStore(opened) for scheme, opened in _BUCKETS.items()}}


def store_at(address: str) -> FileStore | BucketStore:
    """The store that serves `address`, allowed or not: a person at a terminal has rights of their own."""
    scheme = StoreAddress.from_text(address).scheme
    found = stores().get(scheme)
    if found is None:
        raise InvalidInput(f"{scheme}:// is not a kind of store: use {'://, '.join(stores())}://")
    return found


def publish(directory: Path, address: str, version: ModelVersion | None, progress: Progress) -> StoredVersion:
    """Put the SavedModel in `directory` into the store at `address`, whichever kind of store it is."""
    place = StoreAddress.from_text(address)
    opened = _BUCKETS.get(place.scheme)
    if opened is not None:
        return publish_to_bucket(opened(place.host), directory, address, version, progress)
    return publish_to_folder(directory, address, version, progress)


def download(address: str, folder: Path, limits: DownloadLimits, progress: Progress, complete: Completeness) -> None:
    """Bring the version at `address`, in a bucket, into the empty `folder`; raises what `download_version` does."""
    place = StoreAddress.from_text(address)
    opened = _BUCKETS.get(place.scheme)
    if opened is None:
        raise InvalidInput(f"{address} is in no bucket: use {'://, '.join(_BUCKETS)}://")
    download_version(opened(place.host), address, folder, limits, progress=progress, complete=complete)


def file_of_version(address: str, path: str, *, largest: int) -> bytes | None:
    """The file `path` of the version at `address`, in whichever kind of store; raises what the adapter's does."""
    return one_file.file_of_version(address, path, largest=largest, buckets=_BUCKETS)


def _preflight_runners(given: Settings) -> dict[PreflightPlace, Callable[[], Preflights]]:
    """Whoever runs preflights, made when the first is asked for: one needs TensorFlow, the other Hera."""
    runners: dict[PreflightPlace, Callable[[], Preflights]] = {PreflightPlace.PROCESS: ProcessPreflights}
    server = given.workflows
    if server is not None:

        def workflows() -> Preflights:
            needs_hera()
            from promoter.adapters.argo_workflows import WorkflowPreflights  # noqa: PLC0415 - a second that few need

            signed = given.model_public_key is not None
            return WorkflowPreflights(server.url, server.token_file, server.namespace, signed=signed)

        runners[PreflightPlace.WORKFLOW] = workflows
    return runners


def ports(given: Settings, *, starts_preflights: bool = False) -> Ports:
    """The real world. starts_preflights: versions that need one are verified; else they wait."""
    allowed = AllowedStores(given.stores, stores())
    preflights: Preflights | None = None
    if given.preflight is not None:
        chosen = ChosenPreflights(_preflight_runners(given), given.preflight, check_address=allowed.check)
        preflights = chosen if starts_preflights else UnaskedPreflights()
    return Ports(
        repository(given.git),
        allowed,
        PrometheusMetrics(given.prometheus_url, proxy=given.proxy_metrics),
        ArgoCluster(given.argocd_url, given.argocd_token_file),
        preflights,
    )


def observer(given: Settings, real: Ports, *, tells_halves: bool = False) -> Observer:
    """Whoever looks at models through these ports. tells_halves: of uploads that have not finished, too."""
    arrivals = Arrivals() if given.commits == "pull-request" else None
    return Observer(real, given.traits, given.listing_interval, tells_halves=tells_halves, arrivals=arrivals)


def reconciler(given: Settings, *, only_looks: bool = False, metrics: PassMetrics | None = None) -> Reconciler:
    """A reconciler over the real world.

    only_looks: it begins no preflight, and tells of unfinished uploads too. metrics: where its calls are counted.
    """
    real = ports(given, starts_preflights=not only_looks)
    if metrics is not None:
        real = _measured(real, metrics)
    return Reconciler(
        real, observer(given, real, tells_halves=only_looks), _publisher(given, real.repository, steps.PASSES)
    )


def _publisher(given: Settings, git: Repository, branch: str) -> Publisher:
    """How commits get onto the branch. branch: of their pull requests, where they go by these."""
    if given.commits == "push" or given.forge is None:
        return ByPush(git)
    return ByPullRequest(git, forge(given.forge, given.git.branch), branch)


def open_steps(given: Settings) -> tuple[OpenStep, ...] | str:
    """The steps that wait in pull requests, or why the forge does not tell; none where commits are pushed."""
    if given.commits == "push" or given.forge is None:
        return ()
    try:
        return steps_that_wait(forge(given.forge, given.git.branch))
    except ForgeUnavailable as error:
        return str(error)


_FORGES: dict[ForgeKind, Callable[[ForgePlace], Forge]] = {
    "gitea": GiteaForge,
    "github": GitHubForge,
    "gitlab": GitLabForge,
}


_STANDINGS: dict[ForgeKind, Callable[[ForgePlace], ForgeStanding]] = {
    "gitea": GiteaStanding,
    "github": GitHubStanding,
    "gitlab": GitLabStanding,
}


def forge(named: ForgeServer, branch: str) -> Forge:
    """The forge of these settings, whose pull requests go into `branch`."""
    return _FORGES[named.kind](_place(named, branch))


def _place(named: ForgeServer, branch: str) -> ForgePlace:
    rights = None if named.rights_token_file is None else _tokens(named.rights_token_file)
    return ForgePlace(named.url, branch, _tokens(named.token_from), rights=rights)


def approvals(given: Settings) -> Approvals | NobodyAsks:
    """Who asks people, through a clone that no pass uses; without a forge, who says that nobody does."""
    if given.forge is None:
        return NobodyAsks()
    beside = given.git.clone.with_name(f"{given.git.clone.stem}-approvals.git")
    return Approvals(repository(replace(given.git, clone=beside)), forge(given.forge, given.git.branch))


def comments(given: Settings) -> tuple[Comments, ...]:
    """Who listens to comments on pull requests, through a clone that no pass uses; nobody without a forge."""
    if given.forge is None:
        return ()
    beside = given.git.clone.with_name(f"{given.git.clone.stem}-comments.git")
    git = repository(replace(given.git, clone=beside))
    way = _publisher(given, git, steps.COMMANDS)
    return (Comments(git, forge(given.forge, given.git.branch), way),)


def statuses(given: Settings) -> tuple[Statuses, ...]:
    """Who tells the forge how far commits have come; nobody without one."""
    if given.forge is None:
        return ()
    pages = given.argocd_url.rstrip("/")
    told_to = forge(given.forge, given.git.branch)
    return (Statuses(told_to, lambda served: f"{pages}/applications/{served.application}"),)


def _measured(real: Ports, metrics: PassMetrics) -> Ports:
    return Ports(
        measured(real.repository, "git", frozenset({"fetch", "publish", "offer"}), metrics),
        measured(real.store, "store", frozenset({"listing", "version", "sweep"}), metrics),
        measured(real.metrics, "prometheus", frozenset({"measurements", "latency_profile"}), metrics),
        measured(real.cluster, "argocd", frozenset({"application", "sync_windows"}), metrics),
        None if real.preflights is None else MeasuredPreflights(real.preflights, metrics),
    )


def messenger() -> Messenger:
    """Who carries messages to people. Raises InvalidInput where the extra `notify` is not installed."""
    needs("notify", "notifications need Apprise", "apprise")
    from promoter.adapters.apprise_messenger import AppriseMessenger  # noqa: PLC0415 - a second that few need

    return AppriseMessenger()


def notifier(given: Settings, git: Repository, address_of: Callable[[ServedModel], str | None]) -> Notifier | None:
    """Whoever tells people, None where the settings name no routes. git: as the loop's thread reads it.

    address_of: a model's pull request, where one is known. Raises InvalidInput where the file of routes is not as it
    must be.
    """
    if given.notify is None:
        return None
    routes = parse_routes(content_of(given.notify, "Write it as docs/notifications.md says"), str(given.notify))
    beside = given.git.clone.with_name(f"{given.git.clone.stem}-notified.git")
    return Notifier(git, GitJournal(_git_settings(given.git), beside), messenger(), routes, address_of=address_of)


def lease(name: LeaseName) -> LeaseLeadership:
    """The Lease of that name, as the ServiceAccount of this pod."""
    # Two processes of one pod are two as well: a container that starts anew is not the one before.
    identity = f"{socket.gethostname()}_{uuid.uuid4()}"
    account = Path("/var/run/secrets/kubernetes.io/serviceaccount")
    return LeaseLeadership(
        LeaseSettings(name.api_server, name.namespace, name.name, identity, account / "token", account / "ca.crt")
    )


def patient(given: Settings, environments: tuple[str, ...], scratch_branch: str | None) -> Patient:
    """What `promoter doctor` looks at: the adapters of these settings."""
    named = given.forge
    return Patient(
        given,
        repository(given.git),
        PrometheusMetrics(given.prometheus_url, proxy=given.proxy_metrics),
        AllowedStores(given.stores, stores()),
        environments,
        scratch_branch,
        forge=None if named is None else forge(named, given.git.branch),
        standing=None if named is None else _STANDINGS[named.kind](_place(named, given.git.branch)),
    )


def explainer(given: Settings) -> tuple[Repository, Explainer]:
    """The environment repository, and whoever explains the commits in it."""
    real = ports(given)
    return real.repository, Explainer(real.repository, observer(given, real))


def known_head(git: Repository) -> Revision:
    """The remote's head, or with a warning the last one that is known; raises RepositoryUnavailable for neither."""
    try:
        return git.fetch()
    except RepositoryUnavailable as error:
        known = git.last_known_head()
        if known is None:
            raise
        click.echo(f"warning: {error}; what follows is about the last head that is known", err=True)
        return known


def tells_errors(command: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """Our own errors become one sentence on standard error and exit status 1; others are bugs and keep their trace."""

    @wraps(command)
    def telling(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Result:
        try:
            return command(*args, **kwargs)
        except PromoterError as error:
            click.echo(f"error: {error}", err=True)
            sys.exit(1)

    return telling


def tells_no_verdict(command: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """As `tells_errors`, for commands whose exit status 1 is a verdict: whatever keeps them from one is 2.

    Bugs keep their trace. An interrupt ends the process as a signal does, without waiting for its threads.
    """

    @wraps(command)
    def telling(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Result:
        try:
            return command(*args, **kwargs)
        except PromoterError as error:
            click.echo(f"error: {error}", err=True)
            sys.exit(2)
        except KeyboardInterrupt:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            signal.raise_signal(signal.SIGINT)
            raise
        except Exception:  # noqa: BLE001 - it is told, and it is no verdict
            traceback.print_exc()
            sys.exit(2)

    return telling
