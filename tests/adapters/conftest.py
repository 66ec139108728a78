"""Servers that speak the clouds' protocols, one of each for all tests of a process."""

from __future__ import annotations

import pytest
from cloud_storage import cloud_storage
from scripted_server import scripted_server
from simple_storage import simple_storage
from store_kinds import FolderKind, GsKind, S3Kind


@pytest.fixture(scope="module")
def one_server():
    with scripted_server() as server:
        yield server


@pytest.fixture
def server(one_server):
    """A server that answers what a test tells it to."""
    one_server.answers.clear()
    one_server.requests.clear()
    return one_server


@pytest.fixture(scope="session")
def _cloud_server():
    with cloud_storage() as cloud:
        yield cloud


@pytest.fixture(scope="session")
def _aws_server():
    with simple_storage() as aws:
        yield aws


@pytest.fixture
def cloud(_cloud_server, monkeypatch):
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", _cloud_server.url)
    _cloud_server.faults, _cloud_server.always, _cloud_server.content = [], None, None
    _cloud_server.requests.clear()
    return _cloud_server


@pytest.fixture
def aws(_aws_server, monkeypatch):
    for name, value in {
        "AWS_ENDPOINT_URL_S3": _aws_server.url,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "AWS-SECRET-KEY",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    _aws_server.faults, _aws_server.always, _aws_server.content = [], None, None
    _aws_server.requests.clear()
    return _aws_server


@pytest.fixture(params=["file", "gs", "s3"])
def kind(request, tmp_path):
    """One store of each kind, and nothing in it."""
    if request.param == "file":
        return FolderKind(tmp_path / "ranker")
    if request.param == "gs":
        return GsKind(request.getfixturevalue("cloud"))
    return S3Kind(request.getfixturevalue("aws"))


@pytest.fixture(params=["gs", "s3"])
def bucket(request):
    """One store in each cloud, and nothing in it."""
    return GsKind(request.getfixturevalue("cloud")) if request.param == "gs" else S3Kind(request.getfixturevalue("aws"))
