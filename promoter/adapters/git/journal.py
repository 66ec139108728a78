"""A small record beside the branches, in a reference of its own: read, and replaced by compare-and-swap.

Its history is a chain of commits with one file each, so every replacement is an ordinary fast-forward: no server is
ever forced, and of two that replace the same one the second is refused.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pygit2
from pygit2.enums import FileMode

from promoter.adapters.git.callbacks import AlreadyPushed, PushTalk, Talk
from promoter.adapters.git.clone import Clone
from promoter.adapters.git.remote import lock
from promoter.adapters.git.settings import GitSettings
from promoter.adapters.git.text import LIBGIT2_ERRORS, sentence
from promoter.documents.notify_file import parse_notified, write_notified
from promoter.domain.notice import Notified
from promoter.errors import HeadMoved, PushRefused, RepositoryUnavailable

NOTIFIED_REF = "refs/promoter/notified"
_HERE = "refs/promoter/here"
_FILE = "notified.json"
_NOTHING = pygit2.Oid(hex="0" * 40)


class GitJournal:
    """`promoter.ports.Journal` in the environment repository. `clone` is a folder of its own, with the record alone."""

    def __init__(self, settings: GitSettings, clone: Path) -> None:
        self._settings = settings
        self._clone = Clone(clone, f"{settings.address} {NOTIFIED_REF}")
        self._seen = _NOTHING

    def read(self) -> Notified | None:
        repository, talk = self._clone.open(), Talk(self._settings)
        try:
            self._seen = self._listed(repository)
            if self._seen == _NOTHING:
                return None
            self._connection(repository).fetch([f"+{NOTIFIED_REF}:{_HERE}"], callbacks=talk, proxy=True)
            content = repository[self._seen].peel(pygit2.Commit).tree[_FILE].peel(pygit2.Blob).data
        except (*LIBGIT2_ERRORS, KeyError) as error:
            raise RepositoryUnavailable(f"{NOTIFIED_REF} cannot be read: {sentence(str(error))}") from error
        return parse_notified(content, f"{NOTIFIED_REF}:{_FILE}")

    def write(self, notified: Notified, at: datetime) -> None:
        repository = self._clone.open()
        commit = self._commit(repository, notified, at)
        talk = PushTalk(self._settings, self._seen, commit)
        failure: Exception | None = None
        try:
            if self._settings.local_path is None:
                self._connection(repository).push([f"{commit}:{NOTIFIED_REF}"], callbacks=talk, proxy=True)
            else:
                self._store(repository, commit)
        except AlreadyPushed:
            pass
        except LIBGIT2_ERRORS as error:
            failure = error
        # What came of it is read, never told by how the push ended: an answer may be lost.
        try:
            there = self._listed(repository)
        except LIBGIT2_ERRORS as error:
            raise RepositoryUnavailable(f"nobody can say whether {NOTIFIED_REF} was written") from error
        if there == commit:
            self._seen = commit
        elif there != self._seen:
            raise HeadMoved(f"{NOTIFIED_REF} is no longer at {self._seen}: another promoter told first")
        elif talk.refusal is not None:
            raise PushRefused(f"{self._settings.address} refused {NOTIFIED_REF}: {sentence(talk.refusal)}")
        else:
            raise RepositoryUnavailable(f"{NOTIFIED_REF} was not written: {sentence(str(failure or ''))}")

    def _commit(self, repository: pygit2.Repository, notified: Notified, at: datetime) -> pygit2.Oid:
        builder = repository.TreeBuilder()
        builder.insert(_FILE, repository.create_blob(write_notified(notified)), FileMode.BLOB)
        author = pygit2.Signature(self._settings.author_name, self._settings.author_email, int(at.timestamp()), 0)
        parents = [] if self._seen == _NOTHING else [self._seen]
        return repository.create_commit(None, author, author, "What people were told\n", builder.write(), parents)

    def _store(self, repository: pygit2.Repository, commit: pygit2.Oid) -> None:
        """A push to a folder on this machine, under the lock that Git itself takes."""
        remote = pygit2.Repository(str(self._settings.local_path))
        made = repository[commit].peel(pygit2.Commit)
        for oid in (made.tree[_FILE].id, made.tree.id, commit):
            remote.write(*repository.read(oid))
        with remote.transaction() as transaction:
            lock(transaction, NOTIFIED_REF)
            reference = remote.references.get(NOTIFIED_REF)
            if (_NOTHING if reference is None else reference.target) != self._seen:
                raise HeadMoved(f"{NOTIFIED_REF} is no longer at {self._seen}: another promoter told first")
            transaction.set_target(NOTIFIED_REF, commit)

    def _listed(self, repository: pygit2.Repository) -> pygit2.Oid:
        heads = self._connection(repository).list_heads(callbacks=Talk(self._settings), proxy=True)
        return next((head.oid for head in heads if head.name == NOTIFIED_REF), _NOTHING)

    def _connection(self, repository: pygit2.Repository) -> pygit2.Remote:
        # Anonymous, so that no address is ever written to disk.
        return repository.remotes.create_anonymous(self._settings.address)
