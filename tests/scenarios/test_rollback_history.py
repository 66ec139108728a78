"""What real Git tells of a version that was stable, and of what was served since."""

from __future__ import annotations

from dataclasses import replace

from adapters.git_remote import promoter_of
from builders import RANKER, digest, version
from fakes import World
from test_verbs import Person
from world_repository import pushed

from promoter.control.backwards import last_stable, looked_for
from promoter.documents.release_file import parse_release
from promoter.domain.version import StoredVersion


def test_the_history_of_the_release_tells_files_times_rejections_and_who_asked(tmp_path):
    world = World(versions=(42, 43))
    assert world.run(900, until=lambda: world.release.stable.version == version(43))
    ended = world.repository.head["at"]
    Person(world).says("rollback", "ranker", None, version(42))
    pushed(world, tmp_path / "remote.git")
    repository = promoter_of((tmp_path / "remote.git").as_uri(), tmp_path / "clone")
    head = repository.fetch()

    found = last_stable(repository, RANKER, head, version(42))
    assert (found.digest, found.ended.at) == (digest(42), ended)
    assert last_stable(repository, RANKER, head, version(43)) is not None
    assert last_stable(repository, RANKER, head, version(41)) is None

    release = parse_release(repository.read(head, RANKER.release_path), RANKER.release_path)
    sought = looked_for(repository, RANKER, head, release, release.sought)
    assert (sought.said.revision, sought.said.author, sought.until, sought.pods) == (head, "Ada", ended, 4)
    assert version(43) in {entry.version for entry in sought.passed}

    other = StoredVersion(version(42), digest(99))
    assert looked_for(repository, RANKER, head, replace(release, start=other), other).until is None
