"""Rolling updates, probes and restarts: the rules of Kubernetes, as functions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promoter.sandbox.agent.pod_template import Deployment, PodTemplate, Probe
from promoter.sandbox.agent.pods import pause_before_restart
from promoter.sandbox.agent.probes import ProbeRecord
from promoter.sandbox.agent.rollout import Plan, PodFacts, plan

TEMPLATE = PodTemplate(
    hash="new",
    labels={},
    command=("server",),
    environment={},
    ports={},
    mounts=(),
    startup=None,
    readiness=None,
    liveness=None,
    pre_stop=0,
    grace=30,
)


def deployment(replicas, max_surge=1, max_unavailable=0):
    return Deployment("shop", "ranker-v1", replicas, max_surge, max_unavailable, 600, TEMPLATE)


def pods(*states):
    """`N` new and ready, `n` new, `O` old and ready, `o` old; named by their place."""
    return [PodFacts(f"{place}{state}", state in "Nn", state in "NO") for place, state in enumerate(states)]


@pytest.mark.parametrize(
    ("replicas", "present", "expected"),
    [
        (2, "", Plan(start=2)),
        (2, "NN", Plan()),
        (3, "NN", Plan(start=1)),
        (1, "NnN", Plan(stop=("1n", "2N"))),
        (0, "N", Plan(stop=("0N",))),
        # A new template: one more at first, and an old one goes only once a new one is ready.
        (2, "OO", Plan(start=1)),
        (2, "OOn", Plan()),
        (2, "OON", Plan(stop=("0O",))),
        (2, "ON", Plan(start=1)),
        (2, "ONN", Plan(stop=("0O",))),
        # Old pods that are not ready hold nothing up.
        (2, "oo", Plan(start=1, stop=("0o", "1o"))),
    ],
)
def test_the_next_step_of_a_rolling_update(replicas, present, expected):
    assert plan(deployment(replicas), pods(*present)) == expected


@given(
    replicas=st.integers(0, 8),
    surge=st.integers(1, 4),
    old=st.integers(0, 8),
    order=st.randoms(use_true_random=False),
)
def test_a_rolling_update_ends_and_never_falls_below_what_was_ready(replicas, surge, old, order):
    wanted = deployment(replicas, surge)
    present = [PodFacts(f"old{number}", current=False, ready=True) for number in range(old)]
    floor = min(replicas, old)
    for number in range(200):
        todo = plan(wanted, present)
        present = [pod for pod in present if pod.name not in todo.stop]
        present += [PodFacts(f"new{number}.{each}", current=True, ready=False) for each in range(todo.start)]
        assert sum(pod.ready for pod in present) >= floor
        assert len(present) <= max(old, replicas + surge)
        waiting = [place for place, pod in enumerate(present) if not pod.ready]
        if waiting:
            chosen = order.choice(waiting)
            present[chosen] = PodFacts(present[chosen].name, current=True, ready=True)
        elif todo == Plan():
            break
    assert len(present) == replicas
    assert all(pod.current and pod.ready for pod in present)


def record(answers, probe):
    course = ProbeRecord.begin(probe, now=100.0)
    for place, answer in enumerate(answers):
        course.record(success=answer == "+", now=100.0 + place)
    return course


@pytest.mark.parametrize(
    ("answers", "passing"),
    [
        ("", None),
        ("-", None),
        ("--", None),
        ("---", False),
        ("+", True),
        ("---+", True),
        ("+--", True),
        ("+--+--", True),
    ],
)
def test_a_probe_counts_answers_in_a_row(answers, passing):
    assert record(answers, Probe(8500, failure_threshold=3)).passing is passing


def test_a_probe_is_due_after_its_delay_and_then_each_period():
    course = ProbeRecord.begin(Probe(8500, initial_delay=5, period=7), now=100.0)
    assert course.due == 105.0
    course.record(success=False, now=106.0)
    assert course.due == 113.0


def test_restarts_back_off_up_to_five_minutes():
    assert [pause_before_restart(times) for times in (1, 2, 3, 4, 7, 1000)] == [0, 10, 20, 40, 300, 300]
