"""Commits of the promoter, over a real HTTP server and over a folder: once, and only on what was read."""

import threading
from datetime import UTC, datetime, timedelta, timezone

import pytest
from git_remote import PROMOTER, RANKER, RESNET, BareRemote, git, promoter_of
from git_server import serving

from promoter.adapters.git import GitRepository, GitSettings
from promoter.errors import ForbiddenWrite, HeadMoved, InvalidName, PushRefused

AT = datetime(2026, 11, 22, 20, 16, 34, 567_890, UTC)
NEW = b"release:\n  stable: {version: 43}\n"


@pytest.fixture
def remote(tmp_path):
    return BareRemote(tmp_path / "remotes" / "shop.git")


@pytest.fixture
def server(remote):
    with serving(remote.folder.parent) as server:
        git(remote.folder, "config", "http.receivepack", "true")
        yield server


@pytest.fixture(params=["http", "file"])
def url(request, remote, server):
    return server.url("shop.git") if request.param == "http" else remote.url


@pytest.fixture
def promoter(url, tmp_path):
    return promoter_of(url, tmp_path / "clone")


def test_a_published_file_is_on_the_remote_and_nothing_else_changed(remote, promoter):
    head = promoter.fetch()

    published = promoter.publish(head, {RESNET: NEW}, "resnet50: production: canary 43 at 5 %", AT)

    assert published == remote.head
    assert remote.changed_by(published) == [RESNET]
    assert remote.show(RESNET).encode() + b"\n" == NEW
    assert git(remote.folder, "rev-parse", f"{published}^") == head
    git(remote.folder, "fsck", "--strict")


def test_a_commit_on_which_somebody_has_pushed_already_counts_as_pushed(remote, server, tmp_path):
    remote.hook(
        "post-receive",
        """\
read old new ref
neighbour="-c user.name=Jane -c user.email=jane@shop.example"
git update-ref "$ref" "$(git $neighbour commit-tree "$new^{tree}" -p "$new" -m "A neighbour")"
""",
    )
    promoter = promoter_of(server.url("shop.git"), tmp_path / "clone")

    published = promoter.publish(promoter.fetch(), {RESNET: NEW}, "canary", AT)

    assert remote.log()[:2] == ["A neighbour", "canary"]
    assert git(remote.folder, "rev-parse", "main^") == published


def test_one_commit_carries_many_models(remote, promoter):
    published = promoter.publish(promoter.fetch(), {RESNET: NEW, RANKER: NEW}, "two models", AT)

    assert remote.changed_by(published) == [RESNET, RANKER]


def test_author_committer_and_whole_seconds_come_from_the_arguments(remote, promoter):
    elsewhere = AT.astimezone(timezone(timedelta(hours=5)))

    published = promoter.publish(
        promoter.fetch(), {RESNET: NEW}, "subject\n\nbody\n\nPromoter-Action: promote\n", elsewhere
    )

    raw = git(remote.folder, "cat-file", "commit", published)
    stamp = f"promoter <{PROMOTER}> {int(AT.timestamp())} +0000"
    assert f"author {stamp}\ncommitter {stamp}\n" in raw
    assert raw.endswith("subject\n\nbody\n\nPromoter-Action: promote")


def test_terminal_sequences_never_reach_a_message(remote, promoter):
    published = promoter.publish(promoter.fetch(), {RESNET: NEW}, "red \x1b[31m, \u202eback\x00, 5\u202f%", AT)

    assert git(remote.folder, "show", "-s", "--format=%B", published) == "red [31m, back, 5\u202f%"


def test_a_moment_without_time_zone_is_refused(promoter):
    with pytest.raises(InvalidName, match="time zone"):
        promoter.publish(promoter.fetch(), {RESNET: NEW}, "canary", AT.replace(tzinfo=None))


def test_the_same_pass_twice_is_once(remote, promoter, url, tmp_path):
    head = promoter.fetch()
    twin = promoter_of(url, tmp_path / "twin")
    assert twin.fetch() == head

    published = promoter.publish(head, {RESNET: NEW}, "canary", AT)

    assert promoter.publish(head, {RESNET: NEW}, "canary", AT) == published
    assert twin.publish(head, {RESNET: NEW}, "canary", AT) == published
    assert remote.log() == ["canary", "First files"]


def test_files_that_say_what_is_there_make_no_commit(remote, promoter):
    head = promoter.fetch()

    assert promoter.publish(head, {RESNET: b"release: {}\n"}, "canary", AT) == head
    assert remote.head == head


def test_a_publish_on_ones_own_publish_needs_no_fetch(remote, promoter):
    first = promoter.publish(promoter.fetch(), {RESNET: NEW}, "one", AT)
    promoter.publish(first, {RANKER: NEW}, "two", AT)

    assert remote.log() == ["two", "one", "First files"]


def test_a_release_file_can_be_added(remote, promoter):
    path = "environments/production/inception/release.yaml"

    published = promoter.publish(promoter.fetch(), {path: NEW}, "first version", AT)

    assert remote.changed_by(published) == [path]


def test_whoever_pushed_first_wins(remote, promoter):
    head = promoter.fetch()
    theirs = remote.commit({"README.md": "hello\n"}, "Jane was here")

    with pytest.raises(HeadMoved, match=head):
        promoter.publish(head, {RESNET: NEW}, "canary", AT)

    assert remote.head == theirs
    assert promoter.publish(promoter.fetch(), {RESNET: NEW}, "canary", AT) == remote.head


def test_what_a_person_rewound_never_comes_back(remote, promoter):
    removed = remote.commit({"README.md": "a secret\n"}, "Oops")
    head = promoter.fetch()
    assert head == removed
    remote.rewind(remote.first)

    with pytest.raises(HeadMoved):
        promoter.publish(head, {RESNET: NEW}, "canary", AT)

    assert remote.head == remote.first
    assert promoter.fetch() == remote.first


def test_a_rewritten_branch_is_taken_as_it_is(remote, promoter):
    promoter.fetch()
    git(remote.folder, "update-ref", "-d", "refs/heads/main")
    rewritten = remote.commit({RESNET: "other\n"}, "Begun anew")

    assert promoter.fetch() == rewritten
    assert promoter.read(rewritten, RESNET) == b"other\n"


def test_of_two_promoters_with_different_plans_one_wins(remote, url, tmp_path):
    outcomes: list[str] = []
    start = threading.Barrier(2)
    rivals = [promoter_of(url, tmp_path / name) for name in ("a", "b")]
    heads = [rival.fetch() for rival in rivals]

    def run(rival: GitRepository, head: str, number: int) -> None:
        start.wait()
        try:
            outcomes.append(rival.publish(head, {RESNET: b"version: %d\n" % number}, f"plan {number}", AT))
        except HeadMoved:
            outcomes.append("moved")

    threads = [
        threading.Thread(target=run, args=(*pair, number))
        for number, pair in enumerate(zip(rivals, heads, strict=True))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == sorted([remote.head, "moved"])
    assert len(remote.log()) == 2


def test_a_push_that_slips_in_after_the_comparison_is_not_overwritten(remote, server, tmp_path):
    promoter = promoter_of(server.url("shop.git"), tmp_path / "clone")
    head = promoter.fetch()
    theirs: list[str] = []
    server.before_receiving = lambda: theirs.append(remote.commit({"README.md": "hello\n"}, "In between"))

    with pytest.raises(HeadMoved):
        promoter.publish(head, {RESNET: NEW}, "canary", AT)

    assert [remote.head] == theirs


def test_a_lock_that_nobody_gives_back_is_a_refusal(remote, tmp_path):
    promoter = promoter_of(remote.url, tmp_path / "clone")
    head = promoter.fetch()
    (remote.folder / "refs/heads/main.lock").touch()

    with pytest.raises(PushRefused, match="lock"):
        promoter.publish(head, {RESNET: NEW}, "canary", AT)

    assert remote.head == head


@pytest.mark.parametrize("hook", ["pre-receive", "update"])
def test_a_hook_that_says_no_is_a_refusal_with_its_sentence(remote, server, tmp_path, hook):
    remote.hook(hook, r"printf 'the freeze of \033[1mDecember\033[0m\n' >&2; exit 1")
    promoter = promoter_of(server.url("shop.git"), tmp_path / "clone")
    head = promoter.fetch()

    with pytest.raises(PushRefused, match=r"hook declined.*the freeze of \[1mDecember\[0m") as refused:
        promoter.publish(head, {RESNET: NEW}, "canary", AT)

    assert "\x1b" not in str(refused.value)
    assert remote.head == head


def test_a_hook_that_writes_no_utf8_is_a_refusal_too(remote, server, tmp_path):
    remote.hook("pre-receive", r"printf 'caf\351\n' >&2; exit 1")
    promoter = promoter_of(server.url("shop.git"), tmp_path / "clone")
    head = promoter.fetch()

    with pytest.raises(PushRefused, match="utf-8"):
        promoter.publish(head, {RESNET: NEW}, "canary", AT)

    assert remote.head == head


def test_a_server_that_forbids_pushes_is_a_refusal(remote, server, tmp_path):
    server.status_of_pushes = 403
    promoter = promoter_of(server.url("shop.git"), tmp_path / "clone")

    with pytest.raises(PushRefused, match="403"):
        promoter.publish(promoter.fetch(), {RESNET: NEW}, "canary", AT)


@pytest.mark.parametrize(
    "path",
    [
        "environments/production/resnet50/values.yaml",
        "environments/production/resnet50/policy.yaml",
        "environments/production/release.yaml",
        "environments/production/a/b/c/release.yaml",
        "environments/production/../../release.yaml",
        "environments/production/resnet50/../ranker/release.yaml",
        "environments//resnet50/release.yaml",
        "/environments/production/resnet50/release.yaml",
        "environments/production/Resnet50/release.yaml",
        "environments/production/.git/release.yaml",
        "charts/model-serving/release.yaml",
        "charts/model-serving/values.yaml",
        ".github/workflows/release.yaml",
        "release.yaml",
        "",
    ],
)
def test_no_other_path_ever_reaches_the_remote(remote, promoter, path):
    head = promoter.fetch()

    with pytest.raises(ForbiddenWrite):
        promoter.publish(head, {RESNET: NEW, path: NEW}, "canary", AT)

    assert remote.head == head


def test_models_out_of_scope_are_neither_listed_nor_written(remote, url, tmp_path):
    promoter = promoter_of(url, tmp_path / "clone", scope=("production/shop/**",))
    head = promoter.fetch()

    with pytest.raises(ForbiddenWrite, match="out of scope"):
        promoter.publish(head, {RESNET: NEW}, "canary", AT)

    assert [str(served) for served in promoter.inventory(head).models] == ["production/shop/ranker"]
    assert remote.changed_by(promoter.publish(head, {RANKER: NEW}, "canary", AT)) == [RANKER]


@pytest.mark.parametrize(
    ("path", "mode", "content"),
    [
        (RESNET, "120000", "../../../README.md"),
        (RESNET, "160000", "5d1c5d1c5d1c5d1c5d1c5d1c5d1c5d1c5d1c5d1c"),
        (f"{RESNET}/file", "100644", "a folder named like the file\n"),
        ("environments/production/resnet50", "120000", "../staging/resnet50"),
        ("environments/production/resnet50", "100644", "a file named like the folder\n"),
    ],
)
def test_what_is_no_regular_file_is_never_replaced(remote, promoter, path, mode, content):
    remote.commit({RESNET.removesuffix("/release.yaml"): None, path: content}, "Strange", modes={path: mode})
    head = promoter.fetch()

    with pytest.raises(ForbiddenWrite):
        promoter.publish(head, {RESNET: NEW}, "canary", AT)

    assert remote.head == head


def test_the_mode_of_a_file_stays(remote, promoter):
    remote.commit({RESNET: "release: {}\n"}, "Executable", modes={RESNET: "100755"})

    promoter.publish(promoter.fetch(), {RESNET: NEW}, "canary", AT)

    assert git(remote.folder, "ls-tree", "main", RESNET).startswith("100755 blob")


def test_a_persons_commit_may_touch_what_is_peoples_and_the_promoters_may_not(remote, promoter, url, tmp_path):
    files = {RESNET: NEW, RESNET.replace("release", "policy"): b"paused: true\n", "environments/freeze.yaml": b"{}\n"}
    for path in list(files)[1:]:
        with pytest.raises(ForbiddenWrite):
            promoter.publish(promoter.fetch(), {path: files[path]}, "forbidden", AT)
    settings = GitSettings(url, "main", tmp_path / "ada", "Ada", "ada@shop.example")
    ada = GitRepository(settings, for_a_person=True)
    for path in (RESNET.replace("release", "values"), "environments/production/freeze.yaml", "charts/policy.yaml"):
        with pytest.raises(ForbiddenWrite):
            ada.publish(ada.fetch(), {path: b"x"}, "forbidden", AT)
    published = ada.publish(ada.fetch(), files, "resnet50: production: frozen by Ada", AT)
    assert remote.changed_by(published) == sorted(files)
    assert not promoter.last_change(promoter.fetch(), RESNET).ours
