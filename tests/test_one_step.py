"""`fit` is one step for every public estimator: it takes effect at its end, or not at all."""

import copy
import ctypes
import pickle
import random
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.validation import check_is_fitted

pytest.importorskip("torch")

import torch

import sklearn_aeppt
from sklearn_aeppt import AEPPTClassifier, EqualizedClassifier, attacks, defenses, networks
from sklearn_aeppt._one_step import ANSWERS
from sklearn_aeppt.attacks import (
    AdversarialTrainingAttack,
    AveragingAttack,
    BaVarIAAttack,
    CollisionAttack,
    FlipAttack,
    GapAttack,
    GradientBoostingAttack,
    LabelOnlyAttack,
    LabelOnlyLiRAAttack,
    LiRAAttack,
    MIMAttack,
    QuantileRegressionAttack,
    RandomForestAttack,
    RMIAAttack,
    RoundingAttack,
    ScoreAttack,
    ShadowAttack,
    ThresholdAttack,
    VariantsAttack,
    best_threshold,
    check_membership,
    query,
    read_view,
)
from sklearn_aeppt.defenses import (
    AdversarialRegularizationClassifier,
    DropoutClassifier,
    MemGuardClassifier,
    ModelStackingClassifier,
    OutOfFoldClassifier,
    OutputDefense,
    RoundingClassifier,
    TemperatureClassifier,
    TopKClassifier,
    to_simplex,
)
from sklearn_aeppt.networks import NetworkClassifier

pytestmark = pytest.mark.filterwarnings("ignore:k=3 hides nothing of 3 classes:UserWarning")

X, Y = make_classification(160, 5, n_informative=4, n_redundant=0, n_classes=3, random_state=0)
X = X.astype(np.float32)
MEMBER = np.arange(len(X)) % 2 == 0
FOREST = RandomForestClassifier(7, random_state=0).fit(X[MEMBER], Y[MEMBER])
VIEW = query(FOREST, X, Y, n_queries=3)
MIM = MIMAttack("substitute", max_epochs=1, random_state=0)
KEY = b"a key of the tests, known to all"  # two fits are told to answer alike
TINY = {"hidden_layer_sizes": (4,), "lr": 0.01, "max_epochs": 2, "random_state": 0}

#: Name -> (unfitted estimator, parameters that would change its answers at once if they acted).
OUTPUT = {
    "AEPPTClassifier": (
        AEPPTClassifier(
            FOREST, substitute=MIM, step_size=1e-2, max_iter=5, key=KEY, random_state=0
        ),
        {"step_size": 0.1, "max_iter": 1, "query_noise": "fresh", "normalize": False},
    ),
    "EqualizedClassifier": (
        EqualizedClassifier(FOREST, n_bins=4, key=KEY, random_state=0),
        {"other_classes": "template", "delta": 0.5, "n_bins": 2},
    ),
    "MemGuardClassifier": (
        MemGuardClassifier(
            FOREST,
            defense_classifier=clone(MIM).set_params(max_epochs=20),
            max_iter=40,
            key=KEY,
            random_state=0,
        ),
        {"max_iter": 5, "epsilon": 0.5, "learning_rate": 1.0},
    ),
    "RoundingClassifier": (RoundingClassifier(FOREST, decimals=1), {"decimals": 3}),
    "TemperatureClassifier": (TemperatureClassifier(FOREST), {"temperature": 9.0}),
    "TopKClassifier": (TopKClassifier(FOREST, k=1), {"k": 3}),
}
TRAINED = {
    "NetworkClassifier": (NetworkClassifier(**TINY), {"architecture": "alexnet"}),
    "DropoutClassifier": (DropoutClassifier(**TINY), {"hidden_layer_sizes": (2, 2)}),
    "AdversarialRegularizationClassifier": (
        AdversarialRegularizationClassifier(**TINY),
        {"alpha": 0.0},
    ),
    "ModelStackingClassifier": (
        ModelStackingClassifier([("tree", DecisionTreeClassifier(random_state=0))], random_state=0),
        {"tree__max_depth": 1},
    ),
    "OutOfFoldClassifier": (
        OutOfFoldClassifier(
            DecisionTreeClassifier(random_state=0),
            cv=3,
            n_repeats=2,
            bandwidth=0.5,
            random_state=0,
        ),
        {"labels": "kept", "bandwidth": 0.0},
    ),
}
ATTACKS = {
    "AdversarialTrainingAttack": (
        AdversarialTrainingAttack(ThresholdAttack(), RoundingClassifier(None, decimals=1)),
        {"attack": GapAttack(), "defense__decimals": 5},
    ),
    "AveragingAttack": (AveragingAttack(ThresholdAttack(), n_queries=2), {"n_queries": 9}),
    "BaVarIAAttack": (
        BaVarIAAttack(GaussianNB(), n_shadow_models=4, random_state=0),
        {"form": "gaussian", "prior_mean": "pooled", "estimator__var_smoothing": 0.5},
    ),
    "GradientBoostingAttack": (
        GradientBoostingAttack(n_confidences=2, max_iter=3),
        {"n_confidences": 1},
    ),
    "CollisionAttack": (CollisionAttack(random_state=0), {"decimals": (1,)}),
    "FlipAttack": (FlipAttack(ThresholdAttack("loss")), {"attack__statistic": "entropy"}),
    "RandomForestAttack": (
        RandomForestAttack(n_confidences=2, n_estimators=3, random_state=0),
        {"n_confidences": 1},
    ),
    "GapAttack": (GapAttack(), {}),
    "LabelOnlyAttack": (LabelOnlyAttack(n_queries=2), {"n_queries": 9}),
    "LabelOnlyLiRAAttack": (
        LabelOnlyLiRAAttack(GaussianNB(), n_shadow_models=4, random_state=0),
        {"n_shadow_models": 6, "estimator__var_smoothing": 0.5},
    ),
    "LiRAAttack": (
        LiRAAttack(GaussianNB(), n_shadow_models=4, random_state=0),
        {
            "statistic": "loss",
            "n_shadow_models": 6,
            "mode": "offline",
            "estimator__var_smoothing": 0.5,
        },
    ),
    "MIMAttack": (MIM, {"architecture": "mim1"}),
    "QuantileRegressionAttack": (
        QuantileRegressionAttack(
            HistGradientBoostingRegressor(loss="quantile", quantile=0.5, max_iter=2)
        ),
        {"quantile": 0.6},
    ),
    "RMIAAttack": (
        RMIAAttack(GaussianNB(), n_shadow_models=4, random_state=0),
        {"gamma": 1.1, "n_shadow_models": 6, "estimator__var_smoothing": 0.5},
    ),
    "RoundingAttack": (RoundingAttack(ThresholdAttack(), decimals=2), {"decimals": 0}),
    "ShadowAttack": (
        ShadowAttack(GaussianNB(), ThresholdAttack(), n_shadow_models=2, random_state=0),
        {"attack__statistic": "entropy"},
    ),
    "VariantsAttack": (
        VariantsAttack(3, max_iter=3, random_state=0),
        {"labels_only": True, "n_queries": 9},
    ),
    "ThresholdAttack": (ThresholdAttack(), {"statistic": "entropy", "per_class": False}),
}
CASES = {**OUTPUT, **TRAINED, **ATTACKS}
every = pytest.mark.parametrize("name", CASES)
PACKAGE = Path(sklearn_aeppt.__file__).parent
ABSTRACT = {"OutputDefense"}
SEARCHES = {"GraphNeighbors"}  # of an extra, tested with the out-of-fold defense
LEARNS_NOTHING = {"PrecomputedClassifier"}


def public_estimators():
    modules = (sklearn_aeppt, defenses, networks, attacks)
    public = (getattr(module, name) for module in modules for name in module.__all__)
    fitted = (one for one in public if isinstance(one, type) and hasattr(one, "fit"))
    return [one for one in fitted if one.__name__ not in LEARNS_NOTHING]


def fit(estimator, name, *, again=False):
    """Fit on all records, or on two thirds of them."""
    rows = np.arange(len(X)) % 3 > 0 if again else np.full(len(X), True)
    if name in OUTPUT:
        return estimator.fit(X[rows], Y[rows], is_member=MEMBER[rows])
    if name in TRAINED:
        return estimator.fit(X[rows], Y[rows])
    return estimator.fit(VIEW[rows], MEMBER[rows])


def answers(estimator, name):
    """Return all that the estimator answers, by method."""
    asked = {"perturb": (VIEW["proba"], X)}  # with the records that the draws belong to
    rest = (VIEW[:60] if name in ATTACKS else X,)
    return {
        method: getattr(estimator, method)(*asked.get(method, rest))
        for method in ANSWERS
        if hasattr(estimator, method)
    }


def alike(some, others):
    return some.keys() == others.keys() and all(np.array_equal(some[k], others[k]) for k in some)


@pytest.fixture(autouse=True)
def gradients_stay_on():
    """An interrupt that falls into torch's own switch of gradients leaves them off for all."""
    yield
    torch.set_grad_enabled(True)


@pytest.fixture(scope="module")
def fitted():
    """Name -> fitted estimator; copy it before changing it."""
    return {name: fit(clone(one), name) for name, (one, _) in CASES.items()}


def test_every_public_estimator_is_here():
    assert {one.__name__ for one in public_estimators()} == {*CASES, *ABSTRACT, *SEARCHES}


@pytest.mark.parametrize("kind", public_estimators(), ids=lambda kind: kind.__name__)
def test_every_public_method_is_of_one_fit(kind):
    for name in dir(kind):
        owner = next(base for base in kind.__mro__ if name in vars(base))
        ours = owner.__module__.startswith("sklearn_aeppt") and not name.startswith("_")
        # the parameters, and what scikit-learn puts into each class for metadata routing
        settings = name in ("get_params", "set_params", "get_metadata_routing")
        settings = settings or name.endswith("_request")
        if ours and callable(getattr(kind, name)) and not settings:
            assert hasattr(getattr(kind, name), "one_step"), name


@every
def test_parameters_act_through_fit_only(fitted, name):
    estimator, changes = copy.deepcopy(fitted[name]), CASES[name][1]
    before, learned = answers(estimator, name), dict(vars(estimator._fitted_twin))
    estimator.set_params(**changes)
    assert alike(answers(estimator, name), before)
    assert alike(answers(pickle.loads(pickle.dumps(estimator)), name), before)
    assert {key: estimator.get_params()[key] for key in changes} == changes
    assert vars(estimator._fitted_twin).keys() == learned.keys()  # answering writes nothing
    assert all(value is learned[key] for key, value in vars(estimator._fitted_twin).items())


class Trace:
    """Counts the lines of the package that are run; raises at one of them."""

    def __init__(self, raise_at=None):
        self.lines, self.raise_at = 0, raise_at

    def __enter__(self):
        self.before = sys.gettrace()
        sys.settrace(self.enter)
        return self

    def __exit__(self, *args):
        sys.settrace(self.before)

    def enter(self, frame, event, arg):
        file = Path(frame.f_code.co_filename)
        return self.line if PACKAGE in file.parents and file.stem != "_one_step" else None

    def line(self, frame, event, arg):
        if event == "line":
            self.lines += 1
            if self.lines == self.raise_at:
                raise KeyboardInterrupt
        return self.line


def places(estimator, name, n):
    """Return `n` lines to interrupt a fit at, the last among them, as numbers in their order."""
    estimator = copy.deepcopy(estimator)  # a clone shares what was trained already
    with Trace() as whole:
        fit(estimator, name, again=True)
    return sorted({*np.linspace(1, whole.lines, n, dtype=int), whole.lines - 1})


@every
def test_an_interrupted_refit_changes_nothing(fitted, name):
    estimator = copy.deepcopy(fitted[name])
    before, twin = answers(estimator, name), estimator._fitted_twin
    learned = dict(vars(twin))
    for place in places(estimator, name, 8):
        with pytest.raises(KeyboardInterrupt), Trace(place):
            fit(estimator, name, again=True)
        assert estimator._fitted_twin is twin and vars(twin) == learned
        assert alike(answers(estimator, name), before)
    fit(estimator, name, again=True)
    assert estimator._fitted_twin is not twin
    fresh = fit(clone(estimator), name, again=True)
    assert vars(estimator._fitted_twin).keys() == vars(fresh._fitted_twin).keys()


@every
def test_an_interrupted_first_fit_leaves_it_unfitted(name):
    estimator = copy.deepcopy(CASES[name][0])  # a clone shares what was trained already
    for place in places(estimator, name, 2):
        with pytest.raises(KeyboardInterrupt), Trace(place):
            fit(estimator, name, again=True)
        with pytest.raises(NotFittedError):
            check_is_fitted(estimator)
        assert not hasattr(estimator, "classes_") and not hasattr(estimator, "n_features_in_")


@every
def test_a_failed_refit_changes_nothing(fitted, name):
    estimator = copy.deepcopy(fitted[name])
    before = answers(estimator, name)
    for broken in (
        (VIEW, np.ones(len(X))),
        (VIEW, None),
        (X[:, :2], Y[:9]),
        (np.full_like(X, np.inf), MEMBER),
    ):
        with pytest.raises((ValueError, TypeError)):
            estimator.fit(*broken)
        assert alike(answers(estimator, name), before)


@pytest.mark.filterwarnings("ignore:No step_size up to:UserWarning")
def test_what_a_fit_no_longer_learns_is_gone():
    defense = AEPPTClassifier(FOREST, substitute=MIM, max_iter=2, random_state=0)
    frame = pd.DataFrame(X, columns=list("abcde"))
    model = RandomForestClassifier(3, random_state=0).fit(frame[MEMBER], Y[MEMBER])
    defense.set_params(estimator=model).fit(frame, MEMBER)
    assert hasattr(defense, "step_search_") and list(defense.feature_names_in_) == list("abcde")
    assert "step_search_" in dir(defense)
    defense.set_params(estimator=FOREST, step_size=1e-3).fit(X, MEMBER)
    for stale in ("step_search_", "feature_names_in_"):
        assert not hasattr(defense, stale) and stale not in dir(defense)
    attack = LiRAAttack(GaussianNB(), n_shadow_models=4, mode="offline", random_state=0)
    assert attack.fit(VIEW, MEMBER).in_mask_.shape == (4, len(X))
    assert not hasattr(attack.set_params(mode="online").fit(VIEW, MEMBER), "in_mask_")


@every
def test_copies_stand_by_themselves(fitted, name):
    estimator = fitted[name]
    before = answers(estimator, name)
    for twin in (
        copy.copy(estimator),
        copy.deepcopy(estimator),
        pickle.loads(pickle.dumps(estimator)),
    ):
        assert alike(answers(twin, name), before) and repr(twin) == repr(estimator)
        fit(twin, name, again=True)
        assert alike(answers(estimator, name), before)
    with pytest.raises(NotFittedError):
        check_is_fitted(clone(estimator))


def test_what_is_learned_is_read_and_written_through(fitted):
    attack = copy.deepcopy(fitted["ThresholdAttack"])
    assert "thresholds_" in dir(attack) and "thresholds_" in attack._repr_html_()
    attack.thresholds_ = attack.thresholds_ + 2
    assert not attack.predict(VIEW).any()
    with pytest.raises(
        AttributeError, match="'ThresholdAttack' object has no attribute 'nothing_'"
    ):
        attack.nothing_  # noqa: B018


def test_a_file_holds_the_model_once(fitted):
    io = pytest.importorskip("skops.io")
    big = RandomForestClassifier(100, random_state=0).fit(X, Y)
    defense = RoundingClassifier(big, decimals=1).fit(X, MEMBER)
    for dumps in (pickle.dumps, io.dumps):
        assert len(dumps(defense)) < 1.25 * len(dumps(big))
    loaded = pickle.loads(pickle.dumps(defense))
    assert loaded.estimator_ is loaded.estimator
    changed = defense.set_params(estimator=FOREST)  # which the next fit would wrap
    loaded = pickle.loads(pickle.dumps(changed))
    np.testing.assert_array_equal(loaded.predict_proba(X), defense.predict_proba(X))
    assert len(loaded.estimator_) == 100 and len(loaded.estimator) == 7


class MarginAttack(ScoreAttack):
    """An attack as docs/extending.md shows it."""

    def __init__(self, scale=1.0):
        self.scale = scale

    def fit(self, X, y):
        proba, _ = read_view(self, X, reset=True)
        self.classes_, member = check_membership(y, len(proba))
        self.threshold_ = best_threshold(proba.max(axis=1), member)
        return self

    def decision_function(self, X):
        check_is_fitted(self)
        return self.scale * (read_view(self, X, reset=False)[0].max(axis=1) - self.threshold_)


class SharpMarginAttack(MarginAttack):
    """One whose `fit` and answers build on those of another."""

    def fit(self, X, y):
        super().fit(X, y)
        self.sharp_ = super().decision_function(X).std()
        return self

    def decision_function(self, X):
        return super().decision_function(X) / self.sharp_


class MixedClassifier(OutputDefense):
    """A defense as docs/extending.md shows it."""

    def __init__(self, estimator, *, share=0.5, member_fraction=0.5, random_state=None):
        self.estimator = estimator
        self.share = share
        self.member_fraction = member_fraction
        self.random_state = random_state

    def _fit_defense(self, members, non_members):
        self._mean = members.proba.mean(axis=0)

    def _perturb_block(self, proba):
        return to_simplex(
            proba, (1 - self.share) * proba + self.share * self._mean, proba.argmax(1)
        )


@pytest.mark.parametrize(
    ("estimator", "name", "changes"),
    [
        (MarginAttack(), "GapAttack", {"scale": -1.0}),
        (SharpMarginAttack(), "GapAttack", {"scale": -1.0}),
        (MixedClassifier(FOREST), "TopKClassifier", {"share": 0.0}),
    ],
    ids=["attack", "attack of an attack", "defense"],
)
def test_estimators_of_others_need_know_nothing_of_it(estimator, name, changes):
    assert fit(estimator, name) is estimator
    before = answers(estimator, name)
    estimator.set_params(**changes)
    assert alike(answers(estimator, name), before)
    with pytest.raises((ValueError, TypeError)):
        estimator.fit(VIEW["proba"], np.ones(len(X)))
    assert alike(answers(estimator, name), before)
    assert not alike(answers(fit(estimator, name), name), before)


@pytest.mark.parametrize("name", OUTPUT)
def test_a_refit_in_another_thread_is_seen_whole_or_not_at_all(fitted, name):
    defense, changes = copy.deepcopy(fitted[name]), CASES[name][1]
    changes = {key: value for key, value in changes.items() if key != "query_noise"}
    settings = ({key: defense.get_params()[key] for key in changes}, changes)
    whole = [fit(clone(defense).set_params(**one), name).predict_proba(X) for one in settings]
    assert not np.array_equal(*whole)
    stop, done = time.monotonic() + 1, []

    def refit():
        while time.monotonic() < stop:
            fit(defense.set_params(**settings[len(done) % 2]), name)
            done.append(name)

    thread = threading.Thread(target=refit)
    thread.start()
    while thread.is_alive():
        shown = defense.predict_proba(X)
        assert any(np.array_equal(shown, one) for one in whole)
    assert done


class Stop(KeyboardInterrupt):
    """An interrupt of a test's own."""


# an interrupt that falls into the end of an object's life is swallowed there, and sent again
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_thousand_refits_and_fifty_interrupted_ones_never_answer_with_less_protection():
    model = GaussianNB().fit(X[MEMBER], Y[MEMBER])
    defense = EqualizedClassifier(
        model,
        cost="l1",
        other_classes="template",
        holdout_fraction=0,
        n_bins=3,
        n_label_groups=1,
        key=KEY,
        random_state=0,
    )
    whole = []
    for delta in (0.0, 0.05):
        fit(defense.set_params(delta=delta), "EqualizedClassifier")
        whole.append(defense.predict_proba(X))
    assert not np.array_equal(*whole)
    bare, asked, refits, done = model.predict_proba(X), [], [], threading.Event()
    least = min(np.abs(one - bare).sum() for one in whole)

    def ask():
        while not done.is_set():
            shown = defense.predict_proba(X)
            which = [i for i, one in enumerate(whole) if np.array_equal(shown, one)]
            asked.append(len(which) == 1 and np.abs(shown - bare).sum() >= least)
            time.sleep(0.001)

    def refit(until):
        try:
            while not until():
                defense.set_params(delta=(0.0, 0.05)[len(refits) % 2])
                fit(defense, "EqualizedClassifier")
                refits.append(1)
        except Stop:
            pass

    def ask_and_note():
        try:
            ask()
        except Exception as error:
            asked.append(error)

    client = threading.Thread(target=ask_and_note)
    client.start()
    refit(lambda: len(refits) == 1000)
    span, rng = 0.02, random.Random(0)
    for _ in range(50):
        worker = threading.Thread(target=refit, args=(lambda: False,))
        worker.start()
        while worker.is_alive():
            time.sleep(rng.uniform(0, span))
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(worker.ident), ctypes.py_object(Stop)
            )
            worker.join(5)
    done.set()
    client.join()
    assert len(refits) >= 1000 and len(asked) > 100
    assert set(asked) == {True}
