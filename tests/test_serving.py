"""The example that serves a model over HTTP, asked and attacked through its socket."""

import importlib.util
import json
import logging
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path

import numpy as np
import pytest

from sklearn_aeppt import EqualizedClassifier

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # uvicorn's own imports


@pytest.fixture(scope="module")
def example():
    path = Path(__file__).resolve().parents[1] / "examples" / "serve_over_http.py"
    spec = importlib.util.spec_from_file_location("serve_over_http", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def protected(overfit):
    model, X, y, m = overfit
    return EqualizedClassifier(model, random_state=0).fit(X, y, is_member=m), model, X


def test_eight_clients_get_the_answers_of_the_process(example, protected, caplog):
    defended, model, X = protected
    plain, shown = model.predict_proba(X[:64]), defended.predict_proba(X[:64])
    with caplog.at_level(logging.DEBUG), example.Service(defended) as service:
        remote = example.RemoteModel(service.port)
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda i: remote.ask(X[i : i + 1]), range(64)))
        bad = pytest.raises(ValueError, match="features")
        with bad:
            remote.ask(np.zeros((1, 3)))
    got = np.concatenate([a["proba"] for a in answers])
    np.testing.assert_allclose(got, shown, atol=1e-6)
    # nothing undefended in any response or log
    text = json.dumps(answers) + caplog.text
    assert set(answers[0]) == {"classes", "proba"}
    for row in plain:
        assert str(row.max()) not in text
    assert defended._key.hex() not in text and repr(defended._key) not in text


def test_load_is_measured(example, protected):
    defended, _, X = protected
    with example.Service(defended) as service:
        rate, median, late = example.load(example.RemoteModel(service.port), X, 2, 3)
    assert rate > 0 and 0 < median <= late


def test_the_example_serves_asks_and_attacks(example, capsys):
    example.main()
    shown = capsys.readouterr().out
    assert "undefended: The confidences leak" in shown and "equalized: " in shown
    assert shown.count("requests/s") == 2


class Fake:
    """A model that answers as told; what it computes must be seen nowhere."""

    classes_ = np.array(["a", "b"])

    def __init__(self, answer):
        self.answer = answer

    def predict_proba(self, X):
        return self.answer(X)


def fine(X):
    return np.tile([0.25, 0.75], (len(X), 1))


def post(service, body, path="/predict_proba", headers=None):
    """Return (status, answer) of one request."""
    connection = HTTPConnection("127.0.0.1", service.port, timeout=30)
    headers = {"Content-Type": "application/json", **(headers or {})}
    connection.request("POST", path, body, headers)
    response = connection.getresponse()
    answer = response.read()
    connection.close()
    return response.status, answer.decode()


def get_health(service):
    connection = HTTPConnection("127.0.0.1", service.port, timeout=30)
    connection.request("GET", "/health")
    response = connection.getresponse()
    answer = json.loads(response.read())
    connection.close()
    return response.status, answer


@contextmanager
def open_socket(service, head):
    """Give a socket on which the head of a request was sent."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=30) as client:
        client.sendall(head)
        yield client


def read_all(client):
    """Return all bytes until the service closes the connection."""
    got = b""
    while part := client.recv(65536):
        got += part
    return got


HEAD = b"POST /predict_proba HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("", 400),
        ("{", 400),
        ("[]", 400),
        ("null", 400),
        ("{}", 400),
        (b'{"records": [[\xff]]}', 400),
        ('{"records": []}', 400),
        ('{"records": [[]]}', 400),
        ('{"records": ""}', 400),
        ('{"records": {}}', 400),
        ('{"records": [1, 2]}', 400),
        ('{"records": [[1, 2], [3]]}', 400),
        ('{"records": [[[1]]]}', 400),
        ('{"records": [["1", 2]]}', 400),
        ('{"records": [[true, 2]]}', 400),
        ('{"records": [[null, 2]]}', 400),
        ('{"records": [[{}, 2]]}', 400),
        ('{"records": [[NaN, 2]]}', 400),
        ('{"records": [[-Infinity, 2]]}', 400),
        ('{"records": [[1e999, 2]]}', 400),
        ('{"records": [[' + "9" * 400 + ", 2]]}", 400),
        ('{"records": [[' + "9" * 9000 + ", 2]]}", 400),
        ('{"records": ' + "[" * 70 + "1" + "]" * 70 + "}", 400),
        ("[" * 500_000, 400),
        # numpy would make of each number a text as long as the longest
        ('{"records": [["' + "x" * 500_000 + '"' + ", 1" * 150_000 + "]]}", 400),
        ('{"records": ' + str([[1, 2]] * 257) + "}", 413),
        (b" " * (1 << 20) + b"{}", 413),
        (b" " * (5 << 20), 413),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_bad_bodies_get_a_constant_text(guarded, example, body, status):
    got, answer = post(guarded, body)
    assert got == status
    answer = json.loads(answer)
    assert set(answer) == {"detail", "request"} and answer["detail"] == example.ERRORS[status]


@pytest.fixture(scope="module")
def guarded(example):
    with example.Service(Fake(fine), api_key=None) as service:
        yield service


def test_only_json_is_read(guarded):
    body = '{"records": [[1, 2]]}'
    expected = {"classes": ["a", "b"], "proba": [[0.25, 0.75]]}
    assert json.loads(post(guarded, body)[1]) == expected
    kind = {"Content-Type": "Application/JSON; charset=utf-8"}
    assert post(guarded, body, headers=kind)[0] == 200
    for kind in ("text/plain", "", "application/x-www-form-urlencoded", "application/jsonx"):
        assert post(guarded, body, headers={"Content-Type": kind})[0] == 415
    assert post(guarded, body, path="/predict")[0] == 404
    assert post(guarded, body, path="/health")[0] == 405
    for path in ("/docs", "/openapi.json"):
        assert post(guarded, body, path=path)[0] == 404
    assert get_health(guarded) == (200, {"status": "ok"})


def test_bodies_that_lie_about_their_length(guarded, example, monkeypatch):
    monkeypatch.setattr(example, "READ_SECONDS", 0.5)
    for length in (b"100", b"99999999999"):  # the rest never comes
        with open_socket(guarded, HEAD + b"Content-Length: " + length + b"\r\n\r\n{}") as client:
            assert read_all(client).startswith(b"HTTP/1.1 408")
    with open_socket(guarded, HEAD + b"Content-Length: 2\r\n\r\n{}" + b"x" * 5000) as client:
        assert b" 400" in read_all(client)
    for length in (b"-1", b"1e3", b"1, 2"):
        with open_socket(guarded, HEAD + b"Content-Length: " + length + b"\r\n\r\n") as client:
            assert read_all(client).startswith(b"HTTP/1.1 400")
    chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
    with open_socket(guarded, HEAD + b"Transfer-Encoding: chunked\r\n\r\n") as client:
        got = b""
        with suppress(ConnectionError):  # the service may close before all is sent
            for _ in range(400):
                client.sendall(chunk)
            got = read_all(client)
        assert got == b"" or got.startswith(b"HTTP/1.1 413")
    with open_socket(guarded, HEAD + b"Transfer-Encoding: chunked\r\n\r\n") as client:
        client.sendall(17 * chunk + b"0\r\n\r\n")
        assert read_all(client).startswith(b"HTTP/1.1 413")
    assert get_health(guarded)[0] == 200


def test_slow_and_idle_clients_are_left(example, monkeypatch):
    monkeypatch.setattr(example, "READ_SECONDS", 0.5)
    monkeypatch.setattr(example, "IDLE_SECONDS", 1)
    monkeypatch.setattr(example, "CONNECTION_SECONDS", 2)
    with example.Service(Fake(fine)) as service:
        start = time.monotonic()
        with open_socket(service, HEAD + b"Content-Length: 1000\r\n\r\n") as client:
            with suppress(ConnectionError):
                while time.monotonic() < start + 10:
                    client.sendall(b" ")
                    time.sleep(0.1)
            assert time.monotonic() - start < 5
        for sent in (b"", b"POST /pre", HEAD, b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"):
            start = time.monotonic()
            with open_socket(service, sent) as client:
                read_all(client)
            assert time.monotonic() - start < 10
        assert get_health(service)[0] == 200


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (ValueError("0.123456 is the top confidence"), 422),
        (RuntimeError("0.123456"), 500),
        (KeyError("0.123456"), 500),
        (RecursionError("0.123456"), 500),
        (TimeoutError("0.123456"), 500),
        (StopIteration("0.123456"), 500),
        (SystemExit("0.123456"), 500),
        ([[0.123456, np.nan]], 500),
        ("0.123456", 500),
        (None, 500),
    ],
    ids=repr,
)
def test_no_figure_of_the_model_is_in_any_error_or_log(example, fault, status, caplog, capfd):
    def answer(X):
        if isinstance(fault, BaseException):
            raise fault
        return np.array(fault) if isinstance(fault, list) else fault

    with caplog.at_level(logging.DEBUG), example.Service(Fake(answer)) as service:
        got, text = post(service, '{"records": [[1, 2]]}')
        assert get_health(service)[0] == 200
    assert got == status and len(text) < 300
    number = json.loads(text)["request"]
    assert json.loads(text)["detail"] == example.ERRORS[status]
    assert number in caplog.text  # an operator finds the request again
    seen = text + caplog.text + "".join(capfd.readouterr())
    assert "0.123" not in seen and "Traceback" not in seen


def test_api_key(example, caplog):
    key = "a-key-of-some-length"
    body = '{"records": [[1, 2]]}'
    with caplog.at_level(logging.DEBUG), example.Service(Fake(fine), key) as service:
        for given in ("", key, f"Bearer {key}x", f"Bearer {key[:-1]}", f"bearer {key}", "Bearer é"):
            headers = {"Authorization": given.encode("latin-1")}
            assert post(service, body, headers=headers)[0] == 401
        assert post(service, body)[0] == 401
        assert post(service, "x" * (2 << 20), headers={"Content-Length": "2"})[0] == 401
        assert post(service, body, headers={"Authorization": f"Bearer {key}"})[0] == 200
        assert get_health(service)[0] == 200
        remote = example.RemoteModel(service.port, key)
        np.testing.assert_array_equal(remote.predict(np.zeros((600, 2))), ["b"] * 600)
    assert key not in caplog.text
    for short in ("", "short"):
        with pytest.raises(ValueError, match="fewer than 16 characters"):
            example.make_app(Fake(fine), short)


def test_a_model_that_hangs_costs_a_slot_and_no_shutdown(example, monkeypatch):
    monkeypatch.setattr(example, "MAX_BUSY", 2)
    monkeypatch.setattr(example, "ANSWER_SECONDS", 0.5)
    monkeypatch.setattr(example, "SHUTDOWN_SECONDS", 1)
    release = threading.Event()

    def hang(X):
        release.wait(60)
        return fine(X)

    body, statuses = '{"records": [[1, 2]]}', []
    with example.Service(Fake(hang)) as service:
        assert [post(service, body)[0] for _ in range(3)] == [503] * 3
        assert threading.active_count() < 20  # the third did not start a thread
        assert get_health(service)[0] == 200
        release.set()
        time.sleep(0.2)
        assert post(service, body)[0] == 200  # the slots are free again
        release.clear()
        monkeypatch.setattr(example, "ANSWER_SECONDS", 60)
        asked = threading.Thread(target=lambda: statuses.append(post(service, body)[0]))
        asked.start()
        time.sleep(0.3)
        start = time.monotonic()
    assert time.monotonic() - start < 4
    assert not service.thread.is_alive()
    release.set()
    asked.join(30)
    assert statuses == [500]  # cut off, and told so
