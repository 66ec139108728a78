"""The alarm for commits in the promoter's name that change more than releases."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from adapters.git_remote import JANE, PROMOTER, RESNET, BareRemote

SCRIPT = Path(__file__).parents[1] / "scripts" / "promoters-commits.sh"
OURS = f"promoter <{PROMOTER}>"
POLICY = "environments/production/resnet50/policy.yaml"


@pytest.fixture
def remote(tmp_path):
    return BareRemote(tmp_path / "remote.git")


def alarm(remote, before, after="main"):
    words = [SCRIPT, PROMOTER, before, after]
    return subprocess.run(words, cwd=remote.folder, capture_output=True, text=True, check=False, env=os.environ)


def test_releases_may_change_and_people_may_change_everything(remote):
    remote.commit({RESNET: "release:\n"}, "A step", by=OURS)
    remote.commit({POLICY: "soak: 1m\n"}, "A person's", by=JANE)
    # Whoever merges by the forge is the committer of what the promoter wrote on a branch.
    remote.commit({"README.md": "more\n"}, "A rebase", by=JANE, author=OURS)
    done = alarm(remote, remote.first)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize(
    ("files", "modes"),
    [
        ({POLICY: "soak: 1m\n"}, None),
        ({RESNET: "release:\n", ".github/workflows/own.yaml": "on: push\n"}, None),
        ({RESNET: None}, None),
        ({RESNET: "/etc/passwd"}, {RESNET: "120000"}),
        ({RESNET: "release:\n"}, {RESNET: "100755"}),
        ({"environments/release.yaml": "release:\n"}, None),
        ({"environments/production/resnet50/release.yaml.j2": "release:\n"}, None),
        ({"charts/environments/production/resnet50/release.yaml": "release:\n"}, None),
    ],
)
def test_anything_else_in_the_promoters_name_is_an_alarm(remote, files, modes):
    bad = remote.commit(files, "A step", by=OURS, modes=modes)
    remote.commit({RESNET: "release: # later\n"}, "The next", by=JANE)
    done = alarm(remote, remote.first)
    assert done.returncode == 1
    assert bad in done.stdout


def test_a_branch_that_is_new_has_its_newest_commit_looked_at(remote):
    assert alarm(remote, "0" * 40).returncode == 0
    remote.commit({POLICY: "soak: 1m\n"}, "A step", by=OURS)
    assert alarm(remote, "0" * 40).returncode == 1


def test_what_cannot_be_told_is_no_all_clear(remote):
    assert alarm(remote, "1" * 40).returncode == 2
    assert subprocess.run([SCRIPT], capture_output=True, check=False).returncode == 2
