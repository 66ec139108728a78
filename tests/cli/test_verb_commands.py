"""The verbs as commands, against a real repository: whose commit it is, what it changes, and what is refused."""

from __future__ import annotations

import os
import subprocess

import pytest
from builders import digest
from click.testing import CliRunner

from promoter.cli import main

FOLDER = "environments/production/ranker"
RELEASE = f"""\
release:
  stable:
    version: 42
    digest: {digest(42)}
    replicas: 4
  canary:  # asked for in #12
    version: 43
    digest: {digest(43)}
    weight: 5
    replicas: 2
    since: 2026-11-22T11:50:00Z
"""
POLICY = "# Ours.\ncandidates: {store: file:///nowhere/ranker}\nsoak: 1m  # long enough\n"


@pytest.fixture
def remote(tmp_path):
    work, bare = tmp_path / "work", tmp_path / "remote.git"
    (work / FOLDER).mkdir(parents=True)
    (work / FOLDER / "release.yaml").write_text(RELEASE, encoding="utf-8")
    (work / FOLDER / "policy.yaml").write_text(POLICY, encoding="utf-8")
    git = ["git", "-c", "user.name=Jane", "-c", "user.email=jane@example.com", "-C", str(work)]
    for command in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "Serve ranker"]):
        subprocess.run([*git, *command], check=True)
    subprocess.run(["git", "clone", "-q", "--bare", str(work), str(bare)], check=True)
    return bare


@pytest.fixture
def say(remote, tmp_path):
    known = tmp_path / "gitconfig"
    known.write_text("[user]\n\tname = Ada\n\temail = ada@example.com\n", encoding="utf-8")
    settings = {
        "PROMOTER_REPOSITORY": f"file://{remote}",
        "PROMOTER_CLONE": str(tmp_path / "clone.git"),
        "GIT_CONFIG_GLOBAL": str(known),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_DIR": os.devnull,
    }
    return lambda *words: CliRunner().invoke(main, words, env=settings)


def git(folder, *words):
    return subprocess.run(["git", "-C", str(folder), *words], check=True, capture_output=True, text=True).stdout


def log(remote):
    return git(remote, "log", "--format=%an <%ae> %cn %s", "main").splitlines()


def test_a_revert_is_one_commit_of_the_person_that_changes_two_things_in_the_file(say, remote):
    result = say("revert", "ranker", "--reason", "wrong labels")
    assert result.exit_code == 0, result.output
    assert log(remote)[0] == "Ada <ada@example.com> Ada ranker: production: canary 43 reverted by Ada"
    assert git(remote, "diff", "--name-only", "main~", "main").split() == [f"{FOLDER}/release.yaml"]
    changed = [line for line in git(remote, "diff", "-U0", "main~", "main").splitlines() if line[:1] in "+-"][2:]
    assert changed == [
        "-    weight: 5",
        "+    weight: 0",
        "+  rejected:",
        "+    - version: 43",
        '+      reason: "Ada: wrong labels"',
    ]
    assert git(remote, "log", "-1", "--format=%b", "main").strip() == "Wrong labels.\n\nPromoter-Verb: revert"
    again = say("revert", "ranker", "--reason", "wrong labels")
    assert again.exit_code == 1
    assert "canary 43 is reverted already" in again.output
    assert len(log(remote)) == 2


def test_a_dry_run_shows_the_commit_and_makes_none(say, remote):
    result = say("withdraw", "ranker", "--environment", "production", "--reason", "network", "--dry-run")
    assert result.exit_code == 0, result.output
    assert "ranker: production: canary 43 withdrawn by Ada" in result.output
    assert '+    withdrawn: "Ada: network"' in result.output
    assert len(log(remote)) == 1


def test_who_speaks_may_be_said_but_is_never_the_promoter(say, remote):
    assert say("withdraw", "ranker", "--reason", "r", "--author", "Grace <grace@example.com>").exit_code == 0
    assert log(remote)[0].startswith("Grace <grace@example.com> Grace ")
    for author, complaint in (("Grace", "write it like"), ("x <promoter@localhost>", "the promoter's own address")):
        result = say("revert", "ranker", "--reason", "r", "--author", author)
        assert (result.exit_code, complaint in result.output) == (1, True), result.output
    assert len(log(remote)) == 2


def test_another_repository_may_be_named(say, remote, tmp_path):
    remote.rename(tmp_path / "moved.git")
    lost = say("revert", "ranker", "--reason", "r")
    assert (lost.exit_code, lost.output.startswith("error: ")) == (1, True), lost.output
    found = say("revert", "ranker", "--reason", "r", "--repository", f"file://{tmp_path}/moved.git")
    assert found.exit_code == 0, found.output
    assert len(log(tmp_path / "moved.git")) == 2


def test_a_pause_is_one_line_of_the_policy_and_its_comments_stay(say, remote):
    result = say("pause", "ranker", "--reason", "a campaign")
    assert result.exit_code == 0, result.output
    assert log(remote)[0].endswith("ranker: production: paused by Ada")
    assert git(remote, "show", f"main:{FOLDER}/policy.yaml") == f"{POLICY}paused: true\n"
    assert say("resume", "ranker", "--reason", "over").exit_code == 0
    assert git(remote, "show", f"main:{FOLDER}/policy.yaml") == f"{POLICY}paused: false\n"
    result = say("resume", "ranker", "--reason", "over")
    assert (result.exit_code, "is not paused: neither policy.yaml nor release.yaml" in result.output) == (1, True)


def test_a_resume_lifts_both_pauses_in_one_commit_and_says_where(say, remote, tmp_path):
    assert say("pause", "ranker", "--reason", "a campaign").exit_code == 0
    text = git(remote, "show", f"main:{FOLDER}/release.yaml")
    mark = "  paused: {by: Grace, reason: odd, at: 2026-11-22T20:16:34Z}\n"
    marked = text.replace("release:\n", f"release:\n{mark}")
    work = tmp_path / "colleague"
    git(tmp_path, "clone", "-q", str(remote), str(work))
    (work / FOLDER / "release.yaml").write_text(marked, encoding="utf-8")
    git(work, "-c", "user.name=Jane", "-c", "user.email=jane@example.com", "commit", "-qam", "Pause")
    git(work, "push", "-q", "origin", "main")
    made = len(log(remote))
    result = say("resume", "ranker", "--reason", "over")
    assert result.exit_code == 0, result.output
    assert result.output.rstrip().endswith(f"lifted in {FOLDER}/policy.yaml and {FOLDER}/release.yaml")
    assert len(log(remote)) == made + 1
    assert git(remote, "show", f"main:{FOLDER}/policy.yaml") == f"{POLICY}paused: false\n"
    assert git(remote, "show", f"main:{FOLDER}/release.yaml") == text


def test_a_freeze_of_everything_is_one_command_and_so_is_its_end(say, remote):
    result = say("freeze", "--all", "--reason", "the gateway drops requests")
    assert result.exit_code == 0, result.output
    assert log(remote)[0] == "Ada <ada@example.com> Ada all: frozen by Ada"
    assert '- scope: "all"\n    reason: "the gateway drops requests"\n    by: "Ada"\n' in git(
        remote, "show", "main:environments/freeze.yaml"
    )
    assert say("freeze", "ranker", "--for", "2h", "--reason", "load test").exit_code == 0
    assert log(remote)[0].endswith(" production/ranker: frozen by Ada")
    assert say("unfreeze", "--all", "--reason", "repaired").exit_code == 0
    assert "production/ranker" in git(remote, "show", "main:environments/freeze.yaml")
    for words in (("freeze",), ("freeze", "ranker", "--all"), ("unfreeze", "--environment", "production", "--all")):
        result = say(*words, "--reason", "r")
        assert (result.exit_code, "say what: --all" in result.output) == (1, True), result.output


def test_a_promotion_in_full_writes_one_line_says_what_it_skips_and_nothing_less_is_understood(say, remote):
    shown = say("promote", "ranker", "--full", "--reason", "r", "--dry-run")
    assert (shown.exit_code, "+    promote: full" in shown.output) == (0, True), shown.output
    assert shown.output.lower().count("skips: what is left of the") == 2
    refused = say("promote", "ranker", "--reason", "r")
    assert (refused.exit_code, "say --full" in refused.output) == (1, True), refused.output
    assert len(log(remote)) == 1
    assert say("promote", "ranker", "--full", "--reason", "the old labels must go").exit_code == 0
    changed = [line for line in git(remote, "diff", "-U0", "main~", "main").splitlines() if line[:1] in "+-"][2:]
    assert changed == ["+    promote: full"]


def test_going_back_takes_the_digest_from_the_history_and_says_what_was_never_stable(say, remote):
    refused = say("rollback", "ranker", "--to", "7", "--reason", "r")
    assert (refused.exit_code, "7 was never stable here" in refused.output) == (1, True), refused.output
    assert len(log(remote)) == 1
