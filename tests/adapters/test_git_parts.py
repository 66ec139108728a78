"""Settings, scopes and the guard over what a commit may change."""

from datetime import timedelta
from pathlib import Path

import pygit2
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from promoter.adapters.git.repository import forbidden
from promoter.adapters.git.scope import Scope
from promoter.adapters.git.settings import GitSettings
from promoter.adapters.git.trees import Difference, Entry, differences, new_objects, tree_with
from promoter.errors import InvalidSettings

RESNET = "environments/production/resnet50/release.yaml"
ONE, TWO = pygit2.Oid(hex="1" * 40), pygit2.Oid(hex="2" * 40)
FILE, PROGRAM, LINK, SUBMODULE, FOLDER = 0o100644, 0o100755, 0o120000, 0o160000, 0o040000


def settings(**changes: object) -> GitSettings:
    plain = {"url": "file:///srv/shop.git", "branch": "main", "clone": Path("clone")}
    return GitSettings(**{**plain, "author_name": "promoter", "author_email": "promoter@shop.example", **changes})


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://jane:s3cret@git.example:8443/shop.git", "https://git.example:8443/shop.git"),
        ("https://s3cret@git.example/shop.git", "https://git.example/shop.git"),
        ("https://git.example/shop.git?token=s3cret", "https://git.example/shop.git"),
        ("ssh://git:s3cret@git.example:2222/shop.git", "ssh://git@git.example:2222/shop.git"),
        ("git@git.example:shop.git", "git@git.example:shop.git"),
        ("file:///srv/shop.git", "file:///srv/shop.git"),
    ],
)
def test_an_address_shows_no_secret(url, address):
    assert settings(url=url).address == address
    assert "s3cret" not in repr(settings(url=url))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"url": "/srv/shop.git"}, "must begin with"),
        ({"url": "ext::sh -c s3cret"}, "must begin with"),
        ({"url": "ftp://jane:s3cret@git.example/shop.git"}, "must begin with"),
        ({"url": "https://jane:s3cret@git.example:port/shop.git"}, "not a URL"),
        ({"branch": "a b"}, "not a branch"),
        ({"branch": ""}, "not a branch"),
        ({"author_name": "a\nb"}, "author's name"),
        ({"author_email": "<x>"}, "author's e-mail"),
        ({"author_email": " "}, "author's e-mail"),
        ({"timeout": timedelta(0)}, "longer than zero"),
        ({"scope": ("",)}, "not a scope"),
        ({"scope": ("../charts",)}, "not a scope"),
        ({"scope": ("production/**/resnet50",)}, "not a scope"),
    ],
)
def test_wrong_settings_are_refused_without_showing_secrets(changes, message):
    with pytest.raises(InvalidSettings, match=message) as refused:
        settings(**changes)

    assert "s3cret" not in str(refused.value)
    assert refused.value.__cause__ is None


@pytest.mark.parametrize(
    ("pattern", "folder", "covered"),
    [
        ("production", "environments/production/resnet50", True),
        ("production", "environments/production/shop/ranker", True),
        ("production", "environments/production-eu/resnet50", False),
        ("environments/production/shop/**", "environments/production/shop/ranker", True),
        ("production/shop/", "environments/production/shop", True),
        ("production/shop", "environments/production", False),
        ("production/team-*", "environments/production/team-a/ranker", True),
        ("production/team-*", "environments/production/shop/ranker", False),
        ("*/resnet50", "environments/staging/resnet50", True),
        ("*/resnet50", "environments/staging/shop/resnet50", False),
    ],
)
def test_a_scope_covers_what_its_pattern_names_and_all_below(pattern, folder, covered):
    assert Scope((pattern,)).covers(folder) is covered


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (Entry(ONE, FILE), Entry(TWO, FILE), None),
        (Entry(ONE, PROGRAM), Entry(TWO, PROGRAM), None),
        (None, Entry(TWO, FILE), None),
        (Entry(ONE, FILE), None, "deleted"),
        (Entry(ONE, FILE), Entry(ONE, PROGRAM), "mode"),
        (Entry(ONE, FILE), Entry(TWO, LINK), "symbolic link"),
        (Entry(ONE, FILE), Entry(TWO, SUBMODULE), "submodule"),
        (Entry(ONE, LINK), Entry(TWO, FILE), "symbolic link"),
        (None, Entry(TWO, FOLDER), "folder"),
    ],
)
def test_the_guard_lets_only_contents_of_release_files_through(old, new, reason):
    said = forbidden(Difference(RESNET, old, new), Scope(()))

    assert said is None if reason is None else reason in said


@given(path=st.lists(st.sampled_from(["environments", "production", "a", "..", "", "release.yaml", "values.yaml"])))
def test_the_guard_lets_no_other_path_through(path):
    said = forbidden(Difference("/".join(path), Entry(ONE, FILE), Entry(TWO, FILE)), Scope(()))

    allowed = path[:1] == ["environments"] and path[-1:] == ["release.yaml"] and len(path) in (4, 5)
    plain = all(part in ("production", "a", "environments") for part in path[1:-1])
    assert (said is None) == (allowed and plain)


FILES = st.dictionaries(
    st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=3).map(lambda parts: "/".join([*parts, "file"])),
    st.binary(max_size=3),
    max_size=8,
)


# Disks are slow at times, so no deadline.
@hypothesis_settings(deadline=None, max_examples=50)
@given(before=FILES, after=FILES)
def test_differences_are_exactly_the_files_that_differ(tmp_path_factory, before, after):
    repository = pygit2.init_repository(str(tmp_path_factory.getbasetemp() / "differences.git"), bare=True)
    old, new = (repository[tree_with(repository, None, files)] for files in (before, after))

    found = {difference.path for difference in differences(repository, old, new)}

    assert found == {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}


@hypothesis_settings(deadline=None, max_examples=20)
@given(before=FILES, changed=FILES)
def test_new_objects_are_all_that_another_repository_lacks(tmp_path_factory, before, changed):
    folder = tmp_path_factory.mktemp("objects")
    here, there = (pygit2.init_repository(str(folder / name), bare=True) for name in ("here", "there"))
    old = here[tree_with(here, None, before)]
    tree_with(there, None, before)
    new = here[tree_with(here, old, changed)]

    for oid in new_objects(here, old, new):
        there.write(*here.read(oid))

    assert {d.path for d in differences(there, None, there[new.id])} == before.keys() | changed.keys()


def test_an_empty_folder_that_appears_is_a_difference(tmp_path):
    repository = pygit2.init_repository(str(tmp_path / "x.git"), bare=True)
    empty = repository.TreeBuilder().write()
    builder = repository.TreeBuilder()
    builder.insert("folder", empty, FOLDER)

    (found,) = differences(repository, repository[empty], repository[builder.write()])

    assert found.path == "folder"
    assert forbidden(found, Scope(())) is not None
