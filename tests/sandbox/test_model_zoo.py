"""The versions of the demo, as TensorFlow's C library runs them."""

import subprocess
import sys
import time

import numpy as np
import pytest
from model_server_process import built_zoo

from promoter.domain.version import ModelVersion
from promoter.errors import InvalidInput
from promoter.sandbox.layout import Layout
from promoter.sandbox.model_zoo import DARK, DEMO_VERSIONS, VersionKind, build_version, half_upload
from promoter.sandbox.traffic_requests import build_requests
from promoter.saved_model.c_library import Session
from promoter.saved_model.statuses import ServingError

GOOD, DARK_FAILS, SLOW, OTHER = 1, 3, 5, 6


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    return built_zoo(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="module")
def probabilities(zoo):
    sessions = {number: Session(zoo / str(number), 1, 1) for number in DEMO_VERSIONS}

    def run(number, images):
        signature = sessions[number].meta_graph.signature_def["serving_default"]
        [info] = signature.inputs.values()
        [answer] = sessions[number].run({info.name: images}, [signature.outputs["probabilities"].name], 10_000)
        return answer

    return run


def images(*levels):
    texture = np.random.default_rng(1).uniform(0.5, 1.5, (32, 32, 3))
    return np.stack([level * texture / texture.mean() for level in levels]).astype(np.float32)


def test_a_half_upload_is_the_graph_and_nothing_else(tmp_path):
    source = tmp_path / "source"
    (source / "variables").mkdir(parents=True)
    (source / "saved_model.pb").write_bytes(b"graph")
    (source / "variables" / "variables.index").write_bytes(b"index")
    layout = Layout.at(tmp_path)
    half_upload(source, layout, ModelVersion(4))
    assert [path for path in layout.store.rglob("*") if path.is_file()] == [layout.model_store / "4" / "saved_model.pb"]


def test_a_folder_that_exists_is_not_built_into(tmp_path):
    with pytest.raises(InvalidInput, match="exists already"):
        build_version(VersionKind.GOOD, tmp_path)


def test_naming_the_versions_costs_no_tensorflow():
    script = "import sys, promoter.sandbox.model_zoo; assert 'tensorflow' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


@pytest.mark.sandbox
def test_good_versions_differ_a_little(probabilities):
    first, second = probabilities(1, images(0.2, 0.5, 0.9)), probabilities(2, images(0.2, 0.5, 0.9))
    assert not np.array_equal(first, second)
    assert np.allclose(first, second, atol=0.1)
    assert (first.argmax(axis=1) == second.argmax(axis=1)).all()


@pytest.mark.sandbox
def test_answers_depend_on_the_image(probabilities):
    bright, dark = probabilities(GOOD, images(0.9, 0.1))
    assert not np.allclose(bright, dark, atol=1e-4)


@pytest.mark.sandbox
def test_version_3_fails_on_dark_images_and_on_no_others(probabilities):
    assert np.isfinite(probabilities(DARK_FAILS, images(DARK + 0.01, 0.9))).all()
    with pytest.raises(ServingError, match=r"INVALID_ARGUMENT: assertion failed.*too dark"):
        probabilities(DARK_FAILS, images(0.9, DARK - 0.01))


@pytest.mark.sandbox
def test_version_3_fails_on_a_tenth_of_the_traffic(probabilities):
    requests = build_requests("resnet50")
    dark = len(requests) // 10
    probabilities(DARK_FAILS, images(*(request.brightness for request in requests[dark:])))
    for request in requests[:dark]:
        with pytest.raises(ServingError):
            probabilities(DARK_FAILS, images(request.brightness))


@pytest.mark.sandbox
def test_the_slow_version_gives_the_same_answers(zoo, probabilities):
    session = Session(zoo / f"good-{SLOW}", 1, 1)
    signature = session.meta_graph.signature_def["serving_default"]
    feed = {signature.inputs["input_1"].name: images(0, 0.3, 1)}
    [expected] = session.run(feed, [signature.outputs["probabilities"].name], 10_000)
    np.testing.assert_array_equal(probabilities(SLOW, images(0, 0.3, 1)), expected)


@pytest.mark.sandbox
def test_the_slow_version_computes_about_three_times_as_long(probabilities):
    def work(number):
        return _processor_time(lambda: probabilities(number, images(0.5)))

    # In turn, so that a busy machine disturbs both; the least disturbed of many runs counts.
    times = [(work(GOOD), work(SLOW)) for _ in range(40)]
    good, slow = (min(column) for column in zip(*times, strict=True))
    assert 1.8 < slow / good < 4.5


def _processor_time(run):
    began = time.process_time()
    run()
    return time.process_time() - began


@pytest.mark.sandbox
def test_version_6_wants_flat_bytes_under_another_name(zoo, probabilities):
    signature = Session(zoo / str(OTHER)).meta_graph.signature_def["serving_default"]
    assert list(signature.inputs) == ["pixels"]
    assert probabilities(OTHER, np.full((2, 3072), 200, np.uint8)).shape == (2, 10)


@pytest.mark.sandbox
def test_every_version_carries_warmup_requests(zoo):
    for number in DEMO_VERSIONS:
        assert (zoo / str(number) / "assets.extra" / "tf_serving_warmup_requests").stat().st_size > 0
