"""Environment variables to settings, or every fault at once."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from promoter.domain.measurements import ProxyMetrics
from promoter.domain.preflight import PreflightPlace
from promoter.errors import InvalidSettings
from promoter.settings import ForgeServer, GitHubApp, LeaseName, Listen, WorkflowServer, git_remote, settings

ENVIRONMENT = {
    "PROMOTER_REPOSITORY": "https://git.example.com/models.git",
    "PROMOTER_ARGOCD_URL": "https://argocd.example.com",
    "PROMOTER_ARGOCD_TOKEN_FILE": "/run/secrets/argocd",
    "PROMOTER_PROMETHEUS_URL": "http://prometheus:9090",
    "PROMOTER_STORES": "gs://shop-models, file:///models",
}


def test_what_is_required_is_enough():
    told = settings(ENVIRONMENT)
    assert told.git.branch == "main"
    assert told.stores == ("gs://shop-models", "file:///models")
    assert told.pass_interval == timedelta(seconds=5)
    assert told.log_format == "json"
    assert told.proxy_metrics is ProxyMetrics.NONE


def test_a_proxy_is_named():
    assert settings(ENVIRONMENT | {"PROMOTER_PROXY_METRICS": "istio"}).proxy_metrics is ProxyMetrics.ISTIO


def test_nothing_set_names_everything_that_is_required():
    with pytest.raises(InvalidSettings) as raised:
        settings({})
    for name in ("REPOSITORY", "ARGOCD_URL", "ARGOCD_TOKEN_FILE", "PROMETHEUS_URL"):
        assert f"PROMOTER_{name} is not set" in str(raised.value)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"PROMOTER_PASS_INTERVAL": "5"}, "PROMOTER_PASS_INTERVAL does not fit: '5' is not a duration"),
        ({"PROMOTER_PROMETHEUS_URL": "prometheus:9090"}, "PROMOTER_PROMETHEUS_URL is not a URL"),
        ({"PROMOTER_PROXY_METRICS": "nginx"}, "PROMOTER_PROXY_METRICS is 'nginx'; use none or envoy or istio"),
        ({"PROMOTER_LISTEN": "8080"}, "PROMOTER_LISTEN is '8080'; use host:port, or :8080 for every address"),
        ({"PROMOTER_LISTEN": ":65536"}, "PROMOTER_LISTEN is ':65536'"),
        ({"PROMOTER_LISTEN": "::1:8080"}, "PROMOTER_LISTEN is '::1:8080'"),
        ({"PROMOTER_LEASE": "promoter"}, "PROMOTER_LEASE is not namespace/name"),
        ({"PROMOTER_LEASE": "a/b/c"}, "PROMOTER_LEASE is 'a/b/c', and not namespace/name"),
        ({"PROMOTER_LEASE": "a/b"}, "PROMOTER_LEASE is set, and this is no pod"),
        ({"PROMOTER_LOG_FORMAT": "xml"}, "PROMOTER_LOG_FORMAT is 'xml'; use json or text"),
    ],
)
def test_what_does_not_fit_is_named(changed, sentence):
    with pytest.raises(InvalidSettings, match=sentence.replace("(", "\\(")):
        settings(ENVIRONMENT | changed)


def test_git_alone_needs_nothing_but_the_repository(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    remote = git_remote({"PROMOTER_REPOSITORY": "file:///srv/models.git"})
    other = git_remote({"PROMOTER_REPOSITORY": "file:///srv/others.git"})
    assert remote.clone.parent == tmp_path / "promoter"
    assert remote.clone != other.clone


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("process", PreflightPlace.PROCESS),
        ("workflow", PreflightPlace.WORKFLOW),
        ("off", None),
        ("", PreflightPlace.PROCESS),
    ],
)
def test_preflights_are_made_unless_they_are_switched_off_in_so_many_words(word, meant):
    given = {**ENVIRONMENT, "PROMOTER_PREFLIGHT": word, "PROMOTER_WORKFLOWS_URL": "https://argo.example.com"}
    assert settings(given).preflight is meant


def test_preflights_as_workflows_need_argo_servers_url():
    with pytest.raises(InvalidSettings, match="PROMOTER_WORKFLOWS_URL is not set"):
        settings({**ENVIRONMENT, "PROMOTER_PREFLIGHT": "workflow"})
    given = settings({**ENVIRONMENT, "PROMOTER_WORKFLOWS_URL": "https://argo.example.com"})
    assert given.workflows == WorkflowServer("https://argo.example.com", None, "workflows")
    assert settings(ENVIRONMENT).workflows is None


def test_a_word_that_means_nothing_is_no_switch():
    with pytest.raises(InvalidSettings, match="PROMOTER_PREFLIGHT is 'no'; use process or workflow or off"):
        settings({**ENVIRONMENT, "PROMOTER_PREFLIGHT": "no"})


def test_a_service_is_told_where_it_listens_and_which_lease_decides():
    told = settings(ENVIRONMENT)
    assert told.listen is None
    assert told.lease is None
    cluster = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}
    told = settings(ENVIRONMENT | cluster | {"PROMOTER_LISTEN": "[::1]:8080", "PROMOTER_LEASE": "tools/promoter"})
    assert told.listen == Listen("::1", 8080)
    assert told.lease == LeaseName("tools", "promoter", "https://10.0.0.1:443")
    assert settings(ENVIRONMENT | {"PROMOTER_LISTEN": ":0"}).listen == Listen("", 0)


def test_a_forge_is_a_kind_and_a_page_and_has_gits_token_where_it_has_none_of_its_own():
    given = ENVIRONMENT | {"PROMOTER_FORGE": "gitea+https://git.example.com/shop/models"}
    told = settings(given | {"PROMOTER_GIT_TOKEN_FILE": "/run/secrets/git"})
    assert told.forge == ForgeServer("gitea", "https://git.example.com/shop/models", Path("/run/secrets/git"))
    told = settings(given | {"PROMOTER_GIT_TOKEN_FILE": "/a", "PROMOTER_FORGE_TOKEN_FILE": "/b"})
    assert told.forge.token_from == Path("/b")
    assert told.forge.rights_token_file is None
    told = settings(given | {"PROMOTER_GIT_TOKEN_FILE": "/a", "PROMOTER_FORGE_RIGHTS_TOKEN_FILE": "/c"})
    assert (told.forge.token_from, told.forge.rights_token_file) == (Path("/a"), Path("/c"))
    assert settings(ENVIRONMENT).forge is None


APP = {"PROMOTER_GITHUB_APP": "Iv23liAbCdEf", "PROMOTER_GITHUB_APP_KEY_FILE": "/run/secrets/app.pem"}
ON_GITHUB = {"PROMOTER_REPOSITORY": "https://github.com/shop/models.git"}
PAGE = {"PROMOTER_FORGE": "github+https://github.com/shop/models"}


def test_a_github_app_serves_git_and_the_forge():
    told = settings(ENVIRONMENT | ON_GITHUB | PAGE | APP)
    app = GitHubApp(
        "Iv23liAbCdEf", Path("/run/secrets/app.pem"), "https://github.com/shop/models", None, asks=True, merges=False
    )
    assert told.git.token_from == told.forge.token_from == app
    merging = settings(ENVIRONMENT | ON_GITHUB | PAGE | APP | {"PROMOTER_COMMITS": "pull-request"})
    assert merging.forge.token_from == replace(app, merges=True)
    numbered = settings(ENVIRONMENT | ON_GITHUB | PAGE | APP | {"PROMOTER_GITHUB_APP_INSTALLATION": "4711"})
    assert numbered.forge.token_from.installation == 4711


def test_a_github_app_serves_git_alone_where_no_forge_is_named():
    for url in ("https://github.com/shop/models.git", "https://bot@github.com/shop/models"):
        remote = git_remote(ENVIRONMENT | APP | {"PROMOTER_REPOSITORY": url})
        assert (remote.token_from.url, remote.token_from.asks) == ("https://github.com/shop/models", False)


def test_a_github_apps_tokens_are_for_its_own_server_and_a_file_for_git_goes_before_them():
    elsewhere = {"PROMOTER_REPOSITORY": "https://mirror.example.com/shop/models.git"}
    assert settings(ENVIRONMENT | elsewhere | PAGE | APP).git.token_from is None
    by_key = {"PROMOTER_REPOSITORY": "git@github.com:shop/models.git"}
    assert settings(ENVIRONMENT | by_key | PAGE | APP).git.token_from is None
    told = settings(ENVIRONMENT | ON_GITHUB | PAGE | APP | {"PROMOTER_GIT_TOKEN_FILE": "/run/secrets/git"})
    assert told.git.token_from == Path("/run/secrets/git")
    assert isinstance(told.forge.token_from, GitHubApp)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"PROMOTER_GITHUB_APP": ""}, "PROMOTER_GITHUB_APP is not set"),
        ({"PROMOTER_GITHUB_APP_KEY_FILE": ""}, "PROMOTER_GITHUB_APP_KEY_FILE is not set"),
        ({"PROMOTER_GITHUB_APP_INSTALLATION": "shop"}, "PROMOTER_GITHUB_APP_INSTALLATION is 'shop', and no number"),
        ({"PROMOTER_FORGE_TOKEN_FILE": "/run/secrets/forge"}, "PROMOTER_FORGE_TOKEN_FILE as well"),
        ({"PROMOTER_FORGE": "gitea+https://git.example.com/shop/models"}, "PROMOTER_FORGE is no repository on GitHub"),
        ({"PROMOTER_FORGE": "", "PROMOTER_REPOSITORY": "git@github.com:shop/models"}, "PROMOTER_REPOSITORY is no repo"),
    ],
)
def test_a_github_app_that_cannot_be_used_is_named(changed, sentence):
    with pytest.raises(InvalidSettings, match=re.escape(sentence)):
        settings(ENVIRONMENT | ON_GITHUB | PAGE | APP | changed)


def test_commits_are_pushed_unless_they_are_to_go_by_pull_request_to_a_forge():
    assert settings(ENVIRONMENT).commits == "push"
    forge = {"PROMOTER_FORGE": "gitea+https://git.example.com/shop/models", "PROMOTER_GIT_TOKEN_FILE": "/a"}
    assert settings(ENVIRONMENT | forge).commits == "push"
    assert settings(ENVIRONMENT | forge | {"PROMOTER_COMMITS": "pull-request"}).commits == "pull-request"


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"PROMOTER_COMMITS": "pull-request"}, "PROMOTER_FORGE is not set: without a forge there are none"),
        ({"PROMOTER_COMMITS": "merge"}, "PROMOTER_COMMITS is 'merge'; use push or pull-request"),
        ({"PROMOTER_FORGE": "https://git.example.com/shop/models"}, "write gitea+, github+ or gitlab+"),
        ({"PROMOTER_FORGE": "gogs+https://git.example.com/shop/models"}, "write gitea+, github+ or gitlab+"),
        ({"PROMOTER_FORGE": "gitea+ssh://git.example.com/shop/models"}, "write gitea+, github+ or gitlab+"),
        ({"PROMOTER_FORGE": "gitea+https://git.example.com/shop/models"}, "PROMOTER_FORGE needs a token"),
        ({"PROMOTER_WEBHOOK_SECRET_FILE": "/run/secrets/webhook"}, "PROMOTER_LISTEN is not"),
    ],
)
def test_a_forge_that_cannot_be_used_is_named(changed, sentence):
    with pytest.raises(InvalidSettings, match=re.escape(sentence)):
        settings(ENVIRONMENT | changed)
