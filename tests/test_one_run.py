"""The bound on epsilon from one run: published values, coverage, its ceiling."""

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import expit
from scipy.stats import binom, norm
from sklearn.exceptions import UndefinedMetricWarning

from sklearn_aeppt.metrics import (
    accused_records,
    clopper_pearson,
    conformal_p_values,
    most_certain_guesses,
    one_run_epsilon,
)


def bound(n_correct, n_guesses, n_records=None, **options):
    """Return the bound of so many right guesses, the others abstained from."""
    truth = np.arange(n_records or n_guesses) % 2
    guess = truth.astype(float)
    guess[n_correct:n_guesses] = 1 - truth[n_correct:n_guesses]
    guess[n_guesses:] = np.nan
    return one_run_epsilon(truth, guess, **options)


@pytest.mark.parametrize(
    "n_correct, n_guesses, epsilon, ceiling",
    [
        (200, 200, 4.19, 4.19),
        (1000, 1000, 5.81, 5.81),
        (190, 200, 2.40, 4.19),
        (170, 200, 1.40, 4.19),
    ],
)
def test_published_values_of_pure_differential_privacy(n_correct, n_guesses, epsilon, ceiling):
    found = bound(n_correct, n_guesses)
    assert found.epsilon == float(found) == pytest.approx(epsilon, abs=0.005)
    assert found.ceiling == pytest.approx(ceiling, abs=0.005)
    assert f"at most {ceiling:.2f}" in str(found) and f"epsilon >= {epsilon:.2f}" in str(found)
    assert bound(n_correct, n_guesses, 5 * n_guesses).epsilon == found.epsilon  # abstentions


def test_nothing_is_shown_by_few_or_wrong_guesses():
    for found in (bound(0, 100), bound(50, 100), bound(4, 4), bound(100, 200, delta=1e-5)):
        assert found.epsilon == 0
    assert bound(4, 4).ceiling == 0  # a fair coin is right four times in 1 of 16 runs
    assert bound(5, 5).ceiling > 0
    assert bound(0, 50, delta=1e-5, family="gaussian").mu == 0


def test_delta_costs_what_the_theorem_says():
    v, r, m, delta = 190, 200, 1000, 1e-4

    def tail(epsilon):  # the sum as it stands in the theorem, term by term
        q = expit(epsilon)
        pmf = binom.pmf(np.arange(v), r, q)
        some = [sum(pmf[v - i :]) / i for i in range(1, v + 1)]
        return binom.sf(v - 1, r, q) + 2 * m * delta * max(some) - 0.05

    found = bound(v, r, m, delta=delta)
    assert found.epsilon == pytest.approx(brentq(tail, 0, 5), abs=1e-6)
    assert found.epsilon < bound(v, r, m).epsilon and found.ceiling < bound(v, r, m).ceiling
    assert found.epsilon < bound(v, r, r, delta=delta).epsilon  # coins that nobody guessed
    assert bound(v, r, m, delta=0.1).epsilon == 0


def test_randomized_response_has_at_most_its_epsilon():
    """Its guesses are right with probability expit(epsilon): the hypothesis is met exactly."""
    rng, above, found = np.random.default_rng(0), 0, []
    for _ in range(500):
        truth = rng.random(200) < 0.5
        found.append(float(one_run_epsilon(truth, truth == (rng.random(200) < expit(1.0)))))
        above += found[-1] > 1.0
    assert 10 <= above <= 25  # of 500, at most 5 %: 24 is the largest of a valid bound's 95 %
    assert np.mean(found) > 0.6


@pytest.mark.parametrize("epsilon", [0.5, 1.0, 2.0, 4.0])
def test_the_bound_on_randomized_response_fails_with_at_most_5_percent_exactly(epsilon):
    """No sampling: the probability of all counts of right guesses whose bound is too high."""
    too_high = next(v for v in range(201) if bound(v, 200).epsilon > epsilon)
    fails = binom.sf(too_high - 1, 200, expit(epsilon))
    assert 0.02 < fails <= 0.05


@pytest.mark.parametrize("n_guesses", [100, 400])
def test_gaussian_noise_has_at_most_its_mu(n_guesses):
    rng, above, mu, epsilon = np.random.default_rng(1), 0, [], []
    for _ in range(60):
        truth = rng.random(400) < 0.5
        guess = most_certain_guesses(1.5 * truth + rng.normal(size=400), n_guesses)
        gaussian = one_run_epsilon(truth, guess, delta=1e-5, family="gaussian")
        above += gaussian.mu > 1.5
        mu.append(gaussian.mu)
        epsilon.append((gaussian.epsilon, one_run_epsilon(truth, guess, delta=1e-5).epsilon))
    assert above <= 3 and np.mean(mu) > 0.4
    tighter, other = np.mean(epsilon, axis=0)
    assert tighter > other


def test_epsilon_of_a_gaussian_mechanism():
    found = bound(150, 160, 400, delta=1e-5, family="gaussian")
    e, mu = found.epsilon, found.mu
    delta = norm.cdf(-e / mu + mu / 2) - np.exp(e) * norm.cdf(-e / mu - mu / 2)
    assert delta == pytest.approx(1e-5, rel=1e-4)
    assert "delta = 1e-05" in str(found) and found.ceiling > e


def test_bounds_grow_with_right_guesses_and_fall_with_confidence():
    for options in ({}, {"delta": 1e-5}, {"delta": 1e-5, "family": "gaussian"}):
        some = [bound(v, 100, **options).epsilon for v in (50, 60, 75, 90, 100)]
        assert some == sorted(some) and some[-1] > some[1]
        assert bound(90, 100, confidence=0.99, **options).epsilon < some[3]


def test_guesses_are_the_extremes_and_ties_are_abstained_from():
    assert np.isnan(most_certain_guesses(np.zeros(6), 2)).all()
    guess = most_certain_guesses([3, 2, 2, 1, -np.inf], 4)
    np.testing.assert_array_equal(guess, [1, np.nan, np.nan, 0, 0])
    np.testing.assert_array_equal(most_certain_guesses([2, 1], 2), [1, 0])
    np.testing.assert_array_equal(most_certain_guesses([2, 1], 1), [1, np.nan])
    with pytest.raises(ValueError, match="n_guesses=3 of 2 records"):
        most_certain_guesses([2, 1], 3)
    with pytest.raises(ValueError, match="NaN in 1 of 2"):
        most_certain_guesses([2, np.nan], 1)


@pytest.mark.parametrize(
    "truth, guess, options, match",
    [
        ([1, 0], [0.5, 1], {}, r"y_pred holds \[0.5\].*most_certain_guesses"),
        ([1, 0], [np.nan, np.nan], {}, "abstains from every record"),
        ([1, 0], [1, 0], {"family": "gaussian"}, "delta=0 with family='gaussian'"),
        ([1, 0, 1], [1, 0], {}, "inconsistent numbers of samples"),
        ([1, 1], [1, 0], {}, "must hold members and non-members"),
        ([1, 0], [1, 0], {"family": "f"}, "'family' parameter"),
    ],
)
def test_one_run_refuses_what_it_cannot_judge(truth, guess, options, match):
    with pytest.raises(ValueError, match=match):
        one_run_epsilon(truth, guess, **options)


# ---- accusations


def test_p_values_are_the_rank_among_known_non_members():
    p = conformal_p_values([5, 2, 0, np.nan, np.inf, -np.inf], [2, 1, 2, 0])
    np.testing.assert_allclose(p, [0.2, 0.6, 1, np.nan, 0.2, 1])
    with pytest.raises(ValueError, match="has 0 scores"):
        conformal_p_values([1.0], [])
    with pytest.raises(ValueError, match="1 of them NaN"):
        conformal_p_values([1.0], [np.nan, 1])


def test_nobody_can_be_accused_by_few_known_non_members():
    with pytest.warns(
        UndefinedMetricWarning, match="8 known non-members are too few for alpha=0.1"
    ):
        assert not accused_records([9.0], np.arange(8)).accused.any()
    assert accused_records([9.0], np.arange(9)).accused.all()  # p = 0.1 exactly


def test_what_was_not_scored_is_neither_accused_nor_counted():
    known = np.arange(99.0)
    alone, p = accused_records([np.nan] * 50 + [200.0], known, alpha=0.01)
    assert alone.tolist() == [False] * 50 + [True] and np.isnan(p[:50]).all()
    assert not accused_records([0.0] * 50 + [200.0], known, alpha=0.01).accused.any()
    assert not accused_records([np.nan] * 3, known).accused.any()


def test_random_membership_is_accused_in_at_most_alpha_of_all_audits():
    """Nobody trained: every list that is not empty is wrong altogether."""
    rng, wrong = np.random.default_rng(0), 0
    for _ in range(200):
        score = rng.standard_t(3, size=1050).round(1)  # heavy tails, and ties
        wrong += accused_records(score[:50], score[50:]).accused.any()
    assert clopper_pearson(wrong, 200)[0] <= 0.1
    assert wrong >= 5  # the test is not idle


@pytest.mark.parametrize("alpha", [0.1, 0.3])
def test_the_rate_holds_where_some_are_members(alpha):
    rng, share, found = np.random.default_rng(1), [], []
    for _ in range(200):
        score, member = rng.normal(size=800), np.arange(800) < 200
        score[:200] += 3
        accused = accused_records(score, rng.normal(size=400), alpha=alpha).accused
        share.append((accused & ~member).sum() / max(1, accused.sum()))
        found.append(accused[:200].mean())
    half = 1.96 * np.std(share) / np.sqrt(len(share))
    assert alpha / 2 < np.mean(share) <= alpha + half
    assert np.mean(found) > 0.5
