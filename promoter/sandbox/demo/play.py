"""The play: drop a version, watch it to its end, drop the next. What it amounts to is `summary`'s part."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from promoter.domain.action import ACTION_NAMES, Reject
from promoter.domain.version import ModelVersion
from promoter.errors import Unavailable
from promoter.sandbox.demo.cast import Character, Outcome
from promoter.sandbox.demo.commits import CommitLog, RecordedCommit
from promoter.sandbox.demo.events import Event, EventLog
from promoter.sandbox.demo.record import Course, Record, during
from promoter.sandbox.demo.screen import Screen, clock
from promoter.sandbox.demo.splits import SplitWatch
from promoter.sandbox.demo.stage import Stage
from promoter.sandbox.demo.standing import Standing, standing
from promoter.sandbox.layout import SERVED
from promoter.sandbox.parts import PROMOTER, TRAFFIC, clean_environment

_LOOK_SECONDS = 0.5

# More than twice what a course takes on a machine that has other things to do.
_COURSE_PATIENCE = 240.0

# Half an upload is watched for so many passes of the promoter, which come once a second.
_PASSES_UNTOUCHED = 8.0

# After the last course: requests that are under way are answered, and pods that leave are gone.
_EPILOGUE_SECONDS = 4.0


@dataclass(frozen=True, slots=True)
class Ending:
    """How a course ended, and why."""

    outcome: Outcome
    reason: str


class Play:
    """One play on a stage that is set."""

    def __init__(self, stage: Stage, screen: Screen) -> None:
        self._stage = stage
        self._screen = screen
        self._commits = CommitLog(stage.layout.remote)
        self._events = EventLog(stage.layout.log(PROMOTER))
        self._shown = 0
        self._finished: tuple[Standing, ...] = ()

    def run(self, cast: Sequence[Character]) -> Record:
        """Every version to its end; one that does not reach it ends the play. Raises Unavailable."""
        with SplitWatch(self._stage.layout.envoy_admin_url) as watch:
            self._say_commits()
            courses: list[Course] = []
            for character in cast:
                courses.append(self._course(character))
                if courses[-1].outcome is Outcome.UNFINISHED:
                    break
            time.sleep(_EPILOGUE_SECONDS)
            self._stage.sandbox.stop(TRAFFIC)
            return Record(
                courses=tuple(courses),
                commits=self._commits.look(),
                events=self._events.look(),
                seconds=self._stage.traffic(),
                splits=watch.seen,
                peak_rss=self._stage.promoter_peak_rss(),
            )

    def _course(self, character: Character) -> Course:
        self._screen.say(f"\nVersion {character.version} is dropped into the store: {character.title}.")
        before = self._commits.look()
        dropped_at = time.time()
        self._stage.drop(character)
        while (ending := self._ending(character, before, dropped_at)) is None:
            self._look(character, dropped_at)
            time.sleep(_LOOK_SECONDS)
        last = self._look(character, dropped_at)
        done = replace(last, outcome=ending.outcome, weight=None, says=ending.reason)
        self._finished = (*self._finished, done)
        self._screen.say(f"{clock(last.seconds):>6}  Version {character.version} is {ending.outcome}: {ending.reason}")
        return Course(character, dropped_at, time.time(), ending.outcome, ending.reason)

    def _ending(self, character: Character, before: tuple[RecordedCommit, ...], dropped_at: float) -> Ending | None:
        """How the course has ended, None while it goes on."""
        commits, age = self._commits.look(), time.time() - dropped_at
        if character.half and commits == before:
            return self._untouched(character.version) if age > _PASSES_UNTOUCHED else None
        release = commits[-1].release
        if release.canary is None and commits != before:
            rejection = release.rejection(character.version)
            if rejection is not None:
                refused = commits[-1].action == ACTION_NAMES[Reject]
                return Ending(Outcome.REFUSED if refused else Outcome.REVERTED, rejection.reason)
            if release.stable is not None and release.stable.version == character.version:
                return Ending(Outcome.PROMOTED, self._proof(character.version))
        if age > _COURSE_PATIENCE:
            return Ending(Outcome.UNFINISHED, f"no end after {age:.0f} s; the promoter says: {self._last_word()}")
        return None

    def _untouched(self, version: ModelVersion) -> Ending:
        """Nothing happened; `promoter status` has to say why."""
        reason = incomplete(self._status(), version)
        if reason is None:
            return Ending(Outcome.UNFINISHED, "nothing happened, and `promoter status` does not say why")
        return Ending(Outcome.NOT_A_VERSION, reason)

    def _status(self) -> str:
        """The answer of `promoter status --json`, on a clone of its own: the running promoter is not disturbed."""
        layout = self._stage.layout
        environment = {**self._stage.sandbox.environment(), "PROMOTER_CLONE": str(layout.run / "status.git")}
        answered = subprocess.run(
            [sys.executable, "-m", "promoter", "status", "--json"],
            env={**clean_environment(), **environment},
            cwd=layout.directory,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if answered.returncode != 0:
            raise Unavailable(f"`promoter status` failed: {answered.stderr.strip()}")
        return answered.stdout

    def _proof(self, version: ModelVersion) -> str:
        """Why all requests were given to a version: the reason of its last step up."""
        steps = [
            event.reason
            for event in self._events.look()
            if event.name == "rollout.set-weight" and event.canary == version
        ]
        return steps[-1] if steps else self._last_word()

    def _last_word(self) -> str:
        spoken = [event.reason for event in self._events.look() if event.is_about_rollout]
        return spoken[-1] if spoken else "nothing"

    def _look(self, character: Character, dropped_at: float) -> Standing:
        """Show where the version stands. Raises Unavailable where a part of the sandbox has died."""
        self._stage.check()
        now = time.time()
        current = standing(
            character,
            _since(self._events.look(), dropped_at),
            self._commits.look()[-1],
            during(self._stage.traffic(), dropped_at, now),
            now - dropped_at,
        )
        self._say_commits()
        self._screen.show((*self._finished, current))
        return current

    def _say_commits(self) -> None:
        commits = self._commits.look()
        for commit in commits[self._shown :]:
            self._screen.say(f"        {commit.revision[:7]}  {commit.subject}")
        self._shown = len(commits)


def incomplete(status: str, version: ModelVersion) -> str | None:
    """Why `version` is no version yet, by an answer of `promoter status --json`; None where it does not say."""
    for model in json.loads(status)["models"]:
        if (model["environment"], model["model"]) == (SERVED.environment, SERVED.model):
            reason = model.get("incomplete", {}).get(str(version))
            return None if reason is None else str(reason)
    return None


def _since(events: Sequence[Event], moment: float) -> tuple[Event, ...]:
    return tuple(event for event in events if event.at >= moment)
