"""What happened from a moment on: commits, requests, and the cluster's history, held against what must hold."""

from __future__ import annotations

import time

from e2e_installation import PODS

from promoter.domain.version import ModelVersion

# What is asked for, below what is sent: a machine that is busy with other things may hold the client up.
LEAST_RATE = 50

# Versions, in the order in which they appear after 1 and 2.
GOOD, FAULTY = 3, 4


class Course:
    """What happened from here on, to whoever looks later."""

    def __init__(self, installation, history, client):
        self.installation, self.history, self.client = installation, history, client
        self.since, self.began = history.now(), time.time()
        self.commits_before = len(self.commits(skip=0))

    def commits(self, skip=None):
        path = self.installation.served.release_path
        return self.installation.checkout.commits(path)[self.commits_before if skip is None else skip :]

    def seconds(self):
        return self.client.seconds(self.began)

    def failed(self, *, but=None):
        """Requests that failed, by version and code; `but` is the code with which a faulty version answers."""
        return {
            (str(version), code): count
            for second in self.seconds()
            for version, codes in second.answered.items()
            for code, count in codes.items()
            if code not in ("OK", but)
        }

    def exposed(self, canary):
        """(moment, percent): from when on the canary got how much of the requests, each time that it changed."""
        service, last = f"{self.installation.served.model}-v{canary}", 0
        for moment in self.history.moments(self.since):
            percent = max((split.get(service, 0) for split in moment.weights.values()), default=0)
            if percent != last:
                yield moment.seen, percent
            last = percent

    def beyond_the_canarys_share(self, canary):
        """Requests that stable did not answer, less those that the canary was to answer; chance may make it 4 sigma.

        stable's are those that it was sent: what is lacking was answered by the canary, well or not, or by nobody. REST
        does not tell who answered, and what it answered well harmed nobody.
        """
        stable = ModelVersion(self.installation.release()["stable"]["version"])
        changes = list(self.exposed(canary))
        without, share = 0, 0.0
        for second in self.seconds():
            # A request counts when it is answered, 5 s after it was sent at the latest, and proxies follow in a moment.
            percents = [percent for at, percent in changes if second.time - 7 < at <= second.time]
            percents += [percent for at, percent in changes if at <= second.time - 7][-1:]
            answers = sum(sum(codes.values()) for codes in second.answered.values())
            without += answers - sum(second.answered.get(who, {}).get("OK", 0) for who in (stable, None))
            share += answers * max(percents, default=0) / 100
        return without - share - 4 * share**0.5

    def rate(self):
        seconds = self.seconds()
        return sum(second.sent for second in seconds) / (seconds[-1].time - seconds[0].time + 1)

    def shortfalls(self):
        return [sentence for moment in self.history.moments(self.since) for sentence in moment.shortfalls(PODS)]

    def settled(self):
        """Wait until the Application is well at the last commit, so that the next course begins at rest."""
        revision = self.commits(skip=0)[-1][0]

        def well():
            return [state for state in self.history.states() if state == (revision, "Synced", "Healthy")]

        self.installation.until(well, bool, 90, f"the Application is Synced and Healthy at {revision}")

    def unwell(self):
        """Commits after which the Application was never seen Synced and Healthy."""
        states = set(self.history.states(self.since))
        return [commit for commit in self.commits() if (commit[0], "Synced", "Healthy") not in states]

    def told(self, capsys, title):
        seconds = self.seconds()
        sent, moments = sum(second.sent for second in seconds), sum(1 for _ in self.history.moments(self.since))
        with capsys.disabled():
            print(  # noqa: T201 - the figures are what the test is for
                f"\n{title}: {len(self.commits())} commits, {sent} requests at {self.rate():.0f} a second in "
                f"{time.time() - self.began:.0f} s, failed: {self.failed() or 'none'}; capacity looked at after each "
                f"of {moments} writes to pods and routes"
            )
