import os
import sys
from pathlib import Path

import no_torch

if os.environ.get("AEPPT_BLOCK_TORCH"):  # before anything imports it
    no_torch.block()

import numpy as np
import pytest
from extras import torch
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

if os.environ.get("PYTEST_XDIST_WORKER"):  # a worker a core: more threads wait for each other
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # of libraries that are loaded later
    threadpool_limits(1)

collect_ignore = ["fuzz.py"]  # a command of its own, which needs atheris


def pytest_configure(config):
    if torch is None:  # modules that need it have no doctests to run
        config.option.doctest_ignore_import_errors = True


@pytest.fixture(scope="session", autouse=True)
def one_torch_thread():
    # the nets of the tests are small: a second thread costs more than it brings
    if torch is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def shared_data():
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real data sets are not beside the checkout, in ../shared/data")
    return folder


@pytest.fixture(scope="session")
def location30(shared_data):
    with np.load(shared_data / "location30.npz") as z:
        X = np.unpackbits(z["X_packed"], axis=1, count=int(z["n_features"])).astype(np.float32)
        return X, z["y"]


@pytest.fixture(scope="session")
def walmart37(shared_data):
    with np.load(shared_data / "walmart37.npz") as z:
        X = np.unpackbits(z["X_packed"], axis=1, count=2000).astype(np.float32)
        return X[z["first"]], z["y"][z["first"]]


@pytest.fixture(scope="session")
def quick_substitute():
    pytest.importorskip("torch")
    from sklearn_aeppt.attacks import MIMAttack

    return MIMAttack("substitute", max_epochs=5)


@pytest.fixture(scope="session")
def overfit():
    """(model, X, y, is_member): a network that knows noise labels by heart."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(600, 20)), rng.integers(4, size=600)
    y = np.where(rng.random(600) < 0.5, X[:, :4].argmax(axis=1), y)
    is_member = np.arange(600) < 300
    model = MLPClassifier((128,), alpha=0, max_iter=2000, random_state=0)
    return model.fit(X[is_member], y[is_member]), X, y, is_member


@pytest.fixture(scope="session")
def defended(overfit, quick_substitute):
    from sklearn_aeppt import AEPPTClassifier

    model, X, _, is_member = overfit
    defense = AEPPTClassifier(model, step_size=1e-3, substitute=quick_substitute, random_state=0)
    return defense.fit(X[is_member], X[~is_member])


@pytest.fixture(scope="session")
def linear(overfit):
    _, X, y, is_member = overfit
    return LogisticRegression().fit(X[is_member], y[is_member])


@pytest.fixture(autouse=True)
def no_figure_stays_open():
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
