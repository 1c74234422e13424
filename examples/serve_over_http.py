"""
Serve a protected model over HTTP
=================================

The service answers with what the defense shows, and nothing else of the model is reachable. Run it
as ``python examples/serve_over_http.py``: it starts the service with a protected and with an
undefended model, asks both from eight clients at once, attacks them through the socket as a black
box, and prints what an attacker gets and what the defense costs.

Needs the extra ``serve``.
"""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection

import numpy as np
import uvicorn
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier

from sklearn_aeppt import EqualizedClassifier
from sklearn_aeppt.audit import audit


class Records(BaseModel):
    """The body of a request."""

    records: list[list[float]]


def make_app(model):
    """Return a service of one question: confidences of records."""
    app = FastAPI(docs_url=None, redoc_url=None)

    @app.post("/predict_proba")
    def predict_proba(body: Records):
        try:
            proba = model.predict_proba(np.array(body.records))
        except ValueError as error:  # a bad request; its message speaks of the records only
            raise HTTPException(422, str(error)) from None
        return {"classes": model.classes_.tolist(), "proba": proba.tolist()}

    return app


class Service:
    """A service in a thread of its own, on a free port; a context manager."""

    def __init__(self, model):
        config = uvicorn.Config(make_app(model), port=0, log_level="warning")
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        while not self.server.started:
            time.sleep(0.01)
        self.port = self.server.servers[0].sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_):
        self.server.should_exit = True
        self.thread.join()


class RemoteModel:
    """What an adversary has: an address. To the audit it is a classifier like any other."""

    def __init__(self, port):
        self.port = port

    def ask(self, X):
        """Return the whole answer of the service to some records."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        body = json.dumps({"records": np.asarray(X).tolist()})
        connection.request("POST", "/predict_proba", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer = json.loads(response.read())
        connection.close()
        if response.status != 200:
            raise ValueError(answer["detail"])
        return answer

    @property
    def classes_(self):
        """The classes, as the service names them."""
        return np.array(self.ask(np.zeros((1, 64)))["classes"])

    def predict_proba(self, X):
        """Return the confidences that the service shows."""
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
    """Serve, ask, attack, print."""
    X, y = load_digits(return_X_y=True)
    mem, non = slice(0, 900), slice(900, None)
    model = RandomForestClassifier(random_state=0).fit(X[mem], y[mem])
    defended = EqualizedClassifier(model, pairwise_delta=0.2)
    defended.fit(X[mem], X[non], y_mem=y[mem], y_non=y[non])
    for name, served in (("undefended", model), ("equalized", defended)):
        with Service(served) as service:
            remote = RemoteModel(service.port)
            report = audit(remote, X[mem], y[mem], X[non], y[non], "quick", name=name)
            rate, median, late = load(remote, X)
        print(report)
        print(f"{rate:.0f} requests/s, latency {median:.1f} ms (95 %: {late:.1f} ms), 8 clients\n")


if __name__ == "__main__":
    main()
