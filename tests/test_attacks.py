"""Contract of every attack over answers, and of the adaptive wrappers."""

import numpy as np
import pytest
from extras import needs_torch, torch
from sklearn.base import clone
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import (
    GridSearchCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
    train_test_split,
)

from sklearn_aeppt import EqualizedClassifier
from sklearn_aeppt._slices import slice_dict
from sklearn_aeppt.attacks import (
    AdversarialTrainingAttack,
    AveragingAttack,
    FlipAttack,
    GapAttack,
    GradientBoostingAttack,
    RandomForestAttack,
    RoundingAttack,
    ThresholdAttack,
    query,
)
from sklearn_aeppt.attacks._statistics import STATISTICS
from sklearn_aeppt.metrics import label_only_floor

quick = ThresholdAttack("loss")
if torch is not None:
    from sklearn_aeppt import AEPPTClassifier
    from sklearn_aeppt.attacks import MIMAttack

    quick = MIMAttack("substitute", max_epochs=40, random_state=0)
KEY = b"a key of the tests, known to all"
ATTACKS = [
    GapAttack(),
    *(ThresholdAttack(s, per_class=pc) for s in STATISTICS for pc in (True, False)),
    ThresholdAttack(lambda proba, label: proba.max(axis=1)),
    GradientBoostingAttack(random_state=0),
    RandomForestAttack(n_estimators=100, random_state=0),
    quick,
    RoundingAttack(ThresholdAttack()),
    AdversarialTrainingAttack(GradientBoostingAttack(random_state=0), EqualizedClassifier(None)),
    AveragingAttack(GradientBoostingAttack(random_state=0), n_queries=2),
]
ids = [f"{i}-{type(attack).__name__}" for i, attack in enumerate(ATTACKS)]


@pytest.fixture(scope="module")
def game(overfit):
    model, X, y, is_member = overfit
    return query(model, X, y, n_queries=2), is_member


def interval(n):
    return 2.5 * 0.5 / np.sqrt(n)


@pytest.mark.parametrize("attack", ATTACKS, ids=ids)
def test_beats_chance_where_the_model_leaks(attack, game):
    view, is_member = game
    said = cross_val_predict(attack, view, is_member, cv=3)
    chance = 0.5 + interval(len(view))
    if not isinstance(attack, AdversarialTrainingAttack):
        assert balanced_accuracy_score(is_member, said) > chance
    assert set(clone(attack).fit(view, is_member).classes_) == {False, True}


@pytest.mark.parametrize("attack", ATTACKS, ids=ids)
def test_is_at_chance_where_membership_is_random(attack, game):
    view, _ = game
    coin = np.random.default_rng(1).random(len(view)) < 0.5
    said = cross_val_predict(attack, view, coin, cv=3)
    assert abs(balanced_accuracy_score(coin, said) - 0.5) < interval(len(view))


def test_gap_attack_is_the_label_only_floor(overfit, game):
    model, X, y, m = overfit
    pred = model.predict(X)
    expected = label_only_floor(y[m], pred[m], y[~m], pred[~m])
    view, is_member = game
    said = GapAttack().fit(view, is_member).predict(view)
    assert balanced_accuracy_score(is_member, said) == pytest.approx(expected)


def test_statistics_worked_by_hand():
    p, c = np.array([[0.7, 0.2, 0.1]]), np.array([1])
    assert STATISTICS["confidence"](p, c) == pytest.approx(0.2)
    assert STATISTICS["loss"](p, c) == pytest.approx(np.log(0.2))
    assert STATISTICS["entropy"](p, c) == pytest.approx(
        0.7 * np.log(0.7) + 0.2 * np.log(0.2) + 0.1 * np.log(0.1)
    )
    assert STATISTICS["modified_entropy"](p, c) == pytest.approx(
        0.8 * np.log(0.2) + 0.7 * np.log(0.3) + 0.1 * np.log(0.9)
    )
    sure = np.array([[1.0, 0.0]])
    for statistic in STATISTICS.values():
        assert np.isfinite(statistic(sure, np.array([0]))).all()
        assert np.isfinite(statistic(sure, np.array([1]))).all()


def test_thresholds_are_per_label_with_one_for_the_rare():
    rng = np.random.default_rng(0)
    label = np.repeat([0, 1, 2], [100, 100, 4])
    member = np.arange(204) % 2
    top = np.where(label == 0, 0.5 + 0.2 * member, 0.7 + 0.2 * member) + 0.01 * rng.random(204)
    proba = np.full((204, 3), 0.0)
    proba[np.arange(204), label] = top
    view = slice_dict(proba=proba.astype(np.float32), label=label)
    attack = ThresholdAttack().fit(view, member)
    assert attack.score(view[:200], member[:200]) == 1
    assert attack.thresholds_[0] < 0.7 < attack.thresholds_[1]
    overall = ThresholdAttack(per_class=False).fit(view, member)
    assert attack.thresholds_[2] == overall.thresholds_[0]
    assert overall.score(view[:200], member[:200]) < 1


def test_threshold_of_a_constant_score_calls_all_members():
    proba = np.full((10, 2), 0.5)
    assert (ThresholdAttack().fit(proba, [0, 1] * 5).predict(proba) == 1).all()


def test_flip_mirrors(game):
    view, is_member = game
    attack = GradientBoostingAttack(random_state=0).fit(view, is_member)
    flipped = FlipAttack(GradientBoostingAttack(random_state=0)).fit(view, is_member)
    np.testing.assert_array_equal(flipped.predict(view), ~attack.predict(view))
    np.testing.assert_array_equal(flipped.decision_function(view), -attack.decision_function(view))


def test_rounding_equals_the_attack_on_rounded_answers(game):
    view, is_member = game
    rounded = slice_dict(proba=np.round(view["proba"], 2), label=view["label"])
    wrapped = RoundingAttack(ThresholdAttack(), decimals=2).fit(view, is_member)
    bare = ThresholdAttack().fit(rounded, is_member)
    np.testing.assert_array_equal(wrapped.predict(view), bare.predict(rounded))


@needs_torch
def test_fixed_attacker_fails_on_aeppt_and_adaptive_ones_succeed(overfit):
    model, X, y, is_member = overfit
    defense = AEPPTClassifier(model, key=KEY, random_state=0).fit(X, y, is_member=is_member)
    plain, shown = query(model, X, y), query(defense, X, y)
    known, scored = train_test_split(
        np.arange(len(X)), test_size=0.5, stratify=is_member, random_state=0
    )

    def accuracy(attack, learned, asked):
        attack = clone(attack).fit(learned[known], is_member[known])
        return attack.score(asked[scored], is_member[scored])

    copied = AEPPTClassifier(None, step_size=defense.step_size_, random_state=9)
    assert accuracy(quick, plain, shown) < 0.55
    assert accuracy(FlipAttack(quick), plain, shown) > 0.45
    for attack, learned in (
        (quick, shown),
        (GradientBoostingAttack(random_state=0), shown),
        (RoundingAttack(GradientBoostingAttack(random_state=0)), shown),
        (AdversarialTrainingAttack(GradientBoostingAttack(random_state=0), copied), plain),
    ):
        assert accuracy(attack, learned, shown) > 0.6, attack


@needs_torch
def test_averaging_calms_fresh_noise_and_changes_nothing_else(overfit, quick_substitute):
    model, X, y, is_member = overfit

    def views(noise):
        defense = AEPPTClassifier(
            model, step_size=1e-2, substitute=quick_substitute, query_noise=noise, random_state=0
        )
        return query(defense.fit(X, is_member), X, y, n_queries=8)

    fresh, consistent = views("fresh"), views("consistent")
    spread = fresh["repeats"].std(axis=1).mean()
    assert spread > 1e-3
    averaging = AveragingAttack(ThresholdAttack(), n_queries=8)
    halves = [fresh["repeats"][:, i : i + 4].mean(axis=1) for i in (0, 4)]
    assert np.abs(halves[0] - halves[1]).mean() < spread
    assert consistent["repeats"].std(axis=1).max() < 1e-6
    np.testing.assert_array_equal(
        averaging.fit(consistent, is_member).predict(consistent),
        ThresholdAttack().fit(consistent, is_member).predict(consistent),
    )
    with pytest.raises(ValueError, match=r"make it with query\(target, X, y, n_queries=9\)"):
        AveragingAttack(ThresholdAttack(), n_queries=9).fit(fresh, is_member)


def test_scores_feed_roc_auc(game):
    view, is_member = game
    for attack in (
        ThresholdAttack("loss"),
        GradientBoostingAttack(random_state=0),
        FlipAttack(quick),
    ):
        auc = cross_val_score(attack, view, is_member, cv=2, scoring="roc_auc").mean()
        assert (auc < 0.4) if isinstance(attack, FlipAttack) else (auc > 0.6)


def test_published_answers_under_memguard(shared_data):
    """Thresholds make MemGuard look as if it sat at the floor; retrained boosting does not."""
    with np.load(shared_data / "memguard_location.npz") as z:
        plain, shown = z["target_undefended"], z["target_memguard"]
        y, member = z["target_y"].astype(np.int64), z["target_member"]
    halves = [np.random.default_rng(s).permutation(len(y)) < len(y) // 2 for s in range(5)]

    def accuracy(attack, proba):
        view = slice_dict(proba=proba, label=y)
        scores = []
        for half in halves:
            attack.fit(view[half], member[half])
            scores.append(balanced_accuracy_score(member[~half], attack.predict(view[~half])))
        return np.mean(scores)

    threshold = ThresholdAttack("modified_entropy")
    assert accuracy(threshold, plain) == pytest.approx(0.84, abs=0.02)
    assert accuracy(threshold, shown) == pytest.approx(0.69, abs=0.02)
    assert accuracy(GradientBoostingAttack(random_state=0), shown) >= 0.79


def test_views_go_through_model_selection(game):
    """Every splitter of scikit-learn slices what `query` returns, records included."""
    view, is_member = game
    sizes, _, scores = learning_curve(
        ThresholdAttack(), view, is_member, train_sizes=[0.3, 1.0], cv=3, shuffle=True,
        random_state=0,
    )  # fmt: skip
    assert scores.mean(axis=1)[-1] > 0.6 and sizes[0] < sizes[1]
    result = cross_validate(GapAttack(), view, is_member, scoring=["accuracy", "recall"], cv=3)
    assert result["test_accuracy"].mean() > 0.5
    grid = {"statistic": ["confidence", "entropy"], "per_class": [True, False]}
    search = GridSearchCV(ThresholdAttack(), grid, cv=2).fit(view, is_member)
    assert search.best_score_ > 0.6
