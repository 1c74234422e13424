"""
Serve a protected model over HTTP
=================================

The first half is a service to copy: it returns the defended outputs, and nothing else about the
model can be reached, not even through errors or logs. The second half is an adversary, who queries
the service through its socket. Run as ``python examples/serve_over_http.py``, the script serves a
protected and an undefended model, queries both from eight clients at once, attacks them as black
boxes, and prints what an attacker gains and what the defense costs. The deployment page describes
what else a deployment needs (TLS, limits for each caller).

Requires the extra ``serve``.
"""

import asyncio
import hmac
import json
import logging
import os
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from uuid import uuid4

import numpy as np
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from starlette.requests import ClientDisconnect
from uvicorn.protocols.http.h11_impl import H11Protocol

from sklearn_aeppt import EqualizedClassifier
from sklearn_aeppt.audit import audit

# %%
# The service
# -----------

MAX_BYTES, MAX_ROWS = 1 << 20, 256  # of one request
MAX_CONNECTIONS, MAX_BUSY = 64, 16  # open at once; in the model at once
READ_SECONDS, ANSWER_SECONDS = 10, 30  # for a body to arrive, for the model to answer
IDLE_SECONDS, CONNECTION_SECONDS = 5, 60  # between requests, for a connection as a whole
SHUTDOWN_SECONDS = 5  # for requests in progress

# All that a caller is told about an error. The text of an exception may hold figures that the
# defense hides: it is neither sent nor logged.
ERRORS = {
    400: 'The body must be {"records": [[number, ...], ...]}, all rows alike, all numbers finite.',
    401: "Send the key as Authorization: Bearer KEY.",
    408: "The body did not arrive in time.",
    413: f"A request has at most {MAX_BYTES} bytes and {MAX_ROWS} records.",
    415: "Send application/json.",
    422: "The model rejects these records: wrong number of features, or an invalid value.",
    500: "The model failed.",
    503: "Busy: try again later.",
}
log = logging.getLogger("serve")


class RequestError(Exception):
    """A request that gets the constant text of its status."""

    def __init__(self, status, reason=""):
        self.status, self.reason = status, reason


def read_records(body):
    """Return the records in a body, finite numbers of shape (n, n_features)."""
    try:
        rows = json.loads(body)["records"]
        numbers = all(type(value) in (int, float) for row in rows for value in row)
        X = np.array(rows if numbers else [], dtype=np.float64)
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        raise RequestError(400, type(error).__name__) from None
    if X.ndim != 2 or X.size == 0 or not np.isfinite(X).all():
        raise RequestError(400)
    if len(X) > MAX_ROWS:
        raise RequestError(413)
    return X


def answer(model, body):
    """Return the model's outputs for the records in a body, as JSON."""
    X = read_records(body)
    status = 422
    try:
        proba = model.predict_proba(X)
        status = 500  # from here on, an error is not the records' fault
        shown = {"classes": model.classes_.tolist(), "proba": proba.tolist()}
        return json.dumps(shown, allow_nan=False)
    except BaseException as error:  # a SystemExit would end the server
        status = status if isinstance(error, ValueError) else 500
        raise RequestError(status, type(error).__name__) from None  # its text is the model's


def start_thread(function, *args, slots):
    """Return a future of ``function(*args)``, which holds one of the slots until it ends.

    A thread that hangs cannot be stopped. It is a daemon, so that the process can end, and keeps
    its slot, so that no more than MAX_BUSY of them gather.
    """
    if not slots.acquire(blocking=False):
        raise RequestError(503, "no slot free")
    future = Future()
    future.set_running_or_notify_cancel()

    def work():
        try:
            future.set_result(function(*args))
        except Exception as error:
            future.set_exception(error)
        finally:
            slots.release()

    threading.Thread(target=work, daemon=True).start()
    return asyncio.wrap_future(future)


async def read_body(request):
    """Return the body of a request, as long as it is JSON, not too large and not too late."""
    body, size = bytearray(), 0
    try:
        async with asyncio.timeout(READ_SECONDS):
            async for part in request.stream():  # counted, since a client may misstate the length
                size += len(part)
                if size <= MAX_BYTES:
                    body += part
                elif size > 16 * MAX_BYTES:
                    break  # until here it is read and dropped, so that the client gets the response
    except TimeoutError:
        raise RequestError(408) from None
    if size > MAX_BYTES:
        raise RequestError(413)
    kind = request.headers.get("content-type", "").partition(";")[0]
    if kind.strip().lower() != "application/json":
        raise RequestError(415)
    return bytes(body)


def make_app(model, api_key=None):
    """Return a service with two endpoints, ``POST /predict_proba`` and ``GET /health``."""
    if api_key is not None and len(api_key) < 16:
        raise ValueError("api_key has fewer than 16 characters: use secrets.token_urlsafe().")
    expected = None if api_key is None else f"Bearer {api_key}".encode()
    slots = threading.Semaphore(MAX_BUSY)
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/health")
    async def health():
        return {"status": "ok"}

    @app.post("/predict_proba")
    async def predict_proba(request: Request):
        try:
            body = await read_body(request)
            given = request.headers.get("authorization", "").encode("latin-1")
            if expected is not None and not hmac.compare_digest(given, expected):
                raise RequestError(401)
            async with asyncio.timeout(ANSWER_SECONDS):
                shown = await start_thread(answer, model, body, slots=slots)
            return Response(shown, media_type="application/json")
        except (RequestError, TimeoutError, ClientDisconnect) as error:
            status, number = getattr(error, "status", 503), uuid4().hex
            reason = getattr(error, "reason", type(error).__name__)
            log.warning("request %s: %d %s", number, status, reason)
            told = {"detail": ERRORS[status], "request": number}
            return JSONResponse(told, status, headers={"Connection": "close"})

    return app


class LimitedConnection(H11Protocol):
    """A connection with a time limit: uvicorn waits forever for a header or a slow reader."""

    def connection_made(self, transport):
        super().connection_made(transport)
        last = CONNECTION_SECONDS + READ_SECONDS + ANSWER_SECONDS
        self.timers = [
            self.loop.call_later(CONNECTION_SECONDS, self.close_when_answered),
            self.loop.call_later(last, transport.abort),
        ]

    def close_when_answered(self):
        if not self.transport.is_closing():
            self.shutdown()

    def connection_lost(self, exc):
        for timer in self.timers:
            timer.cancel()
        super().connection_lost(exc)


def make_server(model, api_key=None, port=0):
    """Return a uvicorn server with every limit set; ``make_server(...).run()`` serves."""
    return uvicorn.Server(
        uvicorn.Config(
            make_app(model, api_key), port=port, http=LimitedConnection, ws="none",
            log_level="warning", access_log=False, server_header=False,
            limit_concurrency=MAX_CONNECTIONS, timeout_keep_alive=IDLE_SECONDS,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        )
    )  # fmt: skip


# %%
# The adversary
# -------------
# Nothing from here on belongs to a service.


class Service:
    """A service in its own thread, on a free port; a context manager."""

    def __init__(self, model, api_key=None):
        self.server = make_server(model, api_key)
        self.thread = threading.Thread(target=self.server.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        while not self.server.started:
            if not self.thread.is_alive():
                raise RuntimeError("The service did not start: see its log.")
            time.sleep(0.01)
        self.port = self.server.servers[0].sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_):
        self.server.should_exit = True
        self.thread.join(SHUTDOWN_SECONDS + 5)


class RemoteModel:
    """What an adversary has: an address. For the audit it is a classifier like any other."""

    def __init__(self, port, api_key=None):
        self.port = port
        self.headers = {"Content-Type": "application/json"}
        if api_key is not None:
            self.headers["Authorization"] = f"Bearer {api_key}"

    def ask(self, X):
        """Return the service's response for records, sent at most MAX_ROWS at a time."""
        proba = []
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            for i in range(0, len(X), MAX_ROWS):
                body = json.dumps({"records": np.asarray(X[i : i + MAX_ROWS]).tolist()})
                connection.request("POST", "/predict_proba", body, self.headers)
                response = connection.getresponse()
                answer = json.loads(response.read())
                if response.status != 200:
                    raise ValueError(answer["detail"])
                proba += answer["proba"]
        return {**answer, "proba": proba}

    @property
    def classes_(self):
        """The classes, as the service names them."""
        return np.array(self.ask(np.zeros((1, 64)))["classes"])

    def predict_proba(self, X):
        """Return the confidences that the service releases."""
        return np.array(self.ask(X)["proba"])

    def predict(self, X):
        """Return the most likely class of each record."""
        answer = self.ask(X)
        return np.array(answer["classes"])[np.argmax(answer["proba"], axis=1)]


def load(remote, X, n_clients=8, n_requests=25):
    """Return (requests a second, median and 95th percentile of the latency in ms)."""

    def client(i):
        times = []
        for r in range(n_requests):
            start = time.perf_counter()
            remote.predict_proba(X[(i * n_requests + r) % len(X)][None])
            times.append(time.perf_counter() - start)
        return times

    start = time.perf_counter()
    with ThreadPoolExecutor(n_clients) as pool:
        times = np.concatenate(list(pool.map(client, range(n_clients))))
    rate = len(times) / (time.perf_counter() - start)
    return rate, *(1000 * np.percentile(times, [50, 95]))


def main():
    """Serve, query, attack, print."""
    X, y = load_digits(return_X_y=True)
    mem, non = slice(0, None, 2), slice(1, None, 2)  # digits come writer by writer
    model = RandomForestClassifier(random_state=0).fit(X[mem], y[mem])
    defended = EqualizedClassifier(model, pairwise_delta=0.2)
    defended.fit(X[mem], X[non], y_mem=y[mem], y_non=y[non])
    api_key = os.environ.get("SERVE_API_KEY")
    for name, served in (("undefended", model), ("equalized", defended)):
        with Service(served, api_key) as service:
            remote = RemoteModel(service.port, api_key)
            report = audit(remote, X[mem], y[mem], X[non], y[non], "quick", name=name)
            rate, median, late = load(remote, X)
        print(report)
        print(f"{rate:.0f} requests/s, latency {median:.1f} ms (95 %: {late:.1f} ms), 8 clients\n")


if __name__ == "__main__":
    main()
