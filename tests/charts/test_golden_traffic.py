"""What sends golden requests: a pod that nothing else of the model takes for its own."""

from __future__ import annotations

import pytest
from rendering import of_kind, render, situation

from promoter.cli.golden_send import send


def sender(values):
    return of_kind(render(values), "Deployment")["resnet50-golden"]


def container(values):
    (found,) = sender(values)["spec"]["template"]["spec"]["containers"]
    return found


def given(values):
    """What the command takes from the arguments."""
    command = container(values)
    assert command["command"] == ["promoter"]
    assert command["args"][:2] == ["golden", "send"]
    return send.make_context("send", command["args"][2:]).params


def test_the_command_takes_its_arguments_and_asks_stables_requests():
    params = given(situation("golden-traffic"))
    assert params["source"] == "s3://shop-models/resnet50/42"
    assert (params["url"], params["host"]) == ("http://gateway.istio-ingress", "resnet50.staging.example.com")
    assert (params["rate"], params["model"], params["timeout"].total_seconds()) == (5, "resnet50", 10)


def test_a_rate_below_one_and_a_host_of_its_own_arrive():
    values = situation("golden-traffic")
    values["goldenTraffic"] |= {"requestsPerSecond": 0.2, "host": "other.example.com"}
    params = given(values)
    assert (params["rate"], params["host"]) == (0.2, "other.example.com")


def test_without_a_stable_version_there_is_nothing_to_send():
    values = situation("golden-traffic") | {"release": {}}
    assert "resnet50-golden" not in of_kind(render(values), "Deployment")
    assert "resnet50-golden" not in of_kind(render(values), "NetworkPolicy")


def test_a_rollout_restarts_no_sender_until_stable_changes():
    values = situation("golden-traffic")
    during = sender(values)
    values["release"]["canary"] |= {"weight": 100, "replicas": 2}
    assert sender(values) == during
    values["release"] = {"stable": {**values["release"]["canary"], "replicas": 2}}
    for key in ("weight", "since"):
        values["release"]["stable"].pop(key)
    assert container(values)["args"][2] == "s3://shop-models/resnet50/43"


def test_no_selector_of_the_model_takes_the_sender_for_a_server():
    objects = render(situation("golden-traffic"))
    labels = sender(situation("golden-traffic"))["spec"]["template"]["metadata"]["labels"]
    selectors = [
        (manifest["kind"], manifest["metadata"]["name"], selector)
        for manifest in objects
        for key in ("selector", "podSelector")
        if (found := manifest.get("spec", {}).get(key)) and (selector := found.get("matchLabels", found))
    ]
    assert {(kind, name) for kind, name, selector in selectors if selector.items() <= labels.items()} == {
        ("Deployment", "resnet50-golden"),
        ("NetworkPolicy", "resnet50-golden"),
    }


def test_the_sender_may_do_little_and_reach_what_it_needs():
    values = situation("golden-traffic")
    values["goldenTraffic"]["namespaces"] = ["proxies", "istio-ingress"]
    pod = sender(values)["spec"]["template"]["spec"]
    (found,) = pod["containers"]
    assert found["securityContext"]["readOnlyRootFilesystem"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert not pod["automountServiceAccountToken"]
    policy = of_kind(render(values), "NetworkPolicy")["resnet50-golden"]["spec"]
    assert policy["ingress"] == []
    assert policy["egress"][0]["to"] == [
        {"podSelector": {}},
        *(
            {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}
            for name in ("istio-ingress", "proxies")
        ),
    ]


@pytest.mark.parametrize(
    ("name", "mounts"),
    [("gcs", {"tmp"}), ("stable-only", {"tmp", "model"})],
)
def test_a_store_of_another_kind_is_read_too(name, mounts):
    values = situation(name)
    values["goldenTraffic"] = situation("golden-traffic")["goldenTraffic"]
    uri, version = values["model"]["storageUri"], values["release"]["stable"]["version"]
    params = given(values)
    assert params["source"] == f"{uri}/{version}"
    if values["model"].get("volume"):
        assert {mount["name"] for mount in container(values)["volumeMounts"]} == mounts
