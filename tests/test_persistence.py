"""Everything fitted is saved and loaded, in this process or another, and answers alike."""

import pickle
import subprocess
import sys
import zipfile
from copy import deepcopy
from io import BytesIO

import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier

pytest.importorskip("torch")

from sklearn_aeppt import AEPPTClassifier, EqualizedClassifier
from sklearn_aeppt._files import load_model
from sklearn_aeppt._nets._target_networks import AlexNet, FullyConnected
from sklearn_aeppt._nets._three_branch import ARCHITECTURES, ThreeBranch
from sklearn_aeppt.attacks import GradientBoostingAttack, MIMAttack, query
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

SMALL = {"hidden_layer_sizes": (8,), "lr": 0.01, "max_epochs": 3, "random_state": 0}


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
        "top k": TopKClassifier(forest, k=1),
        "temperature": TemperatureClassifier(forest),
    }
    trained = {
        "network": NetworkClassifier(**SMALL),
        "dropout": DropoutClassifier(**SMALL),
        "adversarial regularization": AdversarialRegularizationClassifier(**SMALL),
        "stacking": ModelStackingClassifier([("net", NetworkClassifier(**SMALL))], random_state=0),
    }
    seen = query(forest, X, y)
    attacks = {"MIM": mim, "boosting": GradientBoostingAttack(random_state=0)}
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
        "from sklearn_aeppt._files import load_model\n"
        "here = Path(sys.argv[1])\n"
        "for name in sys.argv[2:]:\n"
        "    shown = load_model(here / f'{name}.skops').predict_proba(np.load(here / 'X.npy'))\n"
        "    np.save(here / f'{name}.npy', shown)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path), *names], check=True)
    for name in names:
        here = fitted[name][0].predict_proba(X)
        np.testing.assert_array_equal(np.load(tmp_path / f"{name}.npy"), here)


MODULES = [
    FullyConnected(4, 3, (5,), "tanh", 0.0, 0),
    FullyConnected(4, 3, (), "relu", 0.5, 0),
    FullyConnected(4, 3, [5, 6, 7], "relu", 0.5, 0),
    AlexNet(3072, 7, (), "relu", 0.0, 0),
    AlexNet(3072, 7, (), "tanh", 0.5, 0),
    *(ThreeBranch(3, **branches) for branches in ARCHITECTURES.values()),
    ThreeBranch(3, (), (5,), ()),
    ThreeBranch(3, (5,), (), (4, 2)),
]


@pytest.mark.parametrize("module", MODULES)
def test_the_shapes_of_a_modules_weights_are_known_without_making_it(module):
    found = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    assert module.weight_shapes(**module.arguments) == found


def _weights(change):
    def changed(state):
        weights = state["module_"]["weights"]
        name = next(iter(weights))
        state["module_"]["weights"] = {**weights, **change(name, weights[name])}

    return changed


def _arguments(**new):
    return lambda state: state["module_"]["arguments"].update(new)


TAMPERED = {
    "kind": lambda state: state["module_"].update(kind="Sequential"),
    "kind that is no name": lambda state: state["module_"].update(kind=["FullyConnected"]),
    "no kind": lambda state: state["module_"].pop("kind"),
    "no dict": lambda state: state.update(module_=[1]),
    "no arguments": lambda state: state["module_"].update(arguments=None),
    "one argument more": _arguments(bias=True),
    "one argument less": lambda state: state["module_"]["arguments"].pop("n_classes"),
    "other classes": _arguments(n_classes=4),
    "absurd width": _arguments(hidden_layer_sizes=(2**40,)),
    "absurd depth": _arguments(hidden_layer_sizes=(8,) * 2_000),
    "negative width": _arguments(hidden_layer_sizes=(-8,)),
    "fractional width": _arguments(hidden_layer_sizes=(8.5,)),
    "width in words": _arguments(hidden_layer_sizes="8"),
    "activation": _arguments(activation="__import__"),
    "dropout": _arguments(dropout=float("nan")),
    "seed": _arguments(seed=2**70),
    "one array less": lambda state: state["module_"]["weights"].popitem(),
    "one array more": _weights(lambda name, value: {"more": value}),
    "shape": _weights(lambda name, value: {name: value[:-1]}),
    "scalar": _weights(lambda name, value: {name: value.sum()}),
    "dtype": _weights(lambda name, value: {name: value.astype(np.float64)}),
    "objects": _weights(lambda name, value: {name: value.astype(object)}),
    "list": _weights(lambda name, value: {name: value.tolist()}),
    "NaN": _weights(lambda name, value: {name: value * np.nan}),
    "infinity": _weights(lambda name, value: {name: value + np.inf}),
    "device": lambda state: state.update(device="cpu; rm"),
    "another device": lambda state: state.update(device="meta"),
    "device number": lambda state: state.update(device="cuda:-1"),
    "no device": lambda state: state.update(device=None),
    "history": lambda state: state.update(history_="{"),
    "history of numbers": lambda state: state.update(history_="[1]"),
    "no history": lambda state: state.update(history_=None),
    "features": lambda state: state.update(n_features_in_=10**12),
    "classes": lambda state: state.update(classes_=np.arange(10**6)),
}


@pytest.mark.parametrize("change", TAMPERED)
def test_a_saved_network_that_was_changed_is_one_clear_error(fitted, tmp_path, monkeypatch, change):
    io = pytest.importorskip("skops.io")
    network, _ = fitted["network"]
    state = deepcopy(network.__getstate__())
    TAMPERED[change](state["_fitted_twin"])
    with pytest.raises(ValueError, match="NetworkClassifier was not saved by this library, or was"):
        NetworkClassifier().__setstate__(state)
    monkeypatch.setattr(NetworkClassifier, "__getstate__", lambda self: state)
    io.dump(network, tmp_path / "model.skops")
    with pytest.raises(ValueError, match=r"model\.skops cannot be loaded.*was not saved by"):
        load_model(tmp_path / "model.skops")


@pytest.mark.parametrize("device", ["cuda", "cuda:63", "mps", "cpu"])
def test_a_device_that_is_not_here_is_the_cpu(fitted, device):
    network, X = fitted["network"]
    state = {**network.__getstate__(), "device": device}
    loaded = NetworkClassifier()
    loaded.__setstate__(state)
    if device == "cuda:63":
        assert next(loaded.module_.parameters()).device.type == "cpu"
    np.testing.assert_allclose(loaded.predict_proba(X), network.predict_proba(X), rtol=1e-5)


def test_a_damaged_model_file_is_one_clear_error(fitted, tmp_path):
    io = pytest.importorskip("skops.io")
    file = tmp_path / "model.skops"
    io.dump(fitted["equalized"][0], file)
    whole = file.read_bytes()
    damaged = {
        "empty": b"", "cut off": whole[:-200], "no archive": b"model", "half": whole[:500],
        "no schema": _zipped({"a.npy": b""}), "other schema": _zipped({"schema.json": b"{}"}),
        "schema that is no JSON": _zipped({"schema.json": b"{"}),
        "schema of a list": _zipped({"schema.json": b"[1]"}),
    }  # fmt: skip
    for content in damaged.values():
        file.write_bytes(content)
        with pytest.raises(ValueError, match=r"model\.skops cannot be loaded: it is damaged"):
            load_model(file)
    with pytest.raises(ValueError, match=r"model\.pkl cannot be loaded"):
        (tmp_path / "model.pkl").write_bytes(b"\x80\x04")
        load_model(tmp_path / "model.pkl", trust=True)


def _zipped(files):
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        for name, content in files.items():
            z.writestr(name, content)
    return out.getvalue()
