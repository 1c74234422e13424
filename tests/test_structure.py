"""What a fitted model holds of its training records."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    BaggingClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.frozen import FrozenEstimator
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from sklearn_aeppt import EqualizedClassifier
from sklearn_aeppt.audit import structural_risk

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 5))
Y = (X[:, 0] + 0.5 * RNG.normal(size=120) > 0).astype(int)
KNN = KNeighborsClassifier()


@pytest.mark.parametrize(
    "model, path",
    [
        (KNN, "_fit_X"),
        (make_pipeline(StandardScaler(), "passthrough", KNN), "kneighborsclassifier._fit_X"),
        (GaussianProcessClassifier(), "base_estimator_.X_train_"),
        (GridSearchCV(KNN, {"n_neighbors": [3]}, cv=2), "best_estimator_._fit_X"),
        (BaggingClassifier(KNN, 3, bootstrap=False, max_features=3), "estimators_[0]._fit_X"),
        (VotingClassifier([("a", KNN), ("b", LogisticRegression())]), "estimators_[0]._fit_X"),
        (CalibratedClassifierCV(KNN, cv=2), "calibrated_classifiers_[0].estimator._fit_X"),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else "",
)
def test_stored_records_are_found_wherever_they_are(model, path):
    risk = structural_risk(model.fit(X, Y), X)
    assert path in risk.stored
    assert risk.stored[path] == (60 if "calibrated" in path else 120)
    assert f"stores {max(risk.stored.values())} of 120 training records" in str(risk)
    other = structural_risk(model, RNG.normal(size=(50, 5)))
    assert not other.stored  # what stands there are the training records, and no others


def test_support_vectors_are_counted_one_by_one():
    model = SVC().fit(X, Y)
    risk = structural_risk(model, X)
    assert risk.stored == {"support_vectors_": len(model.support_)}
    assert risk.n_parameters is None


@pytest.mark.parametrize("table", [pd.DataFrame, sparse.csr_array, np.float32])
def test_records_of_other_kinds(table):
    records = table(X) if table is not np.float32 else X.astype(np.float32)
    assert structural_risk(KNeighborsClassifier().fit(records, Y), records).stored == {
        "_fit_X": 120
    }


def test_a_defense_or_a_frozen_model_is_looked_into():
    knn = KNeighborsClassifier().fit(X, Y)
    assert structural_risk(FrozenEstimator(knn), X).stored == {"estimator._fit_X": 120}
    defense = EqualizedClassifier(knn, random_state=0).fit(X, RNG.normal(size=(120, 5)))
    assert "estimator_._fit_X" in structural_risk(defense, X).stored


def test_leaves_by_hand():
    x = np.r_[np.zeros(3), np.ones(7), np.full(20, 2.0)][:, None]
    y = np.r_[np.zeros(3), np.ones(7), np.zeros(20)]
    risk = structural_risk(DecisionTreeClassifier().fit(x, y), x)
    assert risk.smallest_leaf == 3
    assert risk.small_leaves == {5: pytest.approx(0.1), 10: pytest.approx(1 / 3)}
    # two splits of a feature and a threshold, three leaves of one free probability
    assert risk.n_parameters == 7 and risk.degrees_of_freedom == 23
    assert "10.0% in one of less than 5, 33.3% in one of less than 10" in str(risk)


@pytest.mark.parametrize(
    "make",
    [
        lambda k: DecisionTreeClassifier(min_samples_leaf=k),
        lambda k: RandomForestClassifier(10, min_samples_leaf=k, bootstrap=False, random_state=0),
        lambda k: GradientBoostingClassifier(n_estimators=5, min_samples_leaf=k),
        lambda k: HistGradientBoostingClassifier(max_iter=5, min_samples_leaf=k),
        lambda k: make_pipeline(StandardScaler(), DecisionTreeClassifier(min_samples_leaf=k)),
    ],
    ids=["tree", "forest", "boosting", "histograms", "pipeline"],
)
def test_min_samples_leaf_is_what_protects(make):
    small, large = (structural_risk(make(k).fit(X, Y), X) for k in (1, 12))
    assert small.smallest_leaf < 5 and small.small_leaves[5] > 0
    assert large.smallest_leaf >= 12 and large.small_leaves == {5: 0, 10: 0}
    assert small.degrees_of_freedom < large.degrees_of_freedom
    assert not small.stored and "Trees: the smallest leaf" in str(small)
    assert "Trees" not in str(large)


def test_parts_of_an_ensemble_know_no_names():
    frame = pd.DataFrame(X, columns=list("abcde"))
    bagging = BaggingClassifier(DecisionTreeClassifier(), 3, max_features=4, random_state=0)
    assert structural_risk(bagging.fit(frame, Y), frame).smallest_leaf >= 1


@pytest.mark.parametrize("library", ["xgboost", "lightgbm", "catboost"])
def test_trees_of_other_libraries(library):
    module = pytest.importorskip(library)
    name, options = {
        "xgboost": ("XGBClassifier", {"min_child_weight": 0}),
        "lightgbm": ("LGBMClassifier", {"min_child_samples": 1, "verbose": -1}),
        "catboost": ("CatBoostClassifier", {"verbose": 0, "allow_writing_files": False}),
    }[library]
    frame = pd.DataFrame(X, columns=list("abcde"))
    model = getattr(module, name)(n_estimators=5, **options).fit(frame, Y)
    risk = structural_risk(model, frame)
    assert 1 <= risk.smallest_leaf < 10 and risk.n_parameters is None


def test_parameters_of_linear_models_and_networks():
    linear = structural_risk(LogisticRegression().fit(X, Y), X)
    assert linear.n_parameters == 6 and linear.degrees_of_freedom == 114
    assert str(linear) == "No structural risk found."
    net = structural_risk(MLPClassifier((20,), max_iter=2000, random_state=0).fit(X, Y), X)
    assert net.n_parameters == 5 * 20 + 20 + 20 + 1
    assert "141 fitted parameters for 120 training records" in str(net)
    with pytest.raises(ValueError, match="X is empty"):
        structural_risk(linear, X[:0])
