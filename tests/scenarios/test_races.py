"""People's commits race the promoter's passes: whatever comes between, the rules of a rollout hold.

A repository of commits in memory, the real reading, deciding, drafting and verbs, and two promoters; what pods and
counts say is drawn at random. Files are read and written by the real documents, remembered by their content.
"""

from __future__ import annotations

import random
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache

import pytest
from builders import NOON, RANKER, application, arm, deployment, digest, interval, stored, version
from fakes import FakeRepository
from test_verbs import Person

from promoter.control import act, observe, past_releases, verbs
from promoter.control.observe import Observer, Ports
from promoter.decisions.rollout import decide
from promoter.decisions.trial import Trial
from promoter.documents import release_file
from promoter.domain.action import Action
from promoter.domain.calibration import Calibration
from promoter.domain.evidence import Evidence
from promoter.domain.freeze import Unreadable
from promoter.domain.measurements import Measurements
from promoter.domain.observation import ClusterTraits, Observation
from promoter.domain.policy import Approval, Bet
from promoter.domain.preflight import Waived
from promoter.domain.release import Promotion
from promoter.domain.repository import Lineage
from promoter.domain.version import Listing
from promoter.errors import HeadMoved, InvalidInput

INTERLEAVINGS = 10_000
PARTS = 4
EVENTS = 50
MARGIN = 0.02
POLICY = """\
candidates: {store: "file:///models/ranker"}
evidence: {margin: 0.02, interval: 5s}
ramp: {budget: 20}
soak: 10s
guard: 20s
max_blind: 20s
"""
# What people put into policy.yaml besides; the window is shut at the hour of the race.
RULES = (
    "",
    'windows: [{cron: "0 2 * * *", duration: 30m, timezone: UTC}]\n',
    "approval: {start: pull-request, promote: none}\n",
    "approval: {start: none, promote: pull-request}\n",
)
BROKEN = b"release: [\n"
BEGIN = f"release:\n  stable:\n    version: 42\n    digest: {digest(42)}\n"
CALIBRATION = Calibration(Bet.SHARE, kappa=1.0, phi=1.0, interval=timedelta(seconds=5), bounds_us=(), reason="drawn")


@dataclass(frozen=True)
class Surveyed:
    """A commit that one of the promoters has drafted, and what was the case then."""

    repository: object
    seen: Observation
    action: Action
    draft: act.Draft
    mood: str
    live: bool
    ready: bool
    at: datetime


@lru_cache(4096)
def shown(pods, route, revision):
    """What Argo CD says of so many Ready pods by version, and of this route."""
    return application([deployment(number, ready=count) for number, count in pods], dict(route), revision=revision)


@lru_cache
def listed(newest):
    return Listing(tuple(stored(number) for number in range(42, newest + 1)))


class Race:
    """One interleaving. `out`: versions that people took out of service and nobody offered again."""

    def __init__(self, seed):
        self.dice = random.Random(seed)
        self.now = NOON
        self.repository, clones = self.begun()
        self.policy = POLICY + f"rollback_window: {self.dice.choice(('1h', '90s'))}\n"
        self.repository.person({RANKER.policy_path: self.policy, RANKER.release_path: BEGIN}, "Serve ranker")
        self.promoters = [
            (Observer(Ports(clone, None, None, None, None), ClusterTraits(), timedelta(seconds=5)), clone)
            for clone in clones
        ]
        self.surveyed = []
        self.synced = self.repository.head["id"]
        self.ready = True
        self.mood = "good"
        self.seen_at = self.now
        self.newest = 43
        self.out = set()
        self.done = []
        self.happened = Counter()

    def begun(self):
        """The repository as this test sees it, and as each of the two promoters does."""
        repository = FakeRepository(self)
        return repository, (repository, repository)

    # What happens.

    def play(self, events=EVENTS):
        happenings = (
            [self.undisturbed] * 20
            + [self.look] * 5
            + [self.push] * 5
            + [self.sync] * 3
            + [self.wait] * 3
            + [self.turn, self.pods, self.publish]
            + [self.verb] * 2
            + [self.comment]
            + [self.edit, self.git_revert, self.squash, self.rebase, self.approve, self.rule]
        )
        for _ in range(events):
            happening = self.dice.choice(happenings)
            self.done.append(happening.__name__)
            happening()

    def undisturbed(self):
        """A pass, its push and the sync after it, with nobody in between."""
        self.surveyed.clear()
        self.look()
        self.push()
        self.sync()
        self.wait()

    def wait(self):
        self.now += timedelta(seconds=self.dice.choice((5, 15, 60)))

    def sync(self):
        self.synced = self.repository.head["id"]
        self.now += timedelta(seconds=10)

    def turn(self):
        self.mood = self.dice.choice(("good", "good", "good", "thin", "sign", "harm", "blind"))
        self.seen_at = self.now

    def pods(self):
        self.ready = not self.ready

    def publish(self):
        self.newest += 1

    def verb(self):
        said = self.dice.choice(
            (
                ("revert", "ranker", None),
                ("withdraw", "ranker", None),
                ("promote", "ranker", None),
                ("pause", "ranker", None),
                ("resume", "ranker", None),
                ("freeze", None, None, None),
                ("unfreeze", None, None),
                ("retry", "ranker", None, version(self.dice.randint(42, self.newest))),
                ("rollback", "ranker", None, version(self.dice.randint(42, self.newest))),
            )
        )
        with suppress(InvalidInput):
            self.by_people(lambda: self.says(*said))

    def says(self, *said):
        Person(self).says(*said)

    def comment(self):
        """A pause, or its end, by a command in a comment: a promoter's commit, made beside its passes."""
        _, repository = self.dice.choice(self.promoters)
        said = verbs.Verbs(repository, verbs.Word("Ada", "wrong labels in Norway", self.now))
        asked = self.dice.choice((said.lift_mark, lambda *which: said.pause_by_mark(*which, "https://forge/7#1")))
        with suppress(InvalidInput):
            self.by_people(lambda: verbs.carry_out(repository, lambda head: asked(head, "ranker", None)))
            self.happened["commented"] += 1

    @property
    def release(self):
        return observe.parse_release(self.repository.head["tree"][RANKER.release_path], RANKER.release_path)

    def edit(self):
        """By hand: another weight, no canary, back to an older version, or a file that does not parse."""
        with suppress(InvalidInput):
            release = self.release
            canary = release.canary
            kind = self.dice.randrange(4)
            if kind == 0 and canary is not None:
                release = replace(release, canary=replace(canary, weight=self.dice.choice((0, 5, 25))))
            elif kind == 1:
                release = replace(release, canary=None, stable=replace(release.stable, replicas=None))
            elif kind == 2 and release.stable.version > version(42):
                older = replace(release.stable, version=version(42), digest=digest(42), replicas=None)
                release = replace(release, stable=older, canary=None)
            elif kind == 3:
                self.by_people(lambda: self.repository.person({RANKER.release_path: BROKEN}))
                return
            self.write(release)
            return
        good = next(text for text in self.texts() if text != BROKEN)
        self.by_people(lambda: self.repository.person({RANKER.release_path: good}))

    def squash(self):
        """Several things in one commit, as a pull request brings them."""
        with suppress(InvalidInput):
            release = replace(self.release, canary=None)
            text = act.write_release(b"", release, RANKER.release_path)
            self.by_people(
                lambda: self.repository.person(
                    {RANKER.release_path: text, RANKER.policy_path: self.policy, "docs/a": "b"}
                )
            )

    def rebase(self):
        """A commit that a promoter made and did not push, merged by a forge's button.

        By "rebase" its author is the promoter, by "squash" the person: neither makes it the promoter's own.
        """
        if self.surveyed:
            draft = self.surveyed[0].draft
            author = self.dice.choice(("promoter", "Ada"))
            self.by_people(lambda: self.repository.merged(draft, author))

    def approve(self):
        """The mark that a merged pull request leaves, on a version or on the canary."""
        with suppress(InvalidInput):
            release = self.release
            if release.canary is not None:
                release = replace(release, canary=replace(release.canary, approved=True))
            elif release.rejection(version(self.newest)) is None:
                release = replace(release, approved=stored(self.newest))
            self.write(release, author=self.dice.choice(("promoter", "Ada")))

    def rule(self):
        """Another policy: windows, approvals, or neither."""
        text = self.policy + self.dice.choice(RULES)
        self.by_people(lambda: self.repository.person({RANKER.policy_path: text}))

    def git_revert(self):
        """Of the newest commit of a promoter's, and of one before it, where that applies."""
        ours = [entry for entry in self.repository.commits if entry["ours"]]
        if ours:
            self.by_people(lambda: self.repository.reverted(ours[-min(len(ours), self.dice.choice((1, 1, 2)))]))

    def write(self, release, author="Ada"):
        text = self.repository.head["tree"][RANKER.release_path]
        after = act.write_release(text.decode(), release, RANKER.release_path)
        if after.encode() != text:
            self.by_people(
                lambda: self.repository.person({RANKER.release_path: after}, author=author, committer="forge")
            )

    def texts(self):
        return [entry["tree"][RANKER.release_path] for entry in reversed(self.repository.commits)]

    def by_people(self, commit):
        """Whatever it changes: what it takes out of service is out, what it puts or offers again is not."""
        before = self.readable()
        commit()
        after = self.readable()
        gone = {pin.version for pin in before.pinned} - {pin.version for pin in after.pinned}
        offered = {entry.version for entry in before.rejected} - {entry.version for entry in after.rejected}
        marked = {after.start.version} if after.start else set()
        self.out |= {entry for entry in gone if entry in marked or entry > after.stable.version}
        # A mark that comes back by the same edit that takes its version away is a revert, and asks for nothing.
        wanted = marked - gone if after.start != before.start else set()
        self.out -= {pin.version for pin in after.pinned} | offered | wanted

    def readable(self):
        for text in self.texts():
            with suppress(InvalidInput):
                return observe.parse_release(text, RANKER.release_path)
        raise AssertionError

    # What a promoter does.

    def look(self):
        promoter, repository = self.dice.choice(self.promoters)
        head = repository.fetch()
        self.surveyed = self.surveyed[-1:]
        try:
            seen = promoter.read(RANKER, head)
        except InvalidInput:
            return
        seen = self.answered(seen)
        action = decide(seen, self.now)
        draft = act.draft(repository, [(seen, action)], head, self.now)
        if draft is not None:
            live = self.is_live(seen)
            self.surveyed.append(Surveyed(repository, seen, action, draft, self.mood, live, self.ready, self.now))

    def is_live(self, seen):
        return self.repository._find(self.synced)["tree"] == self.repository._find(seen.head)["tree"]

    def answered(self, seen):
        release, live = seen.release, self.is_live(seen)
        pods = {pin.version.number: 4 if self.ready else 1 for pin in release.pinned}
        route = {}
        if release.stable:
            weight = release.canary.weight if release.canary else 0
            route = {release.stable.version.number: 100 - weight}
            if release.canary:
                route[release.canary.version.number] = weight
        blind = self.mood == "blind"
        return replace(
            seen,
            listing=listed(self.newest),
            preflight=Waived(),
            application=shown(tuple(pods.items()), tuple(route.items()), self.synced),
            lineage=Lineage(contains=live, unchanged=live),
            measurements=None if blind else Measurements(0.0, self.now.timestamp()),
            calibration=None if blind else CALIBRATION,
            newest_sample=self.seen_at if blind else self.now,
        )

    def trial(self, seen, stable, canary):
        """The counts, as one number that the mood of this moment tells."""
        if seen.measurements is None:
            return Trial(seen, stable, canary)
        odds = {"good": 0.0, "thin": 0.0, "sign": 3.0, "harm": 9.0}[self.mood]
        bound = MARGIN / 2 if self.mood == "good" else 0.9
        counts = arm(1000, 400 if self.mood == "harm" else 0)
        evidence = Evidence(
            start=canary.since.timestamp(),
            end=self.now.timestamp(),
            intervals=10,
            log_odds=odds,
            log_e={"errors": odds},
            upper_bound=bound,
            canary=counts,
            stable=arm(1000),
            last_canary=counts,
            last_stable=arm(1000),
            first_request_at=canary.since.timestamp(),
            rate=100.0,
        )
        intervals = (interval(self.now.timestamp(), counts, arm(1000)),)
        return Trial(seen, stable, canary, CALIBRATION, intervals, evidence)

    def push(self):
        if not self.surveyed:
            return
        made = self.surveyed.pop(0)
        history = [entry["id"] for entry in self.repository.commits]
        moved = history[-1] != made.draft.parent
        try:
            act.publish(made.repository, made.draft)
        except HeadMoved:
            assert moved
            self.happened["lost"] += 1
            return
        assert not moved, "a push is compare-and-swap"
        assert [entry["id"] for entry in self.repository.commits[:-1]] == history, "no commit is ever taken away"
        self.happened[type(made.action).__name__] += 1
        self.happened["back"] += getattr(made.action, "back", False)
        self.check(made)

    # What must hold of every commit of the promoter's.

    def check(self, made):
        seen, draft, mood, live = made.seen, made.draft, made.mood, made.live
        before, after = seen.release, self.release
        assert set(draft.files) == {RANKER.release_path}, "it writes no other file"
        assert after != before, "one decision is one commit"
        assert after.paused == before.paused, "only people lift a pause"
        for pin in after.pinned:
            assert pin.digest == digest(pin.version.number), "a version is immutable"
        old, new = before.canary, after.canary
        starts = new is not None and (old is None or old.version != new.version)
        rises = new is not None and new.weight > (old.weight if old else 0)
        promoted = before.stable.version != after.stable.version
        back = getattr(made.action, "back", False)
        if starts or rises or promoted:
            assert live, "nothing rises before the last commit is live"
        if back:
            assert new.version == (before.start.version if starts else old.version)
            assert self.was_stable(new.version), "only what was stable goes back"
        elif starts or rises or promoted:
            assert mood != "blind", "silence never promotes"
            held = seen.paused or isinstance(seen.freezes, Unreadable) or seen.freezes
            assert not held, "nothing starts or rises while people say so"
        if (starts or rises) and not back:
            assert not seen.policy.windows, "nothing starts or rises outside the windows"
        if starts:
            self.check_start(seen, after, back=back)
        if rises:
            self.check_rise(seen, new, mood=mood, ready=made.ready)
        if promoted:
            assert (old.weight, after.stable.version) == (100, old.version)
            assert made.at - seen.weight_since >= timedelta(seconds=20), "the guard is over"
            # By design the entries at or below a version leave `rejected` when it is promoted.
            self.out = {entry for entry in self.out if entry > after.stable.version}
        elif old is not None:
            self.check_way_back(seen, after, mood=mood, live=live)

    def was_stable(self, wanted):
        for text in self.texts():
            with suppress(InvalidInput):
                stable = observe.parse_release(text, RANKER.release_path).stable
                if stable.version == wanted:
                    return True
        return False

    def check_start(self, seen, after, *, back):
        before, new = seen.release, after.canary
        assert new.weight == 0
        if new.version < before.stable.version:
            assert before.start.version == new.version, "only a person makes a canary of an older version"
            assert after.rejection(before.stable.version), "what a person leaves is not offered again"
        assert new.version not in self.out, "what people took out of service stays out"
        assert before.rejection(new.version) is None
        if seen.policy.approval.start is not Approval.NONE and not back:
            # Whoever asks for a version back agrees to it.
            agreed = {before.approved, before.start}
            assert stored(new.version.number) in agreed, "it starts when people agree"

    def check_rise(self, seen, new, *, mood, ready):
        before, old = seen.release, seen.release.canary
        forbidden = ("harm",) if old.promote is Promotion.BACK else ("sign", "harm")
        assert mood not in forbidden, "nothing rises on a sign of harm"
        assert ready or old.replicas == 1, "pods come before requests"
        assert before.rejection(new.version) is None
        if new.weight == 100:
            assert old.replicas >= (before.stable.replicas or 1), "the pods for all requests were there"
            if seen.policy.approval.promote is not Approval.NONE:
                assert old.approved or old.promote is not None, "it gets all requests when people agree"
        if mood != "good":
            assert old.weight == 0 or old.promote is not None, "nothing but proof, or a person's word, raises"

    def check_way_back(self, seen, after, *, mood, live):
        before = seen.release
        old, new = before.canary, after.canary
        if seen.withheld and old.weight > (new.weight if new else 0):
            # Decision 5: a way back goes first, and an edit that the same pass saw is not written down.
            self.out -= seen.withheld.versions
        if new is None:
            assert old.weight == 0, "taking a canary away is two commits"
            assert live, "the pods go once the route is live"
            return
        assert after.stable.replicas == before.stable.replicas, "stable keeps its capacity"
        if mood == "harm" and old.weight > 0:
            assert new.weight == 0, "a way back never waits"


def remembered(monkeypatch):
    """Files that were read or written before are remembered by their content."""
    known, write = lru_cache(2**17)(observe.parse_release), lru_cache(2**17)(act.write_release)

    def parse(content, path):
        return known(content.encode() if isinstance(content, str) else content, path)

    for module, name, memory in (
        (release_file, "parse_release", parse),
        (observe, "parse_release", parse),
        (past_releases, "parse_release", parse),
        (verbs, "parse_release", parse),
        (act, "write_release", write),
        (verbs, "write_release", write),
        (observe, "parse_policy", lru_cache(4096)(observe.parse_policy)),
        (verbs, "parse_policy", lru_cache(4096)(verbs.parse_policy)),
        (observe, "parse_freezes", lru_cache(4096)(observe.parse_freezes)),
        (verbs, "parse_freezes", lru_cache(4096)(verbs.parse_freezes)),
    ):
        monkeypatch.setattr(module, name, memory)


def played(races, monkeypatch, events=EVENTS):
    """How often each thing happened in `races`, each a seed with its race, all of which kept the rules."""
    happened = Counter()
    for seed, race in races:
        monkeypatch.setattr(Trial, "of", race.trial)
        try:
            race.play(events)
        except AssertionError as error:
            raise AssertionError(f"interleaving {seed}: {error}; so far: {', '.join(race.done)}") from error
        happened += race.happened
    return happened


@pytest.mark.parametrize("part", range(PARTS))
def test_whatever_people_commit_between_the_passes_of_two_promoters_the_rules_of_a_rollout_hold(part, monkeypatch):
    remembered(monkeypatch)
    # What a commit says is written for people, and no pass reads it.
    monkeypatch.setattr(act, "write_message", lambda decisions: type(decisions[0].action).__name__)
    monkeypatch.setattr(act, "outlook", lambda *_: "")
    seeds = range(part, INTERLEAVINGS, PARTS)
    happened = played(((seed, Race(seed)) for seed in seeds), monkeypatch)
    # A race in which nothing happens would keep every rule.
    decided = {"StartCanary", "SetWeight", "Promote", "Revert", "Withdraw", "Withhold", "back"}
    assert set(happened) == decided | {"lost", "commented"}
    assert min(happened.values()) >= 10, happened
