"""The only place that knows concrete adapters: settings to ports."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

import click

from promoter.adapters.argocd import ArgoCluster
from promoter.adapters.git import GitRepository, GitSettings
from promoter.adapters.preflight_process import ProcessPreflights
from promoter.adapters.prometheus import PrometheusMetrics
from promoter.adapters.publishing import Progress
from promoter.adapters.publishing import publish as publish_to_folder
from promoter.adapters.stores import AllowedStores, BucketStore, FileStore
from promoter.adapters.stores.bucket import Bucket
from promoter.adapters.stores.publication import publish_to_bucket
from promoter.control.explain import Explainer
from promoter.control.observe import Observer, Ports
from promoter.control.preflights import ChosenPreflights, UnaskedPreflights
from promoter.control.reconcile import Reconciler
from promoter.doctor.patient import Patient
from promoter.domain.preflight import PreflightPlace
from promoter.domain.repository import Revision
from promoter.domain.store_address import StoreAddress
from promoter.domain.version import ModelVersion, StoredVersion
from promoter.errors import InvalidInput, PromoterError, RepositoryUnavailable
from promoter.ports import Preflights, Repository
from promoter.settings import GitRemote, Settings, git_remote, settings

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


def told() -> Settings:
    """The settings of this process. Raises InvalidSettings."""
    return settings(os.environ)


def repository(remote: GitRemote | None = None) -> GitRepository:
    """The environment repository; with no argument, the one that the environment variables name."""
    remote = remote or git_remote(os.environ)
    return GitRepository(
        GitSettings(
            url=remote.url,
            branch=remote.branch,
            clone=remote.clone,
            scope=remote.scope,
            author_name=remote.author_name,
            author_email=remote.author_email,
            token_file=remote.token_file,
            ssh_key=remote.ssh_key,
            signing_key=remote.signing_key,
            allowed_signers=remote.allowed_signers,
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


def ports(given: Settings, *, starts_preflights: bool = False) -> Ports:
    """The real world. starts_preflights: versions that need one are verified; else they wait."""
    allowed = AllowedStores(given.stores, stores())
    preflights: Preflights | None = None
    if given.preflight is not None:
        chosen = ChosenPreflights(
            {PreflightPlace.PROCESS: ProcessPreflights}, given.preflight, check_address=allowed.check
        )
        preflights = chosen if starts_preflights else UnaskedPreflights()
    return Ports(
        repository(given.git),
        allowed,
        PrometheusMetrics(given.prometheus_url, proxy=given.proxy_metrics),
        ArgoCluster(given.argocd_url, given.argocd_token_file),
        preflights,
    )


def observer(given: Settings, real: Ports) -> Observer:
    """Whoever looks at models through these ports."""
    return Observer(real, given.traits, given.listing_interval)


def reconciler(given: Settings, *, starts_preflights: bool) -> Reconciler:
    """A reconciler over the real world, as `ports` makes it."""
    real = ports(given, starts_preflights=starts_preflights)
    return Reconciler(real, observer(given, real))


def patient(given: Settings, environments: tuple[str, ...], scratch_branch: str | None) -> Patient:
    """What `promoter doctor` looks at: the adapters of these settings."""
    return Patient(
        given,
        repository(given.git),
        PrometheusMetrics(given.prometheus_url, proxy=given.proxy_metrics),
        AllowedStores(given.stores, stores()),
        environments,
        scratch_branch,
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
