"""Attacks on records: shadow models, LiRA, RMIA, quantile regression, label-only."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import sparse
from scipy.stats import norm
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import cross_val_predict, cross_val_score
from sklearn.naive_bayes import BernoulliNB, GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from sklearn_aeppt import EqualizedClassifier
from sklearn_aeppt._records import RecordRows, join_records, number_records
from sklearn_aeppt._slices import slice_dict
from sklearn_aeppt.attacks import (
    BitFlips,
    FlipAttack,
    GapAttack,
    GaussianNoise,
    GradientBoostingAttack,
    LabelOnlyAttack,
    LiRAAttack,
    QuantileRegressionAttack,
    RMIAAttack,
    RoundingAttack,
    ShadowAttack,
    ThresholdAttack,
    query,
)
from sklearn_aeppt.attacks._shadow_models import (
    balanced_design,
    confidences,
    label_and_rest,
    label_columns,
)
from sklearn_aeppt.defenses import RoundingClassifier, TopKClassifier

tree = DecisionTreeClassifier(min_samples_leaf=2)
ATTACKS = [
    ShadowAttack(GaussianNB(), random_state=0),
    ShadowAttack(GaussianNB(), ThresholdAttack(), n_shadow_models=1, random_state=0),
    *(
        kind(GaussianNB(), mode=mode, n_shadow_models=8, random_state=0)
        for kind in (LiRAAttack, RMIAAttack)
        for mode in ("online", "offline")
    ),
    LiRAAttack(GaussianNB(), statistic="confidence", n_shadow_models=8, random_state=0),
    LiRAAttack(GaussianNB(), statistic="loss", variance="per_record", random_state=0),
    LiRAAttack(GaussianNB(), variance="pooled", n_shadow_models=5, train_size=0.45, random_state=0),
    RMIAAttack(GaussianNB(), mode="offline", offline_a=0.3, gamma=1.0, random_state=0),
    QuantileRegressionAttack(random_state=0),
    LabelOnlyAttack(n_queries=8),
    FlipAttack(FlipAttack(RMIAAttack(GaussianNB(), n_shadow_models=4, random_state=0))),
]
ids = [f"{i}-{type(attack).__name__}" for i, attack in enumerate(ATTACKS)]
RECORD_ATTACKS = [a for a in ATTACKS if hasattr(a, "n_shadow_models")]


@pytest.fixture(scope="module")
def game():
    """(view, is_member) of a naive Bayes model with more features than it can bear."""
    rng = np.random.default_rng(0)
    X, y, is_member = rng.normal(size=(600, 80)), rng.integers(3, size=600), np.arange(600) < 300
    model = GaussianNB().fit(X[is_member], y[is_member])
    view = query(model, X, y, n_queries=8, augment=GaussianNoise(0.5), random_state=0)
    return view, is_member


def interval(n):
    return 2.5 * 0.5 / np.sqrt(n)


@pytest.mark.parametrize("attack", ATTACKS, ids=ids)
def test_beats_chance_where_the_model_leaks(attack, game):
    view, is_member = game
    said = cross_val_predict(attack, view, is_member, cv=2)
    assert balanced_accuracy_score(is_member, said) > 0.5 + interval(len(view))
    auc = cross_val_score(attack, view, is_member, cv=2, scoring="roc_auc")
    assert auc.mean() > 0.55


@pytest.mark.parametrize("attack", ATTACKS, ids=ids)
def test_is_at_chance_where_membership_is_random(attack, game):
    view, _ = game
    coin = np.random.default_rng(3).random(len(view)) < 0.5
    said = cross_val_predict(attack, view, coin, cv=2)
    assert abs(balanced_accuracy_score(coin, said) - 0.5) < interval(len(view))


@pytest.mark.parametrize("attack", ATTACKS, ids=ids)
def test_contract_of_an_estimator(attack, game):
    view, is_member = game
    names = np.where(is_member, 1.0, -1.0)
    half = np.arange(len(view)) % 2 == 0
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    first, second = (clone(attack).fit(view[half], names[half]) for _ in range(2))
    np.testing.assert_array_equal(first.predict(view[~half]), second.predict(view[~half]))
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    assert list(first.classes_) == [-1.0, 1.0]
    assert first.n_features_in_ == 3
    # asking changes nothing, and the answer can be had again
    score = first.decision_function(view[~half])
    np.testing.assert_array_equal(score, first.decision_function(view[~half]))
    np.testing.assert_array_equal(first.predict(view[~half]) == 1.0, score > 0)


@pytest.mark.parametrize("attack", [*RECORD_ATTACKS, QuantileRegressionAttack()], ids=str)
def test_answers_without_records_are_refused(attack):
    proba = np.random.default_rng(0).dirichlet([1, 1, 1], 40)
    name = type(attack).__name__
    for X in (proba, slice_dict(proba=proba.astype(np.float32))):
        with pytest.raises(ValueError, match=f"{name} trains on records.*attacks.query"):
            clone(attack).fit(X, np.arange(40) % 2)


@pytest.mark.parametrize("kind", [LiRAAttack, RMIAAttack, ShadowAttack])
def test_a_target_that_clone_keeps_is_refused(kind, game):
    view, is_member = game
    fitted = GaussianNB().fit(view["X"].take()[is_member], view["label"][is_member])
    for estimator, mend in (
        (FrozenEstimator(fitted), rf"{kind.__name__}\(GaussianNB\(\.\.\.\)\)"),
        (EqualizedClassifier(fitted), r"\(EqualizedClassifier\(GaussianNB\(\.\.\.\)\)\)"),
        (make_pipeline(StandardScaler(), FrozenEstimator(fitted)), "would reveal its members"),
        (EqualizedClassifier(FrozenEstimator(fitted)), "Give the model unfitted"),
    ):
        with pytest.raises(ValueError, match=mend):
            kind(estimator).fit(view, is_member)
    with pytest.raises(TypeError, match="must have fit and predict_proba"):
        kind(StandardScaler()).fit(view, is_member)
    with pytest.raises(ValueError, match="put the defense outermost"):
        kind(_Holder(TopKClassifier(GaussianNB()))).fit(view, is_member)


class _Holder(ClassifierMixin, BaseEstimator):
    def __init__(self, inner):
        self.inner = inner

    def fit(self, X, y):
        raise AssertionError("must not come this far")

    predict_proba = fit


class _Recorder(ClassifierMixin, BaseEstimator):
    """Takes a mask of members, as defenses do, and remembers what it was told."""

    def fit(self, X, y, is_member=None):
        self.told_, self.classes_ = np.array(is_member), np.unique(y)
        return self

    def predict_proba(self, X):
        return np.full((len(X), len(self.classes_)), 1 / len(self.classes_))


def test_a_defended_template_learns_who_its_members_are(game):
    view, is_member = game
    for estimator in (_Recorder(), make_pipeline(StandardScaler(), _Recorder())):
        attack = LiRAAttack(estimator, n_shadow_models=4, mode="offline", random_state=0)
        attack.fit(view, is_member)
        for model, row in zip(attack.shadow_estimators_, attack.in_mask_):
            recorder = model[-1] if hasattr(model, "steps") else model
            np.testing.assert_array_equal(recorder.told_, row)
        np.testing.assert_array_equal(attack.in_mask_.sum(axis=0), 2)


def test_shadow_models_carry_the_defense(game):
    view, is_member = game
    template = RoundingClassifier(GaussianNB(), decimals=1)
    attack = LiRAAttack(template, n_shadow_models=4, mode="offline", random_state=0)
    attack.fit(view, is_member)
    plain = clone(attack).set_params(estimator=GaussianNB()).fit(view, is_member)
    shown, bare = (len(np.unique(a._answers[..., 0].round(5))) for a in (attack, plain))
    assert shown < 60 < 1000 < bare


# ---- shadow models learn what the target learned


class _Weighed(GaussianNB):
    """Remembers what it was told, and takes no labels but 0 to K - 1 where it is strict."""

    def __init__(self, strict=False, class_weight=None, priors=None, var_smoothing=1e-9):
        self.strict, self.class_weight = strict, class_weight
        super().__init__(priors=priors, var_smoothing=var_smoothing)

    def fit(self, X, y, sample_weight=None, eval_set=None):
        if self.strict and len(np.unique(y)) <= np.max(y):
            raise ValueError("Invalid classes inferred from unique values of y.")
        self.weight_, self.eval_set_ = sample_weight, eval_set
        return super().fit(X, y, sample_weight)


def weighted_view(game, n=120):
    """(view, is_member, weight) of a model trained with weights."""
    view, is_member = game
    rows = np.r_[: n // 2, 300 : 300 + n // 2]
    X, y, is_member = view["X"].take()[rows], view["y"][rows], is_member[rows]
    weight = np.random.default_rng(0).uniform(0.5, 2, n)
    model = GaussianNB().fit(X[is_member], y[is_member], weight[is_member])
    return query(model, X, y, record_params={"sample_weight": weight}), is_member, weight


@pytest.mark.parametrize("kind", [LiRAAttack, RMIAAttack])
def test_shadow_models_are_given_the_weights_of_their_records(kind, game):
    view, is_member, weight = weighted_view(game)
    eval_set = [np.zeros(3)]
    attack = kind(_Weighed(), n_shadow_models=4, mode="offline", fit_params={"eval_set": eval_set})
    attack.fit(view[::2], is_member[::2])
    for model, row in zip(attack.shadow_estimators_, attack.in_mask_):
        np.testing.assert_array_equal(model.weight_, weight[::2][row])
        np.testing.assert_array_equal(model.eval_set_, eval_set)
        assert model.eval_set_ is not eval_set  # callbacks keep a state
    assert attack.predict(view[1::2]).shape == (60,)
    defended = clone(attack).set_params(estimator=RoundingClassifier(_Weighed()), fit_params=None)
    defended.fit(view, is_member)
    for model, row in zip(defended.shadow_estimators_, defended.in_mask_):
        np.testing.assert_array_equal(model.estimator_.weight_, weight[row])


@pytest.mark.parametrize(
    "attack",
    [
        LiRAAttack(GaussianNB(), n_shadow_models=4, random_state=0),
        RMIAAttack(GaussianNB(), n_shadow_models=4, random_state=0),
        ShadowAttack(GaussianNB(), ThresholdAttack(), random_state=0),
        RoundingAttack(LiRAAttack(GaussianNB(), n_shadow_models=4, random_state=0)),
    ],
    ids=str,
)
def test_weights_of_a_view_count_through_every_attack(attack, game):
    view, is_member, _ = weighted_view(game)
    bare = slice_dict(**{k: v for k, v in view.items() if not k.startswith("fit__")})
    alike = slice_dict(**{**bare, "fit__sample_weight": np.ones(120)})
    said = [
        clone(attack).fit(v[::2], is_member[::2]).decision_function(v[1::2])
        for v in (view, bare, alike)
    ]
    np.testing.assert_allclose(said[1], said[2], atol=1e-5)
    assert np.abs(said[0] - said[1]).max() > 1e-3
    assert cross_val_score(attack, view, is_member, cv=2).shape == (2,)


def test_fit_parameters_in_the_wrong_place_are_refused(game):
    view, is_member, weight = weighted_view(game)
    attack = LiRAAttack(GaussianNB(), n_shadow_models=4)
    for name, wrong, length in (("eval_set", [0], 1), ("verbose", False, 0), ("w", "x" * 120, 0)):
        match = rf"record_params\['{name}'\] holds {length} value.* for 120 records.*LiRAAttack\("
        with pytest.raises(ValueError, match=match):
            query(_Given(), view["X"].take(), view["y"], record_params={name: wrong})
    bare = slice_dict(**{k: view[k] for k in ("proba", "label", "y", "X")})
    for name in ("sample_weight", "gaussiannb__sample_weight"):
        constant = clone(attack).set_params(fit_params={name: weight})
        with pytest.raises(ValueError, match=rf"record_params={{'{name}': \.\.\.}} to query or"):
            constant.fit(bare, is_member)
    twice = clone(attack).set_params(fit_params={"sample_weight": weight})
    with pytest.raises(ValueError, match="fit_params and record_params both hold 'sample_weight'"):
        twice.fit(view, is_member)
    with pytest.raises(ValueError, match="sample_weight is given for the records of fit or"):
        attack.fit(view, is_member).predict(bare)


class _Given:
    classes_ = np.arange(3)

    def predict_proba(self, X):
        return np.full((len(X), 3), 1 / 3)


# ---- classes that a shadow model misses


@given(st.integers(2, 8), st.integers(0, 99))
def test_law_a_class_of_enough_records_trains_every_shadow_model(n_models, seed):
    label = np.repeat([0, 1, 2, 3], [20, 3, 2, 1])
    X, rng = np.arange(26)[:, None], np.random.RandomState
    mask = balanced_design(n_models, X, 0.5, rng(seed), label)
    plain = balanced_design(n_models, X, 0.5, rng(seed))
    np.testing.assert_array_equal(mask.sum(axis=0), plain.sum(axis=0))
    for value in range(4):
        mine = mask[:, label == value]
        assert mine.any(axis=1).all() or mine.sum() < n_models


def rare_game():
    """(view, is_member): five classes, of which the target knows one more and two are rare."""
    rng = np.random.default_rng(0)
    X, y, is_member = rng.normal(size=(80, 5)), rng.integers(3, size=80), np.arange(80) < 40
    y[[0, 79]], y[[1, 78]] = 3, 5
    model = GaussianNB().fit(np.r_[X[is_member], X[:1]], np.r_[y[is_member], 4])
    return query(model, X, y), is_member


@pytest.mark.parametrize("defended", [False, True])
def test_a_model_that_takes_no_gap_among_its_labels_is_trained_on_their_places(defended):
    view, is_member = rare_game()
    options = {"n_shadow_models": 4, "mode": "offline", "random_state": 0}
    wrap = RoundingClassifier if defended else clone
    strict, plain = (
        LiRAAttack(wrap(_Weighed(strict)), **options).fit(view, is_member)
        for strict in (True, False)
    )
    np.testing.assert_array_equal(strict._answers, plain._answers)
    for ours, theirs in zip(strict.shadow_estimators_, plain.shadow_estimators_):
        np.testing.assert_array_equal(ours.classes_, theirs.classes_)
        np.testing.assert_array_equal(
            ours.predict(view["X"].take()), theirs.predict(view["X"].take())
        )
    score = strict.decision_function(view[::3])
    np.testing.assert_array_equal(score, plain.decision_function(view[::3]))


def test_labels_are_not_renumbered_where_something_else_may_name_them():
    view, is_member = rare_game()
    for attack in (
        LiRAAttack(_Weighed(True), n_shadow_models=4, fit_params={"eval_set": [0]}),
        LiRAAttack(_Weighed(True, class_weight={5: 2.0}), n_shadow_models=4),
    ):
        with pytest.raises(ValueError, match=r"Invalid classes.*have a gap.*more records of"):
            attack.fit(view, is_member).predict(view)


@given(st.integers(1, 9), st.floats(0.1, 0.9), st.integers(2, 30), st.integers(0, 99))
def test_law_each_record_trains_its_share_of_the_shadow_models(n_shadow_models, share, n, seed):
    X = np.arange(n)[:, None] // 2 * 2
    mask = balanced_design(n_shadow_models, X, share, np.random.RandomState(seed))
    assert mask.shape == (n_shadow_models, n)
    counts = mask.sum(axis=0)
    assert np.abs(counts - share * n_shadow_models).max() < 1 + 1e-9
    np.testing.assert_array_equal(mask[:, : n // 2 * 2 : 2], mask[:, 1 : n // 2 * 2 : 2])


def test_equal_records_have_one_number_whatever_they_come_in():
    X = np.array([[0, 1], [1, 0], [0, 1], [0, 0]])
    texts = ["a b", "b", "a b", ""]
    frame = pd.DataFrame(X, columns=["u", "v"]).assign(t=["x", "y", "x", "y"])
    stored_zero = sparse.csr_array(X)
    for records in (X, X.astype(float), sparse.csr_matrix(X), stored_zero, frame, texts):
        np.testing.assert_array_equal(number_records(records), [0, 1, 0, 2])
    np.testing.assert_array_equal(number_records(np.array(texts, dtype=object)), [0, 1, 0, 2])


def test_record_rows_are_copied_late_and_keep_their_kind():
    frame = pd.DataFrame({"a": [1, 2, 3], "b": ["x", "y", "z"]})
    for X in (frame, np.eye(3), sparse.eye_array(3, format="csr"), ["r", "s", "t"]):
        rows = RecordRows(X)[np.array([2, 0])][::-1]
        assert len(rows) == 2 and rows.shape == (2,)
        taken = rows.take()
        assert type(taken) is type(X)
        joined = join_records(taken, taken)
        np.testing.assert_array_equal(number_records(joined), [0, 1, 0, 1])
    assert RecordRows(np.eye(3)).X is not None
    np.testing.assert_array_equal(np.asarray(RecordRows(np.eye(3))[1:]), np.eye(3)[1:])


def test_views_hold_records_of_any_kind():
    texts = [f"{'good' if i % 2 else 'bad'} day{i}" for i in range(80)]
    y = np.array(["g", "b"] * 40)
    member = np.arange(80) < 40
    model = make_pipeline(CountVectorizer(), BernoulliNB())
    view = query(clone(model).fit(texts[:40], y[:40]), texts, y)
    attack = LiRAAttack(model, n_shadow_models=4, random_state=0).fit(view, member)
    assert attack.predict(view[:10]).shape == (10,)
    rng = np.random.default_rng(0)
    table = rng.random((80, 12)) < 0.3
    frame = pd.DataFrame(table, columns=[f"c{i}" for i in range(12)])
    for X in (sparse.csr_matrix(table.astype(float)), frame):
        fitted = LogisticRegression().fit(X[:40], y[:40])
        view = query(fitted, X, y)
        for attack in (LiRAAttack(fitted, n_shadow_models=4), RMIAAttack(fitted, mode="offline")):
            assert attack.fit(view, member).predict(view[::2]).shape == (40,)
        assert QuantileRegressionAttack().fit(view, member).predict(view).shape == (80,)


def test_lira_worked_by_hand():
    """Two models with and two without the record; statistic logit, one pooled variance."""
    attack = LiRAAttack(None, n_shadow_models=4, variance="pooled")
    p = np.array([[0.9, 0.8], [0.8, 0.7], [0.6, 0.5], [0.4, 0.3]])  # (model, record)
    shadows = np.stack([p, 1 - p], axis=-1)
    in_mask = np.array([[True, False], [True, False], [False, True], [False, True]])
    target = np.array([[0.85, 0.15], [0.45, 0.55]])
    logit = lambda q: np.log(q / (1 - q))  # noqa: E731
    inside = np.array([logit(p[:2, 0]), logit(p[2:, 1])])  # (record, model)
    outside = np.array([logit(p[2:, 0]), logit(p[:2, 1])])
    sd_in, sd_out = (np.sqrt(a.var(axis=1, ddof=1).mean()) for a in (inside, outside))
    s = logit(target[:, 0])
    expected = norm.logpdf(s, inside.mean(1), sd_in) - norm.logpdf(s, outside.mean(1), sd_out)
    np.testing.assert_allclose(attack._score(target, shadows, in_mask, None), expected)
    attack.mode = "offline"
    expected = -norm.logsf(s, outside.mean(1), sd_out)
    np.testing.assert_allclose(attack._score(target, shadows, in_mask, None), expected)


def test_offline_lira_is_one_sided():
    """Far less sure than models without the record: no member."""
    attack = LiRAAttack(None, n_shadow_models=4, mode="offline")
    p = np.array([[0.5, 0.5, 0.5], [0.52, 0.48, 0.5], [0.48, 0.52, 0.51], [0.5, 0.5, 0.49]])
    shadows = np.stack([p, 1 - p], axis=-1)
    target = np.array([[0.99, 0.01], [0.5, 0.5], [0.01, 0.99]])
    score = attack._score(target, shadows, np.zeros(p.shape, bool), None)
    assert score[0] > score[1] > score[2] >= 0


def test_one_vote_of_a_forest_is_no_astronomical_distance():
    attack = LiRAAttack(None, n_shadow_models=4)
    p = np.array([[1.0, 0.9], [0.9, 0.9], [0.9, 0.8], [0.8, 0.8]])
    shadows = np.stack([p, 1 - p], axis=-1)
    in_mask = np.array([[True] * 2] * 2 + [[False] * 2] * 2)
    score = attack._score(np.array([[1.0, 0.0], [0.8, 0.2]]), shadows, in_mask, None)
    assert np.isfinite(score).all() and np.abs(score).max() < 50


@given(
    arrays(float, (3, 12), elements=st.floats(0, 1)),
    arrays(float, 12, elements=st.floats(0, 1)),
    st.floats(0.5, 3),
    st.integers(0, 2**12 - 1),
)
def test_law_rmia_by_sorting_is_rmia_by_counting(shadow, target, gamma, bits):
    out = np.array([bits >> i & 1 for i in range(12)], dtype=bool)
    in_mask = np.vstack([out, ~out, out])
    member = np.arange(12) % 3 - 1
    attack = RMIAAttack(None, n_shadow_models=3, gamma=gamma)
    score = attack._score(
        np.column_stack([target, 1 - target]), np.stack([shadow, 1 - shadow], -1), in_mask, member
    )
    tiny = np.finfo(float).tiny
    ratio = []
    for i in range(12):
        sides = [shadow[m, i].mean() if m.any() else 0 for m in (in_mask[:, i], ~in_mask[:, i])]
        ratio.append(target[i] / max(sum(sides) / 2, tiny))
    others = [r for r, m in zip(ratio, member) if m == 0]
    expected = [np.mean([r / gamma > z for z in others]) for r in ratio]
    np.testing.assert_allclose(score, expected, atol=0.26)  # a tie in the last bit moves one
    assert np.mean(np.abs(score - expected) < 1e-9) > 0.7


def test_a_class_that_a_shadow_model_missed_has_confidence_zero():
    X = np.arange(8.0)[:, None]
    model = GaussianNB().fit(X[:4], [0, 0, 2, 2])
    columns = label_columns(np.arange(4), np.arange(4))
    proba = confidences(model, X, 4, columns)
    assert proba.shape == (8, 4)
    assert (proba[:, [1, 3]] == 0).all()
    np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-6)
    mine, rest = label_and_rest(proba, np.full(8, 3)).T
    assert (mine == 0).all()
    np.testing.assert_allclose(rest, 1, rtol=1e-6)


def test_the_sum_of_the_others_keeps_its_digits():
    proba = np.array([[1.0, 1e-30, 2e-30]], dtype=np.float32)
    np.testing.assert_allclose(label_and_rest(proba, np.array([0])), [[1, 3e-30]], rtol=1e-6)


class _Counting(GaussianNB):
    """Writes a line for each fit; fails where a file says so."""

    def __init__(self, log=None, priors=None, var_smoothing=1e-9):
        self.log = log
        super().__init__(priors=priors, var_smoothing=var_smoothing)

    def fit(self, X, y, sample_weight=None, loud=False):
        n = len(self.log.read_text().splitlines()) if self.log.exists() else 0
        if n == 3 and not self.log.with_suffix(".on").exists():
            raise KeyboardInterrupt
        with self.log.open("a") as file:
            file.write("fit\n")
        return super().fit(X, y, sample_weight)


@pytest.mark.parametrize("mode", ["online", "offline"])
def test_a_run_that_was_cut_off_goes_on_where_it_stopped(mode, game, tmp_path):
    view, is_member = game
    view, is_member = view[::3], is_member[::3]
    log, memory = tmp_path / "log", str(tmp_path / "cache")

    def run(view=view, fit_params=None, **params):
        template = _Counting(log, **params)
        options = {"mode": mode, "memory": memory, "fit_params": fit_params, "random_state": 0}
        attack = LiRAAttack(template, n_shadow_models=6, **options)
        return attack.fit(view[::2], is_member[::2]).decision_function(view[1::2])

    def fits():
        return len(log.read_text().splitlines())

    with pytest.raises(KeyboardInterrupt):
        run()
    assert fits() == 3
    log.with_suffix(".on").touch()
    first = run()
    assert fits() == 6
    np.testing.assert_array_equal(run(), first)
    assert fits() == 6
    run(var_smoothing=1e-3)  # other parameters
    assert fits() == 12
    other = view[:]
    other["X"] = RecordRows(view["X"].take() + 1)  # other data
    run(view=other)
    assert fits() == 18
    weighted = view[:]
    weighted["fit__sample_weight"] = np.ones(len(view))  # other weights
    run(view=weighted)
    run(view=weighted)
    assert fits() == 24
    run(view=weighted, fit_params={"loud": True})
    assert fits() == 30


def test_several_jobs_give_the_same_scores(game):
    view, is_member = game
    half = np.arange(len(view)) % 2 == 0
    scores = [
        LiRAAttack(tree, n_shadow_models=4, n_jobs=n_jobs, random_state=0)
        .fit(view[half], is_member[half])
        .decision_function(view[~half])
        for n_jobs in (None, 2)
    ]
    np.testing.assert_array_equal(*scores)


def test_every_shadow_model_has_a_seed_of_its_own(game):
    view, is_member = game
    model = make_pipeline(StandardScaler(), DecisionTreeClassifier(random_state=7))
    attack = LiRAAttack(model, n_shadow_models=6, mode="offline", random_state=0).fit(
        view, is_member
    )
    seeds = {shadow[-1].random_state for shadow in attack.shadow_estimators_}
    assert len(seeds) == 6 and 7 not in seeds


def test_too_few_shadow_models_are_refused(game):
    view, is_member = game
    with pytest.raises(ValueError, match="Raise n_shadow_models"):
        LiRAAttack(GaussianNB(), n_shadow_models=3).fit(view, is_member)
    with pytest.raises(ValueError, match=r"n_shadow_models=4 and train_size=0\.9"):
        RMIAAttack(GaussianNB(), n_shadow_models=4, train_size=0.9, mode="offline").fit(
            view, is_member
        )
    alone = view[:]
    alone["label"] = np.zeros(len(view), dtype=np.int64)
    with pytest.raises(ValueError, match="fewer than two classes"):
        RMIAAttack(GaussianNB()).fit(alone, is_member).predict(alone)


def test_a_known_record_is_judged_by_the_models_it_trained(game):
    view, is_member = game
    attack = RMIAAttack(GaussianNB(), mode="offline", n_shadow_models=8, random_state=0)
    attack.fit(view, is_member)
    together, alone = attack.decision_function(view), attack.decision_function(view[5:6])
    np.testing.assert_allclose(together[5:6], alone)


def test_progress_is_shown_on_request(game, capsys):
    view, is_member = game
    LiRAAttack(GaussianNB(), n_shadow_models=4, mode="offline").fit(view, is_member)
    assert capsys.readouterr().err == ""
    LiRAAttack(GaussianNB(), n_shadow_models=4, mode="offline", verbose=1).fit(view, is_member)
    assert "shadow models: 100%" in capsys.readouterr().err


def test_label_only_with_one_query_is_the_gap_attack(game):
    view, is_member = game
    said = LabelOnlyAttack(n_queries=1).fit(view, is_member).predict(view)
    np.testing.assert_array_equal(said, GapAttack().fit(view, is_member).predict(view))
    with pytest.raises(ValueError, match=r"n_queries=9.*augment=\.\.\."):
        LabelOnlyAttack(n_queries=9).fit(view, is_member)


def test_variants():
    rng = np.random.RandomState
    X = (np.random.default_rng(0).random((50, 40)) < 0.5).astype(np.float32)
    flipped = BitFlips(0.1)(X, rng(0))
    assert set(np.unique(flipped)) == {0, 1} and flipped.dtype == X.dtype
    assert 0.05 < np.mean(flipped != X) < 0.15
    packed = BitFlips(0.1)(sparse.csr_matrix(X), rng(0))
    np.testing.assert_array_equal(packed.toarray(), flipped)
    for same in (X.astype(np.uint8), X.astype(bool), pd.DataFrame(X)):
        np.testing.assert_array_equal(np.asarray(BitFlips(0.1)(same, rng(0))), flipped)
    noisy = GaussianNoise(2.0)(X, rng(0))
    assert noisy.dtype == X.dtype and 1.8 < (noisy - X).std() < 2.2


def test_wrappers_hand_the_records_on(game):
    view, is_member = game
    attack = RoundingAttack(LiRAAttack(GaussianNB(), n_shadow_models=4, random_state=0), decimals=2)
    assert attack.fit(view, is_member).predict(view[:50]).shape == (50,)
    plain = RoundingAttack(GradientBoostingAttack(random_state=0)).fit(view["proba"], is_member)
    assert plain.predict(view["proba"]).shape == (600,)
