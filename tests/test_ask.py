"""One place asks a target: what is wrong with its predictions is found before any attack."""

import re
import warnings

import numpy as np
import pytest
from extras import torch
from scipy import sparse
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sklearn_aeppt import EqualizedClassifier, OutOfFoldClassifier
from sklearn_aeppt._ask import ask, ask_labels
from sklearn_aeppt._record_numbers import as_numbers
from sklearn_aeppt.attacks import query
from sklearn_aeppt.audit import audit
from sklearn_aeppt.defenses import (
    ModelStackingClassifier,
    RoundingClassifier,
    TemperatureClassifier,
    TopKClassifier,
)

AEPPTClassifier = MemGuardClassifier = None
if torch is not None:
    from sklearn_aeppt import AEPPTClassifier
    from sklearn_aeppt.defenses import MemGuardClassifier


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


# ---- what is given to a model is as it was afterwards


class Fills(LogisticRegression):
    """Puts a number in the place of what is missing, in the records that it is given."""

    def predict_proba(self, X):
        X[np.isnan(X)] = 0
        return super().predict_proba(X)


class Clips(LogisticRegression):
    """Writes into one of the last records only, in any container."""

    def predict_proba(self, X):
        proba = super().predict_proba(as_numbers(X))
        if hasattr(X, "iloc"):
            X.iloc[-1, 0] = 99
        elif hasattr(X, "insert_column"):
            X[-1, "a"] = 99
        elif hasattr(X, "new_tensor") or isinstance(X, np.ndarray):
            X[-1, 0] = 99
        elif isinstance(X, list):
            X[-1][0] = 99
        else:
            X.data[-1] = 99
        return proba


def as_polars(X):
    return pytest.importorskip("polars").DataFrame(X, schema=list("abcd"))


CONTAINERS = {
    "array": np.array,
    "fortran": np.asfortranarray,
    "float32": lambda X: X.astype("f4"),
    "integers": lambda X: X.astype(int),
    "objects": lambda X: X.astype(object),
    "masked": np.ma.masked_array,
    "lists": lambda X: X.tolist(),
    "csr": sparse.csr_array,
    "coo": sparse.coo_array,
    "pandas": lambda X: pytest.importorskip("pandas").DataFrame(X, columns=list("abcd")),
    "nullable": lambda X: pytest.importorskip("pandas").DataFrame(X).convert_dtypes(),
    "polars": as_polars,
    "torch": lambda X: pytest.importorskip("torch").tensor(X),
}


@pytest.fixture(scope="module")
def counts():
    rng = np.random.default_rng(0)
    X = rng.integers(1, 50, size=(80, 4)).astype(float)
    return X, (X[:, 0] > 25).astype(int)


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_change_of_any_record_in_any_container_is_found(counts, name):
    X, y = counts
    model = Clips(max_iter=1000).fit(X, y)
    for attempt in (
        lambda a, b: RoundingClassifier(model).fit(a, b),
        lambda a, b: query(model, a, y[:40]),
        lambda a, b: audit(model, a, y[:40], b, y[40:], "quick"),
    ):
        a, b = (CONTAINERS[name](X[part].copy()) for part in (slice(40), slice(40, None)))
        with pytest.raises(ValueError, match="Clips changed the records that it was asked about"):
            attempt(a, b)


DEFENSES = (RoundingClassifier, TopKClassifier, TemperatureClassifier, EqualizedClassifier,
            MemGuardClassifier, AEPPTClassifier)  # fmt: skip


def new_defense(kind, model, substitute):
    options = {}
    if kind is AEPPTClassifier:
        options = {"substitute": substitute, "step_size": 1e-3}
    if kind is MemGuardClassifier:
        options = {"defense_classifier": substitute, "max_iter": 5}
    return kind(model, **options)


@pytest.mark.filterwarnings("ignore:k=3 hides nothing")
@pytest.mark.parametrize("kind", [k for k in DEFENSES if k], ids=lambda kind: kind.__name__)
def test_a_change_at_query_time_is_found(counts, kind, quick_substitute):
    """Fitted on whole numbers, of which the scaler makes a table of its own."""
    X, y = counts
    careless = make_pipeline(StandardScaler(copy=False), LogisticRegression())
    careless.fit(X.astype(int), y)
    defense = new_defense(kind, careless, quick_substitute).fit(
        X[:40].astype(int), X[40:].astype(int)
    )
    whole = defense.predict_proba(X.astype(int))
    for again in (X.astype(int), X.astype(int)[:1]):
        np.testing.assert_array_equal(defense.predict_proba(again), whole[: len(again)])
    for rows in (slice(None), slice(1)):
        for method in ("predict_proba", "predict", "predict_log_proba"):
            with pytest.raises(ValueError, match="Pipeline changed the records"):
                getattr(defense, method)(X[rows].copy())


def test_a_change_of_what_is_missing_is_found(counts):
    X, y = counts
    model = Fills(max_iter=1000).fit(X, y)
    holes = X.copy()
    holes[70, 2] = np.nan
    defense = RoundingClassifier(model).fit(X[:40].copy(), X[40:].copy())
    defense.predict_proba(X.copy())
    with pytest.raises(ValueError, match="Fills changed the records"):
        defense.predict_proba(holes.copy())
    with pytest.raises(ValueError, match="Fills changed the records"):
        query(model, holes.copy(), y)


def test_models_inside_others_do_not_change_what_the_next_one_is_given(counts):
    X, y = counts
    careless = make_pipeline(StandardScaler(copy=False), LogisticRegression())
    for fit in (
        lambda model: OutOfFoldClassifier(model, cv=3, n_repeats=1).fit(X.copy(), y),
        lambda model: ModelStackingClassifier([("a", model), ("b", model)]).fit(X.copy(), y),
        lambda model: RoundingClassifier(model).fit(X.copy(), y),
    ):
        with pytest.raises(ValueError, match=r"changed the records that it was (asked|trained)"):
            fit(careless)


def test_predict_and_steps_may_not_change_records_either(counts):
    X, y = counts

    class Later(LogisticRegression):
        def predict(self, X):
            label = super().predict(X)
            X += 1
            return label

    with pytest.raises(ValueError, match="Later changed the records"):
        query(Later(max_iter=1000).fit(X, y), X.copy(), y)


def test_putting_a_sparse_table_in_order_is_no_change(counts):
    X, y = counts

    class Sorts(LogisticRegression):
        def predict_proba(self, X):
            X.sum_duplicates()
            X.eliminate_zeros()
            return super().predict_proba(X)

    halves = np.repeat(X / 2, 2, axis=1)
    indices = np.tile(np.repeat(np.arange(4), 2)[::-1], 80)
    twice = sparse.csr_array((halves[:, ::-1].ravel(), indices, np.arange(0, 641, 8)))
    np.testing.assert_array_equal(twice.toarray(), X)
    model = LogisticRegression(max_iter=1000).fit(X, y)
    sorts = Sorts(max_iter=1000).fit(X, y)
    np.testing.assert_allclose(query(sorts, twice)["proba"], query(model, X)["proba"], rtol=1e-5)


def test_masked_values_are_refused(counts):
    X, y = counts
    model = LogisticRegression(max_iter=1000).fit(X, y)
    masked = np.ma.masked_greater(X, 48)
    with pytest.raises(ValueError, match="X is a masked array with masked values"):
        query(model, masked, y)
    with pytest.raises(ValueError, match="X_non is a masked array with masked values"):
        audit(model, X[:40], y[:40], masked, y, "quick")
    with pytest.raises(ValueError, match="X is a masked array"):
        RoundingClassifier(model).fit(X[:40], X[40:]).predict_proba(masked)


# ---- classes, confidences and labels of other kinds


class Said:
    """Says what it is told to say."""

    def __init__(self, proba=lambda p: p, classes=(0, 1), predict=None):
        self.proba, self.classes_ = proba, classes
        if predict is not None:
            self.predict = predict

    def predict_proba(self, X):
        p = (X[:, :1] % 7 + 1) / 9
        return self.proba(np.hstack([p, 1 - p]))


@pytest.mark.parametrize(
    "classes",
    [{0, 1}, [0, 0], [0, False], np.array([[0, 1]]), [[0], [1]], [[0], [1, 2]], [{}, {}], "ab",
     {0: 1, 1: 2}, None, 2, [], [0.0, np.nan], np.array(1)],
    ids=str,
)  # fmt: skip
def test_classes_that_are_no_list_of_labels_are_refused(counts, classes):
    X, y = counts
    for name, act in (
        ("target", lambda model: query(model, X, y)),
        ("target", lambda model: audit(model, X[:40], y[:40], X[40:], y[40:], "quick")),
        ("estimator", lambda model: RoundingClassifier(model).fit(X[:40], X[40:])),
    ):
        with pytest.raises(ValueError, match=f"classes_ of {name}=Said is .*one-dimensional"):
            act(Said(classes=classes))


@pytest.mark.parametrize("classes", [(0, 1), range(2), np.array([0, 1])])
def test_classes_in_any_list_are_read(counts, classes):
    assert query(Said(classes=classes), *counts)["proba"].shape == (80, 2)


@pytest.mark.parametrize(
    ("proba", "message"),
    [
        (lambda p: p.astype(complex), "holds complex128 in the place of numbers"),
        (lambda p: p.astype(str), "holds str.* in the place of numbers"),
        (lambda p: p.astype(str).astype(object), "holds str in the place of numbers"),
        (lambda p: np.where(p > 0.5, p, None), "holds NoneType in the place of numbers"),
        (lambda p: p.astype("M8[s]"), "holds datetime64"),
        (lambda p: np.ma.masked_array(p, p > 0.5), "is a masked array with masked values"),
        (
            lambda p: [row[: 1 + i % 2] for i, row in enumerate(p.tolist())],
            "has rows of unequal length",
        ),
        (lambda p: None, "holds NoneType"),
        (lambda p: [{"a": 1}] * len(p), "holds dict"),
    ],
)
def test_what_are_no_numbers_are_refused(counts, proba, message):
    X, y = counts
    with pytest.raises(ValueError, match=r"target\.predict_proba\(X\) " + message):
        query(Said(proba), X, y)
    with pytest.raises(ValueError, match=r"estimator\.predict_proba\(X\) " + message):
        RoundingClassifier(Said(proba)).fit(X[:40], X[40:])


@pytest.mark.parametrize(
    "proba",
    [lambda p: p.astype(object), lambda p: p.tolist(), lambda p: p.astype(np.longdouble),
     lambda p: np.ma.masked_array(p), lambda p: p > 0.5],
)  # fmt: skip
def test_numbers_of_any_type_are_read(counts, proba):
    X, y = counts
    expected = proba(Said().predict_proba(X))
    shown = query(Said(proba), X, y)["proba"]
    np.testing.assert_allclose(shown, np.asarray(expected, dtype=float), rtol=1e-6)


@pytest.mark.parametrize(
    "labels",
    [lambda X: np.eye(3)[np.zeros(len(X), int)], lambda X: 0, lambda X: None,
     lambda X: [[0], [0, 1]] * (len(X) // 2), lambda X: [{}] * len(X)],
)  # fmt: skip
def test_predictions_that_are_no_labels_are_refused(counts, labels):
    X, y = counts
    with pytest.raises(ValueError, match=r"target\.predict\(X\) .*one label for each of the 80"):
        query(Said(predict=labels), X, y)


# ---- what a defense says when it is asked


class Turns(Said):
    """Fit to be wrapped, and bad afterwards: what its messages say is what it hides."""

    bad = None

    def predict_proba(self, X):
        proba = super().predict_proba(X)
        return proba if self.bad is None else self.bad(proba)


SECRET = 0.7318294


def off_by(p):
    return np.where(np.arange(p.shape[1]) == 0, SECRET, SECRET)[None].repeat(len(p), 0)


@pytest.mark.filterwarnings("ignore:k=3 hides nothing")
@pytest.mark.parametrize(
    "bad",
    [
        off_by,
        lambda p: np.c_[0 * p[:, 0] - SECRET, 0 * p[:, 0] + 1 + SECRET],
        lambda p: np.array([[str(SECRET), "0.1"]] * len(p), dtype=object),
        lambda p: np.array([[str(SECRET), "x"]] * len(p)),
        lambda p: [[SECRET] * (1 + i % 2) for i in range(len(p))],
        lambda p: np.ma.masked_array(p, p > 0.5),
        lambda p: np.full_like(p, np.nan),
        lambda p: p * (1 + SECRET * 1j),
        lambda p: np.c_[p, SECRET * p[:, 0]],
    ],
)
@pytest.mark.parametrize("kind", [k for k in DEFENSES if k], ids=lambda kind: kind.__name__)
def test_no_message_at_query_time_holds_a_figure(counts, kind, bad, quick_substitute):
    X, _ = counts
    model = Turns()
    defense = new_defense(kind, model, quick_substitute).fit(X[:40], X[40:])
    model.bad = bad
    asks = [lambda: defense.predict_proba(X), lambda: defense.predict(X)]
    if isinstance(bad(np.ones((2, 2))), np.ndarray):
        asks.append(lambda: defense.perturb(bad(np.tile([0.25, 0.75], (80, 1)))))
    for ask_it in asks:
        with warnings.catch_warnings(record=True) as warned, pytest.raises(ValueError) as refused:
            warnings.simplefilter("always")
            ask_it()
        texts = [str(warning.message) for warning in warned]
        error = refused.value
        while error is not None:  # a traceback shows what came before, too
            texts.append(str(error))
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        for text in texts:
            # shapes are no confidences
            assert not re.search(r"\d\.\d|731|463", text), text


def test_labels_that_are_no_classes_are_not_shown(counts):
    X, _ = counts
    model = Said()
    model.predict = lambda X: (X[:, 0] > 10).astype(int)  # another decision than the argmax
    defense = RoundingClassifier(model).fit(X[:40], X[40:])
    model.predict = lambda X: np.full(len(X), SECRET)
    for method in (defense.predict, defense.predict_proba):
        with pytest.raises(ValueError, match="returns a value, which is not in classes_") as error:
            method(X)
        assert "73" not in str(error.value)


def test_out_of_fold_says_no_figure_either(counts):
    X, y = counts

    class Later(LogisticRegression):
        after = False

        def predict_proba(self, X):
            proba = super().predict_proba(X)
            return proba + SECRET if Later.after else proba

    for labels in ("out_of_fold", "kept"):
        Later.after = False
        defense = OutOfFoldClassifier(Later(max_iter=1000), cv=3, n_repeats=1, labels=labels)
        defense.fit(X, y)
        Later.after = True
        with pytest.raises(ValueError, match="do not sum to one: divide") as error:
            defense.predict_proba(X)
        assert "1.4" not in str(error.value)


# ---- before any long work


class Counts(LogisticRegression):
    """Counts what it is asked, and raises an error of its own about some records."""

    asked = 0

    def predict_proba(self, X):
        Counts.asked += len(X)
        if (np.asarray(X)[:, 0] > 90).any():
            raise KeyError("no such shop")
        return super().predict_proba(X)


@pytest.mark.parametrize("row", [0, 7])
@pytest.mark.parametrize("side", ["X_mem", "X_non"])
@pytest.mark.parametrize("several", [False, True])
def test_an_exception_of_the_model_names_the_side(counts, row, side, several):
    X, y = counts
    model = Counts(max_iter=1000).fit(X, y)
    X_mem, X_non = X[:40].copy(), X[40:].copy()
    (X_mem if side == "X_mem" else X_non)[row, 0] = 99
    target = {"good": LogisticRegression(max_iter=1000).fit(X, y), "bad": model}
    Counts.asked = 0
    with pytest.raises(ValueError, match=f"{side}: Counts.predict_proba fails on these records.*"
                       "KeyError: 'no such shop'.*Give the records") as error:  # fmt: skip
        audit(target if several else model, X_mem, y[:40], X_non, y[40:], "quick")
    assert isinstance(error.value.__cause__, KeyError)
    if row == 0:  # it is asked about the first records only
        assert Counts.asked <= 4


def test_a_predict_that_fails_names_the_side_too(counts):
    X, y = counts

    class NoLabels(LogisticRegression):
        def predict(self, X):
            raise RuntimeError("out of order")

    with pytest.raises(ValueError, match=r"X_mem: NoLabels\.predict fails .*out of order"):
        audit(NoLabels(max_iter=1000).fit(X, y), X[:40], y[:40], X[40:], y[40:], "quick")


@pytest.mark.parametrize("options", [{"n_jobs": 0}, {"random_state": -1}])
def test_options_of_an_audit_are_checked_before_the_work(counts, options):
    X, y = counts
    model = Counts(max_iter=1000).fit(X, y)
    Counts.asked = 0
    with pytest.raises(ValueError, match=r"n_jobs=0 runs nothing|Seed must be between"):
        audit(model, X[:40], y[:40], X[40:], y[40:], "quick", **options)
    assert Counts.asked == 0


def test_dicts_are_for_models_that_take_them(counts):
    X, y = counts
    dicts = [dict(zip("abcd", row)) for row in X.tolist()]
    takes = make_pipeline(DictVectorizer(), LogisticRegression(max_iter=1000)).fit(dicts, y)
    model = LogisticRegression(max_iter=1000).fit(X, y)
    reports = [
        audit(one, R[:40], y[:40], R[40:], y[40:], "quick", random_state=0)
        for one, R in ((model, X), (takes, dicts))
    ]
    assert reports[1].floor == pytest.approx(reports[0].floor)
    defended = RoundingClassifier(takes).fit(dicts[:40], dicts[40:], y_mem=y[:40], y_non=y[40:])
    expected = RoundingClassifier(model).fit(X[:40], X[40:]).predict_proba(X)
    np.testing.assert_allclose(defended.predict_proba(dicts), expected, atol=1e-3)
    for act in (
        lambda: audit(model, dicts[:40], y[:40], dicts[40:], y[40:], "quick"),
        lambda: query(model, dicts, y),
        lambda: RoundingClassifier(model).fit(dicts[:40], dicts[40:], y_mem=y[:40], y_non=y[40:]),
    ):
        with pytest.raises(ValueError, match="X is a list of dicts, which LogisticRegression does"):
            act()


@pytest.mark.parametrize("records", [{1, 2, 3}, {"a": [1, 2]}, "abc", b"abc", {"a": [1]}.keys()])
def test_what_has_no_rows_is_refused(counts, records):
    X, y = counts
    model = LogisticRegression(max_iter=1000).fit(X, y)
    for act in (
        lambda: audit(model, records, y[:3], X[40:], y[40:], "quick"),
        lambda: RoundingClassifier(model).fit(records, X[40:]),
    ):
        with pytest.raises((TypeError, ValueError), match=r"X_mem=.*holds no records: give an"):
            act()


def test_masked_labels_are_refused(counts):
    X, y = counts
    model = LogisticRegression(max_iter=1000).fit(X, y)
    masked = np.ma.masked_array(y[:40], np.arange(40) < 3)
    with pytest.raises(ValueError, match="y_mem is a masked array with masked values"):
        audit(model, X[:40], masked, X[40:], y[40:], "quick")


def test_sides_of_other_types_are_named(counts):
    pd = pytest.importorskip("pandas")
    X, y = counts
    frame = pd.DataFrame(X, columns=list("abcd"))
    frame["when"] = pd.date_range("2020", periods=80, freq="h")

    def hours(frame):
        return frame[list("abcd")].assign(hour=frame["when"].dt.hour)

    model = make_pipeline(FunctionTransformer(hours), LogisticRegression(max_iter=5000))
    model.fit(frame, y)
    other = frame[40:].assign(when=frame["when"][40:].dt.tz_localize("UTC"))
    with pytest.raises(ValueError, match=r"X_mem and X_non in one table: .* same types of columns"):
        audit(model, frame[:40], y[:40], other, y[40:], "quick")
