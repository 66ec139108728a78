"""Signed commits: `git verify-commit` believes them, they are the same twice, and only they are the promoter's."""

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from git_remote import PROMOTER, RESNET, BareRemote, git, promoter_of

from promoter.errors import InvalidSettings

AT = datetime(2026, 11, 22, 20, 16, 34, tzinfo=UTC)
NEW = b"release:\n  stable: {version: 43}\n"


def new_key(path: Path, passphrase: str = "") -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", "", "-f", str(path)], check=True)
    return path


@pytest.fixture
def remote(tmp_path):
    return BareRemote(tmp_path / "shop.git")


@pytest.fixture
def key(tmp_path):
    return new_key(tmp_path / "key")


@pytest.fixture
def signers(tmp_path, key):
    path = tmp_path / "allowed-signers"
    path.write_text(f'{PROMOTER} namespaces="git" {key.with_suffix(".pub").read_text()}')
    return path


def test_git_verifies_the_promoters_signature(remote, tmp_path, key, signers):
    promoter = promoter_of(remote.url, tmp_path / "clone", signing_key=key)

    published = promoter.publish(promoter.fetch(), {RESNET: NEW}, "canary 43 at 5 %\n", AT)

    git(remote.folder, "-c", f"gpg.ssh.allowedSignersFile={signers}", "verify-commit", published)
    git(remote.folder, "fsck", "--strict")


def test_a_signed_commit_is_the_same_twice(remote, tmp_path, key):
    one = promoter_of(remote.url, tmp_path / "one", signing_key=key)
    two = promoter_of(remote.url, tmp_path / "two", signing_key=key)
    head = one.fetch()
    assert two.fetch() == head

    published = one.publish(head, {RESNET: NEW}, "canary", AT)

    assert two.publish(head, {RESNET: NEW}, "canary", AT) == published
    assert remote.log() == ["canary", "First files"]


def test_only_a_valid_signature_makes_a_commit_the_promoters(remote, tmp_path, key, signers):
    promoter = promoter_of(remote.url, tmp_path / "clone", signing_key=key, allowed_signers=signers)
    ours = promoter.publish(promoter.fetch(), {RESNET: NEW}, "canary", AT)
    unsigned = remote.commit({RESNET: "twin\n"}, "canary", by=f"promoter <{PROMOTER}>")
    thief = promoter_of(remote.url, tmp_path / "thief", signing_key=new_key(tmp_path / "stolen"))
    forged = thief.publish(thief.fetch(), {RESNET: b"forged\n"}, "canary", AT)
    promoter.fetch()

    assert promoter.last_change(ours, RESNET).ours
    assert not promoter.last_change(unsigned, RESNET).ours
    assert not promoter.last_change(forged, RESNET).ours


def test_a_signature_of_another_commit_is_worth_nothing(remote, tmp_path, key, signers):
    promoter = promoter_of(remote.url, tmp_path / "clone", signing_key=key, allowed_signers=signers)
    ours = promoter.publish(promoter.fetch(), {RESNET: NEW}, "canary", AT)
    raw = git(remote.folder, "cat-file", "commit", ours)
    altered = git(remote.folder, "hash-object", "-t", "commit", "-w", "--stdin", text=raw.replace("canary", "Canary"))
    remote.rewind(altered)

    assert not promoter.last_change(promoter.fetch(), RESNET).ours


@pytest.mark.parametrize("trouble", ["missing", "passphrase", "no key"])
def test_a_signing_key_that_cannot_be_used_stops_the_commit(remote, tmp_path, trouble):
    path = tmp_path / "bad-key"
    if trouble == "passphrase":
        new_key(path, "secret")
    elif trouble == "no key":
        path.write_text("no key\n")
        path.chmod(0o600)
    promoter = promoter_of(remote.url, tmp_path / "clone", signing_key=path)

    with pytest.raises(InvalidSettings, match="bad-key"):
        promoter.publish(promoter.fetch(), {RESNET: NEW}, "canary", AT)

    assert remote.head == remote.first


def test_a_missing_file_of_allowed_signers_is_said(remote, tmp_path, key):
    promoter = promoter_of(remote.url, tmp_path / "clone", signing_key=key, allowed_signers=tmp_path / "nobody")
    head = promoter.publish(promoter.fetch(), {RESNET: NEW}, "canary", AT)

    with pytest.raises(InvalidSettings, match="nobody"):
        promoter.last_change(head, RESNET)
