"""Everything fitted is saved and loaded, in this process or another, and answers alike."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier

from sklearn_aeppt import AEPPTClassifier, EqualizedClassifier
from sklearn_aeppt.attacks import BoostingAttack, MIMAttack, query
from sklearn_aeppt.audit._files import load_model
from sklearn_aeppt.defenses import (
    AdversarialRegularizationClassifier,
    DropoutClassifier,
    MemGuardClassifier,
    ModelStackingClassifier,
    RoundingClassifier,
    TemperatureClassifier,
    TopKClassifier,
)
from sklearn_aeppt.networks import NetworkClassifier

SMALL = {"hidden": (8,), "lr": 0.01, "max_epochs": 3, "random_state": 0}


@pytest.fixture(scope="module")
def records():
    X, y = make_classification(240, 6, n_informative=5, n_redundant=0, n_classes=3, random_state=0)
    return X.astype(np.float32), y


@pytest.fixture(scope="module")
def fitted(records):
    """Name -> (estimator, what it is asked)."""
    X, y = records
    member = np.arange(len(X)) < 120
    forest = RandomForestClassifier(5, random_state=0).fit(X[member], y[member])
    mim = MIMAttack("substitute", max_epochs=3, random_state=0)
    output = {
        "AEPPT": AEPPTClassifier(forest, substitute=mim, step_size=1e-3, random_state=0),
        "equalized": EqualizedClassifier(forest, random_state=0),
        "MemGuard": MemGuardClassifier(forest, random_state=0, max_iter=5),
        "rounding": RoundingClassifier(forest),
        "top k": TopKClassifier(forest),
        "temperature": TemperatureClassifier(forest),
    }
    trained = {
        "network": NetworkClassifier(**SMALL),
        "dropout": DropoutClassifier(**SMALL),
        "adversarial regularization": AdversarialRegularizationClassifier(**SMALL),
        "stacking": ModelStackingClassifier([("net", NetworkClassifier(**SMALL))], random_state=0),
    }
    seen = query(forest, X, y)
    attacks = {"MIM": mim, "boosting": BoostingAttack(random_state=0)}
    return {
        **{name: (one.fit(X, y, is_member=member), X) for name, one in output.items()},
        **{name: (one.fit(X, y), X) for name, one in trained.items()},
        **{name: (one.fit(seen, member), seen) for name, one in attacks.items()},
    }


NAMES = (
    "AEPPT", "equalized", "MemGuard", "rounding", "top k", "temperature", "network", "dropout",
    "adversarial regularization", "stacking", "MIM", "boosting",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_skops_and_pickle_answer_alike_without_trust_in_anything_foreign(fitted, tmp_path, name):
    io = pytest.importorskip("skops.io")
    estimator, X = fitted[name]
    io.dump(estimator, tmp_path / "model.skops")
    for loaded in (load_model(tmp_path / "model.skops"), pickle.loads(pickle.dumps(estimator))):
        np.testing.assert_array_equal(loaded.predict_proba(X), estimator.predict_proba(X))
        assert set(vars(loaded)) == set(vars(estimator))
        assert repr(loaded) == repr(estimator)


def test_the_history_of_a_network_is_saved_too(fitted):
    network, _ = fitted["network"]
    loaded = pickle.loads(pickle.dumps(network))
    assert loaded.history_[:, "train_loss"] == network.history_[:, "train_loss"]


@pytest.mark.parametrize("name", ["network", "AEPPT"])
def test_a_network_from_a_gpu_loads_where_there_is_none(fitted, monkeypatch, name):
    estimator, X = fitted[name]
    elsewhere = pickle.loads(pickle.dumps(estimator))
    for holder in (elsewhere, getattr(elsewhere, "substitute_", elsewhere)):
        holder._fitted_twin.set_params(device="cuda")
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    loaded = pickle.loads(pickle.dumps(elsewhere))
    np.testing.assert_array_equal(loaded.predict_proba(X), estimator.predict_proba(X))


def test_a_new_process_answers_alike(fitted, records, tmp_path):
    io = pytest.importorskip("skops.io")
    X, _ = records
    names = ("AEPPT", "equalized", "MemGuard")
    for name in names:
        io.dump(fitted[name][0], tmp_path / f"{name}.skops")
    np.save(tmp_path / "X.npy", X)
    program = (
        "import sys, numpy as np\n"
        "from pathlib import Path\n"
        "from sklearn_aeppt.audit._files import load_model\n"
        "here = Path(sys.argv[1])\n"
        "for name in sys.argv[2:]:\n"
        "    shown = load_model(here / f'{name}.skops').predict_proba(np.load(here / 'X.npy'))\n"
        "    np.save(here / f'{name}.npy', shown)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path), *names], check=True)
    for name in names:
        here = fitted[name][0].predict_proba(X)
        np.testing.assert_array_equal(np.load(tmp_path / f"{name}.npy"), here)
