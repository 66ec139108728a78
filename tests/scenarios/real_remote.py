"""A real bare repository as the races see it: people's and forges' commits are made by Git's own merges."""

from datetime import UTC, datetime

import pygit2

from promoter.adapters.git import GitRepository, GitSettings

PROMOTER = "promoter@localhost"
BRANCH = "refs/heads/main"


class RealRemote:
    """A bare repository in `folder`. An entry of `commits` holds what FakeRepository's does."""

    def __init__(self, folder, clock):
        self.clock = clock
        self.folder = folder
        self.git = pygit2.init_repository(str(folder / "remote.git"), bare=True, initial_head="main")
        self._entries = {}

    def clone(self, name, *, person=None):
        """The product's own adapter, with a clone of its own."""
        settings = GitSettings(
            f"file://{self.git.path}", "main", self.folder / f"{name}.git", person or "promoter", _email(person)
        )
        return GitRepository(settings, for_a_person=person is not None)

    @property
    def _tip(self):
        found = self.git.references.get(BRANCH)
        return None if found is None else self.git[found.target]

    @property
    def head(self):
        return self._entry(self._tip)

    @property
    def commits(self):
        return [self._entry(commit) for commit in self.git.walk(self._tip.id, pygit2.enums.SortMode.REVERSE)]

    def _find(self, revision):
        return self._entry(self.git[revision])

    def _entry(self, commit):
        known = self._entries.get(commit.id)
        if known is None:
            index = pygit2.Index()
            index.read_tree(commit.tree)
            known = self._entries[commit.id] = {
                "id": str(commit.id),
                "parent": str(commit.parent_ids[0]) if commit.parent_ids else None,
                "tree": {entry.path: self.git[entry.id].data for entry in index},
                "message": commit.message,
                "at": datetime.fromtimestamp(commit.commit_time, UTC),
                "author": commit.author.name,
                "ours": commit.committer.email == PROMOTER,
            }
        return known

    def person(self, files, message="A person's commit", author="Ada", committer=None):
        index = pygit2.Index()
        if self._tip is not None:
            index.read_tree(self._tip.tree)
        for path, content in files.items():
            blob = self.git.create_blob(content if isinstance(content, bytes) else content.encode())
            index.add(pygit2.IndexEntry(path, blob, pygit2.enums.FileMode.BLOB))
        self._commit(index.write_tree(self.git), message, author, committer)

    def merged(self, draft, author):
        """A forge's rebase or squash of a promoter's branch of one commit: its changes, merged onto the head."""
        before = self.git[draft.parent]
        index = pygit2.Index()
        index.read_tree(before.tree)
        for path, content in draft.files.items():
            index.add(pygit2.IndexEntry(path, self.git.create_blob(content), pygit2.enums.FileMode.BLOB))
        after = self.git[index.write_tree(self.git)]
        self._merge(self.git.merge_trees(before.tree, self._tip.tree, after), draft.message, author)

    def reverted(self, entry):
        """`git revert`: a merge whose base is the commit, and whose other side is its parent."""
        commit = self.git[entry["id"]]
        self._merge(self.git.revert_commit(commit, self._tip), f'Revert "{entry["message"].splitlines()[0]}"', "Ada")

    def _merge(self, index, message, author):
        # Who sees a conflict gives up.
        if not index.conflicts:
            self._commit(index.write_tree(self.git), message, author, "forge")

    def _commit(self, tree, message, author, committer):
        tip = self._tip
        if tip is not None and tip.tree.id == tree:
            return
        at = int(self.clock.now.timestamp())
        signatures = [pygit2.Signature(name, _email(name), at, 0) for name in (author, committer or author)]
        self.git.create_commit(BRANCH, *signatures, message, tree, [] if tip is None else [tip.id])


def _email(name):
    return PROMOTER if name in {None, "promoter"} else f"{name.lower()}@example.com"
