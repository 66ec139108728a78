"""A repository with a model's past: real Git, real messages, and times that are stated."""

import os
import subprocess
from datetime import timedelta

from builders import NOON, RANKER, canary, digest, release, stable, version

from promoter.documents.commit_message import Decision, write_message
from promoter.documents.release_file import write_release
from promoter.domain.action import Promote, Reject, Revert, SetWeight, StartCanary
from promoter.domain.evidence import ArmCounts, Evidence
from promoter.domain.preflight import Check, CheckName, Outcome, Preflight, VerifiedVersion
from promoter.domain.release import Rejection, Release

PROMOTER = ("promoter", "promoter@localhost")
ADA = ("Ada", "ada@example.com")

FAILED = "3.1 % of requests failed against 0.1 % on stable"


def evidence(requests=1000, bad=1, log_odds=-1.0, upper=0.002, minutes=10):
    end = NOON.timestamp() + 60 * minutes
    counts = ArmCounts(requests, bad, bad, ()), ArmCounts(20 * requests, 20, 20, ())
    return Evidence(
        start=NOON.timestamp(),
        end=end,
        intervals=4 * minutes,
        canary=counts[0],
        stable=counts[1],
        last_canary=counts[0],
        last_stable=counts[1],
        log_e={"errors": log_odds},
        log_odds=log_odds,
        upper_bound=upper,
        bounds_us=(),
        rate=40.0,
    )


class Past:
    """Commits one after the other, a minute apart where nothing else is said."""

    def __init__(self, folder, served=RANKER):
        self.folder, self.served, self.now = folder, served, NOON
        self.release = Release()
        folder.mkdir(parents=True)
        self._git("init", "--quiet", "--initial-branch", "main")
        self.person("Serve the ranker", {self.served.release_path: write_release("", Release(), "release.yaml")})

    @property
    def url(self):
        return f"file://{self.folder}/.git"

    def settings(self, tmp_path):
        return {"PROMOTER_REPOSITORY": self.url, "PROMOTER_CLONE": str(tmp_path / "clone.git"), "COLUMNS": "100"}

    def decide(self, action, after, minutes=1):
        """A commit of the promoter's, as it writes them; its revision."""
        message = write_message([Decision(self.served, action, self.release, after)])
        return self._release(after, message, PROMOTER, minutes)

    def places(self, after, message, minutes=1, who=ADA):
        """A person's commit of a release; its revision."""
        return self._release(after, message, who, minutes)

    def person(self, message, files, minutes=1, who=ADA):
        """A person's commit of any files; its revision."""
        self.now += timedelta(minutes=minutes)
        for path, content in files.items():
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path).write_text(content)
        self._git("add", "--all")
        self._git("commit", "--quiet", "--allow-empty", "-m", message, who=who)
        return self._git("rev-parse", "HEAD").strip()

    def _release(self, after, message, who, minutes):
        self.release = after
        text = write_release("", after, "release.yaml")
        return self.person(message, {self.served.release_path: text}, minutes, who)

    def _git(self, *arguments, who=ADA):
        name, address = who
        moment = f"{self.now.timestamp():.0f} +0000"
        made = {"GIT_AUTHOR_DATE": moment, "GIT_COMMITTER_DATE": moment}
        identity = ("-c", f"user.name={name}", "-c", f"user.email={address}", "-c", "commit.gpgsign=false")
        command = ["git", "-C", str(self.folder), *identity, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ | made).stdout

    # The courses of which the tests are made.

    def first(self, number=42):
        self.decide(Promote(version(number), digest(number), "it is the first"), release(stable(number)))

    def starts(self, number=43):
        base = self.release.stable
        begun = canary(number, weight=0, since=self.now)
        action = StartCanary(version(number), digest(number), 1, 1, "43 passed its preflight")
        return self.decide(action, Release(base, begun, self.release.rejected))

    def rises(self, weight, number=43, minutes=5, **figures):
        risen = canary(number, weight=weight, since=self.now)
        action = SetWeight(version(number), weight, 2, "no sign of harm", evidence(**figures))
        return self.decide(action, Release(self.release.stable, risen, self.release.rejected), minutes)

    def promotes(self, number=43, minutes=10, **figures):
        action = Promote(version(number), digest(number), "the excess is below the margin", evidence(**figures))
        return self.decide(action, release(stable(number)), minutes)

    def reverts(self, number=43, minutes=2, **figures):
        rejected = (*self.release.rejected, Rejection(version(number), FAILED))
        gone = canary(number, weight=0, since=self.now)
        figures = {"requests": 400, "bad": 12, "log_odds": 5.3, "upper": 0.04} | figures
        action = Revert(version(number), FAILED, evidence(**figures))
        return self.decide(action, Release(self.release.stable, gone, rejected), minutes)

    def removes(self, number=43):
        action = Revert(version(number), "the route is live")
        return self.decide(action, Release(self.release.stable, None, self.release.rejected))

    def refuses(self, number=43):
        found = Check(CheckName.LOAD, Outcome.FAIL, "it does not load")
        preflight = Preflight(VerifiedVersion(f"file:///m/{number}", str(digest(number))), None, "2.20", (found,))
        rejected = (*self.release.rejected, Rejection(version(number), "it does not load"))
        action = Reject(version(number), "it does not load", preflight)
        return self.decide(action, Release(self.release.stable, None, rejected))
