"""Watching rollouts in a sandbox: what Git says, what became of the requests, and waiting for either."""

import time

from promoter.cli.wiring import explainer
from promoter.domain.version import ModelVersion
from promoter.sandbox.demo.cast import characters
from promoter.sandbox.demo.commits import CommitLog, by_version
from promoter.sandbox.demo.events import EventLog
from promoter.sandbox.parts import PROMOTER
from promoter.settings import settings

# Seconds. It is no claim: a machine that is busy with other things needs many times what a quiet one does.
PATIENCE = 400


class Watch:
    def __init__(self, stage):
        self.stage = stage
        self.sandbox = stage.sandbox
        self.layout = stage.layout
        self.began = time.time()
        self._commits = CommitLog(self.layout.remote)
        self._events = EventLog(self.layout.log(PROMOTER))

    def drop(self, number):
        """Put a version into the store."""
        self.stage.drop(next(entry for entry in characters(every=True) if entry.version.number == number))

    @property
    def release(self):
        """What release.yaml says at the remote's head."""
        return self._commits.look()[-1].release

    @property
    def weight(self):
        """The canary's, None where there is no canary."""
        return None if self.release.canary is None else self.release.canary.weight

    def said(self, number):
        """What the commits of a version's course said, in order."""
        return [commit.what for commit in by_version(self._commits.look()).get(ModelVersion(number), ())]

    @property
    def revisions(self):
        return [commit.revision for commit in self._commits.look()]

    def events(self, name):
        """The promoter's log lines of this name."""
        return [event for event in self._events.look() if event.name == name]

    def explained(self):
        """Every decision so far, computed again on a clone of its own."""
        clone = {"PROMOTER_CLONE": str(self.layout.run / "explain.git")}
        git, explaining = explainer(settings({**self.sandbox.environment(), **clone}))
        return explaining.explain_all(git.fetch(), 1000)

    @property
    def seconds(self):
        """The traffic so far."""
        return self.stage.traffic()

    def until(self, holds, what):
        """Wait until `holds()`; fails in the end, with what the promoter says."""
        deadline = time.monotonic() + PATIENCE
        while not holds():
            if time.monotonic() > deadline:
                spoken = [event for event in self._events.look() if event.is_about_rollout]
                raise AssertionError(f"{what}: not within {PATIENCE} s; the promoter says: {spoken[-1:]}")
            time.sleep(0.2)

    def until_promoted(self, number):
        version = ModelVersion(number)
        self.until(
            lambda: self.release.canary is None and self.release.stable.version == version,
            f"version {number} is promoted",
        )

    def until_reverted(self, number):
        version = ModelVersion(number)
        self.until(
            lambda: self.release.canary is None and self.release.rejection(version) is not None,
            f"version {number} is reverted",
        )
