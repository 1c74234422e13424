"""The perturbation engine against the algorithm written down, and its gradient against autograd."""

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from torch.nn import functional as F

from sklearn_aeppt._nets._perturbation import (
    AnalyticGradient,
    AutogradGradient,
    logit_gradient,
    perturb_block,
)
from sklearn_aeppt._nets._three_branch import ARCHITECTURES, ThreeBranch
from sklearn_aeppt._simplex import to_simplex

K = 11


@pytest.fixture
def proba():
    p = np.random.default_rng(0).dirichlet(np.full(K, 0.2), 64)
    p[0], p[1] = np.eye(K)[3], np.full(K, 1 / K)
    return p


def network(architecture, dtype=torch.float64):
    return ThreeBranch(K, **ARCHITECTURES[architecture], seed=3).to(dtype)


@pytest.mark.parametrize("architecture", ["substitute", "mim0"])
def test_analytic_gradient_and_logit_equal_autograd(architecture, proba):
    module = network(architecture)
    q, label = torch.tensor(proba), torch.tensor(proba.argmax(1))
    x = q.clone().requires_grad_()
    (expected,) = torch.autograd.grad(module(x, label).sum(), x)
    step = AnalyticGradient(module).bind(q, label)
    torch.testing.assert_close(step(), expected, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(step.logit(), module(q, label).detach(), rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(AutogradGradient(module).bind(q, label)(), expected)


def test_plain_network_goes_through_autograd():
    assert isinstance(logit_gradient(network("mim1")), AutogradGradient)
    assert isinstance(logit_gradient(torch.nn.Linear(2, 1)), AutogradGradient)
    assert isinstance(logit_gradient(network("substitute")), AnalyticGradient)


def literal_algorithm_1(module, p, label, draws, step_size):
    """The paper's Algorithm 1 as it stands, one record at a time, gradient of the loss itself."""
    rows = []
    for i in range(len(p)):
        q, c = p[i : i + 1], label[i : i + 1]
        m = (torch.sigmoid(module(q, c)) >= 0.5).double()
        for r in draws[:, i]:
            q = q.detach().requires_grad_()
            loss = F.binary_cross_entropy(torch.sigmoid(module(q, c)), m)
            (gradient,) = torch.autograd.grad(loss, q)
            q = torch.clip(q.detach() + r * step_size * gradient.sign(), 0, 1)
        rows.append(q)
    return torch.cat(rows)


@pytest.mark.parametrize("architecture", list(ARCHITECTURES))
def test_engine_is_algorithm_1(architecture, proba):
    module = network(architecture)
    p, label = torch.tensor(proba), torch.tensor(proba.argmax(1))
    draws = torch.rand(20, len(p), dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    q = perturb_block(logit_gradient(module), p, label, draws, 1e-3)
    expected = literal_algorithm_1(module, p, label, draws, 1e-3).detach()
    torch.testing.assert_close(q, expected, rtol=0, atol=1e-12)
    assert (q != p).any(dim=1).all()


def test_a_saturated_mim_still_gives_a_direction(proba):
    module = network("substitute", torch.float32)
    with torch.no_grad():
        module.output.bias.fill_(60.0)  # a float32 sigmoid is exactly one from 17 on
    p, label = torch.tensor(proba, dtype=torch.float32), torch.tensor(proba.argmax(1))
    q = perturb_block(AnalyticGradient(module), p, label, torch.ones(5, len(p)), 1e-3)
    assert (q != p).any(dim=1).all()
    assert (module(q, label) <= module(p, label)).all()  # away from "member"


def test_input_is_left_alone_and_iterations_are_shown(proba):
    module = network("substitute")
    p, label = torch.tensor(proba), torch.tensor(proba.argmax(1))
    seen = []
    draws = torch.ones(4, len(p), dtype=torch.float64)
    q = perturb_block(
        AnalyticGradient(module),
        p,
        label,
        draws,
        1e-3,
        on_iteration=lambda q: seen.append(q.clone()),
    )
    np.testing.assert_array_equal(p, proba)
    assert len(seen) == 5
    torch.testing.assert_close(seen[0], p)
    torch.testing.assert_close(seen[-1], q)


def test_crossing_rows_go_back_along_the_segment():
    p, q = np.array([[0.6, 0.4, 0.0]]), np.array([[0.4, 0.6, 0.0]])
    shown = to_simplex(p, q, np.array([0]))
    # the labels tie halfway; a hair before that
    np.testing.assert_allclose(shown, [[0.5001, 0.4999, 0.0]], atol=1e-9)


def test_tied_rows_keep_the_first_of_the_tied_labels():
    p, q = np.array([[0.5, 0.5]]), np.array([[0.2, 0.8]])
    shown = to_simplex(p, q, np.array([0]))
    assert shown.argmax() == 0 and shown.sum() == pytest.approx(1, abs=1e-12)


def test_a_row_clipped_to_nothing_is_still_a_probability_vector():
    p, q = np.array([[0.9, 0.1]]), np.zeros((1, 2))
    shown = to_simplex(p, q, np.array([0]))
    assert shown.argmax() == 0 and shown.sum() == pytest.approx(1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("lead", [1e-17, 1e-12, 1e-9, 1e-6])
def test_the_label_leads_for_whoever_stores_float32(lead, dtype):
    """In float64 a lead below 6e-8 is one, as float32 a tie: the first class would be read."""
    p = np.array([[0.5, 0.5 + lead, 0.0]] * 2, dtype=dtype)
    q = p + np.array([[0.1, 0.0, 0.0], [0.0, 0.0, 0.0]], dtype=dtype)
    shown = to_simplex(p, q, np.array([1, 1]))
    assert shown.dtype == dtype
    for read_as in (np.float32, np.float64):
        np.testing.assert_array_equal(shown.astype(read_as).argmax(axis=1), [1, 1])
    np.testing.assert_allclose(shown.sum(axis=1), 1, atol=1e-6)
