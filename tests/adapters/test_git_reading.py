"""What is in a commit, and who changed it: links never followed, merges seen from the branch's side."""

from datetime import UTC, datetime

import pytest
from git_remote import JANE, PROMOTER, RANKER, RESNET, BareRemote, git, promoter_of

from promoter.adapters.git import GitRepository
from promoter.domain.names import ServedModel
from promoter.domain.repository import Inventory
from promoter.errors import InvalidDocument, InvalidName, RepositoryUnavailable

US = f"promoter <{PROMOTER}>"
VALUES = "environments/production/resnet50/values.yaml"


@pytest.fixture
def remote(tmp_path):
    return BareRemote(tmp_path / "shop.git")


@pytest.fixture
def promoter(remote, tmp_path):
    return promoter_of(remote.url, tmp_path / "clone")


def moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def time_of(remote: BareRemote, revision: str) -> datetime:
    return moment(int(git(remote.folder, "show", "-s", "--format=%ct", revision)))


def misnamed(found: Inventory) -> dict[str, str]:
    return {folder.folder: folder.reason for folder in found.misnamed}


def test_the_inventory_has_every_model_with_and_without_group(promoter):
    assert promoter.inventory(promoter.fetch()) == Inventory(
        models=(
            ServedModel("production", "resnet50"),
            ServedModel("production", "ranker", "shop"),
            ServedModel("staging", "resnet50"),
        )
    )


def test_a_repository_without_environments_has_no_models(tmp_path):
    remote = BareRemote(tmp_path / "empty.git", {"README.md": "nothing yet\n"})
    promoter = promoter_of(remote.url, tmp_path / "clone")

    assert promoter.inventory(promoter.fetch()) == Inventory()


@pytest.mark.parametrize(
    ("path", "folder", "reason"),
    [
        ("environments/production/ResNet/release.yaml", "environments/production/ResNet", "cannot name a model"),
        ("environments/production/a b/release.yaml", "environments/production/a b", "cannot name a model"),
        ("environments/Production/m/release.yaml", "environments/Production/m", "cannot name an environment"),
        ("environments/production/a/b/c/release.yaml", "environments/production/a/b/c", "not a model's folder"),
        ("environments/production/release.yaml", "environments/production", "not a model's folder"),
        ("environments/production/resnet50/old/release.yaml", "environments/production/resnet50/old", "lies inside"),
    ],
)
def test_a_misnamed_folder_is_reported_and_the_others_stay(remote, promoter, path, folder, reason):
    remote.commit({path: "release: {}\n"}, "Strange")

    found = promoter.inventory(promoter.fetch())

    assert reason in misnamed(found)[folder]
    assert ServedModel("staging", "resnet50") in found.models


@pytest.mark.parametrize(("mode", "kind"), [("120000", "a symbolic link"), ("160000", "a submodule")])
@pytest.mark.parametrize("path", ["environments/production/linked", "environments/production/linked/release.yaml"])
def test_links_and_submodules_are_never_followed(remote, promoter, path, mode, kind):
    content = "../staging/resnet50" if mode == "120000" else remote.first
    remote.commit({path: content}, "Linked", modes={path: mode})

    found = promoter.inventory(promoter.fetch())

    assert kind in misnamed(found)["environments/production/linked"]
    assert ServedModel("production", "linked") not in found.models


def test_environments_that_are_a_link_are_reported(remote, promoter):
    remote.commit({"environments": None}, "Gone")
    remote.commit({"environments": "elsewhere"}, "Linked", modes={"environments": "120000"})

    assert misnamed(promoter.inventory(promoter.fetch())) == {"environments": "it is a symbolic link"}


def test_names_that_are_no_utf8_harm_nobody(remote, promoter):
    blob = git(remote.folder, "hash-object", "-w", "--stdin", text="release: {}\n")
    folder = git(remote.folder, "mktree", "-z", text=f"100644 blob {blob}\trelease.yaml\0")
    git(remote.folder, "fast-import", "--quiet", "--force", text=_odd_commit(folder))
    head = promoter.fetch()

    assert "cannot name a model" in misnamed(promoter.inventory(head))[r"environments/production/caf\xe9"]
    assert ServedModel("production", "resnet50") in promoter.inventory(head).models
    assert promoter.last_change(head, RESNET).revision == remote.first


def _odd_commit(folder: str) -> str:
    return (
        f"commit refs/heads/main\ncommitter {JANE} 1795000900 +0000\ndata 3\nodd\nfrom refs/heads/main^0\n"
        f'M 040000 {folder} "environments/production/caf\\351"\n'
    )


def test_an_inventory_follows_changes(remote, promoter):
    before = promoter.inventory(promoter.fetch())
    remote.commit({"environments/production/inception/release.yaml": "release: {}\n", RANKER: None}, "One for another")

    after = promoter.inventory(promoter.fetch())

    assert set(after.models) - set(before.models) == {ServedModel("production", "inception")}
    assert set(before.models) - set(after.models) == {ServedModel("production", "ranker", "shop")}


def test_a_regular_file_is_read_from_any_commit(remote, promoter):
    remote.commit({VALUES: "replicaCount: 3\n"}, "More", modes={VALUES: "100755"})
    head = promoter.fetch()

    assert promoter.read(head, VALUES) == b"replicaCount: 3\n"
    assert promoter.read(remote.first, VALUES) == b"replicaCount: 2\n"


@pytest.mark.parametrize(
    "path", ["nothing", "environments/production/nothing", "../README.md", "/README.md", "README.md/x", "", "a\0b"]
)
def test_where_there_is_nothing_nothing_is_read(promoter, path):
    head = promoter.fetch()

    assert promoter.read(head, path) is None
    assert promoter.object_id(head, path) is None


@pytest.mark.parametrize(
    ("mode", "content", "problem"),
    [
        ("120000", "../../../README.md", "a symbolic link"),
        ("160000", "5d1c5d1c5d1c5d1c5d1c5d1c5d1c5d1c5d1c5d1c", "a submodule"),
        ("100644", "x" * 65_537, "65537 bytes"),
    ],
)
def test_what_is_no_plain_small_file_is_refused_by_its_path(remote, promoter, mode, content, problem):
    remote.commit({VALUES: content}, "Strange", modes={VALUES: mode})

    with pytest.raises(InvalidDocument, match=problem) as refused:
        promoter.read(promoter.fetch(), VALUES)

    assert refused.value.where == VALUES


def test_a_folder_is_no_file(promoter):
    with pytest.raises(InvalidDocument, match="a folder"):
        promoter.read(promoter.fetch(), "environments/production/resnet50")


def test_a_file_of_64_kib_is_read(remote, promoter):
    remote.commit({VALUES: "x" * 65_536}, "Large")

    assert promoter.read(promoter.fetch(), VALUES) == b"x" * 65_536


def test_equal_ids_mean_equal_content(remote, promoter):
    head = remote.commit({VALUES: "replicaCount: 3\n"}, "More")
    promoter.fetch()

    assert promoter.object_id(head, "charts") == promoter.object_id(remote.first, "charts")
    folder = "environments/production/resnet50"
    assert promoter.object_id(head, folder) != promoter.object_id(remote.first, folder)


def test_contains_knows_ancestors_and_nothing_of_strangers(remote, promoter):
    head = remote.commit({VALUES: "replicaCount: 3\n"}, "More")
    promoter.fetch()

    assert promoter.contains(head, head)
    assert promoter.contains(head, remote.first)
    assert not promoter.contains(remote.first, head)
    assert not promoter.contains(head, "5d1c" * 10)
    assert not promoter.contains("", head)
    assert not promoter.contains("main", head)


def test_a_commit_that_is_not_here_is_unavailable(promoter):
    promoter.fetch()

    with pytest.raises(RepositoryUnavailable, match="5d1c"):
        promoter.read("5d1c" * 10, RESNET)


def test_the_last_change_names_who_when_and_what_was_before(remote, promoter):
    changed = remote.commit({RESNET: "by hand\n"}, "Jane's pull request")
    head = remote.commit({"README.md": "models!\n"}, "Something else")
    promoter.fetch()

    change = promoter.last_change(head, RESNET)

    assert change.revision == changed
    assert change.author == "Jane Doe"
    assert change.at == time_of(remote, changed)
    assert not change.ours
    assert change.before == remote.first


def test_the_promoters_own_change_is_known_by_its_committer(remote, promoter):
    head = remote.commit({RESNET: "canary\n"}, "canary", by=US)
    promoter.fetch()

    assert promoter.last_change(head, RESNET).ours


def test_the_promoters_commit_rewritten_by_a_person_is_the_persons(remote, promoter):
    head = remote.commit({RESNET: "canary\n"}, "canary", author=US)
    promoter.fetch()

    assert not promoter.last_change(head, RESNET).ours


def test_trailers_make_nothing_the_promoters(remote, promoter):
    head = remote.commit({RESNET: "canary\n"}, "canary\n\nPromoter-Action: promote\n")
    promoter.fetch()

    assert not promoter.last_change(head, RESNET).ours


def test_a_file_that_was_created_has_no_before(remote, promoter):
    path = "environments/production/inception/release.yaml"
    head = remote.commit({path: "release: {}\n"}, "One more model")
    promoter.fetch()

    assert promoter.last_change(head, path).before is None
    assert promoter.last_change(head, RESNET).before is None


def test_a_folder_changes_with_what_is_in_it(remote, promoter):
    head = remote.commit({VALUES: "replicaCount: 3\n"}, "More")
    promoter.fetch()

    change = promoter.last_change(head, "environments/production/resnet50")

    assert (change.revision, change.before) == (head, remote.first)


def test_a_merge_is_the_change_of_whoever_merged(remote, promoter):
    side = remote.commit({RESNET: "on a branch\n"}, "On a branch", on="side", by=US, merging=remote.first)
    main = remote.commit({"README.md": "models!\n"}, "Meanwhile")
    merge = remote.commit({RESNET: "on a branch\n"}, "Merge side", merging=side)
    promoter.fetch()

    change = promoter.last_change(merge, RESNET)

    assert (change.revision, change.before, change.ours) == (merge, main, False)
    assert promoter.last_change(merge, "README.md").revision == main


def test_a_squash_merge_over_our_commit_is_a_persons(remote, promoter):
    ours = remote.commit({RESNET: "weight: 5\n"}, "canary at 5 %", by=US)
    squashed = remote.commit({RESNET: "weight: 0\n"}, "Back to 0 (#7)", by="GitHub <noreply@github.example>")
    promoter.fetch()

    change = promoter.last_change(squashed, RESNET)

    assert (change.revision, change.before, change.ours) == (squashed, ours, False)


def test_changes_stay_right_while_the_head_moves_and_rewinds(remote, promoter):
    for number in range(12):
        path = (RESNET, RANKER, VALUES)[number % 3]
        remote.commit({path: f"{number}\n"}, f"{number}")
        if number == 7:
            remote.rewind(git(remote.folder, "rev-parse", "main~3"))
        head = promoter.fetch()
        for asked in (RESNET, RANKER, VALUES, "charts", "environments/production"):
            expected = git(remote.folder, "log", "-1", "--first-parent", "--format=%H", head, "--", asked)
            assert promoter.last_change(head, asked).revision == expected
            assert _fresh(remote, promoter).last_change(head, asked) == promoter.last_change(head, asked)


def _fresh(remote: BareRemote, promoter: GitRepository) -> GitRepository:
    return promoter_of(remote.url, promoter._settings.clone)


def test_a_path_that_does_not_exist_has_no_last_change(promoter):
    with pytest.raises(InvalidName, match="does not exist"):
        promoter.last_change(promoter.fetch(), "environments/production/nothing/release.yaml")


def test_own_commits_are_counted_whatever_peoples_clocks_say(remote, promoter):
    for number in range(4):
        remote.commit({RESNET: f"{number}\n"}, f"canary {number}", by=US)
    second = git(remote.folder, "rev-parse", "main~2")
    remote.commit({"README.md": "hi\n"}, "Jane")
    head = promoter.fetch()

    assert promoter.own_commits_since(head, moment(0)) == 4
    assert promoter.own_commits_since(head, time_of(remote, second)) == 2
    assert promoter.own_commits_since(head, time_of(remote, head)) == 0


def test_the_log_is_newest_first_and_of_one_folder_where_asked(remote, promoter):
    remote.commit({RESNET: "1\n"}, "canary at 5 %\n\nBecause.\n", by=US)
    remote.commit({RANKER: "1\n"}, "ranker\x1b[2J")
    head = promoter.fetch()

    everything = promoter.log(head)
    one = promoter.log(head, "environments/production/resnet50")

    assert [commit.message for commit in everything] == ["ranker[2J", "canary at 5 %\n\nBecause.\n", "First files"]
    assert [(commit.author, commit.ours) for commit in one] == [("promoter", True), ("Jane Doe", False)]
    assert [commit.message for commit in promoter.log(head, limit=1)] == ["ranker[2J"]


def test_an_inventory_of_three_thousand_folders_is_read(tmp_path):
    files = {f"environments/production/model-{number}/release.yaml": f"{number}\n" for number in range(3000)}
    remote = BareRemote(tmp_path / "flat.git", files)
    promoter = promoter_of(remote.url, tmp_path / "clone")

    assert len(promoter.inventory(promoter.fetch()).models) == 3000


def test_the_logs_of_many_folders_are_those_of_each(remote, promoter):
    folders = (RESNET.rsplit("/", 1)[0], RANKER.rsplit("/", 1)[0], "environments/none")
    for number in range(4):
        remote.commit({(RESNET, RANKER)[number % 2]: f"release: {{}} # {number}\n"}, f"Change {number}")
    remote.commit({RESNET: "release: {} # both\n", RANKER: "release: {} # both\n"}, "Change both")
    head = promoter.fetch()
    for limit in (1, 50):
        logs = promoter.logs(head, folders, limit)
        assert logs == {folder: promoter.log(head, folder, limit) for folder in folders}
    assert [len(logs[folder]) for folder in folders] == [4, 4, 0]
