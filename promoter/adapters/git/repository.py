"""The Git repository as the promoter sees it: the port, put together from the parts beside it.

One object serves one thread at a time. The remote's branch is the truth: it is read as it is, even
after a rewind, and even where a host answers with an older state for a moment; a decision made on such a
state cannot be pushed, because the push compares heads.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import pygit2
from pygit2.enums import FileMode, ObjectType

from promoter.adapters.git.clone import Clone
from promoter.adapters.git.history import History
from promoter.adapters.git.remote import Remote
from promoter.adapters.git.revisions import commit_named
from promoter.adapters.git.scope import Scope
from promoter.adapters.git.settings import GitSettings
from promoter.adapters.git.signing import is_signed_by, sign
from promoter.adapters.git.text import LIBGIT2_ERRORS, printable
from promoter.adapters.git.trees import (
    REGULAR,
    Difference,
    FolderSearch,
    differences,
    entry_at,
    new_objects,
    tree_with,
)
from promoter.domain.names import ENVIRONMENTS, ServedModel
from promoter.domain.repository import Change, Commit, Inventory, MisnamedFolder, Revision
from promoter.errors import (
    ForbiddenWrite,
    HeadMoved,
    InvalidDocument,
    InvalidName,
    InvalidSettings,
    RepositoryUnavailable,
)

_LARGEST_FILE = 64 * 1024
_LARGEST_CACHED_TREE = 2**20
_CACHE_SIZE = 64 * 2**20
# The branches of our pull requests, of questions and of steps; nothing but these and the followed one is pushed to.
_OWN_BRANCHES = ("promoter/", "promoter-steps/")
_REVISION = re.compile(r"[0-9a-f]{40}", re.ASCII)


class GitRepository:
    """`promoter.ports.Repository` on a bare clone.

    The constructor sets libgit2's timeouts (none by default) and cache, for the whole process.
    Nothing is read or written before the first call. for_a_person: its commits are a person's, who may write more
    files than the promoter (`Scope`).
    """

    def __init__(self, settings: GitSettings, *, for_a_person: bool = False) -> None:
        pygit2.settings.server_connect_timeout = _milliseconds(settings.connect_timeout)
        pygit2.settings.server_timeout = _milliseconds(settings.timeout)
        # By default libgit2 reads every tree of more than 100 entries from disk each time a path goes through it.
        pygit2.settings.cache_object_limit(ObjectType.TREE, _LARGEST_CACHED_TREE)
        pygit2.settings.cache_max_size(_CACHE_SIZE)
        self._settings = settings
        self._scope = Scope(settings.scope, for_a_person=for_a_person)
        self._clone = Clone(settings.clone, f"{settings.address} {settings.branch_ref}")
        self._remote = Remote(settings)
        self._forget()

    def _forget(self) -> None:
        """Begin with empty memories, as after a start."""
        self._damaged = False
        self._search = FolderSearch()
        self._inventories: dict[pygit2.Oid, Inventory] = {}
        self._history: History | None = None
        self._signed: dict[pygit2.Oid, bool] = {}

    def fetch(self) -> Revision:
        if not self._damaged:
            try:
                return self._fetch_once()
            except _Damage:
                pass
        self._clone.discard()
        self._forget()
        try:
            return self._fetch_once()
        except _Damage as error:
            raise RepositoryUnavailable(f"the new clone {self._settings.clone} is damaged too") from error

    def _fetch_once(self) -> Revision:
        """Fetch, and see that what is needed of the new head is here. Raises _Damage where the clone is broken."""
        try:
            head = str(self._remote.fetch(self._clone.open()))
        except LIBGIT2_ERRORS as error:
            if not self._clone.is_intact():
                raise _Damage from error
            raise RepositoryUnavailable(f"{self._settings.address} could not be fetched: {error}") from error
        try:
            self.inventory(head)
        except RepositoryUnavailable as error:
            raise _Damage from error
        return head

    def last_known_head(self) -> Revision | None:
        with self._reading():
            head = self._clone.head()
        return None if head is None else str(head)

    def inventory(self, revision: Revision) -> Inventory:
        with self._reading():
            tree = self._commit(revision).tree
            entry = entry_at(tree, ENVIRONMENTS)
            if entry is None:
                return Inventory()
            if entry.mode != FileMode.TREE:
                return Inventory(misnamed=(MisnamedFolder(ENVIRONMENTS, f"it is {entry.kind}"),))
            known = self._inventories.get(entry.id)
            if known is None:
                known = self._read_inventory(tree[ENVIRONMENTS].peel(pygit2.Tree))
                # One is enough: heads follow each other.
                self._inventories = {entry.id: known}
            return known

    def _read_inventory(self, environments: pygit2.Tree) -> Inventory:
        models: list[ServedModel] = []
        misnamed: list[MisnamedFolder] = []
        for found in self._search.below(environments):
            folder = f"{ENVIRONMENTS}/{found.folder}".removesuffix("/")
            if not self._scope.covers(folder):
                continue
            try:
                served = ServedModel.from_folder(folder)
            except InvalidName as error:
                misnamed.append(MisnamedFolder(folder, found.problem or str(error)))
                continue
            if found.problem is None:
                models.append(served)
            else:
                misnamed.append(MisnamedFolder(folder, found.problem))
        return Inventory(tuple(sorted(models, key=lambda served: served.folder)), tuple(misnamed))

    def read(self, revision: Revision, path: str) -> bytes | None:
        with self._reading() as repository:
            entry = entry_at(self._commit(revision).tree, path)
            if entry is None:
                return None
            if entry.mode not in REGULAR:
                raise InvalidDocument(path, None, f"it is {entry.kind}", "Put a regular file in its place")
            _, size = repository.odb.read_header(entry.id)
            if size > _LARGEST_FILE:
                raise InvalidDocument(
                    path, None, f"it has {size} bytes", f"A file here has {_LARGEST_FILE} bytes at most"
                )
            return repository[entry.id].peel(pygit2.Blob).data

    def object_id(self, revision: Revision, path: str) -> str | None:
        with self._reading():
            commit = self._known_commit(revision)
            entry = None if commit is None else entry_at(commit.tree, path)
            return None if entry is None else str(entry.id)

    def contains(self, descendant: Revision, ancestor: Revision) -> bool:
        with self._reading() as repository:
            newer, older = self._known_commit(descendant), self._known_commit(ancestor)
            if newer is None or older is None:
                return False
            return newer.id == older.id or repository.descendant_of(newer.id, older.id)

    def last_change(self, revision: Revision, path: str) -> Change:
        with self._reading() as repository:
            commit = self._commit(revision)
            if entry_at(commit.tree, path) is None:
                raise InvalidName(f"{path!r} does not exist in {revision}")
            return self._history_of(repository).last_change(commit, path)

    def own_commits_since(self, revision: Revision, moment: datetime) -> int:
        with self._reading() as repository:
            return self._history_of(repository).own_commits_since(self._commit(revision), moment)

    def log(self, revision: Revision, folder: str | None = None, limit: int = 50) -> tuple[Commit, ...]:
        with self._reading() as repository:
            return self._history_of(repository).log(self._commit(revision), folder, limit)

    def logs(self, revision: Revision, folders: Collection[str], limit: int = 50) -> Mapping[str, tuple[Commit, ...]]:
        with self._reading() as repository:
            return self._history_of(repository).logs(self._commit(revision), folders, limit)

    def resolve(self, head: Revision, text: str) -> Commit:
        with self._reading() as repository:
            found = commit_named(repository, self._commit(head), self._settings.branch, text)
            return self._history_of(repository).commit(found)

    def publish(self, parent: Revision, files: Mapping[str, bytes], message: str, at: datetime) -> Revision:
        """As the port says. Where `files` say what is there already, no commit is made and `parent` is returned."""
        with self._reading() as repository:
            built = self._built(repository, self._commit(parent), files, message, at)
        if built is None:
            return parent
        try:
            self._remote.push(repository, built.commit, built.parent, built.objects)
        except HeadMoved:
            # Somebody may have pushed onto our commit before the remote was asked where its branch is.
            if not self.contains(self.fetch(), str(built.commit)):
                raise
        return str(built.commit)

    def offer(self, branch: str, parent: Revision, files: Mapping[str, bytes], message: str, at: datetime) -> Revision:
        """As the port says. Where `files` say what is there already, the branch is `parent`."""
        followed = self._settings.branch
        if branch == followed or not branch.startswith(_OWN_BRANCHES) or ".." in branch:
            raise InvalidName(
                f"{branch!r} is no branch of the promoter's: those begin with {' or '.join(_OWN_BRANCHES)}"
            )
        if not pygit2.reference_is_valid_name(f"refs/heads/{branch}"):
            raise InvalidName(f"{branch!r} cannot be a branch's name")
        with self._reading() as repository:
            base = self._commit(parent)
            built = self._built(repository, base, files, message, at) or _Built(base.id, base.id, ())
        self._remote.offer(repository, built.commit, branch, built.objects)
        return str(built.commit)

    def _built(
        self,
        repository: pygit2.Repository,
        base: pygit2.Commit,
        files: Mapping[str, bytes],
        message: str,
        at: datetime,
    ) -> _Built | None:
        """A commit on `base`, in the clone only; None where it would change nothing. Raises ForbiddenWrite."""
        for path in files:
            if reason := self._scope.why_not(path):
                raise ForbiddenWrite(f"{path!r} is not written from here: {reason}")
        tree = repository[tree_with(repository, base.tree, files)].peel(pygit2.Tree)
        if tree.id == base.tree.id:
            return None
        # Trusting neither the caller nor the code above: what counts is what would be pushed.
        for difference in differences(repository, base.tree, tree):
            if reason := forbidden(difference, self._scope):
                raise ForbiddenWrite(f"the commit would change {difference.path!r}: {reason}")
        commit = self._write_commit(repository, base, tree, message, at)
        return _Built(commit, base.id, (*new_objects(repository, base.tree, tree), commit))

    def rehearse_push(self, revision: Revision) -> None:
        """Begin a push of `revision`, the branch's head, and end it before anything is sent.

        The server has asked by then who we are. Its rules about branches and files are applied to what is sent only.
        Raises PushRefused or RepositoryUnavailable.
        """
        with self._reading() as repository:
            head = self._commit(revision).id
        self._remote.rehearse(repository, head)

    def rehearse_signature(self) -> bool:
        """Sign something as a commit is signed; False where no key is set, and commits are not signed.

        Raises InvalidSettings where the key cannot be used, or where `allowed_signers` does not know it: the promoter
        would then take its own commits for somebody else's.
        """
        settings = self._settings
        if settings.signing_key is None:
            return False
        payload = b"tree of a commit that is never made"
        signature = sign(settings.signing_key, payload).encode("ascii")
        signers = settings.allowed_signers
        if signers is not None and not is_signed_by(signers, settings.author_email, payload, signature):
            raise InvalidSettings(
                f"{signers} does not list the signing key for {settings.author_email}: add its public half"
            )
        return True

    def try_forbidden_change(self, revision: Revision, branch: str, path: str, at: datetime) -> str | None:
        """Push a commit on `revision` that adds `path`, which the promoter may not write, as a new branch.

        The server's refusal; None where it took the commit, after the branch was deleted again. This is the one place
        that pushes anything but release.yaml files, and never to the branch that is followed. Raises InvalidName for
        a branch that is none or that one, and as `publish` does.
        """
        if branch == self._settings.branch or not pygit2.reference_is_valid_name(f"refs/heads/{branch}"):
            raise InvalidName(f"{branch!r} cannot be a branch to try things on: name a new one")
        with self._reading() as repository:
            base = self._commit(revision)
            tree = repository[tree_with(repository, base.tree, {path: b"Nothing may write this file.\n"})]
            commit = self._write_commit(repository, base, tree.peel(pygit2.Tree), "Try what is forbidden", at)
        return self._remote.try_branch(repository, commit, branch)

    def _write_commit(
        self, repository: pygit2.Repository, parent: pygit2.Commit, tree: pygit2.Tree, message: str, at: datetime
    ) -> pygit2.Oid:
        if at.tzinfo is None:
            raise InvalidName(f"{at} is not a moment: it has no time zone")
        name, email = self._settings.author_name, self._settings.author_email
        author = pygit2.Signature(name, email, int(at.timestamp()), 0)
        # The type stub of pygit2 calls this an Oid; it is the commit's text.
        content = str(repository.create_commit_string(author, author, printable(message), tree.id, [parent.id]))
        if self._settings.signing_key is None:
            return repository.write(ObjectType.COMMIT, content.encode())
        signature = sign(self._settings.signing_key, content.encode())
        return repository.create_commit_with_signature(content, signature)

    def _is_ours(self, commit: pygit2.Commit) -> bool:
        """Whether the promoter made `commit`: by its committer, and by its signature where keys are known."""
        if commit.committer.raw_email != self._settings.author_email.encode():
            return False
        signers = self._settings.allowed_signers
        if signers is None:
            return True
        if commit.id not in self._signed:
            signature, payload = commit.gpg_signature
            self._signed[commit.id] = (
                signature is not None
                and payload is not None
                and is_signed_by(signers, self._settings.author_email, payload, signature)
            )
        return self._signed[commit.id]

    def _history_of(self, repository: pygit2.Repository) -> History:
        if self._history is None:
            self._history = History(repository, self._is_ours)
        return self._history

    def _commit(self, revision: Revision) -> pygit2.Commit:
        commit = self._known_commit(revision)
        if commit is None:
            raise RepositoryUnavailable(f"the clone has no commit {revision!r}")
        return commit

    def _known_commit(self, revision: Revision) -> pygit2.Commit | None:
        if not _REVISION.fullmatch(revision):
            return None
        found = self._clone.open().get(revision)
        return found if isinstance(found, pygit2.Commit) else None

    @contextmanager
    def _reading(self) -> Iterator[pygit2.Repository]:
        """The clone; what cannot be read in it marks it as damaged, and the next fetch makes it anew."""
        try:
            yield self._clone.open()
        except LIBGIT2_ERRORS as error:
            self._damaged = True
            raise RepositoryUnavailable(f"the clone {self._settings.clone} is damaged: {error}") from error


@dataclass(frozen=True, slots=True)
class _Built:
    """A commit that is in the clone. objects: what it needs and `parent` has not, each after what it holds."""

    commit: pygit2.Oid
    parent: pygit2.Oid
    objects: tuple[pygit2.Oid, ...]


class _Damage(Exception):
    """The clone cannot be read. Never leaves this module."""


def forbidden(difference: Difference, scope: Scope) -> str | None:
    """Why a commit of ours may not make `difference`, None where it may."""
    if reason := scope.why_not(difference.path):
        return reason
    old, new = difference.old, difference.new
    if new is None:
        return "it would be deleted"
    if new.mode not in REGULAR:
        return f"it would be {new.kind}"
    if old is not None and old.mode not in REGULAR:
        return f"it is {old.kind} now"
    if old is not None and old.mode != new.mode:
        return "its mode would change"
    return None


def _milliseconds(duration: timedelta) -> int:
    return max(1, round(duration.total_seconds() * 1000))
