"""charts/promoter renders what Kubernetes takes and what the promoter understands, and no more than it needs."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path

import helm_python
import jsonschema
import kubernetes_validate
import pytest
from chart_readme import described
from promoter_rendering import CHART, SITUATIONS, render, situation

from promoter.settings import settings

CUSTOM = {"PodMonitor", "PrometheusRule"}
VERSIONS = ["1.30", kubernetes_validate.latest_version()]


def with_value(values, key, value):
    """The values with one of them changed, by its dotted path; None takes it away."""
    values = copy.deepcopy(values)
    *above, last = key.split(".")
    node = values
    for part in above:
        node = node.setdefault(part, {})
    if value is None:
        node.pop(last, None)
    else:
        node[last] = value
    return values


def container(objects):
    (only,) = objects["Deployment"]["spec"]["template"]["spec"]["containers"]
    return only


def environment(objects):
    """What the service's process is told."""
    given = {entry["name"]: entry.get("value") for entry in container(objects)["env"]}
    program, *assigned, name = container(objects)["command"]
    assert (program, name) == ("env", "promoter")
    return given | dict(assignment.split("=", 1) for assignment in assigned)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", SITUATIONS)
def test_kubernetes_takes_its_own_kinds_strictly(name, version):
    for kind, made in render(situation(name)).items():
        if kind not in CUSTOM:
            kubernetes_validate.validate(made, version, strict=True)


def test_the_operators_kinds_have_the_shape_of_their_definitions():
    objects = render(situation("full"))
    for kind in CUSTOM:
        definition = Path(__file__).parent / "custom_resources" / f"{kind.lower()}.json"
        jsonschema.validate(objects[kind], json.loads(definition.read_text(encoding="utf-8")))


@pytest.mark.parametrize("name", SITUATIONS)
def test_the_promoter_understands_its_environment(name):
    told = settings(
        environment(render(situation(name))) | {"KUBERNETES_SERVICE_HOST": "::1", "KUBERNETES_SERVICE_PORT": "443"}
    )
    assert told.listen is not None
    assert told.listen.port == 8080
    assert (told.lease.namespace, told.lease.name) == ("serving-tools", "promoter")
    assert told.lease.api_server == "https://[::1]:443"
    assert told.git.author_email == "promoter@example.com"


def test_defaults_are_the_promoters_own():
    bare = {
        name: value
        for name, value in environment(render(situation("https"))).items()
        if not re.search("INTERVAL|PASS|TIME|DEADLINE|PAUSE", name)
    }
    cluster = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}
    assert settings(bare | cluster) == settings(environment(render(situation("https"))) | cluster)


@pytest.mark.parametrize("name", SITUATIONS)
def test_files_that_the_environment_names_are_mounted(name):
    objects = render(situation(name))
    pod = objects["Deployment"]["spec"]["template"]["spec"]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    files = set()
    for mount in container(objects)["volumeMounts"]:
        source = volumes.pop(mount["name"])
        items = source.get("secret", source.get("configMap", {})).get("items", [])
        assert "emptyDir" in source or mount["readOnly"]
        files |= {f"{mount['mountPath']}/{item['path']}" for item in items}
        if mount["name"] == "notify":
            # The file of routes names others beside it, so the whole Secret is there.
            files.add("/etc/promoter/notify/routes.yaml")
    assert not volumes
    named = {value for name, value in environment(objects).items() if value and value[:5] == "/etc/" and name != "HOME"}
    assert named == files - {"/etc/promoter/home/.ssh/known_hosts"}


def test_whoever_looks_by_hand_in_the_pod_does_not_share_the_clone_of_the_service():
    objects = render(situation("https"))
    clone = environment(objects)["PROMOTER_CLONE"]
    by_hand = {entry["name"]: entry.get("value") for entry in container(objects)["env"]}
    assert "PROMOTER_CLONE" not in by_hand
    assert not clone.startswith(by_hand["XDG_CACHE_HOME"])
    volumes = {mount["mountPath"] for mount in container(objects)["volumeMounts"] if not mount.get("readOnly")}
    for folder in (clone, by_hand["XDG_CACHE_HOME"]):
        assert any(folder.startswith(f"{path}/") for path in volumes)


@pytest.mark.parametrize("name", SITUATIONS)
def test_it_runs_with_no_right_that_it_does_not_need(name):
    objects = render(situation(name))
    pod = objects["Deployment"]["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == 10001
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container(objects)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert objects["Role"]["rules"] == [
        {
            "apiGroups": ["coordination.k8s.io"],
            "resources": ["leases"],
            "resourceNames": ["promoter"],
            "verbs": ["get", "update"],
        },
        {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["create"]},
    ]
    assert "@sha256:" in container(objects)["image"]
    for entry in container(objects)["env"]:
        assert not ("valueFrom" in entry and entry["name"].startswith("PROMOTER_"))


def test_a_new_pod_is_there_before_an_old_one_goes_and_one_stays_when_nodes_are_drained():
    objects = render(situation("https"))
    assert objects["Deployment"]["spec"]["replicas"] == 2
    assert objects["Deployment"]["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert objects["PodDisruptionBudget"]["spec"]["maxUnavailable"] == 1
    assert "PodDisruptionBudget" not in render(situation("single"))


def ways_out(objects):
    return {
        (json.dumps(target, sort_keys=True), port["port"])
        for rule in objects["NetworkPolicy"]["spec"]["egress"]
        for target in rule["to"]
        for port in rule["ports"]
    }


def test_only_prometheus_comes_in_and_only_the_peers_are_reached():
    objects = render(situation("https"))
    (entrance,) = objects["NetworkPolicy"]["spec"]["ingress"]
    assert entrance["from"] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]
    assert entrance["ports"] == [{"port": "http", "protocol": "TCP"}]
    spaces = {
        re.findall(r'metadata.name": "([^"]+)"', target)[0]
        for target, _ in ways_out(objects)
        if "namespaceSelector" in target
    }
    assert spaces == {"argo", "argocd", "kube-system", "monitoring"}
    assert {port for target, port in ways_out(objects) if "0.0.0.0/0" in target} == {22, 443, 6443}
    assert all("169.254.0.0/16" in target for target, _ in ways_out(objects) if '"0.0.0.0/0"' in target)
    # With workload identity, and only then.
    assert {port for target, port in ways_out(objects) if target == '{"ipBlock": {"cidr": "169.254.0.0/16"}}'} == {
        80,
        988,
    }
    assert not any('{"cidr": "169.254.0.0/16"}' in target for target, _ in ways_out(render(situation("full"))))


def test_who_has_no_stores_has_no_way_out_to_them():
    values = situation("https") | {"stores": {}, "networkPolicy": {"git": {"cidrs": []}, "kubernetes": {"cidrs": []}}}
    assert not any("ipBlock" in target for target, _ in ways_out(render(values)))


@pytest.mark.parametrize(
    ("key", "value", "where"),
    [
        ("image.digest", None, "/image/digest"),
        ("image.digest", "latest", "/image/digest"),
        ("image.tag", "1.0", "/image"),
        ("image.repository", "registry.example.com/promoter:1.0@", "/image/repository"),
        ("git.repository", None, "/git/repository"),
        ("git.repository", "https://token@git.example.com/a.git", "/git/repository"),
        ("git.repository", "git@git.example.com:a.git", "/git"),
        ("git.token.secretName", "", "/git"),
        ("git.author.email", "", "/git/author/email"),
        ("git.scope", ["a,b"], "/git/scope/0"),
        ("argocd.token.secretName", "", "/argocd/token/secretName"),
        ("argocd.url", "argocd.example.com", "/argocd/url"),
        ("prometheus.proxyMetrics", "nginx", "/prometheus/proxyMetrics"),
        ("stores.allowed", ["file:///models"], "/stores/allowed/0"),
        ("preflight", "here", "/preflight"),
        ("workflows.url", "", "/workflows/url"),
        ("timing.passInterval", "5", "/timing/passInterval"),
        ("timing.passInterval", "", "/timing/passInterval"),
        ("forge.commits", "merge", "/forge/commits"),
        ("forge.commits", "pull-request", "/forge/address"),
        ("replicaCount", 0, "/replicaCount"),
        ("podSecurity.runAsUser", 0, "/podSecurity/runAsUser"),
        ("extraEnv", [{"name": "PROMOTER_LEASE", "value": ""}], "/extraEnv/0/name"),
        ("monitoring.rules.enabled", True, "/monitoring/rules/enabled"),
        ("leaderElection", True, ""),
    ],
)
def test_what_does_not_fit_is_refused_where_it_stands(key, value, where):
    with pytest.raises(helm_python.HelmValuesError, match=f"'{where}'|{where}"):
        render(with_value(situation("https"), key, value))


@pytest.mark.parametrize(
    ("key", "value", "where"),
    [
        ("githubApp.id", "", "/git/token/secretName|githubApp"),
        ("githubApp.privateKey.secretName", "", "/githubApp/privateKey/secretName"),
        ("githubApp.installation", "shop", "/githubApp/installation"),
        ("githubApp.key", "-----BEGIN", "/githubApp"),
        ("forge.token.secretName", "promoter-forge", "/forge/token/secretName"),
        ("forge.address", "gitea+https://git.example.com/shop/models", "/forge/address"),
    ],
)
def test_an_app_that_cannot_be_used_is_refused(key, value, where):
    with pytest.raises(helm_python.HelmValuesError, match=where):
        render(with_value(situation("github-app"), key, value))


def test_an_apps_key_is_mounted_and_its_number_may_be_left_out():
    values = with_value(situation("github-app"), "githubApp.installation", None)
    told = environment(render(values))
    assert told["PROMOTER_GITHUB_APP_KEY_FILE"] == "/etc/promoter/github-app/private-key.pem"
    assert "PROMOTER_GITHUB_APP_INSTALLATION" not in told
    without = with_value(situation("https"), "githubApp.privateKey.secretName", "promoter-github-app")
    assert not any("GITHUB" in name for name in environment(render(without)))


def test_alerts_without_a_runbook_are_refused():
    with pytest.raises(helm_python.HelmValuesError, match="/monitoring/rules/runbookUrl"):
        render(with_value(situation("full"), "monitoring.rules.runbookUrl", None))


def test_a_webhook_comes_through_a_service_from_one_namespace():
    objects = render(situation("full"))
    (port,) = objects["Service"]["spec"]["ports"]
    assert (port["port"], port["targetPort"]) == (80, "http")
    labels = objects["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert objects["Service"]["spec"]["selector"].items() <= labels.items()
    (entrance,) = objects["NetworkPolicy"]["spec"]["ingress"]
    names = [peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"] for peer in entrance["from"]]
    assert names == ["monitoring", "gateways"]


def test_without_a_webhook_nothing_leads_to_the_promoter_but_prometheus():
    objects = render(with_value(situation("full"), "forge.webhook.secretName", None))
    assert "Service" not in objects
    (entrance,) = objects["NetworkPolicy"]["spec"]["ingress"]
    assert len(entrance["from"]) == 1


def test_every_value_is_described():
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    assert [key for key, text in described(schema) if not text] == []


def test_every_setting_can_be_set_by_the_chart():
    documented = (CHART.parents[1] / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")
    rendered = set().union(*(environment(render(situation(name))) for name in SITUATIONS))
    assert set(re.findall(r"`(PROMOTER_[A-Z0-9_]+)`", documented)) == {
        name for name in rendered if name[:9] == "PROMOTER_"
    }
