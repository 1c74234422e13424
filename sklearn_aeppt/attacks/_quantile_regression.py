"""Quantile regression: how confident the target is on non-members like this record."""

from __future__ import annotations

from numbers import Real
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from sklearn.base import BaseEstimator, clone
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import HasMethods, Interval
from sklearn.utils.validation import check_is_fitted

from sklearn_aeppt._containers import as_array
from sklearn_aeppt._number_table import read_numbers
from sklearn_aeppt._seeding import reseed
from sklearn_aeppt.attacks._base import ScoreAttack, best_threshold
from sklearn_aeppt.attacks._query import View, check_membership, read_records
from sklearn_aeppt.attacks._shadow_models import label_and_rest


class QuantileRegressionAttack(ScoreAttack):
    """Compare the target's confidence in a record with a regression over known non-members.

    On the known non-members, a regressor learns to predict the logit of the label's confidence
    from the record and its label: its median and an upper quantile. The score is how far the
    target's output is above that median, in units of the distance between the two. No shadow
    models are trained, and nothing about the target's kind of model needs to be known.

    Parameters
    ----------
    regressor : regressor, default=None
        Any regressor with a parameter ``quantile``, cloned; it is trained on the records with the
        label index as an additional column. None is a small
        ``HistGradientBoostingRegressor(loss="quantile")``.
    quantile : float in (0.5, 1), default=0.9
        The upper quantile.
    random_state : int, RandomState instance or None, default=None
        Seeds the regressors. Pass an int for reproducible results.

    Attributes
    ----------
    median_, upper_ : fitted regressors
        Predict the median and the upper quantile.
    threshold_ : float
        Score above which a record is classified as a member: the one with the best balanced
        accuracy on the records of `fit`.
    classes_ : ndarray of shape (2,)
        Non-member, member.
    n_features_in_ : int
        Number K of the target's classes.

    See Also
    --------
    LiRAAttack : Calibration per example by shadow models.
    RMIAAttack : The same, with few shadow models.

    References
    ----------
    Bertran et al. (2023), "Scalable membership inference attacks via quantile regression".

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn_aeppt.attacks import QuantileRegressionAttack, query
    >>> rng = np.random.default_rng(0)
    >>> X, y, member = rng.normal(size=(200, 5)), rng.integers(2, size=200), np.arange(200) < 100
    >>> forest = RandomForestClassifier(random_state=0).fit(X[member], y[member])
    >>> view = query(forest, X, y)
    >>> QuantileRegressionAttack(random_state=0).fit(view, member).score(view, member) > 0.8
    True
    """

    needs_records = "numeric"
    per_record = True

    _parameter_constraints: dict = {
        "regressor": [HasMethods(["fit", "predict", "set_params"]), None],
        "quantile": [Interval(Real, 0.5, 1, closed="neither")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        regressor: BaseEstimator | None = None,
        *,
        quantile: float = 0.9,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.regressor = regressor
        self.quantile = quantile
        self.random_state = random_state

    def fit(self, X: View, y: ArrayLike) -> Self:
        """Learn the quantiles from the non-members and the threshold from all records.

        Parameters
        ----------
        X : SliceDict of `query`
            Records, which must be a table of numbers, and the target's outputs for them:
            confidences and label indices.
        y : array-like of shape (n,)
            Membership, two distinct values; the greater one (1 or True) marks members.

        Returns
        -------
        self : QuantileRegressionAttack
            The fitted attack.

        Raises
        ------
        ValueError
            If `X` holds no records or no valid outputs, or `y` does not hold two values, one for
            each record.
        """
        self._validate_params()
        records, proba, label, _ = read_records(self, X, reset=True)
        classes, member = check_membership(y, len(proba))
        answers = label_and_rest(proba, label)
        self._floor = answers[answers > 0].min() / 2
        features, logit = _features(records, label), self._logit(answers)
        regressor = self.regressor
        if regressor is None:
            regressor = HistGradientBoostingRegressor(
                loss="quantile", quantile=0.5, max_iter=50, min_samples_leaf=10
            )
        others = member == 0
        rng = check_random_state(self.random_state)
        self.median_, self.upper_ = (
            reseed(clone(regressor).set_params(quantile=q), rng).fit(
                features[others], logit[others]
            )
            for q in (0.5, self.quantile)
        )
        distance = self.upper_.predict(features) - self.median_.predict(features)
        # where the two cross, a tenth of what is usual
        self._least = max(np.median(distance) / 10, 1e-6)
        score = self._score(features, logit)
        self.threshold_ = best_threshold(score, member)
        self.classes_ = classes
        return self

    def _logit(self, answers):
        mine, others = answers.clip(self._floor).T
        return np.log(mine) - np.log(others)

    def _score(self, features, logit):
        median = self.median_.predict(features)
        distance = np.maximum(self.upper_.predict(features) - median, self._least)
        return (logit - median) / distance

    def decision_function(self, X: View) -> NDArray[np.float64]:
        """Compare the target's outputs with the predicted quantiles.

        Parameters
        ----------
        X : SliceDict of `query`
            Records and the target's outputs for them, as in `fit`.

        Returns
        -------
        score : float64 ndarray of shape (n,)
            The attack's score minus ``threshold_``.
        """
        check_is_fitted(self)
        records, proba, label, _ = read_records(self, X, reset=False)
        logit = self._logit(label_and_rest(proba, label))
        return self._score(_features(records, label), logit) - self.threshold_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True
        return tags


def _features(records, label):
    """Return the records with the label as one more column, dense."""
    table = read_numbers(records)
    if table is not None and table.columns is None:
        records = table.values
    else:  # nothing but missing values, or too large a sparse table: as far as memory goes
        records = as_array(records.toarray() if sparse.issparse(records) else records)
        records = records.astype(np.float64)
    return np.column_stack([records.reshape(len(label), -1), label])
