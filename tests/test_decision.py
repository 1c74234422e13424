"""One decision is shown: `predict`, the argmax of what is shown and the model's rule agree."""

import numpy as np
import pytest
from extras import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from sklearn_aeppt import EqualizedClassifier
from sklearn_aeppt.defenses import (
    OutputDefense,
    RoundingClassifier,
    TemperatureClassifier,
    TopKClassifier,
)
from sklearn_aeppt.defenses._decision import (
    decide_by_argmax,
    keep_side,
    keep_threshold,
    stretch_around,
)

pytestmark = pytest.mark.filterwarnings("ignore:k=1 hides nothing of 2 classes:UserWarning")

KEY = b"a key of the tests, known to all"
DEFENSES = {
    "equalized": lambda m: EqualizedClassifier(m, key=KEY, random_state=0),
    "equalized, L1": lambda m: EqualizedClassifier(
        m, cost="l1", other_classes="template", key=KEY, random_state=0
    ),
    "rounding": lambda m: RoundingClassifier(m, decimals=1),
    "top 1": lambda m: TopKClassifier(m, k=1),
    "temperature": lambda m: TemperatureClassifier(m, temperature=5.0),
}
if torch:
    from sklearn_aeppt import AEPPTClassifier
    from sklearn_aeppt.attacks import MIMAttack
    from sklearn_aeppt.defenses import MemGuardClassifier

    quick = MIMAttack("substitute", max_epochs=2, random_state=0)
    DEFENSES["aeppt"] = lambda m: AEPPTClassifier(
        m, step_size=1e-2, substitute=quick, max_iter=20, key=KEY, random_state=0
    )
    DEFENSES["memguard"] = lambda m: MemGuardClassifier(
        m, max_iter=10, defense_classifier=quick, key=KEY, random_state=0
    )


@pytest.fixture(scope="module")
def records():
    X, y = make_classification(600, 8, n_informative=4, flip_y=0.2, class_sep=0.6, random_state=0)
    return X, np.where(y == 1, "yes", "no")


@pytest.fixture(scope="module")
def three_classes():
    return make_classification(
        600, 8, n_informative=5, n_classes=3, flip_y=0.3, class_sep=0.5, random_state=0
    )


def check(defense, model, X, y, *, threshold=None, positive=1):
    """Fit and compare every door to the decision with the model's own."""
    members, others = np.arange(300), np.arange(300, 600)
    defense.fit(X[members], X[others], y_mem=y[members], y_non=y[others])
    expected = np.asarray(model.predict(X)).ravel()
    np.testing.assert_array_equal(defense.predict(X), expected)
    shown = defense.predict_proba(X)
    assert shown.min() >= 0
    np.testing.assert_allclose(shown.sum(axis=1, dtype=np.float64), 1, atol=1e-6)
    np.testing.assert_array_equal(defense.classes_[shown.argmax(axis=1)], expected)
    if threshold is not None:
        said = shown[:, positive] >= threshold
        np.testing.assert_array_equal(said, expected == defense.classes_[positive])


@pytest.mark.parametrize("name", DEFENSES)
@pytest.mark.parametrize("positive", ["yes", "no"])
@pytest.mark.parametrize("threshold", [0, 0.2, 0.5, 0.85, 1])
def test_fixed_thresholds(records, name, threshold, positive):
    X, y = records
    model = FixedThresholdClassifier(
        RandomForestClassifier(12, random_state=0),
        threshold=threshold,
        pos_label=positive,
        response_method="predict_proba",
    ).fit(X[:300], y[:300])
    at = {"no": 0, "yes": 1}[positive]
    check(DEFENSES[name](model), model, X, y, threshold=threshold, positive=at)


@pytest.mark.parametrize("name", DEFENSES)
def test_a_threshold_that_is_no_number_is_refused(records, name):
    X, y = records
    inner = FixedThresholdClassifier(
        LogisticRegression(), threshold=float("nan"), pos_label="yes"
    ).fit(X[:300], y[:300])
    for model in (inner, make_pipeline(StandardScaler(), inner).fit(X[:300], y[:300])):
        with pytest.raises(ValueError, match="threshold=nan of FixedThresholdClassifier is no num"):
            DEFENSES[name](model).fit(X[:300], X[300:])
    endless = FrozenEstimator(inner.set_params(threshold=float("inf")))  # all are on one side
    check(DEFENSES[name](endless), endless, X, y)


@pytest.mark.parametrize("nothing", [np.nan, np.inf, -np.inf])
def test_no_defense_shows_what_is_no_number(records, nothing):
    X, y = records

    class Astray(OutputDefense):
        def __init__(self, estimator, *, member_fraction=0.5, random_state=None):
            self.estimator = estimator
            self.member_fraction = member_fraction
            self.random_state = random_state

        def _perturb_block(self, proba):
            shown = proba.copy()
            shown[-1] = nothing
            return shown

    defense = Astray(LogisticRegression().fit(X[:300], y[:300])).fit(X[:300], X[300:])
    for ask in (
        lambda: defense.predict_proba(X),
        lambda: defense.predict_log_proba(X),
        lambda: defense.perturb([[0.5, 0.5]]),
    ):
        with pytest.raises(ValueError, match="Astray would show NaN or infinity"):
            ask()


@pytest.mark.parametrize("name", [n for n in ("equalized", "aeppt", "rounding") if n in DEFENSES])
def test_thresholds_wherever_they_are_wrapped(records, name):
    X, y = records
    fixed = FixedThresholdClassifier(
        LogisticRegression(), threshold=0.3, pos_label="no", response_method="predict_proba"
    )
    tuned = TunedThresholdClassifierCV(
        LogisticRegression(), scoring="balanced_accuracy", response_method="predict_proba"
    )
    by_default = FixedThresholdClassifier(LogisticRegression(), response_method="predict_proba")
    for model, at in (
        (make_pipeline(StandardScaler(), fixed), 0),
        (tuned, 1),
        (make_pipeline(StandardScaler(), tuned), 1),
        (by_default, 1),
    ):
        model.fit(X[:300], y[:300])
        last = model[-1] if hasattr(model, "steps") else model
        threshold = getattr(last, "best_threshold_", getattr(last, "threshold", None))
        threshold = 0.5 if threshold == "auto" else threshold
        check(DEFENSES[name](model), model, X, y, threshold=threshold, positive=at)
        check(DEFENSES[name](FrozenEstimator(model)), model, X, y, threshold=threshold, positive=at)


def test_a_threshold_on_decision_values_is_followed_too(records):
    X, y = records
    model = FixedThresholdClassifier(
        LogisticRegression(), threshold=0.7, response_method="decision_function", pos_label="yes"
    ).fit(X[:300], y[:300])
    for name in DEFENSES:
        check(DEFENSES[name](model), model, X, y)


class Platt(SVC):
    """A machine whose confidences are a second look: `predict` is not their argmax."""

    def fit(self, X, y):
        super().fit(X, y)
        self.slope_ = LogisticRegression().fit(self.decision_function(X)[:, None], y)
        return self

    def predict_proba(self, X):
        return self.slope_.predict_proba(self.decision_function(X)[:, None] - 0.4)


@pytest.mark.parametrize("name", DEFENSES)
def test_support_vector_machines(records, name):
    X, y = records
    model = Platt(random_state=0).fit(X[:300], y[:300])
    two_looks = model.classes_[model.predict_proba(X).argmax(axis=1)] != model.predict(X)
    assert two_looks.mean() > 0.02
    check(DEFENSES[name](model), model, X, y)


@pytest.mark.filterwarnings("ignore:The `probability` parameter was deprecated:FutureWarning")
def test_support_vector_machines_of_scikit_learn(three_classes):
    X, y = three_classes
    model = SVC(probability=True, random_state=0).fit(X[:300], y[:300])
    assert (model.predict_proba(X).argmax(axis=1) != model.predict(X)).any()
    for name in {"equalized", "aeppt", "temperature"} & set(DEFENSES):
        check(DEFENSES[name](model), model, X, y)


class Said(ClassifierMixin, BaseEstimator):
    """A fitted model with a rule of its own, that answers in one of several shapes."""

    classes_ = np.array([3, 5, 9])

    def __init__(self, shape="flat"):
        self.shape = shape

    def __sklearn_is_fitted__(self):
        return True

    def fit(self, X, y):
        return self

    def predict_proba(self, X):
        p = np.exp(X[:, :3])
        return p / p.sum(axis=1, keepdims=True)

    def predict(self, X):
        p = self.predict_proba(X)
        said = self.classes_[(p * [1, 2, 0.5]).argmax(axis=1)]
        return {
            "flat": said, "column": said[:, None], "list": said.tolist(), "float": said * 1.0,
        }[self.shape]  # fmt: skip


@pytest.mark.parametrize("name", DEFENSES)
def test_another_rule_than_the_argmax(three_classes, name):
    X, _ = three_classes
    y = Said().predict(X)
    assert (Said().classes_[Said().predict_proba(X).argmax(axis=1)] != y).mean() > 0.2
    check(DEFENSES[name](Said()), Said(), X, y)


@pytest.mark.parametrize("shape", ["column", "list", "float"])
def test_predictions_of_other_shapes(three_classes, shape):
    X, _ = three_classes
    model = Said(shape)
    y = Said().predict(X)
    defense = DEFENSES["equalized"](model)
    check(defense, Said(), X, y)
    flat = DEFENSES["equalized"](Said()).fit(X[:300], X[300:], y_mem=y[:300], y_non=y[300:])
    np.testing.assert_array_equal(defense.predict_proba(X), flat.predict_proba(X))
    assert defense.predict(X).shape == (600,)


@pytest.mark.filterwarnings("ignore:A column-vector y was passed")
def test_a_label_that_is_no_class_is_refused(three_classes):
    X, _ = three_classes

    class Astray(Said):
        def predict(self, X):
            return np.where(X[:, 3] > 2, 7, super().predict(X))

    for name in DEFENSES:
        with pytest.raises(ValueError, match="returns 7, which is not in classes_: fix the model"):
            DEFENSES[name](Astray()).fit(X[:300], X[300:])


def test_no_predict_at_all(three_classes):
    X, _ = three_classes

    class Silent:
        classes_ = np.array(["a", "b", "c"])

        def predict_proba(self, X):
            return Said().predict_proba(X)

    for name in DEFENSES:
        defense = DEFENSES[name](Silent()).fit(X[:300], X[300:])
        expected = Silent.classes_[Silent().predict_proba(X).argmax(axis=1)]
        np.testing.assert_array_equal(defense.predict(X), expected)
        shown = defense.predict_proba(X)
        np.testing.assert_array_equal(Silent.classes_[shown.argmax(axis=1)], expected)


def test_both_doors_tell_what_one_tells():
    """case 18: predict and the argmax together give away no more than either."""
    X, y = make_classification(3000, 20, n_informative=8, flip_y=0.1, class_sep=0.7, random_state=0)
    model = FixedThresholdClassifier(RandomForestClassifier(50, random_state=0), threshold=0.85)
    model.fit(X[:1000], y[:1000])
    defense = EqualizedClassifier(model, key=KEY, random_state=0)
    defense.fit(X[:1000], X[1000:2000], y_mem=y[:1000], y_non=y[1000:2000])
    asked, truth = np.r_[X[:1000], X[2000:]], np.r_[y[:1000], y[2000:]]
    said, top = defense.predict(asked), defense.predict_proba(asked).argmax(axis=1)

    def advantage(cell):
        sides = (np.bincount(cell[rows], minlength=8) / 1000 for rows in np.split(np.r_[:2000], 2))
        return 0.5 * np.abs(np.subtract(*sides)).sum()

    np.testing.assert_array_equal(said, top)
    assert advantage(4 * said + 2 * top + truth) == advantage(2 * said + truth)


def test_confidences_change_places_and_ties_are_broken_by_a_hair():
    p = np.array([[0.6, 0.3, 0.1], [0.2, 0.5, 0.3], [0.5, 0.5, 0.0]], dtype=np.float32)
    before = p.copy()
    shown = decide_by_argmax(p, np.array([2, 1, 1]))
    np.testing.assert_allclose(shown, [[0.1, 0.3, 0.6], [0.2, 0.5, 0.3], [0.5, 0.5, 0]], atol=1e-6)
    np.testing.assert_array_equal(shown.argmax(axis=1), [2, 1, 1])
    np.testing.assert_array_equal(p, before)
    assert decide_by_argmax(p, p.argmax(axis=1)) is p


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("threshold", [0.0, 1e-12, 0.2, 0.5, 0.85, 1 - 1e-9, 1.0, 1.5, -0.5])
@pytest.mark.parametrize("positive", [0, 1])
def test_stretching_keeps_the_decision_and_the_order(dtype, threshold, positive):
    p = np.r_[0, 1, threshold, np.linspace(0, 1, 201), np.nextafter(threshold, [0, 1])].clip(0, 1)
    p = np.sort(p).astype(dtype)
    proba = np.column_stack([1 - p, p] if positive else [p, 1 - p])
    with np.errstate(all="raise"):
        shown = stretch_around(proba, threshold, positive)
    np.testing.assert_array_equal(shown.argmax(axis=1) == positive, p >= threshold)
    assert (np.diff(shown[:, positive]) >= 0).all() and shown.dtype == dtype
    np.testing.assert_allclose(shown.sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("threshold", [0.1, 0.3, 0.7, np.float64(0.7), np.float32(0.7)])
def test_float32_confidences_at_the_threshold_itself(threshold):
    """0.7 is a little less as a float32: whoever is at it is decided as scikit-learn decides."""

    class Tenths(ClassifierMixin, BaseEstimator):
        def fit(self, X, y):
            self.classes_ = np.array([0, 1])
            return self

        def predict_proba(self, X):
            p = np.asarray(X, dtype=np.float32)[:, 0]
            return np.column_stack([1 - p, p])

        def predict(self, X):
            return self.predict_proba(X).argmax(axis=1)

    X = np.repeat(np.arange(11) / np.float32(10), 60)[:, None]
    y = np.random.default_rng(0).integers(2, size=660)
    model = FixedThresholdClassifier(
        Tenths(), threshold=threshold, response_method="predict_proba"
    ).fit(X, y)
    for name in ("equalized", "rounding"):
        defense = DEFENSES[name](model).fit(X, np.arange(660) % 2 == 0)
        shown = defense.predict_proba(X)
        assert shown.dtype == np.float32
        np.testing.assert_array_equal(defense.predict(X), model.predict(X))
        np.testing.assert_array_equal(shown.argmax(axis=1), model.predict(X))
        np.testing.assert_array_equal(shown[:, 1] >= threshold, model.predict(X) == 1)


def test_a_row_is_kept_on_the_side_of_what_was_asked():
    there, asked = np.array([[0.1, 0.9], [0.9, 0.1]]), np.array([[0.8, 0.2], [0.2, 0.8]])
    kept = keep_side(there, asked, 0.3, 1)
    np.testing.assert_array_equal(kept[:, 1] >= 0.3, [False, True])
    np.testing.assert_allclose(kept, [[0.7, 0.3], [0.7, 0.3]], atol=1e-12)


@pytest.mark.parametrize("threshold", [0.1, 0.3, 0.7, 1 / 3])
@pytest.mark.parametrize("step", [-1, 0, 1])
def test_decisions_next_to_a_threshold_are_read_alike_as_float32(threshold, step):
    p = threshold * (1 + step * 1e-12)
    shown = stretch_around(np.array([[1 - p, p]]), threshold, 1)
    assert shown.astype(np.float32).argmax() == shown.argmax() == (p >= threshold)
    kept = keep_threshold(np.array([[0.9, 0.1], [0.1, 0.9]]), np.array([0, 1]), threshold, 1)
    for read_as in (np.float32, np.float64):
        np.testing.assert_array_equal(kept.astype(read_as)[:, 1] >= threshold, [False, True])
        np.testing.assert_array_equal(kept.astype(read_as).argmax(axis=1), [0, 1])
