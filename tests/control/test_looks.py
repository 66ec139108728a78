"""When stores are looked at, by a stated clock: often enough, and no more than it may cost."""

from __future__ import annotations

from datetime import timedelta

import pytest
from builders import NOON, digest, stored, version

from promoter.control.looks import Looks
from promoter.domain.completeness import ByManifest
from promoter.domain.version import IncompleteVersion, Listing, Mark, Sweep, Wanted
from promoter.errors import StoreUnavailable

MINUTE = timedelta(minutes=1)
ABOVE = Wanted(above=version(42), newest=True)


class Store:
    """Counts what it is asked. marks: what a sweep tells, nothing where it cannot be had."""

    def __init__(self, marks=None):
        self.marks = marks or {}
        self.sweeps = 0
        self.listed = []
        self.checked = []
        self.answer = Listing()
        self.broken = None
        self.slow = lambda: None

    def sweep(self, addresses):
        self.sweeps += 1
        return Sweep(dict(self.marks), len(addresses))

    def listing(self, address, wanted):
        self.listed.append(address)
        self.slow()
        if self.broken:
            raise StoreUnavailable(self.broken)
        return self.answer

    def version(self, address, number, complete):
        self.checked.append(address)
        if self.broken:
            raise StoreUnavailable(self.broken)
        return stored(number.number)


def models(count):
    return {f"gs://models/team/m{number}": ByManifest() for number in range(count)}


def passes(store, addresses, moments, looks=None, clock=lambda: 0.0):
    """Passes at so many seconds after noon; each looks at every model."""
    looks = looks or Looks(store, MINUTE, clock)
    found = []
    for second in moments:
        now = NOON + timedelta(seconds=second)
        looks.begin_pass(addresses, now)
        looks.settle()
        found = [looks.listing(address, ABOVE, now) for address in addresses]
    return found


def test_one_model_is_looked_at_once_an_interval():
    store = Store()
    passes(store, models(1), range(0, 181, 5))
    assert len(store.listed) == 4
    assert store.sweeps == 0


def test_ten_thousand_models_that_no_sweep_can_tell_of_cost_a_dollar_a_day_and_no_more():
    store, day = Store(), 86_400
    passes(store, models(10_000), range(0, day, 600))
    looks = len(store.listed) - 10_000
    assert 0.5 < (looks + store.sweeps * 1) * 0.005 / 1000 <= 1.0


def test_models_with_nothing_new_are_not_listed_where_a_sweep_tells_of_them():
    addresses = models(30)
    store = Store({address: Mark("a", version(42)) for address in addresses})
    assert passes(store, addresses, range(0, 601, 5)) == [Listing()] * 30
    assert store.listed == []
    assert store.sweeps == 11


def test_who_asks_for_halves_is_told_of_them_where_a_sweep_tells_of_nothing():
    addresses = models(30)
    store = Store({address: Mark("a", version(42)) for address in addresses})
    store.answer = Listing((), (IncompleteVersion("43", "no manifest.json"),))
    looks = Looks(store, MINUTE, lambda: 0.0, tells_halves=True)
    assert passes(store, addresses, [0], looks) == [store.answer] * 30
    assert store.listed == list(addresses)


def test_halves_are_told_for_as_long_as_the_pass_has_time_and_no_failure_disturbs_the_rest():
    addresses, now = models(30), 0.0
    store = Store({address: Mark("a", version(42)) for address in addresses})

    def slow():
        nonlocal now
        now += 1

    store.slow = slow
    passes(store, addresses, [0], Looks(store, MINUTE, lambda: now, tells_halves=True))
    assert len(store.listed) == 4
    store.broken = "the store does not answer"
    looks = Looks(store, MINUTE, lambda: 0.0, tells_halves=True)
    assert passes(store, addresses, [0], looks) == [Listing()] * 30


def test_only_the_model_whose_mark_changed_is_listed_again():
    addresses = models(30)
    store = Store({address: Mark("a", version(43)) for address in addresses})
    store.answer = Listing((stored(43),))
    looks = Looks(store, MINUTE, lambda: 0.0)
    passes(store, addresses, [0, 60, 120], looks)
    assert len(store.listed) == 30
    store.marks["gs://models/team/m7"] = Mark("b", version(44))
    passes(store, addresses, [180, 240, 300], looks)
    assert store.listed[30:] == ["gs://models/team/m7"]


def test_a_version_that_was_not_whole_is_looked_at_until_it_is():
    addresses = models(30)
    store = Store({address: Mark("a", version(43)) for address in addresses})
    store.answer = Listing((), (IncompleteVersion("43", "saved_model.pb is missing"),))
    passes(store, addresses, [0, 30, 60])
    assert len(store.listed) == 60


def test_other_wishes_are_a_reason_to_look_at_once():
    store, looks = Store(), Looks(Store(), MINUTE)
    looks._store = store
    looks.begin_pass(models(1), NOON)
    looks.listing("gs://models/team/m0", ABOVE, NOON)
    looks.listing("gs://models/team/m0", Wanted(above=version(41), newest=True), NOON)
    assert len(store.listed) == 2


def test_a_pass_has_no_time_for_many_slow_looks_and_the_next_one_goes_on():
    now = 0.0

    def second():
        nonlocal now
        now += 1.0

    store = Store()
    store.slow = second
    addresses = models(5)
    looks = Looks(store, MINUTE, lambda: now)
    looks.begin_pass(addresses, NOON)
    for address in list(addresses)[:4]:
        looks.listing(address, ABOVE, NOON)
    with pytest.raises(StoreUnavailable, match="one of the next passes"):
        looks.listing("gs://models/team/m4", ABOVE, NOON)
    looks.begin_pass(addresses, NOON + timedelta(seconds=5))
    assert looks.listing("gs://models/team/m4", ABOVE, NOON + timedelta(seconds=5)) == Listing()


def test_a_bucket_that_fails_is_asked_once_an_interval_and_not_once_a_model():
    store = Store()
    store.broken = "the store gs://models failed (503)"
    addresses = models(10)
    looks = Looks(store, MINUTE, lambda: 0.0)
    for second in (0, 5, 10, 60):
        now = NOON + timedelta(seconds=second)
        looks.begin_pass(addresses, now)
        for address in addresses:
            with pytest.raises(StoreUnavailable, match="503"):
                looks.listing(address, ABOVE, now)
    assert len(store.listed) == 2


def test_what_is_served_is_checked_each_interval_in_a_rollout_and_now_and_then_at_rest():
    store = Store()
    looks = Looks(store, MINUTE, lambda: 0.0)
    addresses = models(10_000)
    for hours in range(24):
        now = NOON + timedelta(hours=hours)
        looks.begin_pass(addresses, now)
        looks.check("gs://models/team/m0", version(42), ByManifest(), now, in_flight=False)
        looks.check("gs://models/team/m1", version(42), ByManifest(), now, in_flight=True)
    assert store.checked.count("gs://models/team/m0") == 8
    assert store.checked.count("gs://models/team/m1") == 24


def test_the_first_checks_of_many_models_are_spread_over_their_period():
    store = Store()
    looks = Looks(store, MINUTE, lambda: 0.0)
    addresses = models(10_000)
    checked = []
    for hours in (0, 1, 2, 3):
        now = NOON + timedelta(hours=hours)
        looks.begin_pass(addresses, now)
        for address in addresses:
            looks.check(address, version(42), ByManifest(), now, in_flight=False)
        checked.append(len(store.checked))
    assert checked[0] < 100
    assert 3500 < checked[1] < 4900
    assert checked[3] >= 10_000


def test_a_check_tells_what_is_there_now():
    looks = Looks(Store(), MINUTE, lambda: 0.0)
    looks.begin_pass(models(1), NOON)
    found = looks.check("gs://models/team/m0", version(42), ByManifest(), NOON, in_flight=False)
    assert found is not None
    assert found.digest == digest(42)
