"""People are told once, whoever restarts, and no target is ever in the way."""

import json
import subprocess
import time
from datetime import timedelta

import pytest
from fakes import POLICY, Behaviour, World
from scripted_server import as_json, scripted_server, silent, status

from promoter.adapters.apprise_messenger import AppriseMessenger
from promoter.adapters.git import GitJournal, GitSettings
from promoter.control.approvals import Approvals
from promoter.control.loop import Loop
from promoter.control.notifier import Notifier
from promoter.domain.names import ServedModel
from promoter.domain.notice import Happening, Notice, Route, Routes, Severity


@pytest.fixture
def server():
    with scripted_server() as made:
        made.answers[""] = as_json({})
        yield made


@pytest.fixture
def remote(tmp_path):
    subprocess.run(["git", "init", "--quiet", "--bare", "-b", "main", tmp_path / "remote.git"], check=True)
    return tmp_path / "remote.git"


class Promoter:
    """One process: a world's loop, and whoever tells people of it."""

    def __init__(self, world, remote, server, folder, *, routes=None, held_after=timedelta(hours=1)):
        address = folder / "address"
        address.write_text(server.url.replace("http://", "json://") + "/hook?cto=0.5&rto=0.5\n")
        settings = GitSettings(f"file://{remote}", "main", folder / "clone.git", "promoter", "promoter@localhost")
        routes = routes or (Route("chat", str(address)),)
        asking = Approvals(world.repository, world.forge)
        self.notifier = Notifier(
            world.repository,
            GitJournal(settings, folder / "notified.git"),
            AppriseMessenger(),
            Routes(routes, held_after),
            address_of=asking.address_of,
            pauses=(0.05, 0.05),
            record_pause=0.05,
        )
        self.thread = self.notifier.start()
        told = (asking, self.notifier)
        world.loop = Loop(world.reconciler, timedelta(seconds=5), clock=lambda: world.now, audiences=told)
        world.loop.one_pass()
        eventually(self.notifier._is_read.is_set)

    def end(self):
        self.notifier.stop()
        self.thread.join(10)
        assert not self.thread.is_alive()


@pytest.fixture
def promoter(remote, server, tmp_path):
    made = []

    def make(world, name="one", **rest):
        (tmp_path / name).mkdir(exist_ok=True)
        made.append(Promoter(world, remote, server, tmp_path / name, **rest))
        return made[-1]

    yield make
    for one in made:
        one.end()


def eventually(holds, seconds=10):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def titles(server):
    return [json.loads(request.body)["title"] for request in server.requests]


def reverting():
    world = World(versions=[42, 43])
    world.behaviour[43] = Behaviour(bad=0.1)
    return world


def until_it_is_over(world):
    assert world.run(600, until=lambda: bool(world.release.rejected) and world.release.canary is None)


STORY = [
    "production/ranker: the rollout of version 43 begins",
    "production/ranker: version 43 is reverted",
]


def test_a_start_and_a_revert_are_told_with_the_evidence_in_two_sentences(promoter, server):
    world = reverting()
    promoter(world)
    until_it_is_over(world)
    eventually(lambda: len(server.requests) >= 2)
    assert titles(server) == STORY
    said = json.loads(server.requests[1].body)
    assert said["type"] == "failure"
    assert said["message"].startswith("9.7 % of requests failed against 0 % on stable. Of 31 requests to 43, 3 failed")
    assert "The odds against 43 were 152 to 1" in said["message"]


def test_a_restart_in_between_tells_what_was_not_told_and_nothing_twice(promoter, server):
    world = reverting()
    first = promoter(world)
    assert world.run(60, until=lambda: world.weight > 0)
    eventually(lambda: len(server.requests) == 1)
    first.end()
    # Nobody tells anything while it goes on.
    until_it_is_over(world)
    assert len(server.requests) == 1
    promoter(world, "two")
    world.loop.one_pass()
    eventually(lambda: len(server.requests) == 2)
    world.loop.one_pass()
    promoter(world, "three")
    world.loop.one_pass()
    time.sleep(0.3)
    assert titles(server) == STORY


def test_two_promoters_tell_it_once(promoter, server):
    world = reverting()
    both = [promoter(world, name).notifier for name in ("one", "two")]
    world.loop = Loop(world.reconciler, timedelta(seconds=5), clock=lambda: world.now, audiences=both)
    until_it_is_over(world)
    eventually(lambda: len(server.requests) >= 2)
    time.sleep(0.3)
    assert sorted(titles(server)) == sorted(STORY)


def test_a_target_that_fails_is_tried_again_and_given_up_and_the_next_message_is_tried(promoter, server):
    server.answers[""] = status(500)
    world = reverting()
    promoter(world)
    until_it_is_over(world)
    eventually(lambda: len(server.requests) == 6)
    assert titles(server) == [STORY[0]] * 3 + [STORY[1]] * 3


def test_a_target_that_hangs_delays_no_pass(promoter, server):
    server.answers[""] = silent()
    world = reverting()
    promoter(world)
    began = time.monotonic()
    until_it_is_over(world)
    assert world.release.rejected
    assert time.monotonic() - began < 3
    eventually(lambda: len(server.requests) >= 1)


def test_git_that_is_away_delays_messages_and_no_pass(promoter, server, remote):
    world = reverting()
    promoter(world)
    away = remote.with_name("away.git")
    remote.rename(away)
    until_it_is_over(world)
    time.sleep(0.2)
    assert server.requests == []
    away.rename(remote)
    eventually(lambda: len(server.requests) == 2)
    assert titles(server) == STORY


def test_a_rollout_that_stands_still_is_told_once(promoter, server):
    world = World(versions=[42, 43])
    promoter(world, held_after=timedelta(minutes=2))
    assert world.run(120, until=lambda: world.weight > 0)
    world.repository.person({"environments/production/ranker/policy.yaml": world.repository.head["tree"][
        "environments/production/ranker/policy.yaml"] + b"paused: true\n"}, "Pause")  # fmt: skip
    world.run(300)
    eventually(lambda: len(server.requests) >= 2)
    time.sleep(0.2)
    held = [title for title in titles(server) if "stood still" in title]
    assert held == ["production/ranker: the rollout of version 43 has stood still for 2m"]


def test_a_question_is_told_once_with_its_pull_request_and_another_question_again(promoter, server):
    world = World(policy=POLICY + "approval: {start: pull-request}\n", versions=[42, 43])
    first = promoter(world)
    world.run(60)
    eventually(lambda: len(server.requests) == 1)
    first.end()
    promoter(world, "two")
    world.run(60)
    time.sleep(0.2)
    assert titles(server) == ["production/ranker: version 43 waits for approval to start"]
    said = json.loads(server.requests[0].body)
    assert "Merge https://forge.example/shop/models/pulls/1 to agree" in said["message"]
    assert said["type"] == "warning"
    world.store.versions.append(44)
    world.run(120)
    eventually(lambda: len(server.requests) == 2)
    assert titles(server)[1] == "production/ranker: version 44 waits for approval to start"


def test_a_question_is_told_without_an_address_where_the_forge_is_away(promoter, server):
    world = World(policy=POLICY + "approval: {start: pull-request}\n", versions=[42, 43])
    world.forge.down = "the forge is away"
    promoter(world)
    world.run(60)
    time.sleep(0.2)
    assert server.requests == []
    world.run(60)
    eventually(lambda: len(server.requests) == 1)
    assert json.loads(server.requests[0].body)["message"].endswith("docs/forges.md says how to agree.")


def test_a_route_takes_its_environments_and_what_is_bad_enough():
    def notice(happening, environment="production"):
        return Notice("k", ServedModel(environment, "ranker"), happening, "t", "x")

    route = Route("on-call", "file", frozenset({"production"}), Severity.WARNING)
    assert route.takes(notice(Happening.REVERTED))
    assert route.takes(notice(Happening.HELD))
    assert not route.takes(notice(Happening.PROMOTED))
    assert not route.takes(notice(Happening.REVERTED, "staging"))
    assert Route("all", "file").takes(notice(Happening.STARTED, "staging"))
