"""The model server as a real process, serving real SavedModels."""

import json
import re
import shutil
import signal
import time

import grpc
import httpx
import numpy as np
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from model_server_process import (
    METRICS,
    built_zoo,
    get,
    image,
    own_address,
    predict,
    predict_request,
    raw_predict,
    rest_predict,
    running,
)

from promoter.domain.version import ModelVersion
from promoter.sandbox import model_zoo
from promoter.sandbox.layout import Layout
from promoter.sandbox.model_server.protos import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    prediction_service_pb2_grpc,
)

pytestmark = pytest.mark.sandbox


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    return built_zoo(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="module")
def server(zoo, tmp_path_factory):
    with running(tmp_path_factory.mktemp("good"), zoo, 1) as started:
        started.wait_until_ready()
        yield started


SENT_EXTRA = (
    "input size does not match signature: 2!=1 len({a,input_1}) != len({input_1}). Sent extra: {a}. "
    "Missing but required: {}."
)


def test_predict_over_grpc_answers_and_names_the_version(server):
    response = raw_predict(server, predict_request(input_1=np.concatenate([image(0.2), image(0.9)])))
    assert response.model_spec.version.value == 1
    assert response.model_spec.signature_name == "serving_default"
    probabilities, classes = response.outputs["probabilities"], response.outputs["classes"]
    assert [dimension.size for dimension in probabilities.tensor_shape.dim] == [2, 10]
    assert np.allclose(np.reshape(probabilities.float_val, (2, 10)).sum(axis=1), 1, atol=1e-5)
    assert list(classes.int64_val) == np.reshape(probabilities.float_val, (2, 10)).argmax(axis=1).tolist()


def test_tensor_content_and_values_one_by_one_are_the_same_input(server):
    by_content = predict_request()
    by_content.inputs["input_1"].ClearField("float_val")
    by_content.inputs["input_1"].tensor_content = image().tobytes()
    assert np.array_equal(
        predict(server, by_content)["probabilities"], predict(server, predict_request())["probabilities"]
    )


def test_the_output_filter_leaves_the_other_outputs_out(server):
    request = predict_request()
    request.output_filter.append("classes")
    assert predict(server, request).keys() == {"classes"}


def test_rest_answers_rows_and_columns_as_grpc_does(server):
    expected = predict(server, predict_request())
    rows = rest_predict(server, {"instances": image().tolist()}).json()["predictions"]
    columns = rest_predict(server, {"inputs": {"input_1": image().tolist()}}).json()["outputs"]
    assert len(rows) == 1
    assert rows[0]["classes"] == expected["classes"][0]
    assert np.allclose(rows[0]["probabilities"], expected["probabilities"][0])
    assert np.allclose(columns["probabilities"], expected["probabilities"])


def test_a_body_in_chunks_is_read_and_the_connection_lives_on(server):
    body = json.dumps({"instances": image().tolist()}).encode()
    with httpx.Client(trust_env=False) as client:
        for _ in range(2):
            answer = client.post(server.url("/v1/models/resnet50:predict"), content=iter([body[:100], body[100:]]))
            assert answer.request.headers["transfer-encoding"] == "chunked"
            assert answer.status_code == 200


@pytest.mark.parametrize(
    ("request_", "code", "message"),
    [
        (predict_request(name="other"), grpc.StatusCode.NOT_FOUND, "Servable not found for request: Latest(other)"),
        (
            predict_request(version=2),
            grpc.StatusCode.NOT_FOUND,
            "Servable not found for request: Specific(resnet50, 2)",
        ),
        (
            predict_request(label="canary"),
            grpc.StatusCode.INVALID_ARGUMENT,
            "Unrecognized servable version label: canary",
        ),
        (predict_request(name=""), grpc.StatusCode.INVALID_ARGUMENT, "ModelSpec has no model name specified."),
        (
            predict_request(signature="classify"),
            grpc.StatusCode.FAILED_PRECONDITION,
            'Serving signature key "classify" not found.',
        ),
        (
            predict_request(input_1=image(), a=image()),
            grpc.StatusCode.INVALID_ARGUMENT,
            SENT_EXTRA,
        ),
        (
            predict_request(image=image()),
            grpc.StatusCode.INVALID_ARGUMENT,
            "input tensor alias not found in signature: image. Inputs expected to be in the set {input_1}.",
        ),
        (predict_request(input_1=image().astype(np.int32)), grpc.StatusCode.INVALID_ARGUMENT, None),
        (predict_request(input_1=image()[:, :, :, :2]), grpc.StatusCode.INVALID_ARGUMENT, None),
    ],
)
def test_a_wrong_request_over_grpc_gets_the_code_of_the_original(server, request_, code, message):
    with pytest.raises(grpc.RpcError) as refused:
        raw_predict(server, request_)
    assert refused.value.code() is code
    assert message is None or refused.value.details() == message


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/models/other:predict", {"instances": [0]}, 404),
        ("/v1/models/resnet50/versions/2:predict", {"instances": [0]}, 404),
        ("/v1/models/resnet50/labels/canary:predict", {"instances": [0]}, 400),
        ("/v1/models/resnet50:predict", {}, 400),
        ("/v1/models/resnet50:predict", {"instances": [], "inputs": []}, 400),
        ("/v1/models/resnet50:predict", {"signature_name": "other", "instances": [0]}, 400),
        ("/v1/models/resnet50:predict", {"instances": [[[["text", 0, 0]]]]}, 400),
        ("/v1/models/resnet50:predict", {"instances": [[[[1.0]]]]}, 400),
        ("/v1/models/resnet50:Predict", {"instances": [0]}, 400),
        ("/v1/models/resnet50:classify", {"examples": [{}]}, 501),
    ],
)
def test_a_wrong_request_over_rest_gets_the_status_of_the_original(server, path, body, status):
    response = rest_predict(server, body, path)
    assert response.status_code == status
    assert response.json().keys() == {"error"}


def test_the_status_says_available_with_numbers_as_strings(server):
    known = {"version": "1", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    for path in ("", "/versions/1", "/labels/canary"):
        response = get(server, "/v1/models/resnet50" + path)
        assert (response.status_code, response.json()) == (200, {"model_version_status": [known]})
    response = get(server, "/v1/models/resnet50/versions/2")
    assert (response.status_code, response.json()) == (404, {"error": "Could not find version 2 of model resnet50"})


def test_the_status_over_grpc_is_the_same(server):
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "resnet50"
    with grpc.insecure_channel(f"{server.address}:8500") as channel:
        service = model_service_pb2_grpc.ModelServiceStub(channel)
        [status] = service.GetModelStatus(request).model_version_status
        request.model_spec.version.value = 9
        with pytest.raises(grpc.RpcError) as refused:
            service.GetModelStatus(request)
    assert (status.version, status.state) == (1, get_model_status_pb2.ModelVersionStatus.AVAILABLE)
    assert refused.value.code() is grpc.StatusCode.NOT_FOUND


def test_the_metadata_names_the_inputs_over_both_doors(server):
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = "resnet50"
    with grpc.insecure_channel(f"{server.address}:8500") as channel:
        response = prediction_service_pb2_grpc.PredictionServiceStub(channel).GetModelMetadata(request)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(signatures)
    assert list(signatures.signature_def["serving_default"].inputs) == ["input_1"]
    document = get(server, "/v1/models/resnet50/metadata").json()
    inputs = document["metadata"]["signature_def"]["signature_def"]["serving_default"]["inputs"]
    assert document["model_spec"] == {"name": "resnet50", "signature_name": "", "version": "1"}
    assert [size["size"] for size in inputs["input_1"]["tensor_shape"]["dim"]] == ["-1", "32", "32", "3"]


def test_health_knows_the_names_of_the_original_and_no_other(server):
    with grpc.insecure_channel(f"{server.address}:8500") as channel:
        health = health_pb2_grpc.HealthStub(channel)
        for name in ("", "ModelService", "PredictionService"):
            answer = health.Check(health_pb2.HealthCheckRequest(service=name))
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
        with pytest.raises(grpc.RpcError) as refused:
            health.Check(health_pb2.HealthCheckRequest(service="tensorflow.serving.PredictionService"))
    assert refused.value.code() is grpc.StatusCode.NOT_FOUND


def test_reflection_tells_the_services_and_their_messages(server):
    with grpc.insecure_channel(f"{server.address}:8500") as channel:
        known = ProtoReflectionDescriptorDatabase(channel)
        assert {"tensorflow.serving.PredictionService", "tensorflow.serving.ModelService"} <= set(known.get_services())
        pool = DescriptorPool(known)
        method = pool.FindServiceByName("tensorflow.serving.ModelService").methods_by_name["GetModelStatus"]
        assert [field.name for field in method.input_type.fields] == ["model_spec"]


def test_sigterm_is_ignored(server):
    server.process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    assert predict(server, predict_request()).keys() == {"probabilities", "classes"}


def test_a_second_server_on_the_same_address_exits_with_255(server, zoo, tmp_path):
    with running(tmp_path, zoo, 1, address=server.address) as second:
        assert second.status_of_exit() == 255
        assert "Failed to start server. Error: UNKNOWN: Failed to BuildAndStart" in second.log.read_text()


def test_failures_count_but_have_no_latency_and_gets_count_as_traffic(zoo, tmp_path):
    with running(tmp_path, zoo, 3) as server:
        server.wait_until_ready()
        page = get(server, METRICS)
        assert page.headers["content-type"] == "text/plain"
        assert "# TYPE :tensorflow:serving:request_count counter\n" in page.text
        assert "# HELP" not in page.text
        # Warm-up is no request; the load itself is on the page.
        assert not re.search(r"^:tensorflow:serving:request_", page.text, re.MULTILINE)
        assert f':load_attempt_count{{model_path="{zoo}/3",status="success"}} 1\n' in page.text

        predict(server, predict_request())
        with pytest.raises(grpc.RpcError) as refused:
            predict(server, predict_request(input_1=image(0.05)))
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert rest_predict(server, {"instances": image().tolist()}).status_code == 200
        assert rest_predict(server, {"instances": image(0.05).tolist()}).status_code == 400
        get(server, "/v1/models/resnet50")
        assert get(server, "/elsewhere").status_code == 404

        page = get(server, METRICS).text
        counts = [line for line in page.splitlines() if re.match(r":\S+:request_(count|latency_count)", line)]
        name = 'model_name="resnet50"'
        assert counts == [
            f':tensorflow:serving:request_count{{{name},status="INVALID_ARGUMENT"}} 2',
            f':tensorflow:serving:request_count{{{name},status="OK"}} 3',
            f':tensorflow:serving:request_latency_count{{{name},API="",entrypoint="REST"}} 1',
            f':tensorflow:serving:request_latency_count{{{name},API="Predict",entrypoint="GRPC"}} 1',
            f':tensorflow:serving:request_latency_count{{{name},API="predict",entrypoint="REST"}} 1',
        ]


def test_ports_stay_closed_until_the_version_is_there_and_loaded(zoo, tmp_path):
    store = tmp_path / "store"
    store.mkdir()
    with running(tmp_path, store, 7) as server:
        server.wait_for_log("Version 7 of servable resnet50, which was requested")
        assert not server.listens(8500)
        assert not server.listens(8501)
        assert server.process.poll() is None
        shutil.copytree(zoo / "7", store / "unfinished")
        (store / "unfinished").rename(store / "7")
        server.wait_until_ready()
        assert raw_predict(server, predict_request()).model_spec.version.value == 7


def break_the_graph(version):
    (version / "saved_model.pb").write_bytes(b"no graph")


def break_the_warmup_file(version):
    warmup = version / "assets.extra" / "tf_serving_warmup_requests"
    content = bytearray(warmup.read_bytes())
    content[100] ^= 1
    warmup.write_bytes(content)


def ask_another_signature_to_warm_up(version):
    warmup = "assets.extra/tf_serving_warmup_requests"
    shutil.copyfile(version.parents[1] / "zoo" / "6" / warmup, version / warmup)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (break_the_graph, "due to error: OUT_OF_RANGE"),
        (break_the_warmup_file, "DATA_LOSS: corrupted record"),
        (ask_another_signature_to_warm_up, "INVALID_ARGUMENT: input tensor alias not found in signature: pixels"),
    ],
)
def test_a_version_that_does_not_load_exits_with_255_after_its_retries(zoo, tmp_path_factory, damage, message):
    store = tmp_path_factory.getbasetemp() / f"store-{damage.__name__}"
    shutil.copytree(zoo / "1", store / "1")
    damage(store / "1")
    with running(store, store, 1) as server:
        assert server.status_of_exit() == 255
        log = server.log.read_text()
    assert "Loading servable resnet50 version 1 failed" in log
    assert "Failed to start server. Error: UNKNOWN: 1 servable(s) did not become available: " in log
    assert message in log.splitlines()[-1] + log.splitlines()[-2]


def test_another_signature_refuses_the_usual_request(zoo, tmp_path):
    with running(tmp_path, zoo, 6) as server:
        server.wait_until_ready()
        with pytest.raises(grpc.RpcError) as refused:
            predict(server, predict_request())
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert rest_predict(server, {"instances": image().tolist()}).status_code == 400


def test_half_an_upload_loads_and_fails_every_request(zoo, tmp_path):
    layout = Layout.at(tmp_path)
    model_zoo.half_upload(zoo / "1", layout, ModelVersion(4))
    with running(tmp_path, layout.model_store, 4) as server:
        server.wait_until_ready()
        with pytest.raises(grpc.RpcError) as refused:
            predict(server, predict_request())
    assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION


def test_a_broken_monitoring_file_leaves_grpc_serving_and_no_metrics(zoo, tmp_path):
    (tmp_path / "broken").write_text("prometheus {")
    flag = f"--monitoring_config_file={tmp_path}/broken"
    with running(tmp_path, zoo, 1, flag, "--no_such_flag=1", address=own_address()) as server:
        server.wait_for_log("Failed to start server. Error: ")
        assert predict(server, predict_request())
        assert not server.listens(8501)
        assert "unknown argument: --no_such_flag=1\n" in server.log.read_text()
