"""What a membership inference attack achieves, and what a defense costs; then scorers of both.

Membership is 1 (or True) for records that trained the target and 0 (or False) for others; a
greater ``score`` means "rather a member". Accuracy, precision, recall and AUC are scikit-learn's
own (``balanced_accuracy_score``, ``precision_score``, ``recall_score``, ``roc_auc_score``).
"""

import warnings
from numbers import Integral, Real

import numpy as np
from scipy.stats import beta, bootstrap
from sklearn.base import clone
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import accuracy_score, balanced_accuracy_score, roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.utils import (
    assert_all_finite,
    check_consistent_length,
    check_random_state,
    column_or_1d,
)
from sklearn.utils._param_validation import Interval, Options, StrOptions, validate_params
from sklearn.utils.metadata_routing import MetadataRequest

from sklearn_aeppt._groups import as_labels, find_groups
from sklearn_aeppt._output_defense import check_proba, is_fitted

__all__ = [
    "attack_accuracy_interval",
    "attack_scorer",
    "bootstrap_interval",
    "clopper_pearson",
    "epsilon_lower_bound",
    "expected_calibration_error",
    "label_only_floor",
    "membership_advantage",
    "paper_rule",
    "per_class_report",
    "perturbation_scorer",
    "perturbation_size",
    "tnr_at_fnr",
    "tpr_at_fpr",
]

_CONFIDENCE = [Interval(Real, 0, 1, closed="neither")]


def _as_membership(y, name="y", *, both=True):
    """Return a boolean member mask; `both` requires members and non-members to be there."""
    y = column_or_1d(y)
    if y.dtype != bool:
        known = np.isin(y, [0, 1])
        if not known.all():
            raise ValueError(
                f"{name} holds {np.unique(y[~known])[:3].tolist()}: it must be boolean, or 1 for "
                "members and 0 for non-members."
            )
        y = y == 1
    if both and (y.all() or not y.any()):
        raise ValueError(
            f"{name} must hold members and non-members, got {y.sum()} members out of {len(y)} "
            "records: rates of an attack need both."
        )
    return y


def _as_score(y, score, name="score"):
    """Return `score` as float64, one for each of `y`; infinite ones are fine, NaN is not."""
    score = column_or_1d(score).astype(np.float64)
    check_consistent_length(y, score)
    if np.isnan(score).any():
        raise ValueError(f"{name} contains NaN in {np.isnan(score).sum()} of {len(score)} records.")
    return score


def counts_at_thresholds(y, score):
    """Return (threshold, n members at or above it, n non-members at or above it).

    One entry for each distinct score, greatest first: records that tie fall together, so no
    result depends on the order of the rows.
    """
    y = _as_membership(y)
    threshold, place = np.unique(-_as_score(y, score), return_inverse=True)
    members = np.bincount(place[y], minlength=len(threshold)).cumsum()
    non_members = np.bincount(place[~y], minlength=len(threshold)).cumsum()
    return -threshold, members, non_members


def label_only_floor(y_mem, pred_mem, y_non, pred_non):
    """Accuracy of an adversary who sees only whether the predicted label is right.

    He calls a record a member if it is classified correctly (the "gap attack"), and wins with
    balanced accuracy ``0.5 + (train accuracy - test accuracy) / 2``. A defense that keeps labels
    leaves him that, so no such defense can bring every attack below it.

    The value is the plain, signed formula: below 0.5 where unseen records are classified better
    than members. An adversary who knows that would invert his answers and reach ``1 - floor``;
    taking the greater of the two here would lift the floor by sampling noise wherever both
    accuracies are alike, and so hide a small excess of other attacks over it.

    Parameters
    ----------
    y_mem, pred_mem : array-like of shape (n_members,)
        True and predicted classes of members.
    y_non, pred_non : array-like of shape (n_non_members,)
        The same for non-members.

    Returns
    -------
    floor : float in [0, 1]

    Raises
    ------
    ValueError
        If a true and a predicted side differ in length, or one is empty.

    References
    ----------
    Yeom, Giacomelli, Fredrikson, Jha (2018), "Privacy risk in machine learning: analyzing the
    connection to overfitting", Section 3.1.

    Examples
    --------
    >>> from sklearn_aeppt.metrics import label_only_floor
    >>> label_only_floor([0, 1, 1, 2], [0, 1, 1, 2], [0, 1, 2, 2], [0, 1, 1, 1])
    0.75
    """
    gap = accuracy_score(y_mem, pred_mem) - accuracy_score(y_non, pred_non)
    return float(0.5 + gap / 2)


def membership_advantage(y, pred):
    """Advantage of an attack: true positive rate minus false positive rate.

    Twice the excess of its balanced accuracy over 0.5; 0 for guessing, negative for an attack
    that points the wrong way.

    Parameters
    ----------
    y : array-like of shape (n,), boolean or 0/1
        Membership.
    pred : array-like of shape (n,), boolean or 0/1
        What the attack says.

    Returns
    -------
    advantage : float in [-1, 1]

    References
    ----------
    Yeom, Giacomelli, Fredrikson, Jha (2018), Definition 4.

    Examples
    --------
    >>> from sklearn_aeppt.metrics import membership_advantage
    >>> membership_advantage([1, 1, 0, 0], [1, 1, 1, 0])
    0.5
    """
    y = _as_membership(y)
    pred = _as_membership(pred, "pred", both=False)
    check_consistent_length(y, pred)
    return float(pred[y].mean() - pred[~y].mean())


@validate_params(
    {"fpr": [Interval(Real, 0, 1, closed="right")]}, prefer_skip_nested_validation=True
)
def tpr_at_fpr(y, score, fpr=0.01):
    """Greatest true positive rate at a false positive rate of at most `fpr`.

    Records of equal score fall together and nothing is interpolated, so the value is one that a
    threshold on `score` really reaches.

    Parameters
    ----------
    y : array-like of shape (n,), boolean or 0/1
        Membership.
    score : array-like of shape (n,)
        Greater means rather a member; may be infinite.
    fpr : float in (0, 1], default=0.01

    Returns
    -------
    tpr : float in [0, 1]
        0 if every threshold has too many false positives.

    Warns
    -----
    UndefinedMetricWarning
        If there are fewer than ``10 / fpr`` non-members: fewer than ten of them decide the
        threshold then. A warning and not an error, because a scorer inside cross-validation sees
        one fold at a time, and an error would leave NaN where a noisy value still ranks.

    References
    ----------
    Carlini, Chien, Nasr, Song, Terzis, Tramer (2022), "Membership inference attacks from first
    principles", Section IV.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_aeppt.metrics import tpr_at_fpr
    >>> y = np.r_[np.ones(1000), np.zeros(1000)]
    >>> score = np.r_[np.linspace(0, 1, 1000), np.linspace(0, 0.7, 1000)]
    >>> tpr_at_fpr(y, score, fpr=0.01)
    0.307
    """
    return _rate_at(y, score, fpr, "fpr", "non-members")


@validate_params(
    {"fnr": [Interval(Real, 0, 1, closed="right")]}, prefer_skip_nested_validation=True
)
def tnr_at_fnr(y, score, fnr=0.01):
    """Greatest true negative rate at a false negative rate of at most `fnr`.

    The mirror image of `tpr_at_fpr`: how many non-members can be ruled out for sure.

    Parameters
    ----------
    y : array-like of shape (n,), boolean or 0/1
        Membership.
    score : array-like of shape (n,)
        Greater means rather a member; may be infinite.
    fnr : float in (0, 1], default=0.01

    Returns
    -------
    tnr : float in [0, 1]

    Warns
    -----
    UndefinedMetricWarning
        If there are fewer than ``10 / fnr`` members.

    Examples
    --------
    >>> from sklearn_aeppt.metrics import tnr_at_fnr
    >>> tnr_at_fnr([1] * 20 + [0] * 20, [1] * 20 + [0] * 15 + [1] * 5, fnr=0.5)
    0.75
    """
    y = _as_membership(y)
    return _rate_at(~y, -_as_score(y, score), fnr, "fnr", "members")


def _rate_at(y, score, limit, name, side):
    _, right, wrong = counts_at_thresholds(y, score)
    if wrong[-1] * limit < 10 - 1e-9:
        warnings.warn(
            f"{wrong[-1]} {side} are few for {name}={limit:g}: fewer than ten of them decide the "
            f"threshold. Give at least 10 / {name} of them, or take a greater {name}.",
            UndefinedMetricWarning,
            stacklevel=4,
        )
    within = wrong / wrong[-1] <= limit
    return float(right[within].max(initial=0) / right[-1])


@validate_params({"confidence": _CONFIDENCE}, prefer_skip_nested_validation=True)
def clopper_pearson(successes, trials, confidence=0.95):
    """Exact (Clopper-Pearson) confidence interval of a proportion.

    Each end errs with probability at most ``(1 - confidence) / 2``, whatever the true proportion.

    Parameters
    ----------
    successes, trials : int or array-like of int
        Counts, ``0 <= successes <= trials``; they broadcast.
    confidence : float in (0, 1), default=0.95

    Returns
    -------
    low, high : float or ndarray
        (0, 1) where there were no trials.

    Raises
    ------
    ValueError
        If a count is negative or there are more successes than trials.

    References
    ----------
    Clopper, Pearson (1934), "The use of confidence or fiducial limits".

    Examples
    --------
    >>> from sklearn_aeppt.metrics import clopper_pearson
    >>> low, high = clopper_pearson(7, 10)
    >>> round(float(low), 4), round(float(high), 4)
    (0.3475, 0.9333)
    """
    k, n = np.broadcast_arrays(np.asarray(successes), np.asarray(trials))
    if (k < 0).any() or (k > n).any():
        raise ValueError("successes must lie between 0 and trials, entry by entry.")
    tail = (1 - confidence) / 2
    low = np.where(k > 0, beta.ppf(tail, np.maximum(k, 1), n - k + 1), 0.0)
    high = np.where(k < n, beta.isf(tail, k + 1, np.maximum(n - k, 1)), 1.0)
    return low[()], high[()]


@validate_params({"confidence": _CONFIDENCE}, prefer_skip_nested_validation=True)
def attack_accuracy_interval(y, pred, confidence=0.95):
    """Confidence interval of an attack's balanced accuracy.

    Balanced accuracy is ``(TPR + TNR) / 2``: members and non-members weigh alike however many
    there are. Members and non-members are independent samples, so their Clopper-Pearson
    intervals are joined by squares and differences (MOVER)::

        low = accuracy - sqrt((TPR - TPR_low)**2 + (TNR - TNR_low)**2) / 2

    and `high` alike.

    Parameters
    ----------
    y : array-like of shape (n,), boolean or 0/1
        Membership.
    pred : array-like of shape (n,), boolean or 0/1
        What the attack says.
    confidence : float in (0, 1), default=0.95

    Returns
    -------
    low, high : float
        Around ``sklearn.metrics.balanced_accuracy_score(y, pred)``.

    References
    ----------
    Newcombe (1998), "Interval estimation for the difference between independent proportions",
    method 10; Zou, Donner (2008), "Construction of confidence limits about effect measures".

    Examples
    --------
    >>> from sklearn_aeppt.metrics import attack_accuracy_interval
    >>> y, pred = [1] * 100 + [0] * 100, [1] * 80 + [0] * 120
    >>> low, high = attack_accuracy_interval(y, pred)
    >>> round(low, 3), round(high, 3)
    (0.851, 0.937)
    """
    y = _as_membership(y)
    pred = _as_membership(pred, "pred", both=False)
    check_consistent_length(y, pred)
    hits = np.array([pred[y].sum(), (~pred[~y]).sum()])
    trials = np.array([y.sum(), (~y).sum()])
    rate = hits / trials
    low, high = clopper_pearson(hits, trials, confidence)
    below, above = (np.sqrt(((rate - end) ** 2).sum()) / 2 for end in (low, high))
    return float(rate.mean() - below), float(rate.mean() + above)


@validate_params(
    {
        "metric": [callable],
        "confidence": _CONFIDENCE,
        "n_resamples": [Interval(Integral, 1, None, closed="left")],
        "method": [StrOptions({"percentile", "basic", "BCa"})],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def bootstrap_interval(
    metric, y, score, *, confidence=0.95, n_resamples=999, method="percentile", random_state=None
):
    """Stratified bootstrap confidence interval of any metric of an attack.

    Members and non-members are drawn anew each among their own (``scipy.stats.bootstrap``), so
    every resample has as many of each as `y`.

    Parameters
    ----------
    metric : callable ``metric(y, score) -> float``
        Such as ``sklearn.metrics.roc_auc_score`` or `tpr_at_fpr`.
    y : array-like of shape (n,), boolean or 0/1
        Membership.
    score : array-like of shape (n,)
        Scores, or 0/1 predictions.
    confidence : float in (0, 1), default=0.95
    n_resamples : int, default=999
    method : {"percentile", "basic", "BCa"}, default="percentile"
        "BCa" corrects bias and skew, at the price of n more evaluations of `metric`.
    random_state : int, RandomState instance or None, default=None

    Returns
    -------
    low, high : float

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.metrics import roc_auc_score
    >>> from sklearn_aeppt.metrics import bootstrap_interval
    >>> rng = np.random.default_rng(0)
    >>> y, score = np.r_[np.ones(200), np.zeros(200)], rng.normal(size=400)
    >>> low, high = bootstrap_interval(roc_auc_score, y, score, n_resamples=200, random_state=0)
    >>> bool(low < 0.5 < high)
    True
    """
    y = _as_membership(y)
    score = _as_score(y, score)
    if min(y.sum(), (~y).sum()) < 2:
        raise ValueError(
            f"y has {y.sum()} members and {(~y).sum()} non-members: give at least two of each, to "
            "draw from."
        )

    def statistic(members, non_members):
        drawn_y = np.arange(len(members) + len(non_members)) < len(members)
        return metric(drawn_y, np.concatenate([members, non_members]))

    result = bootstrap(
        (score[y], score[~y]),
        statistic,
        vectorized=False,
        n_resamples=n_resamples,
        confidence_level=confidence,
        method=method,
        random_state=check_random_state(random_state),
    )
    return tuple(float(end) for end in result.confidence_interval)


@validate_params(
    {
        "confidence": _CONFIDENCE,
        "delta": [Interval(Real, 0, 1, closed="left")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def epsilon_lower_bound(y, score, *, confidence=0.95, delta=0.0, random_state=None):
    """Lower confidence bound on epsilon, for which the attack rules out differential privacy.

    Were the target (epsilon, delta)-differentially private, every set of scores S would satisfy
    ``P(S | member) <= exp(epsilon) * P(S | non-member) + delta`` and the same the other way
    round. Hence ``epsilon >= log((P(S | one) - delta) / P(S | other))``.

    A maximum over all thresholds of such bounds would lie above 0 on pure noise nearly always.
    Here one random half of the records chooses S, a threshold and a direction, and the other
    half alone bounds the two probabilities by Clopper-Pearson, each end erring with at most
    ``(1 - confidence) / 2``. So the bound holds with probability `confidence`.

    Parameters
    ----------
    y : array-like of shape (n,), boolean or 0/1
        Membership; at least two of each.
    score : array-like of shape (n,)
        Greater means rather a member; may be infinite. Must not have been learned from these
        very records.
    confidence : float in (0, 1), default=0.95
    delta : float in [0, 1), default=0.0
    random_state : int, RandomState instance or None, default=None
        Governs the halves.

    Returns
    -------
    epsilon : float >= 0
        0 where nothing is ruled out.

    Notes
    -----
    It speaks of the differences between the members and the non-members that were given, as every
    audit by one trained model does; records drawn at random make it a statement about the model.

    References
    ----------
    Jagielski, Ullman, Oprea (2020), "Auditing differentially private machine learning", Section 4;
    Kairouz, Oh, Viswanath (2015), "The composition theorem for differential privacy".

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_aeppt.metrics import epsilon_lower_bound
    >>> y = np.r_[np.ones(1000), np.zeros(1000)]
    >>> score = np.r_[np.linspace(0, 1, 1000), np.linspace(0, 0.7, 1000)]
    >>> 2.0 < epsilon_lower_bound(y, score, random_state=0) < 4.1
    True
    >>> epsilon_lower_bound(y, np.zeros(2000), random_state=0)
    0.0
    """
    y = _as_membership(y)
    score = _as_score(y, score)
    if min(y.sum(), (~y).sum()) < 2:
        raise ValueError(
            f"y has {y.sum()} members and {(~y).sum()} non-members: give at least two of each, "
            "one to choose the threshold and one to measure."
        )
    rng = check_random_state(random_state)
    choosing = np.zeros(len(y), dtype=bool)
    for side in (y, ~y):
        rows = rng.permutation(np.flatnonzero(side))
        choosing[rows[: len(rows) // 2]] = True

    def bounds(members, non_members, n_members, n_non_members):
        """Return the bound of each (direction, threshold), shape (4, n_thresholds)."""
        mem = np.stack([members, n_members - members])
        non = np.stack([non_members, n_non_members - non_members])
        mem_low, mem_high = clopper_pearson(mem, n_members, confidence)
        non_low, non_high = clopper_pearson(non, n_non_members, confidence)
        # upper ends are never 0; a lower end at or below delta bounds nothing
        ratio = np.concatenate([(mem_low - delta) / non_high, (non_low - delta) / mem_high])
        return np.log(np.maximum(ratio, np.finfo(float).tiny))

    threshold, members, non_members = counts_at_thresholds(y[choosing], score[choosing])
    # every choice is allowed; steps in proportion to the distance from either end are fine enough
    near = np.unique(np.geomspace(1, len(threshold), 500).astype(int)) - 1
    tried = np.unique(np.concatenate([near, len(threshold) - 1 - near]))
    found = bounds(members[tried], non_members[tried], members[-1], non_members[-1])
    direction, place = np.unravel_index(found.argmax(), found.shape)
    above, mask = score[~choosing] >= threshold[tried[place]], y[~choosing]
    held_out = bounds(
        np.array([above[mask].sum()]), np.array([above[~mask].sum()]), mask.sum(), (~mask).sum()
    )
    return max(0.0, float(held_out[direction, 0]))


@validate_params(
    {"ord": [Options(Real, {1, 2, np.inf})], "per_record": ["boolean"]},
    prefer_skip_nested_validation=True,
)
def perturbation_size(p, q, ord=1, *, per_record=False):
    """Size of the change from confidences `p` to `q`.

    Parameters
    ----------
    p, q : array-like of shape (n, K)
        Confidences before and after, in probability (0 to 1).
    ord : {1, 2, inf}, default=1
        Norm of each row's difference: 1 sums the absolute changes over the classes, as the
        paper's tables do; 2 is Euclidean; inf is the greatest change. Between probability
        vectors they are at most 2, sqrt(2) and 1.
    per_record : bool, default=False
        Return one value for each record instead of their mean.

    Returns
    -------
    size : float, or ndarray of shape (n,) with `per_record`

    Raises
    ------
    ValueError
        If the shapes differ, are not two-dimensional, or hold no record.

    Notes
    -----
    The paper (arXiv 2011.13696, Tables I and II) measures vectors that were clipped but need not
    sum to one. On the simplex whatever goes up must come down: compare its L1 with half of this.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_aeppt.metrics import perturbation_size
    >>> p, q = [[0.75, 0.25], [0.5, 0.5]], [[0.5, 0.5], [0.5, 0.5]]
    >>> perturbation_size(p, q)
    0.25
    >>> perturbation_size(p, q, ord=np.inf, per_record=True)
    array([0.25, 0.  ])
    """
    p, q = np.asarray(p), np.asarray(q)
    if p.shape != q.shape or p.ndim != 2 or not len(p):
        raise ValueError(
            f"p has shape {p.shape} and q {q.shape}: both must be (n_records, n_classes), alike "
            "and not empty."
        )
    assert_all_finite(p, input_name="p")
    assert_all_finite(q, input_name="q")
    change = np.subtract(p, q, dtype=np.result_type(p, q, np.float32))
    size = np.linalg.norm(change, ord=ord, axis=1)
    return size if per_record else float(size.mean(dtype=np.float64))


@validate_params(
    {"n_bins": [Interval(Integral, 1, None, closed="left")]}, prefer_skip_nested_validation=True
)
def expected_calibration_error(y, proba, n_bins=15, *, classes=None):
    """Calibration error of the top label, over equal bins of its confidence.

    ``sum over bins b of n_b / n * |accuracy(b) - mean confidence(b)|``.

    Parameters
    ----------
    y : array-like of shape (n,)
        True classes.
    proba : array-like of shape (n, K)
        Confidences.
    n_bins : int, default=15
        Bins ``((i - 1) / n_bins, i / n_bins]``.
    classes : array-like of shape (K,), default=None
        The class of each column, a classifier's ``classes_``; None is 0 to K - 1.

    Returns
    -------
    error : float in [0, 1]

    Raises
    ------
    ValueError
        If `proba` holds no probability vectors, `y` has another length or an unknown class.

    References
    ----------
    Guo, Pleiss, Sun, Weinberger (2017), "On calibration of modern neural networks", Eq. 3.

    Examples
    --------
    >>> from sklearn_aeppt.metrics import expected_calibration_error
    >>> round(expected_calibration_error([0, 1, 1, 1], [[0.75, 0.25]] * 4), 6)
    0.5
    """
    y, proba = column_or_1d(y), check_proba(proba, source="proba")
    check_consistent_length(y, proba)
    classes = np.arange(proba.shape[1]) if classes is None else np.asarray(classes)
    if len(classes) != proba.shape[1]:
        raise ValueError(
            f"classes names {len(classes)} classes for the {proba.shape[1]} columns of proba: "
            "give one for each."
        )
    unknown = ~np.isin(y, classes)
    if unknown.any():
        raise ValueError(
            f"y holds {np.unique(y[unknown])[:3].tolist()}, no class of proba's columns: give "
            "classes=estimator.classes_."
        )
    top = proba.max(axis=1).astype(np.float64)
    right = classes[proba.argmax(axis=1)] == y
    place = (np.ceil(top * n_bins).astype(int) - 1).clip(0, n_bins - 1)
    return float(np.abs(np.bincount(place, right - top)).sum() / len(y))


@validate_params({"confidence": _CONFIDENCE}, prefer_skip_nested_validation=True)
def per_class_report(y_class, membership, pred, *, score=None, pred_class=None, confidence=0.95):
    """Attack accuracy class by class, with what is needed to judge it.

    Parameters
    ----------
    y_class : array-like of shape (n,)
        Classes to report on: the true ones, or any other grouping; labels of any kind (tuples,
        None, numbers beside text). Those without a common order are ordered by kind and text.
    membership : array-like of shape (n,), boolean or 0/1
    pred : array-like of shape (n,), boolean or 0/1
        What the attack says.
    score : array-like of shape (n,), default=None
        Attack score, top confidence, loss: its empirical distributions are returned.
    pred_class : array-like of shape (n,), default=None
        The target's predicted classes; with them, and `y_class` the true classes, each class
        gets its label-only floor.
    confidence : float in (0, 1), default=0.95
        Of the interval (see `attack_accuracy_interval`). Each class errs by itself: among 100
        classes expect 5 intervals of 95 % to miss.

    Returns
    -------
    report : dict of ndarray of shape (n_classes,)
        ``class``, ``n_members``, ``n_non_members``, ``accuracy`` (balanced), ``low``, ``high``,
        and where asked for ``floor``, ``member_scores``, ``non_member_scores``: for each class
        the sorted scores v, whose empirical CDF rises by 1 / len(v) at each. NaN stands where a
        class has no members or no non-members. ``pandas.DataFrame(report)`` is a table.

    References
    ----------
    AEPPT (arXiv 2011.13696), Fig. 4.

    Examples
    --------
    >>> from sklearn_aeppt.metrics import per_class_report
    >>> report = per_class_report(list("aaaabb"), [1, 1, 0, 0, 1, 0], [1, 1, 1, 0, 0, 0])
    >>> report["class"], report["accuracy"]
    (array(['a', 'b'], dtype='<U1'), array([0.75, 0.5 ]))
    """
    y_class = as_labels(y_class)
    membership = _as_membership(membership, "membership")
    pred = _as_membership(pred, "pred", both=False)
    check_consistent_length(y_class, membership, pred)
    classes, place = find_groups(y_class)
    n = len(classes)
    members = np.bincount(place[membership], minlength=n)
    report = {"class": classes, "n_members": members, "n_non_members": np.bincount(place) - members}
    groups = np.split(np.argsort(place, kind="stable"), np.cumsum(np.bincount(place))[:-1])
    whole = np.flatnonzero((members > 0) & (report["n_non_members"] > 0))
    for key in ("accuracy", "low", "high"):
        report[key] = np.full(n, np.nan)
    for i in whole:
        truth, said = membership[groups[i]], pred[groups[i]]
        report["accuracy"][i] = balanced_accuracy_score(truth, said)
        report["low"][i], report["high"][i] = attack_accuracy_interval(truth, said, confidence)
    if pred_class is not None:
        right = as_labels(pred_class) == y_class
        report["floor"] = np.full(n, np.nan)
        for i in whole:
            truth = membership[groups[i]]
            report["floor"][i] = 0.5 + membership_advantage(truth, right[groups[i]]) / 2
    if score is not None:
        score = _as_score(y_class, score)
        for key, side in (("member_scores", membership), ("non_member_scores", ~membership)):
            report[key] = np.empty(n, dtype=object)
            for i, rows in enumerate(groups):
                report[key][i] = np.sort(score[rows[side[rows]]])
    return report


#: Scorer metrics by name: (metric of (y, response), whether it takes scores or predictions).
SCORER_METRICS = {
    "closeness": (lambda y, pred: -abs(balanced_accuracy_score(y, pred) - 0.5), "predict"),
    "neg_accuracy": (lambda y, pred: -balanced_accuracy_score(y, pred), "predict"),
    "neg_advantage": (lambda y, pred: -membership_advantage(y, pred), "predict"),
    "neg_roc_auc": (lambda y, score: -roc_auc_score(y, score), "score"),
    "neg_tpr_at_1%_fpr": (lambda y, score: -tpr_at_fpr(y, score, fpr=0.01), "score"),
}


class _AttackScorer:
    """A callable and not a closure, so that a grid search can send it to other processes."""

    def __init__(self, attack, metric, cv, random_state):
        self.attack, self.metric, self.cv, self.random_state = attack, metric, cv, random_state

    def __repr__(self):
        return f"attack_scorer({self.attack!r}, {self.metric!r})"

    def get_metadata_routing(self):
        """Ask scikit-learn's metadata routing, where it is switched on, for `is_member`."""
        request = MetadataRequest(owner=self)
        request.score.add_request(param="is_member", alias=True)
        return request

    def __call__(self, estimator, X, y, is_member=None):
        """Return the score of `estimator` on records X; greater is better.

        y is the membership mask, or with `is_member` the true classes, which the attack sees then.
        """
        from sklearn_aeppt.attacks import MIMAttack, query  # metrics alone need no torch

        if is_member is None and y is None:
            raise ValueError("y is None: it must be the membership mask of X's records.")
        if is_member is None:
            membership, y_class = _as_membership(y), None
        else:
            membership, y_class = _as_membership(is_member, "is_member"), y
        attack = self.attack
        if attack is None:
            attack = MIMAttack("mim0", random_state=self.random_state)
        metric, kind = SCORER_METRICS.get(self.metric, (self.metric, "score"))
        names = ["decision_function", "predict_proba", "predict"] if kind == "score" else [kind]
        method = next((name for name in names if hasattr(attack, name)), None)
        if method is None:
            raise TypeError(f"attack={attack!r} has none of {names}: give a binary classifier.")
        view = query(estimator, X, y_class)
        if is_fitted(attack):
            response = getattr(attack, method)(view)
        else:
            cv = self.cv
            if isinstance(cv, Integral):
                cv = StratifiedKFold(cv, shuffle=True, random_state=self.random_state)
            response = cross_val_predict(
                clone(attack), view, membership.astype(int), cv=cv, method=method
            )
        response = np.asarray(response)
        response = response[:, 1] if response.ndim == 2 else response
        if method == "predict":
            response = _as_membership(response, "attack.predict(X)", both=False)
        return float(metric(membership, response))


@validate_params(
    {
        "attack": [object],
        "metric": [StrOptions(set(SCORER_METRICS)), callable],
        "cv": ["cv_object"],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def attack_scorer(attack=None, metric="closeness", *, cv=5, random_state=None):
    """Make a scorer of a target's privacy for ``GridSearchCV`` and ``cross_validate``.

    The scorer is called with a target, records X and, as y, their membership mask; it asks the
    target what it shows of X and lets the attack tell members from non-members. Greater is
    better, that is, more private.

    Parameters
    ----------
    attack : binary classifier, default=None
        A fitted attack stays as it is: the paper's adversary, who does not know the defense. An
        unfitted one is cross-fitted on the very answers it is scored on: the adversary who
        adapts, and the honest choice. None is ``MIMAttack("mim0")``, unfitted.
    metric : str or callable ``metric(y, score) -> float``, default="closeness"
        - "closeness": ``-abs(balanced accuracy - 0.5)``, the paper's; an attack that is wrong
          more often than right tells as much as one that is right;
        - "neg_accuracy", "neg_advantage": of the attack's answers, balanced;
        - "neg_roc_auc", "neg_tpr_at_1%_fpr": of its scores. Below chance they go on growing:
          prefer "closeness" to choose a defense against a fitted attack.

        A callable gets the attack's score (``decision_function``, else the probability of
        "member", else its answers) and must be greater for better privacy.
    cv : int or cross-validation splitter, default=5
        Folds of an unfitted attack within the scored records; an int is shuffled and
        stratified by membership.
    random_state : int, RandomState instance or None, default=None
        Governs the shuffled folds, and ``MIMAttack`` where `attack` is None. An int makes
        candidates of a search comparable.

    Returns
    -------
    scorer : callable ``scorer(estimator, X, y) -> float``
        Pickles if `attack` and `metric` do.

    Notes
    -----
    The label that the attack sees is the target's predicted one, as y carries membership: fit a
    fixed attack on predicted labels too. Under ``sklearn.set_config(enable_metadata_routing=True)``
    ``search.fit(X, y_class, is_member=mask)`` hands the scorer true classes and membership apart:
    then the attack sees the true classes, as the paper's adversary does, and ``"accuracy"`` and
    other scorers of classifiers can stand beside it.

    Scores of an attack that is cross-fitted are pooled over its folds before `metric`.

    References
    ----------
    AEPPT (arXiv 2011.13696), Section 5: the step size is chosen by the accuracy of MIM0.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn_aeppt.attacks import MIMAttack
    >>> from sklearn_aeppt.metrics import attack_scorer
    >>> X, y = load_digits(return_X_y=True)
    >>> membership = [True] * 300 + [False] * 300
    >>> target = RandomForestClassifier(random_state=0).fit(X[:300], y[:300])
    >>> attack = MIMAttack("substitute", lr=0.01, max_epochs=30, random_state=0)
    >>> scorer = attack_scorer(attack, cv=2, random_state=0)
    >>> scorer(target, X[:600], membership) < -0.3
    True
    """
    return _AttackScorer(attack, metric, cv, random_state)


class _PerturbationScorer:
    def __init__(self, base, ord):
        self.base, self.ord = base, ord

    def __repr__(self):
        return f"perturbation_scorer({self.base!r}, ord={self.ord!r})"

    def __call__(self, estimator, X, y=None):
        """Return the negative mean size of the perturbation on records X; y is not used."""
        base = estimator.estimator_ if self.base is None else self.base
        return -perturbation_size(base.predict_proba(X), estimator.predict_proba(X), self.ord)


@validate_params(
    {"base": [object], "ord": [Options(Real, {1, 2, np.inf})]}, prefer_skip_nested_validation=True
)
def perturbation_scorer(base=None, ord=1):
    """Make a scorer of what a defense costs: the negative mean `perturbation_size`.

    Parameters
    ----------
    base : fitted classifier, default=None
        The undefended model; None takes the defense's own ``estimator_``.
    ord : {1, 2, inf}, default=1

    Returns
    -------
    scorer : callable ``scorer(estimator, X, y=None) -> float``
        At most 0, and 0 for a defense that changes nothing.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_aeppt.metrics import perturbation_scorer
    >>> X, y = load_iris(return_X_y=True)
    >>> sharp, flat = (LogisticRegression(C=C, max_iter=1000).fit(X, y) for C in (1, 1e-3))
    >>> -2 < perturbation_scorer(sharp)(flat, X) < 0
    True
    """
    return _PerturbationScorer(base, ord)


def paper_rule(cv_results, *, closeness="closeness", perturbation="perturbation", tolerance=1e-9):
    """Choose as the paper does: attack accuracy closest to 50 %, then the least perturbation.

    For ``GridSearchCV(..., scoring={"closeness": attack_scorer(...), "perturbation":
    perturbation_scorer()}, refit=paper_rule)``; ``functools.partial`` sets the keywords.

    Parameters
    ----------
    cv_results : dict of ndarray
        ``GridSearchCV.cv_results_``.
    closeness, perturbation : str
        The names of the two scorers in `scoring`; of both, greater is better.
    tolerance : float >= 0, default=1e-9
        Candidates whose closeness is within `tolerance` of the best count as tied, in units of
        accuracy. The attack's sampling error is a fair choice.

    Returns
    -------
    best_index : int
        Candidates whose fit failed (NaN) are never chosen.

    Raises
    ------
    ValueError
        If a scorer is missing, or no candidate has a value.

    References
    ----------
    AEPPT (arXiv 2011.13696), Section 5.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_aeppt.metrics import paper_rule
    >>> results = {"mean_test_closeness": np.array([-0.2, -0.01, -0.01]),
    ...            "mean_test_perturbation": np.array([-0.1, -0.5, -0.3])}
    >>> paper_rule(results)
    2
    """
    columns = []
    for name in (closeness, perturbation):
        if f"mean_test_{name}" not in cv_results:
            given = sorted(k.removeprefix("mean_test_") for k in cv_results if "mean_test_" in k)
            raise ValueError(
                f"cv_results has no scorer {name!r} among {given}: name the scorers so in "
                "scoring, or say their names by functools.partial(paper_rule, ...)."
            )
        columns.append(np.asarray(cv_results[f"mean_test_{name}"], dtype=float))
    private, small = columns
    valid = np.isfinite(private) & np.isfinite(small)
    if not valid.any():
        raise ValueError("cv_results holds no finite score: every candidate failed.")
    tied = valid & (private >= private[valid].max() - tolerance)
    return int(np.where(tied, small, -np.inf).argmax())
