"""A webhook wakes the loop, and does nothing else."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import socket
import threading
import time
from datetime import timedelta

import pytest
from prometheus_client import CollectorRegistry

from promoter.control.loop import Loop
from promoter.telemetry import Endpoints, Webhook, serve
from promoter.telemetry.webhook import LARGEST_BODY

SECRET = "the-secret-of-the-webhook"
BODY = json.dumps({"ref": "refs/heads/main"}).encode()


def signature(body, secret=SECRET):
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


@pytest.fixture
def secret_file(tmp_path):
    file = tmp_path / "secret"
    file.write_text(SECRET + "\n")
    return file


@pytest.fixture
def woken():
    return threading.Event()


@pytest.fixture
def port(secret_file, woken):
    endpoints = Endpoints(lambda: None, lambda: None, CollectorRegistry(), Webhook(secret_file, woken.set))
    with serve(endpoints, "127.0.0.1", 0) as port:
        yield port


def send(port, headers, body=BODY, method="POST"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, "/webhook", body, headers)
    answer = connection.getresponse()
    return answer.status, answer.read().decode().strip()


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Gitea-Signature": signature(BODY)},
        {"X-Forgejo-Signature": signature(BODY)},
        {"X-Hub-Signature-256": f"sha256={signature(BODY)}"},
        # Gitea sends both.
        {"X-Gitea-Signature": signature(BODY), "X-Hub-Signature-256": f"sha256={signature(BODY)}"},
        {"X-Gitlab-Token": SECRET},
    ],
)
def test_a_signature_with_the_secret_wakes_the_loop(port, woken, headers):
    assert send(port, headers) == (202, "the promoter looks")
    assert woken.is_set()


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Gitea-Signature": signature(BODY + b" ")},
        {"X-Gitea-Signature": signature(BODY, "another")},
        {"X-Gitea-Signature": ""},
        {"X-Hub-Signature-256": signature(BODY)},
        {"X-Hub-Signature": "sha1=" + hmac.new(SECRET.encode(), BODY, "sha1").hexdigest()},
        {"X-Gitlab-Token": "another"},
        {"X-Gitlab-Token": "caf\xe9"},
        {"X-Gitea-Signature": signature(BODY), "X-Gitlab-Token": "another"},
    ],
)
def test_whatever_is_not_signed_is_refused(port, woken, headers):
    assert send(port, headers)[0] == 401
    assert not woken.is_set()


def test_what_is_signed_need_not_make_sense(port, woken):
    body = b"[" * 100_000
    assert send(port, {"X-Gitea-Signature": signature(body)}, body)[0] == 202
    assert woken.is_set()


def test_a_body_that_is_too_large_is_refused_before_it_is_read(port, woken):
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(f"POST /webhook HTTP/1.1\r\nContent-Length: {LARGEST_BODY + 1}\r\n\r\n".encode())
        assert b" 413 " in client.recv(1000)
    assert not woken.is_set()


@pytest.mark.parametrize("length", ["", "Content-Length: many\r\n", "Content-Length: -1\r\n"])
def test_a_body_without_a_length_is_refused(port, length):
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(f"POST /webhook HTTP/1.1\r\n{length}\r\n".encode())
        assert client.recv(1000).split()[1] in (b"411", b"413")


def test_bodies_that_never_end_keep_no_more_than_four_places(port):
    began = time.monotonic()
    clients = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(4)]
    for client in clients:
        client.sendall(b"POST /webhook HTTP/1.1\r\nContent-Length: 1000\r\n\r\n")
    time.sleep(0.3)
    assert send(port, {"X-Gitea-Signature": signature(BODY)})[0] == 503
    for client in clients:
        client.close()
    time.sleep(0.3)
    assert send(port, {"X-Gitea-Signature": signature(BODY)})[0] == 202
    assert time.monotonic() - began < 8


def test_the_secret_may_be_replaced_while_we_run_and_a_lost_one_admits_nobody(port, secret_file, woken):
    secret_file.write_text("a-new-one")
    assert send(port, {"X-Gitlab-Token": SECRET})[0] == 401
    assert send(port, {"X-Gitlab-Token": "a-new-one"})[0] == 202
    woken.clear()
    secret_file.write_text("")
    assert send(port, {"X-Gitlab-Token": ""})[0] == 503
    assert not woken.is_set()


def test_without_a_secret_there_is_no_such_place():
    with serve(Endpoints(lambda: None, lambda: None, CollectorRegistry()), "127.0.0.1", 0) as port:
        assert send(port, {"X-Gitlab-Token": SECRET})[0] == 405


class Turns(Loop):
    """A loop whose turns do nothing but count."""

    def __init__(self, woken):
        super().__init__(None, timedelta(seconds=60), woken=woken)
        self.turns = 0

    def one_turn(self):
        self.turns += 1
        return timedelta(seconds=60)


def test_who_wakes_the_loop_has_the_next_pass_at_once_but_not_one_for_each_call(woken):
    stop, loop = threading.Event(), Turns(woken)
    thread = threading.Thread(target=loop.run, args=(stop,))
    thread.start()
    try:
        for _ in range(200):
            woken.set()
            time.sleep(0.01)
        time.sleep(0.7)
        assert 3 <= loop.turns <= 8
        before = loop.turns
        time.sleep(1.2)
        assert loop.turns == before
    finally:
        stop.set()
        thread.join(2)
    assert not thread.is_alive()
