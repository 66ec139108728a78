"""What the demo prints, where there is a terminal and where there is none."""

import dataclasses
import io
import re

from demo_builders import COMMITS, explained, record
from rich.console import Console

from promoter.sandbox.demo.cast import Outcome, characters
from promoter.sandbox.demo.closing import print_closing
from promoter.sandbox.demo.screen import LiveScreen, PlainScreen, clock, plain_line, screen_for
from promoter.sandbox.demo.standing import Standing
from promoter.sandbox.demo.summary import summarise

WAITING = Standing(
    characters(every=False)[0], None, 8, 0.0, 0.38, 0, 0, "about 384 more requests to 2 would do; 5s to go", 64.0
)


def printed(use, **changes):
    """What `use` prints on a console."""
    out = io.StringIO()
    use(Console(file=out, width=120, **changes))
    return out.getvalue()


def test_without_a_terminal_nothing_but_text_is_printed():
    def use(console):
        screen = screen_for(console)
        assert isinstance(screen, PlainScreen)
        with screen:
            screen.wait("Building")
            screen.say("[bold]not markup[/]")
            screen.show([WAITING])
        print_closing(console, summarise(record(), explained()), COMMITS)

    text = printed(use)
    assert "[bold]not markup[/]" in text
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", text)


def test_a_line_is_printed_only_where_more_than_counts_and_clocks_changed():
    later = dataclasses.replace(WAITING, says="about 1 more requests to 2 would do; 2m3s to go", seconds=70.0)
    raised = dataclasses.replace(later, weight=32)

    def use(console):
        screen = PlainScreen(console)
        for entry in (WAITING, later, raised, raised, dataclasses.replace(raised, says="all is proven")):
            screen.show([entry])

    lines = printed(use).splitlines()
    assert [line.split("weight ")[1].split(" %")[0] for line in lines] == ["8", "32", "32"]


def test_a_version_of_which_the_promoter_has_not_spoken_yet_has_no_line():
    assert printed(lambda console: PlainScreen(console).show([dataclasses.replace(WAITING, says="")])) == ""


def test_a_line_says_weight_odds_bound_failures_and_reason():
    assert plain_line(WAITING) == (
        "  1:04  version 2: weight 8 %, odds 1 to 1 against it, excess below 38 %, failed: 0 on it, 0 elsewhere; "
        "about 384 more requests to 2 would do; 5s to go"
    )


def test_in_a_terminal_the_table_shows_every_version_and_what_is_waited_for():
    done = dataclasses.replace(WAITING, outcome=Outcome.PROMOTED, weight=None)
    now = dataclasses.replace(WAITING, character=characters(every=False)[1], says="a sign of harm")

    def use(console):
        screen = screen_for(console)
        assert isinstance(screen, LiveScreen)
        with screen:
            screen.show([done, now])

    text = printed(use, force_terminal=True)
    assert "promoted" in text
    assert "fails on dark images" in text
    assert "a sign of harm" in text


def test_the_last_page_has_the_table_the_log_and_the_figures():
    text = printed(lambda console: print_closing(console, summarise(record(), explained()), COMMITS))
    assert re.search(r"3 +reverted +10 +880 +5 +5 +4 +fails on dark images", text)
    assert re.search(r"0{7} +served from here", text.replace("\n", " "))
    assert "90 % to 2, 10 % to 3" in text
    assert "it would fail 5\u202f400 until it ends the rollout after 25 minutes" in re.sub(r"[ \n]+", " ", text)


def test_a_clock_counts_minutes_and_seconds():
    assert [clock(seconds) for seconds in (0, 9.9, 64, 605)] == ["0:00", "0:09", "1:04", "10:05"]
