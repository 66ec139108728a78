"""The model server's pure parts: flags, configuration, metrics page, tensors, REST JSON, records, protocol buffers."""

import json
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from promoter.errors import InvalidDocument, InvalidSettings
from promoter.sandbox.model_server import flags, metrics, model_config
from promoter.saved_model import records, rest_json, tensors
from promoter.saved_model.protos import tensor_pb2, types_pb2
from promoter.saved_model.statuses import Code, ServingError

# Flags


def test_flags_are_typed_and_the_others_keep_the_originals_defaults():
    parsed, unknown = flags.parse(
        [
            "--port=9000",
            "--model_config_file=/etc/a=b",
            "--enable_model_warmup=false",
            "--enable_grpc_healthcheck_service",
        ]
    )
    assert unknown == ()
    assert (parsed.port, parsed.model_config_file) == (9000, "/etc/a=b")
    assert (parsed.enable_model_warmup, parsed.enable_grpc_healthcheck_service) == (False, True)
    assert (parsed.rest_api_port, parsed.max_num_load_retries, parsed.rest_api_timeout_in_ms) == (0, 5, 30_000)


def test_flags_of_the_original_without_effect_here_are_not_unknown():
    _, unknown = flags.parse(["--enable_profiler=false", "--flush_filesystem_caches=true", "--enable_batching=true"])
    assert unknown == ()


def test_misspelt_flags_and_other_arguments_are_unknown():
    arguments = ["--prot=1", "port=1", "-port=1", "--port", "8500"]
    with pytest.raises(InvalidSettings):
        flags.parse(arguments)
    _, unknown = flags.parse(arguments[:3])
    assert unknown == tuple(arguments[:3])


@pytest.mark.parametrize("argument", ["--port=eighty", "--port=", "--enable_model_warmup=maybe"])
def test_a_value_of_the_wrong_type_is_refused(argument):
    with pytest.raises(InvalidSettings, match="Couldn't interpret value"):
        flags.parse([argument])


def test_channel_arguments_become_numbers_where_they_can():
    text = "grpc.max_connection_age_ms=5000,grpc.optimization_target=latency"
    assert flags.channel_arguments(text) == [
        ("grpc.max_connection_age_ms", 5000),
        ("grpc.optimization_target", "latency"),
    ]
    with pytest.raises(InvalidSettings):
        flags.channel_arguments("grpc.keepalive")


# Configuration

SPECIFIC = "model_version_policy { specific { versions: 7 } }"


def model(policy=SPECIFIC, base_path="/models/resnet50"):
    return f'config {{ name: "resnet50" base_path: "{base_path}" model_platform: "tensorflow" {policy} }}'


def read_model_config(tmp_path, *models):
    file = tmp_path / "models.config"
    file.write_text(f"model_config_list {{ {' '.join(models)} }}")
    return model_config.read_model_config(file)


@pytest.mark.parametrize("base_path", ["/models/resnet50", "file:///models/resnet50"])
def test_one_pinned_version_is_read(tmp_path, base_path):
    pinned = read_model_config(tmp_path, model(base_path=base_path))
    assert (pinned.name, pinned.version, str(pinned.directory)) == ("resnet50", 7, "/models/resnet50/7")
    assert pinned.bucket is None


def test_a_version_in_a_bucket_is_brought_into_the_pods_own_folder(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    pinned = read_model_config(tmp_path, model(base_path="gs://models/resnet50"))
    assert (pinned.bucket, pinned.version) == ("gs://models/resnet50", 7)
    assert pinned.directory == tmp_path / "tmp/versions/resnet50/7"


@pytest.mark.parametrize(
    ("models", "problem"),
    [
        ([], "0 models"),
        ([model(), model()], "2 models"),
        ([model(policy="")], "not pinned"),
        ([model(policy="model_version_policy { latest { num_versions: 1 } }")], "not pinned"),
        ([model(policy="model_version_policy { specific { versions: 7 versions: 8 } }")], "not pinned"),
        ([model(base_path="s3://models/resnet50")], "no folder of this machine"),
        (["config { title: 1 }"], "text-format ModelServerConfig"),
    ],
)
def test_anything_but_one_pinned_version_is_refused_with_the_file(tmp_path, models, problem):
    with pytest.raises(InvalidDocument, match=f"models.config.*{problem}"):
        read_model_config(tmp_path, *models)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ('prometheus_config { enable: true path: "/metrics" }', "/metrics"),
        ('prometheus_config: { enable: true path: "/metrics" }', "/metrics"),
        ("prometheus_config { enable: true }", "/monitoring/prometheus/metrics"),
        ('prometheus_config { path: "/metrics" }', None),
        ("", None),
    ],
)
def test_the_metrics_path_is_read_or_off(tmp_path, text, path):
    file = tmp_path / "monitoring.config"
    file.write_text(text)
    assert model_config.read_metrics_path(file) == path


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InvalidDocument, match=r"absent\.config: cannot be read"):
        model_config.read_metrics_path(tmp_path / "absent.config")


# Metrics


def test_a_page_without_events_holds_types_only():
    page = metrics.ServingMetrics().page()
    assert page.endswith("# TYPE :tensorflow:serving:runtime_latency histogram\n")
    assert all(line.startswith("# TYPE ") for line in page.splitlines())


def test_the_metrics_are_in_order_of_their_names():
    names = [line.split()[2] for line in metrics.ServingMetrics().page().splitlines()]
    assert names == sorted(names)


def test_a_counter_prints_its_labels_in_order_and_escapes_values():
    counter = metrics.Counter(":name", "model_name", "status")
    counter.add('a"b\\', "OK")
    counter.add("a", "OK", amount=2)
    assert counter.lines() == [
        "# TYPE :name counter",
        ':name{model_name="a",status="OK"} 2',
        ':name{model_name="a\\"b\\\\",status="OK"} 1',
    ]


BOUNDS = """
10 18 32.4 58.32 104.976 188.957 340.122 612.22 1102 1983.59 3570.47 6426.84 11568.3 20823 37481.3 67466.4 121440
218591 393464 708235 1.27482e+06 2.29468e+06 4.13043e+06 7.43477e+06 1.33826e+07 2.40887e+07 4.33596e+07 7.80473e+07
1.40485e+08 2.52873e+08 4.55172e+08 8.19309e+08 1.47476e+09 +Inf
"""


def test_bounds_are_spelled_with_six_digits_as_the_original_does():
    histogram = metrics.Histogram(":name", "API")
    histogram.observe(5.0, "")
    bounds = [line.split('le="')[1].split('"')[0] for line in histogram.lines()[1:-2]]
    assert bounds == BOUNDS.split()


def test_buckets_are_cumulative_and_the_sum_has_six_digits():
    histogram = metrics.Histogram(":name", "API", "entrypoint")
    for microseconds in (10.0, 5000.25, 1e12):
        histogram.observe(microseconds, "Predict", "GRPC")
    lines = histogram.lines()
    labels = 'API="Predict",entrypoint="GRPC"'
    assert lines[0] == "# TYPE :name histogram"
    assert lines[1:3] == [f':name_bucket{{{labels},le="10"}} 0', f':name_bucket{{{labels},le="18"}} 1']
    assert f':name_bucket{{{labels},le="3570.47"}} 1' in lines
    assert f':name_bucket{{{labels},le="6426.84"}} 2' in lines
    assert lines[-3:] == [
        f':name_bucket{{{labels},le="+Inf"}} 3',
        f":name_sum{{{labels}}} 1e+12",
        f":name_count{{{labels}}} 3",
    ]


# Tensors


@given(
    st.sampled_from([np.float32, np.float64, np.int8, np.int32, np.int64, np.uint16, np.uint64, np.bool_]).flatmap(
        lambda dtype: arrays(dtype, array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3))
    )
)
def test_a_tensor_reads_back_as_it_was_written(array):
    by_value = tensor_pb2.TensorProto()
    tensors.fill_proto(array, by_value)
    by_content = tensor_pb2.TensorProto(
        dtype=by_value.dtype, tensor_shape=by_value.tensor_shape, tensor_content=array.tobytes()
    )
    for proto in (by_value, by_content):
        read = tensors.from_proto("x", proto)
        assert read.dtype == array.dtype
        np.testing.assert_array_equal(read, array)


def tensor(shape, **content):
    proto = tensor_pb2.TensorProto(dtype=types_pb2.DT_FLOAT, **content)
    for size in shape:
        proto.tensor_shape.dim.add(size=size)
    return proto


def test_one_value_stands_for_all():
    assert tensors.from_proto("x", tensor((2, 2), float_val=[3])).tolist() == [[3, 3], [3, 3]]


@pytest.mark.parametrize(
    "proto",
    [
        tensor((2,), tensor_content=b"1234"),
        tensor((3,), float_val=[1, 2]),
        tensor((1,), float_val=[1, 2]),
        tensor((-1,), float_val=[1]),
    ],
)
def test_shape_and_values_that_disagree_are_an_invalid_argument(proto):
    with pytest.raises(ServingError, match="INVALID_ARGUMENT: tensor parsing error: x"):
        tensors.from_proto("x", proto)


def test_tensors_of_a_type_that_is_not_supported_say_so():
    with pytest.raises(ServingError, match=r"UNIMPLEMENTED.*DT_COMPLEX64"):
        tensors.from_proto("x", tensor_pb2.TensorProto(dtype=types_pb2.DT_COMPLEX64, scomplex_val=[1, 0]))


@pytest.mark.parametrize("number", [types_pb2.DT_HALF, types_pb2.DT_BFLOAT16])
def test_half_precision_is_read_and_written_bit_by_bit(number):
    one = {types_pb2.DT_HALF: 0x3C00, types_pb2.DT_BFLOAT16: 0x3F80}[number]
    given = tensor_pb2.TensorProto(dtype=number, half_val=[one, one | 0x8000])
    given.tensor_shape.dim.add(size=2)
    array = tensors.from_proto("x", given)
    assert (array.astype(float).tolist(), array.dtype.itemsize) == ([1, -1], 2)
    written = tensor_pb2.TensorProto()
    tensors.fill_proto(array, written)
    assert written == given
    # The original has no JSON for them.
    with pytest.raises(ServingError, match="UNIMPLEMENTED: tensor a: numbers of half precision have no JSON"):
        parse({"instances": [1]}, {"a": SimpleNamespace(dtype=number)})
    with pytest.raises(ServingError, match="UNIMPLEMENTED: tensor a"):
        rest_json.format_response({"a": array}, by_row=True)


def test_strings_are_arrays_of_bytes():
    proto = tensor_pb2.TensorProto()
    tensors.fill_proto(np.array([[b"a", b"\xff"]], np.object_), proto)
    assert tensors.from_proto("x", proto).tolist() == [[b"a", b"\xff"]]


# REST

TWO_INPUTS = {"a": SimpleNamespace(dtype=types_pb2.DT_FLOAT), "b": SimpleNamespace(dtype=types_pb2.DT_INT64)}
ONE_INPUT = {"a": TWO_INPUTS["a"]}


def parse(document, inputs=TWO_INPUTS):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return rest_json.parse_request(body, lambda _: inputs)


@pytest.mark.parametrize(
    ("document", "inputs", "expected"),
    [
        ({"instances": [1, 2]}, ONE_INPUT, {"a": [1, 2]}),
        ({"instances": [{"a": 1, "b": 2}, {"a": 3, "b": 4}]}, TWO_INPUTS, {"a": [1, 3], "b": [2, 4]}),
        ({"inputs": [[1], [2]]}, ONE_INPUT, {"a": [[1], [2]]}),
        ({"inputs": {"a": [0.5], "b": [7]}}, TWO_INPUTS, {"a": [0.5], "b": [7]}),
    ],
)
def test_rows_and_columns_become_tensors_of_the_signatures_types(document, inputs, expected):
    request = parse(document, inputs)
    assert {name: array.tolist() for name, array in request.inputs.items()} == expected
    assert {name: tensors.type_number(array.dtype) for name, array in request.inputs.items()} == {
        name: info.dtype for name, info in inputs.items()
    }
    assert request.by_row is ("instances" in document)


@pytest.mark.parametrize(
    "document",
    [
        b"{",
        b"[" * 100_000,
        b"[]",
        {},
        {"instances": [1], "inputs": [1]},
        {"instances": []},
        {"instances": 1},
        {"instances": [1]},
        {"instances": [{"a": 1}]},
        {"instances": [{"a": 1, "b": 1, "c": 1}]},
        {"instances": [{"a": 1, "b": 1}, 2]},
        {"inputs": {"a": [1]}},
        {"inputs": {"a": [1], "b": [0.5]}},
        {"inputs": {"a": ["1"], "b": [1]}},
        {"inputs": {"a": [[1, 2], [3]], "b": [1]}},
        {"inputs": {"a": [1e39], "b": [1]}},
        {"signature_name": 3, "instances": [{"a": 1, "b": 1}]},
    ],
)
def test_a_malformed_rest_request_is_an_invalid_argument(document):
    with pytest.raises(ServingError) as refused:
        parse(document)
    assert refused.value.code is Code.INVALID_ARGUMENT


TEXT_INPUT = {"t": SimpleNamespace(dtype=types_pb2.DT_STRING)}


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"instances": ["é", {"b64": "/w=="}]}, ["é".encode(), b"\xff"]),
        ({"instances": [{"b64": "/w=="}, "a"]}, [b"\xff", b"a"]),
        ({"inputs": {"b64": "/w=="}}, b"\xff"),
        ({"instances": [{"t": ["a", "b"]}]}, [[b"a", b"b"]]),
    ],
)
def test_strings_are_text_or_base64(document, expected):
    assert parse(document, TEXT_INPUT).inputs["t"].tolist() == expected


@pytest.mark.parametrize("values", [[1], [["a"], "b"], [{"b64": "*"}]])
def test_what_is_no_string_is_an_invalid_argument(values):
    with pytest.raises(ServingError, match="INVALID_ARGUMENT: input t"):
        parse({"inputs": values}, TEXT_INPUT)


def test_strings_are_answered_as_text_unless_their_name_says_bytes():
    texts = np.array([b"a", b"\xff"], np.object_)
    assert json.loads(rest_json.format_response({"t": texts[:1], "t_bytes": texts[1:]}, by_row=True)) == {
        "predictions": [{"t": "a", "t_bytes": {"b64": "/w=="}}]
    }


def test_answers_by_row_are_objects_only_where_there_are_several_outputs():
    one, two = {"p": np.array([[1.0], [2.0]])}, {"p": np.array([1, 2]), "q": np.array([True, False])}
    assert json.loads(rest_json.format_response(one, by_row=True)) == {"predictions": [[1.0], [2.0]]}
    assert json.loads(rest_json.format_response(one, by_row=False)) == {"outputs": [[1.0], [2.0]]}
    assert json.loads(rest_json.format_response(two, by_row=True)) == {
        "predictions": [{"p": 1, "q": True}, {"p": 2, "q": False}]
    }
    assert json.loads(rest_json.format_response(two, by_row=False)) == {"outputs": {"p": [1, 2], "q": [True, False]}}


def test_outputs_of_different_batch_sizes_have_no_rows():
    with pytest.raises(ServingError, match="batch size"):
        rest_json.format_response({"p": np.zeros(2), "q": np.zeros(3)}, by_row=True)


def test_a_model_that_turned_to_nan_is_answered_as_the_original_does():
    assert rest_json.format_response({"p": np.array([np.nan])}, by_row=True) == b'{"predictions":[NaN]}'


# Records. The bytes were written by TensorFlow's own TFRecordWriter.

RECORD = bytes.fromhex("0700000000000000bbd79f117761726d2d7570051a3e58")


def test_a_record_file_is_read(tmp_path):
    file = tmp_path / "records"
    file.write_bytes(RECORD * 2)
    assert list(records.read_records(file)) == [b"warm-up", b"warm-up"]


def test_a_record_file_is_written_as_tensorflow_writes_it():
    assert records.written_records([b"warm-up", b"warm-up"]) == RECORD * 2


@pytest.mark.parametrize("damaged", [RECORD[:5], RECORD[:-1], b"\xff" + RECORD[1:], RECORD[:14] + b"X" + RECORD[15:]])
def test_a_damaged_record_file_is_data_loss(tmp_path, damaged):
    file = tmp_path / "records"
    file.write_bytes(damaged)
    with pytest.raises(ServingError, match="DATA_LOSS"):
        list(records.read_records(file))


# Protocol buffers


def test_the_protocol_buffers_come_without_tensorflow_and_leave_room_for_it():
    script = (
        "import sys; from promoter.sandbox.model_server import protos; "
        "assert not [name for name in sys.modules if name.startswith('tensorflow.python')]; "
        "assert 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
