"""The same races, and an hour of two promoters, on real Git: a bare remote, and the product's adapter on every side."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import pytest
from builders import NOON, RANKER, version
from click.testing import CliRunner
from fakes import World
from real_remote import RealRemote
from test_races import Race, played

from promoter.cli import main
from promoter.control.observe import Observer, Ports
from promoter.control.reconcile import Reconciler
from promoter.control.verbs import Verbs, Word, carry_out
from promoter.documents.release_file import parse_release
from promoter.errors import HeadMoved

INTERLEAVINGS = 200
PARTS = 2
EVENTS = 25


class RaceOnGit(Race):
    def __init__(self, seed, folder):
        self.folder = folder
        folder.mkdir()
        super().__init__(seed)
        self.ada = self.repository.clone("ada", person="Ada")

    def begun(self):
        remote = RealRemote(self.folder, self)
        return remote, (remote.clone("one"), remote.clone("other"))

    def says(self, verb, *said):
        verbs = Verbs(self.ada, Word("Ada", "wrong labels in Norway", self.now))
        carry_out(self.ada, lambda head: getattr(verbs, verb)(head, *said))


@pytest.mark.parametrize("part", range(PARTS))
def test_the_rules_of_a_rollout_hold_in_races_on_real_git(part, monkeypatch, tmp_path):
    seeds = range(part, INTERLEAVINGS, PARTS)
    happened = played(((seed, RaceOnGit(seed, tmp_path / str(seed))) for seed in seeds), monkeypatch, EVENTS)
    # A race in which nothing happens would keep every rule. What is rarer is left to the races in memory.
    assert min(happened[name] for name in ("StartCanary", "SetWeight", "Revert", "Withhold", "lost")) > 0, happened


class _Clock:
    now = NOON


def on_git(folder, **changes):
    """A world whose repository is real, and two promoters with clones of their own."""
    remote = RealRemote(folder, _Clock())
    world = World(repository=remote, **changes)
    remote.clock = world
    pair = []
    for name in ("one", "other"):
        ports = Ports(remote.clone(name), world.store, world.metrics, world.cluster, None)
        pair.append(Reconciler(ports, Observer(ports, world.traits, timedelta(seconds=5))))
    return world, pair


def test_two_promoters_on_one_remote_never_make_two_commits_for_one_decision_in_an_hour(tmp_path):
    world, pair = on_git(tmp_path, versions=[42, 43])
    world.behaviour[44].bad = 1.0
    lost = 0
    for second in range(0, 3600, 10):
        if second in (900, 1800, 2700):
            world.store.versions.append(43 + second // 900)
        # Both look before either pushes, and they take turns in being first.
        surveys = [promoter.survey(world.now) for promoter in pair]
        for index in (0, 1) if second % 20 else (1, 0):
            draft = surveys[index].draft
            lost += draft is not None and draft.parent != world.repository.head["id"]
            with suppress(HeadMoved):
                pair[index].act(surveys[index])
        world.advance(10)
    releases = [parse_release(entry["tree"][RANKER.release_path], "release.yaml") for entry in world.repository.commits]
    assert len(set(releases)) == len(releases), "no state is reached twice"
    starts = [subject for subject in world.subjects() if "starts" in subject]
    assert len(starts) == len(set(starts)) == 4
    assert lost >= len(world.subjects()) - 1
    assert world.release.stable.version == version(46)
    assert sum("44 reverted" in subject for subject in world.subjects()) == 1


def test_after_freeze_is_typed_the_next_pass_raises_nothing_even_one_that_had_decided_to(tmp_path):
    world, (promoter, _) = on_git(tmp_path, versions=[42, 43])
    typed = {
        "PROMOTER_REPOSITORY": f"file://{world.repository.git.path}",
        "PROMOTER_CLONE": str(tmp_path / "person.git"),
    }

    def due():
        """The next commit that raises, decided and not yet pushed."""
        for _ in range(60):
            survey = promoter.survey(world.now)
            if survey.draft is not None and type(survey.verdicts[0].action).__name__ == "SetWeight":
                return survey
            promoter.act(survey)
            world.advance(5)
        raise AssertionError("no raise came")

    decided, weight = due(), world.weight
    words = ["freeze", "--all", "--reason", "the night of the sale", "--author", "Ada <ada@example.com>"]
    said = CliRunner().invoke(main, words, env=typed)
    assert said.exit_code == 0, said.output
    with pytest.raises(HeadMoved):
        promoter.act(decided)
    survey = promoter.survey(world.now)
    assert survey.draft is None
    assert "everything is frozen by Ada: the night of the sale" in survey.verdicts[0].action.reason
    world.advance(600)
    assert promoter.survey(world.now).draft is None
    assert world.weight == weight
