"""Attack on the outputs for variants of a record: their average, their spread, their jumps."""

from __future__ import annotations

from numbers import Integral

import numpy as np
from sklearn.utils._param_validation import Interval

from sklearn_aeppt.attacks._gradient_boosting import GradientBoostingAttack
from sklearn_aeppt.attacks._query import (
    read_predicted,
    read_repeats,
    read_repeats_predicted,
    read_view,
)

SAME = 1e-9  # largest difference between answers that count as the same
LEVELS = (0.1, 0.5, 0.9)


class VariantsAttack(GradientBoostingAttack):
    """Learned attack: gradient boosting on the outputs for variants of each record.

    Features in addition to those of `GradientBoostingAttack`, over all variants and for each rung
    of a `NoiseLadder`: mean, standard deviation and quantiles of the largest confidence and of
    the true label's; whether a variant gets *the same output or another one* (the share of
    outputs equal to the record's own within 1e-9, the number of different ones, the sizes of the
    jumps); the share of variants with the true label and with the record's predicted one.

    One of these breaks a defense whose draws depend on what it hides: the average over many tiny
    variants, or the mere fact that a variant gets a new draw. The same attack compares the outputs
    of several deployments of one model, see `query`.

    Parameters
    ----------
    n_queries : int >= 1, default=33
        Number of outputs per record to use, the record's own included; views must come from
        ``query(target, X, y, n_queries=..., augment=NoiseLadder())`` with at least as many.
    labels_only : bool, default=False
        Whether to use the labels of the variants alone, as a baseline for the confidences.
    n_confidences : int >= 1, default=5
        Number of largest confidences of the record's own output that are features.
    max_iter : int >= 1, default=100
        Largest number of boosting iterations, that is, of trees.
    learning_rate : float > 0, default=0.05
        Weight of each tree.
    random_state : int, RandomState instance or None, default=None
        Seeds the gradient boosting. Pass an int for reproducible results.

    Attributes
    ----------
    rungs_ : int ndarray of shape (n_queries - 1,)
        Rung of each variant; 0 for a repeated query of the record itself.
    estimator_ : HistGradientBoostingClassifier
        The fitted classifier of the features.
    n_iter_ : int
        Number of boosting iterations.
    classes_ : ndarray of shape (2,)
        Non-member, member.
    n_features_in_ : int
        Number K of the target's classes.

    See Also
    --------
    NoiseLadder : Makes the variants.
    LabelOnlyAttack : A logistic regression on the labels of variants.
    AveragingAttack : Any attack on the average of repeated outputs.
    CollisionAttack : Outputs that recur among different records.

    References
    ----------
    Choquette-Choo et al. (2021), "Label-only membership inference attacks"; Jia et al. (2019),
    "MemGuard", Section 4.3, on why noise must be fixed for each query.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.neural_network import MLPClassifier
    >>> from sklearn_aeppt.attacks import NoiseLadder, VariantsAttack, query
    >>> X, y = load_digits(return_X_y=True)
    >>> model = MLPClassifier(random_state=0).fit(X[:300], y[:300])
    >>> view = query(model, X[:600], y[:600], n_queries=9, augment=NoiseLadder(), random_state=0)
    >>> attack = VariantsAttack(n_queries=9, random_state=0)
    >>> attack.fit(view[::2], [1] * 150 + [0] * 150).score(view[1::2], [1] * 150 + [0] * 150) > 0.6
    True
    """

    needs_variants = "ladder"

    _parameter_constraints: dict = {
        **GradientBoostingAttack._parameter_constraints,
        "n_queries": [Interval(Integral, 1, None, closed="left")],
        "labels_only": ["boolean"],
    }

    def __init__(
        self,
        n_queries: int = 33,
        *,
        labels_only: bool = False,
        n_confidences: int = 5,
        max_iter: int = 100,
        learning_rate: float = 0.05,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        super().__init__(
            n_confidences,
            max_iter=max_iter,
            learning_rate=learning_rate,
            random_state=random_state,
        )
        self.n_queries = n_queries
        self.labels_only = labels_only

    @property
    def needs_queries(self) -> int:  # type: ignore[override]  # the base's is a constant
        """Number of outputs per record that a view must hold: `n_queries`."""
        return self.n_queries

    def _learner(self, n):
        # a hundred features: split search over 255 bins would take most of an audit's time, and
        # the coarser trees find as much
        return super()._learner(n).set_params(max_bins=63, max_leaf_nodes=15)

    def _see(self, X, *, reset):
        proba, label = read_view(self, X, reset=reset)
        own = (self._labels if self.labels_only else self._features)(
            proba, label, read_predicted(X, proba)
        )
        if self.n_queries == 1:
            return own
        repeats = read_repeats(X, self.n_queries, varied=True)
        rungs = self._check_rungs(X, reset=reset)
        said = read_repeats_predicted(X, repeats)
        features = variant_features(repeats, said, label, rungs, self.labels_only)
        return np.column_stack([own, *features])

    @staticmethod
    def _labels(proba, label, predicted):
        return np.column_stack([label, predicted, predicted == label])

    def _check_rungs(self, X, *, reset):
        """Return the rung of each variant; the same when asked as when fitted."""
        found = X.get("rung")
        n_variants = self.n_queries - 1
        rungs = np.zeros(n_variants, int) if found is None else found[0, 1 : self.n_queries]
        if reset:
            self.rungs_ = np.array(rungs)
        elif not np.array_equal(rungs, self.rungs_):
            raise ValueError(
                f"X['rung']={rungs.tolist()} differs from the variants that the attack was fitted "
                f"on, {self.rungs_.tolist()}: make both views with the same augment."
            )
        return self.rungs_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = self.labels_only
        return tags


def variant_features(repeats, said, label, rungs, labels_only):
    """Return columns of features of the answers to variants, one number a record each.

    Parameters
    ----------
    repeats : float32 ndarray of shape (n, n_queries, K)
        Confidences for the record and to its variants.
    said : int ndarray of shape (n, n_queries)
        Their predicted labels.
    label : int ndarray of shape (n,)
    rungs : int ndarray of shape (n_queries - 1,)
        Which variants are summed up together, beside all of them.
    labels_only : bool
        Whether to leave the confidences out.

    Returns
    -------
    features : list of ndarray of shape (n,)
    """
    right, kept = said[:, 1:] == label[:, None], said[:, 1:] == said[:, :1]
    parts = [rungs == rung for rung in np.unique(rungs)]
    parts = parts if len(parts) > 1 else []  # one rung: all variants say it already
    features = [
        n_distinct(said),
        *(share[:, part].mean(axis=1) for part in (slice(None), *parts) for share in (right, kept)),
    ]
    if labels_only:
        return features
    top = repeats.max(axis=2)
    mine = np.take_along_axis(repeats, label[:, None, None], axis=2)[:, :, 0]
    # one variant after the other: differences of all at once would double the memory
    jump = np.stack([abs(answer - repeats[:, 0]).max(axis=1) for answer in variants(repeats)], 1)
    features.append(n_distinct(top, SAME))
    for values in (top[:, 1:], mine[:, 1:]):
        features += [values.mean(axis=1), values.std(axis=1), *np.quantile(values, LEVELS, axis=1)]
    features += [(jump <= SAME).mean(axis=1), *np.quantile(jump, (*LEVELS, 1), axis=1)]
    for part in parts:
        features += [
            (jump[:, part] <= SAME).mean(axis=1),
            jump[:, part].max(axis=1),
            top[:, 1:][:, part].mean(axis=1),
            top[:, 1:][:, part].std(axis=1),
            mine[:, 1:][:, part].mean(axis=1),
        ]
    return features


def variants(repeats):
    """Yield the answers to one variant of every record after the other, shape (n, K)."""
    return (repeats[:, i] for i in range(1, repeats.shape[1]))


def n_distinct(values, tolerance=0):
    """Return how many values of each row differ by more than `tolerance` from the next less."""
    return 1 + (np.diff(np.sort(values, axis=1), axis=1) > tolerance).sum(axis=1)
