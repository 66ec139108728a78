"""`promoter status --all`: thirty models in three environments of a real repository, while the cluster is silent."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from adapters.git_remote import NOON, BareRemote, promoter_of
from builders import RANKER, digest
from click.testing import CliRunner
from fakes import FakeStore
from rich.console import Console

from promoter.cli import main
from promoter.cli.status_matrix import matrix_data, print_matrix
from promoter.control.across import State, across, arranged
from promoter.control.observe import Observer, Ports
from promoter.control.reconcile import Reconciler
from promoter.domain.names import ServedModel
from promoter.domain.observation import ClusterTraits
from promoter.errors import ClusterUnavailable, MetricsUnavailable

SOURCES = {
    "dev": 'store: "file:///models/any"',
    "staging": "upstream: dev, upstream_soak: 12h",
    "production": "upstream: staging, upstream_soak: 1d",
}
NAMES = [
    f"{word}-{kind}" for word in ("search", "feed", "ads", "image", "fraud") for kind in ("rank", "embed", "topic")
]
NAMES += [f"{name}-v2" for name in NAMES]


class Silent:
    def application(self, served, *, refresh=False):
        raise ClusterUnavailable("Argo CD does not answer")

    def measurements(self, *_):
        raise MetricsUnavailable("Prometheus does not answer")

    def latency_profile(self, *_):
        raise MetricsUnavailable("Prometheus does not answer")


def served(environment, name):
    return ServedModel(environment, name)


def released(number, canary=None, weight=5, rejected=None):
    text = f"release:\n  stable:\n    version: {number}\n    digest: {digest(number)}\n"
    if canary:
        text += f"  canary:\n    version: {canary}\n    digest: {digest(canary)}\n    weight: {weight}\n"
        text += "    replicas: 2\n    since: 2026-11-18T10:00:00Z\n"
    if rejected:
        text += f'  rejected:\n    - version: {rejected}\n      reason: "2 % of requests failed"\n'
    return text


def paused(text):
    """As a comment's `/pause` leaves it."""
    mark = '  paused:\n    by: "Ada (ada)"\n    reason: "odd pictures"\n    at: 2026-11-18T10:00:00Z\n'
    return text.replace("  stable:\n", f'{mark}    said: "https://forge.example/7#1"\n  stable:\n')


def after(remote, hours, files):
    remote._clock = NOON + hours * 3600 - 60
    remote.commit(files, "A step")


def thirty(folder):
    """dev is at 45 everywhere; staging followed to a third, production to less."""
    first = {}
    for environment, source in SOURCES.items():
        for name in NAMES:
            one = served(environment, name)
            first[one.policy_path] = f"candidates: {{{source}}}\n"
            first[one.release_path] = released(42)
    remote = BareRemote(folder / "remote", first)

    def step(hours, environment, number, names, **more):
        after(remote, hours, {served(environment, name).release_path: released(number, **more) for name in names})

    step(1, "dev", 43, NAMES)
    step(30, "staging", 43, NAMES[:20])
    step(31, "dev", 44, NAMES)
    step(60, "production", 43, NAMES[:10])
    step(61, "staging", 44, NAMES[:8])
    step(62, "dev", 45, NAMES[:25])
    step(63, "production", 43, NAMES[1:2], canary=44)
    step(64, "staging", 43, NAMES[12:13], canary=44, weight=30)
    step(65, "staging", 43, NAMES[13:14], rejected=44)
    after(
        remote,
        66,
        {
            "environments/freeze.yaml": f'freezes:\n  - {{scope: production/{NAMES[3]}, reason: "a fair", by: Ada}}\n',
            served("production", NAMES[4]).policy_path: "candidates: {upstream: nowhere}\n",
            served("staging", NAMES[6]).policy_path: "candidates: {upstream: dev, upstream_soak: 12h}\npaused: true\n",
            served("staging", NAMES[7]).release_path: paused(released(44)),
            served("production", NAMES[29]).release_path: "release: [\n",
            served("dev", NAMES[28]).release_path: None,
        },
    )
    return remote


@pytest.fixture(scope="module")
def survey(tmp_path_factory):
    folder = tmp_path_factory.mktemp("thirty")
    remote = thirty(folder)
    git = promoter_of(remote.url, folder / "clone")
    ports = Ports(git, FakeStore([42, 43, 44, 45, 46]), Silent(), Silent(), None)
    reconciler = Reconciler(ports, Observer(ports, ClusterTraits(), timedelta(seconds=5)))
    return reconciler.survey(datetime.fromtimestamp(NOON, UTC) + timedelta(hours=67)), git


@pytest.fixture(scope="module")
def matrix(survey):
    return arranged(tuple(across(*survey)), survey[0])


def drawn(matrix, survey, width):
    screen = Console(width=width, file=io.StringIO(), record=True, highlight=False)
    print_matrix(matrix, survey[0], screen)
    return screen.export_text(clear=False), screen


def test_environments_stand_in_the_order_of_their_upstreams(matrix):
    assert matrix.environments == ("dev", "staging", "production")
    assert list(matrix.models) == sorted(NAMES)


def test_the_lag_counts_what_became_stable_there_and_since_when(matrix):
    cell = matrix.models[NAMES[0]]["production"]
    assert (cell.upstream.environment, cell.upstream.versions) == ("staging", 1)
    assert cell.upstream.since.timestamp() == NOON + 61 * 3600
    assert (cell.root.environment, cell.root.versions) == ("dev", 2)
    assert cell.root.since.timestamp() == NOON + 31 * 3600
    far = matrix.models[NAMES[20]]["staging"]
    assert (far.upstream.versions, far.upstream, far.root.since.timestamp()) == (3, far.root, NOON + 3600)
    assert matrix.models[NAMES[0]]["dev"].upstream is None


@pytest.mark.parametrize(
    ("environment", "number", "states"),
    [
        ("dev", 0, {State.WAITING}),
        ("production", 0, {State.SOAKING}),
        ("production", 1, {State.CANARY}),
        ("staging", 13, {State.REJECTED, State.SOAKING}),
        ("production", 3, {State.SOAKING, State.FROZEN}),
        ("production", 4, {State.HELD}),
        ("staging", 6, {State.SOAKING, State.PAUSED}),
        ("staging", 7, {State.SOAKING, State.PAUSED}),
        ("production", 29, {State.UNREADABLE, State.HELD}),
        ("staging", 28, {State.HELD}),
    ],
)
def test_each_state_is_told(matrix, environment, number, states):
    assert set(matrix.models[NAMES[number]][environment].states) == states


@pytest.mark.parametrize("width", [80, 120])
def test_every_line_fits_and_no_word_is_lost(matrix, survey, width):
    text, _ = drawn(matrix, survey, width)
    assert max(map(len, text.splitlines())) <= width
    words = " ".join(text.split())
    for expected in (
        "43 → 44 at 5 %",
        "45 soaks 7h",
        "3 behind, 2d",
        "44 rejected",
        "frozen",
        "paused",
        "held",
        "46 waits",
    ):
        assert expected in words
    assert "production/search-topic: nobody can tell" not in words
    assert "the file is missing" in words


def test_programs_get_the_same(matrix, survey):
    said = json.loads(json.dumps(matrix_data(matrix, survey[0])))
    assert said["environments"] == ["dev", "staging", "production"]
    found = next(one for one in said["models"] if one["model"] == NAMES[1])["environments"]["production"]
    assert found["canary"] == {"version": 44, "weight": 5}
    assert found["states"] == ["canary"]
    assert found["behind_root"]["versions"] == 2


def asked(tmp_path, files, *words):
    """What `promoter status` says of these files, where nobody answers but Git."""
    remote = BareRemote(tmp_path / "remote", files)
    token = tmp_path / "token"
    token.write_text("secret")
    settings = {
        "PROMOTER_ARGOCD_TOKEN_FILE": str(token),
        "PROMOTER_REPOSITORY": remote.url,
        "PROMOTER_CLONE": str(tmp_path / "clone.git"),
        "PROMOTER_ARGOCD_URL": "http://127.0.0.1:9",
        "PROMOTER_PROMETHEUS_URL": "http://127.0.0.1:9",
    }
    results = [CliRunner().invoke(main, ["status", *words, *more], env=settings) for more in (["--json"], [])]
    assert [result.exit_code for result in results] == [0, 0], results[0].output
    return json.loads(results[0].stdout), results[1].stdout


def test_the_command_draws_it_though_nobody_answers_but_git(tmp_path):
    staging = replace(RANKER, environment="staging")
    files = {
        RANKER.policy_path: "candidates: {upstream: staging}\n",
        RANKER.release_path: released(42),
        staging.policy_path: f'candidates: {{store: "file://{tmp_path}/models"}}\n',
        staging.release_path: released(43),
    }
    said, text = asked(tmp_path, files, "--all")
    assert said["environments"] == ["staging", "production"]
    assert said["models"][0]["environments"]["production"]["behind_upstream"]["versions"] == 1
    assert "behind" in text


def test_a_pause_by_a_comment_is_told_with_who_why_and_where_whatever_else_is_waited_for(tmp_path):
    files = {
        RANKER.policy_path: f'candidates: {{store: "file://{tmp_path}/models"}}\n',
        RANKER.release_path: paused(released(42, canary=43)),
    }
    said, text = asked(tmp_path, files)
    [model] = said["models"]
    mark = {"by": "Ada (ada)", "reason": "odd pictures", "at": "2026-11-18T10:00:00+00:00"}
    assert model["paused"] == {"by_policy": False, "by_mark": mark | {"said": "https://forge.example/7#1"}}
    assert "paused" not in model["reason"]
    words = " ".join(text.split())
    assert "paused by Ada (ada) since 2026-11-18 10:00 UTC: odd pictures (https://forge.example/7#1)" in words
