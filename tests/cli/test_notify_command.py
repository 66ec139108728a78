"""`promoter notify test`, the file of routes, and what is never shown."""

import json
import logging

import pytest
from click.testing import CliRunner
from scripted_server import as_json, scripted_server, status

from promoter.cli import main
from promoter.documents.notify_file import parse_routes
from promoter.domain.notice import Severity
from promoter.errors import InvalidDocument

SECRET = "s3cr3t-t0ken"


@pytest.fixture
def server():
    with scripted_server() as made:
        made.answers[""] = as_json({})
        yield made


@pytest.fixture
def routes(server, tmp_path):
    host = server.url.removeprefix("http://")
    (tmp_path / "chat").write_text(f"json://ada:{SECRET}@{host}/{SECRET}\n")
    (tmp_path / "pager").write_text("no-address-at-all\n")
    file = tmp_path / "routes.yaml"
    file.write_text(
        f"held_after: 30m\nroutes:\n  - {{name: chat, url_file: {tmp_path}/chat}}\n"
        f"  - {{name: pager, url_file: {tmp_path}/pager, environments: [production], severity: failure}}\n"
    )
    return file


def notify(file, *arguments):
    return CliRunner().invoke(main, ["notify", "test", *arguments], env={"PROMOTER_NOTIFY": str(file)})


def test_a_trial_message_gets_there(routes, server):
    result = notify(routes, "--route", "chat")
    assert result.output == "chat: sent\n"
    assert "Route chat works" in json.loads(server.requests[0].body)["message"]


def test_a_dry_run_sends_nothing_and_shows_no_address(routes, server):
    result = notify(routes, "--dry-run")
    assert result.exit_code == 0
    assert "chat: would send" in result.output
    assert "severity failure or more in production" in result.output
    assert server.requests == []
    assert SECRET not in result.output


def test_what_fails_ends_with_1_and_never_tells_the_address(routes, server, caplog):
    server.answers[""] = status(500)
    with caplog.at_level(logging.DEBUG):
        result = notify(routes)
    assert result.exit_code == 1
    assert "route chat: its target did not take the message" in result.output
    assert "holds no address that Apprise understands" in result.output
    assert SECRET not in result.output + caplog.text
    assert "no-address-at-all" not in result.output + caplog.text


def test_a_route_that_is_not_there_and_no_routes_at_all_are_errors(routes):
    assert "has no route fax; there is chat, pager" in notify(routes, "--route", "fax").output
    result = CliRunner().invoke(main, ["notify", "test"], env={"PROMOTER_NOTIFY": ""})
    assert "set PROMOTER_NOTIFY" in result.output
    assert result.exit_code == 1


def test_the_file_is_read_whole_and_its_defaults_are_mild(routes):
    found = parse_routes(routes.read_bytes(), "routes.yaml")
    assert found.held_after.total_seconds() == 1800
    assert [(route.name, route.severity) for route in found.routes] == [
        ("chat", Severity.INFO), ("pager", Severity.FAILURE)]  # fmt: skip
    assert parse_routes("routes: []\n", "routes.yaml").held_after.total_seconds() == 3600


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("{}\n", "routes is missing"),
        ("routes: [{name: a, url_file: x, severity: loud}]\n", "'loud' is no severity: write one of info, warning"),
        ("routes: [{name: a, url_file: x}, {name: a, url_file: y}]\n", "second route a"),
        ("routes: [{name: a, url_fil: x}]\n", "Did you mean 'url_file'"),
        ("held_after: 1s\nroutes: []\n", "held_after"),
    ],
)
def test_what_is_wrong_in_the_file_is_said(content, complaint):
    with pytest.raises(InvalidDocument, match=complaint):
        parse_routes(content, "routes.yaml")


def test_an_address_in_the_place_of_its_file_is_refused_without_being_shown():
    content = f'routes: [{{name: a, url_file: "json://ada:{SECRET}@host"}}]\n'
    with pytest.raises(InvalidDocument, match="path of a file that holds the address") as raised:
        parse_routes(content, "routes.yaml")
    assert SECRET not in str(raised.value)
