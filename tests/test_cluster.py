"""The same figures on a cluster, also when a worker dies; skipped without dask.distributed."""

import json
import os
import signal
import threading
import time
import warnings

import joblib
import numpy as np
import pytest
from fakes import without_times
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier

pytest.importorskip("torch")

from sklearn_aeppt import EqualizedClassifier
from sklearn_aeppt.attacks import LiRAAttack, query
from sklearn_aeppt.audit import audit

distributed = pytest.importorskip("distributed")
# the cluster's own: sockets and event loops closed late, ports taken, workers lost on purpose
pytestmark = [
    pytest.mark.slow,  # processes that import everything
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def client():
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def game():
    rng = np.random.default_rng(0)
    X, y, m = rng.normal(size=(400, 40)), rng.integers(2, size=400), np.arange(400) < 200
    return GaussianNB().fit(X[m], y[m]), X, y, m


def test_shadow_models_and_audit_give_the_serial_figures(client, game):
    model, X, y, m = game

    def figures():
        view = query(model, X, y)
        attack = LiRAAttack(GaussianNB(), n_shadow_models=8, random_state=0).fit(view[::2], m[::2])
        report = audit(model, X[m], y[m], X[~m], y[~m], "quick", random_state=0)
        return attack.decision_function(view[1::2]), without_times(json.loads(report.to_json()))

    serial = figures()
    with joblib.parallel_config(backend="dask"):
        on_cluster = figures()
    np.testing.assert_array_equal(on_cluster[0], serial[0])
    assert on_cluster[1] == serial[1]


def test_a_killed_worker_costs_time_and_not_results(client, game):
    _, X, y, m = game
    slow = MLPClassifier((200,), max_iter=150, tol=0, n_iter_no_change=1000, solver="sgd")
    view = query(game[0], X, y)

    def scores():
        attack = LiRAAttack(slow, n_shadow_models=8, random_state=0).fit(view[::2], m[::2])
        return attack.decision_function(view[1::2])

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # sgd is cut off on purpose
        serial = scores()
    before = client.run(os.getpid)
    killed = sorted(before.values())[0]

    def kill():
        time.sleep(0.5)
        os.kill(killed, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    with joblib.parallel_config(backend="dask"):
        killer.start()
        on_cluster = scores()
    killer.join()
    client.wait_for_workers(2, timeout=60)
    assert killed not in client.run(os.getpid).values()
    np.testing.assert_allclose(on_cluster, serial, rtol=1e-6)


def test_bulk_scoring_of_partitions_gives_the_answers_of_the_whole(client, game):
    """`map_partitions` over a table that need not fit into memory."""
    pd = pytest.importorskip("pandas")
    dd = pytest.importorskip("dask.dataframe")
    _, X, y, m = game
    frame = pd.DataFrame(X, columns=[f"c{i}" for i in range(X.shape[1])])
    model = GaussianNB().fit(frame[m], y[m])
    defended = EqualizedClassifier(model, random_state=0).fit(frame, y, is_member=m)
    table = dd.from_pandas(frame, npartitions=7)
    meta = pd.DataFrame(np.empty((0, 2)))

    def score(part):
        return pd.DataFrame(defended.predict_proba(part), index=part.index)

    scored = table.map_partitions(score, meta=meta).compute()
    np.testing.assert_allclose(scored.to_numpy(), defended.predict_proba(frame), atol=1e-6)
