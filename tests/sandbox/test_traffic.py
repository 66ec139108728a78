"""The traffic source: its images, its schedule, its senders against real servers, and its results file."""

import asyncio
import json
import signal
import subprocess
import sys
import time
from contextlib import AsyncExitStack, asynccontextmanager
from http.server import BaseHTTPRequestHandler
from threading import Thread

import grpc
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from model_server_process import built_zoo, running
from scripted_server import QueueingServer

from promoter.domain.version import ModelVersion
from promoter.errors import InvalidDocument
from promoter.sandbox.traffic import TrafficSource
from promoter.sandbox.traffic_requests import build_requests
from promoter.sandbox.traffic_results import NOT_SENT, OK, Latency, ResultsFile, Tally, read_results
from promoter.sandbox.traffic_senders import Answer, Authorities, open_senders
from promoter.saved_model.protos import predict_pb2
from promoter.saved_model.tensors import from_proto

V7 = ModelVersion(7)

# Images


def test_brightness_is_even_from_0_to_1_and_the_same_over_both_doors():
    requests = build_requests("resnet50")
    levels = [request.brightness for request in requests]
    assert levels == sorted(levels)
    assert sum(level < 0.1 for level in levels) == len(levels) / 10
    for request in requests[:: len(requests) // 7]:
        message = predict_pb2.PredictRequest.FromString(request.predict)
        image = from_proto("input_1", message.inputs["input_1"])
        assert (message.model_spec.name, image.shape) == ("resnet50", (1, 32, 32, 3))
        assert image.mean() == pytest.approx(request.brightness, abs=1e-4)
        assert np.allclose(json.loads(request.rest)["instances"], image, atol=0.001)


# Results


def test_a_second_holds_counts_and_latency_of_ok_answers_by_version():
    tally = Tally()
    for latency in range(1, 101):
        tally.count_sent()
        tally.count_answer(V7, OK, latency)
    tally.count_answer(V7, "INVALID_ARGUMENT", 1000)
    tally.count_answer(None, "UNAVAILABLE", 1000)
    second = tally.take(17)
    assert (second.time, second.sent) == (17, 100)
    assert second.answered == {V7: {OK: 100, "INVALID_ARGUMENT": 1}, None: {"UNAVAILABLE": 1}}
    assert second.latency_ms == {V7: Latency(50, 99, 100)}
    assert tally.take(18).answered == {}


codes = st.sampled_from([OK, "INVALID_ARGUMENT", "UNAVAILABLE"])
versions = st.none() | st.integers(1, 3).map(ModelVersion)
answers = st.lists(st.tuples(versions, codes, st.floats(0.001, 5000)))


@given(st.lists(answers, max_size=4))
def test_what_is_written_reads_back(tmp_path_factory, seconds):
    path = tmp_path_factory.mktemp("results") / "results.jsonl"
    tally, results, written = Tally(), ResultsFile(path), []
    for number, second in enumerate(seconds):
        for version, code, latency in second:
            tally.count_answer(version, code, latency)
        written.append(tally.take(float(number)))
        results.write(written[-1])
    results.close()
    read = read_results(path)
    assert list(read.seconds) == written
    assert sum(read.failed().values()) == sum(code != OK for second in seconds for _, code, _ in second)


def test_half_a_line_is_left_out_and_the_next_run_starts_a_new_one(tmp_path):
    path = tmp_path / "results.jsonl"
    whole = '{"time":1,"sent":3,"answered":{"7":{"OK":3}},"latency_ms":{}}\n'
    path.write_text(whole + whole[:20])
    assert read_results(path).sent == 3
    results = ResultsFile(path)
    results.write(Tally().take(2))
    results.close()
    assert [second.time for second in read_results(path).seconds] == [1, 2]


@pytest.mark.parametrize("line", ['{"time":1}', "[]", "3", '{"time":1,"sent":1,"answered":{"x":{}},"latency_ms":{}}'])
def test_a_line_that_is_no_second_is_named(tmp_path, line):
    path = tmp_path / "results.jsonl"
    path.write_text(f'{{"totals":{{}}}}\n{line}\n')
    with pytest.raises(InvalidDocument, match=r"results\.jsonl:2: is not a second"):
        read_results(path)


# Schedule


class NeverAnswers:
    async def send(self, request):
        await asyncio.sleep(0.4)
        return Answer(None, "DEADLINE_EXCEEDED")


class Answers:
    def __init__(self):
        self.sent = 0

    async def send(self, request):
        self.sent += 1
        return Answer(V7, OK)


def run(source, seconds):
    async def until_stopped():
        stop = asyncio.Event()
        asyncio.get_running_loop().call_later(seconds, stop.set)
        await source.run(stop)

    asyncio.run(until_stopped())
    return source.tally.take(0)


def test_requests_are_sent_on_schedule_even_if_none_is_answered():
    source = TrafficSource(
        build_requests("m"), NeverAnswers(), NeverAnswers(), rate=200, rest_share=0, max_in_flight=1000
    )
    second = run(source, 0.5)
    assert second.sent == pytest.approx(100, abs=5)
    assert second.answered == {None: {"DEADLINE_EXCEEDED": second.sent}}


def test_requests_beyond_those_in_flight_are_not_sent_but_counted():
    source = TrafficSource(
        build_requests("m"), NeverAnswers(), NeverAnswers(), rate=200, rest_share=0, max_in_flight=10
    )
    second = run(source, 0.25)
    assert second.sent == 10
    assert second.answered[None][NOT_SENT] == pytest.approx(40, abs=5)


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 1])
def test_the_rest_share_is_kept_to_the_request(share):
    over_grpc, over_rest = Answers(), Answers()
    run(TrafficSource(build_requests("m"), over_grpc, over_rest, rate=1000, rest_share=share, max_in_flight=50), 0.2)
    total = over_grpc.sent + over_rest.sent
    assert total > 100
    assert over_rest.sent == pytest.approx(share * total, abs=1)


# Senders


class Predict(grpc.GenericRpcHandler):
    """Answers with the version in the headers; fails with it in the trailers."""

    def service(self, handler_call_details):
        async def answer(request, context):
            if predict_pb2.PredictRequest.FromString(request).model_spec.name == "failing":
                context.set_trailing_metadata((("x-model-version", "8"),))
                await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "too dark")
            await context.send_initial_metadata((("x-model-version", "7"),))
            return b""

        return grpc.unary_unary_rpc_method_handler(answer)


class RestPredict(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        failing = "failing" in self.path
        self.send_response(400 if failing else 200)
        if self.headers["Host"] == "shop.production":
            self.send_header("X-Model-Version", "8" if failing else "7")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_request(self, *args):
        pass


@asynccontextmanager
async def grpc_server():
    server = grpc.aio.server()
    server.add_generic_rpc_handlers([Predict()])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield f"127.0.0.1:{port}"
    await server.stop(0)


@pytest.fixture
def rest_server():
    server = QueueingServer(("127.0.0.1", 0), RestPredict)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


async def exchange(target, model, *, over_rest):
    async with AsyncExitStack() as stack:
        senders = await open_senders(stack, target, Authorities("shop.production", "shop.production"), model, 2.0)
        return await senders[over_rest].send(build_requests(model)[0])


@pytest.mark.parametrize(
    ("model", "answer"),
    [("good", Answer(V7, OK)), ("failing", Answer(ModelVersion(8), "INVALID_ARGUMENT", "too dark"))],
)
def test_a_grpc_answer_names_its_version_in_headers_or_trailers(model, answer):
    async def ask():
        async with grpc_server() as target:
            return await exchange(target, model, over_rest=False)

    assert asyncio.run(ask()) == answer


@pytest.mark.parametrize(
    ("model", "answer"), [("good", Answer(V7, OK)), ("failing", Answer(ModelVersion(8), "INVALID_ARGUMENT"))]
)
def test_a_rest_answer_names_its_version_and_asks_for_the_authority(rest_server, model, answer):
    assert asyncio.run(exchange(rest_server, model, over_rest=True)) == answer


@pytest.mark.parametrize("over_rest", [False, True])
def test_nobody_answers_where_nothing_listens(over_rest):
    answer = asyncio.run(exchange("127.0.0.1:1", "good", over_rest=over_rest))
    assert (answer.version, answer.code) == (None, "UNAVAILABLE")


# The whole process


def traffic(target, results, *options):
    command = [sys.executable, "-m", "promoter.sandbox.traffic", "--target", target, "--authority", "shop.production"]
    return [*command, "--model", "resnet50", "--results", str(results), *options]


def test_sigterm_ends_it_cleanly_with_totals(tmp_path, rest_server):
    results = tmp_path / "results.jsonl"
    with subprocess.Popen(
        traffic(rest_server, results, "--rest-share", "1", "--rate", "50", "--deadline", "30")
    ) as process:
        until = time.monotonic() + 60
        while not (results.exists() and read_results(results).sent):
            assert time.monotonic() < until
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    read = read_results(results)
    totals = json.loads(results.read_text().splitlines()[-1])["totals"]
    assert read.answered() == {V7: {OK: read.sent}}
    assert totals == {"sent": read.sent, "answered": {"7": {OK: read.sent}}}


def test_a_model_name_that_is_none_is_refused(tmp_path):
    command = traffic("127.0.0.1:1", tmp_path / "results.jsonl")
    command[command.index("resnet50")] = "../etc"
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 2
    assert "cannot name a model" in ended.stderr
    assert not (tmp_path / "results.jsonl").exists()


@pytest.mark.sandbox
def test_a_tenth_fails_on_the_version_that_refuses_dark_images(tmp_path, tmp_path_factory):
    zoo = built_zoo(tmp_path_factory.getbasetemp())
    with running(tmp_path, zoo, 3) as server:
        server.wait_until_ready()
        for port, share in ((8500, "0"), (8501, "1")):
            options = ("--rate", "50", "--rest-share", share, "--seconds", "3", "--deadline", "30")
            results = tmp_path / f"{port}.jsonl"
            subprocess.run(traffic(f"{server.address}:{port}", results, *options), check=True, timeout=60)
            read = read_results(results)
            # No proxy, so no header says who answered: a good answer over gRPC does, and no other.
            named = ModelVersion(3) if share == "0" else None
            assert read.answered().keys() == {named, None}
            assert OK in read.answered()[named]
            assert read.answered()[None].keys() <= {OK, "INVALID_ARGUMENT"}
            assert 3 <= read.failed()[None] <= 35
