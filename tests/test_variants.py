"""Variants of records, several deployments, and the attacks that look for an oracle in them."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from fakes import AnswerKeyedEqualizedClassifier
from scipy import sparse
from sklearn.datasets import make_classification
from sklearn.ensemble import (
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier

from sklearn_aeppt import EqualizedClassifier
from sklearn_aeppt._slices import slice_dict
from sklearn_aeppt.attacks import (
    AveragingAttack,
    BitFlips,
    CollisionAttack,
    GaussianNoise,
    GradientBoostingAttack,
    NoiseLadder,
    ThresholdAttack,
    VariantsAttack,
    query,
)
from sklearn_aeppt.attacks._augment import distinct_columns
from sklearn_aeppt.attacks._collision import recurrence
from sklearn_aeppt.attacks._variants import variant_features
from sklearn_aeppt.audit._views import ladder, one_step
from sklearn_aeppt.metrics import membership_advantage

KEY = b"a key of the tests, known to all"
rng = np.random.RandomState


@pytest.fixture(scope="module")
def table():
    X = np.random.default_rng(0).normal(size=(60, 5)) * [1, 10, 100, 1, 1]
    X[:, 4] = 3.0  # constant
    return X, (X[:, 0] > 0).astype(int)


class CountingModel(LogisticRegression):
    """Counts how often it is asked."""

    calls = 0

    def predict_proba(self, X):
        type(self).calls += 1
        return super().predict_proba(X)


# -- variants of records


def test_relative_noise_is_in_units_of_each_feature(table):
    X, _ = table
    moved = np.abs(GaussianNoise(1e-3, relative=True)(X, rng(0)) - X).mean(axis=0)
    expected = 1e-3 * np.array([*X[:, :4].std(axis=0), 1.0]) * np.sqrt(2 / np.pi)
    np.testing.assert_allclose(moved, expected, rtol=0.4)
    assert (moved > 0).all()  # the constant one too: a model may ignore it


def test_noise_moves_all_numbers_of_frames_and_nothing_else(table):
    X, _ = table
    noise = GaussianNoise(1e-3, relative=True)
    frame = pd.DataFrame(X[:, :2], columns=["a", "b"]).astype({"b": "float32"})
    frame = frame.assign(code=np.arange(60), name="x", c=pd.array(X[:, 2], dtype="Float64"))
    frame.loc[3, "a"] = np.nan
    frame.loc[4, "c"] = pd.NA
    before, moved = frame.copy(), noise(frame, rng(0))
    pd.testing.assert_frame_equal(frame, before)
    assert list(moved.columns) == list(frame.columns) and moved["b"].dtype == np.float32
    assert (moved["name"] == frame["name"]).all() and (moved["code"] != frame["code"]).all()
    assert list(np.flatnonzero(moved["a"].isna())) == [3]
    assert (moved.loc[5:, ["a", "b", "c"]] != frame.loc[5:, ["a", "b", "c"]]).all(axis=None)


@pytest.mark.parametrize("kind", ["csr_array", "csr_matrix", "csc_array", "coo_array", "bsr_array"])
@pytest.mark.parametrize("dtype", [float, np.float32, int, np.uint8, bool])
def test_sparse_tables_are_varied_as_the_dense_ones_that_they_stand_for(kind, dtype):
    dense = (rng(0).random_sample((60, 9)) < 0.3).astype(dtype)
    packed = getattr(sparse, kind)(dense)
    for vary in (
        GaussianNoise(0.1), GaussianNoise(1e-3, relative=True), BitFlips(0.2), BitFlips(n_flips=2),
    ):  # fmt: skip
        varied = vary(packed, rng(0))
        expected = vary(dense, rng(0))
        assert type(varied) is type(packed) and varied.dtype == expected.dtype
        np.testing.assert_array_equal(varied.toarray(), expected)


def test_large_sparse_tables_stay_sparse():
    packed = sparse.random_array((300, 10**6), density=1e-5, rng=rng(0), format="csc")
    varied = GaussianNoise(1e-3, relative=True)(packed, rng(0))
    assert type(varied) is type(packed) and varied.nnz == packed.nnz
    assert 0 < abs(varied - packed).max() < 1
    bits = (packed > 0).astype(np.uint8)
    flipped = BitFlips(2e-6)(bits, rng(0))
    assert set(flipped.data) == {0, 1} or set(flipped.data) == {1}
    n_flipped = (flipped != bits).sum(axis=1)
    assert abs(n_flipped.mean() - 2) < 0.3 and abs(n_flipped.var() - 2) < 0.6
    assert abs(np.mean((flipped != bits).tocoo().col) - 5e5) < 5e4  # anywhere
    assert len(ladder(bits)) == 6 and one_step(bits) == [BitFlips(2e-6)]
    assert one_step(packed)[0].scale == pytest.approx(0.1 * np.sqrt((packed.data**2).sum() / 3e8),
                                                      rel=1e-3)  # fmt: skip


@pytest.mark.parametrize(
    "make",
    [
        lambda rows: rows,
        lambda rows: [tuple(row) for row in rows],
        lambda rows: [dict(zip("abc", row)) for row in rows],
        lambda rows: np.array(rows, dtype=object),
        lambda rows: pd.DataFrame(rows, columns=list("abc"), dtype=object),
        lambda rows: pd.DataFrame(rows, columns=list("abc")).convert_dtypes(),
    ],
    ids=["lists", "tuples", "dicts", "objects", "frame of objects", "nullable"],
)
@pytest.mark.parametrize("third", ["word", None, Decimal("2.5"), True])
def test_numbers_are_varied_by_value_whatever_holds_them(make, third):
    X = rng(1).normal(size=(40, 2))
    X[:, 1] = np.rint(10 * X[:, 1])
    X[3, 0] = np.nan
    cells = [[None if x != x else float(x), int(k), third] for x, k in X]
    table = make(cells)
    varied = GaussianNoise(0.1)(table, rng(0))
    assert type(varied) is type(table)
    rows = varied.to_numpy(dtype=object) if hasattr(varied, "iloc") else varied
    rows = [list(row.values() if isinstance(row, dict) else row) for row in rows]
    noise = 0.1 * rng(0).standard_normal((40, 3))
    found = [[np.nan if pd.isna(x) else x for x in row[:2]] for row in rows]
    np.testing.assert_array_equal(np.array(found, dtype=float), X + noise[:, :2])
    last = [row[2] for row in rows]
    if third in ("word", None):
        assert all(value is third or pd.isna(value) or value == third for value in last)
    else:
        np.testing.assert_array_equal(np.array(last, dtype=float), float(third) + noise[:, 2])
    assert isinstance(varied, (list, np.ndarray, pd.DataFrame))
    if isinstance(table, list):
        assert type(varied[0]) is type(table[0])


@pytest.mark.parametrize("n", [1, 2, 5, 9])
def test_exact_flips(n):
    X = (np.random.default_rng(0).random((200, 5)) < 0.5).astype(np.float32)
    flipped = BitFlips(n_flips=n)(X, rng(0))
    assert set(np.unique(flipped)) == {0, 1} and flipped.dtype == X.dtype
    assert ((flipped != X).sum(axis=1) == min(n, 5)).all()
    for same in (X.astype(np.uint8), X.astype(bool), pd.DataFrame(X)):
        np.testing.assert_array_equal(np.asarray(BitFlips(n_flips=n)(same, rng(0))), flipped)
    packed = BitFlips(n_flips=n)(sparse.csr_matrix(X), rng(0))
    np.testing.assert_array_equal(packed.toarray(), flipped)


def test_flips_by_probability_or_by_number():
    for options in ({}, {"probability": 0.1, "n_flips": 1}):
        with pytest.raises(ValueError, match="give exactly one of the two"):
            BitFlips(**options)


def test_flipped_columns_are_uniform():
    chosen = distinct_columns(20_000, 4, 2, rng(0))
    pairs = np.unique(np.sort(chosen, axis=1), axis=0, return_counts=True)[1]
    assert len(pairs) == 6 and abs(pairs / 20_000 - 1 / 6).max() < 0.02


# -- asking


def test_each_query_takes_the_next_rung_in_turn(table):
    X, y = table
    model = LogisticRegression().fit(X, y)
    ladder = NoiseLadder(scales=(1e-6, 1e-1), flips=())
    view = query(model, X, y, n_queries=6, augment=ladder, random_state=0)
    assert view["repeats"].shape == (60, 6, 2) and view["repeats"].dtype == np.float32
    np.testing.assert_array_equal(view["rung"], np.tile([0, 1, 2, 1, 2, 1], (60, 1)))
    np.testing.assert_array_equal(view["repeats"][:, 0], view["proba"])
    moved = np.abs(view["repeats"] - view["proba"][:, None]).max(axis=(0, 2))
    assert moved[[1, 3, 5]].max() < 1e-4 < moved[[2, 4]].min()
    assert view[:7]["rung"].shape == (7, 6)  # a splitter slices it like everything else
    assert list(ladder) == [GaussianNoise(1e-6, relative=True), GaussianNoise(0.1, relative=True)]
    assert len(NoiseLadder(flips=(1, 2))) == 6


def test_variants_are_asked_together_and_answered_alike(table, monkeypatch):
    X, y = table
    model = CountingModel().fit(X, y)
    options = {"n_queries": 33, "augment": NoiseLadder(), "random_state": 0}
    CountingModel.calls = 0
    together = query(model, X, y, **options)
    assert CountingModel.calls == 2  # the record itself, and its variants
    monkeypatch.setattr("sklearn_aeppt.attacks._query.ROWS_AT_ONCE", 1)
    apart = query(model, X, y, **options)
    assert CountingModel.calls == 2 + 33
    np.testing.assert_allclose(together["repeats"], apart["repeats"], atol=1e-6)


def test_several_deployments_answer_side_by_side(table):
    X, y = table
    models = [LogisticRegression(C=c).fit(X, y) for c in (0.01, 1, 100)]
    view = query(models, X, y)
    np.testing.assert_array_equal(view["proba"], models[0].predict_proba(X).astype(np.float32))
    for i, model in enumerate(models):
        np.testing.assert_allclose(view["repeats"][:, i], model.predict_proba(X), atol=1e-6)
    varied = query(models, X, y, n_queries=4, augment=NoiseLadder((1e-9, 1e-8)), random_state=0)
    assert varied["repeats"].shape == (60, 12, 2)
    np.testing.assert_array_equal(varied["rung"][0], np.repeat([0, 1, 2, 1], 3))
    np.testing.assert_allclose(varied["repeats"][:, 3:6], view["repeats"], atol=1e-4)
    averaging = AveragingAttack(ThresholdAttack(), n_queries=3).fit(view, y)
    assert averaging.predict(view).shape == (60,)


def test_deployments_must_be_of_one_model(table):
    X, y = table
    one, other = LogisticRegression().fit(X, y), LogisticRegression().fit(X, y + 1)
    with pytest.raises(ValueError, match="give deployments of one model"):
        query([one, other], X)
    with pytest.raises(ValueError, match="holds no deployment"):
        query([], X)


# -- the attacks, worked by hand and on made-up answers


def test_features_worked_by_hand():
    answers = [[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.2, 0.8]]
    repeats = np.array([answers, [[0.5, 0.5]] * 4], dtype=np.float32)
    seen = repeats, repeats.argmax(axis=2)
    found = np.column_stack(variant_features(*seen, np.array([0, 1]), np.zeros(3, int), True))
    # distinct labels, share with the right label, share with the first answer's label
    np.testing.assert_allclose(found, [[2, 2 / 3, 2 / 3], [1, 0, 1]])
    found = np.column_stack(variant_features(*seen, np.array([0, 1]), np.zeros(3, int), False))
    assert found.shape == (2, 19)
    distinct, top, mine, same, largest = (found[:, i] for i in (3, 4, 9, 14, 18))
    np.testing.assert_allclose(distinct, [3, 1])
    np.testing.assert_allclose(top, [(0.9 + 0.6 + 0.8) / 3, 0.5], rtol=1e-6)
    np.testing.assert_allclose(mine, [(0.9 + 0.6 + 0.2) / 3, 0.5], rtol=1e-6)
    np.testing.assert_allclose(same, [1 / 3, 1])
    np.testing.assert_allclose(largest, [0.7, 0], rtol=1e-6)


@pytest.fixture(scope="module")
def oracle():
    """A view whose single answers tell nothing: members get the same one again, others another."""
    draw = np.random.default_rng(0)
    member = np.arange(400) % 2 == 0
    repeats = draw.dirichlet([5, 1, 1], size=(400, 9)).astype(np.float32)
    repeats[member, 1:3] = repeats[member, :1]
    proba = repeats[:, 0]
    rung = np.tile(np.array([0, 1, 1, *[2] * 6], dtype=np.int8), (400, 1))
    return slice_dict(proba=proba, label=proba.argmax(axis=1), repeats=repeats, rung=rung), member


def test_the_same_answer_or_another_one(oracle):
    view, member = oracle
    attack = VariantsAttack(n_queries=9, max_iter=20, random_state=0)
    assert cross_val_score(attack, view, member, cv=3, scoring="roc_auc").min() > 0.99
    bare = GradientBoostingAttack(max_iter=20, random_state=0)
    bare = cross_val_score(bare, view, member, cv=3, scoring="roc_auc")
    labels = VariantsAttack(n_queries=9, labels_only=True, max_iter=20, random_state=0)
    assert bare.mean() < 0.6
    np.testing.assert_array_equal(
        labels.fit(view, member).decision_function(view),
        labels.fit(
            slice_dict(**{**view, "repeats": np.eye(3)[view["repeats"].argmax(axis=2)]}), member
        ).decision_function(view),
    )


@pytest.mark.parametrize("attack", [VariantsAttack(9, max_iter=20), CollisionAttack()], ids=str)
def test_is_at_chance_where_membership_is_random(attack, oracle):
    view, member = oracle
    coin = np.random.default_rng(1).random(len(view)) < 0.5
    said = cross_val_predict(attack, view, coin, cv=3)
    assert abs(membership_advantage(coin, said)) < 2.5 / np.sqrt(len(view))
    assert set(attack.fit(view, member).classes_) == {False, True}


def test_an_attack_says_what_it_needs():
    assert VariantsAttack.needs_variants and not CollisionAttack.needs_variants
    assert VariantsAttack().n_queries == 33
    assert VariantsAttack(labels_only=True).labels_only and not CollisionAttack.labels_only


def test_views_of_too_few_or_of_other_variants_are_refused(oracle):
    view, member = oracle
    with pytest.raises(ValueError, match=r"holds 9 output\(s\).*n_queries=10, augment=\.\.\."):
        VariantsAttack(n_queries=10).fit(view, member)
    attack = VariantsAttack(n_queries=9).fit(view, member)
    turned = slice_dict(**{**view, "rung": view["rung"][:, ::-1]})
    with pytest.raises(ValueError, match="make both views with the same augment"):
        attack.predict(turned)
    with pytest.raises(ValueError, match=r"decimals=\(0\.5,\) must hold integers"):
        CollisionAttack(decimals=(0.5,)).fit(view, member)


def test_recurrence_worked_by_hand():
    rows = np.array([[0.5, 0.5], [0.5, 0.5], [0.0, 1.0], [-0.0, 1.0], [1.0, 0.0]])
    np.testing.assert_allclose(recurrence(rows), [0.25, 0.25, 0.25, 0.25, 0])
    assert recurrence(rows[:1]) == [0]


def test_counting_needs_no_known_member_that_collides():
    """Each atom recurs among unknown records only: the pool of all answers shows it."""
    draw = np.random.default_rng(0)
    member = np.arange(2000) % 2 == 0
    proba = draw.dirichlet([5, 1, 1], 2000)
    atoms = draw.dirichlet([5, 1, 1], 500)
    proba[member] = atoms[draw.permutation(1000) % 500]  # pairs
    attack = CollisionAttack(random_state=0).fit(proba[:100], member[:100])
    assert attack.score(proba[100:], member[100:]) > 0.95


# -- defenses whose draws depend on what they hide


@pytest.fixture(scope="module")
def location(location30):
    """The model, its records and labels, then the records to attack, with halves for learning."""
    X, y = location30
    draw = np.random.default_rng(0)
    order = draw.permutation(len(X))
    members, others, asked = order[:1500], order[1500:3000], np.r_[order[:1500], order[3000:4500]]
    model = MLPClassifier((128,), max_iter=150, alpha=0, random_state=0)
    model.fit(X[members], y[members])
    halves = np.split(draw.permutation(3000), 2)
    return model, X, y, members, others, asked, halves


def attacked(location, attack, *, target=None, seeds=(0,), cost="log_loss", **how):
    """AUC of an attack on deployments of the old scheme, trained on half of the records."""
    model, X, y, members, others, asked, (known, scored) = location
    if target is None:
        target = [
            AnswerKeyedEqualizedClassifier(model, cost=cost, key=bytes([seed]) * 32, random_state=0)
            for seed in seeds
        ]
        for one in target:
            one.fit(X[members], X[others], y_mem=y[members], y_non=y[others])
    view = query(target, X[asked], y[asked], random_state=0, **how)
    member = np.arange(len(asked)) < len(members)
    attack.fit(view[known], member[known])
    return roc_auc_score(member[scored], attack.decision_function(view[scored]))


@pytest.mark.slow  # of figures that the next test's attackers build on
def test_figures_that_the_attackers_are_measured_by(location):
    model, *_ = location
    boosting, labels = GradientBoostingAttack(random_state=0), VariantsAttack(1, labels_only=True)
    assert attacked(location, boosting, target=model) == pytest.approx(0.930, abs=0.03)
    assert attacked(location, labels) == pytest.approx(0.692, abs=0.03)
    assert attacked(location, boosting) == pytest.approx(0.692, abs=0.03)  # one answer is fine


@pytest.mark.parametrize(
    ("cost", "n_queries", "augment", "figure"),
    [
        ("log_loss", 2, GaussianNoise(1e-6), 0.864),
        pytest.param("log_loss", 33, GaussianNoise(1e-4), 0.784, marks=pytest.mark.slow),
        pytest.param("l1", 33, GaussianNoise(1e-4), 0.919, marks=pytest.mark.slow),
        ("log_loss", 33, NoiseLadder(flips=(1, 2)), 0.864),  # what the audit asks
    ],
)
def test_variants_undo_draws_keyed_by_the_answer(location, cost, n_queries, augment, figure):
    attack = VariantsAttack(n_queries, random_state=0)
    auc = attacked(location, attack, cost=cost, n_queries=n_queries, augment=augment)
    assert auc > figure - 0.03


@pytest.mark.slow
def test_deployments_with_different_keys_average_the_map_away(location):
    attack = VariantsAttack(16, random_state=0)
    assert attacked(location, attack, seeds=range(16), cost="l1") > 0.85


# -- and those whose draws belong to the record


@pytest.fixture(scope="module")
def deployed(location):
    """Cost -> the equalized defense as it is."""
    model, X, y, members, others, *_ = location
    return {
        cost: EqualizedClassifier(model, cost=cost, key=KEY, random_state=0).fit(
            X[members], X[others], y_mem=y[members], y_non=y[others]
        )
        for cost in ("auto", "l1")
    }


@pytest.mark.parametrize("cost", ["auto", "l1"])
@pytest.mark.parametrize(
    ("n_queries", "noise"),
    [(1, 0), (2, 1e-6), (33, 1e-4), pytest.param(257, 1e-2, marks=pytest.mark.slow)],
)
def test_variants_tell_no_more_than_their_labels(location, deployed, cost, n_queries, noise):
    """case 15: neither two answers, nor 32, nor 256 variants."""
    _, X, y, members, _, asked, (known, scored) = location
    how = {"n_queries": n_queries, "augment": GaussianNoise(noise)} if n_queries > 1 else {}
    view = query(deployed[cost], X[asked], y[asked], random_state=0, **how)
    member, auc = np.arange(len(asked)) < len(members), []
    for labels_only in (False, True):
        attack = VariantsAttack(n_queries, labels_only=labels_only, random_state=0)
        score = attack.fit(view[known], member[known]).decision_function(view[scored])
        auc.append(roc_auc_score(member[scored], score))
    assert auc[0] < auc[1] + 0.03


ATOMS = {
    "extra trees": ExtraTreesClassifier(100, random_state=0),
    "forest": RandomForestClassifier(100, random_state=0),
    "forest, no bootstrap": RandomForestClassifier(100, bootstrap=False, random_state=0),
    "boosting": HistGradientBoostingClassifier(max_iter=200, learning_rate=0.2, random_state=0),
    "neighbors": KNeighborsClassifier(weights="distance"),
}


@pytest.fixture(scope="module")
def blobs():
    return make_classification(
        6000, 20, n_informative=10, n_classes=5, n_clusters_per_class=2, flip_y=0.05,
        random_state=0,
    )  # fmt: skip


@pytest.mark.parametrize("name", ATOMS)
def test_equal_outputs_stay_below_the_bound(name, blobs):
    """case 16: a template and equal rows; counting equal vectors, by threshold and learned."""
    X, y = blobs
    model = ATOMS[name].fit(X[:2000], y[:2000])
    defense = EqualizedClassifier(
        model, pairwise_delta=0, other_classes="template", key=KEY, random_state=0
    ).fit(X[:2000], X[2000:4000], y_mem=y[:2000], y_non=y[2000:4000])
    asked = np.r_[:2000, 4000:6000]
    shown, member = defense.predict_proba(X[asked]), asked < 2000
    often = recurrence(shown)
    levels = np.unique(often)[:, None]
    counting = ((often[member] >= levels).mean(1) - (often[~member] >= levels).mean(1)).max()
    view = query(defense, X[asked], y[asked])
    said = cross_val_predict(CollisionAttack(random_state=0), view, member, cv=2)
    learned = membership_advantage(member, said)
    labels = VariantsAttack(1, labels_only=True, random_state=0)
    labels = membership_advantage(member, cross_val_predict(labels, view, member, cv=2))
    assert max(counting, learned) <= defense.advantage_bound_
    assert max(counting, learned) < labels + 0.05


@pytest.mark.parametrize(
    ("model", "advantage"),
    [
        (ExtraTreesClassifier(100, random_state=0), 0.95),
        (KNeighborsClassifier(weights="distance"), 0.7),
    ],
    ids=lambda value: type(value).__name__,
)
def test_counting_names_members_of_models_whose_answers_have_atoms(model, advantage, blobs):
    X, y = blobs
    model.fit(X[:2000], y[:2000])
    defense = AnswerKeyedEqualizedClassifier(model, key=KEY, random_state=0)
    defense.fit(X[:2000], X[2000:4000], y_mem=y[:2000], y_non=y[2000:4000])
    asked = np.r_[:2000, 4000:6000]
    view, member = query(defense, X[asked], y[asked]), asked < 2000
    said = cross_val_predict(CollisionAttack(random_state=0), view, member, cv=2)
    assert membership_advantage(member, said) > advantage
    labels = VariantsAttack(1, labels_only=True, random_state=0)
    said = cross_val_predict(labels, view, member, cv=2)
    assert membership_advantage(member, said) < 0.35
