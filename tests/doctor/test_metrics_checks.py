"""What doctor says of a real Prometheus: versions that are scraped, not often enough, or not at all."""

from __future__ import annotations

import time

import pytest
from real_prometheus import real_prometheus
from scripted_server import body

from promoter.doctor import git_checks, metrics_checks
from promoter.doctor.finding import Status, examine


def scraped(model, version, step, now, *, requests=True, up=1):
    """What a Prometheus that scrapes every `step` seconds holds of one pod's last minute."""
    labels = f'namespace="production",pod="{model}-0",model="{model}",model_version="{version}"'
    times = range(now - 60, now, step)
    lines = [f"up{{{labels}}} {up} {moment}" for moment in times]
    if requests:
        counter = f':tensorflow:serving:request_count{{{labels},model_name="{model}",status="OK"}}'
        lines += [f"{counter} {position} {moment}" for position, moment in enumerate(times)]
    return lines


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory):
    now = int(time.time())
    models = [
        scraped("ranker", 42, 5, now),
        scraped("slow", 42, 15, now),
        scraped("other", 41, 5, now),
        scraped("quiet", 42, 5, now, requests=False),
        scraped("broken", 42, 5, now, up=0),
    ]
    lines = sorted(line for model in models for line in model)
    with real_prometheus(tmp_path_factory.mktemp("prometheus"), "\n".join(lines)) as url:
        yield url


def look(patient):
    checks = (*git_checks.CHECKS, *metrics_checks.CHECKS)
    return {result.check.name: result for result in examine(checks, patient)}


@pytest.mark.parametrize(
    ("model", "expected", "said"),
    [
        ("ranker", Status.OK, "1 of 1 models serve a version"),
        ("slow", Status.FAILURE, "is scraped every 15 s, and the promoter is told 5 s"),
        ("other", Status.FAILURE, "no pod of version 42 is scraped"),
        ("quiet", Status.WARNING, "has counted no request"),
        ("broken", Status.FAILURE, "no scrape succeeds"),
    ],
)
def test_a_served_version_is_there_and_as_often_as_it_should_be(patient, remote, prometheus, model, expected, said):
    release = remote.show("environments/production/ranker/release.yaml")
    folder = {"environments/production/ranker/release.yaml": None, "environments/staging/ranker/release.yaml": None}
    remote.commit(folder, "None")
    remote.commit({f"environments/production/{model}/release.yaml": f"{release}\n"}, "One")
    result = look(patient(prometheus_url=prometheus))["series"]
    assert result.status is expected, result.findings
    assert said in result.findings[0].what


def test_a_prometheus_that_warns_is_not_relied_on(patient, server):
    server.answers[""] = body(b'{"status": "success", "warnings": ["one store is away"], "data": {}}')
    results = look(patient())
    assert results["prometheus"].status is Status.FAILURE
    assert results["series"].status is Status.UNTOLD


def test_something_else_at_the_address_is_no_prometheus(patient, server):
    server.answers[""] = body(b"<html>")
    assert look(patient())["prometheus"].status is Status.FAILURE
