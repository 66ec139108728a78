"""What control asks of the outside: a protocol for each world."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Protocol

from promoter.domain.application import Application
from promoter.domain.completeness import Completeness
from promoter.domain.measurements import LatencyProfile, Measurements
from promoter.domain.names import ServedModel
from promoter.domain.notice import Notified, Route, Severity
from promoter.domain.preflight import Preflight, PreflightRequest
from promoter.domain.pull_request import Checks, CommitStatus, PullRequest, Said, Speaker
from promoter.domain.repository import Change, Commit, Inventory, Revision
from promoter.domain.sync_windows import SyncWindows
from promoter.domain.version import IncompleteVersion, Listing, ModelVersion, StoredVersion, Sweep, Wanted


class Repository(Protocol):
    """The Git repository that is the only memory."""

    def fetch(self) -> Revision:
        """The remote's head, with its objects here. Raises RepositoryUnavailable."""

    def last_known_head(self) -> Revision | None:
        """The head of the last fetch that succeeded, None before the first. Asks nobody."""

    def inventory(self, revision: Revision) -> Inventory:
        """Every folder in scope that holds a release.yaml."""

    def read(self, revision: Revision, path: str) -> bytes | None:
        """A regular file's content, None where there is no such file.

        Raises InvalidDocument for links, for anything else that is no plain file, and for large files.
        """

    def object_id(self, revision: Revision, path: str) -> str | None:
        """The id of the blob or tree at `path`, None where there is nothing. Equal ids mean equal content."""

    def contains(self, descendant: Revision, ancestor: Revision) -> bool:
        """Whether `ancestor` is `descendant` or one of its ancestors; False where either is not known here."""

    def last_change(self, revision: Revision, path: str) -> Change:
        """The last commit up to `revision` that changed `path`. Raises InvalidName where `path` does not exist."""

    def own_commits_since(self, revision: Revision, moment: datetime) -> int:
        """How many commits the promoter made after `moment`."""

    def log(self, revision: Revision, folder: str | None = None, limit: int = 50) -> tuple[Commit, ...]:
        """The newest commits, those that changed something under `folder` where one is given."""

    def logs(self, revision: Revision, folders: Collection[str], limit: int = 50) -> Mapping[str, tuple[Commit, ...]]:
        """As `log` for each of `folders`, for little more than one of them costs."""

    def resolve(self, head: Revision, text: str) -> Commit:
        """The commit that a person means: a hash, or its beginning, or `HEAD` or the branch's name for `head`.

        Each may be followed by `~`, `~2`, `^`, `^2` as in Git. Raises InvalidName for anything else, and for what
        does not exist.
        """

    def publish(self, parent: Revision, files: Mapping[str, bytes], message: str, at: datetime) -> Revision:
        """One commit on `parent` with `files` changed, pushed by compare-and-swap against `parent`.

        The same arguments give the same commit, byte for byte. Raises HeadMoved, PushRefused,
        RepositoryUnavailable, and ForbiddenWrite where the difference of the trees is more than
        release.yaml files in scope; in each of these cases the remote was not changed by us
        (RepositoryUnavailable: as far as can be known; the next fetch tells).
        """

    def offer(self, branch: str, parent: Revision, files: Mapping[str, bytes], message: str, at: datetime) -> Revision:
        """The commit that `publish` would make, as the only one that `branch` has beside `parent`'s.

        What the branch was before is lost: it is the promoter's own, and never the one that is followed. Raises
        PushRefused, RepositoryUnavailable, ForbiddenWrite as `publish`, and InvalidName for a branch that is not the
        promoter's.
        """


class ModelStore(Protocol):
    """Where versions appear."""

    def listing(self, address: str, wanted: Wanted) -> Listing:
        """What is under one model's address, as far as it is wanted.

        Raises StoreUnavailable, and InvalidInput for an address that is malformed or not allowed.
        """

    def version(self, address: str, version: ModelVersion, complete: Completeness) -> StoredVersion | IncompleteVersion:
        """What one version is now, whatever it was before. Raises as `listing` does."""

    def sweep(self, addresses: Mapping[str, Completeness]) -> Sweep:
        """What can be told of many addresses for less than a call each. No failure but that they are left out."""


class Metrics(Protocol):
    """Prometheus: raw counters, never rates."""

    def measurements(
        self, served: ServedModel, start: datetime, at: datetime, bounds_us: tuple[float, ...]
    ) -> Measurements:
        """All samples from `start` to `at`, of the request counters, `up`, and the latency buckets at `bounds_us`.

        Raises MetricsUnavailable where the answer is missing, partial, too large, or carries warnings.
        """

    def latency_profile(
        self, served: ServedModel, version: ModelVersion, at: datetime, over: timedelta
    ) -> LatencyProfile:
        """Share of `version`'s requests slower than each bucket bound, from `at - over` to `at`.

        Raises MetricsUnavailable.
        """


class Cluster(Protocol):
    """Argo CD, through an account that may only `get` applications."""

    def application(self, served: ServedModel, *, refresh: bool = False) -> Application:
        """One Application with its pods and live route; `refresh` makes Argo CD look at Git first.

        Raises ClusterUnavailable.
        """

    def sync_windows(self, served: ServedModel) -> SyncWindows:
        """The windows in which the Application may be synced, or may not. Raises ClusterUnavailable."""


class Preflights(Protocol):
    """Where versions are verified before they serve, by a program that has TensorFlow."""

    def ask(self, wanted: PreflightRequest) -> Preflight | str:
        """The result, or a sentence on what it waits for, which stays the same while it waits. Starts it where needed.

        Never waits itself; called again in the next pass. Raises PreflightUnavailable where no result can be had, and
        tries again by itself later. A result is about exactly the digests that were asked for.
        """

    def settle(self) -> bool:
        """Wait for those that would end with this process; True where any began since the last call."""


class Forge(Protocol):
    """The web side of the Git host: pull requests and the statuses of commits. Nothing it says is evidence.

    Each call raises ForgeUnavailable where the forge does not answer, or does not do what it is asked.
    """

    def open_pull_requests(self, prefix: str) -> tuple[PullRequest, ...]:
        """The open ones into the followed branch, from this repository's own branches that begin with `prefix`."""

    def closed_pull_request(self, branch: str) -> PullRequest | None:
        """The newest one from `branch` into the followed branch that was merged or closed, None where none is known.

        Old ones may be forgotten.
        """

    def pull_request(self, number: int) -> PullRequest:
        """One, whatever became of it."""

    def open_pull_request(self, branch: str, title: str, body: str) -> PullRequest:
        """A new one from `branch`, which has been pushed. body: Markdown."""

    def change_pull_request(self, number: int, title: str, body: str) -> PullRequest:
        """Another title and body for an open one."""

    def close_pull_request(self, number: int, reason: str) -> None:
        """Say why as a comment, and close it without merging. reason: Markdown."""

    def checks(self, revision: Revision) -> Checks:
        """What is known of a commit's checks. `promoter/rollout` is none; those that have not begun are not known."""

    def merge_pull_request(self, number: int, head: Revision) -> str | None:
        """Merge the pull request whose newest commit is `head`, so that this commit gets onto the branch as it is.

        None where the forge says that it did; otherwise its words on why it does not, or not yet. A fast-forward where
        the forge has such a merge; otherwise a merge commit, and then the rules of the branch have to keep out what is
        not up to date.
        """

    def comments(self, number: int, since: datetime) -> tuple[Said, ...]:
        """What was written on a pull request since then, the oldest first. Of very many, the newest."""

    def labelled(self, number: int, since: datetime) -> tuple[Said, ...]:
        """The labels that were set on a pull request since then, by whom, the oldest first; also those taken off.

        Of very many, some.
        """

    def take_label_off(self, number: int, label: str) -> None:
        """Take a label off a pull request; where it does not bear it, nothing happens."""

    def speaker(self, said: Said) -> Speaker | None:
        """Who said it, with the right that they have now; None where the forge knows or tells nothing."""

    def comment(self, number: int, body: str) -> None:
        """Say something on a pull request. body: Markdown."""

    def commit_url(self, revision: Revision) -> str:
        """The page of a commit. Asks nobody."""

    def delete_branch(self, branch: str) -> None:
        """Take a branch away; where there is none, nothing happens."""

    def set_status(self, revision: Revision, status: CommitStatus) -> None:
        """Show `status` beside a commit as `promoter/rollout`, in place of the one before."""


class Leadership(Protocol):
    """Whose turn it is, where several promoters run for one repository. It saves work; safety is the push's own."""

    def held(self) -> bool:
        """Whether this process leads now, as far as it can know. Asks nobody, and may be asked at any time."""


class Journal(Protocol):
    """The record in Git of what people were told, so that nobody is told twice. Used by one thread."""

    def read(self) -> Notified | None:
        """The record, None where there is none yet. Raises RepositoryUnavailable, and InvalidDocument."""

    def write(self, notified: Notified, at: datetime) -> None:
        """Replace the record that was read or written last, by compare-and-swap.

        Raises HeadMoved where another promoter has replaced it, PushRefused, and RepositoryUnavailable.
        """


class Messenger(Protocol):
    """Who carries messages to people."""

    def send(self, route: Route, title: str, text: str, severity: Severity) -> None:
        """Raises MessageFailed, whose text never shows where the route leads."""
