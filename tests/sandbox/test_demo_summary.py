"""What a play amounts to."""

import dataclasses

import pytest
from demo_builders import BEGIN, V1, V2, V3, explained, record, second, traffic
from hypothesis import given
from hypothesis import strategies as st

from promoter.sandbox.demo.cast import Outcome
from promoter.sandbox.demo.fixed_schedule import fixed_schedule_cost
from promoter.sandbox.demo.record import during
from promoter.sandbox.demo.summary import as_json, sending_rate, shortcomings, summarise, transition_failures


def test_a_tenth_failing_costs_what_25_minutes_at_20_40_and_60_percent_cost():
    cost = fixed_schedule_cost(rate=80, failure_ratio=0.1)
    # Ten minutes at 20 %, ten at 40 %, and five at 60 %, when the fourth measurement has failed.
    assert cost.failed_requests == round(80 * 0.1 * (0.2 * 600 + 0.4 * 600 + 0.6 * 300)) == 4320
    assert (cost.seconds, cost.stopped) == (25 * 60, True)


def test_failures_below_the_threshold_go_through_all_four_steps_and_are_promoted():
    cost = fixed_schedule_cost(rate=80, failure_ratio=0.04)
    assert cost.failed_requests == round(80 * 0.04 * 600 * (0.2 + 0.4 + 0.6 + 0.8)) == 3840
    assert (cost.seconds, cost.stopped) == (40 * 60, False)


@pytest.mark.parametrize(("ratio", "stopped"), [(0.0, False), (0.05, False), (0.0501, True), (1.0, True)])
def test_the_schedule_stops_what_succeeds_in_less_than_95_percent(ratio, stopped):
    assert fixed_schedule_cost(rate=100, failure_ratio=ratio).stopped is stopped


@given(st.floats(0, 2000), st.floats(0, 1))
def test_a_schedule_never_costs_more_than_all_requests_of_its_time(rate, ratio):
    cost = fixed_schedule_cost(rate, ratio)
    assert 0 <= cost.failed_requests <= round(rate * ratio * cost.seconds) + 1


def test_failures_of_a_faulty_version_are_its_own():
    seconds = [second(1, v2=(70, 0), v3=(5, 5)), second(2, v2=(79, 0), v6=(0, 1))]
    assert transition_failures(seconds, frozenset({V3, *second(1, v6=(1, 0)).answered})) == 0


def test_failures_on_a_good_version_and_without_an_answer_are_a_transitions():
    seconds = [second(1, v1=(77, 1), v3=(0, 4), none=2)]
    assert transition_failures(seconds, frozenset({V3})) == 3


def test_each_second_belongs_to_one_course():
    whole = record()
    courses = whole.traffic()
    assert sum(len(seconds) for seconds in courses.values()) == len(whole.seconds)
    assert [len(seconds) for seconds in courses.values()] == [20, 11, 9]


def test_a_second_belongs_where_its_middle_lies():
    seconds = [second(at, v1=(80, 0)) for at in (1, 2, 3)]
    assert [entry.time - BEGIN for entry in during(seconds, BEGIN + 0.6, BEGIN + 1.6)] == [2]


def test_the_rate_leaves_out_the_line_that_was_cut_short():
    assert sending_rate([second(1, v1=(80, 0)), second(2, v1=(82, 0)), second(2.1, v1=(3, 0))]) == 81


def test_the_rate_of_nothing_is_zero():
    assert sending_rate([]) == sending_rate([second(1, v1=(80, 0))]) == 0


def test_versions_are_summed_up_one_by_one():
    two, three, four = summarise(record(), explained()).versions
    assert (two.outcome, two.seconds, two.requests, two.failed_requests, two.commits) == (
        Outcome.PROMOTED, 18.0, 1600, 0, 5)  # fmt: skip
    assert (three.on_canary, three.failed_on_canary, three.failed_requests, three.commits) == (40, 5, 5, 4)
    assert three.fixed_schedule == fixed_schedule_cost(80, 5 / 40)
    assert (four.outcome, four.commits, four.on_canary, four.fixed_schedule) == (Outcome.NOT_A_VERSION, 0, 0, None)


def test_the_time_from_a_verdict_to_its_weight_is_measured_for_every_change_of_weights():
    changes = summarise(record(), explained()).changes
    assert [(change.commit.what, round(change.seconds, 3)) for change in changes] == [
        ("canary 2 at 10 %", 0.25),
        ("canary 2 at 100 %", 0.5),
        ("canary 3 at 10 %", 0.25),
        ("canary 3 reverted", 0.25),
    ]


def test_a_verdict_from_before_the_first_look_at_envoy_is_not_timed():
    late = dataclasses.replace(record(), splits=record().splits[2:])
    assert [change.commit.what for change in summarise(late, explained()).changes] == [
        "canary 3 at 10 %",
        "canary 3 reverted",
    ]


def test_a_play_without_a_change_of_weights_has_no_times():
    summary = summarise(dataclasses.replace(record(), splits=()), explained())
    assert (summary.median_to_live, summary.longest_to_live) == (None, None)
    assert as_json(summary)["verdict_to_live_seconds"] == {"median": None, "max": None}


def test_summary_json_has_the_keys_that_programs_rely_on():
    plain = as_json(summarise(record(), explained()))
    wanted = {"version", "outcome", "reason", "seconds", "requests", "failed_requests", "failed_on_canary", "commits"}
    assert all(wanted <= entry.keys() for entry in plain["versions"])
    assert [entry["outcome"] for entry in plain["versions"]] == ["promoted", "reverted", "not a version"]
    assert (plain["transition_failures"], plain["promoter_peak_rss_mb"]) == (0, 62.0)


def test_a_play_in_which_all_was_as_it_must_be_has_no_shortcomings():
    assert shortcomings(summarise(record(), explained())) == ()


def test_every_shortcoming_is_a_sentence():
    seconds = [second(at, v1=(20, 1)) for at in range(1, 40)]
    outcomes = (Outcome.UNFINISHED, Outcome.REVERTED, Outcome.PROMOTED)
    wrong_two, wrong_four, failed, slow = shortcomings(summarise(record(seconds, outcomes), explained()))
    assert "Version 2 (good) must end promoted, and is unfinished: no sign of harm" in wrong_two
    assert "Version 4 (half an upload) must end not a version, and is promoted" in wrong_four
    assert failed.startswith("39 requests failed that no faulty version answered")
    assert slow.startswith("Only 21 requests a second")


def test_decisions_that_came_out_the_same_are_counted():
    assert as_json(summarise(record(), explained()))["decisions_recomputed"] == {"same": 10, "of": 10}


def test_a_decision_that_was_not_reproduced_is_named_with_its_commit():
    summary = summarise(record(), explained(otherwise={9}))
    assert as_json(summary)["decisions_recomputed"] == {"same": 9, "of": 10}
    assert shortcomings(summary) == (
        "Commit 0000000 (resnet50: production: canary 3 reverted) was not reproduced. It came out another.",
    )


def test_the_last_course_goes_on_to_the_end_of_the_traffic():
    assert record().traffic()[record().courses[-1].character.version][-1] == tuple(traffic())[-1]
    assert V1 not in record().traffic()
    assert V2 in record().traffic()
