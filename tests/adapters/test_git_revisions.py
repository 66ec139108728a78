"""What a person may call a commit, and what is said where there is none of that name."""

import hashlib
from contextlib import suppress

import pytest
from git_remote import PROMOTER, RESNET, BareRemote, git, promoter_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from promoter.errors import InvalidName

US = f"promoter <{PROMOTER}>"


@pytest.fixture(scope="module")
def remote(tmp_path_factory):
    """A branch of five commits, the last but one a merge."""
    made = BareRemote(tmp_path_factory.mktemp("remote") / "shop.git")
    made.commit({RESNET: "a: 1\n"}, "one", by=US)
    git(made.folder, "branch", "side")
    made.commit({RESNET: "a: 2\n"}, "two")
    made.commit({"README.md": "side\n"}, "beside", on="side")
    made.commit({"README.md": "side\n"}, "merge", merging="refs/heads/side")
    made.commit({RESNET: "a: 3\n"}, "three", by=US)
    return made


@pytest.fixture(scope="module")
def promoter(remote, tmp_path_factory):
    promoter = promoter_of(remote.url, tmp_path_factory.mktemp("clone") / "clone.git")
    promoter.fetch()
    return promoter


@pytest.mark.parametrize(
    "text",
    ["HEAD", "@", "main", "HEAD~0", "main^", "main~1", "main~", "main~3", "HEAD~~", "HEAD^^2", "HEAD~1^2~1", "HEAD^0"],
)
def test_a_name_means_what_it_means_to_git_at_the_remotes_branch(remote, promoter, text):
    wanted = git(remote.folder, "rev-parse", f"{text}^{{commit}}")
    assert promoter.resolve(remote.head, text).revision == wanted


def test_a_hash_may_be_short_long_or_in_capitals(remote, promoter):
    for text in (remote.first, remote.first[:7], remote.first[:8].upper()):
        assert promoter.resolve(remote.head, text).revision == remote.first
    assert promoter.resolve(remote.head, remote.head[:10] + "~4").revision == remote.first


def test_head_is_the_head_that_was_asked_about_and_not_the_clones(remote, promoter):
    older = promoter.resolve(remote.head, "HEAD~1").revision
    assert promoter.resolve(older, "HEAD").revision == older


def test_a_commit_knows_its_parent_its_message_and_whose_it_is(remote, promoter):
    newest, merge = promoter.resolve(remote.head, "HEAD"), promoter.resolve(remote.head, "HEAD~1")
    assert (newest.message.strip(), newest.ours, newest.parent) == ("three", True, merge.revision)
    assert (merge.ours, merge.parent) == (False, promoter.resolve(remote.head, "HEAD~2").revision)
    assert promoter.resolve(remote.head, remote.first).parent is None
    assert promoter.log(remote.head, limit=1) == (newest,)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "cannot name a commit"),
        ("HEAD~x", "cannot name a commit"),
        ("main..HEAD", "is no hash"),
        ("HEAD@{1}", "is no hash"),
        (":/one", "is no hash"),
        ("$(touch owned)", "cannot name a commit"),
        ("--upload-pack=x", "is no hash"),
        ("feature", "is no hash, and not the branch that is followed"),
        ("dea", "is no hash"),
        ("0000000", "does not exist in this repository"),
        ("f" * 40, "does not exist in this repository"),
        ("HEAD~5", "does not exist: the branch begins with"),
        ("HEAD~999999999", "does not exist: the branch begins with"),
        ("HEAD^2", "has 1 parents"),
    ],
)
def test_what_does_not_exist_is_said_with_a_remedy(remote, promoter, text, says):
    with pytest.raises(InvalidName, match=says) as raised:
        promoter.resolve(remote.head, text)
    assert "history" in str(raised.value) or "begins with" in str(raised.value) or "parents" in str(raised.value)
    assert promoter.fetch() == remote.head, "a name that does not exist is no damage to the clone"


def test_a_file_is_no_commit(remote, promoter):
    blob = git(remote.folder, "rev-parse", f"main:{RESNET}")
    with pytest.raises(InvalidName, match="is no commit"):
        promoter.resolve(remote.head, blob)


def test_a_beginning_that_two_hashes_share_asks_for_more_digits(tmp_path):
    by_beginning: dict[str, str] = {}
    for number in range(5000):
        text = str(number)
        beginning = hashlib.sha1(f"blob {len(text)}\0{text}".encode()).hexdigest()[:4]
        if beginning in by_beginning:
            break
        by_beginning[beginning] = text
    remote = BareRemote(tmp_path / "many.git", {"one": by_beginning[beginning], "other": text})
    promoter = promoter_of(remote.url, tmp_path / "clone.git")
    with pytest.raises(InvalidName, match="give more digits"):
        promoter.resolve(promoter.fetch(), beginning)


@given(text=st.text(max_size=30))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_text_does_anything_but_name_a_commit_or_be_refused(remote, promoter, text):
    with suppress(InvalidName):
        assert promoter.contains(remote.head, promoter.resolve(remote.head, text).revision)
