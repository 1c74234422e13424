"""What users bring: each kind is audited right, or refused with an error that names it."""

import warnings
from contextlib import contextmanager

import numpy as np
import pytest
from extras import torch
from scipy import sparse
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import make_classification
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.exceptions import NotFittedError, UnsetMetadataPassedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, make_scorer
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    TunedThresholdClassifierCV,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearn_aeppt import EqualizedClassifier, PrecomputedClassifier
from sklearn_aeppt._class_columns import class_prefix
from sklearn_aeppt._seeding import reseed
from sklearn_aeppt.attacks import (
    BitFlips,
    CollisionAttack,
    GapAttack,
    GaussianNoise,
    GradientBoostingAttack,
    LabelOnlyAttack,
    LiRAAttack,
    RMIAAttack,
    RoundingAttack,
    ShadowAttack,
    ThresholdAttack,
    VariantsAttack,
    query,
)
from sklearn_aeppt.attacks._fit_params import FitParams
from sklearn_aeppt.audit import audit
from sklearn_aeppt.audit._canaries import canary_risk
from sklearn_aeppt.audit._suites import shadow_template
from sklearn_aeppt.defenses import ModelStackingClassifier, RoundingClassifier, TopKClassifier

pd = pytest.importorskip("pandas")

X, y = make_classification(240, 6, n_informative=4, n_classes=3, flip_y=0.3, random_state=0)
M, N = slice(0, 120), slice(120, 240)
member = np.arange(240) < 120
names = np.array(["no", "perhaps", "yes"])[y]
KEY = b"a key of the tests, known to all"
fitted = GaussianNB().fit(X[M], y[M])


def quick(model, records=X, labels=y, attacks="quick", **options):
    one, other = records[M], records[N]
    return audit(model, one, labels[M], other, labels[N], attacks, random_state=0, **options)


# ---- a fitted model is never written to


@pytest.mark.parametrize(
    "defense",
    [EqualizedClassifier, RoundingClassifier, lambda model: make_pipeline(TopKClassifier(model))],
    ids=["equalized", "rounding", "in a pipeline"],
)
def test_parameters_of_a_fitted_model_are_not_set(defense):
    model = KNeighborsClassifier(1).fit(X[M], y[M])
    wrapped = defense(model)
    prefix = "topkclassifier__" if hasattr(wrapped, "steps") else ""
    for one in (wrapped, clone(wrapped)):
        with pytest.raises(ValueError, match=r"estimator__n_neighbors=15 would change a fitted"):
            one.set_params(**{f"{prefix}estimator__n_neighbors": 15})
    assert model.n_neighbors == 1


def test_a_search_over_a_fitted_model_is_refused_and_one_over_an_unfitted_one_is_not():
    model = KNeighborsClassifier(1).fit(X[M], y[M])
    grid = {"estimator__n_neighbors": [1, 15]}
    options = {"cv": 2, "error_score": "raise", "scoring": lambda e, X, y=None: 0.0}
    with pytest.raises(ValueError, match="would change a fitted model"):
        GridSearchCV(EqualizedClassifier(model), grid, **options).fit(X, member)
    assert model.n_neighbors == 1
    GridSearchCV(RoundingClassifier(KNeighborsClassifier()), grid, **options).fit(X, y)
    inside = RoundingClassifier(model)  # one call may bring its own model
    inside.set_params(estimator=KNeighborsClassifier(), estimator__n_neighbors=3)
    assert inside.estimator.n_neighbors == 3


def test_an_attack_does_not_write_into_the_model_that_it_is_given():
    model = LogisticRegression(C=1.0).fit(X[M], y[M])
    with pytest.raises(ValueError, match=r"estimator__C=9.* would change a fitted model"):
        LiRAAttack(model).set_params(estimator__C=9.0)
    assert model.C == 1.0


def test_seeds_are_not_written_into_a_fitted_model():
    model = RandomForestClassifier(5).fit(X[M], y[M])
    defense = EqualizedClassifier(model)
    for one in (defense, make_pipeline(FunctionTransformer(), defense)):
        reseed(one, np.random.RandomState(0))
    assert model.random_state is None
    assert defense.random_state is not None and defense.key is not None


# ---- membership in words


@pytest.mark.parametrize("words", [("test", "train"), ("out", "in"), ("0", "1"), (None, "member")])
@pytest.mark.parametrize("attack", [ThresholdAttack(), GapAttack(), GradientBoostingAttack()])
def test_membership_in_words_is_refused(words, attack):
    view = query(fitted, X, y)
    for kind in (object, str if None not in words else object):
        said = np.array([words[i] for i in member.astype(int)], dtype=kind)
        with pytest.raises(ValueError, match=r"states membership in words.*boolean mask"):
            attack.fit(view, said)


@pytest.mark.parametrize("kind", [bool, int, np.uint8, float, object])
def test_membership_as_booleans_or_numbers(kind):
    view = query(fitted, X, y)
    said = member.astype(kind)
    found = ThresholdAttack().fit(view, said).predict(view)
    np.testing.assert_array_equal(
        found.astype(bool), ThresholdAttack().fit(view, member).predict(view)
    )


# ---- models that are no estimators of scikit-learn


class Own:
    """Written without scikit-learn."""

    def fit(self, X, y):
        self.model = LogisticRegression().fit(X, y)
        self.classes_ = self.model.classes_
        return self

    def predict(self, X):
        return self.model.predict(X)

    def predict_proba(self, X):
        return self.model.predict_proba(X)


class Service:
    """Has neither fit nor predict."""

    def __init__(self, model):
        self.predict_proba, self.classes_ = model.predict_proba, list(model.classes_)


@pytest.mark.parametrize("model", [Own().fit(X[M], names[M]), Service(Own().fit(X[M], names[M]))])
def test_models_without_scikit_learn(model):
    report = quick(model, labels=names, attacks="standard")
    assert report.n_members == 120
    assert not [row for row in report.results if "failed" in str(row.get("not_run"))]
    for kind in (EqualizedClassifier, RoundingClassifier):
        defended = kind(model).fit(X[M], X[N])
        expected = np.asarray(model.classes_)[model.predict_proba(X).argmax(axis=1)]
        np.testing.assert_array_equal(defended.predict(X), expected)
        assert repr(clone(defended))
    assert quick(defended, labels=names).defended


def test_an_unfitted_model_without_scikit_learn_is_refused():
    with pytest.raises(NotFittedError, match="Own instance is not fitted"):
        quick(Own())


# ---- labels of the shadow models


class Strict(ClassifierMixin, BaseEstimator):
    """Notes the labels that it is trained on."""

    seen: list = []

    def fit(self, X, y):
        Strict.seen.append(np.asarray(y))
        self.model_ = GaussianNB().fit(X, y)
        self.classes_ = self.model_.classes_
        return self

    def predict_proba(self, X):
        return self.model_.predict_proba(X)


@pytest.mark.parametrize(
    "labels",
    [names, names.astype(object), y + 1, 10.0 * y, y.astype(np.float32), y > 0],
    ids=["text", "objects", "from one", "floats", "float32", "booleans"],
)
@pytest.mark.parametrize(
    "attack",
    [
        LiRAAttack(Strict(), n_shadow_models=4, random_state=0),
        RMIAAttack(Strict(), n_shadow_models=4, mode="offline", random_state=0),
        ShadowAttack(Strict(), random_state=0),
    ],
    ids=lambda attack: type(attack).__name__,
)
def test_shadow_models_learn_the_labels_of_the_target(attack, labels):
    model = GaussianNB().fit(X[M], labels[M])
    Strict.seen.clear()
    view = query(model, X, labels)
    said = attack.fit(view[::2], member[::2]).decision_function(view[1::2])
    assert len(said) == 120 and np.isfinite(said).all()
    assert Strict.seen
    for seen in Strict.seen:
        assert set(seen.tolist()) <= set(labels.tolist()) and seen.dtype == labels.dtype
    # the scores do not depend on what the labels are called
    index = np.unique(labels, return_inverse=True)[1]
    view = query(GaussianNB().fit(X[M], index[M]), X, index)
    again = clone(attack).fit(view[::2], member[::2]).decision_function(view[1::2])
    np.testing.assert_allclose(said, again, atol=1e-6)


def test_weights_and_scorers_by_label_reach_shadow_models():
    two = np.where(y > 0, "yes", "no")
    weighted = LogisticRegression(class_weight={"no": 1, "yes": 50}).fit(X[M], two[M])
    scorer = make_scorer(f1_score, pos_label="yes")
    tuned = TunedThresholdClassifierCV(LogisticRegression(), scoring=scorer, thresholds=5, cv=2)
    for model in (weighted, tuned.fit(X[M], two[M])):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of few records
            report = quick(model, labels=two, attacks=[LiRAAttack(n_shadow_models=4)])
        assert "not_run" not in report.results[0]
    attack = LiRAAttack(clone(weighted), n_shadow_models=4, mode="offline", random_state=0)
    attack.fit(query(weighted, X, two), member)
    shares = [model.predict_proba(X)[:, 1].mean() for model in attack.shadow_estimators_]
    assert np.mean(shares) > 0.9  # the label that was weighted


# ---- what cannot run is a row that says why


class NeedsValidationSet(GaussianNB):
    def fit(self, X, y, eval_set=None):
        if eval_set is None:
            raise ValueError("Must have at least 1 validation dataset for early stopping.")
        return super().fit(X, y)


class Fails(ThresholdAttack):
    def decision_function(self, X):
        raise RuntimeError("no such thing\nat all")


def test_a_target_that_cannot_be_trained_again_costs_its_shadow_models_only():
    model = NeedsValidationSet().fit(X[M], y[M], eval_set=(X[N], y[N]))
    report = quick(model, attacks={"lira": LiRAAttack(), "gap": GapAttack()})
    not_run = {row["attack"]: row["not_run"] for row in report.results if "not_run" in row}
    assert list(not_run) == ["lira"]
    assert "Must have at least 1 validation dataset" in not_run["lira"]
    assert "fit_params" in not_run["lira"]


def test_shadow_models_are_given_what_the_target_was_given():
    attacks = {
        "lira": LiRAAttack(n_shadow_models=4),
        "rounded": RoundingAttack(RMIAAttack(n_shadow_models=4)),
        "shadow": ShadowAttack(n_shadow_models=2),
    }
    model = NeedsValidationSet().fit(X[M], y[M], eval_set=(X[N], y[N]))
    report = quick(model, attacks=attacks, fit_params={"eval_set": (X[N], y[N])})
    assert len(report.ran) == 3
    pipeline = make_pipeline(FunctionTransformer(), LogisticRegression())
    name, weight = "logisticregression__sample_weight", np.where(y == 0, 50.0, 1.0)
    pipeline.fit(X[M], y[M], **{name: weight[M]})
    report = quick(pipeline, attacks=attacks, record_params={name: (weight[M], list(weight[N]))})
    assert len(report.ran) == 3
    deaf = quick(
        KNeighborsClassifier().fit(X[M], y[M]),
        attacks={**attacks, "gap": GapAttack()},
        record_params={"sample_weight": (weight[M], weight[N])},
    )
    assert "unexpected keyword argument 'sample_weight'" in deaf.not_run[0]["not_run"]


def test_fit_parameters_that_are_not_of_the_records_are_refused():
    match = r"record_params\['sample_weight'\] holds 119 value\(s\) for 120 non-members"
    with pytest.raises(ValueError, match=match):
        quick(fitted, record_params={"sample_weight": (np.ones(120), np.ones(119))})
    with pytest.raises(ValueError, match=r"give it as record_params={'sample_weight'"):
        quick(fitted, fit_params={"sample_weight": np.ones(120)})


def test_canaries_are_trained_with_the_targets_weights():
    told = []

    class Listens(GaussianNB):
        def fit(self, X, y, sample_weight=None, eval_set=None):
            told.append((len(y), sample_weight.sum(), eval_set))
            return super().fit(X, y, sample_weight)

    given = FitParams({"eval_set": "theirs"}, {"sample_weight": np.full(240, 2.0)})
    canary_risk(Listens(), X, y, member, given, 0)
    assert told == [(150, 300.0, "theirs")]


@pytest.mark.parametrize("package", ["xgboost", "lightgbm", "catboost"])
def test_boosting_that_stops_early_has_shadow_models(package):
    module = pytest.importorskip(package)
    model = {
        "xgboost": lambda: module.XGBClassifier(
            n_estimators=5, early_stopping_rounds=2, n_jobs=1, verbosity=0
        ),
        "lightgbm": lambda: module.LGBMClassifier(n_estimators=5, n_jobs=1, verbose=-1),
        "catboost": lambda: module.CatBoostClassifier(
            iterations=5, verbose=0, thread_count=1, allow_writing_files=False
        ),
    }[package]()
    told = {"eval_set": [(X[N], y[N])]}
    if package == "lightgbm":  # as many validation labels as there are members are no weights
        told = {"eval_X": X[N], "eval_y": y[N]}
        told["callbacks"] = [module.early_stopping(2, verbose=False)]
    model.fit(X[M], y[M], sample_weight=np.ones(120), **told)
    weights = {"sample_weight": (np.ones(120), np.ones(120))}
    attacks = [LiRAAttack(n_shadow_models=4)]
    assert quick(model, attacks=attacks, fit_params=told, record_params=weights).ran


def test_xgboost_has_shadow_models_where_classes_are_rare():
    module = pytest.importorskip("xgboost")
    rare = np.where(np.isin(np.arange(240), [0, 130]), 4, y)
    rare[[1, 2, 131]] = 3
    model = module.XGBClassifier(n_estimators=3, n_jobs=1, verbosity=0)
    model.fit(np.r_[X[M], X[:1]], np.r_[rare[M], 5])  # a class of which the audit has no record
    for target in (model, RoundingClassifier(model, decimals=1).fit(X[M], X[N])):
        report = quick(target, labels=rare, attacks=[LiRAAttack(n_shadow_models=4)])
        assert len(report.ran) == 1


def test_an_attack_that_fails_costs_its_own_row():
    with pytest.warns(UserWarning, match="broken is not in the report: RuntimeError: no such"):
        report = quick(fitted, attacks={"broken": Fails(), "gap": GapAttack()})
    broken = next(row for row in report.results if row["attack"] == "broken")
    assert broken["not_run"] == "RuntimeError: no such thing at all"
    assert "no such thing at all" in str(report)
    with pytest.warns(UserWarning), pytest.raises(ValueError, match=r"No attack can be run.*such"):
        quick(fitted, attacks={"broken": Fails()})


@pytest.mark.parametrize(
    ("labels", "named"),
    [
        ({"y_mem": y[M].astype(str), "y_non": y[N]}, "y_mem=.*'0', '1', '2'"),
        ({"y_mem": y[M], "y_non": y[N] + 10}, "y_non=.*10, 11, 12"),
    ],
)
def test_labels_of_which_the_model_knows_none_are_refused(labels, named):
    """Taken for wrong predictions, all of them, they would flatten what is shown."""
    for kind in (np.asarray, list, pd.Series):
        given = {name: kind(value) for name, value in labels.items()}
        with pytest.raises(ValueError, match=rf"^{named}.* it knows \[0, 1, 2\]: give labels from"):
            EqualizedClassifier(fitted).fit(X[M], X[N], **given)
    with pytest.raises(ValueError, match=r"^y=\['no', 'perhaps', 'yes'\] holds no label"):
        EqualizedClassifier(fitted).fit(X, names, is_member=member)


def test_a_class_that_training_missed_is_allowed():
    labels = y[N].copy()
    labels[:5] = 7
    defense = EqualizedClassifier(fitted, key=KEY).fit(X[M], X[N], y_mem=y[M], y_non=labels)
    assert list(defense.classes_) == [0, 1, 2]


# ---- fit parameters, several outputs, nothing at all


def test_sample_weight_reaches_the_training_records():
    weight = np.where(y == 0, 50.0, 1.0)
    defense = RoundingClassifier(LogisticRegression(), decimals=6)
    defended = defense.fit(X, y, is_member=member, sample_weight=weight)
    plain = LogisticRegression().fit(X[M], y[M], sample_weight=weight[M])
    np.testing.assert_allclose(defended.predict_proba(X), plain.predict_proba(X), atol=1e-5)
    as_list = defense.fit(X, y, is_member=member, sample_weight=list(weight))
    np.testing.assert_allclose(as_list.predict_proba(X), plain.predict_proba(X), atol=1e-5)
    with pytest.raises(ValueError, match=r"KNeighborsClassifier\.fit takes none"):
        RoundingClassifier(KNeighborsClassifier()).fit(X, y, sample_weight=weight)
    with pytest.raises(ValueError, match="sample_weight is for training, and the estimator is fit"):
        RoundingClassifier(plain).fit(X[M], X[N], sample_weight=weight)


def test_parameters_of_the_wrapped_fit():
    defense = RoundingClassifier(NeedsValidationSet())
    defense.fit(X, y, eval_set=(X[N], y[N]))
    pipeline = make_pipeline(FunctionTransformer(), LogisticRegression())
    weight = np.where(y == 0, 50.0, 1.0)
    name = "logisticregression__sample_weight"
    defended = RoundingClassifier(pipeline, decimals=6).fit(
        X, y, is_member=member, **{name: weight}
    )
    plain = clone(pipeline).fit(X[M], y[M], **{name: weight[M]})
    np.testing.assert_allclose(defended.predict_proba(X), plain.predict_proba(X), atol=1e-5)


def test_metadata_are_routed_by_request():
    weight = np.where(y == 0, 50.0, 1.0)
    with config_context(enable_metadata_routing=True):
        model = LogisticRegression().set_fit_request(sample_weight=True)
        defended = RoundingClassifier(model, decimals=6)
        defended.fit(X, y, is_member=member, sample_weight=weight)
        plain = LogisticRegression().fit(X[M], y[M], sample_weight=weight[M])
        np.testing.assert_allclose(defended.predict_proba(X), plain.predict_proba(X), atol=1e-5)
        deaf = RoundingClassifier(LogisticRegression().set_fit_request(sample_weight=False))
        unweighted = deaf.fit(X, y, is_member=member).predict_proba(X)
        plain = LogisticRegression().fit(X[M], y[M]).predict_proba(X)
        np.testing.assert_allclose(unweighted, plain, atol=0.01)


def test_ensembles_around_a_defense_and_a_defense_around_one():
    inner = RoundingClassifier(LogisticRegression(), random_state=0)
    for around in (
        AdaBoostClassifier(inner, n_estimators=3, random_state=0),
        BaggingClassifier(inner, n_estimators=3, random_state=0),
        CalibratedClassifierCV(inner, cv=2),
    ):
        assert around.fit(X, y).predict_proba(X).shape == (240, 3)
    for inside in (
        AdaBoostClassifier(n_estimators=3),
        BaggingClassifier(LogisticRegression(), n_estimators=3),
        CalibratedClassifierCV(LogisticRegression(), cv=2),
        GridSearchCV(LogisticRegression(), {"C": [1.0]}, cv=2),
        VotingClassifier([("one", LogisticRegression())], voting="soft"),
    ):
        plain = RoundingClassifier(inside, random_state=0).fit(X, y)
        assert plain.predict_proba(X).shape == (240, 3)
        weight = np.where(y == 0, 50.0, 1.0)
        weighted = clone(plain).fit(X, y, sample_weight=weight)  # which they hand on
        assert np.mean(weighted.predict(X) == 0) > np.mean(plain.predict(X) == 0)


def test_weights_are_routed_through_meta_estimators():
    weight = np.where(y == 0, 50.0, 1.0)
    with config_context(enable_metadata_routing=True):
        model = LogisticRegression().set_fit_request(sample_weight=True)
        ignored = KNeighborsClassifier()  # has no weights to request
        rounding = RoundingClassifier(model, random_state=0).set_score_request(sample_weight=False)
        calibrated = CalibratedClassifierCV(model, cv=2).set_fit_request(sample_weight=True)
        stack = ModelStackingClassifier([("a", model), ("b", ignored)], model, random_state=0)
        for estimator in (
            GridSearchCV(rounding, {"decimals": [3]}, cv=2, error_score="raise"),
            EqualizedClassifier(calibrated, key=KEY),
            RoundingClassifier(make_pipeline(FunctionTransformer(), model)),
            make_pipeline(FunctionTransformer(), rounding),
            RoundingClassifier(stack),
            GridSearchCV(stack, {"random_state": [0]}, cv=2, error_score="raise"),
        ):
            weighted = np.mean(clone(estimator).fit(X, y, sample_weight=weight).predict(X) == 0)
            plain = np.mean(clone(estimator).fit(X, y).predict(X) == 0)
            assert weighted > plain + 0.2, estimator
        bag = BaggingClassifier(RoundingClassifier(ignored), n_estimators=3).fit(X, y)
        assert bag.predict_proba(X).shape == (240, 3)
        with pytest.raises(UnsetMetadataPassedError, match=r"LogisticRegression\.set_fit_request"):
            RoundingClassifier(LogisticRegression()).fit(X, y, sample_weight=weight)


def test_shadow_models_of_a_defense_at_the_end_of_a_pipeline_with_routing():
    with config_context(enable_metadata_routing=True):
        defense = TopKClassifier(GaussianNB(), k=1).set_fit_request(is_member=True)
        template = make_pipeline(FunctionTransformer(), defense)
        attack = LiRAAttack(template, n_shadow_models=4, mode="offline", random_state=0)
        attack.fit(query(fitted, X, y), member)
    for model, row in zip(attack.shadow_estimators_, attack.in_mask_):
        expected = GaussianNB().fit(X[row], y[row])
        np.testing.assert_allclose(model[-1].estimator_.theta_, expected.theta_)


def test_a_record_of_weight_zero_is_no_member():
    asked = []

    class Notes(RoundingClassifier):
        def _fit_defense(self, members, non_members):
            asked.append((members.X, non_members.X))

    weight = np.where(np.arange(240) % 3 == 0, 0.0, 1.0)
    mask = member.copy()
    Notes(LogisticRegression()).fit(X, y, is_member=mask, sample_weight=weight)
    np.testing.assert_array_equal(mask, member)  # not written to
    np.testing.assert_array_equal(asked[0][0], X[member & (weight > 0)])
    np.testing.assert_array_equal(asked[0][1], X[~member | (weight == 0)])


@pytest.mark.parametrize("name", ["sample_weight", "clf__sample_weight"])
def test_a_member_of_weight_zero_is_not_audited_as_one(name):
    weight = np.where(np.arange(240) % 3 == 0, 0.0, 1.0)
    params, gap = {name: (weight[M], weight[N])}, [ThresholdAttack()]
    group, twice_y = np.arange(240) % 3, np.r_[y[M], y[N][:60], y[M][:60]]
    twice = np.r_[X[M], X[N][:60], X[M][:60]]  # 20 of the last equal a member of weight zero
    match = "40 of 120 members have weight zero and trained nothing"
    with pytest.warns(UserWarning, match=match):
        report = quick(fitted, attacks=gap, record_params=params, fitted_on=X,
                       slices={"group": (group[M], group[N])})  # fmt: skip
    with pytest.warns(UserWarning, match=match), pytest.warns(match="40 of 120 non-members equal"):
        again = quick(fitted, twice, twice_y, attacks=gap, record_params=params)
    assert (report.n_members, report.n_non_members, report.n_fitted_on) == (80, 120, 80)
    assert (again.n_members, again.n_non_members) == (80, 80)
    assert all(weight[i] for i in report.at_risk)
    rows = np.flatnonzero(weight[M])
    plain = audit(fitted, X[rows], y[rows], X[N], y[N], gap, random_state=0)
    assert plain.results == report.results
    assert rows[plain.at_risk].tolist() == report.at_risk
    assert report.slices["group"]["n_members"].tolist()[-2:] == [40, 40]


@pytest.mark.parametrize(
    "model",
    [
        RandomForestClassifier(5).fit(X[M], np.c_[y > 1, y > 0][M].astype(int)),
        RandomForestClassifier(5).fit(X[M], np.c_[y, y > 0][M]),
        OneVsRestClassifier(LogisticRegression()).fit(X[M], np.c_[y > 1, y > 0][M].astype(int)),
        MultiOutputClassifier(GaussianNB()).fit(X[M], np.c_[y, y > 0][M]),
        KNeighborsClassifier().fit(X[M], np.c_[y > 1, y > 0][M].astype(int)),
        MLPClassifier((4,), max_iter=3, tol=9.0, n_iter_no_change=1).fit(
            X[M], np.c_[y > 1, y > 0, y < 2][M].astype(int)
        ),
    ],
    ids=lambda model: type(model).__name__,
)
def test_several_labels_a_record_are_refused_by_name(model):
    for act in (
        lambda: EqualizedClassifier(model).fit(X[M], X[N]),
        lambda: query(model, X),
        lambda: quick(model),
    ):
        with pytest.raises(ValueError, match="is a multilabel or multioutput model"):
            act()


@pytest.mark.parametrize(
    "nothing", [X[:0], pd.DataFrame(X)[:0], sparse.csr_array(X)[:0]], ids=["array", "frame", "csr"]
)
def test_nothing_in_nothing_out(nothing):
    frame = hasattr(nothing, "iloc")
    records = pd.DataFrame(X) if frame else X
    model = LogisticRegression().fit(records[M], names[M])
    for defense in (EqualizedClassifier(model), RoundingClassifier(model)):
        defense.fit(records[M], records[N])
        assert defense.predict_proba(nothing).shape == (0, 3)
        assert defense.predict(nothing).shape == (0,)
        assert defense.predict(nothing).dtype == defense.classes_.dtype
        assert defense.perturb(np.empty((0, 3))).shape == (0, 3)
        with pytest.raises(ValueError, match="proba"):
            defense.perturb(np.empty((0, 4)))


# ---- containers


def containers():
    yield "frame", pd.DataFrame(X).add_prefix("x")
    yield "Float64", pd.DataFrame(X).add_prefix("x").astype("Float64")
    yield "list", X.tolist()
    for kind in ("csr", "csc", "coo", "bsr", "lil", "dok"):
        yield kind, getattr(sparse, f"{kind}_array")(X)
    try:
        import polars

        yield "polars", polars.DataFrame(X, schema=[f"x{i}" for i in range(6)])
    except ImportError:
        pass
    try:
        import pyarrow

        yield "pyarrow", pyarrow.Table.from_pandas(pd.DataFrame(X).add_prefix("x"))
    except ImportError:
        pass
    if torch is not None:
        yield "torch", torch.tensor(X)


TABLES = list(containers())


class AnyTable(ClassifierMixin, BaseEstimator):
    """Takes whatever holds numbers, as the model that users have brought does."""

    def fit(self, X, y):
        self.model_ = KNeighborsClassifier(3).fit(self._numbers(X), y)
        self.classes_ = self.model_.classes_
        return self

    def predict_proba(self, X):
        return self.model_.predict_proba(self._numbers(X))

    def predict(self, X):
        return self.model_.predict(self._numbers(X))

    @staticmethod
    def _numbers(X):
        X = X.to_pandas() if hasattr(X, "to_pandas") else X
        return X.toarray() if sparse.issparse(X) else np.asarray(X, dtype=np.float64)


def rows(table, part):
    if sparse.issparse(table):
        return type(table)(sparse.csr_array(table)[part])
    if hasattr(table, "iloc"):
        return table.iloc[part]
    if hasattr(table, "slice") and hasattr(table, "num_rows"):
        return table.slice(part.start, part.stop - part.start)
    return table[part]


@pytest.mark.parametrize("name, table", TABLES, ids=[name for name, _ in TABLES])
def test_the_same_records_give_the_same_report_in_any_container(name, table):
    def report(table, part):
        one, other = part(table, M), part(table, N)
        model = AnyTable().fit(one, y[M])
        attacks = {
            "gap": GapAttack(),
            "confidence": ThresholdAttack(),
            "lira": LiRAAttack(n_shadow_models=4),
            "rmia": RMIAAttack(n_shadow_models=4, mode="offline"),
        }
        found = audit(model, one, y[M], other, y[N], attacks, random_state=0)
        defended = EqualizedClassifier(model, key=KEY, random_state=0)
        defended.fit(one, other, y_mem=y[M], y_non=y[N])
        return found.results, defended.predict_proba(one)

    expected, plain = report(X, lambda table, part: table[part])
    found, shown = report(table, rows)
    assert found == expected
    np.testing.assert_allclose(shown, plain, atol=1e-12)


@pytest.mark.parametrize("name, table", TABLES, ids=[name for name, _ in TABLES])
def test_variants_keep_their_container(name, table):
    if name in ("Float64", "csr", "csc", "coo", "bsr", "lil", "dok"):
        pytest.skip("checked by test_variants.py")
    moved = GaussianNoise(0.1)(table, np.random.RandomState(0))
    assert type(moved) is type(table)
    expected = GaussianNoise(0.1)(X, np.random.RandomState(0))
    np.testing.assert_allclose(AnyTable._numbers(moved), expected, atol=1e-12)


def test_bits_turn_in_any_container():
    bits = (X > 0).astype(int)
    expected = BitFlips(n_flips=1)(bits, np.random.RandomState(0))
    for table in (pd.DataFrame(bits), bits.tolist()):
        moved = BitFlips(n_flips=1)(table, np.random.RandomState(0))
        assert type(moved) is type(table)
        np.testing.assert_array_equal(np.asarray(moved), expected)


def test_categories_that_differ_stay_categories():
    seen = []

    class Noting(AnyTable):
        @staticmethod
        def _numbers(X):
            seen.append(X["c"].dtype)
            return np.c_[X["x"], X["c"].astype(str) == "u"]

    rng = np.random.default_rng(0)
    one, other = (
        pd.DataFrame({"x": X[part, 0], "c": pd.Categorical(rng.choice(list(known), 120))})
        for part, known in ((M, "uvw"), (N, "uv"))
    )
    model = Noting().fit(one, y[M])
    seen.clear()
    audit(model, one, y[M], other, y[N], "quick", random_state=0)
    assert all(list(kind.categories) == ["u", "v", "w"] for kind in seen)


def test_arrays_in_cells_and_texts():
    cells = pd.DataFrame({"e": list(X)})
    stack = FunctionTransformer(lambda frame: np.stack(frame["e"]))
    assert quick(make_pipeline(stack, GaussianNB()).fit(cells[M], y[M]), cells).n_members == 120
    texts = [f"{'good' if value else 'bad'} record number {i}" for i, value in enumerate(y)]
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts[M], y[M])
    report = audit(model, texts[M], y[M], texts[N], y[N], "standard", random_state=0)
    assert report.n_members == 120


@pytest.mark.parametrize("kind", ["list", "object", "str", "series", "polars"])
def test_two_sets_of_texts_are_told_by_their_labels(kind):
    texts = [f"{'good' if value else 'bad'} record number {i}" for i, value in enumerate(y)]
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts[M], names[M])
    make = {"list": list, "series": pd.Series, "str": np.array}.get(kind)
    if kind == "object":
        make = lambda texts: np.array(texts, dtype=object)  # noqa: E731
    elif kind == "polars":
        make = pytest.importorskip("polars").Series
    one, other = make(texts[M]), make(texts[N])
    defended = EqualizedClassifier(model, key=KEY, random_state=0)
    defended.fit(one, other, y_mem=names[M], y_non=names[N])
    plain = clone(defended).fit(texts, names, is_member=member)
    np.testing.assert_array_equal(defended.predict_proba(one), plain.predict_proba(texts[M]))
    report = audit(defended, one, names[M], other, names[N], "quick", random_state=0)
    assert report.n_non_members == 120
    if kind == "list":
        with pytest.raises(ValueError, match="or give their class labels, y_mem and y_non"):
            EqualizedClassifier(model).fit(one, other)


def test_the_steps_of_a_pipeline_are_given_the_table_as_it_came():
    polars = pytest.importorskip("polars")

    def numbers(frame):
        assert isinstance(frame, polars.DataFrame)
        return frame.select(polars.col("x0"), polars.col("word").str.len_chars()).to_numpy()

    table = pd.DataFrame({"x0": X[:, 0], "word": names})
    one, other = (polars.from_pandas(table[part]) for part in (M, N))
    model = make_pipeline(FunctionTransformer(numbers), GaussianNB()).fit(one, y[M])
    defended = EqualizedClassifier(model).fit(one, other, y_mem=y[M], y_non=y[N])
    np.testing.assert_array_equal(defended.predict(other), model.predict(other))


def test_variants_of_images_sparse_tables_and_mixed_frames():
    images = X.reshape(240, 1, 2, 3)
    mixed = pd.DataFrame(X).add_prefix("x").assign(word=names)
    for table in (images, sparse.csr_array(X), mixed):
        model = AnyNumbers().fit(table[M], y[M])
        attacks = [LabelOnlyAttack(n_queries=3)]
        report = audit(model, table[M], y[M], table[N], y[N], attacks, random_state=0)
        assert "not_run" not in report.results[0]


class AnyNumbers(GaussianNB):
    """Takes images, sparse tables, and the numbers in a frame."""

    def fit(self, X, y):
        return super().fit(self._flat(X), y)

    def predict_proba(self, X):
        return super().predict_proba(self._flat(X))

    def predict(self, X):
        return super().predict(self._flat(X))

    @staticmethod
    def _flat(X):
        X = X.toarray() if sparse.issparse(X) else X
        return np.reshape(X.select_dtypes("number") if hasattr(X, "iloc") else X, (len(X), -1))


def test_groups_with_missing_values_are_a_group():
    region = np.where(y > 0, "north", None)
    report = quick(fitted, slices={"region": (region[M], region[N])})
    assert report.slices["region"]
    numbers = np.where(y > 0, 1.5, np.nan)
    assert quick(fitted, slices={"score": (numbers[M], numbers[N])}).slices["score"]


@pytest.mark.parametrize("parameter", ["slices", "record_params"])
def test_what_is_not_of_both_sides_is_refused_by_name(parameter):
    shown = rf"{parameter}\['of y'\]"
    for sides, match in (
        ((y[:100], y[100:]), rf"{shown} holds 100 value\(s\) for 120 members: give one for each"),
        ((y[M], y[121:]), rf"{shown} holds 119 value\(s\) for 120 non-members"),
        ((y[M], "north"), rf"{shown} holds 0 value\(s\) for 120 non-members"),
        (y, rf"{shown} must be two arrays, \(values of the members, values of the non-members\)"),
        (None, rf"{shown} must be two arrays, .* as in {parameter}={{'of y': \(values_mem"),
    ):
        with pytest.raises(ValueError, match=match):
            quick(fitted, attacks=[Fails()], **{parameter: {"of y": sides}})
    with pytest.raises(ValueError, match=rf"{parameter}=.* is no dict: give name -> \(values of"):
        quick(fitted, **{parameter: (y[M], y[N])})


def test_parameters_by_name_are_given_in_a_dict():
    with pytest.raises(ValueError, match=r"record_params=.* is no dict: give name -> values, one"):
        query(fitted, X, y, record_params=np.ones(240))
    with pytest.raises(ValueError, match=r"fit_params=.* is no dict: give name -> value, the same"):
        quick(fitted, fit_params=["sample_weight"])


@pytest.mark.parametrize("name", ["class", "answer"])
def test_a_slice_does_not_take_the_place_of_another(name):
    with pytest.raises(ValueError, match=rf"slices\['{name}'\] has the name of a group that every"):
        quick(fitted, slices={name: (y[M], y[N])})


@pytest.mark.parametrize("kind", [np.int64, np.uint8, np.float32, list])
def test_a_mask_of_zeros_and_ones_is_a_mask_where_it_has_its_name(kind):
    rng = np.random.default_rng(0)
    X, y, is_member = rng.random((80, 4)), rng.integers(2, size=80), np.arange(80) % 2 == 0
    model = RandomForestClassifier(5, random_state=0).fit(X[is_member], y[is_member])
    ones = is_member.astype(int).tolist() if kind is list else is_member.astype(kind)
    first, second = (
        EqualizedClassifier(model, key=b"0123456789abcdef", random_state=0)
        .fit(X, y, is_member=mask)
        .predict_proba(X)
        for mask in (is_member, ones)
    )
    np.testing.assert_array_equal(first, second)
    with pytest.raises(ValueError, match="could be class labels"):
        EqualizedClassifier(model).fit(X, ones)  # by its place it could be either
    with pytest.raises(ValueError, match="1 for members and 0 for the rest"):
        EqualizedClassifier(model).fit(X, y, is_member=np.asarray(ones) + 1)


def test_a_function_with_its_classes_is_a_target():
    rng = np.random.default_rng(0)
    X, y = rng.random((400, 6)), np.array(["no", "yes"])[rng.integers(2, size=400)]
    model = RandomForestClassifier(20, random_state=0).fit(X[:200], y[:200])

    def service(X):
        return model.predict_proba(X).tolist()

    view, same = query(service, X, y, classes=["no", "yes"]), query(model, X, y)
    for key in ("proba", "label", "y"):
        np.testing.assert_array_equal(view[key], same[key])
    sides = X[:200], y[:200], X[200:], y[200:]
    asked = audit(service, *sides, "quick", random_state=0, classes=["no", "yes"])
    known = audit(model, *sides, "quick", random_state=0)
    assert asked.name == "service" and asked.results == known.results
    both = audit(
        {"a": service, "b": service}, *sides, "quick", random_state=0, classes=["no", "yes"]
    )
    assert both.reports["a"].results == both.reports["b"].results
    with pytest.raises(TypeError, match=r"give the labels of its columns, classes="):
        audit(service, *sides, "quick")
    with pytest.raises(TypeError, match="leave classes out"):
        query(model, X, y, classes=["no", "yes"])
    with pytest.raises(TypeError, match="give a function of the records"):
        query(3, X, y, classes=["no", "yes"])
    with pytest.raises(ValueError, match="different labels"):
        query(service, X, y, classes=["no", "no"])
    with pytest.raises(ValueError, match="2 columns for 3 classes"):
        query(service, X, y, classes=["no", "yes", "other"])
    with pytest.raises(ValueError, match="does not know"):
        query(service, X, y, classes=["No", "Yes"])


# ---- labels are those that the target shows


class OwnRule(GaussianNB):
    """Predicts the least likely class."""

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmin(axis=1)]


def deciders():
    two = np.where(y == 2, "yes", "no")
    threshold = FixedThresholdClassifier(GaussianNB(), threshold=0.2, pos_label="yes")
    tuned = TunedThresholdClassifierCV(GaussianNB(), scoring=make_scorer(f1_score, pos_label="yes"))
    return [
        (threshold.fit(X[M], two[M]), two),
        (make_pipeline(FunctionTransformer(), tuned).fit(X[M], two[M]), two),
        (OwnRule().fit(X[M], names[M]), names),
    ]


@pytest.mark.parametrize("model, labels", deciders(), ids=["threshold", "tuned", "own rule"])
def test_labels_are_those_that_the_target_predicts(model, labels):
    own = np.searchsorted(model.classes_, model.predict(X))
    assert (own != model.predict_proba(X).argmax(axis=1)).any()
    view = query(model, X)
    np.testing.assert_array_equal(view["label"], own)  # of nobody, the predicted label
    np.testing.assert_array_equal(view["y"], model.predict(X))
    step, variant = (
        (lambda X, rng: X + 0.5),
        np.searchsorted(model.classes_, model.predict(X + 0.5)),
    )
    view = query(model, X, labels, n_queries=3, augment=step)
    np.testing.assert_array_equal(view["predicted"], own)
    np.testing.assert_array_equal(view["repeats_predicted"], np.stack([own, variant, variant], 1))
    twice = query([model, model], X, labels, n_queries=2, augment=step)
    np.testing.assert_array_equal(
        twice["repeats_predicted"], np.stack([own, own, variant, variant], 1)
    )
    np.testing.assert_array_equal(twice[5:9]["predicted"], own[5:9])

    right = model.predict(X) == labels
    np.testing.assert_array_equal(GapAttack().fit(view, member).predict(view), right)
    report = quick(model, labels=labels, attacks=[GapAttack(), LabelOnlyAttack(n_queries=1)])
    gap = (right[M].mean() - right[N].mean()) / 2
    assert report.floor == pytest.approx(0.5 + gap)
    assert report.results[0]["excess"] == pytest.approx(0, abs=1e-12)
    assert report.train_accuracy == right[M].mean()


def test_attacks_on_labels_of_variants_are_shown_the_predicted_ones():
    # the argmax is always wrong, and the labels tell all: those of members are right
    class Knows(GaussianNB):
        def predict(self, X):
            known = (X[:, None] == Z[None, M]).all(axis=2).any(axis=1)
            return self.classes_[np.where(known, right, (right + 1) % 3)[: len(X)]]

        def predict_proba(self, X):
            return np.eye(3)[np.resize((right + 2) % 3, len(X))]

    Z, right = X.copy(), y
    model = Knows().fit(Z[M], y[M])
    view = query(model, Z, y, n_queries=3)
    for attack in (LabelOnlyAttack(3), VariantsAttack(3, labels_only=True, random_state=0)):
        assert attack.fit(view, member).score(view, member) == 1
    assert GradientBoostingAttack(random_state=0).fit(view, member).score(view, member) == 1
    assert CollisionAttack(random_state=0).fit(view, member).score(view, member) > 0.9
    with pytest.raises(ValueError, match=r"X\['predicted'\] must be 240 class indices"):
        GapAttack().fit({"proba": view["proba"], "predicted": np.full(240, 3)}, member)


def test_where_the_label_is_the_argmax_nothing_is_asked_twice():
    asked = []

    class Counts(GaussianNB):
        def predict(self, X):
            asked.append(len(X))
            return super().predict(X)

    view = query(Counts().fit(X[M], y[M]), X, y, n_queries=4)
    assert asked == [240]
    assert "predicted" not in view and "repeats_predicted" not in view
    assert "predicted" not in query(Own().fit(X[M], names[M]), X, names)


# ---- confidences in named columns


SHUFFLED = ["yes", "no", "perhaps"]
PROBA = GaussianNB().fit(X[M], names[M]).predict_proba(X)


WIDE = pd.DataFrame(PROBA, columns=["no", "perhaps", "yes"])


@contextmanager
def ignored_names():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "X has feature names")  # scikit-learn's: fitted without
        yield


def in_polars(frame):
    return pytest.importorskip("polars").from_pandas(frame)


def in_pyarrow(frame):
    return pytest.importorskip("pyarrow").Table.from_pandas(frame)


@pytest.mark.parametrize(
    "container", [lambda frame: frame, lambda frame: frame.add_prefix("p_"), in_polars, in_pyarrow],
    ids=["pandas", "prefix", "polars", "pyarrow"],
)  # fmt: skip
def test_confidences_go_by_the_names_of_their_columns(container):
    frame = container(WIDE[SHUFFLED])

    class Client:
        classes_ = np.array(["no", "perhaps", "yes"])

        def predict_proba(self, X):
            return frame

    precomputed = PrecomputedClassifier(Client.classes_)
    defense = RoundingClassifier(precomputed, decimals=2).fit(PROBA[M], PROBA[N])
    shown = np.float32(PROBA)
    for view in (
        query(lambda X: frame, X, names, classes=Client.classes_),
        query(Client(), X, names),
        query(precomputed, frame, names),
    ):
        np.testing.assert_array_equal(view["proba"], shown)
    with ignored_names():
        np.testing.assert_array_equal(defense.predict_proba(frame), defense.predict_proba(PROBA))
    np.testing.assert_array_equal(defense.perturb(frame), defense.perturb(PROBA))


@pytest.mark.parametrize(
    "columns", [["a", "b", "c"], ["p_no", "q_perhaps", "r_yes"], [1, 2, 3], ["no", "no", "yes"]]
)
def test_columns_that_are_not_named_after_classes_are_refused(columns):
    frame, classes = pd.DataFrame(PROBA, columns=columns), ["no", "perhaps", "yes"]
    refused = r"columns named .* classes are no, perhaps, yes|Expected unique column names"
    precomputed = PrecomputedClassifier(classes)
    defense = RoundingClassifier(precomputed, decimals=2).fit(PROBA[M], PROBA[N])
    for asks in (
        lambda: query(lambda X: frame, X, names, classes=classes),
        lambda: precomputed.predict(frame),
        lambda: defense.predict_proba(frame),
        lambda: defense.perturb(frame),
    ):
        with ignored_names(), pytest.raises(ValueError, match=refused):
            asks()
    frame.columns = range(3)  # nobody named them
    np.testing.assert_array_equal(precomputed.predict_proba(frame), PROBA)
    with pytest.raises(ValueError, match="has columns named no, perhaps, yes, id"):
        precomputed.predict_proba(pd.DataFrame(PROBA, columns=classes).assign(id=0))


def test_a_prefix_is_what_stands_before_every_class():
    assert class_prefix(["p_cat", "p_cow"], ["cat", "cow"]) == "p_"
    assert class_prefix(["cat", "cow"], ["cat", "cow"]) == ""
    assert class_prefix(["prob_0", "prob_10", "prob_1"], ["0", "1", "10"]) == "prob_"
    assert class_prefix(["x_a", "x_x_a"], ["a", "x_a"]) == "x_"
    for names_, labels in (
        (["10", "11"], ["0", "1"]),
        (["-1", "-2"], ["1", "2"]),
        (["p10", "p11"], ["0", "1"]),
        (["p_cat", "q_cow"], ["cat", "cow"]),
        (["p_cat", "p_cow", "id"], ["cat", "cow"]),
        (["p_cat"], ["cat", "cow"]),
    ):
        assert class_prefix(names_, labels) is None


@pytest.mark.parametrize(
    "wrap", [FrozenEstimator, lambda m: make_pipeline(FunctionTransformer(), m)]
)
def test_what_takes_confidences_is_asked_through_what_stands_around(wrap):
    model = wrap(PrecomputedClassifier([0, 1, 2])).fit(PROBA[M], y[M])
    assert shadow_template(model) is None
    attacks = [GapAttack(), LabelOnlyAttack(), LiRAAttack(GaussianNB())]
    rows = quick(model, PROBA, attacks=attacks).results
    assert [row.get("not_run", "")[:8] for row in rows] == ["", "it queri", "it needs"]
    defense = EqualizedClassifier(model).fit(PROBA[M], PROBA[N])
    assert defense._fitted_twin._field is None  # draws are not by the confidences that they hide


# ---- messages name the parameter, the value and the mend


@pytest.mark.parametrize("n_queries", [0, -1, 2.0, True, None, "3", [2]])
def test_numbers_of_queries_are_whole_and_positive(n_queries):
    with pytest.raises(ValueError, match=r"n_queries=.* give a whole number of at least 1"):
        query(fitted, X, y, n_queries=n_queries)


@pytest.mark.parametrize(
    "labels",
    [np.eye(3)[y], np.eye(3)[y].tolist(), pd.DataFrame(np.eye(3)[y]), 3, "abc", [[1, 2], [3]]],
)
def test_labels_that_are_not_one_for_each_record_are_refused(labels):
    half = labels[:120] if hasattr(labels, "__len__") else labels
    message = r"give one class label for each of the \d+ records"
    with pytest.raises(ValueError, match=f"^y is .*{message}"):
        query(fitted, X, labels)
    with pytest.raises(ValueError, match=f"^y_mem is .*{message}"):
        audit(fitted, X[M], half, X[N], y[N], "quick")
    with pytest.raises(ValueError, match=f"^y_non is .*{message}"):
        EqualizedClassifier(fitted).fit(X[M], X[N], y_mem=y[M], y_non=half)


def test_labels_in_one_column_are_read():
    np.testing.assert_array_equal(
        query(fitted, X, y[:, None])["label"], query(fitted, X, y)["label"]
    )
    with pytest.raises(ValueError, match="y has 5 labels for 240 records"):
        query(fitted, X, y[:5])


FRAME = pd.DataFrame(X, columns=list("abcdef"))


@pytest.mark.parametrize(
    "one, other, message",
    [
        (FRAME[M], X[N], "pandas.DataFrame and X_non of numpy.ndarray, and only one of them names"),
        (X[M].tolist(), FRAME[N], "of type list and X_non of pandas.DataFrame"),
        (FRAME[M], np.c_[X, X][N], r"records of shape \(6,\) and X_non of shape \(12,\)"),
        (X[M].tolist(), np.c_[X, X][N].tolist(), r"of shape \(6,\) and X_non of shape \(12,\)"),
        (["a"] * 120, X[N], r"of shape \(\) and X_non of shape \(6,\)"),
        (sparse.csr_array(X[M]), X[N], "cannot be put into one table: give both sides in the same"),
        (torch.tensor(X[M]) if torch else sparse.coo_array(X[M]), X[N], "be put into one table"),
        (None, X[N], "X_mem=None holds no records"),
        (X[M], 3, "X_non=3 holds no records"),
    ],
)
def test_containers_that_differ_are_refused_by_name(one, other, message):
    with pytest.raises((ValueError, TypeError), match=message):
        audit(fitted, one, y[M], other, y[N], "quick")


@pytest.mark.parametrize(
    "attacks, message",
    [
        (
            ["quick"],
            "holds 'quick', which is no attack: a suite runs by itself, as in attacks='qui",
        ),
        ({"mine": "full"}, "as in attacks='full'"),
        ([GapAttack(), "gap"], "holds 'gap', which is no attack: give instances"),
        ([GapAttack], "which is no attack: give instances"),
        ([None], "holds None, which is no attack"),
        ([[GapAttack()]], "which is no attack: give instances"),
    ],
)
def test_what_is_no_attack_is_named(attacks, message):
    with pytest.raises(TypeError, match=message):
        quick(fitted, attacks=attacks)
