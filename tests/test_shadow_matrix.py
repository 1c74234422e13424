"""One matrix of shadow models: what it holds, who reads it, and models that are there already."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import load_digits
from sklearn.ensemble import BaggingClassifier, ExtraTreesClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import (
    FixedThresholdClassifier,
    RepeatedStratifiedKFold,
    cross_val_predict,
    cross_val_score,
    cross_validate,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from sklearn_aeppt import OutOfFoldClassifier
from sklearn_aeppt.attacks import (
    BaVarIAAttack,
    LabelOnlyLiRAAttack,
    LiRAAttack,
    RMIAAttack,
    ShadowMatrix,
    query,
)
from sklearn_aeppt.attacks._free_models import small_ensembles
from sklearn_aeppt.audit import audit

KINDS = (LiRAAttack, BaVarIAAttack, RMIAAttack, LabelOnlyLiRAAttack)


@pytest.fixture(scope="module")
def game():
    """(X, y, is_member, view) of a naive Bayes model with more features than it can bear."""
    rng = np.random.default_rng(0)
    X, y, is_member = rng.normal(size=(400, 60)), rng.integers(3, size=400), np.arange(400) < 200
    return X, y, is_member, query(GaussianNB().fit(X[is_member], y[is_member]), X, y)


def left_out(matrix, attack=None):
    """Return the mean AUC of an attack over all models as targets."""
    attack = RMIAAttack(form="ratio") if attack is None else attack
    return np.mean(
        [
            roc_auc_score(member, cross_val_predict(attack, view, member, method=DECISION))
            for _, view, member in matrix.leave_one_out()
        ]
    )


DECISION = "decision_function"


# ---- trained once


@pytest.mark.parametrize("kind", KINDS)
def test_an_attack_reads_what_it_would_have_trained(kind, game):
    X, y, is_member, view = game
    order = np.r_[np.arange(0, 400, 2), np.arange(1, 400, 2)]  # known records first
    X, y, is_member, view = X[order], y[order], is_member[order], view[order]
    known = np.arange(400) < 200
    alone = kind(GaussianNB(), n_shadow_models=6, random_state=3).fit(view[known], is_member[known])
    matrix = ShadowMatrix.train(GaussianNB(), X, y, n_shadow_models=6, random_state=3)
    joined = matrix.join(view)
    given = kind().fit(joined[known], is_member[known])
    np.testing.assert_array_equal(
        alone.decision_function(view[~known]), given.decision_function(joined[~known])
    )
    assert not hasattr(given, "shadow_estimators_")
    assert cross_val_score(kind(), joined, is_member, cv=2, scoring="roc_auc").mean() > 0.55


def test_modes_read_one_matrix_and_use_their_part_of_it(game):
    X, y, is_member, view = game
    matrix = ShadowMatrix.train(GaussianNB(), X, y, n_shadow_models=8, random_state=0)
    known = np.arange(400) % 2 == 0
    for attack in (LiRAAttack(mode="offline"), BaVarIAAttack(mode="offline"),
                   RMIAAttack(mode="offline"), LabelOnlyLiRAAttack(mode="offline"),
                   LiRAAttack(mode="proxy"), BaVarIAAttack(mode="proxy")):  # fmt: skip
        other = matrix.answers.copy()
        if attack.mode == "offline":  # answers of models trained with a record make no difference
            other[matrix.in_mask] = 0.4
        scores = []
        for answers in (matrix.answers, other):
            joined = ShadowMatrix(matrix.in_mask, *answers[..., :2].transpose(2, 0, 1),
                                  answers[..., 2] > 0.5 if answers is not other
                                  else np.where(matrix.in_mask, False, answers[..., 2] > 0.5)
                                  ).join(view)  # fmt: skip
            fitted = clone(attack).fit(joined[known], is_member[known])
            scores.append(fitted.decision_function(joined[~known]))
        assert roc_auc_score(is_member[~known], scores[0]) > 0.55, attack
        if attack.mode == "offline":
            np.testing.assert_allclose(*scores, err_msg=str(attack))


def test_proxies_need_no_model_trained_with_the_record(game):
    _, _, is_member, view = game
    known = np.arange(400) % 2 == 0
    for kind in (LiRAAttack, BaVarIAAttack):
        attack = kind(GaussianNB(), n_shadow_models=8, mode="proxy", random_state=0)
        attack.fit(view[known], is_member[known])
        assert attack.in_mask_.shape == (8, 200)
        assert roc_auc_score(is_member[~known], attack.decision_function(view[~known])) > 0.55


class _Counted(GaussianNB):
    """Writes a line for each fit."""

    def __init__(self, log=None, priors=None, var_smoothing=1e-9):
        self.log = log
        super().__init__(priors=priors, var_smoothing=var_smoothing)

    def fit(self, X, y, sample_weight=None):
        with self.log.open("a") as file:
            file.write("fit\n")
        return super().fit(X, y, sample_weight)


def test_an_audit_trains_shadow_models_once(game, tmp_path):
    X, y, is_member, _ = game
    log = tmp_path / "log"
    target = _Counted(log).fit(X[is_member], y[is_member])
    sides = X[is_member], y[is_member], X[~is_member], y[~is_member]

    def fits(attacks, **options):
        log.write_text("")
        report = audit(target, *sides, attacks, random_state=0, **options)
        return len(log.read_text().splitlines()) - 1, report  # one shows that training works

    attacks = {kind.__name__: kind(n_shadow_models=6) for kind in KINDS}
    count, report = fits(attacks)
    assert count == 6 and len(report.ran) == 4
    alone, single = fits({"LiRAAttack": LiRAAttack(n_shadow_models=6)})
    assert alone == 6
    assert single.results[0]["auc"] == report.results[0]["auc"] > 0.55
    attacks["other"] = LiRAAttack(n_shadow_models=5, train_size=0.4)
    attacks["their own"] = LiRAAttack(clone(target), n_shadow_models=4)
    count, _ = fits(attacks)
    assert count == 6 + 5 + 4 * 4
    memory = str(tmp_path / "cache")
    assert fits({"RMIA": RMIAAttack(n_shadow_models=6)}, memory=memory)[0] == 6
    assert fits({"LiRA": LiRAAttack(n_shadow_models=6)}, memory=memory)[0] == 0


class _FailsLater(GaussianNB):
    def fit(self, X, y, sample_weight=None):
        if len(X) > 150:
            raise RuntimeError("too many records for this license")
        return super().fit(X, y, sample_weight)


def test_shadow_models_that_cannot_be_trained_cost_their_rows(game):
    X, y, *_ = game
    target = _FailsLater().fit(X[:150], y[:150])
    sides = X[:150], y[:150], X[200:390], y[200:390]
    attacks = {"LiRA": LiRAAttack(n_shadow_models=4), "RMIA": RMIAAttack(n_shadow_models=4)}
    with (
        pytest.raises(ValueError, match=r"No attack can be run\. LiRA: RuntimeError: too many"),
        pytest.warns(UserWarning, match="is not in the report: RuntimeError: too many"),
    ):
        audit(target, *sides, attacks, random_state=0)


def test_a_run_that_was_cut_off_goes_on_where_it_stopped(game, tmp_path):
    X, y, _, _ = game
    log, memory = tmp_path / "log", str(tmp_path / "cache")
    options = {"n_shadow_models": 6, "memory": memory, "random_state": 0}
    first = ShadowMatrix.train(_Counted(log), X, y, **options)
    again = ShadowMatrix.train(_Counted(log), X, y, **options)
    assert len(log.read_text().splitlines()) == 6
    np.testing.assert_array_equal(first.answers, again.answers)
    ShadowMatrix.train(_Counted(log), X, y, record_params={"sample_weight": y + 1.0}, **options)
    assert len(log.read_text().splitlines()) == 12


def test_labels_of_a_target_with_a_threshold_are_those_of_its_models(game):
    X, y, is_member, _ = game
    two = np.minimum(y, 1)
    strict = FixedThresholdClassifier(GaussianNB(), threshold=0.9)
    options = {"n_shadow_models": 4, "random_state": 0}
    by_argmax = ShadowMatrix.train(strict, X, two, **options)
    asked = ShadowMatrix.train(strict, X, two, asks_labels=True, **options)
    np.testing.assert_array_equal(by_argmax.answers[..., :2], asked.answers[..., :2])
    sure = asked.answers[..., 0] >= 0.9
    right = np.where(two == 1, sure, asked.answers[..., 1] < 0.9)
    np.testing.assert_array_equal(asked.answers[..., 2] > 0, right)
    assert (by_argmax.answers[..., 2] != asked.answers[..., 2]).any()
    # an attack sees from its view that it has to ask
    known = np.arange(400) % 2 == 0
    view = query(clone(strict).fit(X[is_member], two[is_member]), X, two)
    attack = LabelOnlyLiRAAttack(strict, mode="offline", **options).fit(
        view[known], is_member[known]
    )
    trained = attack.shadow_estimators_[0].predict(X[known]) == two[known]
    np.testing.assert_array_equal(attack._answers[0, :, 2] > 0, trained)


# ---- models that are there already


def test_folds_of_a_cross_validation(game):
    X, y, _, _ = game
    folds = RepeatedStratifiedKFold(n_splits=4, n_repeats=3, random_state=0)
    result = cross_validate(
        GaussianNB(), X, y, cv=folds, return_estimator=True, return_indices=True
    )
    matrix = ShadowMatrix.from_cross_validate(result, X, y)
    assert (
        matrix.shape == (12, 400) and repr(matrix) == "<ShadowMatrix of 12 models and 400 records>"
    )
    np.testing.assert_array_equal((~matrix.in_mask).sum(axis=0), 3)
    for i, (model, rows) in enumerate(zip(result["estimator"], result["indices"]["train"])):
        np.testing.assert_array_equal(np.flatnonzero(matrix.in_mask[i]), np.sort(rows))
        proba = model.predict_proba(X)[np.arange(400), y]
        np.testing.assert_allclose(matrix.answers[i, :, 0], proba, rtol=1e-6)
        np.testing.assert_array_equal(matrix.answers[i, :, 2] > 0, model.predict(X) == y)
    for attack in (LiRAAttack(), BaVarIAAttack(), RMIAAttack()):
        assert left_out(matrix, attack) > 0.55, attack
    one = cross_validate(GaussianNB(), X, y, cv=5, return_estimator=True, return_indices=True)
    single = ShadowMatrix.from_cross_validate(one, X, y)
    assert left_out(single) > 0.52  # the mean of models trained with it is all there is
    with pytest.raises(ValueError, match=r"3 shadow model\(s\) trained with a given record and 0"):
        left_out(single, LiRAAttack())
    plain = cross_validate(GaussianNB(), X, y, return_estimator=True)
    with pytest.raises(ValueError, match="holds no 'indices': call cross_validate with"):
        ShadowMatrix.from_cross_validate(plain, X, y)
    with pytest.raises(ValueError, match=r"X has 300 records, and the models were trained on"):
        ShadowMatrix.from_cross_validate(result, X[:300], y[:300])
    with pytest.raises(ValueError, match="y holds no 2, which a model was trained on"):
        ShadowMatrix.from_cross_validate(result, X, np.minimum(y, 1))


def test_equal_records_share_the_models_that_they_trained(game):
    X, y, _, _ = game
    X, y = np.r_[X[:60], X[:30]], np.r_[y[:60], y[:30]]
    result = cross_validate(GaussianNB(), X, y, return_estimator=True, return_indices=True)
    matrix = ShadowMatrix.from_cross_validate(result, X, y)
    np.testing.assert_array_equal(matrix.in_mask[:, :30], matrix.in_mask[:, 60:])
    assert (matrix.in_mask.sum(axis=0)[:30] == 5).any()
    forest = RandomForestClassifier(60, random_state=0).fit(X, y)
    matrix = ShadowMatrix.from_bagging(forest, X, y, n_shadow_models=4, random_state=0)
    assert matrix.shape == (4, 90)


def test_fold_models_of_an_out_of_fold_classifier(game):
    X, y, _, _ = game
    defended = OutOfFoldClassifier(GaussianNB(), bandwidth=0.0, random_state=0).fit(X, y)
    matrix = ShadowMatrix.from_out_of_fold(defended, X, y)
    assert matrix.shape == (30, 400)
    np.testing.assert_array_equal((~matrix.in_mask).sum(axis=0), 10)
    model = defended.estimators_[4]  # partition 1, without fold 1
    np.testing.assert_array_equal(matrix.in_mask[4], defended.fold_[1] != 1)
    proba = model.predict_proba(X)[np.arange(400), y]
    np.testing.assert_allclose(matrix.answers[4, :, 0], proba, rtol=1e-6)
    assert left_out(matrix) > 0.55
    with pytest.raises(ValueError, match="GaussianNB has no fold_: give a fitted OutOfFold"):
        ShadowMatrix.from_out_of_fold(GaussianNB().fit(X, y), X, y)
    with pytest.raises(ValueError, match="X has 100 records, and the models were trained on 400"):
        ShadowMatrix.from_out_of_fold(defended, X[:100], y[:100])


@pytest.fixture(scope="module")
def noisy_digits():
    """Digits of which a third of the labels are wrong: to be memorized."""
    X, y = load_digits(return_X_y=True)
    rng = np.random.default_rng(0)
    rows = rng.permutation(len(X))[:600]
    X, y = X[rows].astype(np.float32), y[rows]
    return X, np.where(rng.random(600) < 0.3, rng.integers(10, size=600), y)


@pytest.mark.parametrize(
    "leaky",
    [
        RandomForestClassifier(100, random_state=0),
        ExtraTreesClassifier(100, bootstrap=True, random_state=0),
        BaggingClassifier(DecisionTreeClassifier(), 100, max_features=0.5, random_state=0),
        make_pipeline(StandardScaler(), RandomForestClassifier(100, random_state=0)),
    ],
    ids=lambda model: type(model).__name__,
)
def test_out_of_bag_trees_find_a_leaky_forest(leaky, noisy_digits, monkeypatch):
    X, y = noisy_digits
    fitted = clone(leaky).fit(X, y)
    monkeypatch.setattr(DecisionTreeClassifier, "fit", lambda *_: pytest.fail("nothing is trained"))
    matrix = ShadowMatrix.from_bagging(fitted, X, y, random_state=0)
    assert matrix.shape == (8, 600)
    np.testing.assert_array_equal(matrix.in_mask.sum(axis=0), 4)
    assert left_out(matrix) > 0.6
    assert left_out(matrix, BaVarIAAttack()) > 0.6
    again = ShadowMatrix.from_bagging(fitted, X, y, random_state=0)
    np.testing.assert_array_equal(matrix.answers, again.answers)


class _Deaf(ClassifierMixin, BaseEstimator):
    """Answers by random weights of the features, whatever it is trained on."""

    def __init__(self, random_state=None):
        self.random_state = random_state

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        rng = np.random.RandomState(self.random_state)
        self.weights_ = rng.normal(size=(X.shape[1], len(self.classes_))) / 20
        return self

    def predict_proba(self, X):
        logit = np.exp(X @ self.weights_)
        return logit / logit.sum(axis=1, keepdims=True)

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


@pytest.mark.parametrize("attack", [RMIAAttack(form="ratio"), LiRAAttack(), BaVarIAAttack()])
def test_out_of_bag_models_are_silent_about_an_ensemble_that_leaks_nothing(attack, noisy_digits):
    X, y = noisy_digits
    aucs = []
    for seed in range(4):
        deaf = BaggingClassifier(_Deaf(), 100, random_state=seed).fit(X, y)
        matrix = ShadowMatrix.from_bagging(deaf, X, y, random_state=seed)
        aucs.append(left_out(matrix, attack))
    assert abs(np.mean(aucs) - 0.5) < 0.02, aucs


def test_small_ensembles_are_what_they_are_said_to_be():
    rng = np.random.RandomState(0)
    drew = rng.random_sample((100, 2000)) < 0.632
    in_mask, chosen = small_ensembles(drew, 8, rng)
    size = chosen.shape[2]
    assert size >= 3
    for i in range(2000):
        assert len(np.unique(chosen[:, i])) == 8 * size
    drawn = drew[chosen, np.arange(2000)[:, None]].mean(axis=2)
    assert (drawn[~in_mask] == 0).all()
    assert drawn[in_mask].mean() == pytest.approx(drew.mean(), abs=0.01)


def test_small_forests_answer_as_forests_that_were_trained_that_small(noisy_digits):
    X, y = noisy_digits
    forest = RandomForestClassifier(100, random_state=0).fit(X, y)
    free = ShadowMatrix.from_bagging(forest, X, y, random_state=0)
    trained = ShadowMatrix.train(  # 3 or 4 trees, on nearly all of the records
        RandomForestClassifier(4), X, y, n_shadow_models=20, train_size=0.9, random_state=0
    )
    for inside in (True, False):
        mine, theirs = (m.answers[m.in_mask == inside, 0] for m in (free, trained))
        assert mine.mean() == pytest.approx(theirs.mean(), abs=0.03)
        assert mine.std() == pytest.approx(theirs.std(), abs=0.03)
    assert left_out(free) == pytest.approx(left_out(trained), abs=0.04)


def test_ensembles_that_cannot_be_taken_apart_are_refused(noisy_digits):
    X, y = noisy_digits
    make = ShadowMatrix.from_bagging
    with pytest.raises(ValueError, match="LogisticRegression is no forest or bagging"):
        make(LogisticRegression(max_iter=5000).fit(X[:50], y[:50]), X[:50], y[:50])
    with pytest.raises(ValueError, match="has bootstrap=False: every sub-model has seen"):
        make(ExtraTreesClassifier(5).fit(X, y), X, y)
    with pytest.raises(ValueError, match="needs more sub-models: only"):
        make(RandomForestClassifier(10, random_state=0).fit(X, y), X, y)
    forest = RandomForestClassifier(60, random_state=0).fit(X, y)
    with pytest.raises(ValueError, match="X has 500 records, and ensemble=RandomForestClassifier"):
        make(forest, X[:500], y[:500])
    with pytest.raises(ValueError, match="n_shadow_models=2: give a whole number >= 4"):
        make(forest, X, y, n_shadow_models=2)
    with pytest.raises(ValueError, match="y holds 77, which RandomForestClassifier does not know"):
        make(forest, X, np.full(600, 77), n_shadow_models=4)


def test_neighbors_leave_one_another_out(game):
    """Any classifier, and an attack whose target is a row of the matrix."""
    X, y, _, _ = game
    matrix = ShadowMatrix.train(KNeighborsClassifier(3), X, y, n_shadow_models=6, random_state=0)
    seen = []
    for i, (rows, view, is_member) in enumerate(matrix.leave_one_out()):
        np.testing.assert_array_equal(matrix.in_mask[i, rows], is_member)
        np.testing.assert_allclose(view["proba"][:, 0], matrix.answers[i, rows, 0], rtol=1e-6)
        assert view["shadow_in"].shape == (len(rows), 4)
        assert set(view["shadow_in"].sum(axis=1)) == {2}
        seen.append(is_member)
    assert len(seen) == 6
    assert left_out(matrix) > 0.6


# ---- what is refused


def test_wrong_arrays_are_refused(game):
    view = game[-1]
    mask = np.arange(24).reshape(4, 6) % 2 == 0
    for wrong, match in (
        ((mask, np.ones((4, 5))), r"confidence has shape \(4, 5\) and in_mask \(4, 6\)"),
        ((mask.astype(int), np.ones((4, 6))), "in_mask holds int64: give booleans"),
        ((mask, np.full((4, 6), np.nan)), "confidence holds values that are negative or not"),
        ((mask, np.full((4, 6), 1.5)), "others holds values that are negative or not finite"),
    ):
        with pytest.raises(ValueError, match=match):
            ShadowMatrix(*wrong)
    matrix = ShadowMatrix(mask, np.full((4, 6), 0.5))
    with pytest.raises(ValueError, match="view holds 400 records and the matrix 6: make it by"):
        matrix.join(view)
    X, y, *_ = game
    trained = ShadowMatrix.train(GaussianNB(), X, y, n_shadow_models=2, random_state=0)
    with pytest.raises(ValueError, match=r"Record \d+ of view has label \d and that of the matrix"):
        trained.join(view[::-1])
    with pytest.raises(ValueError, match="2 models: a target, one more and a shadow model"):
        next(ShadowMatrix(mask[:2], np.full((2, 6), 0.5)).leave_one_out())
    for options, match in (
        ({"n_shadow_models": 1}, "n_shadow_models=1: give a whole number >= 2"),
        ({"train_size": 1.0}, r"train_size=1\.0: give a share between 0 and 1"),
    ):
        with pytest.raises(ValueError, match=match):
            ShadowMatrix.train(GaussianNB(), np.eye(6), [0, 1] * 3, **options)
    with pytest.raises(ValueError, match=r"estimator=None: .*ShadowMatrix\.train\(RandomForest"):
        ShadowMatrix.train(None, np.eye(6), [0, 1] * 3)


def test_views_of_different_matrices_are_refused(game):
    X, y, is_member, view = game
    first, second = (
        ShadowMatrix.train(GaussianNB(), X, y, n_shadow_models=n, random_state=0).join(view)
        for n in (4, 6)
    )
    attack = LiRAAttack().fit(first, is_member)
    with pytest.raises(ValueError, match="by 4 shadow models and those asked about by 6"):
        attack.decision_function(second)
    with pytest.raises(ValueError, match="X holds no shadow models' answers, but the view that"):
        attack.decision_function(view)
    few = ShadowMatrix.train(GaussianNB(), X, y, n_shadow_models=3, random_state=0).join(view)
    with pytest.raises(ValueError, match="The shadow models in X leave 1 shadow model"):
        LiRAAttack().fit(few, is_member)
    assert RMIAAttack().fit(few, is_member).predict(few).shape == (400,)
    all_in = ShadowMatrix(np.ones((4, 400), dtype=bool), np.full((4, 400), 0.5)).join(view)
    with pytest.raises(ValueError, match="record 0 trained all of the 4 shadow models in X"):
        RMIAAttack(mode="offline").fit(all_in, is_member)


class _NoPredict(ClassifierMixin, BaseEstimator):
    """Confidences alone, whose argmax decides."""

    def fit(self, X, y):
        self.classes_, count = np.unique(y, return_counts=True)
        self.share_ = count / count.sum()
        return self

    def predict_proba(self, X):
        return np.tile(self.share_, (len(X), 1))

    @property
    def predict(self):
        raise AttributeError("this model predicts no labels")


def test_models_without_labels_decide_by_their_confidences(game):
    X, y, _, _ = game
    options = {"n_shadow_models": 4, "random_state": 0}
    asked, not_asked = (
        ShadowMatrix.train(_NoPredict(), X, y, asks_labels=asks, **options)
        for asks in (True, False)
    )
    np.testing.assert_array_equal(asked.answers, not_asked.answers)
