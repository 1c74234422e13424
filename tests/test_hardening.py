"""Whatever comes in, a public entry answers properly or refuses with a ValueError that says why.

Each test takes an input apart from the same strategies; ``python tests/fuzz.py`` lets a
coverage-guided fuzzer choose them.
"""

import warnings
from functools import cache

import numpy as np
import pytest
from extras import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.exceptions import ConvergenceWarning

from sklearn_aeppt import EqualizedClassifier, metrics
from sklearn_aeppt._precomputed import PrecomputedClassifier
from sklearn_aeppt.attacks import (
    AveragingAttack,
    FlipAttack,
    GapAttack,
    GradientBoostingAttack,
    LabelOnlyAttack,
    RandomForestAttack,
    RoundingAttack,
    ThresholdAttack,
    query,
)
from sklearn_aeppt.audit import audit
from sklearn_aeppt.defenses import (
    RoundingClassifier,
    TemperatureClassifier,
    TopKClassifier,
)

pytestmark = pytest.mark.filterwarnings("ignore:k=1 hides nothing of 2 classes:UserWarning")

hard = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.differing_executors]
)
DEFENSES = {
    "equalized": lambda model: EqualizedClassifier(model, n_bins=6, random_state=0),
    "template": lambda model: EqualizedClassifier(
        model, other_classes="template", pairwise_delta=0.5, n_bins=4, random_state=0
    ),
    "rounding": lambda model: RoundingClassifier(model, decimals=2),
    "top k": lambda model: TopKClassifier(model, k=1),
    "temperature": lambda model: TemperatureClassifier(model),
}
ATTACKS = {
    "gap": GapAttack(),
    "threshold": ThresholdAttack("modified_entropy"),
    "boosting": GradientBoostingAttack(max_iter=3, random_state=0),
    "forest": RandomForestAttack(n_estimators=3, random_state=0),
    "flip": FlipAttack(ThresholdAttack("loss")),
    "rounding": RoundingAttack(GapAttack(), decimals=1),
}
if torch is not None:
    from sklearn_aeppt import AEPPTClassifier
    from sklearn_aeppt.attacks import MIMAttack
    from sklearn_aeppt.defenses import MemGuardClassifier

    ATTACKS["mim"] = quick = MIMAttack("substitute", max_epochs=1, random_state=0)
    DEFENSES["aeppt"] = lambda model: AEPPTClassifier(
        model, step_size=1e-3, max_iter=5, substitute=quick, random_state=0
    )
    DEFENSES["memguard"] = lambda model: MemGuardClassifier(
        model, max_iter=3, defense_classifier=quick, random_state=0
    )
ODD = [0.0, 1.0, 0.5, 1e-300, 5e-324, -1e-9, 2.0, np.nan, np.inf, -np.inf]


class Given:
    """A model whose records are the confidences it gives them."""

    def __init__(self, n_classes):
        self.classes_ = np.arange(n_classes)

    def predict_proba(self, X):
        return np.asarray(X)


@cache
def fitted(name, n_classes):
    rng = np.random.default_rng(n_classes)
    p = rng.dirichlet(np.full(n_classes, 0.3), 120)
    y, is_member = rng.integers(n_classes, size=120), np.arange(120) < 60
    y[is_member] = p[is_member].argmax(axis=1)
    return DEFENSES[name](Given(n_classes)).fit(p, y, is_member=is_member)


@st.composite
def vectors(draw, n=None, n_classes=None):
    """Probability vectors: smooth, tied, one-hot, duplicated, with denormals; any float."""
    n = draw(st.integers(1, 9)) if n is None else n
    k = draw(st.sampled_from([2, 3, 10])) if n_classes is None else n_classes
    kinds = st.sampled_from([0.0, 1.0, 0.5, 1e-300, 5e-324, 1e-30]) | st.floats(0, 1)
    rows = draw(hnp.arrays(np.float64, (n, k), elements=kinds))
    total = rows.sum(axis=1, keepdims=True)
    rows = np.where(total > 1e-3, rows / np.where(total > 1e-3, total, 1), np.eye(k)[:1])
    if draw(st.booleans()):
        rows[:] = rows[0]
    return rows.astype(draw(st.sampled_from([np.float32, np.float64])))


@st.composite
def anything(draw):
    """Tables of whatever shape and type, most of them no probabilities."""
    dtype = draw(st.sampled_from([np.float16, np.float32, np.float64, np.int8, np.uint32, bool]))
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
    if np.dtype(dtype).kind != "f":
        return draw(hnp.arrays(dtype, shape))
    width = np.dtype(dtype).itemsize * 8
    odd = [float(v) for v in np.array(ODD).astype(dtype)]
    return draw(hnp.arrays(dtype, shape, elements=st.sampled_from(odd) | st.floats(width=width)))


def check_shown(p, shown):
    assert shown.shape == p.shape and shown.dtype.kind == "f"
    assert np.isfinite(shown).all() and shown.min(initial=0) >= 0
    np.testing.assert_allclose(shown.sum(axis=1, dtype=np.float64), 1, atol=1e-5)
    np.testing.assert_array_equal(shown.argmax(axis=1), np.asarray(p).argmax(axis=1))


@hard
@given(name=st.sampled_from(sorted(DEFENSES)), p=vectors())
def test_hard_a_table_of_answers_is_defended(name, p):
    before = p.copy()
    p.setflags(write=False)
    defense = fitted(name, p.shape[1])
    check_shown(p, defense.perturb(p))
    np.testing.assert_array_equal(defense.perturb(p, p), defense.predict_proba(p))
    np.testing.assert_array_equal(p, before)


@hard
@given(name=st.sampled_from(sorted(DEFENSES)), p=anything())
@example(name="equalized", p=np.empty((0, 3), np.float16))
def test_hard_anything_is_defended_or_refused(name, p):
    defense = fitted(name, 3)
    try:
        shown = defense.perturb(p)
    except ValueError as e:
        assert "proba " in str(e)
        return
    assert p.shape[1] == 3 and np.abs(p.sum(axis=1, dtype=np.float64) - 1).max(initial=0) < 2e-3
    check_shown(p, shown)


@hard
@given(
    name=st.sampled_from(
        [n for n in ("aeppt", "equalized", "template", "rounding") if n in DEFENSES]
    ),
    members=vectors(n=12, n_classes=3),
    others=vectors(n=8, n_classes=3),
    y=hnp.arrays(np.int64, 20, elements=st.integers(0, 2)),
)
def test_hard_any_two_sets_can_be_defended(name, members, others, y):
    """A class missing on a side, equal records, no right answer among them."""
    p, is_member = np.concatenate([members, others]), np.arange(20) < 12
    defense = DEFENSES[name](PrecomputedClassifier(np.arange(3)))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "No step_size up to")
        defense.fit(p, y, is_member=is_member)
    check_shown(p, defense.perturb(p))


@hard
@given(
    name=st.sampled_from(sorted(ATTACKS)),
    p=vectors(n=16, n_classes=3),
    y=hnp.arrays(np.int64, 16, elements=st.integers(0, 2)),
    is_member=hnp.arrays(bool, 16),
)
def test_hard_any_view_can_be_attacked(name, p, y, is_member):
    attack, view = ATTACKS[name], query(PrecomputedClassifier(np.arange(3)), p, y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        try:
            attack.fit(view, is_member)
        except ValueError as e:
            assert is_member.all() or not is_member.any(), e
            return
    score = attack.decision_function(view)
    assert score.shape == (16,) and np.isfinite(score).all()
    assert set(attack.predict(view)) <= {False, True}


@hard
@given(
    y=hnp.arrays(bool, st.integers(0, 30)),
    data=st.data(),
    rate=st.floats(allow_nan=True),
)
def test_hard_metrics_are_rates_or_refusals(y, data, rate):
    score = data.draw(hnp.arrays(np.float64, len(y), elements=st.sampled_from(ODD) | st.floats()))
    both = y.any() and not y.all()
    for metric, needs in (
        (lambda: metrics.tpr_at_fpr(y, score, rate), both and 0 <= rate <= 1),
        (lambda: metrics.tnr_at_fnr(y, score, rate), both and 0 <= rate <= 1),
        (lambda: metrics.membership_advantage(y, score > 0), both),
        (lambda: metrics.epsilon_lower_bound(y, score, random_state=0), both),
        (lambda: metrics.balanced_accuracy_interval(y, score > 0)[0], both),
    ):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", r".*fpr|.*fnr|.*non-members|.*members")
            try:
                value = metric()
            except ValueError:
                continue
        assert needs and np.isfinite(value) and value >= -1


@hard
@given(p=anything(), q=anything())
def test_hard_sizes_and_errors_are_finite_or_refused(p, q):
    for metric in (
        lambda: metrics.perturbation_size(p, q),
        lambda: metrics.expected_calibration_error(np.zeros(len(p), int), p),
        lambda: metrics.label_only_floor(p, q, p, q),
    ):
        with warnings.catch_warnings():
            # scikit-learn's, which tries labels for integers
            warnings.filterwarnings("ignore", ".*encountered in cast", RuntimeWarning)
            try:
                value = metric()
            except (ValueError, TypeError):  # TypeError: len() of an array without dimensions
                continue
        assert np.isfinite(value)


@settings(hard, max_examples=10)
@given(
    p=vectors(n=24, n_classes=2),
    y=hnp.arrays(np.int64, 24, elements=st.integers(0, 1)),
)
def test_hard_any_target_can_be_audited(p, y):
    """Members' classes and others' may differ altogether; the verdict is still a sentence."""
    sides = p[:12], y[:12], p[12:], y[12:]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*equal a member", UserWarning)
        try:
            report = audit(PrecomputedClassifier(np.arange(2)), *sides, "quick", random_state=0)
        except ValueError as e:
            assert "record(s) left" in str(e)
            return
    assert report.verdict


def odd_tables(n_classes, n, dtype):
    """Yield confidences at the ends of what a floating-point type can hold."""
    one = np.zeros((n, n_classes), dtype)
    one[:, 0] = 1
    yield one
    yield np.eye(n_classes, dtype=dtype)[np.arange(n) % n_classes]
    yield np.full((n, n_classes), 1 / n_classes, dtype)
    yield np.maximum(one, np.finfo(dtype).smallest_subnormal)
    yield np.random.default_rng(0).dirichlet(np.full(n_classes, 0.3), n).astype(dtype)


SIDES = [(1, 1), (1, 5), (5, 1), (12, 12)]
strict = pytest.mark.parametrize("n_mem, n_non", SIDES)
kinds = pytest.mark.parametrize("dtype", [np.float16, np.float64, np.longdouble])


@kinds
@strict
@pytest.mark.parametrize("name", sorted(DEFENSES))
def test_defenses_work_on_next_to_nothing_and_raise_no_floating_point_error(
    name, n_mem, n_non, dtype
):
    is_member = np.arange(n_mem + n_non) < n_mem
    for n_classes in (1, 3):
        for p in odd_tables(n_classes, n_mem + n_non, dtype):
            y = np.roll(p.argmax(axis=1), 1)
            with np.errstate(all="raise"):
                defense = DEFENSES[name](PrecomputedClassifier(np.arange(n_classes)))
                defense.fit(p, y, is_member=is_member)
                shown = defense.predict_proba(p)
                assert np.isfinite(defense.perturb(p)).all()
                defense.predict_log_proba(p)
            assert np.isfinite(shown).all() and shown.min(initial=0) >= 0
            assert np.abs(shown.sum(axis=1, dtype=np.float64) - 1).max() < 1e-3
            np.testing.assert_array_equal(shown.argmax(axis=1), p.argmax(axis=1))


STRICT_ATTACKS = {
    "gap": GapAttack(),
    **{s: ThresholdAttack(s) for s in ("confidence", "loss", "entropy", "modified_entropy")},
    "flip": FlipAttack(ThresholdAttack("loss")),
    "rounding": RoundingAttack(ThresholdAttack("entropy"), decimals=1),
    "averaging": AveragingAttack(ThresholdAttack("loss"), n_queries=2),
    "label only": LabelOnlyAttack(n_queries=2),
}


@kinds
@strict
@pytest.mark.parametrize("name", STRICT_ATTACKS)
def test_attacks_work_on_next_to_nothing_and_raise_no_floating_point_error(
    name, n_mem, n_non, dtype
):
    attack, is_member = STRICT_ATTACKS[name], np.arange(n_mem + n_non) < n_mem
    for n_classes in (1, 3):
        for p in odd_tables(n_classes, n_mem + n_non, dtype):
            y = np.roll(p.argmax(axis=1), 1)
            with np.errstate(all="raise"):
                view = query(PrecomputedClassifier(np.arange(n_classes)), p, y, n_queries=2)
                attack.fit(view, is_member)
                assert np.isfinite(attack.decision_function(view)).all()
                attack.predict(view)


@pytest.mark.filterwarnings("ignore:.*are too few for f:sklearn.exceptions.UndefinedMetricWarning")
@kinds
@strict
def test_metrics_work_on_next_to_nothing_or_say_what_is_missing(n_mem, n_non, dtype):
    m = np.arange(n_mem + n_non) < n_mem
    for n_classes in (1, 3):
        for p in odd_tables(n_classes, n_mem + n_non, dtype):
            y, pred, score = np.roll(p.argmax(axis=1), 1), p.argmax(axis=1), p.max(axis=1)
            said = score > np.median(score)
            with np.errstate(all="raise"):
                found = [
                    metrics.label_only_floor(y[m], pred[m], y[~m], pred[~m]),
                    metrics.membership_advantage(m, said),
                    metrics.tpr_at_fpr(m, score),
                    metrics.tnr_at_fnr(m, score),
                    *metrics.balanced_accuracy_interval(m, said),
                    *(metrics.perturbation_size(p, p[::-1], ord=o) for o in (1, 2, np.inf)),
                    metrics.expected_calibration_error(y, p),
                ]
                metrics.per_class_report(y, m, said, y_score=score)
                if min(n_mem, n_non) > 1:
                    found.append(metrics.epsilon_lower_bound(m, score, random_state=0))
            assert np.isfinite(found).all()
            if min(n_mem, n_non) == 1:
                advantage = metrics.membership_advantage
                for refused in (
                    lambda: metrics.epsilon_lower_bound(m, score),  # noqa: B023
                    lambda: metrics.bootstrap_interval(advantage, m, said),  # noqa: B023
                ):
                    with pytest.raises(ValueError, match="at least two of each"):
                        refused()


@pytest.mark.parametrize("n_classes", [2, 5000])
@pytest.mark.parametrize("name", sorted(DEFENSES))
def test_few_and_many_classes(name, n_classes):
    defense = fitted(name, n_classes)
    p = np.random.default_rng(1).dirichlet(np.full(n_classes, 0.05), 20)
    check_shown(p, defense.perturb(p))
