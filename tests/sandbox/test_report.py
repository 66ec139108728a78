"""The report: one file, told in words too, that asks no network for anything."""

import dataclasses
import re
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest
from demo_builders import BEGIN, V2, V3, V4, explained, record

from promoter.sandbox.demo.summary import summarise
from promoter.sandbox.report.data import stories
from promoter.sandbox.report.page import page, write_report
from promoter.sandbox.report.pictures import picture, title


@pytest.fixture(scope="module")
def html():
    return page(record(), summarise(record(), explained()))


class References(HTMLParser):
    """Gathers what a browser would fetch, and every id."""

    def __init__(self):
        super().__init__()
        self.fetched, self.ids, self.tags = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        for name, value in attrs:
            if name in {"src", "href", "xlink:href", "srcset", "data", "poster", "action"}:
                self.fetched.append(value)
            if name == "id":
                self.ids.append(value)


@pytest.fixture(scope="module")
def references(html):
    parser = References()
    parser.feed(html)
    return parser


def test_nothing_is_fetched_from_anywhere(html, references):
    assert [value for value in references.fetched if not value.startswith("#")] == []
    assert not {"script", "link", "iframe", "img", "object"} & set(references.tags)
    assert not re.search(r"@import|url\((?!#)", html)
    assert "http://" not in html
    assert "https://" not in html


def test_every_reference_inside_leads_to_an_id_and_no_id_is_there_twice(html, references):
    wanted = {value[1:] for value in references.fetched} | set(re.findall(r"url\(#([^)]*)\)", html))
    assert wanted <= set(references.ids)
    assert len(references.ids) == len(set(references.ids))


def test_every_picture_has_a_title_that_tells_what_it_shows(html):
    titles = re.findall(r'<svg [^>]*role="img" aria-labelledby="([^"]*)"><title id="([^"]*)">([^<]*)</title>', html)
    assert len(titles) == html.count("<svg ") == 2
    assert all(named == given for named, given, _ in titles)
    assert "Course of version 3, beside version 2" in titles[1][2]
    assert "reverted after 10 s, removed after 10 s. It ended reverted." in titles[1][2]


def test_a_picture_takes_colours_and_letters_from_the_page():
    svg = picture(stories(record())[V3])
    ET.fromstring(svg.replace("xlink:href", "href"))
    assert "var(--canary)" in svg
    assert "var(--stable)" in svg
    assert not re.search(r"#0[1-5]{5}|font-family|DejaVu", svg)


def test_the_same_play_gives_the_same_picture():
    story = stories(record())[V2]
    assert picture(story) == picture(story)


def test_a_version_with_which_nothing_happened_has_no_picture(html):
    assert V4 not in stories(record())
    assert "Nothing happened, as it must be." in html
    assert "no manifest.json" in html


def test_a_story_has_failures_latency_weights_and_decisions():
    story = stories(record())[V3]
    assert (story.canary.version, story.stable.version) == (V3, V2)
    assert story.weights == ((0.0, 0.0), (4.75, 10.0), (9.75, 0.0))
    assert [(round(mark.at, 1), mark.label) for mark in story.marks] == [
        (1.5, "0 %"), (4.5, "10 %"), (9.5, "reverted"), (10.5, "removed")]  # fmt: skip
    assert dict(story.canary.errors)[7.5] == pytest.approx(12.5)
    assert dict(story.stable.errors)[7.5] == 0
    assert dict(story.canary.p50)[7.5] == 11.0
    assert dict(stories(record())[V2].canary.errors)[2.5] is None


def test_more_pods_and_all_requests_are_marked_by_name():
    assert [mark.label for mark in stories(record())[V2].marks] == ["0 %", "10 %", "2 pods", "100 %", "stable"]


def test_the_figures_the_log_and_the_comparison_are_on_the_page(html):
    text = re.sub(r"[ \n]+", " ", re.sub(r"<[^>]*>", "", html))
    assert "failed requests was the cost of version 3; a fixed schedule: 5\u202f400" in text
    assert "canary 3 reverted" in text
    assert "failureLimit: 3" in text
    assert "decisions, computed again from Git and Prometheus alone, came out the same" in text
    assert "<dd>10 of 10</dd>" in html


def test_what_a_version_says_of_itself_cannot_break_the_page():
    courses = record().courses
    nasty = dataclasses.replace(courses[1], reason='<script src="http://example.com/x.js"></script>')
    made = dataclasses.replace(record(), courses=(courses[0], nasty, courses[2]))
    html = page(made, summarise(made, explained()))
    assert "<script" not in html
    assert "&lt;script" in html


def test_what_was_not_as_it_must_be_is_said_at_the_top():
    made = dataclasses.replace(record(), seconds=record().seconds[:3])
    assert "Not as it must be" in page(made, dataclasses.replace(summarise(made, explained()), rate=12.0))


def test_a_course_without_any_request_is_drawn_all_the_same():
    silent = dataclasses.replace(record(), seconds=(), splits=())
    story = stories(silent)[V2]
    assert picture(story).startswith("<svg ")
    assert f"{story.length:.0f} seconds" in title(story)


def test_the_page_is_written_to_its_path(tmp_path):
    write_report(tmp_path / "report.html", record(), summarise(record(), explained()))
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>")
    assert str(int(BEGIN)) not in text
