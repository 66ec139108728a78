"""What doctor says of the forge and of our tokens there: by the documents of each, and on a real Gitea."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from http import HTTPStatus

import pytest
from real_gitea import a_gitea
from scripted_server import as_json, body

from promoter.adapters.forges import ForgePlace, GiteaForge, GitHubForge, GitLabForge
from promoter.adapters.forges.standing import GiteaStanding, GitHubStanding, GitLabStanding
from promoter.doctor import forge_checks, git_checks
from promoter.doctor.finding import Status, examine
from promoter.settings import ForgeServer, GitHubApp
from promoter.tokens import TokenFile

ASKS = {
    "environments/staging/ranker/policy.yaml": "candidates: {store: file:///models}\napproval: {start: pull-request}\n"
}
KINDS = {
    "gitea": (GiteaForge, GiteaStanding),
    "github": (GitHubForge, GitHubStanding),
    "gitlab": (GitLabForge, GitLabStanding),
}


def look(patient):
    return {result.check.name: result for result in examine((*git_checks.CHECKS, *forge_checks.CHECKS), patient)}


def said(result):
    return " ".join(f"{finding.what} → {finding.remedy}" for finding in result.findings)


def on_forge(patient, kind, url, folder, token="OWN-TOKEN", rights=None):
    """Somebody whose settings name this forge, with these tokens."""
    file, rights_file = folder / "forge-token", folder / "rights-token" if rights else None
    file.write_text(token)
    if rights:
        rights_file.write_text(rights)
    server = ForgeServer(kind, url, file, rights_file)
    rights_tokens = None if rights_file is None else TokenFile(rights_file)
    place = ForgePlace(url, "main", TokenFile(file), rights=rights_tokens)
    forge, standing = (made(place) for made in KINDS[kind])
    return replace(patient(forge=server), forge=forge, standing=standing)


def test_policies_that_ask_people_need_a_forge(patient, remote):
    remote.commit(ASKS, "Ask people")
    result = look(patient())["forge"]
    assert result.status is Status.FAILURE
    assert "1 policy asks for pull requests, and no forge is set" in result.findings[0].what


def test_without_a_forge_nobody_misses_one_that_nobody_needs(patient):
    found = look(patient())
    assert {found[name].status for name in ("forge", "account", "rights")} == {Status.OK}


def test_a_forge_is_asked_with_its_token(patient, remote, server, tmp_path):
    remote.commit(ASKS, "Ask people")
    one = on_forge(patient, "gitea", f"{server.url}/shop/models", tmp_path)
    server.answers["/api/v1/repos/shop/models/pulls"] = body(b"[]")
    found = look(one)["forge"]
    assert found.status is Status.UNTOLD
    assert any("0 pull requests of the promoter's are open there" in finding.what for finding in found.findings)
    server.answers["/api/v1/repos/shop/models/pulls"] = body(b'{"message": "token is too short"}', code=401)
    found = look(one)
    assert found["forge"].status is Status.FAILURE
    assert "refuses our token" in found["forge"].findings[0].what
    assert found["account"].findings[0].what == "not looked at: forge comes first"


class Scripted:
    """A forge by its documents: what it answers to whom. Whoever is not named is told 404."""

    def __init__(self, server, kind):
        self.kind, self.url = kind, f"{server.url}/shop/models"
        root = {"gitea": "/api/v1", "github": "/api/v3", "gitlab": "/api/v4"}[kind]
        repository = "/projects/shop%2Fmodels" if kind == "gitlab" else "/repos/shop/models"
        self._prefix = {"": f"{root}{repository}", "~": root}
        self.answers = {}
        server.answers[""] = self._answer
        self.tells("GET", "/merge_requests" if kind == "gitlab" else "/pulls", [])

    def tells(self, method, path, content, *, code=200, token="OWN-TOKEN"):
        """path: below the repository, or with ~ below the API's root."""
        home, rest = ("~", path[1:]) if path.startswith("~") else ("", path)
        self.answers[method, self._prefix[home] + rest, token] = as_json(content, code)

    def _answer(self, handler):
        header = handler.headers["PRIVATE-TOKEN" if self.kind == "gitlab" else "Authorization"]
        scheme, _, token = header.rpartition(" ")
        assert scheme == {"gitea": "token", "github": "Bearer", "gitlab": ""}[self.kind]
        path = handler.path.partition("?")[0]
        missing = as_json({"message": "Not Found"}, HTTPStatus.NOT_FOUND)
        self.answers.get((handler.command, path, token), missing)(handler)

    def says_permissions(self, right):
        """What the own token's account may do."""
        if self.kind == "gitlab":
            level = {"read": 20, "write": 30, "admin": 40}[right]
            permissions = {"project_access": {"access_level": level, "notification_level": 3}, "group_access": None}
        else:
            permissions = {"admin": right == "admin", "push": right != "read", "pull": True}
        self.tells("GET", "", {"id": 7, "permissions": permissions})

    def says_account(self, *, administers_forge, token="OWN-TOKEN"):
        """Whose the token is."""
        name = {"gitea": "is_admin", "github": "site_admin", "gitlab": "is_admin"}[self.kind]
        user = {"id": 12, "login": "promoter-bot", "username": "promoter-bot", name: administers_forge}
        self.tells("GET", "~/user", user, token=token)


@pytest.fixture(params=KINDS)
def scripted(request, server):
    return Scripted(server, request.param)


@pytest.mark.parametrize(
    ("right", "administers_forge", "expected", "words"),
    [
        ("write", False, Status.OK, "account promoter-bot may write to the repository, and does not administer it"),
        ("read", False, Status.FAILURE, "may read the repository and not write to it → Give it write access"),
        ("admin", False, Status.WARNING, "promoter-bot administers the (repository|project): with its token, rules"),
        ("write", True, Status.WARNING, "promoter-bot administers the forge: with its token"),
    ],
)
def test_an_account_writes_and_administers_nothing(
    patient, scripted, tmp_path, right, administers_forge, expected, words
):
    scripted.says_permissions(right)
    scripted.says_account(administers_forge=administers_forge)
    result = look(on_forge(patient, scripted.kind, scripted.url, tmp_path))["account"]
    assert result.status is expected
    assert re.search(words, said(result)), said(result)


def test_an_account_whose_name_is_not_told_is_looked_at_all_the_same(patient, server, tmp_path):
    gitea = Scripted(server, "gitea")
    gitea.says_permissions("write")
    gitea.tells("GET", "~/user", {"message": "token does not have at least one of required scope(s)"}, code=403)
    result = look(on_forge(patient, "gitea", gitea.url, tmp_path))["account"]
    assert result.findings[0].what == "the promoter's account may write to the repository, and does not administer it"


def test_a_repository_that_the_token_may_not_read_is_a_failure(patient, scripted, tmp_path):
    result = look(on_forge(patient, scripted.kind, scripted.url, tmp_path))["account"]
    assert result.status is Status.FAILURE
    assert "does the repository exist, and may the token see it?" in said(result)


def test_what_a_github_app_may_do_was_told_when_it_got_its_token(patient, server, tmp_path):
    github = Scripted(server, "github")
    github.tells("GET", "", {"id": 7, "permissions": {"admin": False, "push": False, "pull": False}})
    github.tells("GET", "~/user", {"message": "Resource not accessible by integration"}, code=403)
    one = on_forge(patient, "github", github.url, tmp_path)
    assert look(one)["account"].status is Status.UNTOLD
    app = GitHubApp("Iv23liAbCdEf", tmp_path / "app.pem", github.url, None, asks=True, merges=False)
    with_app = replace(one, settings=replace(one.settings, forge=replace(one.settings.forge, token_from=app)))
    result = look(with_app)["account"]
    assert result.findings[0].what == "the GitHub App Iv23liAbCdEf may do what the promoter does here"
    assert look(with_app)["rights"].status is Status.UNTOLD


def test_on_gitea_rights_are_told_to_an_administrators_token_that_only_reads(patient, server, tmp_path):
    gitea = Scripted(server, "gitea")
    permission, no_branch = "/collaborators/shop/permission", "/branches/promoter..doctor"
    gitea.says_permissions("write")
    gitea.tells("GET", permission, {"message": "Only admins can query all permissions"}, code=403)
    result = look(on_forge(patient, "gitea", gitea.url, tmp_path))["rights"]
    assert result.status is Status.WARNING
    assert "are answered, and not done → PROMOTER_FORGE_RIGHTS_TOKEN_FILE" in said(result)

    one = on_forge(patient, "gitea", gitea.url, tmp_path, rights="ADMINS-TOKEN")
    gitea.tells("GET", permission, {"permission": "owner", "user": {"id": 1, "login": "shop"}}, token="ADMINS-TOKEN")
    gitea.tells("DELETE", no_branch, {"message": "token does not have"}, code=403, token="ADMINS-TOKEN")
    result = look(one)["rights"]
    assert [finding.what for finding in result.findings] == [
        "the forge tells what people may do: their commands in comments can be done",
        "the token that asks for people's rights only reads",
    ]

    gitea.tells("DELETE", no_branch, {"message": "Not found"}, code=404, token="ADMINS-TOKEN")
    result = look(one)["rights"]
    assert result.status is Status.WARNING
    assert "rights-token can change the repository: it is an administrator's, and need only read" in said(result)

    gitea.tells("DELETE", no_branch, {"message": "?"}, code=500, token="ADMINS-TOKEN")
    assert look(one)["rights"].status is Status.UNTOLD


def test_on_gitlab_a_token_says_its_scopes_itself(patient, server, tmp_path):
    gitlab = Scripted(server, "gitlab")
    gitlab.says_permissions("write")
    gitlab.says_account(administers_forge=False, token="ADMINS-TOKEN")
    one = on_forge(patient, "gitlab", gitlab.url, tmp_path, rights="ADMINS-TOKEN")
    assert look(one)["rights"].status is Status.UNTOLD
    gitlab.tells("GET", "/members/all/12", {"id": 12, "access_level": 30}, token="ADMINS-TOKEN")
    for scopes, expected in ((["read_api"], Status.OK), (["read_user", "api"], Status.WARNING)):
        gitlab.tells("GET", "~/personal_access_tokens/self", {"scopes": scopes}, token="ADMINS-TOKEN")
        assert look(one)["rights"].status is expected


def test_on_github_every_token_is_told(patient, server, tmp_path):
    github = Scripted(server, "github")
    github.says_permissions("write")
    github.says_account(administers_forge=False)
    github.tells("GET", "/collaborators/promoter-bot/permission", {"permission": "write"})
    assert look(on_forge(patient, "github", github.url, tmp_path))["rights"].status is Status.OK


@pytest.mark.parametrize("answer", [{}, {"permissions": None}, {"permissions": {"admin": True}}])
def test_an_answer_of_another_form_is_a_failure_of_the_check_alone(patient, scripted, tmp_path, answer):
    scripted.tells("GET", "", answer)
    scripted.says_account(administers_forge=False)
    found = look(on_forge(patient, scripted.kind, scripted.url, tmp_path))
    assert found["account"].status is Status.FAILURE
    assert "in a form that its API does not have" in said(found["account"])
    assert found["forge"].status is Status.OK


@pytest.fixture(scope="module")
def gitea(tmp_path_factory):
    with a_gitea(tmp_path_factory.mktemp("gitea")) as found:
        if found is None:
            pytest.skip("NO GITEA: put `gitea` on PATH, or set FORGE_URL and FORGE_TOKEN")
        yield found


def _repository(gitea, *writers):
    path = gitea.repository("doctor", *writers)
    said = {"content": base64.b64encode(b"models\n").decode(), "message": "Add README.md"}
    gitea.api("POST", f"/repos/{path}/contents/README.md", said)
    return path


def test_on_a_real_gitea_a_writer_and_a_reading_administrator_are_in_order(patient, gitea, tmp_path):
    bot, token = gitea.person("promoter")
    path = _repository(gitea, bot)
    one = on_forge(patient, "gitea", f"{gitea.url}/{path}", tmp_path, token, gitea.reading_token())
    found = look(one)
    assert {found[name].status for name in ("forge", "account", "rights")} == {Status.OK}
    assert f"account {bot} may write" in said(found["account"])
    assert "only reads" in said(found["rights"])


def test_on_a_real_gitea_too_many_rights_and_too_few_are_told(patient, gitea, tmp_path):
    reader, readers_token = gitea.person("reader")
    path = _repository(gitea)
    gitea.api("PUT", f"/repos/{path}/collaborators/{reader}", {"permission": "read"})
    url = f"{gitea.url}/{path}"
    found = look(on_forge(patient, "gitea", url, tmp_path, readers_token))
    assert (found["account"].status, found["rights"].status) == (Status.FAILURE, Status.WARNING)

    found = look(on_forge(patient, "gitea", url, tmp_path, gitea.token, gitea.token))
    assert "administers the forge and the repository" in said(found["account"])
    assert "can change the repository" in said(found["rights"])
    assert [branch["name"] for branch in gitea.api("GET", f"/repos/{path}/branches")] == ["main"]
