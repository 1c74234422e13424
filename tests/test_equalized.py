import io
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, log_loss, roc_auc_score
from sklearn.model_selection import GridSearchCV, cross_val_predict

from sklearn_aeppt import EqualizedClassifier
from sklearn_aeppt._precomputed import PrecomputedClassifier
from sklearn_aeppt._simplex import falling_order
from sklearn_aeppt.attacks import GradientBoostingAttack, ThresholdAttack, query
from sklearn_aeppt.defenses._equalized import Side
from sklearn_aeppt.defenses._label_groups import group_labels
from sklearn_aeppt.defenses._transport import equalizing_map
from sklearn_aeppt.metrics import expected_calibration_error, label_only_floor, perturbation_size

KEY = b"a key of the tests, known to all"
RESTS = ("ranking", "rescaled", "template")


def total_variation(a, b):
    return 0.5 * np.abs(a - b).sum()


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    bins=st.integers(2, 8),
    delta=st.sampled_from([0.0, 0.1, 1.0]),
    pairwise_delta=st.sampled_from([0.0, 0.3, 1.0]),
)
def test_law_the_map_keeps_both_bounds(seed, bins, delta, pairwise_delta):
    rng = np.random.default_rng(seed)
    p, n = rng.dirichlet(np.ones(bins), 2)
    x = rng.random(bins)
    cost = (p + n)[:, None] * np.abs(x[:, None] - x)
    w, spent = equalizing_map(p, n, cost, delta, pairwise_delta)
    np.testing.assert_allclose(w.sum(axis=1), 1)
    assert total_variation(p @ w, n @ w) <= delta + 1e-6
    between_rows = 0.5 * np.abs(w[:, None] - w[None]).sum(axis=2)
    assert between_rows.max() <= pairwise_delta + 1e-6
    assert spent == pytest.approx((cost * w).sum(), abs=1e-6)


def test_map_worked_by_hand():
    # members 3:1, non-members 1:3; one unit of distance; half of either side must move
    p, n, distance = np.array([0.75, 0.25]), np.array([0.25, 0.75]), np.array([[0, 1], [1, 0]])
    _, spent = equalizing_map(p, n, (p + n)[:, None] * distance)
    # rows must be equal: the map sends all to one bin, which moves one unit of mass in two
    assert spent == pytest.approx(1.0)
    w, spent = equalizing_map(p, n, (p + n)[:, None] * distance, delta=0.5)
    assert spent == pytest.approx(0) and w == pytest.approx(np.eye(2))


def test_retrained_attackers_come_down_to_the_floor(overfit):
    model, X, y, is_member = overfit
    view, pred = query(model, X, y), model.predict(X)
    floor = label_only_floor(y[is_member], pred[is_member], y[~is_member], pred[~is_member])
    pytest.importorskip("torch")
    from sklearn_aeppt.attacks import MIMAttack

    attack = MIMAttack("substitute", max_epochs=60, random_state=0)

    def retrained(view):
        return balanced_accuracy_score(is_member, cross_val_predict(attack, view, is_member, cv=4))

    noise = 2.5 * 0.5 / np.sqrt(len(X))
    assert retrained(view) > floor + noise
    for cost in ("l1", "log_loss"):
        for rest in RESTS:
            defense = EqualizedClassifier(model, cost=cost, other_classes=rest, random_state=0)
            defense.fit(X, y, is_member=is_member)
            assert defense.total_variation_ <= 1e-6
            assert retrained(query(defense, X, y)) < floor + noise, (cost, rest)


def test_log_loss_cost_calibrates_an_overfit_model(overfit):
    model, X, y, is_member = overfit
    defense = EqualizedClassifier(model, cost="log_loss", random_state=0)
    defense.fit(X, y, is_member=is_member)
    before, after = (m.predict_proba(X[~is_member]) for m in (model, defense))
    truth = y[~is_member]
    assert log_loss(truth, after) < log_loss(truth, before)
    assert expected_calibration_error(truth, after) < expected_calibration_error(truth, before)


def test_l1_is_smaller_with_its_own_cost_and_with_more_delta(overfit):
    model, X, y, is_member = overfit
    p = model.predict_proba(X)

    def size(**params):
        defense = EqualizedClassifier(model, other_classes="rescaled", random_state=0, **params)
        return perturbation_size(p, defense.fit(X, y, is_member=is_member).perturb(p))

    assert size(cost="l1") < size(cost="log_loss")
    assert size(cost="l1", delta=0.2) < size(cost="l1") < size(cost="l1", pairwise_delta=0.0)


@pytest.mark.parametrize("rest", RESTS)
def test_shown_vectors_are_probabilities_with_the_label(overfit, rest):
    model, X, _, is_member = overfit
    defense = EqualizedClassifier(model, other_classes=rest, random_state=0).fit(X, is_member)
    p = np.r_[model.predict_proba(X), np.eye(4), np.full((1, 4), 0.25), [[0.5, 0.5, 0, 0]]]
    records = np.r_[X, X[:6]]
    for q in (p, p.astype(np.float32)):
        shown = defense.perturb(q, records)
        np.testing.assert_array_equal(shown.argmax(axis=1), q.argmax(axis=1))
        np.testing.assert_allclose(shown.sum(axis=1, dtype=np.float64), 1, atol=1e-6)
        assert shown.min() >= 0 and shown.dtype == q.dtype
    shown = defense.perturb(p[:600], X)
    if rest == "ranking":
        order = np.argsort(-p[:600], axis=1, kind="stable")
        assert (np.diff(np.take_along_axis(shown, order, 1), axis=1) <= 1e-12).all()
    np.testing.assert_array_equal(defense.perturb(p[:600][::-1], X[::-1])[::-1], shown)
    np.testing.assert_array_equal(defense.perturb(np.asfortranarray(p[:600]), X), shown)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(defense)).perturb(p[:600], X), shown)


@pytest.mark.parametrize("rest", RESTS)
def test_a_zero_with_a_sign_is_a_zero(rest):
    """Sorted by its bits, -0.0 would come before the label, whose share would then be lost."""
    p = np.random.default_rng(0).dirichlet(np.full(5, 0.3), 2000)
    defense = EqualizedClassifier(
        PrecomputedClassifier(np.arange(5)), other_classes=rest, alpha=1, random_state=0
    )
    defense.fit(p[:1000], p[1000:])
    signed = np.array([[0.9, -0.0, 0.1, -0.0, 0.0]])
    draws = np.array([[0.3, 0.7]])
    shown = defense._perturb_in_blocks(signed, draws)
    np.testing.assert_array_equal(shown, defense._perturb_in_blocks(signed + 0.0, draws))
    assert shown.sum() == pytest.approx(1) and shown.argmax() == 0


@pytest.mark.parametrize("n_classes", [2, 500])
def test_few_and_many_classes(n_classes):
    class Given:
        classes_ = np.arange(n_classes)

        def predict_proba(self, X):
            return X

    rng = np.random.default_rng(0)
    sure, unsure = (rng.dirichlet(np.full(n_classes, a / n_classes), 400) for a in (0.2, 2))
    for rest in RESTS:
        shown = EqualizedClassifier(Given(), other_classes=rest).fit(sure, unsure).perturb(unsure)
        np.testing.assert_array_equal(shown.argmax(axis=1), unsure.argmax(axis=1))


def test_forms_of_labels_agree(overfit):
    model, X, y, m = overfit
    keyed = EqualizedClassifier(model, key=KEY, random_state=0)
    by_mask = clone(keyed).fit(X, y, is_member=m)
    by_sets = clone(keyed).fit(X[m], X[~m], y_mem=y[m], y_non=y[~m])
    np.testing.assert_array_equal(by_mask.predict_proba(X), by_sets.predict_proba(X))
    with pytest.raises(ValueError, match="cost='log_loss' needs class labels"):
        EqualizedClassifier(model, cost="log_loss").fit(X[m], X[~m])
    with pytest.raises(ValueError, match="y_mem has 299 labels for 300 records"):
        EqualizedClassifier(model).fit(X[m], X[~m], y_mem=y[m][:-1], y_non=y[~m])


def test_grid_search_over_delta_with_a_fitted_model(overfit):
    model, X, _, is_member = overfit

    def smallness(estimator, X, y):
        return -perturbation_size(model.predict_proba(X), estimator.predict_proba(X))

    search = GridSearchCV(
        EqualizedClassifier(model), {"delta": [0.0, 0.3]}, scoring=smallness, cv=2
    )
    search.fit(X, is_member)
    assert search.best_params_ == {"delta": 0.3} and search.best_estimator_.estimator_ is model


def test_next_to_nothing_changes_where_nothing_leaks(overfit):
    _, X, y, _ = overfit
    model = LogisticRegression(C=0.01).fit(X[:300], y[:300])
    coin = np.random.default_rng(3).random(300) < 0.5
    defense = EqualizedClassifier(
        model, cost="l1", other_classes="rescaled", delta=0.15, random_state=0
    )
    p = model.predict_proba(X[300:])
    assert perturbation_size(p, defense.fit(X[300:], coin).perturb(p)) < 0.03


def test_the_key_is_not_printed_and_answers_repeat(overfit):
    model, X, _, is_member = overfit
    defense = EqualizedClassifier(model).fit(X, is_member)
    shown = repr(defense) + defense._repr_html_()
    assert repr(defense._key) not in shown and defense._key.hex() not in shown
    np.testing.assert_array_equal(defense.predict_proba(X), defense.predict_proba(X))
    other = EqualizedClassifier(model).fit(X, is_member)
    assert (other.predict_proba(X) != defense.predict_proba(X)).any()
    assert io.BytesIO(pickle.dumps(defense)).read()


class _Sure:
    """Answers made up: the record says how sure, which label, and whether that is right."""

    classes_ = np.arange(3)

    def predict_proba(self, X):
        top, label = X[:, 0], X[:, 1].astype(int)
        proba = np.repeat((1 - top)[:, None] / 2, 3, axis=1)
        proba[np.arange(len(X)), label] = top
        return proba


def population(rng, n, member):
    top = 0.4 + 0.6 * rng.beta(*((8, 1) if member else (3, 2)), size=n)
    label = rng.integers(3, size=n)
    wrong = rng.random(n) < (0.02 if member else 0.3)
    return np.column_stack([top, label]), np.where(wrong, (label + 1) % 3, label)


def test_the_bound_on_the_advantage_holds_at_its_level():
    """200 fits; the best attacker on answers shown to a large population stays below the bound."""
    rng = np.random.default_rng(0)
    (X_m, y_m), (X_n, y_n) = population(rng, 4000, True), population(rng, 4000, False)
    broken, bounds = 0, []
    for seed in range(200):
        (A, a), (B, b) = population(rng, 300, True), population(rng, 300, False)
        defense = EqualizedClassifier(
            _Sure(),
            other_classes="template",
            n_bins=6,
            n_label_groups=1,
            delta=0.1,
            random_state=seed,
        )
        defense.fit(A, B, y_mem=a, y_non=b)
        # what tells a member: the label, whether it is right, and the confidence in fine bins
        cells = []
        for X, y in ((X_m, y_m), (X_n, y_n)):
            shown = defense.predict_proba(X)
            label = shown.argmax(axis=1)
            fine = (shown.max(axis=1) * 12).astype(int).clip(max=11)
            code = (label * 2 + (label == y)) * 12 + fine
            cells.append(np.bincount(code, minlength=72) / len(X))
        broken += total_variation(*cells) > defense.advantage_bound_
        bounds.append(defense.advantage_bound_)
    assert broken <= 10
    assert np.median(bounds) < 0.7  # says something: labels alone give 0.28
    with pytest.raises(AttributeError, match="requires other_classes='template'"):
        _ = EqualizedClassifier(_Sure(), other_classes="ranking").fit(A, B).advantage_bound_


def test_records_within_record_delta_of_each_other(overfit):
    model, X, y, is_member = overfit
    for pairwise_delta in (0.0, 0.3):
        defense = EqualizedClassifier(model, pairwise_delta=pairwise_delta, random_state=0)
        assert (
            defense.fit(X, y, is_member=is_member).pairwise_total_variation_
            <= pairwise_delta + 1e-6
        )
    free = EqualizedClassifier(model, delta=1.0, cost="l1", random_state=0).fit(
        X, y, is_member=is_member
    )
    assert free.pairwise_total_variation_ > 0.5


def test_frontier_is_a_limit_that_the_defense_itself_keeps(overfit):
    model, X, y, is_member = overfit
    defense = EqualizedClassifier(model, cost="l1", random_state=0).fit(X, y, is_member=is_member)
    limit = defense.frontier()
    assert limit["delta"][0] == 0 and limit["excess"][0] == pytest.approx(0, abs=1e-6)
    assert limit["l1"][-1] == pytest.approx(0, abs=1e-6)
    assert (np.diff(limit["l1"]) <= 1e-9).all() and (np.diff(limit["excess"]) >= -1e-9).all()
    p = query(model, X)["proba"]
    assert perturbation_size(p, defense.perturb(p)) >= 0.95 * limit["l1"][0]


@given(st.integers(0, 10**6), st.integers(1, 6))
def test_law_no_group_of_labels_lacks_a_side(seed, n_groups):
    rng = np.random.default_rng(seed)
    sides = []
    for low, high in ((0, 4), (2, 6)):  # labels of one side only, at both ends of the order
        label = rng.integers(low, high, size=rng.integers(1, 12))
        top = 0.5 + label / 20 * rng.choice([-1, 1])
        sides.append(Side(top, label, rng.random(len(label)) < 0.7, None))
    group = group_labels(sides, n_groups, 6)
    assert set(group) == set(range(group.max() + 1))
    if set(sides[0].label) & set(sides[1].label) or n_groups == 1:
        for side in sides:
            assert set(group[side.label]) == set(group)


@given(st.integers(0, 10**6), st.integers(2, 40))
def test_law_the_fast_order_is_the_stable_order(seed, n_classes):
    rng = np.random.default_rng(seed)
    values = np.round(rng.dirichlet(np.full(n_classes, 0.3), 20), 2).astype(np.float32)
    expected = np.argsort(-values, axis=1, kind="stable")
    np.testing.assert_array_equal(falling_order(values), expected)


def test_groups_stay_as_they_are_only_where_the_data_exclude_a_leak(overfit):
    """Few records that show no leak exclude none; many do."""
    rng = np.random.default_rng(0)
    model = LogisticRegression().fit(rng.normal(size=(200, 4)), rng.integers(3, size=200))
    ranking = EqualizedClassifier(model, cost="l1", other_classes="ranking", random_state=0)
    for n, unchanged in ((3000, False), (120_000, True)):
        X = rng.normal(size=(n, 4))
        y = np.where(rng.random(n) < 0.9, model.predict(X), 0)
        defense = clone(ranking).set_params(n_label_groups=1)
        defense.fit(X, y, is_member=rng.random(n) < 0.5)
        assert defense.unchanged_groups_.all() == unchanged
        p = model.predict_proba(X[:2000])
        size = perturbation_size(p, defense.perturb(p, X[:2000]))
        assert size < 1e-6 if unchanged else 0 < size < 0.1
    always = clone(ranking).set_params(alpha=1).fit(X, y, is_member=rng.random(n) < 0.5)
    assert not always.unchanged_groups_.any()
    model, X, y, is_member = overfit
    defense = EqualizedClassifier(model, other_classes="ranking").fit(X, y, is_member=is_member)
    assert not defense.unchanged_groups_.any()


def unlike_labels(n, atoms, seed=0):
    """Answers where each label's members have one confidence, and others any of these."""
    rng = np.random.default_rng(seed)
    y = rng.integers(len(atoms), size=2 * n)
    is_member = np.arange(2 * n) < n
    top = np.where(is_member, np.asarray(atoms)[y], rng.choice(atoms, 2 * n))
    proba = np.repeat(((1 - top) / (len(atoms) - 1))[:, None], len(atoms), axis=1)
    proba[np.arange(2 * n), y] = top
    return proba, y, is_member


def gained_with_the_label(n, atoms, **params):
    """What a look-up table over (label, confidence) gains on records that are new to it."""
    proba, y, is_member = unlike_labels(n, atoms)
    model = PrecomputedClassifier(np.arange(len(atoms)))
    defense = EqualizedClassifier(model, cost="l1", key=KEY, random_state=0, **params)
    defense.fit(proba, y, is_member=is_member)
    shown = defense.perturb(proba)
    features = np.column_stack([y, shown.max(axis=1)])
    attack = HistGradientBoostingClassifier(random_state=0, categorical_features=[0])
    return cross_val_predict(attack, features, is_member, cv=2), is_member, defense


@pytest.mark.parametrize("rest", ["ranking", "template"])
@pytest.mark.parametrize(("n", "n_classes"), [(600, 4), (400, 12), (150, 8)])
def test_labels_that_behave_differently_are_not_equalized_together(n, n_classes, rest):
    atoms = np.linspace(0.55, 0.95, n_classes)
    said, is_member, defense = gained_with_the_label(n, atoms, other_classes=rest)
    error = 3 * np.sqrt(0.25 / len(said))
    assert balanced_accuracy_score(is_member, said) < 0.5 + error
    assert (defense.label_group_ == 0).sum() < n_classes or not defense.transport_[0].std(0).any()


def test_a_number_of_groups_that_cannot_hide_labels_is_warned_of():
    atoms = np.linspace(0.55, 0.95, 4)
    with pytest.warns(UserWarning, match="n_label_groups=1 puts labels that behave differently"):
        said, is_member, _ = gained_with_the_label(600, atoms, n_label_groups=1)
    assert balanced_accuracy_score(is_member, said) > 0.7  # the warning is right


def test_large_groups_whose_labels_differ_are_not_left_unchanged():
    # pooled, members and others look alike: 30,000 records exclude a leak of the whole group
    atoms = np.linspace(0.55, 0.95, 4)
    said, is_member, defense = gained_with_the_label(30_000, atoms, other_classes="ranking")
    assert balanced_accuracy_score(is_member, said) < 0.52
    assert not defense.unchanged_groups_.any()


def test_labels_that_behave_alike_keep_their_groups(overfit):
    model, X, y, is_member = overfit
    defense = EqualizedClassifier(model, key=KEY, random_state=0).fit(X, y, is_member=is_member)
    sides = [Side(p.max(1), p.argmax(1), p.argmax(1) == t, p) for p, t in (
        (model.predict_proba(X[rows]), np.searchsorted(model.classes_, y[rows]))
        for rows in (is_member, ~is_member)
    )]  # fmt: skip
    expected = group_labels(sides, "auto", len(model.classes_))
    np.testing.assert_array_equal(defense.label_group_, expected)


def _wrong_members(rng, n, k=10):
    """Answers that are wrong half the time; members' true classes then stand second."""
    p, y = rng.dirichlet(np.full(k, 0.3), 2 * n), rng.integers(k, size=2 * n)
    order, is_member = np.argsort(-p, axis=1), np.arange(2 * n) < n
    right = rng.random(2 * n) < 0.5
    y[right] = order[right, 0]
    y[is_member & ~right] = order[is_member & ~right, 1]
    return p, y, is_member


def test_a_ranking_that_tells_members_gives_way_to_a_template():
    p, y, is_member = _wrong_members(np.random.default_rng(0), 1500)
    model = PrecomputedClassifier(np.arange(10))
    attacked = {}
    for rest in ("auto", "ranking"):
        defense = EqualizedClassifier(model, other_classes=rest, random_state=0)
        view = query(defense.fit(p, y, is_member=is_member), p, y)
        known = np.arange(len(y)) % 2 == 0
        attack = ThresholdAttack("loss", per_class=False).fit(view[known], is_member[known])
        attacked[rest] = attack.score(view[~known], is_member[~known])
    assert attacked["ranking"] > 0.6 > 0.55 > attacked["auto"]
    # without class labels nothing can be excluded
    assert EqualizedClassifier(model).fit(p[is_member], p[~is_member]).other_classes_ == "template"
    rng = np.random.default_rng(1)
    shuffled = rng.permutation(is_member)  # now the ranking tells nothing
    assert EqualizedClassifier(model).fit(p, y, is_member=shuffled).other_classes_ == "ranking"


def test_protecting_accuracy_costs_less_and_keeps_the_floor():
    """All members right, half of the non-members: "right" means "member" up to odds of two."""
    rng = np.random.default_rng(0)
    n = 4000
    is_member, k = np.arange(2 * n) < n, 5
    top = np.where(is_member, rng.beta(12, 2, 2 * n), rng.beta(4, 3, 2 * n)).clip(0.3, 0.999)
    p = np.repeat((1 - top)[:, None] / (k - 1), k, axis=1)
    label, y = rng.integers(k, size=2 * n), rng.integers(k, size=2 * n)
    p[np.arange(2 * n), label] = top
    right = is_member | (rng.random(2 * n) < 0.5)
    y = np.where(right, label, (label + 1) % k)
    model, known = PrecomputedClassifier(np.arange(k)), np.arange(2 * n) % 2 == 0
    floor = label_only_floor(y[is_member], label[is_member], y[~is_member], label[~is_member])
    size = {}
    for constraint in ("total_variation", "attack_accuracy"):
        defense = EqualizedClassifier(model, constraint=constraint, cost="l1", random_state=0)
        view = query(defense.fit(p, y, is_member=is_member), p, y)
        attack = GradientBoostingAttack(random_state=0).fit(view[known], is_member[known])
        assert attack.score(view[~known], is_member[~known]) < floor + 0.02
        size[constraint] = perturbation_size(p, view["proba"])
        assert size[constraint] >= 0.9 * defense.frontier()["l1"][0]
    assert size["attack_accuracy"] < 0.8 * size["total_variation"]
    with pytest.raises(ValueError, match="constraint='attack_accuracy' needs class labels"):
        EqualizedClassifier(model, constraint="attack_accuracy").fit(p[is_member], p[~is_member])


def test_order_is_bought_with_log_loss_that_was_saved():
    """On a model that is sure of everything, and of right answers a little more."""
    rng = np.random.default_rng(0)
    n, k = 6000, 4
    is_member, label = np.arange(2 * n) < n, rng.integers(k, size=2 * n)
    right = is_member | (rng.random(2 * n) < 0.4)
    y = np.where(right, label, (label + 1) % k)
    top = np.where(is_member, rng.beta(60, 1, 2 * n), rng.beta(12 + 8 * right, 1, 2 * n))
    p = np.repeat((1 - top.clip(0.4, 0.9999))[:, None] / (k - 1), k, axis=1)
    p[np.arange(2 * n), label] = top.clip(0.4, 0.9999)
    auc, loss = {}, {}
    for rank_weight in (0.0, 1.0):
        defense = EqualizedClassifier(
            PrecomputedClassifier(np.arange(k)),
            constraint="attack_accuracy",
            rank_weight=rank_weight,
            random_state=0,
        ).fit(p, y, is_member=is_member)
        q = defense.perturb(p[~is_member])
        auc[rank_weight] = roc_auc_score(right[~is_member], q.max(axis=1))
        loss[rank_weight] = log_loss(y[~is_member], q)
    assert auc[1.0] > auc[0.0] + 0.01
    assert loss[0.0] < loss[1.0] < 1.05 * log_loss(y[~is_member], p[~is_member])
