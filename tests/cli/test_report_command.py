"""`promoter report`: the page of a rollout, from Git and, where it is asked, Prometheus."""

import re
from html.parser import HTMLParser

import pytest
from builders import release, stable
from click.testing import CliRunner
from fakes import Behaviour, World
from past_commits import Past
from world_repository import pushed

from promoter.cli import main
from promoter.errors import MetricsUnavailable
from promoter.report.links import commit_page


class Markup(HTMLParser):
    """Gathers what a browser would fetch, every link, and every id."""

    def __init__(self, text):
        super().__init__()
        self.fetched, self.links, self.ids, self.tags = [], [], [], set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        for name, value in attrs:
            if name in {"src", "xlink:href", "srcset", "data", "poster", "action"} or (name == "href" and tag != "a"):
                self.fetched.append(value)
            if name == "href" and tag == "a":
                self.links.append(value)
            if name == "id":
                self.ids.append(value)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A rollout that ended in a revert, and its repository."""
    made = World(versions=[42, 43])
    made.behaviour[43] = Behaviour(bad=0.1)
    assert made.run(600, until=lambda: bool(made.release.rejected) and made.release.canary is None)
    made.folder = tmp_path_factory.mktemp("world")
    pushed(made, made.folder / "remote.git")
    return made


@pytest.fixture
def report(world, tmp_path, monkeypatch):
    environment = {
        "PROMOTER_REPOSITORY": f"file://{world.folder}/remote.git",
        "PROMOTER_CLONE": str(tmp_path / "clone.git"),
    }

    def run(*arguments, metrics=None):
        monkeypatch.setattr("promoter.adapters.prometheus.PrometheusMetrics", lambda *_, **__: metrics)
        asked = ("--prometheus", "http://prometheus.example", "--scrape-interval", "5s") if metrics else ()
        output = tmp_path / "page.html"
        result = CliRunner().invoke(
            main, ["report", "ranker", "--output", str(output), *asked, *arguments], env=environment
        )
        text = output.read_text() if output.exists() else ""
        return result, text

    return run


def words(text):
    body = re.sub(r"<style>.*?</style>|<svg.*?</svg>", "", text, flags=re.DOTALL)
    return re.sub(r"[ \n]+", " ", re.sub(r"<[^>]*>", " ", body))


def test_the_page_tells_what_happened_why_and_by_which_commits(report, world):
    result, text = report("--environment", "production", metrics=world.metrics)
    assert result.exit_code == 0, result.output
    told = words(text)
    assert "Version 43 reverted" in told
    assert re.search(r"9.7 % of requests failed against 0 % on stable\. Of \d+ requests to 43, \d+ failed", told)
    assert len(re.findall("by promoter(?! report)", told)) == len(world.subjects())
    assert "computed from the counts that Prometheus holds" in told
    assert "What is missing" not in told


def test_it_fetches_nothing_and_no_id_is_there_twice(report, world):
    _, text = report(metrics=world.metrics)
    page = Markup(text)
    assert [value for value in page.fetched if not value.startswith("#")] == []
    assert not {"script", "link", "iframe", "img", "object"} & page.tags
    assert not re.search(r"@import|url\((?!#)|https?://", text)
    assert len(page.ids) == len(set(page.ids))
    assert set(re.findall(r"url\(#([^)]*)\)", text)) <= set(page.ids)


def test_there_is_a_picture_for_wide_screens_and_one_for_phones_and_both_say_what_they_show(report, world):
    _, text = report(metrics=world.metrics)
    titles = re.findall(r"<title id=[^>]*>([^<]*)</title>", text)
    assert len(titles) == text.count("<svg ") == 2
    assert all("Rollout of version 43, beside version 42" in title and "reverted after" in title for title in titles)
    assert "prefers-color-scheme: dark" in text
    assert "var(--canary)" in text


def test_without_prometheus_the_commits_speak_and_the_page_says_what_is_missing(report):
    result, text = report()
    assert result.exit_code == 0, result.output
    assert "PROMOTER_PROMETHEUS_URL is not set" in result.output
    assert "What is missing Prometheus was not asked" in words(text)
    assert text.count("<svg ") == 2


def test_a_prometheus_that_fails_costs_the_curves_and_nothing_else(report):
    class Down:
        def measurements(self, *_):
            raise MetricsUnavailable("Prometheus did not answer")

    result, text = report(metrics=Down())
    assert result.exit_code == 0, result.output
    assert "Prometheus cannot tell of that time: Prometheus did not answer" in words(text)


def test_a_version_without_a_rollout_is_an_error_that_names_those_with_one(report):
    result, text = report("--version", "99")
    assert (result.exit_code, text) == (1, "")
    assert "production/ranker has had no rollout of 99; there were those of 43, 42" in result.output


def test_people_a_persons_version_and_one_that_served_nobody_have_their_page(tmp_path):
    past = Past(tmp_path / "work")
    past.first()
    past.starts()
    past.rises(5)
    past.person('Pause <b onload="x">it</b>', {past.served.policy_path: "paused: true\n"})
    past.reverts()
    past.removes()
    past.places(release(stable(41)), "Back to 41\n")
    past.refuses(44)
    for number in (43, 41, 44):
        output = tmp_path / f"{number}.html"
        arguments = ["report", "ranker", "--version", str(number), "--output", str(output)]
        result = CliRunner().invoke(main, arguments, env=past.settings(tmp_path))
        assert result.exit_code == 0, result.output
    first = (tmp_path / "43.html").read_text()
    assert "<b onload" not in first
    assert "Pause <b" not in first
    assert "What people did" in first
    assert "was put back by Ada, in place of 42" in words((tmp_path / "41.html").read_text())
    assert "<svg" not in (tmp_path / "44.html").read_text()


@pytest.mark.parametrize(
    ("repository", "expected"),
    [
        ("https://github.com/shop/models.git", "https://github.com/shop/models/commit/"),
        ("https://ada:secret@git.example:3000/shop/models", "https://git.example:3000/shop/models/commit/"),
        ("git@github.com:shop/models.git", "https://github.com/shop/models/commit/"),
        ("ssh://git@git.example:2222/shop/models.git", "https://git.example/shop/models/commit/"),
        ("file:///srv/models.git", None),
    ],
)
def test_commits_lead_to_the_hosts_page_and_never_carry_a_secret(repository, expected):
    assert commit_page(repository) == expected
