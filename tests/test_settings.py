"""Environment variables to settings, or every fault at once."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest

from promoter.domain.measurements import ProxyMetrics
from promoter.domain.preflight import PreflightPlace
from promoter.errors import InvalidSettings
from promoter.settings import ForgeServer, LeaseName, Listen, WorkflowServer, git_remote, settings

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
    assert told.forge.token_file == Path("/b")
    assert told.forge.rights_token_file is None
    told = settings(given | {"PROMOTER_GIT_TOKEN_FILE": "/a", "PROMOTER_FORGE_RIGHTS_TOKEN_FILE": "/c"})
    assert (told.forge.token_file, told.forge.rights_token_file) == (Path("/a"), Path("/c"))
    assert settings(ENVIRONMENT).forge is None


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
