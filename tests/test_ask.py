"""One place asks a target: what is wrong with its predictions is found before any attack."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_aeppt import EqualizedClassifier
from sklearn_aeppt._ask import ask, ask_labels
from sklearn_aeppt.attacks import query
from sklearn_aeppt.audit import audit


class Logits(LogisticRegression):
    def predict_proba(self, X):
        return self.decision_function(X)


class Percent(LogisticRegression):
    def predict_proba(self, X):
        return 100 * super().predict_proba(X)


class Extra(LogisticRegression):
    def predict_proba(self, X):
        proba = super().predict_proba(X)
        return np.column_stack([proba, 0 * proba[:, 0]])


class Missing(LogisticRegression):
    def predict_proba(self, X):
        proba = super().predict_proba(X)[:, :2]
        return proba / proba.sum(axis=1, keepdims=True)


class NotANumber(LogisticRegression):
    def predict_proba(self, X):
        proba = super().predict_proba(X)
        proba[0] = np.nan
        return proba


class TooFew(LogisticRegression):
    def predict_proba(self, X):
        return super().predict_proba(X)[1:]


class Column(LogisticRegression):  # as CatBoost's for three classes or more
    def predict(self, X):
        return super().predict(X).reshape(-1, 1)


class Listed(LogisticRegression):  # as a client of a JSON service
    def predict(self, X):
        return super().predict(X).tolist()


class Bare:
    """Anything with predict_proba and classes_."""

    def __init__(self, model):
        self.model, self.classes_ = model, model.classes_

    def predict_proba(self, X):
        return self.model.predict_proba(X)


WRONG = [
    (Logits, "not negative: give probabilities, not logits"),
    (Percent, "do not sum to one .* percentages by 100"),
    (Extra, "has 4 columns for 3 classes"),
    (Missing, "has 2 columns for 3 classes"),
    (NotANumber, "contains NaN or infinity"),
    (TooFew, "rows for"),
]


@pytest.fixture(scope="module")
def sides():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(240, 6)), np.array(["a", "b", "c"])[rng.integers(3, size=240)]
    return X[:120], y[:120], X[120:], y[120:]


@pytest.mark.parametrize(("kind", "message"), WRONG, ids=lambda v: getattr(v, "__name__", ""))
def test_what_are_no_confidences_is_refused_everywhere(sides, kind, message):
    X, y, X_non, y_non = sides
    model = kind().fit(X, y)
    with pytest.raises(ValueError, match=r"target\.predict_proba\(X\).*" + message):
        query(model, X, y)
    with pytest.raises(ValueError, match=r"target\.predict_proba\(X\).*" + message):
        audit(model, X, y, X_non, y_non, "quick")
    with pytest.raises(ValueError, match=r"estimator\.predict_proba\(X\).*" + message):
        EqualizedClassifier(model).fit(X, X_non)


@pytest.mark.parametrize("kind", [Column, Listed])
def test_labels_in_a_column_or_a_list_are_labels(sides, kind):
    X, y, X_non, _ = sides
    usual, model = (one().fit(X, y) for one in (LogisticRegression, kind))
    label = ask_labels(model, X, ask(model, X))
    assert label.shape == (120,) and label.dtype == np.int64
    np.testing.assert_array_equal(usual.classes_[label], usual.predict(X))
    defended = EqualizedClassifier(model).fit(X, X_non)
    np.testing.assert_array_equal(defended.predict(X), usual.predict(X))
    reports = [audit(m, *sides, "quick", random_state=0) for m in (usual, model)]
    assert reports[0].results == reports[1].results
    assert reports[0].train_accuracy == reports[1].train_accuracy == usual.score(X, y)


def test_no_predict_is_the_argmax(sides):
    model = LogisticRegression().fit(*sides[:2])
    reports = [audit(m, *sides, "quick", random_state=0) for m in (model, Bare(model))]
    assert reports[0].results == reports[1].results


def test_no_classes_and_foreign_labels_are_refused(sides):
    X, y, *_ = sides
    bare = Bare(LogisticRegression().fit(X, y))
    del bare.classes_
    with pytest.raises(TypeError, match="no classes_: give it the labels of its columns"):
        query(bare, X, y)

    class Other(LogisticRegression):
        def predict(self, X):
            return np.full(len(X), "d")

    with pytest.raises(ValueError, match=r"target\.predict\(X\) returns .*'d'.* not in classes_"):
        audit(Other().fit(X, y), *sides, "quick")


def test_vectors_that_are_meant_not_to_sum_to_one_can_be_attacked(sides):
    pytest.importorskip("torch")
    from sklearn_aeppt import AEPPTClassifier
    from sklearn_aeppt.attacks import MIMAttack

    X, y, X_non, _ = sides
    literal = AEPPTClassifier(
        LogisticRegression().fit(X, y),
        step_size=1e-2,
        substitute=MIMAttack("substitute", max_epochs=2),
        normalize=False,
    ).fit(X, X_non)
    assert abs(query(literal, X)["proba"].sum(axis=1) - 1).max() > 1e-3
    with pytest.raises(ValueError, match="do not sum to one"):  # nobody can wrap them, though
        EqualizedClassifier(literal).fit(X, X_non)


class OneArray:
    """A target whose answers all stand in one array, as those of some runtimes."""

    def __init__(self, model):
        self.model, self.classes_, self.answers = model, model.classes_, {}

    def predict_proba(self, X):
        proba = self.model.predict_proba(X)
        answer = self.answers.setdefault(len(proba), np.empty_like(proba))
        answer[:] = proba
        return answer


@pytest.mark.parametrize("bits", [False, True])
def test_an_array_of_answers_that_is_used_again_changes_nothing(bits):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 5))
    X = (X > 0).astype(float) if bits else X
    y = np.digitize(X[:, 0] + rng.normal(size=200), [-0.5, 0.5])
    model = LogisticRegression(C=100).fit(X[:100], y[:100])
    asked = np.where(X == 1, 0.999, X) if bits else X  # moved to the grid, and asked again
    shown = []
    for target in (model, OneArray(model)):
        defense = EqualizedClassifier(target, cost="l1", key=b"sixteen bytes ...", random_state=0)
        shown.append(defense.fit(X[:100], X[100:]).predict_proba(asked))
    np.testing.assert_array_equal(*shown)
    views = [query([target, target], X, y) for target in (model, OneArray(model))]
    np.testing.assert_array_equal(*(view["repeats"] for view in views))


def test_a_target_that_changes_its_records_is_refused():
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    X = 5 + 3 * rng.normal(size=(80, 4))
    y = (X[:, 0] > 5).astype(int)
    careless = make_pipeline(StandardScaler(copy=False), LogisticRegression())
    careless.fit(X.copy(), y)
    frame = pd.DataFrame(X, columns=list("abcd"))

    class AddsColumn(LogisticRegression):
        def predict_proba(self, X):
            inner = np.asarray(X)[:, :4]
            X["ratio"] = X["a"] / X["b"]
            return super().predict_proba(inner)

    adds = AddsColumn().fit(X, y)
    for target, records in ((careless, X), (adds, frame)):
        for attempt in (
            lambda target, a, b: EqualizedClassifier(target).fit(a, b),
            lambda target, a, b: query(target, a, y[:40]),
            lambda target, a, b: audit(target, a, y[:40], b, y[40:], "quick"),
        ):
            with pytest.raises(ValueError, match="changed the records that it was asked about"):
                attempt(target, records[:40].copy(), records[40:].copy())
