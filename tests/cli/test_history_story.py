"""`promoter history MODEL` tells what became of each version."""

import json
from dataclasses import replace

import pytest
from builders import canary, release, stable, version
from click.testing import CliRunner
from past_commits import PROMOTER, Past

from promoter.cli import main
from promoter.domain.action import Withdraw, Withhold
from promoter.domain.release import Pause, Rejection


@pytest.fixture(scope="module")
def past(tmp_path_factory):
    made = Past(tmp_path_factory.mktemp("past") / "work")
    made.first()
    made.starts()
    made.rises(5)
    made.person("ranker: production: paused by Ada", {made.served.policy_path: "paused: true\n"})
    made.rises(50, requests=12_408, bad=3)
    made.promotes(requests=12_408, bad=3)
    made.person("More memory for the ranker", {made.served.values_path: "memory: 2Gi\n"})
    made.starts(44)
    made.rises(10, 44)
    made.reverts(44)
    made.removes(44)
    made.places(release(stable(42)), "Back to 42: 43 is slow on phones\n")
    made.refuses(45)
    return made


@pytest.fixture
def tell(past, tmp_path):
    return lambda *arguments: CliRunner().invoke(main, ["history", *arguments], env=past.settings(tmp_path))


def test_each_rollout_is_a_paragraph_and_the_newest_stands_first(tell):
    text = tell("ranker").output
    heads = [text.index(f"Version {number} was") for number in (45, 42, 44, 43)]
    assert heads == sorted(heads)
    assert "Version 43 was promoted after 21m." in text
    assert "Version 44 was reverted after 7m." in text
    assert "Version 45 was refused by its preflight, and served nobody." in text
    assert "Version 42 was put back by Ada, in place of 43." in text
    assert "Version 42 became the first to be served." in text


def test_a_version_that_a_person_took_out_of_service_was_not_refused_by_its_preflight(tmp_path):
    made = Past(tmp_path / "work")
    made.first()
    made.starts()
    made.promotes()
    made.places(release(stable(42)), "Back to 42: 43 is slow on phones\n")
    reason = "Ada took it out of service in commit 1a2b3c4d"
    withheld = Withhold(version(43), frozenset({version(43)}), reason)
    made.decide(withheld, release(stable(42), rejected=[Rejection(version(43), reason)]))
    text = CliRunner().invoke(main, ["history", "ranker"], env=made.settings(tmp_path)).output
    assert "Version 42 was put back by Ada, in place of 43." in text
    assert "preflight" not in text


def test_the_evidence_is_two_sentences(tell):
    text = " ".join(tell("ranker").output.split())
    assert "Of 12 408 requests to 43, 3 failed (0.024 %); of 248 160 requests to 42, 20 failed (0.0081 %)." in text
    assert "The odds against 43 were 0.37 to 1, and its excess of failures was below 0.2 %." in text
    assert "It had 0 %, 5 % and 50 % of the requests, against 42." in text


def test_a_bound_that_says_nothing_is_not_told(tmp_path):
    made = Past(tmp_path / "work")
    made.first()
    made.starts()
    made.promotes(upper=1.0)
    text = " ".join(CliRunner().invoke(main, ["history", "ranker"], env=made.settings(tmp_path)).output.split())
    assert "The odds against 43 were 0.37 to 1." in text
    assert "excess" not in text.partition("Version 42")[0].partition("The odds")[2]


def test_the_evidence_of_a_revert_is_the_one_that_led_to_it(tell):
    text = " ".join(tell("ranker").output.split())
    assert "3.1 % of requests failed against 0.1 % on stable. Of 400 requests to 44, 12 failed (3 %)" in text
    assert "The odds against 44 were 200 to 1" in text


def test_people_are_named_with_their_commits_within_rollouts_and_between(tell, past):
    text = " ".join(tell("ranker").output.split())
    assert "Ada, 22 Nov 2026 12:09 UTC: ranker: production: paused by Ada (" in text
    assert "UTC: More memory for the ranker (" in text


def test_a_pause_by_a_comment_is_a_persons_word_though_the_promoter_wrote_it(tmp_path):
    made = Past(tmp_path / "work")
    made.first()
    made.starts()
    at = made.now
    paused = replace(made.release, paused=Pause("Grace (grace)", "odd", at))
    made.places(paused, "ranker: production: paused by Grace (grace)\n", who=PROMOTER)
    made.places(replace(paused, paused=None), "ranker: production: resumed by Grace (grace)\n", who=PROMOTER)
    made.rises(5)
    text = " ".join(CliRunner().invoke(main, ["history", "ranker"], env=made.settings(tmp_path)).output.split())
    assert "ranker: production: paused by Grace (grace) (" in text
    assert "ranker: production: resumed by Grace (grace) (" in text
    assert "It had 0 % and 5 % of the requests" in text


def test_a_limit_leaves_out_what_is_older_and_says_so(tell):
    text = tell("ranker", "--limit", "1").output
    assert "Version 45" in text
    assert "Version 44" not in text
    assert "--limit tells more" in text


def test_programs_get_an_object_for_each_rollout(tell):
    told = [json.loads(line) for line in tell("ranker", "--json").output.splitlines()]
    assert [(entry["version"], entry["outcome"]) for entry in told] == [
        (45, "refused"), (42, "placed"), (44, "reverted"), (43, "promoted"), (42, "promoted")]  # fmt: skip
    promoted = told[3]
    assert promoted["seconds"] == 21 * 60
    assert [entry["weight"] for entry in promoted["weights"]] == [0, 5, 50]
    assert promoted["evidence"]["canary.requests"] == 12_408
    assert [entry["author"] for entry in promoted["commits"] if not entry["promoter"]] == ["Ada"]


def test_every_decision_has_a_line_where_commits_are_asked_for(tell):
    lines = tell("ranker", "--commits", "--json").output.splitlines()
    assert [json.loads(line)["action"] for line in lines][:3] == ["reject", "revert", "revert"]


def test_a_model_that_is_not_there_is_an_error_that_names_those_that_are(tell):
    result = tell("rankr")
    assert result.exit_code == 1
    assert "there is no model rankr; those in scope are: production/ranker" in result.output


def test_a_file_that_a_person_broke_is_told_and_the_story_goes_on(tmp_path):
    past = Past(tmp_path / "work")
    past.first()
    past.starts()
    past.person("Fix the canary by hand", {past.served.release_path: "release: [\n"})
    past.rises(5)
    taken = canary(weight=0, since=past.now, withdrawn="Prometheus is silent", withdrawals=1)
    past.decide(Withdraw(version(43), "Prometheus is silent"), release(canary=taken))
    past.rises(5)
    told = CliRunner().invoke(main, ["history", "ranker"], env=past.settings(tmp_path)).output
    text = " ".join(told.split())
    assert "Fix the canary by hand" in text
    assert "does not parse" in text
    assert "Version 43 is under way, at 5 %." in text
    assert "It was withdrawn at 12:10: Prometheus is silent." in text
