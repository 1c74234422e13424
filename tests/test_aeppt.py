import io
import pickle
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest

pytest.importorskip("torch")

import torch
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from sklearn_aeppt import AEPPTClassifier
from sklearn_aeppt._precomputed import PrecomputedClassifier
from sklearn_aeppt.attacks import MIMAttack, query
from sklearn_aeppt.metrics import attack_scorer

KEY = b"a key of the tests, known to all"
REQUESTS = {"is_member": True, "y_mem": None, "y_non": None}


@pytest.fixture
def aeppt(quick_substitute):
    """Return a maker of fast defenses."""

    def make(estimator, **params):
        params = {"step_size": 1e-3, "substitute": quick_substitute, "random_state": 0} | params
        return AEPPTClassifier(estimator, **{"key": KEY} | params)

    return make


def test_fixed_attacker_falls_and_labels_stay(overfit):
    model, X, y, is_member = overfit
    defense = AEPPTClassifier(model, key=KEY, random_state=0)
    defense.fit(X[is_member], X[~is_member])
    known = np.random.default_rng(0).random(len(X)) < 0.5
    view, shown = query(model, X, y), query(defense, X, y)
    attack = MIMAttack(random_state=5).fit(view[known], is_member[known])
    assert attack.score(view[~known], is_member[~known]) > 0.7
    # the least step fools those who chose it; on so few records, another attacker keeps some points
    before, after = (attack.score(v[~known], is_member[~known]) for v in (view, shown))
    assert after < min(0.66, before - 0.05)
    np.testing.assert_array_equal(defense.predict(X), model.predict(X))
    np.testing.assert_array_equal(
        defense.predict_proba(X).argmax(axis=1), model.predict_proba(X).argmax(axis=1)
    )
    found = defense.step_search_
    steps, accuracy, l1 = found["step_size"], found["accuracy"], found["l1"]
    assert found["decided_by"] == "accuracy"
    assert defense.step_size_ == steps[accuracy <= 0.5].min()
    assert l1[steps == defense.step_size_] <= 0.5
    assert (np.diff(steps) > 0).all()


# --- the forms of fit ---------------------------------------------------------------------------


def test_forms_with_a_fitted_estimator_agree(overfit, aeppt):
    model, X, y, is_member = overfit
    two_sets = aeppt(model).fit(X[is_member], X[~is_member])
    for args, kwargs in (
        ((X, is_member), {}),
        ((X, is_member.tolist()), {}),
        ((X, pd.Series(is_member)), {}),
        ((X, pd.Series(is_member, dtype="boolean")), {}),
        ((X, y), {"is_member": is_member}),
        ((X,), {"is_member": is_member}),
    ):
        other = aeppt(model).fit(*args, **kwargs)
        np.testing.assert_array_equal(other.predict_proba(X), two_sets.predict_proba(X))
        assert other.estimator_ is model
    frozen = aeppt(FrozenEstimator(model)).fit(X, is_member)
    np.testing.assert_array_equal(frozen.predict_proba(X), two_sets.predict_proba(X))


def test_a_frozen_substitute_is_trained_once(overfit, quick_substitute):
    model, X, _, is_member = overfit
    mim = clone(quick_substitute).set_params(random_state=0).fit(query(model, X), is_member)
    options = {"step_size": 1e-3, "random_state": 0}
    frozen = AEPPTClassifier(model, substitute=FrozenEstimator(mim), **options).fit(X, is_member)
    assert frozen.substitute_.module_ is mim.module_
    shown = frozen.predict_proba(X)
    assert np.abs(shown - model.predict_proba(X)).max() > 0.001
    search = GridSearchCV(frozen, {"step_size": [1e-3]}, scoring=lambda *args: 0.0, cv=2)
    assert search.fit(X, is_member).best_estimator_.substitute_.module_ is mim.module_


def test_unfitted_estimator_is_trained_on_the_members(overfit, aeppt):
    _, X, y, is_member = overfit
    base = LogisticRegression()
    defense = aeppt(base).fit(X, y, is_member=is_member)
    assert not hasattr(base, "coef_")
    expected = LogisticRegression().fit(X[is_member], y[is_member])
    np.testing.assert_allclose(defense.estimator_.coef_, expected.coef_)


@pytest.mark.parametrize("fraction", [0.2, 0.8])
def test_member_fraction_of_each_class_trains(overfit, aeppt, fraction):
    _, X, y, _ = overfit

    class Counting(LogisticRegression):
        def fit(self, X, y):
            self.seen_ = np.bincount(y)
            return super().fit(X, y)

    defense = aeppt(Counting(), member_fraction=fraction).fit(X, y)
    np.testing.assert_allclose(defense.estimator_.seen_, fraction * np.bincount(y), atol=0.5)


def test_one_dimensional_second_argument_must_be_boolean(overfit, aeppt):
    model, X, y, is_member = overfit
    for ambiguous in (y, is_member.astype(int), y.astype(str), list(y)):
        with pytest.raises(ValueError, match="it could be class labels"):
            aeppt(model).fit(X, ambiguous)


# --- scikit-learn's machinery -------------------------------------------------------------------


def test_clone_keeps_a_fitted_estimator_and_refits_the_rest(overfit, defended):
    model = overfit[0]
    twin = clone(defended)
    assert twin.estimator is model and not hasattr(twin, "substitute_")
    assert twin.get_params()["step_size"] == defended.step_size
    assert clone(twin.set_params(step_size=0.5)).step_size == 0.5
    unfitted = AEPPTClassifier(LogisticRegression())
    assert clone(unfitted).estimator is not unfitted.estimator


def test_grid_search_over_step_size_on_a_fitted_model(overfit, aeppt):
    model, X, _, is_member = overfit
    coefs = [c.copy() for c in model.coefs_]

    def closeness(estimator, X, y):
        attack = MIMAttack("substitute", max_epochs=10, random_state=0)
        rows = np.arange(len(y)) % 2 == 0
        view = query(model, X)
        attack.fit(view[rows], y[rows])
        return -abs(attack.score(query(estimator, X)[~rows], y[~rows]) - 0.5)

    search = GridSearchCV(aeppt(model), {"step_size": [1e-9, 1e-4, 1e-3]}, scoring=closeness, cv=2)
    search.fit(X, is_member)
    best = search.best_estimator_
    assert best.estimator_ is model and search.best_params_["step_size"] > 1e-9
    assert all((a == b).all() for a, b in zip(coefs, model.coefs_))
    np.testing.assert_array_equal(search.predict(X), model.predict(X))


def test_grid_search_through_a_pipeline_with_a_fitted_model(overfit, aeppt):
    _, X, y, is_member = overfit
    scaler = StandardScaler().fit(X[is_member])
    model = LogisticRegression().fit(scaler.transform(X[is_member]), y[is_member])
    pipeline = make_pipeline(FrozenEstimator(scaler), aeppt(model))

    def smallness(estimator, X, y):
        p = model.predict_proba(scaler.transform(X))
        return -np.abs(estimator.predict_proba(X) - p).sum()

    grid = {"aepptclassifier__step_size": [1e-2, 1e-4]}
    search = GridSearchCV(pipeline, grid, scoring=smallness, cv=2).fit(X, is_member)
    assert search.best_params_ == {"aepptclassifier__step_size": 1e-4}
    assert search.best_estimator_[-1].estimator_ is model


def test_unfitted_pipeline_and_cross_validation(overfit, aeppt):
    _, X, y, _ = overfit
    plain = cross_val_score(make_pipeline(StandardScaler(), LogisticRegression()), X, y)
    inner = cross_val_score(aeppt(make_pipeline(StandardScaler(), LogisticRegression())), X, y)
    outer = cross_val_score(make_pipeline(StandardScaler(), aeppt(LogisticRegression())), X, y)
    assert inner.mean() > plain.mean() - 0.15 and outer.mean() > plain.mean() - 0.15
    neg_log_loss = cross_val_score(aeppt(LogisticRegression()), X, y, scoring="neg_log_loss")
    assert np.isfinite(neg_log_loss).all()


def test_is_member_is_routed_when_asked_for(overfit, aeppt):
    import sklearn

    _, X, y, is_member = overfit
    with sklearn.config_context(enable_metadata_routing=True):
        defense = aeppt(LogisticRegression()).set_fit_request(is_member=True)
        pipeline = make_pipeline(StandardScaler(), defense).fit(X, y, is_member=is_member)
        assert clone(defense).get_metadata_routing()._self_request.fit.requests == REQUESTS
    assert pipeline[-1].estimator_.coef_.shape == (4, 20)
    fitted = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    with sklearn.config_context(enable_metadata_routing=True):
        kept = clone(aeppt(fitted).set_fit_request(is_member=True))
        assert kept.get_metadata_routing()._self_request.fit.requests == REQUESTS


# --- records and labels of any kind -------------------------------------------------------------


class Recorder(ClassifierMixin, BaseEstimator):
    """A fitted classifier that notes what its records are."""

    classes_ = np.array([0, 1])
    n_features_in_ = 3

    def __init__(self):
        self.kinds = []

    def __sklearn_is_fitted__(self):
        return True

    def fit(self, X, y):
        raise AssertionError("a fitted estimator is never refitted")

    def predict_proba(self, X):
        self.kinds.append(type(X))
        p = np.random.default_rng(0).random(X.shape[0] if hasattr(X, "shape") else len(X))
        return np.column_stack([p, 1 - p])


@pytest.mark.parametrize(
    "kind",
    [np.asarray, pd.DataFrame, sparse.csr_matrix, sparse.csr_array, torch.as_tensor, list],
    ids=lambda kind: kind.__name__,
)
def test_records_reach_the_estimator_untouched(aeppt, kind):
    X = kind(np.random.default_rng(0).random((40, 3)))
    is_member = np.arange(40) < 20
    recorder = Recorder()
    defense = aeppt(recorder).fit(X, is_member)
    assert defense.predict_proba(X).shape == (40, 2)
    assert set(recorder.kinds) == {type(X)}
    halves = Recorder()
    aeppt(halves).fit(X[:20], X[20:])
    assert set(halves.kinds) == {type(X)}


def test_lists_of_text(aeppt):
    words = np.array(["red", "green", "blue", "loud", "quiet", "sharp"])
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(words, 6)) for _ in range(120)]
    y = ["color" if t.split()[0] in words[:3] else "sound" for t in texts]
    model = make_pipeline(TfidfVectorizer(), RandomForestClassifier(10, random_state=0))
    model.fit(texts[:60], y[:60])
    defense = aeppt(model).fit(texts, [True] * 60 + [False] * 60)
    assert defense.predict(texts).tolist() == model.predict(texts).tolist()
    with pytest.raises(ValueError, match="texts"):
        aeppt(model).fit(texts[:60], texts[60:])
    retrained = aeppt(clone(model)).fit(texts, y)
    assert set(retrained.classes_) == {"color", "sound"}


@pytest.mark.parametrize("labels", [np.array([7, -1]), np.array(["b", "a"]), [True, False]])
def test_class_labels_of_any_dtype(aeppt, labels):
    X, y = make_classification(200, random_state=0)
    y = np.asarray(labels)[y]
    defense = aeppt(LogisticRegression()).fit(X, y)
    assert defense.classes_.dtype == y.dtype
    assert defense.score(X, y) > 0.8


@pytest.mark.parametrize("n_classes", [2, 3000])
def test_few_and_many_classes(aeppt, n_classes):
    class Given:
        classes_ = np.arange(n_classes)

        def predict_proba(self, X):
            return X

    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.full(n_classes, 0.1), 60)
    shown = aeppt(Given(), max_iter=20).fit(p[:30], p[30:]).predict_proba(p)
    np.testing.assert_allclose(shown.sum(axis=1), 1, atol=1e-9)
    np.testing.assert_array_equal(shown.argmax(axis=1), p.argmax(axis=1))
    assert (shown != p).any(axis=1).all()


def test_feature_names_and_widths_are_checked(aeppt):
    X, y = make_classification(200, n_features=5, n_informative=4, n_redundant=0, random_state=0)
    frame = pd.DataFrame(X, columns=list("abcde"))
    model = LogisticRegression().fit(frame[:100], y[:100])
    defense = aeppt(model).fit(frame[:100], frame[100:])
    assert defense.feature_names_in_.tolist() == list("abcde") and defense.n_features_in_ == 5
    with pytest.raises(ValueError, match="5"):
        aeppt(LogisticRegression()).fit(X, y).predict_proba(X[:, :4])
    with pytest.raises(ValueError, match="feature names"):
        defense.predict_proba(frame[list("edcba")])


# --- what is shown ------------------------------------------------------------------------------


def test_nothing_undefended_shows_through(overfit, defended):
    model, X, _, _ = overfit
    plain, shown = model.predict_proba(X), defended.predict_proba(X)
    assert (plain != shown).any(axis=1).mean() > 0.99
    with np.errstate(divide="ignore"):
        np.testing.assert_array_equal(defended.predict_log_proba(X), np.log(shown))
    svc_like = LogisticRegression().fit(X, model.predict(X))
    defense = AEPPTClassifier(svc_like, step_size=1e-3, substitute=MIMAttack(max_epochs=1))
    defense.fit(X[:300], X[300:])
    for name in ("decision_function", "predict_joint_log_proba", "transform", "apply", "coef_"):
        assert not hasattr(defense, name)


def test_a_repeated_query_gets_the_same_answer(overfit, defended):
    _, X, _, _ = overfit
    np.testing.assert_array_equal(defended.predict_proba(X), defended.predict_proba(X))


def test_fresh_noise_differs_from_query_to_query(overfit, aeppt):
    model, X, _, is_member = overfit
    defense = aeppt(model, query_noise="fresh", step_size=1e-5).fit(X, is_member)
    first, second = defense.predict_proba(X), defense.predict_proba(X)
    assert (first != second).any(axis=1).mean() > 0.9


def test_the_key_fixes_the_answers_and_none_draws_one_of_its_own(overfit, aeppt):
    model, X, _, is_member = overfit
    one, two = (aeppt(model).fit(X, is_member).predict_proba(X) for _ in range(2))
    np.testing.assert_array_equal(one, two)
    # small steps: rows at a corner of the simplex look alike under all draws
    drawn = aeppt(model, key=None, step_size=1e-5)
    one, two = (drawn.fit(X, is_member).predict_proba(X) for _ in range(2))
    assert (one != two).any(axis=1).mean() > 0.9


def test_paper_literal_vectors(overfit, aeppt):
    model, X, _, is_member = overfit
    literal = aeppt(model, normalize=False, step_size=1e-2).fit(X, is_member).predict_proba(X)
    assert literal.min() >= 0 and literal.max() <= 1
    assert np.abs(literal.sum(axis=1) - 1).max() > 0.01


def test_perturb_is_predict_proba_on_arrays(overfit, defended):
    model, X, _, _ = overfit
    proba = model.predict_proba(X)
    np.testing.assert_array_equal(defended.perturb(proba, X), defended.predict_proba(X))
    with pytest.raises(ValueError, match="records has 3 records for 600 rows of proba"):
        defended.perturb(proba, X[:3])
    assert defended.perturb(proba.astype(np.float32)).dtype == np.float32
    assert defended.perturb(proba.astype(np.float64)).dtype == np.float64
    assert defended.perturb(proba[:3].tolist()).shape == (3, 4)


def test_confidences_without_records_get_new_draws_at_each_call(overfit, aeppt):
    model, X, _, is_member = overfit
    defense, proba = aeppt(model, step_size=1e-5).fit(X, is_member), model.predict_proba(X)
    one, two = defense.perturb(proba), defense.perturb(proba)
    assert (one != two).any(axis=1).mean() > 0.9
    np.testing.assert_array_equal(one.argmax(axis=1), proba.argmax(axis=1))
    # and where the model itself is but answers, there are no records at all
    given = aeppt(PrecomputedClassifier(model.classes_), step_size=1e-5).fit(proba, is_member)
    assert (given.predict_proba(proba) != given.predict_proba(proba)).any(axis=1).mean() > 0.9


def test_substitute_of_another_structure(overfit, aeppt):
    model, X, _, is_member = overfit
    defense = aeppt(model, substitute=MIMAttack("mim1", max_epochs=3)).fit(X, is_member)
    assert (defense.predict_proba(X) != model.predict_proba(X)).any(axis=1).all()
    with pytest.raises(TypeError, match="module_"):
        aeppt(model, substitute=Unlearned()).fit(X, is_member)


class Unlearned(BaseEstimator):
    def fit(self, X, y):
        return self


def test_unequal_sides_count_alike(overfit, aeppt):
    model, X, _, is_member = overfit
    substitute = MIMAttack("substitute", max_epochs=40)
    few = np.flatnonzero(is_member)[:30]
    defense = aeppt(model, substitute=substitute).fit(X[few], X[~is_member])
    said = defense.substitute_.predict(query(model, X))
    assert said[is_member].mean() > 0.5 > said[~is_member].mean()


@pytest.mark.parametrize("dump", [pickle.dump, joblib.dump])
def test_persistence(overfit, defended, dump):
    _, X, _, _ = overfit
    file = io.BytesIO()
    dump(defended, file)
    file.seek(0)
    loaded = joblib.load(file) if dump is joblib.dump else pickle.load(file)
    np.testing.assert_array_equal(loaded.predict_proba(X), defended.predict_proba(X))


@pytest.mark.parametrize("kind", ["pickle", "skops"])
def test_a_model_of_another_version_warns(defended, monkeypatch, tmp_path, kind):
    if kind == "skops":
        io = pytest.importorskip("skops.io")
        save = io.dumps

        def load(data):
            return io.loads(data, trusted=io.get_untrusted_types(data=data))
    else:
        save, load = pickle.dumps, pickle.loads
    with monkeypatch.context() as patch:
        patch.setattr("sklearn_aeppt.defenses._base.__version__", "0.0.9")
        saved = save(defended)
        load(saved)  # of the same version: no warning, which would be an error here
    with pytest.warns(UserWarning, match=r"saved by sklearn-aeppt 0\.0\.9 and is loaded by"):
        loaded = load(saved)
    assert not hasattr(loaded, "_sklearn_aeppt_version")
    p, x = np.full((1, 4), 0.25), np.zeros((1, 20))
    np.testing.assert_array_equal(loaded.perturb(p, x), defended.perturb(p, x))


def test_the_key_is_not_printed(defended):
    shown = repr(defended) + str(defended) + defended._repr_html_()
    assert defended._key.hex() not in shown and repr(defended._key) not in shown


def test_progress_is_shown_on_demand(overfit, aeppt, capsys):
    model, X, _, is_member = overfit
    aeppt(model).fit(X, is_member).predict_proba(X)
    assert capsys.readouterr() == ("", "")
    loud = aeppt(model, verbose=1, batch_size=100, step_size="auto", max_iter=2)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "No step_size up to")
        loud.fit(X, is_member).predict_proba(X)
    shown = "".join(capsys.readouterr())
    assert "step_size" in shown and "AEPPTClassifier" in shown


def test_auto_changes_next_to_nothing_where_nothing_leaks(overfit):
    _, X, y, _ = overfit
    model = LogisticRegression(C=0.01).fit(X[:300], y[:300])
    coin = np.random.default_rng(3).random(300) < 0.5
    defense = AEPPTClassifier(model, key=KEY, random_state=0).fit(X[300:], coin)
    assert np.abs(defense.predict_proba(X) - model.predict_proba(X)).sum(axis=1).mean() < 0.01


@pytest.mark.slow
def test_auto_says_so_when_no_step_will_do(aeppt):
    # the label alone tells members here: class 0 is never seen outside
    class Given:
        classes_ = np.arange(3)

        def predict_proba(self, X):
            return X

    p = np.random.default_rng(0).dirichlet(np.ones(3), 400)
    p[:, 0] = 0
    p /= p.sum(axis=1, keepdims=True)
    members = np.eye(3)[np.zeros(400, int)]
    with pytest.warns(UserWarning, match="No step_size up to"):
        aeppt(Given(), step_size="auto", max_iter=3).fit(members, p)


def test_max_l1_bounds_what_auto_may_cost(overfit):
    model, X, _, is_member = overfit
    defense = AEPPTClassifier(model, key=KEY, max_l1=0.01, random_state=0)
    with pytest.warns(
        UserWarning, match=r"No step_size up to .* within max_l1=0.01.*mean L1 of 0.00"
    ):
        defense.fit(X, is_member)
    found = defense.step_search_
    steps, accuracy, l1 = found["step_size"], found["accuracy"], found["l1"]
    assert found["decided_by"] == "max_l1"
    assert defense.step_size_ == steps[l1 <= 0.01].max() < steps[l1 > 0.01].min()
    assert accuracy[steps == defense.step_size_] > 0.5
    # the largest within it, to the grain of the search
    assert steps[l1 > 0.01].min() / defense.step_size_ < 1.15
    given = AEPPTClassifier(model, step_size=0.01, max_l1=0.01, random_state=0).fit(X, is_member)
    assert given.step_size_ == 0.01


@pytest.mark.parametrize("random_state", [None, 0])
def test_clones_train_equal_substitutes_once(overfit, quick_substitute, monkeypatch, random_state):
    model, X, _, is_member = overfit
    trained = []
    fit = MIMAttack.fit
    monkeypatch.setattr(MIMAttack, "fit", lambda *args: trained.append(1) or fit(*args))
    params = {"substitute": quick_substitute, "step_size": 1e-3}
    defense = AEPPTClassifier(model, **params, random_state=random_state)
    search = GridSearchCV(
        defense,
        {"step_size": [1e-4, 1e-3, 1e-2]},
        scoring=attack_scorer(cv=2, random_state=0),
        cv=2,
    )
    search.fit(X, is_member)
    assert len(trained) == 3  # one for each fold and one for all
    steps = [clone(defense).set_params(step_size=step).fit(X, is_member) for step in (1e-4, 1e-2)]
    assert len(trained) == 3
    one, other = (each.substitute_.decision_function(model.predict_proba(X)) for each in steps)
    np.testing.assert_array_equal(one, other)
    assert steps[0].substitute_ is not steps[1].substitute_
    clone(defense).set_params(random_state=7).fit(X, is_member)
    clone(defense).fit(X, np.roll(is_member, 1))
    clone(defense).set_params(substitute__max_epochs=2).fit(X, is_member)
    assert len(trained) == 6  # another seed, other members, another substitute
    AEPPTClassifier(model, **params).fit(X, is_member)
    assert len(trained) == 7  # nobody's clone
    assert b"Shelf" not in pickle.dumps(steps[0])


# --- bad input ----------------------------------------------------------------------------------


class Answering:
    """A fitted model that gives the same answer to every record."""

    classes_ = np.arange(2)

    def __init__(self, answer):
        self.answer = answer

    def predict_proba(self, X):
        return np.tile(np.asarray(self.answer), (len(X), 1))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ([np.nan, 1.0], "estimator.predict_proba.*NaN"),
        ([np.inf, 1.0], "NaN or infinity"),
        ([-0.5, 1.5], "contains -0.5.*not logits"),
        ([0.5, 0.6], "do not sum to one .off by up to 0.1.*divide each row"),
        ([0.5, 0.25, 0.25], "3 columns.*2 classes"),
    ],
)
def test_bad_answers_of_the_estimator(aeppt, answer, message):
    X = np.zeros((10, 1))
    with pytest.raises(ValueError, match=message):
        aeppt(Answering(answer)).fit(X, X)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"step_size": 0}, "step_size.*Got 0"),
        ({"step_size": -1e-3}, "step_size.*Got -0.001"),
        ({"step_size": "small"}, "step_size.*'auto'"),
        ({"max_iter": 0}, "max_iter.*Got 0"),
        ({"query_noise": "none"}, "query_noise.*'none'"),
        ({"batch_size": 0}, "batch_size"),
        ({"member_fraction": 1.0}, "member_fraction"),
        ({"substitute": 3}, "substitute"),
    ],
)
def test_bad_parameters(overfit, aeppt, params, message):
    model, X, _, is_member = overfit
    with pytest.raises(ValueError, match=message):
        aeppt(model, **params).fit(X, is_member)


def test_estimator_without_confidences(overfit, aeppt):
    _, X, y, _ = overfit
    for estimator in (LinearSVC(), LinearSVC().fit(X, y)):
        with pytest.raises(TypeError, match=r"no predict_proba.*CalibratedClassifierCV"):
            aeppt(estimator).fit(X, y)
    with pytest.raises(TypeError, match=r"is a class: give an instance, LogisticRegression\(\)"):
        aeppt(LogisticRegression).fit(X, y)


def test_bad_records(overfit, aeppt):
    model, X, y, is_member = overfit
    frame = pd.DataFrame(X).add_prefix("x")
    for args, kwargs, message in (
        ((X, X[:, :3]), {}, r"X_mem has records of shape \(20,\) and X_non of shape \(3,\)"),
        ((frame, frame[frame.columns[::-1]]), {}, "another order"),
        ((X[:0], X), {}, "X_mem is empty"),
        ((X, X[:0]), {}, "X_non is empty"),
        ((X,), {}, r"fit\(X_mem, X_non\)"),
        ((X, np.ones(len(X), bool)), {}, "600 members out of n_samples=600"),
        ((X, np.zeros(len(X), bool)), {}, "0 members"),
        ((X, is_member[:-1]), {}, "inconsistent numbers of samples"),
        ((X, y), {"is_member": y}, "is_member must be a one-dimensional boolean mask"),
    ):
        with pytest.raises(ValueError, match=message):
            aeppt(model).fit(*args, **kwargs)
    with pytest.raises(ValueError, match="the estimator is not fitted"):
        aeppt(LogisticRegression()).fit(X, X)
    with pytest.raises(ValueError, match="at least 4 members"):
        aeppt(model, step_size="auto").fit(X[:3], X[3:])


def test_bad_confidences_to_perturb(defended):
    for proba, message in (
        (np.full((2, 3), 1 / 3), "proba has 3 columns for 4 classes"),
        (np.full(4, 0.25), "shape"),
        (np.zeros((0, 3)), "neither empty"),
        (np.full((2, 4), 0.3), "do not sum to one"),
        (np.array([[1.0, 0, 0, np.nan]]), "NaN"),
    ):
        with pytest.raises(ValueError, match=message):
            defended.perturb(proba)


def test_predict_before_fit_and_after_a_failed_fit(overfit, aeppt, monkeypatch):
    from sklearn.exceptions import NotFittedError

    model, X, _, is_member = overfit
    defense = aeppt(model)
    for call in (defense.predict_proba, defense.predict, defense.predict_log_proba):
        with pytest.raises(NotFittedError):
            call(X)
    with pytest.raises(NotFittedError):
        defense.perturb(np.eye(4))

    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(AEPPTClassifier, "_search_step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        defense.set_params(step_size="auto").fit(X, is_member)
    with pytest.raises(NotFittedError):
        defense.predict_proba(X)
