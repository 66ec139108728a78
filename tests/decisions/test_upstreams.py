"""What an upstream environment offers, and what it takes back, as tables."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from builders import (
    NOON,
    RANKER,
    application,
    canary,
    change,
    deployment,
    digest,
    observation,
    policy,
    release,
    stable,
    stored,
    version,
)

from promoter.decisions.rollout import decide
from promoter.decisions.upstreams import UpstreamCircle, way_to_store
from promoter.domain.action import Hold, Withdraw
from promoter.domain.completeness import ByManifest
from promoter.domain.freeze import Unreadable
from promoter.domain.names import ServedModel
from promoter.domain.policy import CandidateSource
from promoter.domain.release import Rejection, Release, Stable
from promoter.domain.upstream import Upstream
from promoter.domain.version import IncompleteVersion, Listing, StoredVersion

STAGING = replace(RANKER, environment="staging")
SOAK = policy(candidates=CandidateSource(upstream="staging", upstream_soak=timedelta(hours=2)))


def upstream(theirs=release(stable(43)), made=timedelta(hours=3), **changes):  # noqa: B008 - frozen values
    made_stable = change(at=NOON - made, author="Ada", revision="c" * 40)
    return Upstream(STAGING, theirs, "file:///models/ranker", ByManifest(), made_stable, **changes)


def downstream(theirs=upstream(), **changes):  # noqa: B008 - frozen values
    pin = theirs.release.stable if isinstance(theirs, Upstream) else None
    offer = None if pin is None else Listing((StoredVersion(pin.version, pin.digest),))
    return observation(
        **({"policy": SOAK, "upstream": theirs, "listing": offer, "in_store": (stored(42), stored(43))} | changes)
    )


def hold(seen):
    action = decide(seen, NOON)
    assert isinstance(action, Hold)
    return action


def test_what_soaks_is_told_with_its_commit_and_the_time_until_which_it_does():
    action = hold(downstream(upstream(made=timedelta(minutes=90))))
    assert action.reason == (
        "43 soaks in staging, stable there since commit cccccccccccc by Ada: "
        "it is offered here from 2026-11-22 12:30:00 UTC, in 30m"
    )
    assert not action.alarm


@pytest.mark.parametrize(("made", "soaks"), [(119, True), (120, False), (500, False)])
def test_the_soak_ends_to_the_minute(made, soaks):
    assert ("soaks" in hold(downstream(upstream(made=timedelta(minutes=made)))).reason) is soaks


@pytest.mark.parametrize(
    ("in_store", "problems", "reason", "alarm"),
    [
        ((stored(42), StoredVersion(version(43), digest(7))), (), "other bytes under 43 than were proved", True),
        ((stored(42), IncompleteVersion("43", "it is not there")), (), "no longer whole in the store", True),
        ((stored(42), IncompleteVersion("43", "a short look", settled=False)), (), "no longer whole", False),
        ((stored(42),), ("the store is down",), "waits until it is known that the store still holds", False),
    ],
)
def test_only_the_bytes_that_upstream_proved_are_served(in_store, problems, reason, alarm):
    action = hold(downstream(in_store=in_store, problems=problems))
    assert reason in action.reason
    assert action.alarm is alarm


@pytest.mark.parametrize(
    ("theirs", "reason"),
    [
        (release(stable(43), rejected=[Rejection(version(43), "too slow")]), "43 is rejected in staging: too slow"),
        (release(stable(42)), "no complete version above 42"),
        (release(stable(41)), "no complete version above 42"),
    ],
)
def test_what_upstream_gave_up_does_not_start(theirs, reason):
    assert hold(downstream(upstream(theirs))).reason == reason


def test_where_nobody_can_tell_what_is_upstream_an_alarm_says_who_mends_it():
    action = hold(downstream(Unreadable("environments/staging/ranker/release.yaml: the file is missing")))
    assert action.alarm
    assert "so nothing starts and nothing rises: environments/staging/ranker/release.yaml" in action.reason
    assert "Whoever maintains that file, or environments/production/ranker/policy.yaml, can mend it" in action.reason


# A rollout under way. Prometheus says nothing here, which shows as blindness, so only what comes before it is seen.

TAKEN = change(revision="b" * 40, author="Ada")


def under_way(theirs, weight):
    return downstream(
        theirs,
        release=release(canary=canary(weight=weight)),
        application=application([deployment(42, ready=2), deployment(43, ready=2)], {42: 100 - weight, 43: weight}),
        in_store=(stored(42), stored(43)),
    )


@pytest.mark.parametrize("weight", [1, 30, 100])
@pytest.mark.parametrize(
    ("theirs", "told"),
    [
        (release(stable(42)), "staging serves 42"),
        (release(stable(43), rejected=[Rejection(version(43), "Ada")]), "staging rejects it"),
        (Release(Stable(version(43), digest(7))), "staging serves other files under that number"),
        (Release(), "staging has no stable version"),
    ],
)
def test_a_canary_that_upstream_took_back_loses_its_weight_and_is_not_rejected(theirs, told, weight):
    action = decide(under_way(upstream(theirs, taken_back=TAKEN), weight), NOON)
    assert isinstance(action, Withdraw)
    assert action.reason == f"43 was taken back upstream: {told} since commit bbbbbbbbbbbb by Ada"


@pytest.mark.parametrize(
    "theirs",
    [
        upstream(release(stable(44)), taken_back=TAKEN),  # upstream went on
        upstream(release(stable(42))),  # it never was stable there: a person started it here
        Unreadable("staging does not parse"),
        None,
    ],
)
def test_nothing_else_upstream_takes_weight_from_a_canary(theirs):
    seen = under_way(upstream(), 5)
    assert not isinstance(decide(replace(seen, upstream=theirs), NOON), Withdraw)


# Upstreams form trees.

TREE = {
    "dev": CandidateSource(store="gs://shop/ranker"),
    "staging": CandidateSource(upstream="dev"),
    "canada": CandidateSource(upstream="staging"),
    "europe": CandidateSource(upstream="staging"),
    "round": CandidateSource(upstream="about"),
    "about": CandidateSource(upstream="round"),
    "into": CandidateSource(upstream="round"),
}


def way(environment):
    return way_to_store(ServedModel(environment, "ranker"), lambda one: TREE[one.environment])


@pytest.mark.parametrize(
    ("environment", "names"),
    [
        ("dev", ["dev"]),
        ("canada", ["canada", "staging", "dev"]),
        ("europe", ["europe", "staging", "dev"]),
    ],
)
def test_every_way_upstream_ends_at_the_store(environment, names):
    passed, source = way(environment)
    assert [served.environment for served in passed] == names
    assert source.store == "gs://shop/ranker"


@pytest.mark.parametrize(("environment", "names"), [("round", "round, about"), ("into", "into, round, about")])
def test_upstreams_in_a_circle_are_named(environment, names):
    with pytest.raises(UpstreamCircle, match=f"the upstreams {names} lead to no store: they go in a circle"):
        way(environment)
