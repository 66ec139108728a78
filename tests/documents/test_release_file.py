"""release.yaml read and written."""

from __future__ import annotations

import difflib
import io
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from time import process_time
from timeit import repeat

import pytest
import ruamel.yaml
from hypothesis import given
from hypothesis import strategies as st

from promoter.documents.one_line import one_line
from promoter.documents.policy_file import parse_policy
from promoter.documents.release_file import HEADER, parse_release, write_release
from promoter.domain.release import Canary, Pause, Rejection, Release, Stable
from promoter.domain.version import Digest, ModelVersion, StoredVersion
from promoter.errors import InvalidDocument

WHERE = "environments/production/resnet50/release.yaml"
A, B = Digest("sha256:" + "a" * 64), Digest("sha256:" + "b" * 64)
SINCE = datetime(2026, 11, 22, 20, 16, 34, tzinfo=UTC)

STABLE = Stable(ModelVersion(42), A, replicas=10)
CANARY = Canary(ModelVersion(43), B, weight=5, replicas=2, since=SINCE)
REJECTED = (Rejection(ModelVersion(41), "3.1 % of requests failed against 0.1 % on stable"),)
RELEASE = Release(STABLE, CANARY, REJECTED)

FRESH = f"""\
{HEADER}release:
  stable:
    version: 42
    digest: {A}
    replicas: 10
  canary:
    version: 43
    digest: {B}
    weight: 5
    replicas: 2
    since: 2026-11-22T20:16:34Z
  rejected:
    - version: 41
      reason: "3.1 % of requests failed against 0.1 % on stable"
"""

# As a person leaves it: other order, other indentation, quotes, and a comment wherever one may stand.
COMMENTED = f"""\
---
# at the head
release:   # behind release
    # before stable
    stable:
      # before version
      version: 42   # behind version
      digest: '{A}'

      replicas: 10
      # at the end of stable
    # before canary
    canary: # behind canary
        weight: 5        # behind weight
        version: 43
        replicas: 2
        digest: "{B}" # behind digest
        since: 2026-11-22T20:16:34Z

    # before rejected
    rejected:
    # before the item
    - version: 41 # behind the item
      reason: 3.1 % of requests failed
        against 0.1 % on stable
      # below the item
    # at the end
# at the foot"""


def changed_lines(before, after):
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0)
    return [line for line in lines if line[:1] in "+-" and line[:3] not in ("+++", "---")]


def comments(text):
    return [line[line.index("#") :].strip() for line in text.splitlines() if "#" in line]


def test_a_new_file_says_who_wrote_it_and_reads_back():
    assert write_release("", RELEASE, WHERE) == FRESH
    assert parse_release(FRESH, WHERE) == RELEASE
    assert parse_release(FRESH.encode(), WHERE) == RELEASE


def test_a_persons_layout_says_the_same():
    assert parse_release(COMMENTED, WHERE) == RELEASE


@pytest.mark.parametrize("content", ["release: {}", "release:", "release: {stable: }", "release: {stable: {}}"])
def test_a_model_may_have_no_stable_version_yet(content):
    assert parse_release(content, WHERE) == Release()


@pytest.mark.parametrize("content", [FRESH, COMMENTED, COMMENTED.replace("\n", "\r\n"), COMMENTED.encode()])
def test_writing_what_the_file_says_returns_it_byte_for_byte(content):
    text = content if isinstance(content, str) else content.decode()
    assert write_release(content, RELEASE, WHERE) == text


def test_a_new_weight_changes_the_lines_of_weight_and_replicas_only():
    after = write_release(COMMENTED, replace(RELEASE, canary=replace(CANARY, weight=25, replicas=10)), WHERE)
    assert changed_lines(COMMENTED, after) == [
        "-        weight: 5        # behind weight",
        "+        weight: 25        # behind weight",
        "-        replicas: 2",
        "+        replicas: 10",
    ]


def test_a_revert_adds_one_item_and_removes_the_canary_with_what_is_said_inside_it():
    reverted = Release(STABLE, None, (*REJECTED, Rejection(ModelVersion(43), 'it said "no"')))
    after = write_release(COMMENTED, reverted, WHERE)
    lost = ["# behind canary", "# behind weight", "# behind digest"]
    assert comments(after) == [comment for comment in comments(COMMENTED) if comment not in lost]
    assert [line for line in changed_lines(COMMENTED, after) if line.startswith("+")] == [
        "+    - version: 43",
        '+      reason: "it said \\"no\\""',
    ]


def test_a_promotion_moves_the_numbers_and_leaves_the_rest():
    after = write_release(COMMENTED, Release(Stable(ModelVersion(43), B), None, ()), WHERE)
    assert parse_release(after, WHERE) == Release(Stable(ModelVersion(43), B))
    assert {"# before stable", "# behind version", "# before rejected", "# at the end", "# at the foot"} <= set(
        comments(after)
    )


PAUSE = Pause(
    "Ada Lovelace (ada)", 'it "sounds" odd', SINCE, "https://git.example.com/shop/models/pull/7#issuecomment-9"
)


@pytest.mark.parametrize("content", [FRESH, COMMENTED, COMMENTED.replace("\n", "\r\n")])
def test_a_pause_comes_before_everything_else_and_leaves_no_trace_once_it_is_lifted(content):
    after = write_release(content, replace(RELEASE, paused=PAUSE), WHERE)
    assert [line.replace(" ", "") for line in changed_lines(content, after)] == [
        "+paused:",
        '+by:"AdaLovelace(ada)"',
        '+reason:"it\\"sounds\\"odd"',
        "+at:2026-11-22T20:16:34Z",
        f'+said:"{PAUSE.said}"',
    ]
    assert after.index("paused:") < after.index("stable:")
    assert parse_release(after, WHERE).paused == PAUSE
    assert write_release(after, RELEASE, WHERE) == content


@pytest.mark.parametrize("content", [FRESH, COMMENTED])
@pytest.mark.parametrize(
    "agreed",
    [
        replace(RELEASE, canary=replace(CANARY, approved=True)),
        replace(RELEASE, canary=None, approved=StoredVersion(ModelVersion(43), B)),
    ],
)
def test_an_approval_that_is_merged_into_a_paused_release_meets_no_conflict(content, agreed, tmp_path):
    base = replace(RELEASE, canary=agreed.canary and CANARY)
    before = write_release(content, base, WHERE)
    paused = replace(base, paused=PAUSE)
    texts = {
        "ours": write_release(before, paused, WHERE),
        "base": before,
        "theirs": write_release(before, agreed, WHERE),
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    merged = subprocess.run(
        ("git", "merge-file", "--stdout", *texts), cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert parse_release(merged.stdout, WHERE) == replace(agreed, paused=PAUSE)


@pytest.mark.parametrize("content", ["release: {}\n", "release:\n", f"{HEADER}release: {{}}\n"])
def test_a_model_without_a_version_can_be_paused_and_resumed(content):
    paused = write_release(content, Release(paused=PAUSE), WHERE)
    assert parse_release(paused, WHERE) == Release(paused=PAUSE)
    assert parse_release(write_release(paused, Release(), WHERE), WHERE) == Release()


def test_half_an_address_is_not_written():
    long = replace(PAUSE, said="https://git.example.com/" + "x" * 300, by=" ", reason="\n")
    written = parse_release(write_release(FRESH, replace(RELEASE, paused=long), WHERE), WHERE).paused
    assert written == Pause("somebody", "no reason was given", SINCE, None)


@pytest.mark.parametrize(
    ("pause", "complaint"),
    [
        ("true", "must be a mapping"),
        ("{by: Ada, reason: why}", "at"),
        ("{by: Ada, reason: why, at: yesterday}", "not a time"),
        ("{by: Ada, reason: why, at: 2026-11-22T20:16:34Z, until: noon}", "until"),
    ],
)
def test_a_pause_that_says_not_who_why_and_when_is_refused(pause, complaint):
    with pytest.raises(InvalidDocument, match=complaint):
        parse_release(f"release: {{paused: {pause}}}", WHERE)


def test_a_withdrawal_adds_its_lines_at_the_end_of_the_canary():
    withdrawn = replace(CANARY, weight=0, withdrawn="Prometheus is silent", withdrawals=1)
    after = write_release(FRESH, replace(RELEASE, canary=withdrawn), WHERE)
    assert changed_lines(FRESH, after) == [
        "-    weight: 5",
        "+    weight: 0",
        '+    withdrawn: "Prometheus is silent"',
        "+    withdrawals: 1",
    ]


def test_a_canary_comes_between_stable_and_rejected():
    before = write_release("", replace(RELEASE, canary=None), WHERE)
    assert write_release(before, RELEASE, WHERE) == FRESH


def test_a_first_version_keeps_the_comments_of_the_empty_file():
    after = write_release("# ours\nrelease: {} # nothing yet\n# foot\n", Release(STABLE), WHERE)
    assert after.splitlines()[:3] == ["# ours", "release: # nothing yet", "  stable:"]
    assert after.splitlines()[-1] == "# foot"


def test_lines_end_as_they_did():
    before = COMMENTED.replace("\n", "\r\n")
    after = write_release(before, replace(RELEASE, canary=None), WHERE)
    assert after.count("\n") == after.count("\r\n")
    assert not after.endswith("\n")


@pytest.mark.parametrize(
    "content",
    [
        f"# c\n{{release: {{stable: {{version: 42, digest: '{A}'}}}}}}\n",
        f"# c\nrelease: {{stable: {{version: 42, digest: '{A}'}}}}\n",
        f"# c\nrelease:\n  stable: {{version: 42,\n    digest: '{A}'}}\n  rejected: [{{version: 7, reason: x}}]\n",
        f"# c\n? release\n: ? stable\n  : version: 42\n    digest: >-\n      {A}\n",
        f"# c\n? release\n:\n  stable:\n    version: 42\n    digest: |\n      {A}\n",
        f"# c\nrelease:\n  stable: {{version: 42, digest: '{A}'}}\n  rejected:\n  -\n    version: 7\n    reason: x\n",
    ],
)
def test_a_layout_that_nobody_would_choose_is_written_all_the_same(content):
    after = write_release(content, RELEASE, WHERE)
    assert parse_release(after, WHERE) == RELEASE
    assert "# c\n" in after


@pytest.mark.parametrize(
    ("line", "instead", "number", "message"),
    [
        ("    weight: 5", "    weight: 101", 10, "release.canary.weight is 101. Write a whole number from 0 to 100"),
        ("    weight: 5", "    weight: -1", 10, "release.canary.weight is -1"),
        ("    weight: 5", "    weight: 05", 10, "release.canary.weight is 05"),
        ("    weight: 5", "    weight: 5 %", 10, "release.canary.weight is 5 %"),
        ("    weight: 5", "", 8, "release.canary.weight is missing. Add it"),
        ("    weight: 5", "    weights: 5", 10, "unknown key 'weights' in release.canary. Did you mean 'weight'?"),
        ("    version: 43", "    version: -43", 8, "release.canary.version is -43"),
        ("    version: 43", "    version: 0x2a", 8, "release.canary.version is 0x2a"),
        ("    version: 43", "    version: 9223372036854775808", 8, "release.canary.version is 9223372036854775808"),
        ("    version: 43", "    version: '43'", 8, "release.canary.version is '43'"),
        (
            "    version: 43",
            "    version: 42",
            8,
            "release.canary has stable's version 42. Remove the canary, or name another",
        ),
        (f"    digest: {B}", "    digest: sha256:b", 9, "release.canary.digest: 'sha256:b' is not a digest"),
        ("    replicas: 2", "    replicas: 0", 11, "release.canary.replicas is 0. Write a whole number from 1"),
        (
            "    since: 2026-11-22T20:16:34Z",
            "    since: yesterday",
            12,
            "release.canary.since is yesterday, not a time",
        ),
        ("  rejected:", "  reject:", 13, "unknown key 'reject' in release. Did you mean 'rejected'?"),
        ("    - version: 41", "    - version: {a: 1}", 14, "release.rejected[0].version is a mapping"),
        ("release:", "releases:", 2, "unknown key 'releases'. Did you mean 'release'?"),
    ],
)
def test_a_file_that_a_person_broke_is_refused_and_not_overwritten(line, instead, number, message):
    broken = FRESH.replace(line + "\n", instead + "\n", 1)
    assert broken != FRESH
    with pytest.raises(InvalidDocument) as caught:
        parse_release(broken, WHERE)
    assert str(caught.value).startswith(f"{WHERE}:{number}: ")
    assert message in str(caught.value)
    assert caught.value.line == number
    with pytest.raises(InvalidDocument):
        write_release(broken, RELEASE, WHERE)


def test_a_version_is_rejected_once():
    twice = FRESH + '    - version: 41\n      reason: "again"\n'
    with pytest.raises(InvalidDocument, match=r"release\.yaml:16: .* rejects version 41 a second time"):
        parse_release(twice, WHERE)


def test_a_canary_needs_a_stable_version():
    with pytest.raises(InvalidDocument, match="canary stands beside no stable version"):
        write_release("", replace(RELEASE, stable=None), WHERE)


@pytest.mark.parametrize(
    "reason",
    [
        "x\n  stable:\n    version: 1",
        'x"\nrelease: {}',
        "\x1b[2J\u202e# a: b",
        "{{ .Values.image }}",
        "- a",
        "*a",
        "~",
        "12",
        "\x00",
        "",
        "'\"\\",
        "é " * 400,
    ],
)
def test_no_reason_can_change_what_the_file_says(reason):
    release = replace(
        RELEASE, canary=replace(CANARY, withdrawn=reason), rejected=(Rejection(ModelVersion(41), reason),)
    )
    after = write_release(COMMENTED, release, WHERE)
    found = parse_release(after, WHERE)
    assert (found.stable, found.canary.weight) == (STABLE, 5)
    assert found.canary.withdrawn == found.rejected[0].reason == (one_line(reason) or "no reason was given")
    assert not any(ord(character) < 32 and character != "\n" for character in after)


def test_since_is_written_in_utc_and_whole_seconds():
    local = SINCE.astimezone(datetime.strptime("+0530", "%z").tzinfo) + timedelta(milliseconds=900)
    after = write_release("", replace(RELEASE, canary=replace(CANARY, since=local)), WHERE)
    assert after == FRESH


versions = st.integers(1, 2**53 - 1).map(ModelVersion)
digests = st.sampled_from("0123456789abcdef").map(lambda digit: Digest("sha256:" + 64 * digit))
reasons = st.text(st.characters(), max_size=30).map(one_line).filter(bool)
moments = st.integers(0, 2**33).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
replicas = st.integers(1, 10_000)


@st.composite
def releases(draw):
    live = draw(st.lists(versions, unique=True, max_size=2))
    stable = Stable(live[0], draw(digests), draw(st.none() | replicas)) if live else None
    canary = None
    if len(live) == 2:
        canary = Canary(
            live[1],
            draw(digests),
            weight=draw(st.integers(0, 100)),
            replicas=draw(replicas),
            since=draw(moments),
            withdrawn=draw(st.none() | reasons),
            withdrawals=draw(st.integers(0, 9)),
            approved=draw(st.booleans()),
        )
    rejected = draw(
        st.lists(st.builds(Rejection, versions, reasons), max_size=4, unique_by=lambda entry: entry.version)
    )
    approved = draw(st.none() | st.builds(StoredVersion, versions, digests))
    start = draw(st.none() | st.builds(StoredVersion, versions, digests))
    return Release(stable, canary, tuple(rejected), approved, start)


@given(releases())
def test_every_release_reads_back(release):
    assert parse_release(write_release("", release, WHERE), WHERE) == release


@given(releases(), st.lists(releases(), max_size=3))
def test_every_release_can_be_written_over_every_other(before, course):
    content = write_release("", before, WHERE)
    for release in course:
        content = write_release(content, release, WHERE)
        assert parse_release(content, WHERE) == release
        assert content.startswith(HEADER)
        assert write_release(content, release, WHERE) == content


@given(releases().filter(lambda release: release.stable is not None), st.sampled_from(["\n", "\r\n"]))
def test_comments_outside_what_is_removed_survive_everything(release, newline):
    after = write_release(COMMENTED.replace("\n", newline), release, WHERE)
    assert parse_release(after, WHERE) == release
    assert {"# at the head", "# behind release", "# before stable", "# before canary", "# at the foot"} <= set(
        comments(after)
    )


@given(releases())
def test_another_yaml_library_reads_the_same(release):
    read = ruamel.yaml.YAML(typ="safe", pure=True).load(io.StringIO(write_release("", release, WHERE)))["release"]
    if release.canary is not None:
        assert read["canary"]["version"] == release.canary.version.number
        assert read["canary"]["weight"] == release.canary.weight
    assert [entry["reason"] for entry in read.get("rejected", [])] == [entry.reason for entry in release.rejected]


def test_reading_a_models_two_files_takes_well_under_a_millisecond_and_a_half():
    policy = (
        "candidates:\n  store: gs://shop-models/resnet50\nlimits: {error_ratio: 0.02, latency_p99_ms: 250}\nsoak: 5m\n"
    )

    def read_both():
        parse_release(FRESH, WHERE)
        parse_policy(policy, WHERE)

    # Processor time, and the best of many, so that a busy machine does not fail the test.
    assert min(repeat(read_both, number=20, repeat=10, timer=process_time)) / 20 < 0.0015


def test_a_version_that_a_person_wants_back_is_written_and_read_and_goes_without_a_trace():
    plain = f"release:\n  stable:\n    version: 43\n    digest: {B}\n"
    release = parse_release(plain, "release.yaml")
    marked = replace(release, start=StoredVersion(ModelVersion(42), A))
    text = write_release(plain, marked, "release.yaml")
    assert text == f"{plain}  start:\n    version: 42\n    digest: {A}\n"
    assert parse_release(text, "release.yaml") == marked
    assert write_release(text, release, "release.yaml") == plain
