"""What the demo knows of a course: the promoter's log, the remote's commits, Envoy's dump."""

import json

import pytest
from demo_builders import BEGIN, COMMITS, EVENTS, V1, V2, V3, V4, line, second

from promoter.errors import InvalidSettings
from promoter.sandbox.demo.cast import FIRST, Outcome, characters, faulty_versions
from promoter.sandbox.demo.commits import CommitLog, by_version, split
from promoter.sandbox.demo.directory import DemoDirectory
from promoter.sandbox.demo.events import EventLog, decisions, parse_event
from promoter.sandbox.demo.play import incomplete
from promoter.sandbox.demo.splits import live_split
from promoter.sandbox.demo.standing import standing
from promoter.sandbox.layout import BRANCH, Layout
from promoter.sandbox.model_zoo import DEMO_VERSIONS
from promoter.sandbox.seed import default_policy, seed


def test_the_short_cast_shows_all_three_endings():
    assert {character.must_end for character in characters(every=False)} == {
        Outcome.PROMOTED, Outcome.REVERTED, Outcome.NOT_A_VERSION}  # fmt: skip


def test_every_character_that_is_uploaded_whole_can_be_built():
    whole = {character.version.number for character in characters(every=True) if not character.half}
    assert whole | {FIRST.number} == set(DEMO_VERSIONS)


def test_only_versions_that_must_be_reverted_are_faulty():
    reverted = {entry.version for entry in characters(every=True) if entry.must_end is Outcome.REVERTED}
    assert faulty_versions() == reverted


@pytest.mark.parametrize("text", ["", "Traceback (most recent call last):", "[]", '{"event": "x"}', '{"timestamp": 4}'])
def test_what_is_no_event_in_a_log_is_passed_over(text):
    assert parse_event(text) is None


def test_half_a_line_is_left_for_the_next_look(tmp_path):
    path = tmp_path / "promoter.log"
    log = EventLog(path)
    assert log.look() == ()
    whole, half = line(1, "rollout.hold", reason="because"), line(2, "commit.pushed", revision="a" * 40)
    path.write_text(whole + "\n" + half[:20])
    assert [event.reason for event in log.look()] == ["because"]
    path.write_text(whole + "\n" + half + "\n")
    assert [event.pushed for event in log.look()] == [None, "a" * 40]


def test_a_push_belongs_to_the_verdict_before_it():
    events = tuple(parse_event(text) for text in (
        line(1, "rollout.set-weight", reason="up"),
        line(1.1, "pass.head_moved"),
        line(2, "rollout.set-weight", reason="up"),
        line(2.2, "commit.pushed", revision="a" * 40),
        line(3, "rollout.hold", reason="wait"),
        line(4, "commit.pushed", revision="b" * 40),
    ))  # fmt: skip
    assert [(entry.revision[0], entry.at - BEGIN) for entry in decisions(events)] == [("a", 2.0)]


def test_a_commit_belongs_to_the_version_that_is_or_was_on_trial():
    courses = by_version(COMMITS)
    assert [commit.what for commit in courses[V1]] == ["1 is stable"]
    assert [commit.what for commit in courses[V2]][-2:] == ["canary 2 at 100 %", "2 is stable"]
    assert len(courses[V3]) == 4


def test_a_split_names_only_who_gets_requests():
    assert split(COMMITS[0].release) == {}
    splits = [split(commit.release) for commit in COMMITS[2:6]]
    assert splits == [{V1: 100}, {V1: 90, V2: 10}, {V1: 90, V2: 10}, {V2: 100}]


def dump(*weights):
    """Envoy's dump with one route for each mapping of clusters to weights."""
    routes = []
    for number, route in enumerate(weights):
        clusters = [{"name": name, "weight": share} for name, share in route.items()]
        routes.append({"match": {"prefix": f"/{number}"}, "route": {"weighted_clusters": {"clusters": clusters}}})
    return {"configs": [{"route_config": {"virtual_hosts": [{"name": "resnet50.production", "routes": routes}]}}]}


def test_a_split_is_what_all_routes_agree_on():
    grpc = {"production_resnet50-v1_8500": 90, "production_resnet50-v2_8500": 10}
    rest = {"production_resnet50-v1_8501": 90, "production_resnet50-v2_8501": 10}
    assert live_split(dump(grpc, rest)) == {V1: 90, V2: 10}
    assert live_split(dump(grpc, {"production_resnet50-v1_8501": 100})) is None
    assert live_split({}) is None


def test_commits_are_read_from_a_bare_remote_and_again_when_it_has_grown(tmp_path):
    project = tmp_path / "project"
    (project / "charts/model-serving").mkdir(parents=True)
    (project / "charts/model-serving/Chart.yaml").write_text("name: model-serving\n")
    layout = Layout.at(tmp_path / "demo")
    seed(layout, project, default_policy(layout))
    log = CommitLog(layout.remote)
    (first,) = log.look()
    assert (first.action, first.release.stable, first.what) == ("", None, "served from here, no version yet")

    import pygit2  # noqa: PLC0415 - only this test writes a commit

    repository = pygit2.Repository(layout.remote)
    head = repository.revparse_single(BRANCH)
    author = pygit2.Signature("Robin", "robin@localhost")
    repository.create_commit(f"refs/heads/{BRANCH}", author, author, "another\n", head.tree.id, [head.id])
    assert [commit.subject for commit in log.look()] == [first.subject, "another"]


def test_status_says_why_half_an_upload_is_no_version():
    status = {"models": [{"environment": "production", "model": "resnet50", "incomplete": {"4": "no manifest.json"}}]}
    assert incomplete(json.dumps(status), V4) == "no manifest.json"
    assert incomplete(json.dumps(status), V3) is None
    assert incomplete('{"models": []}', V4) is None


def test_a_standing_tells_what_is_known_now():
    character = characters(every=False)[1]
    held = parse_event(line(26, "rollout.hold", reason="more evidence", canary=3, log_odds=1.5, upper_bound=0.3))
    seen = standing(character, [*EVENTS, held], COMMITS[8], [second(25, v2=(70, 1), v3=(7, 2))], 6.0)
    assert (seen.weight, seen.log_odds, seen.upper_bound) == (10, 1.5, 0.3)
    assert (seen.failed_on_canary, seen.failed_elsewhere, seen.says) == (2, 1, "more evidence")


def test_before_anything_was_measured_a_standing_has_no_odds():
    seen = standing(characters(every=False)[1], [], COMMITS[6], [], 0.5)
    assert (seen.weight, seen.log_odds, seen.upper_bound, seen.says) == (None, None, None, "")


def test_a_new_folder_is_made_and_an_earlier_demo_is_cleaned_away(tmp_path):
    files = DemoDirectory.begin(tmp_path / "demo")
    (files.path / "logs").mkdir()
    (files.path / "logs" / "promoter.log").write_text("old")
    files.summary.write_text("{}")
    (files.path / "notes.txt").write_text("mine")
    DemoDirectory.begin(tmp_path / "demo")
    assert {path.name for path in files.path.iterdir()} == {"demo.mark", "notes.txt"}


def test_a_folder_with_other_things_in_it_is_refused_and_left_alone(tmp_path):
    (tmp_path / "logs").mkdir()
    with pytest.raises(InvalidSettings, match="no demo made it"):
        DemoDirectory.begin(tmp_path)
    assert (tmp_path / "logs").is_dir()


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidSettings, match="is a file"):
        DemoDirectory.begin(tmp_path / "file")
