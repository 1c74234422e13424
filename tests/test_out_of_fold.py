"""The out-of-fold defense: who answers whom, who stays together, and what attackers see."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_digits, make_classification
from sklearn.ensemble import (
    BaggingClassifier,
    ExtraTreesClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import GridSearchCV, KFold, ShuffleSplit, StratifiedKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from sklearn_aeppt import EqualizedClassifier, OutOfFoldClassifier
from sklearn_aeppt.attacks import BitFlips, VariantsAttack, query
from sklearn_aeppt.defenses._fold_groups import find_near_duplicates
from sklearn_aeppt.defenses._fold_mix import Calibration, neighbor_weights
from sklearn_aeppt.defenses._fold_nearness import choose

TREE = DecisionTreeClassifier(random_state=0)


@pytest.fixture(scope="module")
def noisy():
    """(X, y) of members and of others, whose labels are half noise."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(600, 8)), rng.integers(3, size=600)
    y = np.where(rng.random(600) < 0.5, X[:, :3].argmax(axis=1), y)
    return X[:300], y[:300], X[300:], y[300:]


@pytest.fixture(scope="module")
def fitted(noisy):
    X, y, _, _ = noisy
    return OutOfFoldClassifier(TREE, cv=4, n_repeats=2, bandwidth=0.5, random_state=0).fit(X, y)


def calibrated(defended, proba):
    return defended._calibrated(np.asarray(proba))


def test_a_training_record_is_answered_by_the_models_that_have_not_seen_it(noisy, fitted):
    X, y, _, _ = noisy
    assert fitted.fold_.shape == (2, 300) and len(fitted.estimators_) == 8
    shown = fitted.predict_proba(X)
    for i in (0, 17, 299):
        said = []
        for r in range(2):
            rows = fitted.fold_[r] != fitted.fold_[r, i]
            model = clone(TREE).fit(X[rows], y[rows])
            own = fitted.estimators_[4 * r + fitted.fold_[r, i]]
            np.testing.assert_array_equal(own.predict_proba(X), model.predict_proba(X))
            said.append(model.predict_proba(X[i : i + 1]))
        np.testing.assert_allclose(shown[i], calibrated(fitted, np.mean(said, axis=0))[0])


def test_other_folds_are_silent_at_a_training_record_and_around_it(noisy, fitted):
    X = noisy[0]
    for step in (0, 1e-3):
        distance, index = fitted._near(X + step)
        np.testing.assert_array_equal(index[:, 0], np.arange(300))
        s = fitted._near.nearest_other_[index[:, 0]]
        weight = neighbor_weights(distance, s, 0.5)
        np.testing.assert_array_equal(weight[:, 0], 1)
        np.testing.assert_array_equal(weight[:, 1:], 0)


def test_weights_by_hand():
    s = np.array([2.0])
    found = neighbor_weights(np.array([[1.0, np.sqrt(2), 3.0]]), s, 0.5)
    np.testing.assert_allclose(found, [[2 / 3, 1 / 3, 0]])  # 1 and 1 - 1 / (0.5 * 4)
    np.testing.assert_array_equal(
        neighbor_weights(np.array([[1.0, 1.0, 3.0]]), s, 0.0), [[1, 0, 0]]
    )
    # the last one found never weighs: where it leaves, nothing jumps
    assert neighbor_weights(np.array([[1.0, 1.1, 1.2]]), s, 0.9)[0, 2] == 0


def test_near_duplicates_stay_in_one_fold():
    rng = np.random.default_rng(0)
    X = rng.integers(2, size=(200, 60)).astype(float)
    near = X[:50].copy()
    near[np.arange(50), rng.integers(60, size=50)] += 0.0
    flip = rng.integers(60, size=50)
    near[np.arange(50), flip] = 1 - near[np.arange(50), flip]
    equal = X[50:80]
    all_X, y = np.r_[X, near, equal], rng.integers(2, size=280)
    defended = OutOfFoldClassifier(GaussianNB(), cv=5, bandwidth=0.0, random_state=0).fit(all_X, y)
    assert 1 <= defended.duplicate_radius_ < 2
    assert defended.n_groups_ == 200
    np.testing.assert_array_equal(defended.fold_[:, :80], defended.fold_[:, 200:])
    apart = clone(defended).set_params(duplicate_radius=0.0).fit(all_X, y)
    assert apart.n_groups_ == 250
    assert (apart.fold_[:, :50] != apart.fold_[:, 200:250]).any()
    np.testing.assert_array_equal(apart.fold_[:, 50:80], apart.fold_[:, 250:])  # equal ones always


def test_a_chain_of_records_is_one_group():
    place = np.array([[0.0], [1.0], [2.0], [9.0]])
    np.testing.assert_array_equal(find_near_duplicates(place, 1.0, 2)[0], [0, 0, 0, 1])
    np.testing.assert_array_equal(find_near_duplicates(place, 0.0, 2)[0], [0, 1, 2, 3])
    group, radius = find_near_duplicates(np.arange(100.0)[:, None], "auto", 2)
    assert radius < 1 and len(np.unique(group)) == 100


@pytest.mark.parametrize("cv", [KFold(3), StratifiedKFold(3, shuffle=True)], ids=str)
def test_splitters(noisy, cv):
    X, y, _, _ = noisy
    defended = OutOfFoldClassifier(TREE, cv=cv, n_repeats=2, bandwidth=0.0, random_state=0)
    folds = defended.fit(X, y).fold_
    assert folds.shape == (2, 300)
    assert (folds[0] != folds[1]).any() == getattr(cv, "shuffle", False)
    np.testing.assert_array_equal(folds, clone(defended).fit(X, y).fold_)


def test_folds_are_even_and_alike_in_classes(noisy, fitted):
    y = noisy[1]
    for fold in fitted.fold_:
        assert np.ptp(np.bincount(fold)) <= 1
        assert all(np.ptp(np.bincount(fold[y == c], minlength=4)) <= 1 for c in range(3))


def test_out_of_bag_trees_by_hand(noisy):
    X, y, _, _ = noisy
    forest = RandomForestClassifier(60, random_state=0).fit(X, y)
    defended = OutOfFoldClassifier(forest, cv="oob", bandwidth=0.0, random_state=0).fit(X, y)
    assert defended.estimator_ is forest and defended.estimators_ is forest.estimators_
    assert not hasattr(defended, "fold_") and defended.n_groups_ == 300
    shown = defended.predict_proba(X)
    for i in (0, 5, 123):
        unseen = [
            tree.predict_proba(X[i : i + 1].astype(np.float32))
            for tree, rows in zip(forest.estimators_, forest.estimators_samples_)
            if i not in rows
        ]
        np.testing.assert_allclose(
            shown[i], calibrated(defended, np.mean(unseen, axis=0))[0], rtol=1e-5
        )
    np.testing.assert_allclose(
        shown, calibrated(defended, RandomForestClassifier(60, oob_score=True, random_state=0)
                          .fit(X, y).oob_decision_function_), rtol=1e-5,
    )  # fmt: skip


def test_out_of_bag_of_bagging_pipelines_and_groups(noisy):
    X, y, new, _ = noisy
    bagging = BaggingClassifier(KNeighborsClassifier(3), 30, max_features=0.5, random_state=0)
    pipe = make_pipeline(StandardScaler(), bagging).fit(X, y)
    defended = OutOfFoldClassifier(pipe, cv="oob", bandwidth=0.3, random_state=0).fit(X, y)
    assert np.isfinite(defended.predict_proba(new)).all()
    forest = RandomForestClassifier(10, random_state=0).fit(np.repeat(X, 30, axis=0), y.repeat(30))
    defended = OutOfFoldClassifier(forest, cv="oob", bandwidth=0.0, random_state=0)
    defended.fit(np.repeat(X, 30, axis=0), y.repeat(30))  # no tree that has seen none of thirty
    prior = [(y == c).mean() for c in range(3)]
    shown = defended.predict_proba(X)
    np.testing.assert_allclose(shown, np.tile(calibrated(defended, [prior]), (300, 1)))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"cv": 301}, r"cv=301 folds cannot be cut from n_samples=300"),
        ({"cv": ShuffleSplit(3, random_state=0)}, r"cv=ShuffleSplit.*partition"),
        ({"cv": "oob"}, r"cv='oob' needs a forest or bagging ensemble of classifiers, not Decis"),
        ({"cv": "oob", "estimator": ExtraTreesClassifier(3)}, "bootstrap=False"),
        ({"cv": 1}, "'cv' parameter"),
        ({"bandwidth": 1.0}, "'bandwidth' parameter"),
        ({"duplicate_radius": -1}, "'duplicate_radius' parameter"),
        ({"labels": "mine"}, "'labels' parameter"),
        ({"neighbors": 5}, "'neighbors' parameter"),
    ],
)
def test_what_is_wrong_is_named(noisy, params, message):
    X, y, _, _ = noisy
    defended = OutOfFoldClassifier(TREE).set_params(**params)
    with pytest.raises(ValueError, match=message):
        defended.fit(X, y)


def test_other_records_weights_and_texts_are_refused(noisy):
    X, y, _, _ = noisy
    forest = RandomForestClassifier(5, random_state=0).fit(X, y)
    oob = OutOfFoldClassifier(forest, cv="oob", bandwidth=0.0)
    with pytest.raises(ValueError, match=r"X has 299 records.*trained on 300"):
        oob.fit(X[:-1], y[:-1])
    with pytest.raises(ValueError, match="sample_weight is for training"):
        oob.fit(X, y, sample_weight=np.ones(300))
    with pytest.raises(ValueError, match="sample_weight is given, but KNeighborsClassifier"):
        OutOfFoldClassifier(KNeighborsClassifier()).fit(X, y, sample_weight=np.ones(300))
    with pytest.raises(ValueError, match="holds no numbers"):
        OutOfFoldClassifier(TREE).fit(["some", "words", "more"] * 20, [0, 1, 1] * 20)


def test_a_class_that_a_fold_model_never_saw_has_a_column():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 2)), np.array(["a"] * 20 + ["b"] * 19 + ["c"])
    defended = OutOfFoldClassifier(GaussianNB(), cv=4, bandwidth=0.0, random_state=0).fit(X, y)
    assert sorted({len(model.classes_) for model in defended.estimators_}) == [2, 3]
    shown = defended.predict_proba(X)
    assert shown.shape == (40, 3) and shown[39, 2] == shown.min()  # only others can say "c"
    y = np.array(["a"] * 39 + ["b"])  # the fold of the only "b" leaves one class to learn
    defended = OutOfFoldClassifier(LogisticRegression(), cv=4, bandwidth=0.0, random_state=0)
    assert defended.fit(X, y).predict(X[-1:]) == ["a"]


def test_batches_order_and_containers_change_nothing(noisy, fitted):
    X, y, new, _ = noisy
    shown = fitted.predict_proba(new)
    np.testing.assert_allclose(shown.sum(axis=1), 1)
    np.testing.assert_allclose(fitted.predict_proba(new[::-1])[::-1], shown, rtol=1e-9)
    one = np.concatenate([fitted.predict_proba(new[i : i + 1]) for i in range(50)])
    np.testing.assert_allclose(one, shown[:50], rtol=1e-9)
    many = np.tile(new, (8, 1))
    np.testing.assert_allclose(fitted.predict_proba(many), np.tile(shown, (8, 1)), rtol=1e-9)
    np.testing.assert_array_equal(fitted.predict(new), fitted.classes_[shown.argmax(axis=1)])
    np.testing.assert_allclose(fitted.predict_log_proba(new), np.log(shown))
    frame = pd.DataFrame(X, columns=[*"abcdefgh"])
    framed = clone(fitted).fit(frame, y)
    np.testing.assert_allclose(
        framed.predict_proba(pd.DataFrame(new, columns=frame.columns)), shown, rtol=1e-6
    )
    thin = clone(fitted).fit(sparse.csr_array(X), y)
    np.testing.assert_allclose(thin.predict_proba(sparse.coo_array(new)), shown, rtol=1e-6)
    assert fitted.predict_proba(new[:0]).shape == (0, 3)


def test_equally_near_records_are_told_apart_alike_in_any_batch():
    rng = np.random.default_rng(0)
    X, y = rng.integers(2, size=(400, 12)).astype(float), rng.integers(2, size=400)
    defended = OutOfFoldClassifier(TREE, cv=3, n_repeats=1, bandwidth=0.0, random_state=0).fit(X, y)
    new = rng.integers(2, size=(200, 12)).astype(float)
    one = np.concatenate([defended.predict_proba(new[i : i + 1]) for i in range(200)])
    np.testing.assert_array_equal(one, defended.predict_proba(new))


def test_threads_processes_memory_pickle_and_progress(noisy, fitted, tmp_path, capsys):
    X, y, new, _ = noisy
    shown = fitted.predict_proba(new)
    other = clone(fitted).set_params(n_jobs=2, memory=str(tmp_path / "cache"), verbose=1)
    np.testing.assert_array_equal(other.fit(X, y).predict_proba(new), shown)
    assert "OutOfFoldClassifier: 100%" in capsys.readouterr().err
    n_files = len(list((tmp_path / "cache").rglob("output.pkl")))
    assert n_files == 8
    np.testing.assert_array_equal(clone(other).fit(X, y).predict_proba(new), shown)
    assert len(list((tmp_path / "cache").rglob("output.pkl"))) == n_files
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict_proba(new), shown)


def test_skops_round_trip(noisy):
    skops_io = pytest.importorskip("skops.io")
    X, y, new, _ = noisy
    model = OutOfFoldClassifier(LogisticRegression(), cv=2, bandwidth=0.5, random_state=0)
    written = skops_io.dumps(model.fit(X, y))
    kinds = skops_io.get_untrusted_types(data=written)
    assert all(kind.startswith(("sklearn_aeppt.", "sklearn.")) for kind in kinds)
    read = skops_io.loads(written, trusted=kinds)
    np.testing.assert_array_equal(read.predict_proba(new), model.predict_proba(new))


def test_texts_and_mixed_frames():
    words = [f"word{i % 7} word{i % 5} other{i % 3}" for i in range(105)]
    y = np.arange(105) % 3
    pipe = make_pipeline(CountVectorizer(), LogisticRegression())
    defended = OutOfFoldClassifier(pipe, cv=3, random_state=0).fit(words, y)
    assert defended.bandwidth_ == 0 and defended.score(words, y) > 0.9
    frame = pd.DataFrame({"n": np.arange(105.0), "kind": pd.Categorical([f"k{i}" for i in y])})

    class Reads(GaussianNB):
        def fit(self, X, y):
            return super().fit(X[["n"]].assign(k=X["kind"].cat.codes), y)

        def predict_proba(self, X):
            return super().predict_proba(X[["n"]].assign(k=X["kind"].cat.codes))

    shown = OutOfFoldClassifier(Reads(), cv=3, bandwidth=0.0, random_state=0).fit(frame, y)
    assert shown.score(frame, y) > 0.9


def test_weights_and_fit_params_are_cut_to_the_fold(noisy):
    X, y, _, _ = noisy
    heavy = np.where(y == 0, 50.0, 1.0)
    model = OutOfFoldClassifier(GaussianNB(), cv=3, n_repeats=1, bandwidth=0.0, random_state=0)
    plain, weighted = clone(model).fit(X, y), clone(model).fit(X, y, sample_weight=heavy)
    rows = weighted.fold_[0] != 0
    by_hand = GaussianNB().fit(X[rows], y[rows], heavy[rows])
    np.testing.assert_array_equal(weighted.estimators_[0].theta_, by_hand.theta_)
    np.testing.assert_array_equal(weighted.estimators_[0].class_prior_, by_hand.class_prior_)
    assert plain.estimators_[0].class_prior_[0] < by_hand.class_prior_[0]
    with config_context(enable_metadata_routing=True):
        routed = OutOfFoldClassifier(
            GaussianNB().set_fit_request(sample_weight=True),
            cv=3, n_repeats=1, bandwidth=0.0, random_state=0,
        ).fit(X, y, sample_weight=heavy)  # fmt: skip
    np.testing.assert_array_equal(routed.estimators_[0].theta_, by_hand.theta_)


def test_kept_labels(noisy):
    X, y, new, _ = noisy
    tree = clone(TREE).fit(X, y)
    for given in (tree, FrozenEstimator(tree)):
        kept = OutOfFoldClassifier(given, cv=3, labels="kept", bandwidth=0.0, random_state=0)
        kept.fit(X, y)
        assert kept.estimator_ is given
        for records in (X, new):
            np.testing.assert_array_equal(kept.predict(records), tree.predict(records))
    plain = clone(kept).set_params(labels="out_of_fold").fit(X, y)
    moved = plain.predict(X) != tree.predict(X)
    assert 0.2 < moved.mean() < 0.8
    np.testing.assert_array_equal(
        np.sort(kept.predict_proba(X)[~moved]), np.sort(plain.predict_proba(X)[~moved])
    )


def test_kept_labels_inside_the_equalized_defense(noisy):
    X, y, new, y_new = noisy
    forest = RandomForestClassifier(20, random_state=0).fit(X, y)
    kept = OutOfFoldClassifier(forest, n_repeats=3, labels="kept", bandwidth=0.0, random_state=0)
    kept.fit(X, y)
    equalized = EqualizedClassifier(kept, key=bytes(16), n_label_groups=1, random_state=0)
    equalized.fit(X, new, y_mem=y, y_non=y_new)
    assert equalized.estimator_ is kept
    label = [forest.predict(records) for records in (X, new)]
    for records, own in zip((X, new), label):
        np.testing.assert_array_equal(equalized.predict(records), own)
    right = [own == truth for own, truth in zip(label, (y, y_new))]

    def told_apart(defended):
        """Return how far the largest confidence tells members from others, both labeled right."""
        top = [defended.predict_proba(records).max(axis=1) for records in (X, new)]
        top = [one[rows] for one, rows in zip(top, right)]
        is_member = np.repeat([True, False], [len(one) for one in top])
        return abs(roc_auc_score(is_member, np.concatenate(top)) - 0.5)

    assert told_apart(forest) > 0.4
    assert max(told_apart(kept), told_apart(equalized)) < 0.06  # labels are all that is left


def test_grid_search_and_search_estimator(noisy):
    X, y, new, _ = noisy
    search = GridSearchCV(
        OutOfFoldClassifier(TREE, bandwidth=0.0, random_state=0),
        {"cv": [2, 4], "n_repeats": [1, 2], "estimator__max_depth": [2]},
        cv=2, scoring="neg_log_loss", error_score="raise",
    ).fit(X, y)  # fmt: skip
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    exact = search.best_estimator_
    ball = clone(exact).set_params(neighbors=NearestNeighbors(algorithm="ball_tree")).fit(X, y)
    assert isinstance(ball.neighbors_, NearestNeighbors)
    np.testing.assert_allclose(ball.predict_proba(new), exact.predict_proba(new), rtol=1e-6)


def test_every_query_asks_the_same_models_as_often(noisy):
    X, y, new, _ = noisy
    asked = []

    class Counts(GaussianNB):
        def predict_proba(self, X):
            asked.append(len(X))
            return super().predict_proba(X)

    defended = OutOfFoldClassifier(Counts(), cv=4, n_repeats=2, bandwidth=0.5, random_state=0)
    defended.fit(X, y)
    for records in (X[:7], new[:7], np.full((7, 8), 1e9)):
        asked.clear()
        defended.predict_proba(records)
        assert asked == [7] * 8


def test_calibration_keeps_labels_and_repairs_confidence():
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(4), size=4000)
    label = np.array([rng.choice(4, p=row) for row in p])
    for power in (3.0, 0.4):  # overconfident, underconfident
        wrong = p**power / (p**power).sum(axis=1, keepdims=True)
        fitted = Calibration().fit(wrong, label)
        assert fitted.temperature == pytest.approx(power, rel=0.1)
        right = fitted(wrong)
        np.testing.assert_array_equal(right.argmax(axis=1), wrong.argmax(axis=1))
        assert log_loss(label, right) < log_loss(label, wrong) - 0.005
    sure = np.eye(4)[rng.permutation(np.r_[label[:3000], rng.integers(4, size=1000)])]
    assert np.isfinite(np.log(Calibration().fit(sure, label)(sure))).all()


def test_the_width_that_leaks_least_is_taken():
    assert choose({0.0: 0.60, 0.3: 0.56, 0.5: 0.51, 0.8: 0.7}, 2000) == 0.5
    assert choose({0.0: 0.51, 0.3: 0.505, 0.5: 0.5, 0.8: 0.51}, 2000) == 0.0
    assert choose({0.0: 0.50, 0.3: 0.60, 0.5: 0.4, 0.8: 0.4}, 2000) == 0.0  # below is not less


def test_unused_features_move_nobody_away(noisy):
    X, y, _, _ = noisy
    y = (X[:, 0] > 0).astype(int)
    tree = DecisionTreeClassifier(random_state=0)  # of which seven features know nothing
    defended = OutOfFoldClassifier(tree, cv=4, bandwidth=0.0, random_state=0).fit(X, y)
    away = X.copy()
    away[:, 1:] += 100
    np.testing.assert_array_equal(defended.predict_proba(away), defended.predict_proba(X))


@pytest.mark.parametrize("model", [KNeighborsClassifier(1), TREE], ids=lambda m: type(m).__name__)
def test_who_memorizes_tells_attackers_nothing(model):
    X, y = make_classification(1200, 10, n_informative=6, flip_y=0.4, random_state=0)
    X_mem, y_mem, X_new, y_new = X[:600], y[:600], X[600:], y[600:]
    defended = OutOfFoldClassifier(model, bandwidth=0.0, random_state=0).fit(X_mem, y_mem)
    is_member = np.arange(1200) < 600

    def auc(target):
        proba = np.r_[target.predict_proba(X_mem), target.predict_proba(X_new)]
        return roc_auc_score(is_member, proba[np.arange(1200), y])

    plain = clone(model).fit(X_mem, y_mem)
    assert auc(plain) > 0.6
    assert abs(auc(defended) - 0.5) < 0.05  # three standard errors
    assert abs(defended.score(X_mem, y_mem) - defended.score(X_new, y_new)) < 0.09
    assert defended.score(X_new, y_new) > plain.score(X_new, y_new) - 0.02


def test_digits_are_answered_about_as_well_as_before():
    X, y = load_digits(return_X_y=True)
    forest = RandomForestClassifier(150, random_state=0).fit(X[:900], y[:900])
    for cv in ("oob", 3):
        defended = OutOfFoldClassifier(forest, cv=cv, n_repeats=1, bandwidth=0.0, random_state=0)
        defended.fit(X[:900], y[:900])
        assert defended.score(X[900:], y[900:]) > forest.score(X[900:], y[900:]) - 0.03
        losses = [log_loss(y[900:], m.predict_proba(X[900:])) for m in (defended, forest)]
        assert losses[0] < losses[1]


@pytest.mark.slow
def test_how_much_use_counts_is_found_out_for_bits():
    # few bits are set, and the models use some of them far more than others: by their use alone,
    # one flipped bit moves a record to another one's place
    rng = np.random.default_rng(0)
    share = rng.beta(0.3, 12, (8, 500))
    y = rng.integers(8, size=1600)
    X = (rng.random((1600, 500)) < share[y]).astype(np.float32)
    y = np.where(rng.random(1600) < 0.3, rng.integers(8, size=1600), y)
    X_mem, y_mem = X[:800], y[:800]
    forest = RandomForestClassifier(60, random_state=0)
    defended = OutOfFoldClassifier(forest, random_state=0).fit(X_mem, y_mem)
    auc = {}
    for title, target in {"plain": forest.fit(X_mem, y_mem), "defended": defended}.items():
        view = query(target, X, y, n_queries=13, augment=[BitFlips(n_flips=k) for k in (1, 4, 16)])
        known = rng.random(1600) < 0.5
        is_member = np.arange(1600) < 800
        attack = VariantsAttack(13, random_state=0).fit(view[known], is_member[known])
        score = attack.decision_function(view[~known])
        auc[title] = roc_auc_score(is_member[~known], score)
    assert auc["plain"] > 0.9
    assert auc["defended"] < 0.56  # three standard errors; by the square of the use, 0.78


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("model", [KNeighborsClassifier(1), TREE], ids=lambda m: type(m).__name__)
def test_columns_that_seem_unused_still_keep_records_apart(model, seed):
    # most of these records differ only in columns that moved no answer when that was measured
    rng = np.random.RandomState(seed)
    X = rng.poisson(0.01, (600, 200)) * rng.rand(600, 200)
    y = rng.randint(0, 2, 600)
    defended = OutOfFoldClassifier(model, random_state=seed).fit(X[:300], y[:300])
    first = defended._near(X[:300])[1][:, 0]
    group = defended._group
    record = np.unique(X[:300], axis=0, return_inverse=True)[1]
    row_of = {r: i for i, r in enumerate(defended._first)}  # first rows, in the order of places
    own = np.array(
        [next(row_of[j] for j in np.flatnonzero(record == r) if j in row_of) for r in record]
    )
    np.testing.assert_array_equal(group[first], group[own])
    assert defended.score(X[:300], y[:300]) < 0.6


@pytest.mark.parametrize(
    "model",
    [
        make_pipeline(StandardScaler(), FrozenEstimator(clone(TREE).fit(np.eye(2), [0, 1]))),
        VotingClassifier(
            [("a", FrozenEstimator(clone(TREE).fit(np.eye(2), [0, 1])))], voting="soft"
        ),
    ],
    ids=["pipeline", "vote"],
)
def test_a_model_that_clone_keeps_fitted_is_refused(model, noisy):
    X, y, *_ = noisy
    defended = OutOfFoldClassifier(model, bandwidth=0.0)
    with pytest.raises(ValueError, match="FrozenEstimator: the models of all folds would have"):
        defended.fit(X, y)


BITS = np.random.RandomState(0).rand(260, 12) < 0.4


@pytest.mark.parametrize(
    "X",
    [
        sparse.csr_array(BITS.astype(float)),
        sparse.coo_matrix(BITS.astype(float)),
        BITS.astype(object).astype(int).astype(object),
        np.random.RandomState(0).randint(0, 9, (260, 6)).astype(object),
        BITS.astype(np.uint8),
        np.random.RandomState(0).randint(0, 200, (260, 6)).astype(np.uint8),
    ],
    ids=["csr", "coo", "object bits", "object numbers", "uint8 bits", "uint8"],
)
def test_the_attack_on_a_copy_takes_all_kinds_of_tables(X):
    y = np.random.RandomState(1).randint(0, 2, 260)
    defended = OutOfFoldClassifier(TREE, n_repeats=2, random_state=0).fit(X, y)
    assert defended.bandwidth_ in (0.0, 0.1, 0.3)


class FlatTree(DecisionTreeClassifier):
    """A tree over images."""

    def fit(self, X, y, sample_weight=None):
        return super().fit(X.reshape(len(X), -1), y, sample_weight)

    def predict_proba(self, X, check_input=True):
        return super().predict_proba(X.reshape(len(X), -1), check_input)


@pytest.mark.parametrize("bits", [True, False])
def test_the_attack_on_a_copy_takes_images(bits):
    X = np.random.RandomState(0).rand(220, 4, 4)
    X = (X < 0.3).astype(float) if bits else X
    y = np.random.RandomState(1).randint(0, 2, 220)
    defended = OutOfFoldClassifier(FlatTree(random_state=0), n_repeats=2, random_state=0)
    assert defended.fit(X, y).predict_proba(X).shape == (220, 2)


@pytest.mark.filterwarnings("ignore:The number of unique classes:UserWarning")
def test_what_no_copy_can_show_is_left_at_its_usual_value():
    rng = np.random.RandomState(0)
    few = rng.randn(4, 3)[rng.randint(0, 4, 260)]
    y = (few[:, 0] > np.median(few[:, 0])).astype(int)
    assert OutOfFoldClassifier(TREE, cv=2, random_state=0).fit(few, y).bandwidth_ == 0.1
    own = OutOfFoldClassifier(TREE, n_repeats=1, random_state=0)
    assert own.fit(rng.randn(260, 3), np.arange(260)).bandwidth_ == 0.1
    forest = RandomForestClassifier(30, random_state=0).fit(BITS, BITS[:, 0])
    oob = OutOfFoldClassifier(FrozenEstimator(forest), cv="oob", random_state=0)
    assert oob.fit(BITS, BITS[:, 0]).estimator_.estimator is forest
    one = OutOfFoldClassifier(TREE, cv=KFold(2), random_state=0)
    with pytest.raises(ValueError, match="puts all records into one fold"):
        one.fit(np.ones((20, 3)), np.arange(20) % 2)


def test_numbers_far_from_zero_are_told_apart(noisy):
    X, y, *_ = noisy
    far = OutOfFoldClassifier(TREE, n_repeats=1, bandwidth=0.0, random_state=0).fit(X + 1e5, y)
    near = OutOfFoldClassifier(TREE, n_repeats=1, bandwidth=0.0, random_state=0).fit(X, y)
    assert far.n_groups_ == near.n_groups_
