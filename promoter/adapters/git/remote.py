"""The branch on the server: where it is, what is new in it, and how a commit gets there.

A push is compare-and-swap, and what came of it is read from the branch afterwards, never from how
the push ended: refusals are no exceptions in libgit2, and an answer that was lost says nothing.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence

import pygit2

from promoter.adapters.git.callbacks import AlreadyPushed, PushTalk, Talk, TryTalk
from promoter.adapters.git.clone import TRACKING_REF
from promoter.adapters.git.settings import GitSettings
from promoter.adapters.git.text import LIBGIT2_ERRORS, sentence
from promoter.errors import HeadMoved, PushRefused, RepositoryUnavailable

# How servers and libgit2 say that the branch is no longer where the push expects it.
_MOVED = re.compile(
    r"but expected|incorrect old value|non-?fast-?forward|fetch first|not present locally", re.IGNORECASE
)
_REFUSED = re.compile(r"status code: 403|failed to lock")
_LOCK_PATIENCE_S = 1.0
_LOCK_PAUSE_S = 0.02


class Remote:
    """One branch of one remote."""

    def __init__(self, settings: GitSettings) -> None:
        self._settings = settings

    def fetch(self, repository: pygit2.Repository) -> pygit2.Oid:
        """The branch's commit, downloaded where it is not here. A rewound branch is a fact like any other.

        Raises RepositoryUnavailable where the server does not answer, and libgit2's own errors where
        what it sent cannot be stored.
        """
        remote = self._connection(repository)
        talk = Talk(self._settings)
        head = self._listed(remote, talk)
        known = repository.references.get(TRACKING_REF)
        if known is None or known.target != head:
            remote.fetch([f"+{self._settings.branch_ref}:{TRACKING_REF}"], callbacks=talk, proxy=True)
        return head

    def push(
        self, repository: pygit2.Repository, commit: pygit2.Oid, parent: pygit2.Oid, objects: Sequence[pygit2.Oid]
    ) -> None:
        """Move the branch from `parent` to `commit`, or raise.

        objects: what `commit` needs and `parent` has not, each after what it holds. Raises HeadMoved,
        PushRefused, or RepositoryUnavailable where nobody can say what became of the push.
        """
        talk = PushTalk(self._settings, parent, commit)
        failure: Exception | None = None
        try:
            if self._settings.local_path is None:
                self._send(repository, commit, talk)
            else:
                self._store(repository, commit, parent, objects)
        except AlreadyPushed:
            return
        except LIBGIT2_ERRORS as error:
            failure = error
        self._settle(repository, commit, parent, talk, failure)

    def offer(
        self, repository: pygit2.Repository, commit: pygit2.Oid, branch: str, objects: Sequence[pygit2.Oid]
    ) -> None:
        """Make `branch` point to `commit`, whatever it was before. objects: as for `push`.

        Raises PushRefused and RepositoryUnavailable.
        """
        name = f"refs/heads/{branch}"
        try:
            if self._settings.local_path is not None:
                remote = pygit2.Repository(str(self._settings.local_path))
                for oid in objects:
                    remote.write(*repository.read(oid))
                remote.references.create(name, commit, force=True)
            elif refusal := self._pushed(repository, f"+{commit}:{name}"):
                raise PushRefused(f"{self._settings.address} refuses the branch {branch}: {refusal}")
        except LIBGIT2_ERRORS as error:
            raise self._unavailable(error) from error

    def rehearse(self, repository: pygit2.Repository, head: pygit2.Oid) -> None:
        """Begin a push of what the branch has already, up to where the server has told where its branches are.

        Raises PushRefused where the server lets this account push nothing, or RepositoryUnavailable.
        """
        try:
            if self._settings.local_path is None:
                self._send(repository, head, PushTalk(self._settings, head, head))
            else:
                self._store(repository, head, head, ())
        except (AlreadyPushed, HeadMoved):
            return
        except LIBGIT2_ERRORS as error:
            if _REFUSED.search(str(error)):
                raise PushRefused(f"{self._settings.address} takes no push: {sentence(str(error))}") from error
            raise self._unavailable(error) from error
        raise RepositoryUnavailable(f"{self._settings.address} did not say where its branches are")

    def try_branch(self, repository: pygit2.Repository, commit: pygit2.Oid, name: str) -> str | None:
        """Push `commit` as the new branch `name`, and take it away again. The server's refusal, None where it took it.

        Raises HeadMoved where there is such a branch, PushRefused where it cannot be taken away again, and
        RepositoryUnavailable.
        """
        branch = f"refs/heads/{name}"
        try:
            listing = self._connection(repository).list_heads(callbacks=Talk(self._settings), proxy=True)
            heads = {head.name for head in listing}
            if branch in heads:
                raise HeadMoved(f"{self._settings.address} has a branch {name} already: name one that it has not")
            if refusal := self._pushed(repository, f"{commit}:{branch}"):
                return refusal
            if refusal := self._pushed(repository, f":{branch}"):
                raise PushRefused(f"the branch {name} was made for a try and cannot be deleted: {refusal}")
        except LIBGIT2_ERRORS as error:
            raise self._unavailable(error) from error
        return None

    def _pushed(self, repository: pygit2.Repository, refspec: str) -> str | None:
        """What the server, or a hook of its own, says against it; None where it was done."""
        talk = TryTalk(self._settings)
        # A connection of its own: one that has listed branches can only fetch.
        connection = self._connection(repository)
        try:
            connection.push([refspec], callbacks=talk, proxy=True)
        except LIBGIT2_ERRORS as error:
            if talk.refusal is None and not _REFUSED.search(str(error)):
                raise
            return sentence(f"{talk.refusal or error} {talk.said}")
        return None if talk.refusal is None else sentence(f"{talk.refusal} {talk.said}")

    def _send(self, repository: pygit2.Repository, commit: pygit2.Oid, talk: PushTalk) -> None:
        remote = self._connection(repository)
        remote.push([f"{commit}:{self._settings.branch_ref}"], callbacks=talk, proxy=True)

    def _store(
        self, repository: pygit2.Repository, commit: pygit2.Oid, parent: pygit2.Oid, objects: Sequence[pygit2.Oid]
    ) -> None:
        """A push to a folder on this machine, under the lock that Git itself takes on a branch.

        libgit2's own push to a folder overwrites whatever was pushed after its comparison.
        """
        remote = pygit2.Repository(str(self._settings.local_path))
        for oid in objects:
            remote.write(*repository.read(oid))
        branch = self._settings.branch_ref
        with remote.transaction() as transaction:
            lock(transaction, branch)
            head = remote.references[branch].target
            if head == commit:
                raise AlreadyPushed
            if head != parent:
                raise HeadMoved(f"{branch} is at {head}, not at {parent}: somebody pushed first")
            transaction.set_target(branch, commit)

    def _settle(
        self,
        repository: pygit2.Repository,
        commit: pygit2.Oid,
        parent: pygit2.Oid,
        talk: PushTalk,
        failure: Exception | None,
    ) -> None:
        """Return where the branch is at `commit`; otherwise raise what that means."""
        complaint = sentence(f"{talk.refusal or failure or ''} {talk.said}")
        try:
            head = self._listed(self._connection(repository), Talk(self._settings))
        except RepositoryUnavailable as error:
            if talk.refusal is None:
                raise RepositoryUnavailable(f"nobody can say whether the push of {commit} was applied: {error}") from (
                    failure or error
                )
            head = parent
        if head == commit:
            return
        if head != parent or _MOVED.search(complaint):
            raise HeadMoved(f"{self._settings.branch_ref} is no longer at {parent}: somebody pushed first") from failure
        # A text that is no UTF-8 can only be a hook's, and a hook that lets a push pass has the branch moved.
        if talk.refusal is not None or isinstance(failure, UnicodeError) or _REFUSED.search(str(failure)):
            raise PushRefused(f"{self._settings.address} refused the push: {complaint}") from failure
        if failure is None:
            raise RepositoryUnavailable(f"{self._settings.address} accepted {commit}, but still shows {parent}")
        raise self._unavailable(failure) from failure

    def _listed(self, remote: pygit2.Remote, talk: Talk) -> pygit2.Oid:
        """Where the server says the branch is."""
        try:
            heads = remote.list_heads(callbacks=talk, proxy=True)
        except LIBGIT2_ERRORS as error:
            raise self._unavailable(error) from error
        for head in heads:
            if head.name == self._settings.branch_ref:
                return head.oid
        raise RepositoryUnavailable(f"{self._settings.address} has no branch {self._settings.branch!r}")

    def _connection(self, repository: pygit2.Repository) -> pygit2.Remote:
        # Anonymous, so that no address is ever written to disk.
        return repository.remotes.create_anonymous(self._settings.address)

    def _unavailable(self, error: Exception) -> RepositoryUnavailable:
        return RepositoryUnavailable(f"{self._settings.address} did not answer: {sentence(str(error))}")


def lock(transaction: pygit2.transaction.ReferenceTransaction, reference: str) -> None:
    """Lock `reference`, waiting up to a second for another writer to finish."""
    deadline = time.monotonic() + _LOCK_PATIENCE_S
    while True:
        try:
            transaction.lock_ref(reference)
        except pygit2.GitError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_LOCK_PAUSE_S)
        else:
            return
