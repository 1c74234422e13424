"""Rounding, top k, temperature and MemGuard."""

import pickle

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator
from sklearn.model_selection import GridSearchCV

from sklearn_aeppt.attacks import MIMAttack, query
from sklearn_aeppt.defenses import (
    MemGuardClassifier,
    RoundingClassifier,
    TemperatureClassifier,
    TopKClassifier,
)


class Given:
    classes_ = np.arange(5)

    def predict_proba(self, X):
        return X

    def __repr__(self):
        return "Given()"  # no address: workers of pytest-xdist compare the names of the tests


DEFENSES = [
    RoundingClassifier(Given(), decimals=1),
    RoundingClassifier(Given(), decimals=3),
    TopKClassifier(Given(), k=1),
    TopKClassifier(Given(), k=4),
    TopKClassifier(Given(), k=9),
    TemperatureClassifier(Given(), temperature=0.01),
    TemperatureClassifier(Given(), temperature=50.0),
]


@pytest.mark.filterwarnings("ignore:k=. hides nothing:UserWarning")
@pytest.mark.parametrize("defense", DEFENSES, ids=str)
@settings(max_examples=50, deadline=None)
@given(
    rows=st.lists(
        st.lists(
            st.sampled_from([0, 1e-30, 0.01, 0.049, 0.05, 0.3, 1]) | st.floats(0, 1),
            min_size=5,
            max_size=5,
        ).filter(lambda row: sum(row) > 1e-3),
        min_size=1,
        max_size=6,
    ),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_law_probability_vectors_with_the_label(defense, rows, dtype):
    p = np.array(rows)
    p = (p / p.sum(axis=1, keepdims=True)).astype(dtype)
    before = p.copy()
    shown = defense.fit(np.eye(5), np.eye(5)).perturb(p)
    assert shown.min() >= 0
    np.testing.assert_allclose(shown.sum(axis=1, dtype=np.float64), 1, atol=1e-6)
    np.testing.assert_array_equal(shown.argmax(axis=1), p.argmax(axis=1))
    np.testing.assert_array_equal(p, before)


def show(defense, row):
    return defense.fit(np.eye(5), np.eye(5)).perturb([row])[0]


def test_rounding_worked_by_hand():
    p = [0.52, 0.26, 0.12, 0.06, 0.04]
    # 0.5, 0.3, 0.1, 0.1, 0.0: they sum to one
    np.testing.assert_allclose(
        show(RoundingClassifier(Given(), decimals=1), p), [0.5, 0.3, 0.1, 0.1, 0]
    )
    tied = [0.32, 0.34, 0.3, 0.02, 0.02]
    shown = show(RoundingClassifier(Given(), decimals=1), tied)
    np.testing.assert_allclose(shown, np.array([0.3, 0.35, 0.3, 0, 0]) / 0.95)


def test_rounding_shows_the_rounded_values_and_nothing_else():
    defense = RoundingClassifier(Given(), decimals=1)
    one, other = [0.51, 0.29, 0.1, 0.1, 0], [0.48, 0.31, 0.11, 0.1, 0]
    np.testing.assert_array_equal(show(defense, one), show(defense, other))


def test_more_classes_than_rounding_can_show():
    class Many:
        classes_ = np.arange(400)

        def predict_proba(self, X):
            return X

    p = np.full((1, 400), 1 / 400)
    p[0, 7] += 1e-4
    p /= p.sum()
    shown = RoundingClassifier(Many(), decimals=2).fit(p, p).perturb(p)
    assert shown.argmax() == 7 and shown.sum() == pytest.approx(1)


def test_top_k_worked_by_hand():
    p = [0.1, 0.5, 0.2, 0.15, 0.05]
    np.testing.assert_allclose(show(TopKClassifier(Given(), k=2), p), [0.1, 0.5, 0.2, 0.1, 0.1])


def too_many(defense, message, records):
    with pytest.warns(UserWarning, match=message) as caught:
        defense.fit(records, records)
    assert caught[0].filename == __file__
    np.testing.assert_allclose(defense.perturb(records), records, atol=1e-7)


def test_defenses_that_do_nothing_say_so():
    for k in (4, 5, 9):  # one class that is left has the rest already
        too_many(
            TopKClassifier(Given(), k=k),
            rf"k={k} hides nothing of 5 classes.*give k <= 3\.",
            np.eye(5),
        )
    p = np.array([[0.7, 0.3], [0.4, 0.6]])
    for k in (1, 3):
        two = Given()
        two.classes_ = np.arange(2)
        too_many(TopKClassifier(two, k=k), rf"k={k} hides nothing of 2 classes.*no k does, use", p)
    for dtype, enough, too in (("f4", 6, 7), ("f8", 15, 16)):
        RoundingClassifier(Given(), decimals=enough).fit(np.eye(5, dtype=dtype), np.eye(5))
        records = np.random.default_rng(0).dirichlet(np.ones(5), 20).astype(dtype)
        for decimals in (too, 20, 400):
            message = rf"decimals={decimals} hides nothing.*float{8 * int(dtype[1])}.*decimals=2"
            too_many(RoundingClassifier(Given(), decimals=decimals), message, records)


def test_temperature_is_that_of_a_softmax():
    logits = np.array([2.0, 0.0, -1.0, 0.5, 1.0])
    p = np.exp(logits) / np.exp(logits).sum()
    expected = np.exp(logits / 3) / np.exp(logits / 3).sum()
    np.testing.assert_allclose(show(TemperatureClassifier(Given(), temperature=3), p), expected)


@pytest.mark.parametrize(
    ("defense", "name", "values"),
    [
        (RoundingClassifier, "decimals", [1, 2]),
        (TopKClassifier, "k", [1, 2]),
        (TemperatureClassifier, "temperature", [1.0, 4.0]),
    ],
)
def test_grid_search_pickle_and_what_they_are_worth(overfit, defense, name, values):
    model, X, _, is_member = overfit
    search = GridSearchCV(
        defense(model), {name: values}, scoring=lambda e, X, y: e.get_params()[name]
    )
    search.fit(X, is_member)
    best = search.best_estimator_
    assert best.estimator_ is model and best.get_params()[name] == max(values)
    twin = pickle.loads(pickle.dumps(best))
    np.testing.assert_array_equal(twin.predict_proba(X), best.predict_proba(X))
    # none of them stops an attacker who retrains
    view = query(best, X)
    attack = MIMAttack("substitute", max_epochs=40, random_state=0)
    assert attack.fit(view[::2], is_member[::2]).score(view[1::2], is_member[1::2]) > 0.6


def test_bad_parameters(overfit):
    model, X, _, is_member = overfit
    for defense in (
        RoundingClassifier(model, decimals=0),
        TopKClassifier(model, k=0),
        TemperatureClassifier(model, temperature=0),
    ):
        with pytest.raises(ValueError, match="Got 0 instead"):
            defense.fit(X, is_member)


# --- MemGuard -----------------------------------------------------------------------------------


class Line(torch.nn.Module):
    """h(p) = 4 (p_0 - 1/2): half a chance of a member where the first confidence is one half."""

    def forward(self, proba, label):
        return 4 * (proba[:, 0] - 0.5)


class LineClassifier(BaseEstimator):
    def fit(self, X, y):
        self.module_ = Line()
        return self


def memguard(**params):
    return MemGuardClassifier(
        Given(), defense_classifier=LineClassifier(), random_state=0, **params
    ).fit(np.eye(5), np.eye(5))


def test_memguard_phase_1_crosses_one_half_and_keeps_the_label():
    p = torch.tensor([[0.7, 0.1, 0.1, 0.05, 0.05], [0.3, 0.25, 0.2, 0.15, 0.1]])
    noisy = memguard()._phase_1(p, p.argmax(1)).numpy()
    # from above and from below, to one half and no further than a step of 0.1 in the logits
    assert 0.45 <= noisy[0, 0] <= 0.5 <= noisy[1, 0] <= 0.55
    np.testing.assert_array_equal(noisy.argmax(1), [0, 0])
    np.testing.assert_allclose(noisy.sum(1), 1, atol=1e-6)


def test_memguard_phase_1_leaves_alone_what_cannot_cross_with_its_label():
    # one half for the first class would make it the label
    p = torch.tensor([[0.1, 0.8, 0.05, 0.03, 0.02]])
    np.testing.assert_array_equal(memguard()._phase_1(p, p.argmax(1)), p)


def test_memguard_phase_2_worked_by_hand():
    p = torch.tensor([[0.9, 0.1, 0, 0, 0], [0.5, 0.3, 0.2, 0, 0], [0.8, 0.2, 0, 0, 0]])
    noisy = torch.tensor([[0.5, 0.5, 0, 0, 0], [0.6, 0.2, 0.2, 0, 0], [0.6, 0.4, 0, 0, 0]])
    # distortion 0.8: half of the time for 0.4; farther from one half: never; distortion 0.4: always
    share = memguard(epsilon=0.4)._phase_2(p, noisy, p.argmax(1))
    np.testing.assert_allclose(share, [0.5, 0.0, 1.0], atol=1e-6)


def test_memguard_stays_within_its_budget_and_fools_its_classifier(overfit):
    model, X, _, is_member = overfit
    view = query(model, X)
    for epsilon in (0.0, 0.1, 2.0):
        defense = MemGuardClassifier(model, epsilon=epsilon, max_iter=100, random_state=0)
        defense.fit(X, is_member)
        shown = query(defense, X)
        change = np.abs(shown["proba"] - view["proba"]).sum(axis=1).mean()
        assert change <= epsilon + 0.02
        np.testing.assert_array_equal(shown["proba"].argmax(1), view["proba"].argmax(1))
        np.testing.assert_array_equal(defense.predict_proba(X), defense.predict_proba(X))
    classifier = defense.defense_classifier_
    assert classifier.score(view, is_member) > 0.7
    assert classifier.score(shown, is_member) < 0.55
