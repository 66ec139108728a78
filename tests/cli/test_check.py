"""`promoter check` names the file, the line and the remedy, and exits with 1."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from promoter.cli import main

RELEASE = f"release:\n  stable:\n    version: 42\n    digest: sha256:{42:064x}\n"
POLICY = "candidates: {store: 'gs://shop-models/ranker'}\n"


def write(root, folder="environments/production/ranker", **files):
    path = root / folder
    path.mkdir(parents=True, exist_ok=True)
    for name, text in ({"release": RELEASE, "policy": POLICY, "values": "model: {name: ranker}\n"} | files).items():
        if text is not None:
            (path / f"{name}.yaml").write_text(text)
    return root


def check(root, *arguments):
    return CliRunner().invoke(main, ["check", str(root), *arguments], env={"PROMOTER_PROMETHEUS_URL": None})


def test_what_is_in_order_passes(tmp_path):
    result = check(write(tmp_path))
    assert result.exit_code == 0
    assert result.output.splitlines()[-1] == "1 model checked, 0 faults"


def test_what_policies_ask_of_the_traffic_is_said_once_for_all_that_ask_the_same(tmp_path):
    for number in range(5):
        write(tmp_path, f"environments/production/ranker-{number}")
    write(tmp_path, "environments/production/sorter", policy=POLICY + "evidence: {margin: 0.02}\n")
    first, second, last = check(tmp_path).output.splitlines()
    assert first.startswith(
        "production/ranker-0, production/ranker-1, production/ranker-2 and 2 more: rollouts need 1.8 "
    )
    assert "1\u202f920 to the canary prove the margin, at max_weight 30 % within max_step (1h)" in first
    assert second.startswith("production/sorter: rollouts need 0.44 requests a second or more: 480 to the canary")
    assert last == "6 models checked, 0 faults"


def test_a_margin_that_no_traffic_can_prove_is_named(tmp_path):
    result = check(write(tmp_path, policy=POLICY + "evidence: {margin: 0.000000001}\n"))
    assert "no traffic can prove evidence.margin 1e-09: widen it" in result.output


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"release": RELEASE + "    weight: 5\n"}, "release.yaml:5: unknown key 'weight'"),
        ({"release": RELEASE.replace("42\n", "-1\n", 1)}, "release.yaml:3: "),
        ({"release": "release: [\n"}, "release.yaml:"),
        ({"release": RELEASE + "  canary: {version: 43, weight: 101}\n"}, "release.yaml:5: "),
        ({"policy": "candidates: {store: 'gs://a/b', upstream: staging}\n"}, "policy.yaml:1: "),
        ({"policy": POLICY + "soak: yes\n"}, "policy.yaml:2: "),
        ({"policy": POLICY + "maximum_weight: 5\n"}, "policy.yaml:2: unknown key 'maximum_weight'"),
        (
            {"policy": "candidates: {upstream: staging}\n"},
            "policy.yaml: its upstream has no environments/staging/ranker",
        ),
        ({"policy": "candidates: {upstream: production}\n"}, "cannot be its own upstream"),
        ({"policy": None}, "policy.yaml: cannot be read (No such file or directory)"),
        ({"values": "a: &b 1\nc: *b\n"}, "values.yaml:1: "),
    ],
)
def test_what_is_broken_is_named_with_its_line(tmp_path, files, expected):
    result = check(write(tmp_path, **files))
    assert result.exit_code == 1
    assert expected in result.output
    assert "1 fault" in result.output


def test_every_environment_whose_upstreams_lead_to_no_store_is_named(tmp_path):
    for name, upstream in (("dev", "staging"), ("staging", "dev"), ("production", "staging")):
        write(tmp_path, f"environments/{name}/ranker", policy=f"candidates: {{upstream: {upstream}}}\n")
    result = check(tmp_path)
    assert result.exit_code == 1
    assert "environments/dev/ranker/policy.yaml: the upstreams dev, staging lead to no store" in result.output
    assert "production/ranker/policy.yaml: the upstreams production, staging, dev lead to no store" in result.output
    assert "3 faults" in result.output


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("environments/production/Ranker", "'Ranker' cannot name a model"),
        ("environments/production/ra'nk\"er", "cannot name a model"),
        ('environments/production/x"} or up{', "cannot name a model"),
        ("environments/ranker", "is not a model's folder"),
        ("environments/a/b/c/d", "is not a model's folder"),
        (f"environments/production/{'m' * 43}", "at most 42 characters"),
        ("environments/production/1st", "must begin with a letter"),
        (f"environments/{'e' * 40}/ranker-of-shoes", "Helm takes 53"),
    ],
)
def test_a_folder_that_cannot_be_a_model_is_named(tmp_path, folder, expected):
    result = check(write(tmp_path, folder))
    assert result.exit_code == 1
    assert expected in result.output


def test_two_models_cannot_share_a_name_or_an_application(tmp_path):
    write(tmp_path, "environments/production/team-a/ranker")
    write(tmp_path, "environments/production/team-b/ranker")
    write(tmp_path, "environments/production/shop/search")
    write(tmp_path, "environments/production/shop-search")
    output = check(tmp_path).output
    assert "environments/production/team-a/ranker has the name ranker in production already" in output
    assert "has the application production-shop-search already" in output


def test_a_folder_without_environments_is_refused(tmp_path):
    result = check(tmp_path)
    assert result.exit_code == 1
    assert "run this in a checkout" in result.output


def test_a_link_is_not_followed(tmp_path):
    write(tmp_path)
    file = tmp_path / "environments/production/ranker/policy.yaml"
    (tmp_path / "elsewhere.yaml").write_text(POLICY)
    file.unlink()
    file.symlink_to(tmp_path / "elsewhere.yaml")
    assert "is a link" in check(tmp_path).output


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("freezes:\n  - {scope: all, reason: night}\n  - {scope: production/ranker, reason: test}\n", None),
        ("freezes:\n  - {scope: prodution, reason: night}\n", "it freezes prodution, which is not there"),
        ("freezes:\n  - scope: all\n", "freeze.yaml:2: "),
    ],
)
def test_a_freeze_that_freezes_nothing_is_a_fault(tmp_path, text, expected):
    write(tmp_path)
    (tmp_path / "environments/freeze.yaml").write_text(text)
    result = check(tmp_path)
    assert result.exit_code == (1 if expected else 0), result.output
    assert expected is None or expected in result.output


OFFICE = 'windows:\n  - {cron: "0 9 * * 1-4", duration: 1h, timezone: Europe/Berlin}\n'


def test_windows_in_which_no_rollout_could_end_are_a_fault(tmp_path):
    write(tmp_path, policy=POLICY + OFFICE)
    assert check(tmp_path).exit_code == 0
    result = check(write(tmp_path, policy=POLICY + OFFICE + "guard: 1h\n"))
    assert result.exit_code == 1
    assert (
        "soak and guard are 1h5m, and no window of the coming year is that long, the longest has 1h." in result.output
    )


@pytest.mark.parametrize(
    ("calendar", "expected"),
    [
        (None, "environments/holidays.ics: cannot be read"),
        ("hello", "environments/holidays.ics: it is no iCalendar file"),
    ],
)
def test_a_calendar_that_is_not_one_is_told_once_for_all_who_name_it(tmp_path, calendar, expected):
    policy = POLICY + OFFICE + "holidays: environments/holidays.ics\n"
    write(tmp_path, policy=policy)
    write(tmp_path, "environments/production/sorter", policy=policy)
    if calendar is not None:
        (tmp_path / "environments/holidays.ics").write_text(calendar)
    result = check(tmp_path)
    assert result.exit_code == 1
    assert result.output.count("error:") == 1
    assert expected in result.output


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("limits:\n  production: {concurrent_rollouts: 2, exposure: 50}\n", None),
        (
            "limits:\n  prodution: {exposure: 50}\n",
            "it limits prodution, which is not there. Write one that is: production",
        ),
        ("limits:\n  production: {exposure: -1}\n", "limits.yaml:2: limits.production.exposure is -1"),
    ],
)
def test_limits_of_what_is_not_there_are_a_fault(tmp_path, text, expected):
    write(tmp_path)
    (tmp_path / "environments/limits.yaml").write_text(text)
    result = check(tmp_path)
    assert result.exit_code == (expected is not None)
    assert expected is None or expected in result.output


GOLDEN_POLICY = POLICY + "traffic: golden\nevidence: {margin: 0.02}\n"


def sends(rate):
    return f"goldenTraffic: {{enabled: true, requestsPerSecond: {rate}}}\n"


def test_the_rate_of_golden_requests_is_told_as_time(tmp_path):
    result = check(write(tmp_path, policy=GOLDEN_POLICY, values=sends(5)))
    assert result.exit_code == 0
    assert (
        "production/ranker: 5 golden requests a second bring 480 to the canary in 6m at max_weight 30 %"
        in result.stdout
    )
    assert result.stderr == ""


@pytest.mark.parametrize(
    ("policy", "values", "expected"),
    [
        (
            GOLDEN_POLICY,
            "model: {name: ranker}\n",
            "policy.yaml: traffic is golden, and environments/production/ranker/",
        ),
        (POLICY, sends(5), "values.yaml: goldenTraffic is enabled, and the evidence will be golden requests among"),
        (GOLDEN_POLICY, sends(0.1), "policy.yaml: with golden requests alone no rollout can end within max_step (1h)"),
    ],
)
def test_golden_requests_that_will_not_do_are_warned_of(tmp_path, policy, values, expected):
    result = check(write(tmp_path, policy=policy, values=values))
    assert result.exit_code == 0
    assert f"warning: environments/production/ranker/{expected}" in result.stderr
    assert "golden requests a second bring" not in result.stdout


def test_golden_requests_without_a_rate_are_a_fault(tmp_path):
    result = check(write(tmp_path, policy=GOLDEN_POLICY, values="goldenTraffic: {enabled: true}\n"))
    assert result.exit_code == 1
    assert "goldenTraffic.requestsPerSecond missing" in result.stderr
