"""A small world with a stated clock: a repository, a store, a cluster and its metrics, and their faults.

One model, `production/ranker`. Traffic is even and failures are exact fractions, so a scenario plays the same way
every time. Each fake keeps its port's promises; the adapters' own tests hold the real parts to the same ones.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from builders import NOON, RANKER, digest, stored, version

from promoter.control.approvals import Approvals
from promoter.control.arrivals import Arrivals
from promoter.control.comments import Comments
from promoter.control.loop import Loop
from promoter.control.observe import Observer, Ports
from promoter.control.pull_request_steps import ByPullRequest
from promoter.control.reconcile import Reconciler
from promoter.control.statuses import Statuses
from promoter.decisions.steps import COMMANDS, PASSES
from promoter.documents.release_file import parse_release
from promoter.domain.application import Application, Deployment, Health, Operation, OperationPhase, Pod, SyncStatus
from promoter.domain.measurements import LatencyProfile, LatencySeries, Measurements, RequestSeries, TargetSeries
from promoter.domain.names import ServedModel
from promoter.domain.observation import ClusterTraits
from promoter.domain.pull_request import Checks, PullRequest, PullRequestState, Said, Speaker
from promoter.domain.repository import Change, Commit, Inventory
from promoter.domain.sync_windows import SyncWindows
from promoter.domain.version import IncompleteVersion, Listing, StoredVersion, Sweep
from promoter.errors import (
    ClusterUnavailable,
    ForgeUnavailable,
    HeadMoved,
    InvalidDocument,
    InvalidName,
    MetricsUnavailable,
    PushRefused,
    RepositoryUnavailable,
    StoreUnavailable,
)

POLICY = """\
candidates: {store: "file:///models/ranker"}
evidence: {margin: 0.02, interval: 5s}
ramp: {budget: 20}
soak: 1m
guard: 30s
max_blind: 60s
"""

BOUNDS = (6426.84, 11568.3, 20823.0)


@dataclass
class FakeRepository:
    """Commits in a list; the tree is a dictionary of paths."""

    clock: object
    commits: list = field(default_factory=list)
    unreachable: bool = False
    refusal: str | None = None
    before_push: list = field(default_factory=list)
    lose_answer: bool = False
    pushes: int = 0
    offered: dict = field(default_factory=dict)
    made: dict = field(default_factory=dict)
    _known: str | None = None

    def offer(self, branch, parent, files, message, at):
        """A branch with one commit: what its files are, on what, and how often it was pushed."""
        entry = self._entry(self._find(parent), files, message, "promoter", at)
        pushes = self.offered[branch]["pushes"] + 1 if branch in self.offered else 1
        self.offered[branch] = {"parent": parent, "files": files, "message": message, "pushes": pushes}
        self.offered[branch]["id"] = entry["id"]
        self.made[entry["id"]] = entry
        return entry["id"]

    def fast_forward(self, revision):
        """What a forge makes of a merge without a commit: the branch is at one that was offered."""
        self.commits.append(self.made[revision])

    def commit(self, files, message, author, *, at=None, parent=None, committer=None):
        base = self.commits[-1] if parent is None and self.commits else parent
        self.commits.append(self._entry(base, files, message, author, at, committer))
        return self.commits[-1]["id"]

    def _entry(self, base, files, message, author, at=None, committer=None):
        tree = dict(base["tree"]) if base else {}
        for path, content in files.items():
            if content is None:
                tree.pop(path, None)
            else:
                tree[path] = content if isinstance(content, bytes) else content.encode()
        at = at or self.clock.now
        parent_id = base["id"] if base else None
        seed = repr((parent_id, sorted(tree.items()), message, at, author))
        made = {"id": hashlib.sha1(seed.encode()).hexdigest(), "parent": parent_id, "tree": tree, "message": message}
        return made | {"at": at, "author": author, "ours": (committer or author) == "promoter"}

    def person(self, files, message="A person's commit", author="Ada", committer=None):
        return self.commit(files, message, author, committer=committer)

    def merged(self, draft, author):
        """What a forge's button makes of a promoter's commit, where nobody changed its files meanwhile."""
        before = self._find(draft.parent)["tree"]
        if all(before.get(path) == self.head["tree"].get(path) for path in draft.files):
            self.person(draft.files, draft.message, author=author, committer="forge")

    def reverted(self, entry):
        """What a person's `git revert` of a commit makes, where it applies cleanly."""
        before, tree = self._find(entry["parent"])["tree"], entry["tree"]
        changed = [path for path in tree if before.get(path) != tree[path]]
        if all(self.head["tree"].get(path) == tree[path] for path in changed):
            self.person({path: before.get(path) for path in changed}, "Revert")

    def rewind(self, count):
        del self.commits[-count:]

    @property
    def head(self):
        return self.commits[-1]

    def _find(self, revision):
        return self.made.get(revision) or next(entry for entry in self.commits if entry["id"] == revision)

    def fetch(self):
        if self.unreachable:
            raise RepositoryUnavailable("the Git remote does not answer")
        self._known = self.head["id"]
        return self._known

    def last_known_head(self):
        return self._known

    def inventory(self, revision):
        paths = self._find(revision)["tree"]
        folders = sorted(path.rsplit("/", 1)[0] for path in paths if path.endswith("/release.yaml"))
        return Inventory(tuple(ServedModel.from_folder(folder) for folder in folders))

    def read(self, revision, path):
        return self._find(revision)["tree"].get(path)

    def object_id(self, revision, path):
        tree = self._find(revision)["tree"]
        below = sorted((name, content) for name, content in tree.items() if name.startswith(path))
        return hashlib.sha1(repr(below).encode()).hexdigest()

    def contains(self, descendant, ancestor):
        ids = [entry["id"] for entry in self.commits]
        if descendant == ancestor:
            return descendant in ids or descendant in self.made
        return descendant in ids and ancestor in ids and ids.index(ancestor) <= ids.index(descendant)

    def last_change(self, revision, path):
        ids = [entry["id"] for entry in self.commits]
        for index in range(ids.index(revision), -1, -1):
            here = self.commits[index]
            before = self.commits[index - 1] if index else None
            if before is None or before["tree"].get(path) != here["tree"].get(path):
                earlier = before["id"] if before and path in before["tree"] else None
                return Change(here["id"], here["at"], here["author"], here["ours"], earlier)
        raise AssertionError(path)

    def own_commits_since(self, revision, moment):
        return sum(entry["ours"] and entry["at"] > moment for entry in self.commits)

    def log(self, revision, folder=None, limit=50):
        if revision in self.made and self._find(revision) not in self.commits:
            return (self._as_commit(self._find(revision)),)[:limit]
        return tuple(self._as_commit(entry) for entry in reversed(self.commits))[:limit]

    def resolve(self, head, text):
        name, _, back = text.partition("~")
        ids = [entry["id"] for entry in self.commits]
        try:
            named = head if name == "HEAD" else next(one for one in ids if one.startswith(name))
            return self._as_commit(self.commits[: ids.index(named) + 1][-1 - int(back or 0)])
        except (IndexError, StopIteration) as error:
            raise InvalidName(f"{text!r} does not exist") from error

    def _as_commit(self, entry):
        return Commit(entry["id"], entry["at"], entry["author"], entry["message"], entry["ours"], entry["parent"])

    def publish(self, parent, files, message, at):
        for interfere in self.before_push:
            interfere()
        self.before_push = []
        if self.unreachable:
            raise RepositoryUnavailable("the Git remote does not answer")
        if self.head["id"] != parent:
            raise HeadMoved("the head moved between reading and pushing")
        if self.refusal:
            raise PushRefused(self.refusal)
        self.pushes += 1
        revision = self.commit(files, message, "promoter", at=at)
        if self.lose_answer:
            self.lose_answer = False
            raise RepositoryUnavailable("the answer to the push was lost")
        return revision


@dataclass
class FakeStore:
    versions: list = field(default_factory=list)
    incomplete: tuple = ()
    broken: str | None = None
    calls: int = 0
    checks: int = 0
    overwritten: dict = field(default_factory=dict)

    def listing(self, address, wanted):
        self.calls += 1
        if self.broken:
            raise StoreUnavailable(self.broken)
        return Listing(tuple(stored(number) for number in sorted(self.versions)), self.incomplete)

    def sweep(self, addresses):
        return Sweep({}, 0)

    def version(self, address, version, complete):
        self.checks += 1
        if self.broken:
            raise StoreUnavailable(self.broken)
        if version.number not in self.versions:
            return IncompleteVersion(str(version), "it is not there")
        return StoredVersion(version, self.overwritten.get(version.number, stored(version.number).digest))


@dataclass
class Behaviour:
    """How a version's pods behave. Shares are of its own requests; `from_second` counts from its first request."""

    bad: float = 0.0
    status: str = "INTERNAL"
    slow: float = 0.0
    starts_after: float = 4.0
    health: Health | None = None
    pod_reason: str = "ContainerCreating"
    restarts: int = 0
    answers: bool = True
    from_second: float = 0.0


class World:
    """Everything, and the clock that moves it a second at a time."""

    def __init__(
        self,
        policy=POLICY,
        rate=100,
        stable=42,
        replicas=4,
        versions=(42,),
        traits=None,
        now=NOON,
        repository=None,
        forge=None,
        *,
        by_pull_request=False,
    ):
        self.now = now
        self.rate = rate
        self.replicas = replicas
        self.behaviour = defaultdict(Behaviour)
        self.repository = repository or FakeRepository(self)
        self.store = FakeStore(list(versions))
        self.cluster = FakeCluster(self)
        self.metrics = FakeMetrics(self)
        self.preflights = None
        self.by_pull_request = by_pull_request
        self.forge = forge or FakeForge(self.repository, clock=lambda: self.now)
        text = "release: {}\n"
        if stable:
            text = f"release:\n  stable:\n    version: {stable}\n    digest: {digest(stable)}\n"
        self.repository.person({RANKER.policy_path: policy, RANKER.release_path: text}, "Serve ranker")
        self.traits = traits or ClusterTraits(
            scrape_interval=timedelta(seconds=5),
            reaction_time=timedelta(seconds=8),
            restart_pause=timedelta(seconds=20),
        )
        self.weights = []
        self.restart()
        self.advance(130)

    def restart(self):
        """A new promoter process: nothing is carried over but what is in the ports."""
        self.ports = Ports(self.repository, self.store, self.metrics, self.cluster, self.preflights)
        arrivals = Arrivals() if self.by_pull_request else None
        observer = Observer(self.ports, self.traits, timedelta(seconds=5), arrivals=arrivals)
        ways = [None, None]
        if self.by_pull_request:
            ways = [ByPullRequest(self.repository, self.forge, branch) for branch in (PASSES, COMMANDS)]
        self.reconciler = Reconciler(self.ports, observer, ways[0])
        tells = Statuses(self.forge, lambda served: f"https://argocd.example/applications/{served.application}")
        people = [tells, Approvals(self.repository, self.forge), Comments(self.repository, self.forge, ways[1])]
        self.loop = Loop(self.reconciler, timedelta(seconds=5), clock=lambda: self.now, audiences=people)

    @property
    def release(self):
        return parse_release(self.repository.head["tree"][RANKER.release_path], RANKER.release_path)

    @property
    def weight(self):
        canary = self.release.canary
        return canary.weight if canary else 0

    def subjects(self):
        return [entry["message"].splitlines()[0] for entry in self.repository.commits if entry["author"] == "promoter"]

    def action(self):
        """What a pass would do now, without doing it."""
        survey = self.reconciler.survey(self.now)
        return survey.verdicts[0].action

    def advance(self, seconds):
        for _ in range(math.ceil(seconds)):
            self.now += timedelta(seconds=1)
            self.cluster.step()
            self.metrics.step()

    def run(self, seconds, until=None):
        """Passes as the loop makes them. True as soon as `until()` holds; without it, when the time is over."""
        end = self.now + timedelta(seconds=seconds)
        while self.now < end:
            wait = self.loop.one_pass()
            with suppress(InvalidDocument):
                if not self.weights or self.weights[-1] != self.weight:
                    self.weights.append(self.weight)
            if until is not None and until():
                return True
            self.advance(max(1.0, min(wait.total_seconds(), (end - self.now).total_seconds())))
        return until is None

    def failed(self, number):
        """Requests that failed on a version so far."""
        return sum(
            count for (_, ours, status), count in self.metrics.requests.items() if ours == number and status != "OK"
        )


@dataclass
class FakeForge:
    """Pull requests in a dictionary by number; `merge` does what a person does by the button.

    found: what checks say of a commit, by its id; those of others have passed. rule: why the branch takes no merge.
    """

    repository: FakeRepository
    pulls: dict = field(default_factory=dict)
    clock: Callable[[], datetime] = lambda: NOON
    said: dict = field(default_factory=lambda: defaultdict(list))
    set_labels: dict = field(default_factory=lambda: defaultdict(list))
    keeps_labels: bool = False
    asked_for_labels: int = 0
    writers: dict = field(default_factory=lambda: {"ada": True, "eve": False})
    statuses: dict = field(default_factory=lambda: defaultdict(list))
    found: dict = field(default_factory=lambda: defaultdict(Checks))
    rule: str | None = None
    lose_answer: bool = False
    calls: int = 0
    down: str | None = None

    def _called(self):
        self.calls += 1
        if self.down:
            raise ForgeUnavailable(self.down)

    def open_pull_requests(self, prefix):
        self._called()
        return tuple(self._shown(one) for one in self.open if one.branch.startswith(prefix))

    def _shown(self, one):
        """With the head that its branch has, as long as it is open."""
        known = one.state is PullRequestState.OPEN and one.branch in self.repository.offered
        return replace(one, head=self.repository.offered[one.branch]["id"]) if known else one

    def pull_request(self, number):
        self._called()
        return self._shown(self.pulls[number])

    def checks(self, revision):
        self._called()
        return self.found[revision]

    def merge_pull_request(self, number, head):
        self._called()
        one = self._shown(self.pulls[number])
        assert one.state is PullRequestState.OPEN
        if one.head != head:
            return "head out of date"
        if self.repository.head["id"] != self.repository.offered[one.branch]["parent"]:
            return "it is not up to date"
        if self.rule:
            return self.rule
        self.merge_as_it_is(number)
        if self.lose_answer:
            self.lose_answer = False
            raise ForgeUnavailable("the answer to the merge was lost")
        return None

    def merge_as_it_is(self, number):
        """A fast-forward, whoever has it made."""
        self.pulls[number] = replace(self._shown(self.pulls[number]), state=PullRequestState.MERGED)
        self.repository.fast_forward(self.pulls[number].head)

    @property
    def open(self):
        return [one for one in self.pulls.values() if one.state is PullRequestState.OPEN]

    def closed_pull_request(self, branch):
        self._called()
        ended = [one for one in self.pulls.values() if one.branch == branch and one.state is not PullRequestState.OPEN]
        return ended[-1] if ended else None

    def open_pull_request(self, branch, title, body):
        self._called()
        assert branch in self.repository.offered
        number = len(self.pulls) + 1
        url = f"https://forge.example/shop/models/pulls/{number}"
        self.pulls[number] = PullRequest(number, branch, title, body, PullRequestState.OPEN, url, author="promoter")
        return self.pulls[number]

    def change_pull_request(self, number, title, body):
        self._called()
        self.pulls[number] = replace(self.pulls[number], title=title, body=body)
        return self.pulls[number]

    def close_pull_request(self, number, reason):
        self._called()
        self.comment(number, reason)
        self.decline(number)

    def comment(self, number, body):
        self._called()
        self.speak(number, body, "promoter")

    def comments(self, number, since):
        self._called()
        return tuple(one for one in self.said[number] if one.at >= since)

    def labelled(self, number, since):
        self._called()
        self.asked_for_labels += 1
        return tuple(one for one in self.set_labels[number] if one.at >= since)

    def take_label_off(self, number, label):
        self._called()
        if self.keeps_labels:
            raise ForgeUnavailable("the forge forbids it")
        self.unlabel(number, label)

    def speaker(self, said):
        self._called()
        if said.author not in self.writers:
            return None
        name = said.author
        return Speaker(name, f"{name.title()} of Tests", f"{name}@example.com", self.writers[name])

    def commit_url(self, revision):
        return f"https://forge.example/shop/models/commit/{revision}"

    def speak(self, number, text, who="ada", ago=timedelta()):
        """Somebody comments on a pull request; its address."""
        key = 1 + sum(map(len, self.said.values()))
        url = f"{self.pulls[number].url}#comment-{key}"
        self.said[number].append(Said(key, who, len(who), text, self.clock() - ago, url))
        return url

    def label(self, number, label, who="ada", ago=timedelta()):
        """Somebody sets a label on a pull request; the address of that. Its number may be a comment's too."""
        key = 1 + sum(map(len, self.set_labels.values()))
        url = f"{self.pulls[number].url}#event-{key}"
        self.set_labels[number].append(Said(key, who, len(who), "", self.clock() - ago, url, label))
        self.unlabel(number, label)
        self.pulls[number] = replace(self.pulls[number], labels=(*self.pulls[number].labels, label))
        return url

    def unlabel(self, number, label):
        """Somebody takes a label off."""
        left = tuple(one for one in self.pulls[number].labels if one != label)
        self.pulls[number] = replace(self.pulls[number], labels=left)

    def texts(self, number):
        """What stands on a pull request, the oldest first."""
        return [one.text for one in self.said[number]]

    def delete_branch(self, branch):
        self._called()
        del self.repository.offered[branch]

    def set_status(self, revision, status):
        self._called()
        self.statuses[revision].append(status)

    def decline(self, number):
        """A person closes it, without a word."""
        self.pulls[number] = replace(self.pulls[number], state=PullRequestState.CLOSED)

    def merge(self, number, author="Ada"):
        """A person merges it."""
        one = self.pulls[number]
        assert one.state is PullRequestState.OPEN
        self.pulls[number] = replace(one, state=PullRequestState.MERGED)
        return self.repository.person(self.repository.offered[one.branch]["files"], one.title, author=author)


@dataclass
class FakePreflights:
    """Preflights that end when they are told to: `results` by the candidate's number, a Preflight or an error."""

    results: dict = field(default_factory=dict)
    asked: list = field(default_factory=list)

    def ask(self, wanted):
        self.asked.append(wanted)
        found = self.results.get(int(wanted.candidate.rsplit("/", 1)[1]), "it runs since noon")
        if isinstance(found, Exception):
            raise found
        return found

    def settle(self):
        return False


class FakeCluster:
    """Argo CD that syncs `lag` seconds after a commit, and pods that become Ready a while after they are made."""

    def __init__(self, world):
        self.world = world
        self.lag = 1
        self.broken = None
        self.frozen = False
        self.windows = SyncWindows()
        self.windows_broken = None
        self.windows_asked = 0
        self.route_lies = None
        self.synced = None
        self.synced_at = None
        self.pods = {}
        self.gone = Counter()
        self.refreshes = 0
        self._seen = None
        self._rendered = None

    def step(self):
        head = self.world.repository.head
        if self._seen is None or self._seen[0] != head["id"]:
            self._seen = (head["id"], self.world.now)
        due = (
            not self.frozen
            and not self.windows.denying
            and self.world.now - self._seen[1] >= timedelta(seconds=self.lag)
        )
        if due and (self.synced is None or self.synced["id"] != head["id"]):
            self.synced, self.synced_at = head, self.world.now
        if self.synced is not None:
            self._scale()

    def _live(self):
        """The release as last rendered; a file that does not parse leaves what was live."""
        with suppress(InvalidDocument):
            self._rendered = parse_release(self.synced["tree"][RANKER.release_path], RANKER.release_path)
        return self._rendered

    def _scale(self):
        release = self._live()
        wanted = {}
        if release.stable:
            wanted[release.stable.version.number] = max(self.world.replicas, release.stable.replicas or 0)
        if release.canary:
            wanted[release.canary.version.number] = release.canary.replicas
        for number, count in wanted.items():
            for index in range(count):
                self.pods.setdefault((number, index), self.world.now)
        for number, index in list(self.pods):
            if index >= wanted.get(number, 0):
                del self.pods[number, index]
                self.gone[number, index] += 1

    def name(self, number, index):
        """A pod's; one that comes back is another pod, whose counters begin anew."""
        before = self.gone[number, index]
        return f"ranker-v{number}-{index}" + (f"-{before}" if before else "")

    def ready(self, number):
        behaviour = self.world.behaviour[number]
        if behaviour.health is not None:
            return []
        return [
            self.name(ours, index)
            for (ours, index), born in self.pods.items()
            if ours == number and self.world.now - born >= timedelta(seconds=behaviour.starts_after)
        ]

    def route(self):
        if self.synced is None or self._live().stable is None:
            return None
        release = self._live()
        route = {release.stable.version.number: 100 - (release.canary.weight if release.canary else 0)}
        if release.canary:
            route[release.canary.version.number] = release.canary.weight
        return route

    def application(self, served, *, refresh=False):
        if self.broken:
            raise ClusterUnavailable(self.broken)
        if refresh:
            self.refreshes += 1
        deployments = tuple(self._deployment(number) for number in sorted({ours for ours, _ in self.pods}))
        health = Health.HEALTHY
        if any(entry.health is Health.PROGRESSING for entry in deployments):
            health = Health.PROGRESSING
        if any(entry.health is Health.DEGRADED for entry in deployments):
            health = Health.DEGRADED
        route = self.route_lies or self.route()
        # Argo CD compares while a window denies; it only does not sync.
        head, path = self.world.repository.head, RANKER.release_path
        waits = bool(self.windows.denying) and self.synced["tree"][path] != head["tree"][path]
        return Application(
            SyncStatus.OUT_OF_SYNC if waits else SyncStatus.SYNCED,
            health,
            revision=head["id"] if waits else self.synced["id"],
            health_since=self.synced_at - timedelta(minutes=1),
            reconciled_at=self.synced_at,
            operation=Operation(OperationPhase.SUCCEEDED, self.synced_at),
            deployments=deployments,
            route=None if route is None else {version(number): weight for number, weight in route.items()},
        )

    def sync_windows(self, served):
        self.windows_asked += 1
        if self.windows_broken:
            raise ClusterUnavailable(self.windows_broken)
        return self.windows

    def _deployment(self, number):
        behaviour = self.world.behaviour[number]
        ready = set(self.ready(number))
        names = [self.name(ours, index) for ours, index in self.pods if ours == number]
        pods = tuple(
            Pod(name, name in ready, "Running" if name in ready else behaviour.pod_reason, behaviour.restarts)
            for name in names
        )
        health = behaviour.health or (Health.HEALTHY if len(ready) == len(names) else Health.PROGRESSING)
        return Deployment(version(number), health, pods=pods)


class FakeMetrics:
    """Counters that pods keep, and a Prometheus that scrapes them every five seconds."""

    def __init__(self, world):
        self.world = world
        self.down = None
        self.requests = defaultdict(float)
        self.fast = defaultdict(float)
        self.answered = defaultdict(float)
        self.series = defaultdict(list)
        self.targets = defaultdict(list)
        self.buckets = defaultdict(list)

    def step(self):
        route = self.world.cluster.route() or {}
        for number, weight in route.items():
            self._serve(number, self.world.rate * weight / 100)
        if self.down is None and self.world.now.timestamp() % 5 == 0:
            self._scrape()

    def _serve(self, number, count):
        behaviour, pods = self.world.behaviour[number], self.world.cluster.ready(number)
        if not pods or not behaviour.answers:
            return
        for pod in pods:
            share = count / len(pods)
            self.answered[number] += share
            faulty = self.answered[number] >= behaviour.from_second * self.world.rate
            bad = share * behaviour.bad if faulty else 0.0
            self.requests[pod, number, "OK"] += share - bad
            if bad:
                self.requests[pod, number, behaviour.status] += bad
            for bound, reached in zip(BOUNDS, (0.7, 0.99, 1.0), strict=True):
                on_time = reached * (1 - behaviour.slow) if bound < BOUNDS[-1] else 1.0
                self.fast[pod, number, bound] += (share - bad) * on_time

    def _scrape(self):
        at = self.world.now.timestamp()
        for number in {ours for ours, _ in self.world.cluster.pods}:
            for pod in self.world.cluster.ready(number):
                self.targets[pod, number].append((at, 1.0))
        for key, count in self.requests.items():
            if self.targets[key[0], key[1]] and self.targets[key[0], key[1]][-1][0] == at:
                self.series[key].append((at, float(math.floor(count))))
        for key, count in self.fast.items():
            if self.targets[key[0], key[1]] and self.targets[key[0], key[1]][-1][0] == at:
                self.buckets[key].append((at, float(math.floor(count))))

    def _window(self, points, start, at):
        begin, end = start.timestamp(), at.timestamp()
        return tuple(point for point in points if begin < point[0] <= end)

    def measurements(self, served, start, at, bounds_us):
        if self.down:
            raise MetricsUnavailable(self.down)
        return Measurements(
            start.timestamp(),
            at.timestamp(),
            tuple(
                RequestSeries(pod, version(number), status, window)
                for (pod, number, status), points in self.series.items()
                if (window := self._window(points, start, at))
            ),
            tuple(
                LatencySeries(pod, version(number), "Predict", "GRPC", bound, window)
                for (pod, number, bound), points in self.buckets.items()
                if bound in bounds_us and (window := self._window(points, start, at))
            ),
            tuple(
                TargetSeries(pod, version(number), window)
                for (pod, number), points in self.targets.items()
                if (window := self._window(points, start, at))
            ),
        )

    def latency_profile(self, served, version, at, over):
        if self.down:
            raise MetricsUnavailable(self.down)
        return LatencyProfile(((BOUNDS[0], 0.3), (BOUNDS[1], 0.01), (BOUNDS[2], 0.0)))
