"""The model server's pod: its flags exist, its configuration pins one version, and it holds few rights."""

from __future__ import annotations

import copy
import hashlib
import re
from pathlib import Path

import pytest
from rendering import SITUATIONS, of_kind, render, situation

# TensorFlow Serving only prints a line on a flag that it does not know.
KNOWN_FLAGS = set((Path(__file__).parent / "server_flags.txt").read_text(encoding="utf-8").split())


def pods(values):
    found = of_kind(render(values), "Deployment")
    return {name: manifest["spec"]["template"] for name, manifest in found.items() if name != "resnet50-golden"}


def container(values):
    (only,) = next(iter(pods(values).values()))["spec"]["containers"]
    return only


def flags(values):
    return dict(argument.removeprefix("--").split("=", 1) for argument in container(values)["args"])


def with_cpu(limit):
    values = copy.deepcopy(situation("stable-only"))
    values["resources"] = {"limits": {"cpu": limit}}
    return values


@pytest.mark.parametrize("name", sorted(SITUATIONS.keys() - {"no-release"}))
def test_every_flag_is_one_that_the_server_knows(name):
    assert flags(situation(name)).keys() <= KNOWN_FLAGS
    assert container(situation(name))["command"] == ["/usr/bin/tensorflow_model_server"]


@pytest.mark.parametrize(
    ("limit", "cpus"), [("2", 2), (4, 4), ("500m", 1), ("2500m", 3), (1.5, 2), ("8.0", 8), (0.2, 1), ("64", 64)]
)
def test_thread_pools_follow_the_limit_and_not_the_node(limit, cpus):
    found = flags(with_cpu(limit))
    assert found["tensorflow_intra_op_parallelism"] == found["tensorflow_inter_op_parallelism"] == str(cpus)
    assert found["grpc_max_threads"] == found["rest_api_num_threads"] == str(16 * cpus)


def test_the_server_gives_up_when_the_route_does():
    assert flags(situation("gcs"))["rest_api_timeout_in_ms"] == "30000"


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("gs://shop-models/resnet50", "gs://shop-models/resnet50"),
        ("gs://shop-models/vision/resnet50/", "gs://shop-models/vision/resnet50"),
        ("file:///models/resnet50", "/models/resnet50"),
        ("file:///home/jo%20doe/models/", "/home/jo doe/models"),
        ('file:///a"quote/and%5Cbackslash', r"/a\"quote/and\\backslash"),
    ],
)
def test_the_configuration_pins_one_version_of_one_model(uri, path):
    values = copy.deepcopy(situation("first-step"))
    values["model"]["storageUri"] = uri
    for name, config in of_kind(render(values), "ConfigMap").items():
        text = config["data"]["models.config"]
        assert re.findall(r'^ +name: "(.*)"$', text, re.MULTILINE) == ["resnet50"]
        assert re.findall(r'^ +base_path: "(.*)"$', text, re.MULTILINE) == [path]
        assert re.findall(r"^ +versions: (\d+)$", text, re.MULTILINE) == [name.removeprefix("resnet50-v")]


def test_monitoring_is_always_on_where_the_monitor_looks():
    (monitor,) = of_kind(render(situation("stable-only")), "PodMonitor").values()
    (path,) = {endpoint["path"] for endpoint in monitor["spec"]["podMetricsEndpoints"]}
    unmonitored = {**situation("stable-only"), "monitoring": {"enabled": False}}
    (config,) = of_kind(render(unmonitored), "ConfigMap").values()
    assert f'path: "{path}"' in config["data"]["monitoring.config"]
    assert of_kind(render(unmonitored), "PodMonitor") == {}


def test_the_pod_template_holds_the_checksum_of_its_own_configuration():
    sums = {
        template["metadata"]["annotations"]["checksum/config"] for template in pods(situation("first-step")).values()
    }
    assert len(sums) == 2
    assert all(len(bytes.fromhex(found)) == hashlib.sha256().digest_size for found in sums)


def test_the_files_that_the_flags_name_are_mounted():
    found = flags(situation("stable-only"))
    (config,) = of_kind(render(situation("stable-only")), "ConfigMap").values()
    mounts = {mount["name"]: mount["mountPath"] for mount in container(situation("stable-only"))["volumeMounts"]}
    for flag in ("model_config_file", "monitoring_config_file"):
        folder, _, name = found[flag].rpartition("/")
        assert folder == mounts["config"]
        assert name in config["data"]


def test_a_volume_is_mounted_read_only_where_the_versions_are_looked_for():
    mounts = {mount["name"]: mount for mount in container(situation("stable-only"))["volumeMounts"]}
    assert mounts["model"] == {"name": "model", "mountPath": "/models/resnet50", "readOnly": True}
    spec = pods(situation("stable-only"))["resnet50-v42"]["spec"]
    assert {"name": "model", "persistentVolumeClaim": {"claimName": "models"}} in spec["volumes"]


def test_probes_ask_over_grpc_which_no_metric_counts():
    server = container(situation("stable-only"))
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert server[probe]["grpc"] == {"port": int(flags(situation("stable-only"))["port"])}
    assert flags(situation("stable-only"))["enable_grpc_healthcheck_service"] == "true"


@pytest.mark.parametrize("seconds", [10, 11, 600, 86400])
def test_a_start_is_given_its_deadline_and_reported_as_failed_only_later(seconds):
    values = {**situation("stable-only"), "startupDeadlineSeconds": seconds}
    probe = container(values)["startupProbe"]
    (deployment,) = of_kind(render(values), "Deployment").values()
    assert seconds <= probe["periodSeconds"] * probe["failureThreshold"] < seconds + probe["periodSeconds"]
    assert deployment["spec"]["progressDeadlineSeconds"] > seconds


def test_a_pod_that_leaves_drains_before_it_is_killed():
    for name, drain in (("stable-only", 15), ("gcs", 40)):
        (template,) = pods(situation(name)).values()
        assert container(situation(name))["lifecycle"] == {"preStop": {"sleep": {"seconds": drain}}}
        assert template["spec"]["terminationGracePeriodSeconds"] == drain + 5
        assert f"terminationDrainDuration: {drain}s" in template["metadata"]["annotations"]["proxy.istio.io/config"]


def test_new_pods_come_before_old_ones_go():
    (deployment,) = of_kind(render(situation("stable-only")), "Deployment").values()
    assert deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


def test_the_server_holds_no_right_that_it_does_not_need():
    (template,) = pods(situation("stable-only")).values()
    assert template["spec"]["automountServiceAccountToken"] is False
    assert template["spec"]["securityContext"]["runAsNonRoot"] is True
    assert container(situation("stable-only"))["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_a_digest_pins_the_image():
    image = container(situation("gcs"))["image"]
    assert re.fullmatch(r"tensorflow/serving:2\.20\.0@sha256:[0-9a-f]{64}", image)
    assert container(situation("stable-only"))["image"] == "tensorflow/serving:2.20.0"


def with_batching(**batching):
    return {**situation("stable-only"), "batching": {"enabled": True, **batching}}


def test_batches_are_sized_by_people_and_their_threads_by_the_limit():
    (config,) = of_kind(render(with_batching(maxBatchSize=64, batchTimeoutMicros=500)), "ConfigMap").values()
    assert config["data"]["batching.config"].splitlines() == [
        "max_batch_size { value: 64 }",
        "batch_timeout_micros { value: 500 }",
        "max_enqueued_batches { value: 2 }",
        "num_batch_threads { value: 2 }",
    ]
    found = flags(with_batching(maxBatchSize=64))
    assert (found["enable_batching"], found["batching_parameters_file"]) == (
        "true",
        "/etc/model-server/batching.config",
    )


def test_calls_enough_for_two_batches_are_let_in():
    assert flags(with_batching(maxBatchSize=64))["grpc_max_threads"] == "128"
    assert flags(with_batching(maxBatchSize=8))["grpc_max_threads"] == "32"


def test_without_batching_there_is_no_trace_of_it():
    (config,) = of_kind(render(situation("stable-only")), "ConfigMap").values()
    assert "batching.config" not in config["data"]
    assert "enable_batching" not in flags(situation("stable-only"))


def test_what_people_set_wins_over_the_limit():
    found = flags(situation("gpu"))
    threads = [found[f"tensorflow_{kind}_op_parallelism"] for kind in ("intra", "inter")]
    assert [*threads, found["grpc_max_threads"], found["rest_api_num_threads"]] == ["4", "2", "512", "16"]
    assert found["num_request_iterations_for_warmup"] == "3"


def test_a_gpu_brings_what_its_pods_need():
    (template,) = pods(situation("gpu")).values()
    spec = template["spec"]
    assert container(situation("gpu"))["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert spec["runtimeClassName"] == "nvidia"
    assert spec["nodeSelector"] == {"cloud.google.com/gke-accelerator": "nvidia-l4"}
    assert spec["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
    assert spec["imagePullSecrets"] == [{"name": "registry"}]


def test_a_key_of_the_store_is_mounted_where_the_server_looks():
    server = container(situation("gpu"))
    environment = {entry["name"]: entry["value"] for entry in server["env"]}
    mounts = {mount["name"]: mount for mount in server["volumeMounts"]}
    assert environment["GOOGLE_APPLICATION_CREDENTIALS"] == f"{mounts['gcs']['mountPath']}/key.json"
    (secret,) = of_kind(render(situation("gpu")), "ExternalSecret").values()
    (template,) = pods(situation("gpu")).values()
    (volume,) = [volume for volume in template["spec"]["volumes"] if volume["name"] == "gcs"]
    assert secret["spec"]["target"]["name"] == volume["secret"]["secretName"]
    assert [entry["secretKey"] for entry in secret["spec"]["data"]] == ["key.json"]


def test_a_version_from_s3_is_copied_and_checked_before_the_server_starts():
    (template,) = pods(situation("s3")).values()
    (fetch,) = template["spec"]["initContainers"]
    digest = situation("s3")["release"]["stable"]["digest"]
    source, folder = "s3://shop-models/resnet50/42", "/models/resnet50/42"
    assert [*fetch["command"], *fetch["args"]] == ["promoter", "fetch", source, folder, f"--digest={digest}"]
    (written,) = [mount for mount in fetch["volumeMounts"] if mount["name"] == "model"]
    (read,) = [mount for mount in container(situation("s3"))["volumeMounts"] if mount["name"] == "model"]
    assert read == {**written, "readOnly": True}
    (config,) = of_kind(render(situation("s3")), "ConfigMap").values()
    assert f'base_path: "{read["mountPath"]}"' in config["data"]["models.config"]
    assert fetch["securityContext"] == container(situation("s3"))["securityContext"]


def test_spreading_looks_at_one_version():
    for template in pods(situation("keda")).values():
        (rule,) = template["spec"]["topologySpreadConstraints"]
        assert rule["labelSelector"]["matchLabels"] == template["metadata"]["labels"]
        assert rule["whenUnsatisfiable"] == "ScheduleAnyway"
