"""Two promoters on one repository, for an hour of the world's clock."""

from __future__ import annotations

from contextlib import suppress

from builders import RANKER, version
from fakes import World

from promoter.control.observe import Observer
from promoter.control.reconcile import Reconciler
from promoter.documents.release_file import parse_release
from promoter.errors import HeadMoved


def test_two_promoters_never_make_two_commits_for_one_decision_in_an_hour():
    world = World(versions=[42, 43])
    world.behaviour[44].bad = 1.0
    pair = [
        Reconciler(world.ports, Observer(world.ports, world.traits, world.traits.scrape_interval)) for _ in range(2)
    ]
    lost = 0
    for second in range(0, 3600, 5):
        if second in (900, 1800, 2700):
            world.store.versions.append(43 + second // 900)
        # Both look before either pushes, and they take turns in being first.
        surveys = [promoter.survey(world.now) for promoter in pair]
        order = (0, 1) if second % 10 else (1, 0)
        for index in order:
            if surveys[index].draft is not None and surveys[index].draft.parent != world.repository.head["id"]:
                lost += 1
            with suppress(HeadMoved):
                pair[index].act(surveys[index])
        world.advance(5)
    releases = [parse_release(entry["tree"][RANKER.release_path], "release.yaml") for entry in world.repository.commits]
    assert len(set(releases)) == len(releases), "no state is reached twice"
    starts = [subject for subject in world.subjects() if "starts" in subject]
    assert len(starts) == len(set(starts)) == 4
    assert lost >= len(world.subjects()) - 1
    assert world.release.stable.version == version(46)
    assert sum("44 reverted" in subject for subject in world.subjects()) == 1
