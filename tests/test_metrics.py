import pickle
import subprocess
import sys
import warnings
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, check_scoring, roc_auc_score
from sklearn.model_selection import GridSearchCV, cross_validate

pytest.importorskip("torch")

from sklearn_aeppt import AEPPTClassifier, metrics
from sklearn_aeppt.attacks import GradientBoostingAttack, MIMAttack, query
from sklearn_aeppt.metrics import (
    aeppt_refit,
    attack_scorer,
    balanced_accuracy_interval,
    bootstrap_interval,
    clopper_pearson,
    epsilon_lower_bound,
    expected_calibration_error,
    label_only_floor,
    membership_advantage,
    per_class_report,
    perturbation_scorer,
    perturbation_size,
    tnr_at_fnr,
    tpr_at_fpr,
)
from sklearn_aeppt.metrics._scorers import SCORER_METRICS


def halves(n):
    return np.arange(2 * n) < n


class ConfidenceAttack(ClassifierMixin, BaseEstimator):
    """Member if the top confidence is above the training median; a small fake."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.threshold_ = np.median(X["proba"].max(axis=1))
        self.n_seen_ = len(y)
        return self

    def decision_function(self, X):
        return X["proba"].max(axis=1) - self.threshold_

    def predict(self, X):
        return (self.decision_function(X) >= 0).astype(int)


class NoFit:
    def predict_proba(self, X):
        return np.column_stack([1 - X[:, 0], X[:, 0]])


# floor, advantage, sizes


def test_floor_of_published_answers(shared_data):
    with np.load(shared_data / "memguard_location.npz") as z:
        p, q, y, is_member = (z[f"target_{k}"] for k in ("undefended", "memguard", "y", "member"))
    pred = p.argmax(axis=1)
    # the README of the data: train 100 %, test 62.6 %, MemGuard at mean L1 0.333; its floor of
    # 68.7 % is that of these numbers
    floor = label_only_floor(y[is_member], pred[is_member], y[~is_member], pred[~is_member])
    assert floor == pytest.approx(0.687, abs=5e-4)
    assert perturbation_size(p, q) == pytest.approx(0.333, abs=5e-4)


def test_floor_is_the_accuracy_of_the_gap_attack():
    rng = np.random.default_rng(0)
    y, pred, is_member = rng.integers(3, size=90), rng.integers(3, size=90), np.arange(90) < 30
    floor = label_only_floor(y[is_member], pred[is_member], y[~is_member], pred[~is_member])
    assert floor == pytest.approx(balanced_accuracy_score(is_member, y == pred))
    assert membership_advantage(is_member, y == pred) == pytest.approx(2 * floor - 1)


def test_floor_is_signed():
    assert label_only_floor([0, 1], [1, 0], [0, 1], [0, 1]) == 0


def test_floor_refuses_sides_of_different_length():
    with pytest.raises(ValueError, match="inconsistent"):
        label_only_floor([0, 1], [0], [0], [0])


@pytest.mark.parametrize(
    ("ord", "rows"), [(1, [0.4, 0]), (2, [np.sqrt(0.06), 0]), (np.inf, [0.2, 0])]
)
def test_perturbation_size(ord, rows):
    p, q = np.array([[0.5, 0.3, 0.2], [1, 0, 0]]), np.array([[0.3, 0.4, 0.3], [1, 0, 0]])
    np.testing.assert_allclose(perturbation_size(p, q, ord, per_record=True), rows)
    assert perturbation_size(p, q, ord) == pytest.approx(np.mean(rows))


def test_perturbation_size_errors():
    with pytest.raises(ValueError, match=r"p has shape \(1, 2\) and q \(1, 3\)"):
        perturbation_size([[0, 1]], [[0, 0, 1]])
    with pytest.raises(ValueError, match="'ord' parameter"):
        perturbation_size([[0, 1]], [[0, 1]], ord=3)
    p = np.array([[0.2, 0.8]])
    with pytest.raises(ValueError, match=r"p contains 80, but .*: divide percentages by 100"):
        perturbation_size(100 * p, p)
    with pytest.raises(ValueError, match=r"q contains -0\.8, but confidences are not negative"):
        perturbation_size(p, -p)
    with pytest.raises(ValueError, match="q contains NaN or infinity"):
        perturbation_size(p, np.nan * p)


def test_calibration_error_by_hand():
    proba = np.array([[0.9, 0.1], [0.9, 0.1], [0.35, 0.65], [0.35, 0.65]])
    # bin of 0.9: accuracy 1/2, gap 0.4; bin of 0.65: accuracy 1, gap 0.35
    expected = 0.5 * 0.4 + 0.5 * 0.35
    assert expected_calibration_error([0, 1, 1, 1], proba) == pytest.approx(expected)
    named = expected_calibration_error(list("abbb"), proba, classes=["a", "b"])
    assert named == pytest.approx(expected)
    with pytest.raises(ValueError, match="give classes=estimator"):
        expected_calibration_error(list("abbb"), proba)


def test_calibration_error_of_a_calibrated_model_is_small():
    rng = np.random.default_rng(0)
    top = rng.uniform(0.5, 1, size=50_000)
    y = (rng.random(50_000) > top).astype(int)
    assert expected_calibration_error(y, np.column_stack([top, 1 - top])) < 0.01


# rates


def brute_tpr_at_fpr(y, score, fpr):
    reached = [0.0]
    for threshold in score:
        said = score >= threshold
        if said[~y].mean() <= fpr:
            reached.append(said[y].mean())
    return max(reached)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6), st.sampled_from([0.01, 0.07, 0.29, 0.5, 1.0]))
def test_law_tpr_at_fpr_is_the_best_threshold(seed, fpr):
    rng = np.random.default_rng(seed)
    y = halves(rng.integers(1, 30))
    score = rng.integers(8, size=len(y)).astype(float)  # many ties
    assert tpr_at_fpr(y, score, fpr) == pytest.approx(brute_tpr_at_fpr(y, score, fpr))
    assert tnr_at_fnr(y, score, fpr) == pytest.approx(brute_tpr_at_fpr(~y, -score, fpr))
    order = rng.permutation(len(y))
    assert tpr_at_fpr(y[order], score[order], fpr) == tpr_at_fpr(y, score, fpr)


def test_tpr_at_fpr_reaches_a_rate_that_floats_miss():
    # 0.29 * 100 is below 29 in floating point
    score = np.r_[np.full(100, 50.5), np.arange(100)]
    score[:100] = 70.5
    assert tpr_at_fpr(halves(100), score, fpr=0.29) == 1
    assert tpr_at_fpr(halves(100), score, fpr=0.28) == 0


def test_tpr_at_fpr_takes_infinite_scores():
    assert tpr_at_fpr(halves(20), np.r_[np.full(20, np.inf), np.full(20, -np.inf)], 0.5) == 1


def test_few_records_for_a_rate_warn():
    score = np.arange(1998.0)
    with pytest.warns(UndefinedMetricWarning, match="999 non-members are too few for fpr=0.01"):
        tpr_at_fpr(halves(999), score)
    with pytest.warns(UndefinedMetricWarning, match="999 members are too few for fnr=0.01"):
        tnr_at_fnr(halves(999), score)
    tpr_at_fpr(halves(1000), np.arange(2000.0))  # warnings are errors here


@pytest.mark.parametrize(
    ("y", "score", "match"),
    [
        ([1, 1], [0, 1], "must hold members and non-members, got 2 members"),
        ([0, 2], [0, 1], r"y_true holds \[2\]"),
        ([0, 1], [0, np.nan], "y_score contains NaN"),
        ([0, 1], [0, 1, 2], "inconsistent"),
    ],
)
def test_rates_refuse_what_they_cannot_judge(y, score, match):
    with pytest.raises(ValueError, match=match):
        tpr_at_fpr(y, score, 1.0)


# intervals


@pytest.mark.parametrize("k", [0, 1, 13, 29, 30])
@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_clopper_pearson_is_scipys(k, confidence):
    exact = binomtest(k, 30).proportion_ci(confidence, method="exact")
    np.testing.assert_allclose(clopper_pearson(k, 30, confidence), exact, atol=1e-12)


def test_clopper_pearson_broadcasts():
    low, high = clopper_pearson([0, 5, 0], [10, 10, 0])
    assert low[0] == 0 and 0 < low[1] < 0.5 < high[1] < 1
    assert (low[2], high[2]) == (0, 1)
    with pytest.raises(ValueError, match="between 0 and trials"):
        clopper_pearson(3, 2)


@pytest.mark.parametrize(
    ("n_mem", "n_non", "tpr", "tnr"), [(60, 60, 0.8, 0.5), (200, 50, 0.97, 0.6)]
)
def test_balanced_accuracy_interval_covers(n_mem, n_non, tpr, tnr):
    rng = np.random.default_rng(0)
    y = np.arange(n_mem + n_non) < n_mem
    covered = 0
    for _ in range(400):
        pred = rng.random(len(y)) < np.where(y, tpr, 1 - tnr)
        low, high = balanced_accuracy_interval(y, pred)
        assert low <= balanced_accuracy_score(y, pred) <= high
        covered += low <= (tpr + tnr) / 2 <= high
    assert covered >= 0.93 * 400


def test_bootstrap_interval_of_auc():
    rng = np.random.default_rng(0)
    y = halves(400)
    score = rng.normal(y.astype(float))
    low, high = bootstrap_interval(roc_auc_score, y, score, n_resamples=300, random_state=0)
    again = bootstrap_interval(roc_auc_score, y, score, n_resamples=300, random_state=0)
    auc = roc_auc_score(y, score)
    assert low < auc < high and (low, high) == again
    # Hanley and McNeil's standard error
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    se = np.sqrt((auc * (1 - auc) + 399 * (q1 - auc**2) + 399 * (q2 - auc**2)) / 400**2)
    assert high - low == pytest.approx(2 * 1.96 * se, rel=0.2)


def test_bootstrap_keeps_the_strata():
    seen = set()

    def counts(y, score):
        seen.add((int(y.sum()), len(y)))
        return float(score.mean())

    bootstrap_interval(counts, np.arange(30) < 10, np.arange(30.0), n_resamples=20)
    assert seen == {(10, 30)}


# epsilon


def test_epsilon_bound_is_zero_on_noise():
    rng = np.random.default_rng(0)
    above = [
        epsilon_lower_bound(halves(2000), rng.normal(size=4000), random_state=i) > 0
        for i in range(200)
    ]
    assert np.mean(above) <= 0.05


@pytest.mark.parametrize(("epsilon", "at_least"), [(0.5, 0.25), (1.0, 0.75), (3.0, 2.4)])
def test_epsilon_bound_covers_and_is_not_idle(epsilon, at_least):
    # randomized response: the one mechanism whose epsilon is known exactly
    rng = np.random.default_rng(0)
    y, truth = halves(2000), 1 / (1 + np.exp(-epsilon))
    bounds = np.array(
        [
            epsilon_lower_bound(y, (rng.random(4000) < truth) == y, random_state=i)
            for i in range(200)
        ]
    )
    assert (bounds > epsilon).mean() <= 0.075  # 5 % and two standard errors
    assert bounds.mean() > at_least


def test_epsilon_bound_uses_either_direction_and_delta():
    y = halves(1000)
    score = np.r_[np.linspace(0, 1, 1000), np.linspace(0, 0.7, 1000)]
    plain = epsilon_lower_bound(y, score, random_state=0)
    assert plain > 2
    assert epsilon_lower_bound(y, -score, random_state=0) > 2
    assert 0 < epsilon_lower_bound(y, score, delta=0.1, random_state=0) < plain
    assert epsilon_lower_bound(y, score, confidence=0.999, random_state=0) < plain
    with pytest.raises(ValueError, match="at least two of each"):
        epsilon_lower_bound([1, 0, 0], [1, 0, 0])


# per class


def test_per_class_report():
    rng = np.random.default_rng(0)
    y_class = np.array(["cat", "dog", "eel"])[rng.integers(3, size=300)]
    is_member, pred = rng.random(300) < 0.5, rng.random(300) < 0.5
    pred_class = np.where(rng.random(300) < 0.7, y_class, "cat")
    score = rng.normal(size=300)
    report = per_class_report(y_class, is_member, pred, y_score=score, pred_class=pred_class)
    assert report["class"].tolist() == ["cat", "dog", "eel"]
    for i, name in enumerate(report["class"]):
        rows = y_class == name
        mem, non = rows & is_member, rows & ~is_member
        assert (report["n_members"][i], report["n_non_members"][i]) == (mem.sum(), non.sum())
        assert report["accuracy"][i] == balanced_accuracy_score(is_member[rows], pred[rows])
        expected = balanced_accuracy_interval(is_member[rows], pred[rows])
        assert (report["low"][i], report["high"][i]) == expected
        floor = label_only_floor(y_class[mem], pred_class[mem], y_class[non], pred_class[non])
        assert report["floor"][i] == pytest.approx(floor)
        np.testing.assert_array_equal(report["member_scores"][i], np.sort(score[mem]))
        np.testing.assert_array_equal(report["non_member_scores"][i], np.sort(score[non]))


def test_per_class_report_is_a_table_and_says_what_it_cannot_know():
    pd = pytest.importorskip("pandas")
    report = per_class_report([0, 0, 1, 1], [1, 0, 1, 1], [1, 1, 1, 0], y_score=[1, 2, 3, 4])
    frame = pd.DataFrame(report)
    assert frame.loc[0, "accuracy"] == 0.5
    assert frame.loc[1, ["accuracy", "low", "high"]].isna().all()
    assert frame.loc[1, "n_non_members"] == 0


# scorers


def test_attack_scorer_leaves_a_fitted_attack_alone(overfit):
    model, X, _, is_member = overfit
    attack = ConfidenceAttack().fit(query(model, X), is_member)
    before = dict(vars(attack))
    value = attack_scorer(attack, "neg_accuracy")(model, X, is_member)
    assert value == -balanced_accuracy_score(is_member, attack.predict(query(model, X)))
    assert value < -0.6
    assert vars(attack) == before


def test_attack_scorer_cross_fits_an_unfitted_attack(overfit):
    model, X, _, is_member = overfit
    sizes = []

    class Spy(ConfidenceAttack):
        def fit(self, X, y):
            sizes.append(len(y))
            return super().fit(X, y)

    value = attack_scorer(Spy(), cv=3, random_state=0)(model, X, is_member.astype(int))
    assert sizes == [400] * 3
    assert -1 <= value < -0.2


def test_adaptive_attack_cannot_tell_random_membership(overfit):
    model, X, _, is_member = overfit
    X_non = X[~is_member]
    random = np.random.default_rng(0).random(len(X_non)) < 0.5
    scorer = attack_scorer(ConfidenceAttack(), "neg_roc_auc", random_state=0)
    assert abs(scorer(model, X_non, random) + 0.5) < 0.1


@pytest.mark.parametrize("metric", sorted(SCORER_METRICS.keys() - {"neg_tpr_at_1%_fpr"}))
def test_every_named_metric_falls_as_the_leak_grows(metric, overfit, linear):
    model, X, _, is_member = overfit
    scorer = attack_scorer(ConfidenceAttack(), metric, random_state=0)
    assert scorer(model, X, is_member) < scorer(linear, X, is_member)


def test_low_fpr_scorer_warns_of_few_records_and_goes_on(overfit):
    model, X, _, is_member = overfit
    view = query(model, X)
    attack = ConfidenceAttack().fit(view, is_member)
    with pytest.warns(UndefinedMetricWarning, match="300 non-members are too few"):
        value = attack_scorer(attack, "neg_tpr_at_1%_fpr")(model, X, is_member)
    with pytest.warns(UndefinedMetricWarning):
        assert value == -tpr_at_fpr(is_member, attack.decision_function(view), 0.01)


def test_attack_scorer_takes_a_callable_and_a_plain_target(overfit):
    model, X, _, is_member = overfit
    scorer = attack_scorer(ConfidenceAttack(), roc_auc_score, random_state=0)
    result = cross_validate(
        model, X, is_member, scoring=scorer, cv=[(np.arange(280, 320), np.arange(600))]
    )
    assert np.isfinite(result["test_score"]).all()


def test_default_attack_is_gradient_boosting(overfit):
    model, X, is_member = overfit[0], overfit[1][::4], overfit[3][::4]
    scorer = attack_scorer(cv=2, random_state=0)
    expected = attack_scorer(GradientBoostingAttack(random_state=0), cv=2, random_state=0)
    value = scorer(model, X, is_member)
    assert value == expected(model, X, is_member)
    assert value < -0.1


def test_attack_scorer_errors(overfit):
    model, X, y, is_member = overfit
    with pytest.raises(ValueError, match="y_true holds"):
        attack_scorer(ConfidenceAttack())(model, X, y)
    with pytest.raises(ValueError, match="y_true is None"):
        attack_scorer(ConfidenceAttack())(model, X, None)
    with pytest.raises(ValueError, match="'metric' parameter"):
        attack_scorer(metric="accuracy")
    with pytest.raises(TypeError, match="has none of"):
        attack_scorer(NoFit())(model, X, is_member)


def test_true_classes_reach_the_attack_by_metadata_routing(overfit, quick_substitute):
    model, X, y, is_member = overfit
    seen = []

    class Spy(ConfidenceAttack):
        def decision_function(self, X):
            seen.append(X["label"])
            return super().decision_function(X)

    attack = Spy().fit(query(model, X), is_member)
    defense = AEPPTClassifier(model, step_size=1e-3, substitute=quick_substitute, random_state=0)
    splits = [(np.arange(600), np.arange(100, 500))]
    with config_context(enable_metadata_routing=True):
        search = GridSearchCV(
            defense.set_fit_request(is_member=True),
            {"step_size": [1e-6]},
            scoring={
                "neg_abs_advantage": attack_scorer(attack),
                "perturbation": perturbation_scorer(),
                "accuracy": "accuracy",
            },
            refit=aeppt_refit,
            cv=splits,
            error_score="raise",
        ).fit(X, y, is_member=is_member)
    np.testing.assert_array_equal(seen[0], y[100:500])  # labels are 0 to 3
    results = search.cv_results_
    assert results["mean_test_accuracy"][0] == model.score(X[100:500], y[100:500])
    assert results["mean_test_neg_abs_advantage"][0] < -0.1


def test_perturbation_scorer(defended, overfit):
    model, X, _, _ = overfit
    expected = -perturbation_size(model.predict_proba(X), defended.predict_proba(X))
    assert perturbation_scorer()(defended, X) == expected < 0
    assert perturbation_scorer(model)(defended, X) == expected
    assert perturbation_scorer(model)(model, X) == 0
    assert perturbation_scorer(ord=np.inf)(defended, X) > expected


def test_grid_search_refits_by_the_papers_rule(overfit, quick_substitute):
    model, X, _, is_member = overfit
    rng = np.random.default_rng(0)
    order = rng.permutation(len(X))
    X, is_member = X[order], is_member[order]
    fixed = MIMAttack("substitute", max_epochs=20, random_state=0).fit(query(model, X), is_member)
    defense = AEPPTClassifier(model, substitute=quick_substitute, random_state=0)
    search = GridSearchCV(
        defense,
        {"step_size": [1e-6, 1e-3, 3e-3]},
        scoring={"neg_abs_advantage": attack_scorer(fixed), "perturbation": perturbation_scorer()},
        refit=aeppt_refit,
        cv=2,
    ).fit(X, is_member)
    results = search.cv_results_
    closest = results["mean_test_neg_abs_advantage"].max()
    tied = np.flatnonzero(results["mean_test_neg_abs_advantage"] >= closest - 1e-9)
    best = tied[results["mean_test_perturbation"][tied].argmax()]
    assert search.best_index_ == best
    assert search.best_params_["step_size"] > 1e-6  # the paper's attacker is fooled
    assert search.best_estimator_.estimator_ is model


def test_aeppt_refit_breaks_ties_by_size_and_skips_failures():
    results = {
        "mean_test_neg_abs_advantage": np.array([-0.02, -0.02 + 1e-12, np.nan, -0.1]),
        "mean_test_perturbation": np.array([-0.1, -0.3, 0.0, -0.01]),
    }
    assert aeppt_refit(results) == 0
    assert partial(aeppt_refit, tolerance=0.1)(results) == 3
    with pytest.raises(ValueError, match="no scorer 'priv' among"):
        aeppt_refit(results, neg_abs_advantage="priv")
    failed = {key: np.full(2, np.nan) for key in results}
    with pytest.raises(ValueError, match="every candidate failed"):
        aeppt_refit(failed)


def test_default_metric_is_minus_the_absolute_advantage(overfit):
    model, X, _, is_member = overfit
    view = query(model, X)
    attack = ConfidenceAttack().fit(view, is_member)
    inverted = ConfidenceAttack().fit(view, ~is_member)
    inverted.predict = lambda view: 1 - attack.predict(view)  # as revealing as the other
    advantage = membership_advantage(is_member, attack.predict(view))
    assert attack_scorer(attack)(model, X, is_member) == -advantage < 0
    assert attack_scorer(inverted)(model, X, is_member) == -advantage
    assert attack_scorer(inverted, "neg_advantage")(model, X, is_member) == advantage


def test_scorers_follow_the_protocol_of_scikit_learn(overfit):
    model, X, _, is_member = overfit
    attack = ConfidenceAttack().fit(query(model, X), is_member)
    scorer, cost = attack_scorer(attack, "neg_tpr_at_1%_fpr"), perturbation_scorer(model)
    assert (scorer._sign, scorer._score_func, scorer._kwargs) == (-1, tpr_at_fpr, {"fpr": 0.01})
    assert (cost._sign, cost._score_func, cost._kwargs) == (-1, perturbation_size, {"ord": 1})
    assert attack_scorer(attack, roc_auc_score)._sign == 1
    assert check_scoring(model, scorer) is scorer
    with config_context(enable_metadata_routing=True):
        assert attack_scorer(attack).get_metadata_routing().score.requests == {"is_member": True}
        renamed = attack_scorer(attack).set_score_request(is_member="mask")
        assert renamed.get_metadata_routing().score.requests == {"is_member": "mask"}


def test_scorers_stand_beside_weighted_ones_in_a_search(overfit):
    """A plain callable made such a search fail: it cannot say whether it takes weights."""
    model, X, _, is_member = overfit
    attack = ConfidenceAttack().fit(query(model, X), is_member)
    base = LogisticRegression().fit(X, is_member)  # a search with y the mask fits its target to it
    search = GridSearchCV(
        LogisticRegression(),
        {"C": [1.0]},
        scoring={"privacy": attack_scorer(attack), "cost": perturbation_scorer(base)},
        refit=False,
        cv=2,
        error_score="raise",
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*does not support sample_weight")
        search.fit(X, is_member, sample_weight=np.ones(len(X)))
    assert np.isfinite(search.cv_results_["mean_test_privacy"]).all()
    assert np.isfinite(search.cv_results_["mean_test_cost"]).all()


def test_scorers_pickle_and_say_what_they_are():
    scorer = pickle.loads(pickle.dumps(attack_scorer(LogisticRegression(), "neg_roc_auc")))
    assert repr(scorer) == "attack_scorer(LogisticRegression(), metric='neg_roc_auc')"
    cost = pickle.loads(pickle.dumps(perturbation_scorer()))
    assert repr(cost) == "perturbation_scorer(None, ord=1)"


# names


def test_every_public_name_is_found_and_no_other():
    assert dir(metrics) == metrics.__all__ == sorted(metrics.MODULES)
    for name in metrics.__all__:
        assert getattr(metrics, name).__module__ == f"{metrics.__name__}.{metrics.MODULES[name]}"
    with pytest.raises(AttributeError, match="has no attribute 'paper_rule'"):
        getattr(metrics, "paper_rule")  # noqa: B009


def test_metrics_know_neither_attacks_nor_torch_at_import():
    code = (
        "import sys\n"
        "from sklearn_aeppt.metrics import *\n"
        "import sklearn_aeppt.metrics\n"
        "known = {'torch', 'skorch', 'sklearn_aeppt.attacks', 'sklearn_aeppt.defenses'}\n"
        "assert not known & set(sys.modules), known & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
