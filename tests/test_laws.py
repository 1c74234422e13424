"""Laws that hold for every table of confidences, each checked on many made-up ones.

The records that the confidences belong to are the confidences themselves.
"""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

pytest.importorskip("torch")

from sklearn_aeppt import AEPPTClassifier
from sklearn_aeppt.attacks import MIMAttack

SIZES = (2, 3, 10)


class Given:
    def __init__(self, n_classes):
        self.classes_ = np.arange(n_classes)

    def predict_proba(self, X):
        return X


def fitted(n_classes, **params):
    rng = np.random.default_rng(n_classes)
    members = rng.dirichlet(np.full(n_classes, 0.05), 100)
    others = rng.dirichlet(np.ones(n_classes), 100)
    defense = AEPPTClassifier(
        Given(n_classes),
        substitute=MIMAttack("substitute", max_epochs=10),
        key=b"a key of the tests, known to all",
        random_state=0,
        **params,
    )
    return defense.fit(members, others)


def in_blocks_of(size, defense):
    # as if fitted with that batch_size: parameters act through `fit` only
    other = pickle.loads(pickle.dumps(defense))
    other._fitted_twin.set_params(batch_size=size)
    return other


@pytest.fixture(scope="module", params=[1e-4, 1e-2, 10.0], ids="step={}".format)
def defenses(request):
    return {k: fitted(k, step_size=request.param, max_iter=20) for k in SIZES}


@st.composite
def tables(draw):
    """Rows of confidences: smooth, tied, one-hot, with zeros, denormals; float32 or float64."""
    k, n = draw(st.sampled_from(SIZES)), draw(st.integers(1, 9))
    kinds = st.sampled_from([0.0, 1.0, 0.5, 1e-300, 1e-30]) | st.floats(0, 1)
    rows = draw(hnp.arrays(np.float64, (n, k), elements=kinds))
    total = rows.sum(axis=1, keepdims=True)
    rows = np.where(total > 1e-3, rows / np.where(total > 1e-3, total, 1), np.eye(k)[:1])
    return rows.astype(draw(st.sampled_from([np.float32, np.float64])))


law = settings(max_examples=60, deadline=None)


@law
@given(p=tables())
def test_law_shown_rows_are_probability_vectors(defenses, p):
    shown = defenses[p.shape[1]].perturb(p, p)
    assert shown.shape == p.shape and shown.dtype == p.dtype
    assert shown.min() >= 0
    np.testing.assert_allclose(shown.sum(axis=1, dtype=np.float64), 1, atol=1e-6)


@law
@given(p=tables())
def test_law_the_argmax_is_kept_ties_included(defenses, p):
    shown = defenses[p.shape[1]].perturb(p, p)
    np.testing.assert_array_equal(shown.argmax(axis=1), p.argmax(axis=1))


@law
@given(p=tables())
def test_law_the_input_is_never_modified(defenses, p):
    before = p.copy()
    p.setflags(write=False)
    defenses[p.shape[1]].perturb(p, p)
    np.testing.assert_array_equal(p, before)


@law
@given(p=tables(), size=st.integers(1, 10), data=st.data())
def test_law_chunk_size_and_row_order_change_nothing(defenses, p, size, data):
    defense = defenses[p.shape[1]]
    whole = defense.perturb(p, p)
    order = np.array(data.draw(st.permutations(range(len(p)))))
    in_chunks = in_blocks_of(size, defense).perturb(p[order], p[order])
    # a record alone is summed in another order: once in thousands of iterations a sign turns
    limit = 4 * defense.step_size if min(size, len(p) % size or size) == 1 else 1e-6
    np.testing.assert_allclose(in_chunks, whole[order], atol=limit)


@law
@given(p=tables())
def test_law_the_same_key_gives_the_same_answer(defenses, p):
    k = p.shape[1]
    twin = fitted(k, step_size=defenses[k].step_size, max_iter=20)
    np.testing.assert_array_equal(twin.perturb(p, p), defenses[k].perturb(p, p))


@pytest.mark.slow
def test_law_chunks_change_nothing_at_scale():
    defense = fitted(100, step_size=1e-4)
    p = np.random.default_rng(1).dirichlet(np.full(100, 0.02), 3000).astype(np.float32)
    whole = defense.perturb(p, p)
    for size in (2, 7, 640):
        np.testing.assert_allclose(in_blocks_of(size, defense).perturb(p, p), whole, atol=1e-6)
    alone = np.concatenate([defense.perturb(row[None], row[None]) for row in p[:300]])
    assert (np.abs(alone - whole[:300]).max(axis=1) > 1e-6).mean() < 0.02
    np.testing.assert_allclose(alone, whole[:300], atol=4e-4)
