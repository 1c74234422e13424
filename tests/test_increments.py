"""The numba engine against the plain loop in double precision, and when it answers."""

import copy
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("numba")

import torch

from sklearn_aeppt._nets import _engine
from sklearn_aeppt._nets._perturbation import logit_gradient, perturb_block
from sklearn_aeppt._nets._three_branch import ARCHITECTURES, ThreeBranch

WIDTHS = ARCHITECTURES["substitute"]


def network(K, seed=0, spread=3.0, **widths):
    """Return a network whose units flip often: a trained one has larger weights than a new one."""
    module = ThreeBranch(K, **{**WIDTHS, **widths}, seed=seed)
    with torch.no_grad():
        for weight in module.parameters():
            weight *= spread
    return module


def kinds(K, n, rng):
    """Return name -> (n, K) rows: as overfit models give them, and every awkward sort."""
    soft = rng.dirichlet(np.full(K, 0.3), n)
    pairs = np.zeros((n, K))
    pairs[np.arange(n), rng.integers(K, size=n)] = 0.5
    pairs[:, 0] += 0.5
    tiny = np.full((n, K), 1e-42)
    tiny[np.arange(n), rng.integers(K, size=n)] = 1
    return {
        "saturated": rng.dirichlet(np.full(K, 0.02), n),
        "soft": soft,
        "uniform": np.full((n, K), 1 / K),
        "ties": pairs,
        "one-hot": np.eye(K)[rng.integers(K, size=n)],
        "denormal": tiny,
    }


def plain_loop(module, p, draws, step):
    """Return Algorithm 1's vectors in double precision."""
    q = perturb_block(
        logit_gradient(copy.deepcopy(module).double()),
        torch.tensor(p, dtype=torch.float64),
        torch.tensor(p.argmax(axis=1)),
        torch.tensor(draws, dtype=torch.float64),
        step,
    )
    return q.numpy()


@pytest.mark.parametrize("step", [1e-5, 1e-3, 1e-2, 0.3])
@pytest.mark.parametrize("K", [2, 3, 37, 300])
def test_increments_are_the_plain_loop(K, step):
    rng = np.random.default_rng(K)
    module = network(K)
    assert _engine.increments_of(module) is not None
    for kind, p in kinds(K, 24, rng).items():
        p = p.astype(np.float32)
        draws = rng.random((100, len(p)), dtype=np.float32)
        q = _engine.perturb_rows(module, p, p.argmax(axis=1), draws, step)
        expected = plain_loop(module, p, draws, step)
        # 3e-8 is half a step of float32 below one
        np.testing.assert_allclose(q, expected, rtol=0, atol=4e-8, err_msg=kind)
        if kind == "soft":  # others may stand in a corner that they cannot leave
            assert (q != p).any(axis=1).all()


def test_a_network_that_says_nothing_moves_nothing():
    p = np.random.default_rng(0).dirichlet(np.ones(5), 8).astype(np.float32)
    draws = np.ones((20, 8), dtype=np.float32)
    module = network(5)
    with torch.no_grad():
        module.joint[0].bias.fill_(-100.0)  # no joint unit fires: the gradient is zero
    q = _engine.perturb_rows(module, p, p.argmax(axis=1), draws, 0.01)
    np.testing.assert_array_equal(q, p)


def test_a_direction_that_dies_on_the_way_stops_there():
    module = network(2, prediction=(2,), label=(1,), joint=(1,))
    with torch.no_grad():
        for weight in module.parameters():
            weight.zero_()
        # one live unit, 0.5 - q0: non-members, so q0 falls; the other dies at q0 = 0.3
        module.prediction[0].weight[1, 0] = 1.0
        module.prediction[0].bias[1] = -0.3
        module.joint[0].weight[0, 1] = 1.0
        module.joint[0].bias[0] = 1.0
        module.output.weight[0, 0] = 1.0
    p, draws = np.array([[0.6, 0.4]], dtype=np.float32), np.ones((100, 1), dtype=np.float32)
    q = _engine.perturb_rows(module, p, np.array([0]), draws, 0.01)
    np.testing.assert_allclose(q, [[0.3, 0.4]], atol=0.0101)
    np.testing.assert_allclose(q, plain_loop(module, p, draws, 0.01), atol=4e-8)


def test_an_answer_does_not_depend_on_the_records_beside_it():
    rng = np.random.default_rng(0)
    module, p = network(10), rng.dirichlet(np.full(10, 0.3), 33).astype(np.float32)
    draws, label = rng.random((50, 33), dtype=np.float32), p.argmax(axis=1)
    together = _engine.perturb_rows(module, p, label, draws, 1e-3)
    alone = [
        _engine.perturb_rows(module, p[i : i + 1], label[i : i + 1], draws[:, i : i + 1], 1e-3)
        for i in range(33)
    ]
    np.testing.assert_array_equal(together, np.concatenate(alone))


def test_weights_that_change_in_place_are_noticed():
    p, draws = np.array([[0.6, 0.4]], dtype=np.float32), np.ones((5, 1), dtype=np.float32)
    module = network(2)
    before = _engine.perturb_rows(module, p, np.array([0]), draws, 0.01)
    with torch.no_grad():
        for weight in module.parameters():
            weight.zero_()
    assert (before != p).any()
    np.testing.assert_array_equal(_engine.perturb_rows(module, p, np.array([0]), draws, 0.01), p)


@pytest.mark.parametrize(
    "module",
    [
        ThreeBranch(4, **ARCHITECTURES["mim0"]),
        ThreeBranch(4, **ARCHITECTURES["mim1"]),
        ThreeBranch(4, **WIDTHS).double(),
    ],
)
def test_other_networks_are_torchs(module):
    assert _engine.increments_of(module) is None
    p = np.random.default_rng(0).dirichlet(np.ones(4), 3)
    if next(module.parameters()).dtype == torch.float32:
        draws = np.ones((3, 3), dtype=np.float32)
        q = _engine.perturb_rows(module, p, p.argmax(axis=1), draws, 1e-3)
        np.testing.assert_allclose(q, plain_loop(module, p, draws, 1e-3), atol=1e-6)


def test_weights_that_are_not_finite_are_torchs():
    module = network(3)
    with torch.no_grad():
        module.output.weight[0, 0] = torch.nan
    assert _engine.increments_of(module) is None


def test_without_numba_torch_answers(monkeypatch):
    p = np.random.default_rng(0).dirichlet(np.ones(4), 9).astype(np.float32)
    module, draws = network(4), np.full((30, 9), 0.5, dtype=np.float32)
    fast = _engine.perturb_rows(module, p, p.argmax(axis=1), draws, 1e-3)
    monkeypatch.setattr(_engine, "_numba_engine", lambda: None)
    assert _engine.increments_of(module) is None
    np.testing.assert_allclose(
        _engine.perturb_rows(module, p, p.argmax(axis=1), draws, 1e-3), fast, atol=1e-6
    )


def test_importing_does_not_import_numba():
    code = (
        "import sys, sklearn_aeppt.defenses._aeppt, sklearn_aeppt.attacks._mim;"
        "sys.exit('numba' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
