"""What the equalized defense costs a service: requests a second and latency, by turns."""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier

from examples.serve_over_http import RemoteModel, Service, load
from examples.studies._data import key_from
from sklearn_aeppt import EqualizedClassifier


def run(scale="paper", seed=0):
    """Return medians over rounds, in each of which both models are served in turn."""
    n_rounds, n_requests = (7, 50) if scale == "paper" else (2, 5)
    X, y = load_digits(return_X_y=True)
    is_member = np.random.default_rng(seed).permutation(len(y)) < 900
    model = RandomForestClassifier(random_state=seed).fit(X[is_member], y[is_member])
    defended = EqualizedClassifier(model, pairwise_delta=0.2, key=key_from("serving", seed))
    defended.fit(X, y, is_member=is_member)
    served = {"undefended": model, "equalized": defended}
    measured = {name: [] for name in served}
    for _ in range(n_rounds):
        for name, one in served.items():
            with Service(one) as service:
                remote = RemoteModel(service.port)
                remote.predict_proba(X[:1])  # the first request opens what the others use
                measured[name].append(load(remote, X, n_clients=8, n_requests=n_requests))
    ratio = np.divide(measured["equalized"], measured["undefended"])
    columns = ("requests/s", "median latency, ms", "95th percentile, ms")
    rows = [
        {"data": name, "rounds": n_rounds, "clients": 8, "requests": 8 * n_requests}
        | dict(zip(columns, np.median(figures, axis=0).tolist()))
        for name, figures in [*measured.items(), ("equalized / undefended", ratio)]
    ]
    return {"runs": rows}
